"""The ESP32's partition table: rows of 32 bytes at flash offset 0x8000.

A row: AA 50, type, subtype, u32 offset, u32 size, 16 bytes label, u32 flags. Then a row EB EB FF... with
the MD5 of the rows, and FF up to 0xC00 bytes. Sources: ESP-IDF "Partition Tables" and its
`esp_flash_partitions.h`; MicroPython `ports/esp32/main.c` (what becomes the file system),
`partitions-*.csv` (the romfs row).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import md5

from ..errors import ImageError

TABLE_OFFSET, TABLE_SIZE, SECTOR = 0x8000, 0xC00, 0x1000
APP, DATA = 0, 1
ROMFS = 0x8F
ENCRYPTED, READONLY = 1, 2
_ROW = struct.Struct("<2sBBII16sI")
_MD5_ROW = b"\xeb\xeb" + b"\xff" * 14
_DATA_TYPES = {
    0x00: "ota", 0x01: "phy", 0x02: "nvs", 0x03: "coredump", 0x04: "nvs_keys", 0x05: "efuse",
    0x06: "undefined",
    0x80: "esphttpd", 0x81: "fat", 0x82: "spiffs", 0x83: "littlefs", ROMFS: "romfs",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Partition:
    """A row; offset and size in bytes of flash."""

    label: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        return self.offset + self.size

    @property
    def kind(self) -> str:
        """Type and subtype as partition CSV files write them."""
        if self.type == APP:
            if 0x10 <= self.subtype < 0x20:
                return f"app, ota_{self.subtype - 0x10}"
            return "app, " + {0: "factory", 0x20: "test"}.get(self.subtype, f"{self.subtype:#04x}")
        if self.type == DATA:
            return "data, " + _DATA_TYPES.get(self.subtype, f"{self.subtype:#04x}")
        return f"{self.type:#04x}, {self.subtype:#04x}"


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """The rows, in their order. `md5_ok` is None where the table has no MD5 row."""

    rows: tuple[Partition, ...]
    md5_ok: bool | None = True

    def find(self, label: str) -> Partition | None:
        return next((row for row in self.rows if row.label == label), None)

    def first_app(self) -> Partition | None:
        """The application that is started first: factory, else the first OTA slot."""
        apps = [row for row in self.rows if row.type == APP]
        return next((row for row in apps if row.subtype == 0), apps[0] if apps else None)

    @property
    def end(self) -> int:
        """The first byte of flash behind all partitions."""
        return max((row.end for row in self.rows), default=0)

    def filesystem(self, flash_size: int | None = None) -> Partition | None:
        """What MicroPython mounts: `vfs`, or `ffat`, else (from 1.26 on) what is left of the flash.

        Args:
            flash_size: bytes of the real flash; None for "not known", and the third rule is not applied.
        """
        row = self.find("vfs") or self.find("ffat")
        if row is None and flash_size is not None and flash_size > self.end:
            row = Partition("vfs", DATA, 0x81, self.end, flash_size - self.end)
        return row

    def problems(self, flash_size: int | None = None) -> list[str]:
        """What a bootloader or MicroPython would stumble over, a sentence each."""
        found = []
        last: Partition | None = None
        for row in sorted(self.rows, key=lambda row: row.offset):
            step = 0x10000 if row.type == APP else SECTOR
            if row.offset % step:
                found.append(f"partition {row.label} begins at {row.offset:#x}, no multiple of {step:#x}")
            if row.offset < TABLE_OFFSET + SECTOR:
                found.append(f"partition {row.label} overlaps the bootloader or the table")
            if last is not None and row.offset < last.end:
                found.append(f"partitions {last.label} and {row.label} overlap")
            if flash_size is not None and row.end > flash_size:
                found.append(f"partition {row.label} ends at {row.end:#x}, behind the flash of {flash_size:#x} bytes")
            last = row
        return found

    def with_row(self, row: Partition) -> PartitionTable:
        """A copy with the row of this label replaced, or added at the end."""
        if self.find(row.label) is None:
            return replace(self, rows=(*self.rows, row))
        return replace(self, rows=tuple(row if each.label == row.label else each for each in self.rows))

    def to_bytes(self) -> bytes:
        """The table, FF-padded to 0xC00 bytes; with the MD5 row unless it was read from one without."""
        return write_table(self.rows, with_md5=self.md5_ok is not None)


def read_table(data: bytes) -> PartitionTable:
    """Read a table. A wrong MD5 is not an error here but `md5_ok`.

    Raises: ImageError when a row is neither a partition, nor the MD5, nor the end.
    """
    rows: list[Partition] = []
    md5_ok: bool | None = None
    for at in range(0, min(len(data), TABLE_SIZE) - _ROW.size + 1, _ROW.size):
        row = data[at : at + _ROW.size]
        if row == b"\xff" * _ROW.size:
            break
        if row[:16] == _MD5_ROW:
            md5_ok = md5(data[:at], usedforsecurity=False).digest() == row[16:]
            continue
        magic, kind, subtype, offset, size, label, flags = _ROW.unpack(row)
        if magic != b"\xaa\x50":
            raise ImageError("image.partition-damaged", row=at // _ROW.size)
        text = label.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")
        rows.append(Partition(text, kind, subtype, offset, size, flags))
    if not rows:
        raise ImageError("image.no-partition-table")
    return PartitionTable(tuple(rows), md5_ok)


def write_table(rows: Sequence[Partition], *, with_md5: bool = True) -> bytes:
    """Encode a table.

    Raises: ImageError when there are too many rows or a label is too long.
    """
    out = b""
    for row in rows:
        label = row.label.encode("utf-8", "surrogateescape")
        if len(label) > 16:
            raise ImageError("image.partition-label", label=row.label)
        out += _ROW.pack(b"\xaa\x50", row.type, row.subtype, row.offset, row.size, label, row.flags)
    if with_md5:
        out += _MD5_ROW + md5(out, usedforsecurity=False).digest()
    if len(out) > TABLE_SIZE - _ROW.size:
        raise ImageError("image.partitions-too-many", count=len(rows))
    return out.ljust(TABLE_SIZE, b"\xff")
