"""The file of `--capture`: every byte is in it when it is shown, and a full disk is one error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from ..errors import LocalFileError
from ..words import Said


@contextmanager
def capture_file(path: str | None) -> Iterator[BinaryIO | None]:
    """Open the file for the block; None where there is none to be written. Errors: LocalFileError, from `write` too."""
    if path is None:
        yield None
        return
    try:
        # Unbuffered: what cannot be written is told at once, and closing cannot fail again.
        file = open(path, "wb", buffering=0)  # noqa: SIM115
    except OSError as error:
        raise _refused(path, error) from error
    with file:
        yield cast("BinaryIO", _Told(path, cast("BinaryIO", file)))


class _Told:
    def __init__(self, path: str, file: BinaryIO) -> None:
        self._path, self._file = path, file

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise _refused(self._path, error) from error
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""


def _refused(path: str, error: OSError) -> LocalFileError:
    reason = error.strerror or str(error)
    return LocalFileError(
        "local-file.cannot-write",
        path=path,
        reason=reason[:1].lower() + reason[1:],
        hint=Said("cli.free-or-other-file"),
    )
