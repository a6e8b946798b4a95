"""What becomes of the files: where the file system lies now, where the new firmware will look for it.

Who says where: the "binary info" of RP2040 and RP2350 programs (ports/rp2/rp2_flash.c), the partition table of
Espressif's chips (ports/esp32/main.c), the board table for the others (their linker scripts).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from ..errors import FlashError, ImageError, UpytoolError
from ..events import NULL, Reporter
from ..image.base import FirmwareImage
from ..image.chips import ESP_BY_NAME
from ..image.esp import EspFirmware
from ..image.esp_partitions import TABLE_OFFSET, TABLE_SIZE, PartitionTable, read_table
from ..image.memory import Memory, Segment
from ..image.rp2_binary_info import FLASH, BinaryInfo, read_binary_info
from .base import Chip, FileSystem, FlashTarget, FsEffect, Loader

NOWHERE = -1  # FileSystem.start where only the size is known
_PAGE = 4096
_MAX_RP2 = 16 << 20


@dataclass(frozen=True, slots=True)
class Effect:
    """What a run does to the files.

    Attributes:
        effect: see base.FsEffect.
        note: a sentence for people, without a full stop.
        loses: whether files that may be there are lost, so that somebody has to say yes.
        old, new: the file systems that were compared, None where not known.
    """

    effect: FsEffect
    note: str
    loses: bool = False
    old: FileSystem | None = None
    new: FileSystem | None = None


# -- where it is ----------------------------------------------------------------------------------


def of_image(image: FirmwareImage, flash_size: int | None = None) -> tuple[FileSystem, ...]:
    """The file systems that this firmware will use, as far as the file tells.

    Args:
        flash_size: of the very chip; some firmware uses what is left of it.
    """
    if image.port == "rp2":
        return of_binary_info(image.binary_info)
    if isinstance(image.detail, EspFirmware) and image.detail.table is not None:
        return of_table(image.detail.table, flash_size)
    return ()


def of_binary_info(info: BinaryInfo | None) -> tuple[FileSystem, ...]:
    found = info.filesystem if info is not None else None
    return () if found is None else (FileSystem(found.address, found.size, "littlefs", "binary info"),)


def of_table(table: PartitionTable, flash_size: int | None = None) -> tuple[FileSystem, ...]:
    row = table.filesystem(flash_size)
    if row is None:
        return ()
    return (FileSystem(row.offset, row.size, "fat" if row.label == "ffat" else "littlefs", "partition table"),)


def of_board(board: str, version: str, flash_size: int | None = None) -> tuple[FileSystem, ...]:
    """What the board table says; () where it does not.

    Args:
        board: BOARD[-VARIANT].
        version: of the firmware, "1.28.0".
    """
    name, _, variant = board.partition("-")
    if not name or not version:
        return ()
    from ..boards.layouts import layouts

    try:
        found = layouts(name, variant, version, flash_size=flash_size)
    except UpytoolError:  # a layout that is not known, or files on a chip of their own
        return ()
    return tuple(
        FileSystem(each.start, each.size, each.kind, "board table")
        for each in found
        if each.kind != "romfs" and each.size is not None
    )


def located(target: FlashTarget) -> tuple[FileSystem, ...]:
    """The file systems of a running board; a start that its REPL cannot tell comes from the board table."""
    name = "-".join(filter(None, (target.board, target.variant)))
    known = target.filesystems
    if not known:
        return ()
    if all(each.start != NOWHERE for each in known):
        return known
    table = {each.size: each for each in of_board(name, target.version)}
    return tuple(table.get(each.size, each) if each.start == NOWHERE else each for each in known)


def on_chip(loader: Loader) -> tuple[FileSystem, ...] | None:
    """The file systems of the firmware that is on the chip now, read through its bootloader.

    Returns: None where this bootloader or this chip does not tell; () where there is no such firmware.
    """
    chip = loader.chip
    if "read" not in loader.abilities:
        return None
    try:
        if chip.name.startswith("rp2"):
            return of_binary_info(program_info(loader))
        if chip.name.startswith("esp32"):
            return of_table(read_table(loader.read(TABLE_OFFSET, TABLE_SIZE)), chip.flash_size)
    except ImageError:
        return ()
    except FlashError:
        return None  # the chip does not let itself be read; writing may still be allowed
    return None


def program_info(loader: Loader) -> BinaryInfo | None:
    """What the program on an RP2040 or RP2350 says of itself; None where it says nothing."""
    return read_binary_info(cast(Memory, _Flash(loader)))


def firmware_on_chip(loader: Loader, *, reporter: Reporter = NULL) -> FirmwareImage:
    """The firmware in a chip's flash, read through its bootloader: what `firmware inspect` looks at.

    RP2040 and RP2350 say where their program ends, an ESP32's partition table where its application's partition does;
    of other chips the whole flash is read.

    Raises: FlashError where the flash cannot be read or nothing tells how large it is; ImageError for no firmware.
    """
    chip = loader.chip
    base, end = chip.flash_base, None if chip.flash_size is None else chip.flash_base + chip.flash_size
    if "read" not in loader.abilities:
        raise FlashError("flash.cannot-read", flasher=loader.flasher)
    if chip.name.startswith("rp2"):
        info = program_info(loader)
        end = (info.binary_end if info is not None else None) or end
    elif chip.name in ESP_BY_NAME:
        base = ESP_BY_NAME[chip.name].bootloader
        if chip.name != "esp8266":
            first = read_table(loader.read(TABLE_OFFSET, TABLE_SIZE)).first_app()
            end = first.end if first is not None else end
    if end is None:
        raise FlashError("flash.size-unknown")
    data = loader.read(base, end - base, reporter=reporter, label="reading")
    return FirmwareImage.read(data, name="the board's flash")


class _Flash:
    """As much of Memory as read_binary_info needs, read from the chip page by page when asked for."""

    def __init__(self, loader: Loader) -> None:
        self._loader, self._pages = loader, dict[int, bytes]()
        self._end = FLASH + (loader.chip.flash_size or _MAX_RP2)
        self.segments = (Segment(FLASH, self._page(FLASH)),)

    def __len__(self) -> int:
        return 1

    def _page(self, address: int) -> bytes:
        page = self._pages.get(address)
        if page is None:
            page = self._pages[address] = self._loader.read(address, _PAGE)
        return page

    def find(self, address: int) -> Segment | None:
        return self.segments[0] if address == FLASH else None

    def get(self, address: int, size: int) -> bytes | None:
        if address < FLASH or size < 0 or address + size > self._end:
            return None
        first = address // _PAGE * _PAGE
        data = b"".join(self._page(each) for each in range(first, address + size, _PAGE))
        return data[address - first : address - first + size]


# -- what becomes of it ---------------------------------------------------------------------------


def effect(
    old: Sequence[FileSystem] | None,
    new: Sequence[FileSystem],
    touched: Iterable[tuple[int, int]],
    *,
    erase: str = "changed",
    runs: bool = True,
    has_image: bool = True,
) -> Effect:
    """Judge by the two layouts.

    Args:
        old: of the firmware on the board; () where it has none, None where nobody can tell.
        new: of the firmware that comes; () where it does not tell.
        touched: (address, size) that is erased or written.
        erase: "all", "fs" or "changed".
        runs: whether firmware is known to be on the board (else unknown files are not talked about).
        has_image: whether it is firmware that comes; else bytes as they are.
    """
    before = old[0] if old else None
    after = new[0] if new else None
    if erase == "all":
        note = "the whole flash is erased, all files with it"
        return Effect("erased", note, before is not None or runs, before, after)
    if erase == "fs":
        note = "the file system is erased; the board makes a new one when it starts"
        return Effect("erased", note, before is not None or runs, before, after)
    if before is None:
        if old is not None or not runs:
            return Effect("none", "there are no files on the board", False, None, after)
        return Effect("unknown", "where the board keeps its files is not known, so they may be lost", True, None, after)
    if before.start != NOWHERE:
        hit = next((each for each in touched if each[0] < before.end and before.start < sum(each)), None)
        if hit is not None:
            what = "the firmware" if has_image else "what the file holds"
            note = f"{what} is written over the file system ({place(before)})"
            return Effect("overwritten", note, True, before, after)
    if after is None:
        note = f"the file system ({place(before)}) is not touched"
        if not has_image:
            return Effect("kept", note, False, before, None)
        note += "; whether the new firmware looks for it there, its file does not say"
        return Effect("unknown", note, False, before, None)
    if before.start == NOWHERE:
        same = before.size == after.size
    else:
        same = (before.start, before.size) == (after.start, after.size)
    if same:
        return Effect("kept", f"the file system stays as it is ({place(after)})", False, before, after)
    return Effect(
        "moved",
        f"the new firmware looks for the file system elsewhere ({place(before)} now, {place(after)} then): "
        "it makes a new, empty one",
        True,
        before,
        after,
    )


def place(fs: FileSystem) -> str:
    """ "1408 KiB at 0x100a0000"."""
    size = f"{fs.size // 1024} KiB" if fs.size % 1024 == 0 else f"{fs.size} bytes"
    return size if fs.start == NOWHERE else f"{size} at {fs.start:#x}"


def with_chip(target: FlashTarget, chip: Chip) -> FlashTarget:
    """The target with what its bootloader added."""
    return replace(
        target, chip=target.chip if same_chip(target.chip, chip.name) and target.chip else chip.name,
        unique_id=target.unique_id or chip.unique_id,
    )  # fmt: skip


# Names that stand for all chips of a maker's family; Espressif's "esp32" is a chip of its own.
_FAMILIES = ("stm32", "nrf", "mimxrt", "rp2", "samd", "ra")


def same_chip(one: str, other: str) -> bool:
    """Whether two names can mean one chip; "" is any chip, "stm32" is any STM32."""
    if not one or not other or one == other:
        return True
    short, long = sorted((one, other), key=len)
    return any(short.startswith(name) for name in _FAMILIES) and long.startswith(short)
