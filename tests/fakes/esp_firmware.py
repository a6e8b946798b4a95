"""Firmware for Espressif's chips, made for tests: valid in every header and checksum, and runs nowhere."""

from __future__ import annotations

import struct
from hashlib import sha256

from tests.fakes.esp_rom_model import KINDS, xor
from upytool.image.esp_partitions import DATA, Partition, write_table


def esp_image(
    chip: str, code: bytes, *, app: bool = False, flash: int = 0x20, revisions: tuple[int, int] = (0, 0xFFFF)
) -> bytes:
    """One image with one segment. `flash` is header byte 3."""
    if app:
        texts = (b"1.26", b"micropython", b"", b"", b"5.5", b"")
        code = struct.pack("<IIII32s32s16s16s32s32s", 0xABCD5432, 0, 0, 0, *texts) + code
    code = code + bytes(-len(code) % 4)
    address = 0x3FFE8000 if chip == "esp8266" else 0x3F400020
    data = struct.pack("<BBBBI", 0xE9, 1, 2, flash, 0x40080000)
    if chip != "esp8266":
        data += struct.pack("<B3xHBHH4xB", 0xEE, KINDS[chip].chip_id, 0, *revisions, 1)
    data += struct.pack("<II", address, len(code)) + code
    data += bytes(15 - len(data) % 16) + bytes((xor(code),))
    return data if chip == "esp8266" else data + sha256(data).digest()


TABLE = (
    Partition("nvs", DATA, 2, 0x9000, 0x6000),
    Partition("phy_init", DATA, 1, 0xF000, 0x1000),
    Partition("factory", 0, 0, 0x10000, 0x1F0000),
    Partition("vfs", DATA, 0x81, 0x200000, 0x200000),
)


def firmware(
    chip: str, size: int = 150_000, *, seed: int = 1, table: tuple[Partition, ...] = TABLE,
    revisions: tuple[int, int] = (0, 0xFFFF), flash: int = 0x20,
) -> bytes:  # fmt: skip
    """A firmware.bin of about `size` bytes: as MicroPython's, it begins at the bootloader's place."""
    code = code_like(size - (0x10000 - KINDS[chip].base) - 600 if chip != "esp8266" else size - 600, seed)
    if chip == "esp8266":
        return esp_image(chip, code[:0x7000], flash=0x40) + code[0x7000:]
    boot = esp_image(chip, code_like(0x5000, 99), flash=flash, revisions=revisions)
    base = KINDS[chip].base
    data = boot.ljust(0x8000 - base, b"\xff") + write_table(table)
    return data.ljust(0x10000 - base, b"\xff") + esp_image(chip, code, app=True, revisions=revisions)


def code_like(size: int, seed: int) -> bytes:
    """Bytes that compress about as well as machine code does."""
    block = b"".join(sha256(b"%d %d" % (seed, index)).digest() for index in range(-(-size // 64) + 1))
    return b"".join(block[at : at + 32] + block[at : at + 24] + bytes(8) for at in range(0, len(block), 32))[:size]
