"""Local files as sources and sinks of a transfer: a file is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import LocalFileError, UsageError
from ..whole_file import discard, open_beside, open_special, take_place
from ..words import Said

# Byte for byte on Windows; and no open waits for the other end of a FIFO, or makes a terminal ours.
_BINARY_AT_ONCE = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


class FileSink:
    """Writes beside `path` and takes its place when all has come. Errors: LocalFileError."""

    blocks = True

    def __init__(self, path: Path) -> None:
        # A link stays a link, and what it points to is replaced.
        self._path = Path(os.path.realpath(path)) if os.path.islink(path) else path
        self._file: BinaryIO | None = None
        self._temp = ""

    def _open(self) -> BinaryIO:
        if self._file is None:
            try:
                if os.path.exists(self._path) and not os.path.isfile(self._path):
                    self._file = open_special(self._path)
                    return self._file
                self._file, self._temp = open_beside(self._path)
            except (OSError, ValueError) as error:
                raise write_error(error, self._path) from error
        return self._file

    def write(self, data: bytes) -> None:
        file = self._open()
        try:
            file.write(data)
        except OSError as error:
            self.drop()
            raise local_error(error, self._path) from error

    def done(self) -> None:
        file = self._open()
        try:
            file.close()
            if not self._temp:
                self._file = None
                return
            take_place(self._temp, self._path)
            self._file = None
        except OSError as error:
            self.drop()
            raise local_error(error, self._path) from error

    def drop(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            if self._temp:
                discard(self._temp)
            self._file = None


class CallSink:
    """Hands the content on as it comes."""

    blocks = False

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: bytes) -> None:
        self._write(data)

    def done(self) -> None:
        return

    def drop(self) -> None:
        return


def write_error(error: OSError | ValueError, path: Path) -> LocalFileError:
    """Name the directory that is missing, not the file that was to be in it."""
    folder = path.parent
    if getattr(error, "errno", 0) == errno.ENOENT and not os.path.isdir(folder):
        return LocalFileError("local-file.no-directory", path=folder)
    return local_error(error, path)


def check_named(path: str) -> str:
    """`path`, which is not empty: pathlib takes '' for the directory here. Errors: UsageError."""
    if not path:
        raise UsageError("usage.empty-path")
    return path


def opener(source: Path | bytes) -> Callable[[], BinaryIO]:
    """How to open content, again and again."""
    if isinstance(source, bytes):
        return lambda: io.BytesIO(source)
    return lambda: open_local(source)


def special(mode: int) -> str:
    """What a path is that holds no content to copy, `a FIFO` for instance; '' for a file or directory.

    Args:
        mode: `st_mode`.
    """
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
        return ""
    kinds = ((stat.S_ISFIFO, "a FIFO"), (stat.S_ISSOCK, "a socket"), (stat.S_ISLNK, "a link"))
    return next((name for test, name in kinds if test(mode)), "a device")


def not_a_file(path: Path | str, what: str) -> LocalFileError:
    return LocalFileError("local-file.not-regular", path=path, kind=what)


def open_local(path: Path | str) -> BinaryIO:
    """Open a regular file for reading.

    Nothing else is waited for or read: a FIFO without a writer, a terminal, /dev/zero. It is asked of the open file, so
    that what a path becomes meanwhile makes no difference.

    Errors: LocalFileError.
    """
    try:
        number = os.open(path, os.O_RDONLY | _BINARY_AT_ONCE)
        try:
            what = special(os.fstat(number).st_mode)
            if what:
                raise not_a_file(path, what)
            return os.fdopen(number, "rb")
        except BaseException:
            os.close(number)
            raise
    except (OSError, ValueError) as error:
        raise local_error(error, path) from error


def read_local(path: Path | str) -> bytes:
    """The content of a regular file. Errors: LocalFileError."""
    with open_local(path) as file:
        try:
            return file.read()
        except OSError as error:
            raise local_error(error, path) from error


def local_size(path: Path | str) -> int:
    """A regular file's size. Errors: LocalFileError."""
    try:
        state = os.stat(path)
    except (OSError, ValueError) as error:
        raise local_error(error, path) from error
    if special(state.st_mode):
        raise not_a_file(path, special(state.st_mode))
    return state.st_size


def local_error(error: OSError | ValueError, path: Path | str) -> LocalFileError:
    """An error of this computer's file system in our words; a ValueError is a name that it cannot hold."""
    number = getattr(error, "errno", None)
    hint = Said("device.free-local-space" if number == errno.ENOSPC else "device.check-path")
    if number == errno.ENXIO:
        return LocalFileError("local-file.no-reader", path=path)
    if isinstance(error, ValueError):
        return LocalFileError("local-file.name", path=str(path), hint=Said("device.choose-name"))
    reason = error.strerror or str(error)
    return LocalFileError("local-file.system", path=path, reason=reason[:1].lower() + reason[1:], hint=hint)


def replace_local(source: Path, target: Path, progress: Callable[[int], None] = lambda size: None) -> None:
    """Copy a local file; `target` is the old or the new one. Errors: LocalFileError."""
    sink = FileSink(target)
    try:
        with open_local(source) as file:
            while data := file.read(1 << 18):
                sink.write(data)
                progress(len(data))
        sink.done()
    except OSError as error:
        raise local_error(error, source) from error
    finally:
        sink.drop()
