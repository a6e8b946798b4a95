"""What a board's file system refuses, as errors that say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import ENOENT, RemoteOSError

EIO = 5


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
    """Within it something is done with `path`: a RemoteOSError names it, and what to do."""
    try:
        yield
    except RemoteOSError as error:
        raise refused(error.errno, path, error.hint) from error


def refused(number: int | None, path: str, hint: str = "") -> RemoteOSError:
    """The error for an error number of the board, None where it told none."""
    number = number or EIO
    return RemoteOSError(number, path, hint=hint or hint_for(number))


@contextlib.contextmanager
def creating() -> Iterator[None]:
    """Within it paths are made or written: where a directory is missing, the error names the directory."""
    try:
        yield
    except RemoteOSError as error:
        folder = str(error.filename).rstrip("/").rpartition("/")[0]
        if error.errno != ENOENT or not folder:
            raise
        raise RemoteOSError(ENOENT, folder, hint=f"create the directory first: `upytool mkdir -p :{folder}`") from error


def hint_for(number: int) -> str:
    """What to do about an error number of the board's file system."""
    if number == 28:
        return "the old file is kept; free some space, or try `--in-place`, which needs room for one copy only"
    if number == 19:
        return "`upytool df` lists what is mounted; `upytool wipe --format` makes a file system on the board's flash"
    if number == 30:
        return "CircuitPython: copy through its USB drive, or remount in boot.py; else it is a read-only mount"
    if number == 5:
        return "what arrived differs from what was sent, or the flash failed; the old file is kept: try again"
    return ""
