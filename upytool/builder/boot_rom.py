"""What a boot ROM makes of a UF2 file: a model, to check an image before a board does.

RP2040: the ROM erases by block number, not by address (bootrom `virtual_disk.c`): sector N of the file's blocks is
erased when the first of its 16 blocks comes, at the sector that this block addresses. Numbering that is out of step
with sectors leaves one not erased, or erases one that was just written; and programming can only clear bits.
RP2350: its ROM keeps what it erased by address (`usb_virtual_disk.c`).
"""

from __future__ import annotations

import struct

from ..errors import BuildError
from ..image.chips import ABSOLUTE, RP2040

SECTOR, PAGE, FLASH = 4096, 256, 0x10000000
NOT_MAIN_FLASH, HAS_FAMILY = 1, 0x2000


def after_drop(uf2: bytes, flash_size: int, before: int = 0x00) -> bytes:
    """The flash after a UF2 file was copied to the drive of a chip whose flash was full of `before`.

    Raises: BuildError when the ROM would start the firmware before the last block, or refuse a block.
    """
    flash = bytearray(bytes((before,)) * flash_size)
    erased: set[int] = set()
    seen = expected = 0
    for at in range(0, len(uf2), 512):
        block = uf2[at : at + 512]
        _, _, flags, address, size, number, count, family = struct.unpack_from("<8I", block)
        if family == ABSOLUTE and flags & HAS_FAMILY and count == 2 and number < 2 and not seen:
            continue  # RP2350-E10: a block of another count, which the ROM counts by itself
        if flags & NOT_MAIN_FLASH or not FLASH <= address < FLASH + flash_size:
            continue
        if size != PAGE or address % PAGE:
            raise BuildError("build.boot-rom-block", address=address, size=size, wanted=PAGE)
        expected = expected or count
        if count != expected or seen >= expected:
            raise BuildError("build.boot-rom-restart")
        key = number * PAGE // SECTOR if flags & HAS_FAMILY and family == RP2040 else address // SECTOR
        sector = (address - FLASH) // SECTOR * SECTOR
        if key not in erased:
            erased.add(key)
            flash[sector : sector + SECTOR] = b"\xff" * SECTOR
        place = address - FLASH
        old = int.from_bytes(flash[place : place + PAGE], "little")
        new = int.from_bytes(block[32 : 32 + PAGE], "little")
        flash[place : place + PAGE] = (old & new).to_bytes(PAGE, "little")
        seen += 1
    if seen != expected:
        raise BuildError("build.boot-rom-waits", there=seen, count=expected)
    return bytes(flash)
