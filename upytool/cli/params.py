"""Types of a command's words: what they mean and how they complete.

None of them looks at the file system or the board: a whole line is checked before its first command runs, and
that command may make what a later one reads.
"""

from __future__ import annotations

import re
from typing import Any

import click
from click.shell_completion import CompletionItem

from .. import limits
from ..errors import UsageError
from ..place import Place as Place

# `/lib` and `:/lib` as Git Bash, MSYS2 and Cygwin hand them to a program of Windows.
_REWRITTEN = re.compile(r"[:;]?[A-Za-z]:[\\/]")


def board_path(path: str) -> str:
    """A path of the board as it was typed. Errors: UsageError where the shell made a path of Windows of it."""
    if _REWRITTEN.match(path):
        raise UsageError("usage.windows-path", path=path.lstrip(":;"))
    return path


class CopyPath(click.ParamType[Place]):
    """`:path` is on the board, anything else is local; `C:\\x` is local since only a leading colon counts.

    `-` is stdin or stdout.
    """

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Place:
        if isinstance(value, Place):
            return value
        if value.startswith(":"):
            return Place(board_path(value[1:]), True)
        if value.startswith(";"):  # what Git Bash makes of `:/lib`
            board_path(value)
        return Place(value, False)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        if incomplete.startswith(":"):
            return remote_items(ctx, incomplete[1:], ":")
        return [CompletionItem(incomplete, type="file")]


class RemotePath(click.ParamType[str]):
    """A path on the board; a leading colon is allowed and taken off.

    Args:
        named: a bare colon, the working directory, is no such path.
    """

    name = "path"

    def __init__(self, *, named: bool = False) -> None:
        self.named = named

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        path = board_path(str(value).removeprefix(":"))
        if self.named and not path:
            raise UsageError("usage.board-name", text=str(value))
        return path

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        colon = ":" if incomplete.startswith(":") else ""
        return remote_items(ctx, incomplete.removeprefix(":"), colon)


class LocalPath(click.ParamType[str]):
    """A local file or, with `directories=True`, a directory; `-` where the command says so."""

    name = "file"

    def __init__(self, *, directories: bool = False) -> None:
        self.directories = directories
        self.name = "directory" if directories else "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        # What asks whether such a file exists gets an error of the system's instead of a no.
        raw = text.encode("utf-8", "replace")
        longest = max(map(len, re.split(rb"[/\\]", raw)))
        if b"\0" in raw or len(raw) > limits.ARGUMENT_PATH_BYTES or longest > limits.NAME_BYTES:
            self.fail(f"{text[:40]}... is not a valid file name on this system", param, ctx)
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        return [CompletionItem(incomplete, type="dir" if self.directories else "file")]


class Selector(click.ParamType[str]):
    """Which board; see `upytool help selectors`."""

    name = "selector"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return str(value)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from .completion import selectors

        return [CompletionItem(name, help=help) for name, help in selectors() if name.startswith(incomplete)]


class ByteSize(click.ParamType[int]):
    """A number of bytes: 512, 4k, 1M (steps of 1024), 0x1000."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        text = str(value).strip().lower().removesuffix("b").removesuffix("i")
        try:
            if text.startswith("-"):
                raise ValueError
            if text[-1:] in ("k", "m", "g"):
                return int(text[:-1]) * (1024, 1024**2, 1024**3)["kmg".index(text[-1])]
            return int(str(value), 0)
        except ValueError:
            self.fail(f"{value!r} is not a size such as 512, 4k or 1M", param, ctx)


def remote_items(ctx: click.Context, incomplete: str, prefix: str) -> list[CompletionItem[str]]:
    """Completions of a path on the board, from listings of earlier commands."""
    from .listings import remote_paths

    names = ctx.find_root().meta.get("upytool.names", ())
    return [CompletionItem((prefix or _colon(path)) + path) for path in remote_paths(names, incomplete)]


def _colon(path: str) -> str:
    """The colon that keeps a bare path from being read as an option, as `+`, or as a path with its own colon."""
    return ":" if path.startswith(("-", "+", ":")) else ""
