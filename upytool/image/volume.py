"""Which file systems are in a firmware file, a flash dump, or a board's flash, and opening them.

Where one may be is told, in this order, by the firmware itself (RP2 binary info, ESP partition table), by
the caller (a table of boards, the user), and by a search for what file systems begin with. What it is is told
by its content alone: an ESP32's `vfs` partition is typed FAT and holds a LittleFS.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from ..errors import ImageError
from .base import FirmwareImage, load_file
from .blocks import BlockSource, BytesBlocks, MemoryBlocks, ReadBlocks
from .esp import EspFirmware
from .esp_partitions import DATA, ROMFS, TABLE_OFFSET, TABLE_SIZE, PartitionTable, read_table
from .fat_layout import read_layout
from .fs_build import build_fs, default_kind
from .fs_volume import FsVolume
from .lfs2_reader import MAGIC as LITTLEFS
from .lfs2_reader import read_superblock
from .memory import Memory, Segment
from .romfs import MAGIC as ROMFS_MAGIC
from .romfs import image_size, is_romfs
from .rp2_binary_info import FLASH, read_binary_info
from .tree import FileTree

__all__ = [
    "FsVolume", "Region", "build_fs", "default_kind", "kind_of", "open_image", "volumes", "volumes_on_flash",
    "with_volume",
]  # fmt: skip

SECTOR = 4096
_MAX_HITS = 64
# ESP8266: ports/esp8266/modules/flashbdev.py: from 1 MiB to 20 KiB before the end; on 1 MiB chips the rest.
_ESP8266_START, _ESP8266_TAIL = 0x100000, 0x5000


@dataclass(frozen=True, slots=True)
class Region:
    """Where a file system is said to be. Addresses as in FirmwareImage.memory; `kind` is a hint for messages."""

    start: int
    size: int
    name: str = ""
    kind: str = ""
    block_size: int = 0
    source: str = "you"

    @property
    def end(self) -> int:
        return self.start + self.size


class _Flash(Protocol):
    """Where volumes are looked for."""

    def blocks(self, start: int, size: int) -> BlockSource: ...

    def present(self, start: int, size: int) -> bool: ...


@dataclass(frozen=True)
class _InMemory:
    memory: Memory

    def blocks(self, start: int, size: int) -> BlockSource:
        return MemoryBlocks(self.memory, start, size)

    def present(self, start: int, size: int) -> bool:
        return self.memory.touches(start, size)


@dataclass(frozen=True)
class _OnBoard:
    whole: ReadBlocks

    def blocks(self, start: int, size: int) -> BlockSource:
        return _Part(self.whole, start - self.whole.start, size)

    def present(self, start: int, size: int) -> bool:
        return True


@dataclass(frozen=True)
class _Part:
    whole: BlockSource
    start: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        return self.whole.read(self.start + offset, size)


def kind_of(blocks: BlockSource) -> tuple[str, int, int]:
    """(kind, its block size, its bytes) of what begins here, by its first bytes; ("", 0, 0) for none."""
    if blocks.size < 64:
        return "", 0, 0
    found = read_superblock(blocks)
    if found is not None:
        return f"littlefs{found.v}", found.block_size, found.size
    layout = read_layout(blocks) if blocks.size >= 512 else None
    if layout is not None:
        return "fat", layout.sector, layout.total
    head = blocks.read(0, 16)
    if is_romfs(head):
        try:
            return "romfs", SECTOR, image_size(head)
        except ImageError:
            pass
    return "", 0, 0


def _look(flash: _Flash, region: Region, port: str = "") -> FsVolume:
    blocks = flash.blocks(region.start, region.size)
    kind, block_size, size = kind_of(blocks)
    problem, taken = "", False
    strict = kind.startswith("littlefs") and port != "stm32" and kind != "littlefs1"
    if kind and size > region.size:
        problem = f"its {size} bytes are more than the region's {region.size}"
    elif strict and size != region.size - region.size % block_size:
        problem = f"it has {size // block_size} blocks, its region {region.size // block_size}: firmware formats it"
    elif not kind and region.size and flash.present(region.start, region.size):
        head = blocks.read(0, min(region.size, 512))
        taken = bool(head.strip(b"\xff"))
        problem = "it holds something else" if taken else "it is erased"
    return FsVolume(
        region.name,
        region.start,
        region.size,
        kind,
        region.source,
        block_size,
        blocks,
        flash.present(region.start, region.size),
        problem,
        taken,
    )


def _of_rp2(memory: Memory) -> Iterator[Region]:
    info = read_binary_info(memory)
    for device in info.devices if info is not None else ():
        if device.size:
            yield Region(device.address, device.size, device.name, source="binary info")


def _of_table(table: PartitionTable, flash_size: int | None, base: int = 0) -> Iterator[Region]:
    rows = [row for row in table.rows if row.type == DATA and row.subtype in (0x81, 0x82, 0x83, ROMFS)]
    main = table.filesystem(flash_size)
    if main is not None and main not in rows:
        rows.append(main)
    for row in rows:
        if row.size:
            yield Region(base + row.offset, row.size, row.label, source="partition table")


def _of_esp8266(flash_size: int | None) -> Iterator[Region]:
    if flash_size is None or flash_size <= 0x80000:
        return
    if flash_size > _ESP8266_START:
        yield Region(_ESP8266_START, flash_size - _ESP8266_TAIL - _ESP8266_START, "flash", source="partition table")
    else:
        yield Region(0x99000, 0xFB000 - 0x99000, "flash", source="partition table")


def volumes(image: FirmwareImage, regions: Iterable[Region] = (), *, flash_size: int | None = None) -> list[FsVolume]:
    """The file systems of a firmware file or a dump, also those that are still empty, by address.

    Args:
        regions: what the caller knows of this board.
        flash_size: bytes of the flash, for ESP chips; None takes the file's header.
    """
    memory = image.memory
    known: list[Region] = list(_of_rp2(memory)) if image.port == "rp2" else []
    detail = image.detail
    if isinstance(detail, EspFirmware):
        known += _esp_regions(image, detail, flash_size)
    known += regions
    return _collect(_InMemory(memory), known, image.port, lambda: _scan(memory))


def _esp_regions(image: FirmwareImage, detail: EspFirmware, flash_size: int | None) -> Iterator[Region]:
    first = detail.bootloader or detail.app
    size = flash_size or (first.flash_size if first is not None else None)
    if detail.role == "firmware" and detail.base is not None:
        size = max(size or 0, _whole(image.memory.end))
    if image.port == "esp8266":
        yield from _of_esp8266(size)
    elif detail.table is not None:
        release = image.identity.release
        yield from _of_table(detail.table, size if release is None or release >= (1, 26, 0) else None)


def _whole(size: int) -> int:
    """A dump of the whole flash tells its size; anything else is not a power of two."""
    return size if size and size & (size - 1) == 0 else 0


def volumes_on_flash(
    read: Callable[[int, int], bytes],
    *,
    base: int,
    size: int | None,
    chip: str = "",
    regions: Iterable[Region] = (),
) -> list[FsVolume]:
    """The same for a flash that is read over a wire; no more is read than is needed.

    Args:
        read: (address, size) -> bytes.
        base, size: of the flash; `size` None where nobody knows.
        chip: as in FirmwareImage.chip.
        regions: what the caller knows of this board. Where nothing is known, all of the flash is searched.
    """
    whole = ReadBlocks(read, base, size if size is not None else 1 << 28)
    known = list(regions)
    port = "rp2" if chip.startswith("rp2") else chip
    if port == "rp2":
        # The bootloader of a Pico takes 2 MiB for granted; the firmware knows better.
        whole.size = max(whole.size, 16 << 20) if size is None else size
        known += _of_rp2(_Remote.over(whole))
    elif port == "esp8266":
        known += _of_esp8266(size)
    elif port.startswith("esp32"):
        try:
            known += _of_table(read_table(whole.read(TABLE_OFFSET, TABLE_SIZE)), size, base)
        except ImageError:
            pass
        port = "esp32"

    def search() -> Iterator[Region]:
        if size is not None and not known:
            yield from _scan(Memory.of([(base, whole.read(0, size))]))

    return _collect(_OnBoard(whole), known, "stm32" if port.startswith("stm32") else port, search)


@dataclass(frozen=True)
class _Remote(Memory):
    """A Memory whose first bytes are here; what else is asked for is read."""

    whole: ReadBlocks | None = None

    @classmethod
    def over(cls, whole: ReadBlocks) -> _Remote:
        return cls((Segment(FLASH, whole.read(0, 0x2000)),), whole)

    def get(self, address: int, size: int) -> bytes | None:
        whole = self.whole
        if whole is None or not whole.start <= address <= whole.start + whole.size - size:
            return None
        return whole.read(address - whole.start, size)


def _collect(
    flash: _Flash, known: Iterable[Region], port: str, search: Callable[[], Iterable[Region]]
) -> list[FsVolume]:
    found: list[FsVolume] = []
    for region in known:
        if not any(region.start < each.end and each.start < region.end for each in found):
            found.append(_look(flash, region, port))
    for region in search():
        inside = [each for each in found if region.start < each.end and each.start < region.end]
        if any(each.kind for each in inside):
            continue
        volume = _look(flash, region, port)
        if volume.kind:
            found.append(volume)
    return sorted(found, key=lambda volume: volume.start)


def _scan(memory: Memory) -> Iterator[Region]:
    """What begins as a file system begins, at a place where one can."""
    for segment in memory:
        hits = sorted(
            {
                *_hits(segment, LITTLEFS, 8),
                *_hits(segment, LITTLEFS, 40),
                *_hits(segment, ROMFS_MAGIC, 0),
                *_hits(segment, b"\x55\xaa", 510),
            }
        )
        last = 0
        for at in hits[:_MAX_HITS]:
            blocks = MemoryBlocks(memory, segment.address + at, segment.end - segment.address - at)
            kind, block_size, size = kind_of(blocks)
            if not kind or at < last:
                continue
            if kind == "romfs" and (size > blocks.size or at % SECTOR):
                continue
            last = at + size
            yield Region(segment.address + at, max(size, block_size), "", kind, block_size, "content")


def _hits(segment: Segment, magic: bytes, inside: int) -> Iterator[int]:
    at, count = segment.data.find(magic), 0
    while at >= 0 and count < 4 * _MAX_HITS:
        if at >= inside and (segment.address + at - inside) % 512 == 0:
            count += 1
            yield at - inside
        at = segment.data.find(magic, at + 1)


def open_image(source: str | os.PathLike[str] | bytes, *, name: str = "") -> FirmwareImage:
    """FirmwareImage.read, which also takes a bare file system or a dump that begins with no firmware.

    Raises: ImageError.
    """
    path = name if isinstance(source, bytes) else os.fspath(source)
    data = source if isinstance(source, bytes) else load_file(path)
    try:
        return replace(FirmwareImage.read(data, name=os.path.basename(path)), path=path)
    except ImageError:
        memory = Memory.of([(0, data)])
        if not kind_of(BytesBlocks(data))[0] and not any(_scan(memory)):
            raise
        return FirmwareImage(data, "bin", memory, place_known=False, path=path)


def with_volume(memory: Memory, volume: FsVolume, tree: FileTree) -> Memory:
    """A changed file system back in its firmware's memory, complete: what it uses is all there, also blocks
    that are still erased (the other half of a metadata pair), so that nothing old shines through on a board.

    Raises: ImageError when the changed file system does not read back.
    """
    tree.check()
    blocks = dict(tree.steps())
    for offset in tree.used_blocks():
        if offset not in blocks and memory.get(volume.start + offset, tree.block_size) is None:
            blocks[offset] = memory.read(volume.start + offset, tree.block_size)
    start, run = -1, bytearray()
    for offset in [*sorted(blocks), -1]:
        if run and offset != start + len(run):
            memory = memory.replaced(volume.start + start, bytes(run))
            run = bytearray()
        if offset >= 0:
            start = start if run else offset
            run += blocks[offset]
    return memory
