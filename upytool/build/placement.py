"""Where in a firmware the modules of an "image" build can go: a ROMFS, or the file system of the first start.

Order of truth: what the firmware file says of itself, then the board table, then the user. Where none of them knows,
nothing is guessed: a file system a block beside its place is formatted by the first start, without a word.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..boards.catalogue import Board, get, split_name
from ..boards.layouts import LayoutError, layouts
from ..errors import BuildError, UpytoolError
from ..image.base import FirmwareImage
from ..image.esp import EspFirmware
from ..image.esp_partitions import DATA, TABLE_OFFSET, Partition
from ..image.memory import Memory
from ..image.volume import FsVolume, Region, default_kind, volumes
from .base import FsChoice, Recipe

FAT_SUBTYPE = 0x81  # what MicroPython's own tables give the row, whatever file system is in it


@dataclass(frozen=True)
class Place:
    """A region, and what is to be made in it.

    Attributes:
        kind: "romfs", "littlefs", "littlefs1" or "fat".
        memory: the firmware's, ready to take it (an ESP32's table has a row for it).
        note: what a user should know of it, "" for nothing.
    """

    start: int
    size: int
    kind: str
    block_size: int | None
    source: str
    memory: Memory
    note: str = ""


@dataclass(frozen=True)
class Layout:
    """What is known of a firmware's flash.

    Attributes:
        romfs, filesystem: None where there is none or nobody knows.
        why: why there is no file system, a sentence.
    """

    romfs: Place | None
    filesystem: Place | None
    why: str = ""


def board_of(image: FirmwareImage, recipe: Recipe) -> tuple[Board | None, str]:
    """(board, variant) of a firmware, from what it says and what the recipe says.

    Raises: BuildError when they disagree.
    """
    own = image.identity.build
    if recipe.board and own:
        base = own.partition("-")[0]
        if base.upper() != recipe.board.upper():
            raise BuildError(
                f"the firmware is for {own}, the project for {recipe.board}",
                hint="name the board's own firmware, or mend `board`",
            )
    name = own or (f"{recipe.board}-{recipe.variant}" if recipe.variant else recipe.board)
    if not name:
        return None, ""
    try:
        return split_name(name)
    except UpytoolError:  # a variant of its own, of a board that is known
        return get(name.partition("-")[0]), name.partition("-")[2]


def find_layout(image: FirmwareImage, recipe: Recipe, board: Board | None, variant: str) -> Layout:
    """The places of a firmware. Raises: BuildError where the user's own region can't be."""
    version = image.identity.version or recipe.version
    regions, why = _table(board, variant, version)
    if recipe.region is not None:
        start, size = recipe.region
        regions = [Region(start, size, "flash", "", 0, "you")]
    memory = image.memory
    explicit = _explicit_row(image) if recipe.region is None else None
    if explicit is not None:
        memory, regions = explicit[0], [explicit[1], *regions]
    found = volumes(image, regions)
    names = set(image.identity.capabilities)
    romfs = next((each for each in found if _is_romfs(each, regions)), None)
    others = [each for each in found if each is not romfs]
    if recipe.region is not None:
        others = [each for each in others if each.source == "you"]
    main = max(others, key=lambda each: each.size, default=None)
    return Layout(
        _place(romfs, "romfs", regions, memory, "") if romfs is not None and "VfsRom" in names else None,
        _place(main, _kind(image, main, regions), regions, memory, _note(explicit)) if main is not None else None,
        why or "this firmware does not say where its file system is, and its board is not in the table",
    )


def choose(layout: Layout, wanted: FsChoice) -> Place:
    """The place for the modules. Raises: BuildError where there is none."""
    if wanted == "romfs":
        if layout.romfs is None:
            raise BuildError(
                "this firmware has no ROMFS",
                hint='filesystem = "auto" takes its file system; a "source" build can give it a ROMFS',
            )
        return layout.romfs
    if wanted == "auto" and layout.romfs is not None:
        return layout.romfs
    if layout.filesystem is None:
        raise BuildError(layout.why, hint="say where it is: --region START:SIZE, if you know it")
    return layout.filesystem


def check_room(image: FirmwareImage, place: Place) -> None:
    """Raises: BuildError when the firmware itself lies in the place."""
    for segment in image.memory:
        if segment.address < place.start + place.size and place.start < segment.end:
            inside = segment.data[max(0, place.start - segment.address) : place.start + place.size - segment.address]
            if inside.strip(b"\xff"):
                over = min(segment.end, place.start + place.size) - max(segment.address, place.start)
                raise BuildError(
                    f"the firmware reaches {over} bytes into the file system's region at {place.start:#x}",
                    hint="this firmware and this layout do not go together: take the board's official firmware",
                )


def _table(board: Board | None, variant: str, version: str) -> tuple[list[Region], str]:
    if board is None or not version:
        return [], ""
    try:
        rows = layouts(board.id, variant, version, flash_size=board.flash_size(variant))
    except LayoutError as error:
        return [], error.message
    return [
        Region(row.start, row.size, row.name, row.kind, row.block_size, "board table")
        for row in rows
        if row.size and len(row.segments) < 2
    ], ""


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


def _note(explicit: tuple[Memory, Region] | None) -> str:
    if explicit is None:
        return ""
    return f"a `vfs` row of {explicit[1].size >> 10} KiB was added to the partition table"


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


def _place(volume: FsVolume, kind: str, regions: Iterable[Region], memory: Memory, note: str) -> Place:
    block = next((region.block_size for region in regions if region.start == volume.start and region.block_size), None)
    return Place(volume.start, volume.size, kind, block, volume.source, memory, note)
