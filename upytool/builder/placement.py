"""Where in a firmware the modules of an "image" build can go: a ROMFS, or the file system of the first start.

Order of truth: what the firmware file says of itself, then the board table, then the user. Where none of them knows,
nothing is guessed: a file system a block beside its place is formatted by the first start, without a word.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from ..boards.catalogue import Board, get, split_name
from ..boards.layouts import LayoutError, layouts
from ..boards.layouts import Region as TableRow
from ..errors import BuildError, UpytoolError
from ..image.base import FirmwareImage
from ..image.esp import EspFirmware
from ..image.esp_partitions import DATA, TABLE_OFFSET, Partition
from ..image.identity import from_file_name, release_of
from ..image.memory import Memory
from ..image.volume import FsVolume, Region, default_kind, volumes
from ..words import Said
from .base import FsChoice, Recipe
from .own_region import against, check_region, own_region

_NUMBERS = re.compile(r"v?(\d+(?:\.\d+)*)")
FAT_SUBTYPE = 0x81  # what MicroPython's own tables give the row, whatever file system is in it
# Ports whose start looks what is in the region, and mounts either kind: stm32/main.c (init_flash_fs), nrf/main.c,
# esp32 and esp8266 modules/_boot.py. The others name the one kind that they mount.
_EITHER = ("stm32", "esp32", "esp8266", "nrf")
# The unit of erasing where writing a part of one may cost the rest: SAMD51 blocks, nRF52 pages, FlexSPI sectors.
_ERASE = {"samd51": 8192, "nrf51": 1024, "nrf": 4096, "mimxrt": 4096}


@dataclass(frozen=True)
class Place:
    """A region, and what is to be made in it.

    Attributes:
        kind: "romfs", "littlefs", "littlefs1" or "fat".
        source: who says so: "binary info", "partition table", "board table", "you", "content".
        segments: (address, size) where the region is in several pieces, else ().
        holds: what file system the firmware file has there already, "" for none.
        erase: the chip's unit of erasing where a file must fill it, else 1.
    """

    start: int
    size: int
    kind: str
    block_size: int | None
    source: str
    segments: tuple[tuple[int, int], ...] = ()
    holds: str = ""
    erase: int = 1

    @property
    def parts(self) -> tuple[tuple[int, int], ...]:
        """(address, size) of its pieces, one or more."""
        return self.segments or ((self.start, self.size),)

    def pieces(self, offset: int, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Where bytes of the file system lie in flash."""
        at = 0
        for address, size in self.parts:
            first, last = max(offset, at), min(offset + len(data), at + size)
            if first < last:
                yield address + first - at, data[first - offset : last - offset]
            at += size

    def whole(self, blocks: Iterable[tuple[int, bytes]]) -> dict[int, bytes]:
        """Blocks by address, with the rest of every unit of erasing, as FF."""
        out: dict[int, bytes] = {}
        for offset, data in blocks:
            out.update(self.pieces(offset, data))
        if self.erase == 1:
            return out
        memory = Memory.of(out.items())
        units: dict[int, bytes] = {}
        for address, size in self.parts:
            first = address - address % self.erase
            for unit in range(first, address + size, self.erase):
                start, end = max(unit, address), min(unit + self.erase, address + size)
                if memory.touches(start, end - start):
                    units[start] = memory.read(start, end - start)
        return units

    def read(self, memory: Memory) -> bytes:
        """All of the region, FF where the memory has nothing."""
        return b"".join(memory.read(address, size) for address, size in self.parts)

    def cleared(self, memory: Memory) -> Memory:
        """The memory without what is in the region."""
        for address, size in self.parts:
            memory = without(memory, address, size)
        return memory


@dataclass(frozen=True)
class Layout:
    """What is known of a firmware's flash.

    Attributes:
        romfs, filesystem: None where there is none or nobody knows.
        memory: the firmware's, ready to take them (an ESP32's table has a row for its file system).
        absent: the error of a build that needs the file system that there is not.
        notes: what a user should know of it.
    """

    romfs: Place | None
    filesystem: Place | None
    memory: Memory
    absent: BuildError
    notes: tuple[str, ...] = ()


def without(memory: Memory, address: int, size: int) -> Memory:
    """A memory without a range."""
    pieces = []
    for segment in memory:
        if segment.address < address:
            pieces.append((segment.address, segment.data[: max(0, address - segment.address)]))
        skip = max(0, address + size - segment.address)
        if segment.end > address + size:
            pieces.append((segment.address + skip, segment.data[skip:]))
    return Memory.of(pieces)


def board_of(image: FirmwareImage, recipe: Recipe) -> tuple[Board | None, str]:
    """(board, variant) of a firmware, from what it says, its official file name, and what the recipe says.

    Raises: BuildError when they disagree.
    """
    own = image.identity.build
    if recipe.board and own:
        base = own.partition("-")[0]
        if base.upper() != recipe.board.upper():
            raise BuildError("build.other-board", firmware=own, board=recipe.board)
    name = own or (f"{recipe.board}-{recipe.variant}" if recipe.variant else recipe.board)
    if not name:
        known = from_file_name(image.path)
        name = known[0] if known else ""
    if not name:
        return None, ""
    try:
        return split_name(name)
    except UpytoolError:  # a variant of its own, of a board that is known
        return get(name.partition("-")[0]), name.partition("-")[2]


def version_of(image: FirmwareImage, recipe: Recipe) -> str:
    """The firmware's MicroPython version: its own word, else the user's, else its official file name's; else "".

    Raises: BuildError when the firmware is of another release than the project asks for.
    """
    own = image.identity.version
    if own:
        if any(one != two for one, two in zip(_numbers(own), _numbers(recipe.version), strict=False)):
            raise BuildError("build.other-version", firmware=own, version=recipe.version)
        return own
    if recipe.version and release_of(recipe.version) is not None:
        return recipe.version
    known = from_file_name(image.path)
    return known[1] if known else ""


def _numbers(version: str) -> list[str]:
    """["1", "27"] of "v1.27"; [] of "latest" and the like."""
    found = _NUMBERS.match(version)
    return found[1].split(".") if found else []


def find_layout(image: FirmwareImage, recipe: Recipe, board: Board | None, variant: str, version: str) -> Layout:
    """The places of a firmware.

    Raises: BuildError where the user's own region can't be, or is not where the firmware itself says.
    """
    if recipe.region is None:
        return _find_layout(image, recipe, board, variant, version)
    check_region(image, recipe.region)
    own = _find_layout(image, recipe, board, variant, version)
    known = _find_layout(image, replace(recipe, region=None), board, variant, version)
    place = known.romfs if recipe.filesystem == "romfs" else known.filesystem
    return own if place is None or (place.start, place.size) == recipe.region else against(own, place)


def _find_layout(image: FirmwareImage, recipe: Recipe, board: Board | None, variant: str, version: str) -> Layout:
    rows, absent = _table(image, board, variant, version)
    regions = [Region(row.start, row.size or 0, row.name, row.kind, row.block_size, "board table") for row in rows]
    if recipe.region is not None:
        regions = [own_region(recipe, recipe.region, regions)]
    memory, notes = image.memory, []
    explicit = _explicit_row(image) if recipe.region is None else None
    if explicit is not None:
        memory, regions = explicit[0], [explicit[1], *regions]
        notes.append(f"a `vfs` row of {explicit[1].size >> 10} KiB was added to the partition table")
    # The ESP8266's file says nothing of its own: which address its rule begins at is the variant's matter.
    ruled = image.port == "esp8266" and bool(rows)
    if recipe.region is None:
        found = volumes(image, regions, flash_size=1 if ruled else None)
    else:  # the user's word goes over the file's
        found = [each for each in volumes(replace(image, port="", detail=None), regions) if each.source == "you"]
    found = [each for each in found if each.source != "content" or _complete(image, each)]
    if image.port == "esp8266" and recipe.region is None:
        found, absent = _esp8266(image, found, absent)
    romfs = next((each for each in found if _is_romfs(each, regions)), None)
    main = max((each for each in found if each is not romfs), key=lambda each: each.size, default=None)
    if romfs is not None and recipe.region is None and "VfsRom" not in image.identity.capabilities:
        romfs = None  # a partition that this firmware has no driver for
    return Layout(
        _place(image, romfs, "romfs", regions, rows) if romfs is not None else None,
        _place(image, main, _kind(image, main, regions), regions, rows) if main is not None else None,
        memory,
        absent,
        tuple(notes),
    )


def choose(layout: Layout, wanted: FsChoice, image: FirmwareImage) -> Place:
    """The place for the modules. Raises: BuildError where there is none, or none of this kind."""
    if wanted == "romfs":
        if layout.romfs is None:
            raise BuildError("build.no-romfs")
        return layout.romfs
    if wanted == "auto" and layout.romfs is not None:
        return layout.romfs
    return main_place(layout, wanted, image)


def main_place(layout: Layout, wanted: FsChoice, image: FirmwareImage) -> Place:
    """The file system of the first start, as the kind that is wanted ("auto": as the firmware would make it).

    Raises: BuildError.
    """
    place = layout.filesystem
    if place is None:
        raise layout.absent
    if wanted in ("auto", "romfs") or place.kind.startswith(wanted):
        return place
    driver = "VfsFat" if wanted == "fat" else "VfsLfs2"
    if place.source == "you" or (image.port in _EITHER and driver in image.identity.capabilities):
        block = None if image.port != "stm32" else place.block_size
        return replace(place, kind=wanted, block_size=block)
    names = {"fat": "FAT", "littlefs": "LittleFS", "littlefs1": "LittleFS"}
    raise BuildError("build.other-file-system", own=names[place.kind], wanted=names[wanted])


def check_room(image: FirmwareImage, place: Place) -> None:
    """Raises: BuildError when the firmware itself lies in the place, or the place outside of the flash."""
    if place.holds:
        return  # the file brings a file system of its own: it is replaced
    what = "ROMFS" if place.kind == "romfs" else "file system"
    for start, size in place.parts:
        over = 0
        for segment in image.memory:
            first, last = max(segment.address, start), min(segment.end, start + size)
            inside = segment.data[first - segment.address : last - segment.address] if first < last else b""
            if inside.strip(b"\xff"):
                over = max(over, len(inside.rstrip(b"\xff")))
        if over:
            raise BuildError("build.firmware-in-region", over=over, what=what, start=start)
    stated = stated_flash(image)
    end = max(start + size for start, size in place.parts)
    if stated is not None and end > stated:
        raise BuildError("build.outside-flash", what=what, end=end, size=stated >> 20)


def stated_flash(image: FirmwareImage) -> int | None:
    """The flash size that the header of an Espressif image states, in bytes; None for all others."""
    detail = image.detail
    if not isinstance(detail, EspFirmware):
        return None
    first = detail.bootloader or detail.app
    return first.flash_size if first is not None else None


def _complete(image: FirmwareImage, volume: FsVolume) -> bool:
    """Whether all of a file system is in the file: a dump's. A lone superblock says nothing of its region."""
    return image.memory.get(volume.start, volume.size) is not None


def _table(image: FirmwareImage, board: Board | None, variant: str, version: str) -> tuple[list[TableRow], BuildError]:
    """The board table's rows, and the error where there is no file system in the end."""
    if board is None:
        build = image.identity.build
        if build:
            return [], BuildError("build.layout-unknown", build=build, hint=Said("builder.say-where"))
        return [], BuildError("build.no-place", hint=Said("builder.name-board"))
    try:
        rows = layouts(board.id, variant, version, flash_size=stated_flash(image) or board.flash_size(variant))
    except LayoutError as error:
        return [], error.advise(Said("builder.region-says" if error.hints else "builder.say-where"))
    return [row for row in rows if row.size], BuildError("build.no-place", hint=Said("builder.say-where"))


def _explicit_row(image: FirmwareImage) -> tuple[Memory, Region] | None:
    """An ESP32 firmware from 1.26 on makes its file system at run time, up to the end of the flash that it finds. With
    a row of its own in the table the image fits whatever flash is there (esp32/main.c looks for `vfs` first)."""
    detail = image.detail
    if not isinstance(detail, EspFirmware) or detail.role != "firmware" or detail.table is None:
        return None
    release = image.identity.release
    table = detail.table
    if image.port != "esp32" or table.filesystem() is not None or (release is not None and release < (1, 26, 0)):
        return None
    size = detail.bootloader.flash_size if detail.bootloader is not None else None
    if size is None or size <= table.end:
        return None
    row = Partition("vfs", DATA, FAT_SUBTYPE, table.end, size - table.end)
    memory = image.memory.replaced(TABLE_OFFSET, table.with_row(row).to_bytes())
    return memory, Region(row.offset, row.size, "vfs", "littlefs", 4096, "partition table")


def _esp8266(image: FirmwareImage, found: list[FsVolume], absent: BuildError) -> tuple[list[FsVolume], BuildError]:
    """Its firmware looks how large the header says that the flash is. Official files say 1 MB, whatever the board
    has, and leave it to the flasher to put that right: such a region lies in the program, and is none."""
    stated = stated_flash(image)
    code = len(image.raw)
    kept = [
        each for each in found
        if each.kind or (each.start >= code and (stated is None or each.start + each.size <= stated))
    ]  # fmt: skip
    if kept or absent.code not in ("build.no-place", "build.layout.no-room"):
        return kept, absent
    return kept, BuildError("build.no-room-in-flash", size=(stated or 0) >> 20)


def _is_romfs(volume: FsVolume, regions: Iterable[Region]) -> bool:
    if volume.kind == "romfs" or volume.name.lower().startswith("romfs"):
        return True
    return any(region.kind == "romfs" and region.start == volume.start for region in regions)


def _kind(image: FirmwareImage, volume: FsVolume, regions: Iterable[Region]) -> str:
    for region in regions:
        if region.start == volume.start and region.kind:
            return region.kind
    if volume.kind in ("fat", "littlefs1"):
        return volume.kind
    return default_kind(image.port, image.identity.capabilities)


def _place(
    image: FirmwareImage, volume: FsVolume, kind: str, regions: Iterable[Region], rows: Iterable[TableRow]
) -> Place:
    block = next((region.block_size for region in regions if region.start == volume.start and region.block_size), None)
    segments: tuple[tuple[int, int], ...] = ()
    if volume.source == "board table":
        segments = next((row.segments for row in rows if row.start == volume.start and len(row.segments) > 1), ())
    chip = image.chip or image.port
    erase = next((size for name, size in _ERASE.items() if chip.startswith(name) or image.port == name), 1)
    return Place(volume.start, volume.size, kind, block, volume.source, segments, volume.kind, erase)
