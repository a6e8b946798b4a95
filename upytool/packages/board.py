"""The little that packages need of a board, and the programs that run there."""

from __future__ import annotations

import ast
import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from upytool import limits
from upytool.device.ondevice import USERS_PATH, argument
from upytool.errors import REMOTE_ERRNO, PackageError, RawReplError, RemoteError, RemoteOSError

STAGE = "/.upytool-stage"
RECORD = "/.upytool.json"
TIME_LIMIT = limits.BOARD_PACKAGE_SECONDS
_MARK = "\x1e"
# Functions of on_board.py that change nothing.
READING = frozenset({"read", "records", "cases", "sizes"})
_SYS_PATH = object()  # an argument of a program: the board's sys.path as the user has it


class BoardInfo(Protocol):
    """What is read of a board's description: `sys.implementation._mpy`, 0 where it loads no .mpy files."""

    @property
    def mpy(self) -> int: ...

    @property
    def small_int_bits(self) -> int: ...


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

    def ask(self, source: str, *, timeout: float, again: bool) -> Any:
        """Run a program that uses no name of the user's; returns the literal that it prints behind a 1e.

        Args:
            again: it changes nothing, so that it may run once more where its answer was broken.
        """


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
        name_max: bytes of the longest name there.
        folds: names that differ only in case are one file there (FAT); None where that does not show.
    """

    target: str
    block: int
    free: int | None
    staged: bool
    journal: bytes | None
    record: bytes | None
    name_max: int = limits.NAME_BYTES
    folds: bool | None = None

    def fold(self, path: str) -> str:
        """A path in a spelling that is the same for all names of one file."""
        return path.casefold() if self.folds else path


@cache
def _program(function: str) -> str:
    """One function of on_board.py and those that it calls, without docstrings, comments and annotations."""
    tree = ast.parse(Path(__file__).with_name("on_board.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.Module)) and isinstance(node.body[0], ast.Expr):
            del node.body[0]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for each in node.args.args:
                each.annotation = None
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
        UpytoolError: what the board raises; StreamError where it gives no answer.
    """
    call = ",".join(USERS_PATH if each is _SYS_PATH else argument(each) for each in args)
    source = f"{_program(function)}\nprint({_MARK!r}+repr({function}({call})))"
    return board.ask(source, timeout=TIME_LIMIT, again=function in READING)


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
    answer = run(board, "survey", chosen, write, STAGE, RECORD, _SYS_PATH)
    with _shape("survey"):
        path, space, staged, journal, record, failures, folds = answer
        if not path and failures:
            where, number = str(failures[0][0]), int(failures[0][1])
        free, block, name_max = None, 0, limits.NAME_BYTES
        if space:
            block = int(space[1]) or int(space[0])
            free = block * int(space[3])
            name_max = min(int(space[9]) or name_max, name_max)
        seen = Survey(
            "" if path == "/" else str(path), block, free, bool(staged), _data(journal), _data(record), name_max, folds
        )
    if not path:
        if not failures:
            raise PackageError(
                "the board's sys.path has no directory that ends in /lib",
                hint="name the directory: --target /lib",
            )
        raise refused(number, where, hint="name another directory with --target")
    return seen


def _data(value: object) -> bytes | None:
    if not isinstance(value, bytes | None):
        raise TypeError
    return value


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
            found[path] = sha256(data).hexdigest() if isinstance(data, bytes) else None
        return found


def plain_target(target: str) -> str:
    """A target as the user writes it (`:/lib/`, `lib`), without slashes at its end; "" for the root."""
    path = target.removeprefix(":").rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


def records(board: Board, folders: Sequence[str] | None) -> tuple[list[str], list[tuple[str, bytes]]]:
    """The board's sys.path, and the record of each of these folders (None: of sys.path) that has one."""
    answer = run(board, "records", folders, RECORD, _SYS_PATH)
    with _shape("records"):
        sys_path, found = answer
        return [str(each) for each in sys_path], [(str(path), bytes(data)) for path, data in found]


def cases(board: Board, paths: Sequence[str]) -> dict[str, str]:
    """Such a path -> the file on the board whose name differs from it only in case."""
    answer = run(board, "cases", list(paths))
    with _shape("cases"):
        return {str(path): str(there) for path, there in answer}


def sizes(board: Board, paths: Sequence[str]) -> list[int]:
    """Bytes of each file, 0 for what is not there."""
    answer = run(board, "sizes", list(paths))
    with _shape("sizes"):
        return [int(size) for _, size in zip(paths, answer, strict=True)]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `prepare` made: folders, and those paths of files at which a folder is in the way."""

    made: list[str]
    blocked: list[str]


def prepare(board: Board, folders: Sequence[str], files: Sequence[str], names: Sequence[str], stage: str) -> Prepared:
    """Make folders; try in the stage whether the file system takes these names.

    Raises:
        RemoteOSError: it refuses one; nothing is left of the attempt.
    """
    answer = run(board, "prepare", list(folders), list(files), list(names), stage)
    with _shape("prepare"):
        if answer[0] is None:
            problem = refused(int(answer[2]), str(answer[1]))
        else:
            return Prepared([str(each) for each in answer[0]], [str(each) for each in answer[1]])
    raise problem


class CommitRefused(RemoteOSError):
    """The board refused a step of an install; `undone` where all before it was taken back."""

    undone = False


def commit(
    board: Board,
    moves: Sequence[tuple[str, str]],
    new: int,
    removes: Sequence[str],
    folders: Sequence[str],
    stage: str,
) -> None:
    """Put staged files in their places.

    Raises:
        CommitRefused: the board did not let it.
    """
    answer = run(board, "commit", list(moves), new, list(removes), list(folders), stage)
    if answer is None:
        return
    with _shape("commit"):
        path, number, undone = answer
        problem = CommitRefused(int(number), str(path), hint=_hint(int(number)))
        problem.undone = bool(undone)
    raise problem


@contextmanager
def _shape(function: str) -> Iterator[None]:
    """An answer of another form than `function` gives becomes one RawReplError."""
    try:
        yield
    except (TypeError, ValueError, LookupError, OverflowError):
        raise RawReplError(f"the board gave no usable answer to {function!r}") from None


def refused(number: int, path: str, hint: str = "") -> RemoteOSError:
    """The board's errno as an error; `hint` where its number suggests none."""
    return RemoteOSError(number, path, hint=_hint(number) or hint)


def _hint(number: int) -> str:
    if number == errno.EROFS:
        return (
            "on CircuitPython the computer owns the drive: copy there, or remount it in boot.py. "
            "Else name another directory with --target"
        )
    return "free some space on the board" if REMOTE_ERRNO.get(number) == REMOTE_ERRNO[errno.ENOSPC] else ""
