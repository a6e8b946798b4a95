"""The model of the boot ROMs' erasing and counting. (The real RP2040 ROM: tests/builder/test_image_boot.py.)"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest

from upytool.builder.boot_rom import FLASH, after_drop
from upytool.errors import BuildError
from upytool.image.chips import RP2040, RP2350_ARM_S
from upytool.image.uf2 import e10_block

SIZE = 64 << 10


def block(address: int, number: int, count: int, *, family: int = RP2040, fill: int = 0x5A, size: int = 256,
          flags: int = 0x2000) -> bytes:  # fmt: skip
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, size, number, count, family)
    return (head + bytes((fill,)) * 256).ljust(508, b"\0") + struct.pack("<I", 0x0AB16F30)


def file(addresses: Iterable[int], **options: int) -> bytes:
    chosen = list(addresses)
    return b"".join(block(FLASH + at, number, len(chosen), **options) for number, at in enumerate(chosen))


def test_whole_sectors_are_erased_and_written() -> None:
    flash = after_drop(file(range(0, 8192, 256)), SIZE, 0x00)
    assert flash[:8192] == b"\x5a" * 8192
    assert flash[8192:] == bytes(SIZE - 8192), "the rest is as it was"


def test_rp2040_erases_by_number() -> None:
    """A first sector of 8 pages: the second one's pages are numbers 8 to 23, so it is not erased until number 16,
    which wipes what was written by then."""
    pages = [*range(0, 2048, 256), *range(4096, 8192, 256)]
    flash = after_drop(file(pages), SIZE, 0x00)
    assert flash[4096 : 4096 + 2048] != b"\x5a" * 2048
    assert flash[4096 + 2048 : 8192] == b"\x5a" * 2048
    right = after_drop(file(pages, family=RP2350_ARM_S), SIZE, 0x00)
    assert right[4096:8192] == b"\x5a" * 4096, "the RP2350's goes by addresses"


def test_flash_only_clears_bits() -> None:
    two = block(FLASH, 0, 2, fill=0xF0) + block(FLASH, 1, 2, fill=0x0F)
    assert after_drop(two, SIZE)[:256] == bytes(256)


def test_the_erratum_block_counts_by_itself() -> None:
    data = e10_block() + file(range(0, 4096, 256), family=RP2350_ARM_S)
    assert after_drop(data, 16 << 20, 0xFF)[:4096] == b"\x5a" * 4096


def test_other_blocks_are_passed_over() -> None:
    data = block(0x20000000, 0, 1) + block(FLASH, 0, 9, flags=0x2001) + file([0])
    assert after_drop(data, SIZE)[:256] == b"\x5a" * 256


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (file([0])[:0] + block(FLASH, 0, 3), "1 of 3 blocks"),
        (file([0, 256]) + file([512, 768]), "restart in the middle"),
        (file([0]) + block(FLASH + 256, 1, 2), "restart in the middle"),
        (block(FLASH, 0, 1, size=128), "size is 128"),
        (block(FLASH + 64, 0, 1), "ignores the block"),
    ],
)
def test_what_a_rom_would_not_take(data: bytes, words: str) -> None:
    with pytest.raises(BuildError, match=words):
        after_drop(data, SIZE)
