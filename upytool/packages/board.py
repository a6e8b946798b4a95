"""The little that packages need of a board, and the programs that run there."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol, runtime_checkable

from upytool import limits
from upytool.device.ondevice import USERS_PATH, argument
from upytool.errors import (
    REMOTE_ERRNO,
    DeviceTimeoutError,
    Hints,
    RawReplError,
    RemoteError,
    RemoteOSError,
    StreamError,
)
from upytool.words import Said

from .program import program

# In the target. All names of ours begin alike; packages bring none that do (PackagePath).
RECORD = "/.upytool.json"
STAGE = "/.upytool-stage"
PART = "/.upytool-"  # and a number: a file of a small install before it takes its place
WAITING = "/.upytool.new"  # the record of one
TIME_LIMIT = limits.BOARD_PACKAGE_SECONDS
OTHER_TARGET = Said("package.other-target")
_MARK = "\x1e"
# What a short program ends with where it was not to be had, or nobody knows; not what Ctrl-C and a pulled cable do.
FAILED = (RemoteOSError, RemoteError, StreamError, DeviceTimeoutError)
# Functions of on_board.py that change nothing.
READING = frozenset({"read", "survey", "missing", "left", "records", "cases", "sizes"})
SYS_PATH = object()  # an argument of a program: the board's sys.path as the user has it


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

    def put_many(self, items: list[tuple[str, bytes]], folders: Sequence[str] = (), *, look: bool = True) -> object:
        """Make folders, each in one that exists, then write files, each one crash-safe.

        `look` False: the caller knows that there is room, and no folder in the way of a file.
        """


@runtime_checkable
class RunsShort(Protocol):
    """A board that runs short programs."""

    @property
    def sure(self) -> bool:
        """Whether the link itself repeats what was damaged."""

    def one(self, *names: str, said: bytearray | None = None, **values: object) -> Any:
        """Run the short program of these parts (ondevice/one_NAME.py); returns its answer. `said` takes what it prints.

        Raises:
            RemoteOSError, RemoteError, StreamError, DeviceTimeoutError: see device.oneshot.
        """


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


def run(board: Board, function: str, *args: object) -> Any:
    """Run one function of on_board.py: literals in, a literal out.

    Raises:
        UpytoolError: what the board raises; StreamError where it gives no answer.
    """
    call = ",".join(USERS_PATH if each is SYS_PATH else argument(each) for each in args)
    text, name = program(function)
    source = f"{text}\nprint({_MARK!r}+repr({name}({call})))"
    return board.ask(source, timeout=TIME_LIMIT, again=function in READING)


def put(board: Board, items: list[tuple[str, bytes]], folders: Sequence[str] = ()) -> None:
    """Make folders, each in one that exists, then write files: all at once where the file system can.

    Raises:
        RemoteOSError: the board refused a folder or a file.
    """
    files = board.fs
    if isinstance(files, PutsMany):
        try:
            files.put_many(items, folders, look=False)
        except RemoteOSError as error:
            if error.filename not in folders:
                raise
            raise refused(error.errno or errno.EIO, str(error.filename), hint=OTHER_TARGET) from error
        return
    if folders:
        prepare(board, folders, [], [], folders[-1])
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


def records(board: Board, folders: Sequence[str] | None) -> tuple[list[str], list[tuple[str, bytes]]]:
    """The board's sys.path, and the record of each of these folders (None: of sys.path) that has one."""
    answer = run(board, "records", folders, RECORD, SYS_PATH)
    with shape("records"):
        sys_path, found = answer
        return [str(each) for each in sys_path], [(str(path), bytes(data)) for path, data in found]


def cases(board: Board, paths: Sequence[str]) -> dict[str, str]:
    """Such a path -> the file on the board whose name differs from it only in case."""
    answer = run(board, "cases", list(paths))
    with shape("cases"):
        return {str(path): str(there) for path, there in answer}


def sizes(board: Board, paths: Sequence[str]) -> list[int]:
    """Bytes of each file, 0 for what is not there."""
    answer = run(board, "sizes", list(paths))
    with shape("sizes"):
        return [int(size) for _, size in zip(paths, answer, strict=True)]


def sweep(board: Board, target: str) -> None:
    """Remove all that an install has left in the target."""
    run(board, "sweep", target, STAGE, WAITING, PART)


def withdraw(board: Board, moves: Sequence[tuple[str, str, bytes]], folders: Sequence[str]) -> bytes | None:
    """Take a small install back that did not get through; returns the record that is there then.

    Args:
        moves: of each file the name under which it waits, its own, its content; the record is the last.
        folders: those that it made.
    """
    *files, (waiting, record, _) = moves
    pairs = [(part, path) for part, path, _ in files]
    answer = run(board, "withdraw", pairs, waiting, record, sorted(folders, key=len, reverse=True))
    with shape("withdraw"):
        return data_of(answer)


def data_of(value: object) -> bytes | None:
    """What the board read of a file. Raises: TypeError, which `shape` takes."""
    if not isinstance(value, bytes | None):
        raise TypeError
    return value


def mpy_of(board: Board) -> int:
    """The board's `sys.implementation._mpy`, 0 where it loads no .mpy files."""
    if isinstance(board, RunsShort):
        try:
            (mpy,) = board.one("mpy")
            return int(mpy)
        except (*FAILED, TypeError, ValueError):
            pass
    return board.info.mpy


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
    with shape("prepare"):
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
    empty: Sequence[str],
    needed: Sequence[str],
    stage: str,
    *,
    journal: bool = True,
) -> None:
    """Put staged files in their places.

    Args:
        moves: from where to where; the first `new` of them replace nothing.
        removes: files that go.
        empty: folders that go where they are empty then.
        needed: folders of the new files.
        journal: let the board write down what it does before it does it, unless it is written down.

    Raises:
        CommitRefused: the board did not let it.
    """
    answer = run(board, "commit", list(moves), new, list(removes), list(empty), list(needed), stage, journal)
    if answer is None:
        return
    with shape("commit"):
        path, number, undone = answer
        problem = CommitRefused(int(number), str(path), hint=_hint(int(number)))
        problem.undone = bool(undone)
    raise problem


@contextmanager
def shape(function: str) -> Iterator[None]:
    """An answer of another form than `function` gives becomes one RawReplError."""
    try:
        yield
    except (TypeError, ValueError, LookupError, OverflowError):
        raise RawReplError("protocol.raw-repl.answer", function=function) from None


def refused(number: int, path: str, hint: Hints = ()) -> RemoteOSError:
    """The board's errno as an error; `hint` where its number suggests none."""
    return RemoteOSError(number, path, hint=_hint(number) or hint)


def _hint(number: int) -> tuple[Said, ...]:
    if number == errno.EROFS:
        return (Said("package.circuitpython-drive"), OTHER_TARGET)
    return (Said("package.free-space"),) if REMOTE_ERRNO.get(number) == REMOTE_ERRNO[errno.ENOSPC] else ()
