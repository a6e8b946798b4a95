"""What an RP2040 or RP2350 program says about itself: the SDK's "binary info", read from the image's bytes.

A marker near the start, 7188EBF2 first last map E71AA390, points to an array of pointers to records.
Pointers are run-time addresses; the map (from, to, end; ended by 0) says where data lies in flash that is
copied to RAM at the start. Source: pico-sdk `pico/binary_info/defs.h`, `structure.h`; MicroPython
`ports/rp2/mpconfigport.h` (frozen modules), `rp2_flash.c` (the block devices); pico-sdk `boot/picobin.h`
(RP2350's image definition).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from .memory import Memory

MARKER, MARKER_END = struct.pack("<I", 0x7188EBF2), struct.pack("<I", 0xE71AA390)
FLASH, RAM = 0x10000000, 0x20000000
_SEARCH = 0x1000  # RP2040: within 256 bytes behind the 256 of boot2; RP2350: within the first KiB
_MAX_RECORDS, _MAX_MAP, _MAX_TEXT = 4096, 64, 512

_ID_INT, _ID_STRING, _BLOCK_DEVICE = 5, 6, 7
_RASPBERRY_PI, _MICROPYTHON = 0x5052, 0x504D  # the tags "RP" and "MP"
_NAME, _VERSION, _DATE, _END = 0x02031C86, 0x11A9BC3A, 0x9DA22254, 0x68F465DE
_URL, _DESCRIPTION, _FEATURE, _ATTRIBUTE = 0x1856239A, 0xB6A07C19, 0xA1F4B453, 0x4275F0D3
_SDK, _BOARD, _BOOT2 = 0x5360B3AB, 0xB63CFFBB, 0x7F8882E1
_FROZEN = 0x4A99D719

READABLE, WRITABLE, REFORMAT = 1, 2, 4


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A region of flash that the program uses as a drive; `flags` has READABLE, WRITABLE, REFORMAT."""

    name: str
    address: int
    size: int
    flags: int

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class BinaryInfo:
    """The records; texts that are missing are "", addresses None."""

    program: str = ""
    version: str = ""
    date: str = ""
    url: str = ""
    description: str = ""
    board: str = ""
    sdk: str = ""
    boot2: str = ""
    features: tuple[str, ...] = ()
    attributes: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    devices: tuple[BlockDevice, ...] = ()
    binary_end: int | None = None

    @property
    def filesystem(self) -> BlockDevice | None:
        """MicroPython's writable file system."""
        return next((each for each in self.devices if each.flags & WRITABLE and each.name != "ROMFS"), None)

    @property
    def romfs(self) -> BlockDevice | None:
        """MicroPython's ROMFS region (1.26 and later, where it has one)."""
        return next((each for each in self.devices if each.name == "ROMFS"), None)


def read_binary_info(memory: Memory) -> BinaryInfo | None:
    """The records of an image, or None where it has none. Records that make no sense are left out."""
    head = memory.segments[0] if memory else None
    base = memory.find(FLASH)
    for segment in (base, head):
        if segment is None:
            continue
        start = FLASH - segment.address if segment is base else 0
        at = segment.data.find(MARKER, start, start + _SEARCH)
        while at >= 0:
            if at % 4 == 0 and segment.data[at + 16 : at + 20] == MARKER_END:
                return _Reader(memory, *struct.unpack_from("<III", segment.data, at + 4)).read()
            at = segment.data.find(MARKER, at + 1, start + _SEARCH)
    return None


class _Reader:
    def __init__(self, memory: Memory, first: int, last: int, table: int) -> None:
        self.memory = memory
        self.map: list[tuple[int, int, int]] = []
        for index in range(_MAX_MAP):
            row = memory.get(table + 12 * index, 12)
            if row is None or not row[:4].strip(b"\0"):
                break
            source, start, end = struct.unpack("<III", row)
            self.map.append((source, start, end))
        self.first, self.count = first, min(max(0, last - first) // 4, _MAX_RECORDS)

    def get(self, address: int, size: int) -> bytes | None:
        found = self.memory.get(address, size)
        if found is None:
            for source, start, end in self.map:
                if start <= address < end:
                    return self.memory.get(source + address - start, size)
        return found

    def text(self, address: int) -> str:
        for size in (_MAX_TEXT, 128, 32, 8, 4, 2, 1):  # the text may lie at the very end of the image
            raw = self.get(address, size)
            if raw is not None:
                return raw.split(b"\0", 1)[0].decode("utf-8", "replace")
        return ""

    def read(self) -> BinaryInfo:
        single: dict[int, str] = {}
        lists: dict[int, dict[str, None]] = {_FEATURE: {}, _ATTRIBUTE: {}, _FROZEN: {}}
        devices: dict[tuple[int, int], BlockDevice] = {}
        end: int | None = None
        array = self.get(self.first, 4 * self.count) or b""
        for (pointer,) in struct.iter_unpack("<I", array):
            record = self.get(pointer, 12)
            if record is None:
                continue
            kind, tag, number, value = struct.unpack("<HHII", record)
            if kind == _ID_STRING and tag == _RASPBERRY_PI:
                if number in lists:
                    lists[number][self.text(value)] = None
                else:
                    single.setdefault(number, self.text(value))
            elif kind == _ID_STRING and tag == _MICROPYTHON and number == _FROZEN:
                lists[_FROZEN][self.text(value)] = None
            elif kind == _ID_INT and tag == _RASPBERRY_PI and number == _END:
                end = value
            elif kind == _BLOCK_DEVICE:
                rest = self.get(pointer + 12, 10)
                if rest is not None:
                    size, _, flags = struct.unpack("<IIH", rest)
                    devices[value, size] = BlockDevice(self.text(number), value, size, flags)
        return BinaryInfo(
            program=single.get(_NAME, ""),
            version=single.get(_VERSION, ""),
            date=single.get(_DATE, ""),
            url=single.get(_URL, ""),
            description=single.get(_DESCRIPTION, ""),
            board=single.get(_BOARD, ""),
            sdk=single.get(_SDK, ""),
            boot2=single.get(_BOOT2, ""),
            features=tuple(lists[_FEATURE]),
            attributes=tuple(lists[_ATTRIBUTE]),
            frozen=tuple(sorted(name for name in lists[_FROZEN] if name)),
            devices=tuple(devices.values()),
            binary_end=end,
        )


def boot2_ok(data: bytes) -> bool:
    """Whether the first 256 bytes are an RP2040's second stage: a CRC-32 of 252 bytes.

    Source: RP2040 datasheet 2.8.1.3.1. The CRC has polynomial 04C11DB7, starts with FFFFFFFF, reflects
    nothing and inverts nothing; with the bits of all bytes turned round it is zlib's without the last
    inversion.
    """
    if len(data) < 256:
        return False
    crc = zlib.crc32(data[:252].translate(_REVERSED)) ^ 0xFFFFFFFF
    return int(f"{crc:032b}"[::-1], 2) == int.from_bytes(data[252:256], "little")


_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_BLOCK_START, _BLOCK_END = struct.pack("<I", 0xFFFFDED3), struct.pack("<I", 0xAB123579)


def image_type(data: bytes) -> tuple[str, str] | None:
    """(chip, processor) of the first image definition within 4 KiB: ("rp2350", "arm" or "riscv"), or None."""
    at = data.find(_BLOCK_START, 0, 0x1000)
    while at >= 0:
        item = data[at + 4 : at + 8]
        if at % 4 == 0 and len(item) == 4 and item[0] == 0x42 and data.find(_BLOCK_END, at, at + 0x280) > 0:
            flags = int.from_bytes(item[2:4], "little")
            if flags & 0xF == 1:
                chip = {0: "rp2040", 1: "rp2350"}.get((flags >> 12) & 7)
                cpu = {0: "arm", 1: "riscv"}.get((flags >> 8) & 7)
                if chip and cpu:
                    return chip, cpu
        at = data.find(_BLOCK_START, at + 1, 0x1000)
    return None
