"""The directory that packages go to: found, and looked at."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from upytool import limits
from upytool.device.answers import unpacked
from upytool.device.small_mover import ALL_BYTES
from upytool.errors import PackageError, RemoteOSError

from .board import (
    FAILED,
    OTHER_TARGET,
    PART,
    RECORD,
    STAGE,
    SYS_PATH,
    WAITING,
    Board,
    RunsShort,
    data_of,
    refused,
    run,
    shape,
)


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
        waiting: the record of a small one that was cut off; it may be cut off itself.
        waits: the numbers of that one's files.
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
    waiting: bytes | None = None
    waits: frozenset[int] = frozenset()

    def may_hold(self, path: str) -> bool:
        """Whether anything can be at a whole path below the target, as far as `names` tells."""
        top = path[len(self.target) + 1 :].partition("/")[0].casefold()
        return self.names is None or top in self.names

    def fold(self, path: str) -> str:
        """A path in a spelling that is the same for all names of one file."""
        return path.casefold() if self.folds else path


def plain_target(target: str) -> str:
    """A target as the user writes it (`:/lib/`, `lib`), without slashes at its end; "" for the root."""
    path = target.removeprefix(":").rstrip("/")
    return path if path.startswith("/") or not path else f"/{path}"


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
    guess, sys_path = _look(board, "/lib", default=True)
    candidates = [path for path in sys_path if path.endswith("/lib") and not path.startswith("/rom/")]
    if not candidates:
        raise PackageError("package.no-lib")
    seen = guess
    for path in candidates:
        seen = guess if path == "/lib" else _look(board, path)[0]
        if isinstance(seen, Survey):
            break
    if not write or len(candidates) < 2 or (isinstance(seen, Survey) and seen.record is not None):
        return _whole(seen)
    chosen = run(board, "usable", candidates, STAGE, RECORD)
    if not isinstance(chosen, str):
        with shape("usable"):
            problem = refused(int(chosen), candidates[0], hint=OTHER_TARGET)
        raise problem
    if isinstance(seen, Survey) and chosen == seen.target:
        return seen
    return _whole(_look(board, chosen)[0])


def _whole(seen: Survey | RemoteOSError) -> Survey:
    if isinstance(seen, RemoteOSError):
        raise seen
    return seen


def _look(board: Board, path: str, *, default: bool = False) -> tuple[Survey | RemoteOSError, list[str]]:
    """Look at one folder, which need not exist, or say why that cannot be; returns the board's sys.path too.

    Args:
        default: nobody has named it.
    """
    answer = _briefly(board, path, default) or run(board, "survey", path, RECORD, SYS_PATH)
    with shape("survey"):
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
            with shape("missing"):
                absent = [str(each) for each in found]
    ours = there is None or len(there) > 99 or any(name.startswith((PART[1:], WAITING[1:])) for name in there)
    left = run(board, "left", path, STAGE, WAITING, PART) if ours and not absent else (False, None, None, ())
    with shape("left"):
        staged, journal, waiting, numbers = left
        waits = frozenset(int(number) for number in numbers if str(number).isdecimal())
        seen = Survey(
            path,
            int(mpy),
            63 if int(maxsize) > 1 << 40 else 31,
            block,
            free,
            tuple(absent),
            None if there and len(there) > 99 else frozenset(there or ()),
            bool(staged) or waiting is not None or bool(numbers),
            data_of(journal),
            data_of(record),
            name_max,
            folds,
            data_of(waiting),
            waits,
        )
        return seen, paths


def _briefly(board: Board, path: str, default: bool) -> tuple[Any, ...] | None:
    """What the program `survey` answers, by short programs; None where they cannot tell."""
    if not isinstance(board, RunsShort):
        return None
    try:
        above = path.rpartition("/")[0] or "/"
        sys_path, mpy, maxsize, space, listed = board.one("look", PATH=path or "/", ABOVE=above)
        names, number, folds, record = None if listed == () else listed, None, None, None
        if names is None:
            # With one place to choose from, what is wrong with it shows when it is made.
            alone = default and [each for each in sys_path if each.endswith("/lib")] == [path]
            number = errno.ENOENT if alone else _problem(board, path) or errno.ENOTDIR
        spelled = _spelled(names or ())
        if names is not None and RECORD[1:] in names:
            said = bytearray()
            values = {"OTHER": f"{path}/{spelled}", "PATH": path + RECORD, "SIZE": ALL_BYTES + 1}
            same, checksum = board.one("rest", said=said, **values)
            record, folds = unpacked(said, checksum), bool(same) if spelled else None
            if len(record) > ALL_BYTES:
                return None
        elif spelled:
            folds = _problem(board, f"{path}/{spelled}") == 0
    except (*FAILED, TypeError, ValueError, AttributeError):
        return None
    return sys_path, mpy, maxsize, names, number, folds, space, record


def _spelled(names: Sequence[str]) -> str:
    """One of these names in the other case, which is not among them; "" where there is none."""
    for name in names:
        other = name.lower() if name.upper() == name else name.upper()
        if other not in names:
            return other
    return ""


def _problem(board: RunsShort, path: str) -> int:
    """The board's error number for a path, 0 where something is there."""
    try:
        board.one("stat", PATH=path)
    except RemoteOSError as error:
        return error.errno or errno.EIO
    return 0
