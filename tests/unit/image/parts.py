"""What the tests of firmware files are made of: small programs, and a model of an RP2 binary info."""

from __future__ import annotations

import struct
import zlib
from hashlib import md5

from upytool.image import rp2_binary_info as rp2

XTENSA, RISCV = 94, 243


def elf(sections: list[tuple[str, int, bytes]], *, machine: int, entry: int) -> bytes:
    """A 32-bit ELF file of loadable sections (name, address, data), as a linker would leave it."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name, _, _ in sections) + b".shstrtab\0"
    head = 52 + 32 * len(sections)
    body, programs, table = b"", b"", bytes(40)
    for name, address, data in sections:
        offset = head + len(body)
        executable = 4 if "text" in name else 0
        programs += struct.pack("<8I", 1, offset, address, address, len(data), len(data), 5, 4)
        at = names.index(name.encode() + b"\0")
        table += struct.pack("<10I", at, 1, 2 | executable, address, offset, len(data), 0, 0, 4, 0)
        body += data
    table += struct.pack("<10I", names.index(b".shstrtab"), 3, 0, 0, head + len(body), len(names), 0, 0, 1, 0)
    body += names
    body += bytes(-len(body) % 4)
    count = len(sections)
    header = struct.pack(
        "<HHIIIIIHHHHHH",
        2,
        machine,
        1,
        entry,
        52,
        head + len(body),
        0,
        52,
        32,
        count,
        40,
        count + 2,
        count + 1,
    )
    return b"\x7fELF\x01\x01\x01" + bytes(9) + header + programs + body + table


def app_descriptor(idf: bytes = b"v5.5.2") -> bytes:
    return struct.pack(
        "<IIII32s32s16s16s32s32s",
        0xABCD5432,
        0,
        0,
        0,
        b"1",
        b"micropython",
        b"12:34:56",
        b"Jan  1 2026",
        idf,
        bytes(32),
    ) + bytes(80)


def micropython_texts(
    version: str = "v1.27.0", build: str = "ESP32_GENERIC", machine: str = "Generic ESP32 module with ESP32"
) -> bytes:
    """The texts of py/modsys.c and of the banner, in the way a linker lays them."""
    return (
        f"\0{build}\0003.4.0; MicroPython {version} on 2025-12-09\0VfsFat\0VfsLfs2\0; {machine}\0"
        f"MicroPython {version} on 2025-12-09\0"
    ).encode()


def vfs_table(rows: list[tuple[str, int, int, int, int]]) -> bytes:
    """A table by the letter of ESP-IDF's documentation; rows are (label, type, subtype, offset, size)."""
    out = b"".join(
        b"\xaa\x50" + bytes((kind, sub)) + struct.pack("<II", offset, size) + label.encode().ljust(16, b"\0") + bytes(4)
        for label, kind, sub, offset, size in rows
    )
    return (out + b"\xeb\xeb" + b"\xff" * 14 + md5(out).digest()).ljust(0xC00, b"\xff")


GENERIC_4MB = [
    ("nvs", 1, 2, 0x9000, 0x6000),
    ("phy_init", 1, 1, 0xF000, 0x1000),
    ("factory", 0, 0, 0x10000, 0x1F0000),
]


def boot2(code: bytes) -> bytes:
    """252 bytes and the RP2040 boot ROM's checksum, bit by bit as its datasheet describes it."""
    code = code.ljust(252, b"\0")
    crc = 0xFFFFFFFF
    for byte in code:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return code + struct.pack("<I", crc)


class Rp2Program:
    """A model of an SDK program: boot2, the marker, records, and texts (some lie in RAM at run time)."""

    RAM_COPY = 0x20000100

    def __init__(self, base: int = 0x10000000) -> None:
        self.base, self.records, self.blob = base, [], bytearray()
        self.ram = bytearray()
        self.start = 0x400

    def text(self, text: str, *, in_ram: bool = False) -> int:
        where = self.ram if in_ram else self.blob
        at = (self.RAM_COPY if in_ram else self.base + self.start) + len(where)
        where += text.encode() + b"\0"
        where += bytes(-len(where) % 4)
        return at

    def record(self, data: bytes) -> None:
        self.records.append(self.base + self.start + len(self.blob))
        self.blob += data + bytes(-len(data) % 4)

    def string(self, tag: int, number: int, text: str, **where: bool) -> None:
        at = self.text(text, **where)
        self.record(struct.pack("<HHII", 6, tag, number, at))

    def device(self, name: str, address: int, size: int, flags: int) -> None:
        at = self.text(name)
        self.record(struct.pack("<HHIIIIH", 7, 0x504D, at, address, size, 0, flags))

    def build(self, *, end: int | None = None, rp2350: bool = False) -> bytes:
        if end is not None:
            self.record(struct.pack("<HHIi", 5, 0x5052, 0x68F465DE, end))
        array_at = self.base + self.start + len(self.blob)
        self.blob += b"".join(struct.pack("<I", each) for each in self.records)
        map_at = array_at + 4 * len(self.records)
        copy_at = map_at + 16
        self.blob += struct.pack("<IIII", copy_at, self.RAM_COPY, self.RAM_COPY + len(self.ram), 0) + self.ram
        marker = rp2.MARKER + struct.pack("<III", array_at, map_at, map_at) + rp2.MARKER_END
        if rp2350:
            vectors = struct.pack("<II", 0x20082000, 0x10000401).ljust(0x110, b"\0")
            block = struct.pack("<IBBHI", 0xFFFFDED3, 0x42, 1, 0x1021, 0x000001FF) + struct.pack("<II", 0, 0xAB123579)
            head = vectors + block.ljust(0x40, b"\0") + marker
        else:
            head = boot2(b"second stage").ljust(0x1D4, b"\xbe") + marker
        return head.ljust(self.start, b"\0") + bytes(self.blob)


def pico_like() -> bytes:
    """A program with what MicroPython's rp2 port declares."""
    program = Rp2Program()
    for number, text in (
        (0x02031C86, "MicroPython"),
        (0x11A9BC3A, "v1.27.0"),
        (0x9DA22254, "Dec  9 2025"),
        (0xB63CFFBB, "pico"),
        (0x5360B3AB, "2.1.1"),
        (0xA1F4B453, "USB REPL"),
        (0xA1F4B453, "thread support"),
        (0x4275F0D3, "MinSizeRel"),
    ):
        program.string(0x5052, number, text, in_ram=text == "2.1.1")
    for name in ("rp2", "_boot", "asyncio/core"):
        program.string(0x504D, 0x4A99D719, name)
    program.device("MicroPython", 0x100A0000, 0x160000, 0x3)
    program.device("ROMFS", 0x10080000, 0x20000, 0x1)
    program.blob += micropython_texts("v1.27.0", "RPI_PICO", "Raspberry Pi Pico with RP2040")
    program.blob += bytes(-len(program.blob) % 4)
    return program.build(end=0x10050000)


def crc_dfu(data: bytes) -> int:
    return ~zlib.crc32(data) & 0xFFFFFFFF
