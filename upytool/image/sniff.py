"""What a file is, by its content: its format when it is firmware, else one clear sentence why it is not.

Signatures are those of the formats themselves; the ARM vector table is ARMv6-M/ARMv7-M's (first word the
stack pointer, second the reset handler with bit 0 set); FCFB is NXP's FlexSPI configuration block, which
mimxrt images begin with; the boot2 checksum is the RP2040's (see rp2_binary_info).
"""

from __future__ import annotations

import struct

from ..errors import ImageError
from . import uf2
from .dfuse import MAGIC as DFUSE
from .dfuse import read_suffix
from .esp import find_base
from .rp2_binary_info import FLASH, boot2_ok, image_type

_AGAIN = "download it again, and take the file itself, not the page that shows it"
_BESIDE = "take the .uf2, .bin, .dfu or .hex file of the same build"
_UNPACK = "unpack it and take the firmware file from inside"
_MAGICS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x7fELF", "is an ELF file: it is for debuggers and linkers, a bootloader cannot take it", _BESIDE),
    (0, b"\x1f\x8b", "is compressed (gzip)", _UNPACK),
    (0, b"PK\x03\x04", "is a zip archive", _UNPACK),
    (0, b"PK\x05\x06", "is an empty zip archive", ""),
    (0, b"\xfd7zXZ\0", "is compressed (xz)", _UNPACK),
    (0, b"BZh", "is compressed (bzip2)", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "is compressed (zstd)", _UNPACK),
    (0, b"7z\xbc\xaf\x27\x1c", "is a 7z archive", _UNPACK),
    (257, b"ustar", "is a tar archive", _UNPACK),
    (
        0,
        b"version https://git-lfs",
        "is a Git LFS pointer: the real file was not fetched",
        "run `git lfs pull`",
    ),
    (0, b"\0asm", "is a WebAssembly module", ""),
    (0, b"MZ", "is a Windows program", ""),
    (0, b"\xd2\xcd\x31", "is a ROMFS image: a file system, no firmware", "`upytool romfs` works with it"),
    (8, b"littlefs", "is a LittleFS image: a file system, no firmware", ""),
    (4104, b"littlefs", "is a LittleFS image: a file system, no firmware", ""),
    (54, b"FAT1", "is a FAT image: a file system, no firmware", ""),
    (82, b"FAT32", "is a FAT image: a file system, no firmware", ""),
    (0, b"M\x06", "is a compiled module (.mpy), no firmware", "copy it to a board with `upytool cp`"),
    (0, b"M\x05", "is a compiled module (.mpy), no firmware", "copy it to a board with `upytool cp`"),
)
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


def sniff(data: bytes, name: str) -> str:
    """The format: "uf2", "dfuse", "dfu", "hex", "esp", or "bin" for a raw image.

    Args:
        name: how to call the file in a message.

    Raises: ImageError when it is not firmware.
    """
    if not data:
        raise ImageError(f"{name} is empty", hint="download or copy it again")
    if data[:8] == uf2.START:
        return "uf2"
    if data[:5] == DFUSE:
        return "dfuse"
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data[:1] == b":" and data[1:9].isalnum():
        return "hex"
    if start[:16].lower().startswith(_HTML) or b"<html" in start.lower():
        raise ImageError(f"{name} is a web page, no firmware", hint=_AGAIN)
    suffix = read_suffix(data)
    if suffix is not None and suffix.crc_ok:
        return "dfu"
    if find_base(data) is not None:
        return "esp"
    for offset, magic, what, hint in _MAGICS:
        if data[offset : offset + len(magic)] == magic:
            raise ImageError(f"{name} {what}", hint=hint)
    if raw_place(data) is not None:
        return "bin"
    _decline(data, name)
    raise AssertionError


def _decline(data: bytes, name: str) -> None:
    if data[:1] == b"\xe9":
        raise ImageError(
            f"{name} begins like an ESP image but is damaged, or for a chip that is not known",
            hint="download or copy it again",
        )
    if data[4:8] == uf2.START[4:] or data[:4] == uf2.START[:4]:
        raise ImageError(f"{name} begins like a UF2 file but is damaged", hint="download or copy it again")
    if not data.strip(b"\xff") or not data.strip(b"\0"):
        raise ImageError(f"{name} holds nothing but {data[0]:02X} bytes: erased or unread flash, no firmware")
    if len(data) < 64:
        raise ImageError(
            f"{name} is not firmware: it has only {len(data)} bytes", hint="download or copy it again"
        )
    if not data[:4096].translate(None, _TEXT):
        raise ImageError(f"{name} is a text file, no firmware")
    raise ImageError(
        f"{name} is not a firmware file that upytool knows",
        hint="known are UF2, DfuSe (.dfu), Intel HEX, ESP images and raw images of ARM and RP2 chips",
    )


_TEXT = bytes(range(32, 127)) + b"\t\r\n\f\x1b"


def raw_place(data: bytes) -> tuple[str, int | None] | None:
    """(maker's family, address) of a raw image, as far as its bytes tell; None when it is none.

    The address is None where only the board's linker script knows it (SAMD, nRF); a family may be "".
    """
    if boot2_ok(data):
        return "rp2040", FLASH
    if len(data) < 64:
        return None
    found = image_type(data)
    if found is not None and found[0] == "rp2350":
        return "rp2350", FLASH
    if data[:4] == b"FCFB":
        return "mimxrt", 0x60000000
    stack, reset = struct.unpack_from("<II", data)
    ram = (
        0x10000000 <= stack <= 0x10100000
        or 0x20000000 <= stack <= 0x20400000
        or 0x24000000 <= stack <= 0x24100000
    )
    if not ram or stack % 4 or not reset & 1:
        return None
    if 0x08000000 <= reset < 0x08400000:
        # The code begins at a sector; the vectors of a whole image lie at the start of the flash.
        inside = reset - 0x08000000 < len(data)
        return "stm32", 0x08000000 if inside else None
    if 0x40 <= reset < 0x400000:
        return "", None
    return None
