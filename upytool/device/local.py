"""Local files as sources and sinks of a transfer: a file is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..errors import LocalFileError
from ..whole_file import discard, open_beside, take_place


class FileSink:
    """Writes beside `path` and takes its place when all has come. Errors: LocalFileError."""

    def __init__(self, path: Path) -> None:
        # A link stays a link, and what it points to is replaced.
        self._path = Path(os.path.realpath(path)) if os.path.islink(path) else path
        self._file: BinaryIO | None = None
        self._temp = ""

    def _open(self) -> BinaryIO:
        if self._file is None:
            try:
                if os.path.exists(self._path) and not os.path.isfile(self._path):
                    # /dev/null, a FIFO: these are written to, never replaced.
                    self._file = open(self._path, "wb")  # noqa: SIM115
                    return self._file
                self._file, self._temp = open_beside(self._path)
            except OSError as error:
                raise local_error(error, self._path) from error
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

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write

    def write(self, data: bytes) -> None:
        self._write(data)

    def done(self) -> None:
        return

    def drop(self) -> None:
        return


def opener(source: Path | bytes) -> Callable[[], BinaryIO]:
    """How to open content, again and again."""
    if isinstance(source, bytes):
        return lambda: io.BytesIO(source)
    return lambda: open(source, "rb")


def local_size(path: Path) -> int:
    """A local file's size. Errors: LocalFileError."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise local_error(error, path) from error


def local_error(error: OSError, path: Path | str) -> LocalFileError:
    hint = "free some space on this computer" if error.errno == 28 else "check the path and its permissions"
    reason = error.strerror or str(error)
    return LocalFileError(f"{path}: {reason[:1].lower() + reason[1:]}", hint=hint)


def replace_local(source: Path, target: Path, progress: Callable[[int], None]) -> None:
    """Copy a local file; `target` is the old or the new one. Errors: LocalFileError."""
    sink = FileSink(target)
    try:
        with open(source, "rb") as file:
            while data := file.read(1 << 18):
                sink.write(data)
                progress(len(data))
        sink.done()
    except OSError as error:
        sink.drop()
        raise local_error(error, source) from error
