"""Comparing flash with a file, and saving flash to one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..device.local import local_error
from ..errors import DifferencesFound, FlashError
from ..events import NULL, Reporter
from ..image.base import FirmwareImage
from ..whole_file import write_whole
from .base import Loader

BLOCK = 64 << 10
Ranges = Sequence[tuple[int, int]]


def differences(loader: Loader, image: FirmwareImage, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
    """(address, size) of what is not as the image has it.

    Raises: FlashError where the bootloader does not let itself be asked.
    """
    if not {"read", "verify"} & loader.abilities:
        raise FlashError("flash.compare-no-reading", flasher=loader.flasher)
    return loader.differences(image.memory, reporter=reporter)


def differ(name: str, found: Ranges) -> DifferencesFound:
    """The error that says so."""
    total = sum(size for _, size in found)
    return DifferencesFound("differences.flash", name=name, bytes=total, where=where(found))


def where(found: Ranges) -> str:
    """ "at 0x10001000 and 2 more places"."""
    more = len(found) - 1
    return f"at {found[0][0]:#x}" + (f" and {more} more place{'s' if more > 1 else ''}" if more else "")


def save(loader: Loader, path: str, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> None:
    """Read flash into a file, which appears under its name when it is complete.

    Raises: LocalFileError; FlashError, TransportError of the loader.
    """
    data = loader.read(address, size, reporter=reporter, label=label or os.path.basename(path))
    if len(data) != size:
        raise FlashError("flash.short-read", flasher=loader.flasher, count=len(data), size=size)
    write_file(path, data)


def write_file(path: str, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises: LocalFileError.
    """
    try:
        write_whole(path, data, durable=True)
    except OSError as error:
        raise local_error(error, path) from error
