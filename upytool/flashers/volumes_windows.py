"""The drive letters of Windows. Imported there alone; nothing but ctypes is needed.

Source: Microsoft's documentation of GetLogicalDrives, GetDriveTypeW, GetVolumeInformationW, GetDiskFreeSpaceExW
and SetThreadErrorMode (an empty card reader would else open a dialog).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

_REMOVABLE = 2
_FAIL_QUIETLY = 0x0001 | 0x8000  # SEM_FAILCRITICALERRORS, SEM_NOOPENFILEERRORBOX


def drives(largest: int, kernel: Any = None) -> Iterator[tuple[str, str]]:
    """(path, label) of the removable FAT drives of at most `largest` bytes.

    Args:
        kernel: kernel32, or a model of it.
    """
    library: Any = kernel if kernel is not None else vars(ctypes)["windll"].kernel32
    before = ctypes.c_uint32(0)
    library.SetThreadErrorMode(_FAIL_QUIETLY, ctypes.byref(before))
    try:
        letters = int(library.GetLogicalDrives())
        for index in range(26):
            path = f"{chr(65 + index)}:\\"
            if not letters >> index & 1 or library.GetDriveTypeW(path) != _REMOVABLE:
                continue
            label, kind = ctypes.create_unicode_buffer(64), ctypes.create_unicode_buffer(64)
            if not library.GetVolumeInformationW(path, label, 64, None, None, None, kind, 64):
                continue
            total = ctypes.c_ulonglong(0)
            library.GetDiskFreeSpaceExW(path, None, ctypes.byref(total), None)
            if kind.value.upper().startswith("FAT") and 0 < total.value <= largest:
                yield path, label.value
    finally:
        library.SetThreadErrorMode(before.value, None)
