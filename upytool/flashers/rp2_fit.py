"""Whether an image fits an RP2040 or RP2350, and where it goes on a chip with a partition table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..errors import FlashError, ImageError
from ..image.base import FirmwareImage
from ..image.chips import ABSOLUTE, DATA, family
from ..image.memory import Memory
from ..image.uf2 import Uf2File
from ..protocol import picoboot as p
from .base import Chip

CYW43 = 0xE48BFF55  # UF2 family of the radio's firmware, which has a partition of its own
_RAM, _RAM_END = 0x20000000, 0x20100000
SMALLEST = 1 << 20  # no board with MicroPython has a smaller flash


@dataclass(frozen=True, slots=True)
class Placement:
    """What of an image is written where.

    Attributes:
        memory: at the addresses of this very chip.
        start: of the flash, or of the partition: the sector without which nothing starts.
        partition: None where the chip has no partition table.
        warnings: a sentence each.
    """

    memory: Memory
    start: int
    partition: p.Partition | None
    warnings: list[str]


def place(image: FirmwareImage, chip: Chip, info: Callable[[int, int], bytes]) -> Placement:
    """Find the place of an image.

    Args:
        info: an RP2350's GET_INFO: kind and parameter to the ROM's answer.

    Raises: FlashError for another chip's firmware, or one that is too large; ImageError for damage.
    """
    image.require_valid()
    memory, owner = _part_for(image, chip)
    if not memory:
        raise ImageError("image.rp2-nothing-for-flash")
    partition = _partition(owner, info) if chip.name == "rp2350" and owner != ABSOLUTE else None
    start, warnings = p.FLASH_BASE, []
    if partition is not None:
        start = p.FLASH_BASE if partition.number is None else partition.start
        memory = _shifted(memory, partition)
        where = "outside of the partitions" if partition.number is None else f"into partition {partition.number}"
        warnings.append(
            f"this chip has a partition table: the firmware goes {where}, to {start:#x}; "
            "MicroPython's own builds expect no table, and may look for their file system elsewhere"
        )
    elif memory.start != p.FLASH_BASE:
        warnings.append(f"the image begins at {memory.start:#x}, not at the start of flash: alone it does not start")
    _inside(memory, chip)
    if chip.flash_size is None and memory.end > p.FLASH_BASE + SMALLEST:
        warnings.append(
            f"an empty flash does not tell its size: this firmware needs {-(-(memory.end - p.FLASH_BASE) // 1024)} KiB"
        )
    return Placement(memory, start, partition, warnings)


def _part_for(image: FirmwareImage, chip: Chip) -> tuple[Memory, int]:
    """What of the image is for this chip, and its UF2 family (0 where it is not known)."""
    name = chip.name.upper()
    groups = image.detail.groups if isinstance(image.detail, Uf2File) else ()
    owners = {each.family for each in groups if each.family is not None and each.family not in (ABSOLUTE, DATA)}
    mine = [each for each in groups if each.family is not None and family(each.family).chip == chip.name]
    kinds = {each.family for each in mine if each.family is not None}
    if len(owners) > 1 and kinds:
        if len(kinds) > 1:  # Arm and RISC-V at one place: which one is the board's matter
            raise FlashError("flash.rp2-two-architectures")
        return Memory.of((part.address, part.data) for each in mine for part in each.memory), kinds.pop()
    if image.port not in ("rp2", ""):
        raise FlashError("flash.rp2-other-port", chip=image.chip or image.port, board_chip=name)
    if image.chip and image.chip != chip.name:
        raise FlashError("flash.rp2-other-chip", chip=image.chip.upper(), board_chip=name)
    if CYW43 in owners:
        raise FlashError("flash.rp2-radio-firmware")
    if owners:
        return image.memory, owners.pop()
    return image.memory, image.families[0] if image.families else image.uf2_family or 0


def _partition(owner: int, info: Callable[[int, int], bytes]) -> p.Partition | None:
    """Where a family goes on a chip with a partition table; None where there is no table."""
    present, _ = p.decode_table(info(p.INFO_PARTITION_TABLE, p.TABLE_SUMMARY | p.TABLE_LOCATIONS))
    if not present:
        return None
    target = p.decode_target(info(p.INFO_UF2_TARGET, owner))
    if target is None:
        raise FlashError("flash.rp2-no-partition", family=str(family(owner)))
    return target


def _shifted(memory: Memory, partition: p.Partition) -> Memory:
    """An image made for the start of flash, at its partition: the chip maps it back when it runs."""
    if partition.number is None:
        return memory
    offset = partition.start - p.FLASH_BASE
    moved = Memory.of((each.address + offset, each.data) for each in memory)
    over = moved.end - partition.start - partition.size
    if over > 0:
        raise FlashError("flash.rp2-partition-too-small", over=over, room=partition.size >> 10)
    return moved


def _inside(memory: Memory, chip: Chip) -> None:
    end = p.FLASH_BASE + (chip.flash_size or p.FLASH_WINDOW)
    if memory.start >= p.FLASH_BASE and memory.end <= end:
        return
    if _RAM <= memory.start < _RAM_END:
        raise FlashError("flash.rp2-ram-image")
    if chip.flash_size is not None and p.FLASH_BASE <= memory.start < p.FLASH_BASE + p.FLASH_WINDOW:
        raise FlashError(
            "flash.rp2-too-large", needed=-(-(memory.end - p.FLASH_BASE) // 1024), room=chip.flash_size >> 10
        )
    raise ImageError("image.rp2-outside-flash", start=memory.start, end=memory.end)
