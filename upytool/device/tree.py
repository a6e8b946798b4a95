"""What is to be copied: a file or a folder with all below, on this computer or on a board."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import LocalFileError, UsageError
from ..words import Said
from .local import check_named, local_error, local_size, not_a_file, special

IgnoreRule = Callable[[str, bool], bool]


@dataclass(frozen=True, slots=True)
class Tree:
    """One source of a copy.

    Attributes:
        root: its path; local or the board's.
        kind: `file` or `dir`.
        name: the name that it gets in a folder.
        contents: a folder whose contents are meant, not itself (a trailing `/`, or `.`).
        files: path below the root -> size in bytes; a file's own path is ''.
        dirs: paths of the folders below the root, parents first.
        remote: it is on the board.
    """

    root: str
    kind: Literal["file", "dir"]
    name: str
    contents: bool = False
    files: Mapping[str, int] = field(default_factory=dict)
    dirs: tuple[str, ...] = ()
    remote: bool = False

    def path_of(self, relative: str) -> str:
        """The whole path of one of its files."""
        if not relative:
            return self.root
        if self.remote:
            return join(self.root, relative)
        return os.path.join(self.root, *relative.split("/"))

    @property
    def size(self) -> int:
        return sum(self.files.values())


def join(folder: str, name: str) -> str:
    """A path of the board; '' is its working directory."""
    return f"{folder.rstrip('/')}/{name}" if folder else name


def local_tree(
    path: str,
    *,
    recursive: bool,
    ignore: Callable[[Path], IgnoreRule] | None = None,
    follow: bool = True,
) -> Tree:
    """A local source.

    Args:
        ignore: makes the rule for a folder.
        follow: False takes a link to a folder as one thing, a file; what is to be deleted must not lie elsewhere.

    Errors: LocalFileError; UsageError for a folder without `recursive`.
    """
    root = Path(check_named(path))
    if not os.path.isdir(path):
        return Tree(str(root), "file", root.name, files={"": local_size(path)})
    contents = path.endswith(("/", os.sep)) or root.name in ("", "..")
    if not recursive:
        raise UsageError("usage.is-directory", path=path)
    files: dict[str, int] = {}
    dirs: list[str] = []
    rule: IgnoreRule = ignore(root) if ignore is not None else lambda path, is_dir: False
    try:
        _scan(root, "", rule, files, dirs, {os.path.realpath(root)}, follow)
    except RecursionError:
        raise LocalFileError("local-file.nested-too-deeply", path=path) from None
    return Tree(str(root), "dir", root.name, contents, files, tuple(dirs))


def _scan(
    folder: Path,
    prefix: str,
    rule: IgnoreRule,
    files: dict[str, int],
    dirs: list[str],
    seen: set[str],
    follow: bool,
) -> None:
    """Links are followed, but not into a folder that we are in already."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise local_error(error, folder) from error
    for entry in entries:
        path = prefix + entry.name
        try:
            link = not follow and is_link(entry.path)
            is_dir = entry.is_dir() and not link
            if rule(path, is_dir):
                continue
            if not is_dir:
                state = entry.stat(follow_symlinks=not link)
                if follow and special(state.st_mode):
                    raise not_a_file(entry.path, special(state.st_mode))
                files[path] = state.st_size
                continue
        except OSError as error:
            raise LocalFileError(
                "local-file.system", path=entry.path, reason=error.strerror or error, hint=Said("device.broken-link")
            ) from error
        real = os.path.realpath(entry.path)
        if real in seen:
            continue
        dirs.append(path)
        _scan(Path(entry.path), path + "/", rule, files, dirs, seen | {real}, follow)


def is_link(path: str | Path) -> bool:
    """Whether this local path leads elsewhere: a symbolic link, or a junction of Windows."""
    junction: Callable[[str | Path], bool] | None = getattr(os.path, "isjunction", None)  # Python 3.12
    return os.path.islink(path) or (junction is not None and junction(path))


def board_tree(path: str, kind: str, size: int, listing: Mapping[str, int], *, recursive: bool) -> Tree:
    """A source on the board, from a survey's status and listing (absolute or relative as `path` is).

    Errors: UsageError for a folder without `recursive`.
    """
    root = path.rstrip("/") or ("/" if path.startswith("/") else "")
    name = root.rpartition("/")[2]
    contents = path.endswith("/") or name in ("", ".", "..")
    if kind == "file":
        return Tree(root, "file", name, files={"": size}, remote=True)
    if not recursive:
        raise UsageError("usage.is-directory", path=f":{path}")
    prefix = root.rstrip("/") + "/"
    below = {full[len(prefix) :]: n for full, n in listing.items() if full.startswith(prefix)}
    files = {path: n for path, n in sorted(below.items()) if n >= 0}
    dirs = tuple(sorted(path for path, n in below.items() if n < 0))
    return Tree(root, "dir", name, contents or not name, files, dirs, True)
