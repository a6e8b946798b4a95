"""What a file is, by its content: its format when it is firmware, else one clear sentence why it is not.

Signatures are those of the formats themselves; the ARM vector table is ARMv6-M/ARMv7-M's (first word the
stack pointer, second the reset handler with bit 0 set); FCFB is NXP's FlexSPI configuration block, which
mimxrt images begin with; the boot2 checksum is the RP2040's (see rp2_binary_info).
"""

from __future__ import annotations

import struct

from ..errors import ImageError
from ..words import Said
from . import uf2
from .dfuse import MAGIC as DFUSE
from .dfuse import read_suffix
from .esp import find_base
from .rp2_binary_info import FLASH, boot2_ok, image_type

# (offset, magic, what such a file is, the note that says what to take in its place)
_MAGICS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x7fELF", "an ELF file", "image.same-build"),
    (0, b"\x1f\x8b", "a gzip archive", "image.unpack"),
    (0, b"PK\x03\x04", "a zip archive", "image.unpack"),
    (0, b"PK\x05\x06", "an empty zip archive", ""),
    (0, b"\xfd7zXZ\0", "an xz archive", "image.unpack"),
    (0, b"BZh", "a bzip2 archive", "image.unpack"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd archive", "image.unpack"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", "image.unpack"),
    (257, b"ustar", "a tar archive", "image.unpack"),
    (0, b"version https://git-lfs", "a Git LFS pointer", "image.git-lfs"),
    (0, b"\0asm", "a WebAssembly module", ""),
    (0, b"MZ", "a Windows program", ""),
    (0, b"\xd2\xcd\x31", "a ROMFS image", "image.use-romfs"),
    (8, b"littlefs", "a LittleFS image", "image.file-system"),
    (4104, b"littlefs", "a LittleFS image", "image.file-system"),
    (54, b"FAT1", "a FAT image", "image.file-system"),
    (82, b"FAT32", "a FAT image", "image.file-system"),
    (0, b"M\x06", "a compiled module (.mpy)", "image.use-cp"),
    (0, b"M\x05", "a compiled module (.mpy)", "image.use-cp"),
)
_HTML = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")


def sniff(data: bytes, name: str) -> str:
    """The format: "uf2", "dfuse", "dfu", "hex", "esp", or "bin" for a raw image.

    Args:
        name: how to call the file in a message.

    Raises: ImageError when it is not firmware.
    """
    if not data:
        raise ImageError("image.empty", name=name)
    if data[:8] == uf2.START:
        return "uf2"
    if data[:5] == DFUSE:
        return "dfuse"
    start = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n")
    if data[:1] == b":" and data[1:9].isalnum():
        return "hex"
    if start[:16].lower().startswith(_HTML) or b"<html" in start.lower():
        raise ImageError("image.not-firmware", name=name, kind="a web page", hint=Said("image.web-page"))
    suffix = read_suffix(data)
    if suffix is not None and suffix.crc_ok:
        return "dfu"
    if find_base(data) is not None:
        return "esp"
    for offset, magic, kind, note in _MAGICS:
        if data[offset : offset + len(magic)] == magic:
            raise ImageError("image.not-firmware", name=name, kind=kind, hint=Said(note) if note else ())
    if raw_place(data) is not None:
        return "bin"
    _decline(data, name)
    raise AssertionError


def _decline(data: bytes, name: str) -> None:
    if data[:1] == b"\xe9":
        raise ImageError("image.esp-damaged", name=name)
    if data[4:8] == uf2.START[4:] or data[:4] == uf2.START[:4]:
        raise ImageError("image.uf2-damaged", name=name)
    if not data.strip(b"\xff") or not data.strip(b"\0"):
        raise ImageError("image.erased", name=name, byte=data[0])
    if len(data) < 64:
        raise ImageError("image.too-small", name=name, size=len(data))
    if not data[:4096].translate(None, _TEXT):
        raise ImageError("image.not-firmware", name=name, kind="a text file")
    raise ImageError("image.unknown-format", name=name)


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
    ram = 0x10000000 <= stack <= 0x10100000 or 0x20000000 <= stack <= 0x20400000 or 0x24000000 <= stack <= 0x24100000
    if not ram or stack % 4 or not reset & 1:
        return None
    if 0x08000000 <= reset < 0x08400000:
        # The code begins at a sector; the vectors of a whole image lie at the start of the flash.
        inside = reset - 0x08000000 < len(data)
        return "stm32", 0x08000000 if inside else None
    if 0x40 <= reset < 0x400000:
        return "", None
    return None
