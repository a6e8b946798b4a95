"""The region that a user names for the file system: only where neither the firmware nor the board table says another.

A region beside the one that a firmware looks in is formatted by its first start, without a word.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import BuildError
from ..image.base import FirmwareImage
from ..image.volume import Region
from .base import Recipe

if TYPE_CHECKING:
    from .placement import Layout, Place

_SECTORS = {"rp2": 4096, "esp32": 4096, "esp8266": 4096, "mimxrt": 4096}  # others: 256, what the least of them program
_LARGEST = 256 << 20  # bytes: more than any chip's flash
_WHERE = {"rp2": (0x10000000, 0x12000000)}  # what a chip maps of its flash


def check_region(image: FirmwareImage, region: tuple[int, int]) -> None:
    """Raises: BuildError when there can be no file system."""
    start, size = region
    low, high = _WHERE.get(image.port, (0, 1 << 32))
    if not 0 < size <= _LARGEST or start < low or start + size > high:
        raise BuildError("build.region-nowhere", size=size, start=start)
    unit = _SECTORS.get(image.port, 256)
    if start % unit or size % unit:
        raise BuildError("build.region-sectors", size=size, start=start, unit=unit)


def own_region(recipe: Recipe, region: tuple[int, int], regions: list[Region]) -> Region:
    """It, with what is known of the one that begins there."""
    start, size = region
    for known in regions:
        if known.start == start and known.kind != "romfs":
            return Region(start, size, known.name, known.kind, known.block_size, "you")
    return Region(start, size, "flash", "romfs" if recipe.filesystem == "romfs" else "", 0, "you")


def against(layout: Layout, place: Place) -> Layout:
    """The user's layout beside another place that is known: with a note, where the board table says so.

    Raises: BuildError where the firmware itself does.
    """
    where = f"{place.start:#x}, {place.size:#x} bytes"
    if place.source in ("binary info", "partition table"):
        raise BuildError("build.region-elsewhere", where=where)
    note = f"the board table has the file system at {where}: if the firmware does as well, it formats what is made here"
    return replace(layout, notes=(*layout.notes, note))
