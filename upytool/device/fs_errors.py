"""What a board's file system refuses, as errors that say what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..errors import ENOENT, Hints, RemoteOSError
from ..words import Said

EIO = 5


@contextlib.contextmanager
def named(path: str) -> Iterator[None]:
    """Within it something is done with `path`: a RemoteOSError names it, and what to do."""
    try:
        yield
    except RemoteOSError as error:
        raise refused(error.errno, path, error.advice) from error


def refused(number: int | None, path: str, hint: Hints = ()) -> RemoteOSError:
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
        raise RemoteOSError(ENOENT, folder, hint=Said("device.create-directory", path=folder)) from error


def hint_for(number: int) -> Hints:
    """What to do about an error number of the board's file system."""
    if number == 28:
        return Said("device.no-space")
    if number == 19:
        return Said("device.no-file-system")
    if number == 30:
        return Said("device.read-only")
    if number == 5:
        return Said("device.input-output")
    return ()
