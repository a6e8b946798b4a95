"""The little that packages need of a board, and the programs that run there."""

from __future__ import annotations

import ast
import errno
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from upytool.errors import REMOTE_ERRNO, PackageError, RawReplError, RemoteError, RemoteOSError

STAGE = "/.upytool-stage"
RECORD = "/.upytool.json"
TIME_LIMIT = 60.0
_MARK = "\x1e"


class BoardInfo(Protocol):
    """What is read of a board's description: `sys.implementation._mpy`, 0 where it loads no .mpy files."""

    @property
    def mpy(self) -> int: ...


class BoardFiles(Protocol):
    """What is used of a board's file system."""

    def hash(self, paths: Sequence[str], algo: str = "sha256") -> dict[str, str | None]:
        """The digests of many files in one round trip; None for what is not there."""

    def write_bytes(self, path: str, data: bytes) -> object:
        """Write a file (its folder exists), crash-safe."""


@runtime_checkable
class PutsMany(Protocol):
    """A file system that takes many files in one program."""

    def put_many(self, items: list[tuple[str, bytes]]) -> object:
        """Write files (their folders exist), each one crash-safe."""


class Board(Protocol):
    """A connected board, as `upytool.device.Device` is one."""

    @property
    def info(self) -> BoardInfo: ...

    @property
    def fs(self) -> BoardFiles: ...

    def exec(self, source: bytes | str, *, timeout: float | None = None) -> str: ...


@dataclass(frozen=True, slots=True)
class Survey:
    """A target folder as it is.

    Attributes:
        target: its path without a slash at the end ("" for the root).
        block: bytes of a block of its file system; 0 where the board does not tell.
        free: bytes free there, None where the board does not tell.
        staged: an earlier install left something behind.
        journal: what that install had still to do, None where it had not got so far.
        record: the text of the record of what is installed.
    """

    target: str
    block: int
    free: int | None
    staged: bool
    journal: bytes | None
    record: bytes | None


@cache
def _program(function: str) -> str:
    """One function of on_board.py and those that it calls, without docstrings, comments and annotations."""
    tree = ast.parse(Path(__file__).with_name("on_board.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Module)) and isinstance(node.body[0], ast.Expr):
            del node.body[0]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
        for field, children in ast.iter_fields(node):
            if field in ("body", "orelse", "finalbody") and isinstance(children, list):
                children[:] = [
                    ast.Assign([child.target], child.value, lineno=child.lineno)
                    if isinstance(child, ast.AnnAssign) and child.value is not None
                    else child
                    for child in children
                ]
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    needed, todo = {function}, [function]
    while todo:
        used = {node.id for node in ast.walk(functions[todo.pop()]) if isinstance(node, ast.Name)}
        todo += (used & functions.keys()) - needed
        needed |= used & functions.keys()
    tree.body = [node for node in tree.body if not isinstance(node, ast.FunctionDef) or node.name in needed]
    return "\n".join(
        " " * ((len(line) - len(line.lstrip())) // 4) + line.strip()
        for line in ast.unparse(tree).splitlines()
        if line.strip()
    )


def run(board: Board, function: str, *args: object) -> Any:
    """Run one function of on_board.py: literals in, a literal out.

    Raises:
        RawReplError: the answer is none.
        UpytoolError: what the board raises.
    """
    call = ", ".join(repr(argument) for argument in args)
    # Inside a function, so that none of its names stays in the user's REPL.
    inner = f"{_program(function)}\nprint({_MARK!r} + repr({function}({call})))"
    body = "".join(f" {line}\n" for line in inner.splitlines())
    program = f"def _mip():\n{body}try:\n _mip()\nfinally:\n del _mip\n"
    text = board.exec(program, timeout=TIME_LIMIT)
    answer = text.rpartition(_MARK)[2].strip()
    try:
        return ast.literal_eval(answer)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise RawReplError(f"the board gave no usable answer to {function!r}: {answer[:60]!r}") from None


def survey(board: Board, target: str | None, *, write: bool) -> Survey:
    """Find the folder that packages go to, and look at it.

    Args:
        target: the user's choice; None for the first folder of sys.path that ends in /lib, is not in /rom
            and can be written.
        write: make it where it is missing, and test that it can be written.

    Raises:
        PackageError: there is none.
        RemoteOSError: the chosen one cannot be written.
    """
    chosen = None if target is None else [plain_target(target) or "/"]
    path, space, staged, journal, record, failures = run(board, "survey", chosen, write, STAGE, RECORD)
    if not path:
        if not failures:
            raise PackageError(
                "the board's sys.path has no directory that ends in /lib",
                hint="name the directory: --target /lib",
            )
        where, number = failures[0]
        hint = "name another directory with --target"
        if number == errno.EROFS:
            hint = (
                "on CircuitPython the computer owns the drive: copy there, or remount it in boot.py. "
                "Else name another directory with --target"
            )
        raise RemoteOSError(int(number), str(where), hint=hint)
    free = block = None
    if space:
        block = int(space[1]) or int(space[0])
        free = block * int(space[3])
    return Survey("" if path == "/" else path, block or 0, free, bool(staged), journal, record)


def put(board: Board, items: list[tuple[str, bytes]]) -> None:
    """Write files, all at once where the file system can."""
    files = board.fs
    if isinstance(files, PutsMany):
        files.put_many(items)
        return
    for path, data in items:
        files.write_bytes(path, data)


def digests(board: Board, paths: Sequence[str]) -> dict[str, str | None]:
    """The SHA-256 of each file, None for what is not there; one round trip.

    A board without hashlib sends the files instead: slow, but it can still tell what is unchanged.
    """
    wanted = list(paths)
    if not wanted:
        return {}
    try:
        return dict(board.fs.hash(wanted))
    except RemoteError:
        found: dict[str, str | None] = {}
        for path in wanted:
            data = run(board, "read", path)
            found[path] = None if data is None else sha256(data).hexdigest()
        return found


def plain_target(target: str) -> str:
    """A target as the user writes it (`:/lib/`, `lib`), without slashes at its end; "" for the root."""
    path = target.removeprefix(":").rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


def refused(number: int, path: str) -> RemoteOSError:
    """The board's errno as an error."""
    hint = "free some space on the board" if REMOTE_ERRNO.get(number) == REMOTE_ERRNO[errno.ENOSPC] else ""
    return RemoteOSError(number, path, hint=hint)
