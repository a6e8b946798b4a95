"""FAT on the disk: the boot sector, the table, names. Reading and changing is in fat.py.

Sources: Microsoft "FAT: General Overview of On-Disk Format" 1.03; MicroPython lib/oofatfs/ff.c (f_mkfs: which
layout a board gives itself; create_name: when a name needs long entries), ports/stm32 (one table, label
PYBFLASH, a synthetic MBR before the region).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Container
from dataclasses import dataclass

from ..errors import ImageError
from .blocks import BlockSource
from .tree import MAX_NAME, shown

ENTRY = 32
READ_ONLY, HIDDEN, SYSTEM, VOLUME, DIRECTORY, ARCHIVE, LONG = 1, 2, 4, 8, 16, 32, 15
LOWER_BODY, LOWER_EXTENSION = 8, 16
MAX_FAT12, MAX_FAT16 = 0xFF5, 0xFFF5
_ROOT_ENTRIES = 512
_CLUSTER_STEPS = (1, 4, 16, 64, 256, 512)  # sectors of 4 KiB from which a cluster doubles (f_mkfs, cst)
_SHORT = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'()-@^_`{}~")
_FORBIDDEN = frozenset('"*:<>?|\\/\x7f')


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are, in bytes from the start; `bits` of an entry of the table."""

    sector: int
    cluster: int
    reserved: int
    tables: int
    table_size: int
    root_entries: int
    total: int
    clusters: int
    bits: int
    root_cluster: int = 0

    @property
    def root(self) -> int:
        return self.reserved + self.tables * self.table_size

    @property
    def data(self) -> int:
        return self.root + self.root_entries * ENTRY

    def at(self, cluster: int) -> int:
        """Where a cluster begins. Raises ImageError for one that is not there."""
        if not 2 <= cluster < self.clusters + 2:
            raise ImageError("image.fat-no-cluster", cluster=cluster)
        return self.data + (cluster - 2) * self.cluster

    @property
    def end_mark(self) -> int:
        return {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}[self.bits]


def read_layout(source: BlockSource) -> Layout | None:
    """The layout by the boot sector; None where there is no FAT. It may be larger than the source."""
    boot = source.read(0, 512)
    if boot[510:512] != b"\x55\xaa" or boot[0] not in (0xEB, 0xE9, 0xE8):
        return None
    sector, per_cluster, reserved, tables, roots, total, _, table = struct.unpack_from("<HBHBHHBH", boot, 11)
    total = total or struct.unpack_from("<I", boot, 32)[0]
    wide = not table
    root_cluster = 0
    if wide:
        table, _, version, root_cluster = struct.unpack_from("<IHHI", boot, 36)
        if version:
            return None
    powers = sector in (512, 1024, 2048, 4096) and per_cluster and not per_cluster & (per_cluster - 1)
    if not powers or not reserved or tables not in (1, 2) or not table or roots * ENTRY % sector:
        return None
    data = reserved + tables * table + roots * ENTRY // sector
    clusters = (total - data) // per_cluster
    if clusters < 1:
        return None
    bits = 12 if clusters <= MAX_FAT12 else 16 if clusters <= MAX_FAT16 else 32
    if wide != (bits == 32) or table * sector * 8 < (clusters + 2) * bits or (wide and roots):
        return None
    return Layout(
        sector,
        sector * per_cluster,
        reserved * sector,
        tables,
        table * sector,
        roots,
        total * sector,
        clusters,
        bits,
        root_cluster,
    )


def new_boot_sector(size: int, sector: int, hidden: int, epoch: int) -> tuple[bytes, Layout]:
    """The boot sector that MicroPython's mkfs would write for a region, and the layout.

    Raises: ImageError when the region is too small or too large for FAT12 and FAT16.
    """
    total = size // sector
    if sector not in (512, 1024, 2048, 4096):
        raise ImageError("image.fat-sector", size=sector)
    per_cluster = 1
    for step in _CLUSTER_STEPS:
        if step > total // 0x1000:
            break
        per_cluster <<= 1
    clusters = total // per_cluster
    bytes_of_table = (clusters * 3 + 1) // 2 + 3 if clusters <= MAX_FAT12 else clusters * 2 + 4
    table = -(-bytes_of_table // sector)
    data = 1 + table + _ROOT_ENTRIES * ENTRY // sector
    if total < data + per_cluster * 16:
        raise ImageError("image.fat-region-too-small", size=size)
    clusters = (total - data) // per_cluster
    if clusters > MAX_FAT16:
        raise ImageError("image.fat-region-too-large", size=size)
    boot = struct.pack(
        "<3s8sHBHBHHBHHHII",
        b"\xeb\xfe\x90", b"MSDOS5.0", sector, per_cluster, 1, 1, _ROOT_ENTRIES,
        total if total < 0x10000 else 0, 0xF8, table, 63, 255, hidden, 0 if total < 0x10000 else total,
    )  # fmt: skip
    boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, epoch & 0xFFFFFFFF, b"NO NAME    ", b"FAT     ")
    boot = (boot.ljust(510, b"\0") + b"\x55\xaa").ljust(sector, b"\0")
    bits = 12 if clusters <= MAX_FAT12 else 16
    layout = Layout(
        sector, sector * per_cluster, sector, 1, table * sector, _ROOT_ENTRIES, total * sector, clusters, bits
    )
    return boot, layout


def stamp(epoch: int) -> bytes:
    """Time and date as an entry holds them, UTC; 1980 for what is before it."""
    when = time.gmtime(max(epoch, 315532800))
    clock = when.tm_hour << 11 | when.tm_min << 5 | when.tm_sec // 2
    return struct.pack("<HH", clock, (min(when.tm_year, 2107) - 1980) << 9 | when.tm_mon << 5 | when.tm_mday)


def short_text(raw: bytes, flags: int) -> str:
    """The name of a short entry, in lower case where its flags say so."""
    body = (b"\xe5" + raw[1:8] if raw[0] == 5 else raw[:8]).decode("cp437").rstrip(" ")
    extension = raw[8:11].decode("cp437").rstrip(" ")
    body = body.lower() if flags & LOWER_BODY else body
    extension = extension.lower() if flags & LOWER_EXTENSION else extension
    return f"{body}.{extension}" if extension else body


def checksum(raw: bytes) -> int:
    """Of a short name, as its long entries carry it."""
    out = 0
    for byte in raw:
        out = ((out >> 1) + ((out & 1) << 7) + byte) & 0xFF
    return out


def to_disk(name: str) -> bytes:
    """A long name as MicroPython stores it, in UTF-16.

    Its FAT is built for code page 437 and is handed UTF-8: each byte of a name becomes the letter that the page
    has for it. A board therefore finds "\u00fc" only where two other letters stand on the disk.
    """
    return name.encode().decode("cp437").encode("utf-16-le")


def from_disk(wide: bytes) -> str:
    """The name as MicroPython shows it; one that a computer wrote (which MicroPython cannot list) as it is."""
    text = wide.decode("utf-16-le", "surrogatepass").split("\0", 1)[0]
    try:
        return text.encode("cp437").decode()
    except UnicodeError:
        return text


def long_part(entry: bytes) -> bytes:
    """The UTF-16 of one long entry, 26 bytes."""
    return entry[1:11] + entry[14:26] + entry[28:32]


def encode_name(name: str, taken: Container[bytes]) -> tuple[list[bytes], bytes, int]:
    """(long entries in their order on the disk, short name, its flags) for a new entry.

    Raises: ImageError for a name that FAT cannot hold.
    """
    if not name or set(name) & _FORBIDDEN or any(char < " " for char in name) or name[-1] in ". ":
        raise ImageError("image.fat-name", name=name)
    try:
        wide = to_disk(name)
    except UnicodeEncodeError:
        raise ImageError("image.fat-name", name=name) from None
    if len(wide) // 2 > MAX_NAME:
        raise ImageError("image.fat-name-too-long", name=shown(name), limit=MAX_NAME)
    body, dot, extension = name.rpartition(".")
    if not dot:
        body, extension = name, ""
    fits = 0 < len(body) <= 8 and len(extension) <= 3 and bool(extension) == bool(dot)
    plain = all(ord(char) < 128 and ord(char.upper()) in _SHORT for char in body + extension)
    if fits and plain and all(part in (part.upper(), part.lower()) for part in (body, extension)):
        short = body.upper().ljust(8).encode() + extension.upper().ljust(3).encode()
        if short not in taken:
            flags = (LOWER_BODY if body != body.upper() else 0) | (
                LOWER_EXTENSION if extension != extension.upper() else 0
            )
            return [], short, flags
    short = _alias(body if dot else name, extension, taken)
    padded = wide if len(wide) % 26 == 0 else (wide + b"\0\0").ljust(-(-(len(wide) + 2) // 26) * 26, b"\xff")
    count, check = len(padded) // 26, checksum(short)
    out = []
    for index in range(count, 0, -1):
        part = padded[26 * (index - 1) : 26 * index]
        number = index | (0x40 if index == count else 0)
        out.append(bytes((number,)) + part[:10] + bytes((LONG, 0, check)) + part[10:22] + b"\0\0" + part[22:])
    return out, short, 0


def _alias(body: str, extension: str, taken: Container[bytes]) -> bytes:
    def plain(text: str, room: int) -> str:
        kept = "".join(char for char in text.upper() if char not in " .")
        return "".join(char if ord(char) < 128 and ord(char) in _SHORT else "_" for char in kept)[:room]

    start, end = plain(body, 8) or "_", plain(extension, 3)
    for number in range(1, 1_000_000):
        tail = f"~{number}"
        short = (start[: 8 - len(tail)] + tail).ljust(8).encode() + end.ljust(3).encode()
        if short not in taken:
            return short
    raise ImageError("image.fat-names-alike")
