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
from upytool.errors import REMOTE_ERRNO, PackageError, RawReplError, RemoteError, RemoteOSError

from .program import program

STAGE = "/.upytool-stage"
RECORD = "/.upytool.json"
TIME_LIMIT = limits.BOARD_PACKAGE_SECONDS
OTHER_TARGET = "name another directory with --target"
_MARK = "\x1e"
# Functions of on_board.py that change nothing.
READING = frozenset({"read", "survey", "missing", "left", "records", "cases", "sizes"})
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

    def put_many(self, items: list[tuple[str, bytes]], folders: Sequence[str] = (), *, look: bool = True) -> object:
        """Make folders, each in one that exists, then write files, each one crash-safe.

        `look` False: the caller knows that there is room, and no folder in the way of a file.
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


@dataclass(frozen=True, slots=True)
class Survey:
    """A target folder as it is.

    Attributes:
        target: its path without a slash at the end ("" for the root).
        mpy: the board's `sys.implementation._mpy`, 0 where it loads no .mpy files.
        small_int_bits: of its integers that take no memory.
        block: bytes of a block of its file system; 0 where the board does not tell.
        free: bytes free there, None where the board does not tell.
        missing: the target and folders above it that do not exist, in the order of making.
        names: of what is in it, None where that is a lot.
        staged: an earlier install left something behind.
        journal: what that install had still to do, None where it had not got so far.
        record: the text of the record of what is installed.
        name_max: bytes of the longest name there.
        folds: names that differ only in case are one file there (FAT); None where that does not show.
    """

    target: str
    mpy: int
    small_int_bits: int
    block: int
    free: int | None
    missing: tuple[str, ...]
    names: frozenset[str] | None
    staged: bool
    journal: bytes | None
    record: bytes | None
    name_max: int = limits.NAME_BYTES
    folds: bool | None = None

    def may_hold(self, path: str) -> bool:
        """Whether anything can be at a whole path below the target, as far as `names` tells."""
        top = path[len(self.target) + 1 :].partition("/")[0].casefold()
        return self.names is None or top in self.names

    def fold(self, path: str) -> str:
        """A path in a spelling that is the same for all names of one file."""
        return path.casefold() if self.folds else path


def run(board: Board, function: str, *args: object) -> Any:
    """Run one function of on_board.py: literals in, a literal out.

    Raises:
        UpytoolError: what the board raises; StreamError where it gives no answer.
    """
    call = ",".join(USERS_PATH if each is _SYS_PATH else argument(each) for each in args)
    text, name = program(function)
    source = f"{text}\nprint({_MARK!r}+repr({name}({call})))"
    return board.ask(source, timeout=TIME_LIMIT, again=function in READING)


def survey(board: Board, target: str | None, *, write: bool) -> Survey:
    """Find the folder that packages go to, and look at it.

    Args:
        target: the user's choice; None for the first folder of sys.path that ends in /lib, is not in /rom
            and can be written.
        write: where there is a choice, test which can be written; nothing is left of that.

    Raises:
        PackageError: there is none.
        RemoteOSError: the chosen one is a file, or none of several can be written.
    """
    if target is not None:
        return _whole(_look(board, plain_target(target))[0])
    guess, sys_path = _look(board, "/lib")
    candidates = [path for path in sys_path if path.endswith("/lib") and not path.startswith("/rom/")]
    if not candidates:
        raise PackageError(
            "the board's sys.path has no directory that ends in /lib",
            hint="name the directory: --target /lib",
        )
    seen = guess
    for path in candidates:
        seen = guess if path == "/lib" else _look(board, path)[0]
        if isinstance(seen, Survey):
            break
    if not write or len(candidates) < 2 or (isinstance(seen, Survey) and seen.record is not None):
        return _whole(seen)
    chosen = run(board, "usable", candidates, STAGE, RECORD)
    if not isinstance(chosen, str):
        with _shape("usable"):
            problem = refused(int(chosen), candidates[0], hint=OTHER_TARGET)
        raise problem
    if isinstance(seen, Survey) and chosen == seen.target:
        return seen
    return _whole(_look(board, chosen)[0])


def _whole(seen: Survey | RemoteOSError) -> Survey:
    if isinstance(seen, RemoteOSError):
        raise seen
    return seen


def _look(board: Board, path: str) -> tuple[Survey | RemoteOSError, list[str]]:
    """Look at one folder, which need not exist, or say why that cannot be; returns the board's sys.path too."""
    answer = run(board, "survey", path, RECORD, _SYS_PATH)
    with _shape("survey"):
        sys_path, mpy, maxsize, names, number, folds, space, record = answer
        free, block, name_max = None, 0, limits.NAME_BYTES
        if space:
            block = int(space[1]) or int(space[0])
            free = block * int(space[3])
            name_max = min(int(space[9]) or name_max, name_max)
        there = None if names is None else {str(each).casefold() for each in names}
        paths = [str(each) for each in sys_path]
        number = int(number) if there is None else 0
    if number not in (0, errno.ENOENT):
        return refused(number, path, hint=OTHER_TARGET), paths
    absent: list[str] = []
    if there is None and path:
        parts = path.split("/")
        absent = ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]
        if len(absent) > 1:
            found = run(board, "missing", absent)
            with _shape("missing"):
                absent = [str(each) for each in found]
    staged = there is None or len(there) > 99 or STAGE[1:] in there
    left = run(board, "left", path + STAGE) if staged and not absent else None
    with _shape("left"):
        staged, journal = left or (False, None)
        seen = Survey(
            path,
            int(mpy),
            63 if int(maxsize) > 1 << 40 else 31,
            block,
            free,
            tuple(absent),
            None if there and len(there) > 99 else frozenset(there or ()),
            bool(staged),
            _data(journal),
            _data(record),
            name_max,
            folds,
        )
        return seen, paths


def _data(value: object) -> bytes | None:
    if not isinstance(value, bytes | None):
        raise TypeError
    return value


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
