"""A finished file opened as a board will open it, before anybody is told that it is done."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BuildError, ImageError
from ..image.base import FirmwareImage
from ..image.blocks import BytesBlocks
from ..image.esp import EspFirmware
from ..image.esp_partitions import TABLE_OFFSET, TABLE_SIZE
from ..image.memory import Memory
from ..image.volume import Region, volumes_on_flash
from .boot_rom import FLASH, after_drop
from .placement import Place, without


def check_image(data: bytes, base: FirmwareImage, parts: Mapping[Place, Mapping[str, bytes]], name: str) -> None:
    """Compare file by file, and the firmware byte by byte.

    Args:
        data: what is about to be written.
        base: the firmware that it was made of.
        parts: what each place is to hold.

    Raises: BuildError: it does not hold what was put in, which is a fault of ours.
    """
    image = FirmwareImage.read(data, name=name)
    image.require_valid()
    memory = image.memory
    if image.format == "uf2" and image.port == "rp2":
        ends = [part + size for place in parts for part, size in place.parts]
        size = max([2 << 20, *(end - FLASH for end in (*ends, base.memory.end))])
        memory = Memory.of([(FLASH, after_drop(data, size))])
    for place, files in parts.items():
        if files_in(place, memory) != dict(files):
            raise BuildError("build.readback")
    firmware = base.memory
    for place in parts:
        firmware = place.cleared(firmware)
    if isinstance(base.detail, EspFirmware) and base.detail.table is not None:
        firmware = without(firmware, TABLE_OFFSET, TABLE_SIZE)
    for segment in firmware:
        if memory.get(segment.address, len(segment.data)) != segment.data:
            raise BuildError("build.firmware-changed")


def files_in(place: Place, memory: Memory) -> dict[str, bytes]:
    """The files of a place, read from flash. Raises: BuildError where nothing can be mounted."""
    flash = place.read(memory)
    region = Region(0, place.size, "check", "", place.block_size or 0, "you")
    try:
        found = volumes_on_flash(BytesBlocks(flash).read, base=0, size=place.size, chip="", regions=[region])
        volume = next(each for each in found if each.start == 0)
        if volume.problem and place.kind != "romfs":
            raise BuildError("build.not-mountable", reason=volume.problem)
        return volume.open().files()
    except (ImageError, StopIteration) as error:
        raise BuildError("build.unreadable", cause=error) from error
