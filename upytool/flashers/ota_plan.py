"""Flashing an ESP32 by its running MicroPython: what a run would do, as a value, and why it cannot be.

An ESP32 with OTA slots holds two applications. A new one goes into the slot that does not run, from the REPL, so that a
wireless board needs no cable, and the old one stays where it is until the new one has answered. Bootloader, partition
table and file system are the board's own and stay so.

Sources: ESP-IDF "Over The Air Updates" and `esp_image_verify`; MicroPython's docs/library/esp32.rst (Partition).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from ..device.slots import HEAD, SlotRow, Slots
from ..errors import FlashError, ImageError, UsageError
from ..image.base import FirmwareImage
from ..image.esp import EspFirmware, EspImage
from ..image.esp_partitions import APP, DATA, ROMFS, Partition, PartitionTable
from ..words import Said
from . import layout
from .base import FileSystem, FlashPlan, FlashTarget
from .esp_plan import SECTOR, why_not
from .esp_slots import NEW, PENDING, active, ota_row
from .planning import RAW, Request, image_board, keep_or_refuse
from .select import board_doubt, require_fit
from .steps import Step

NAME = "ota"
_FILES = (0x81, 0x82, 0x83, ROMFS)  # subtypes of partitions with file systems
_OWN_PLACE = (1, 26, 0)  # from here on MicroPython makes a file system without a row in the table


@dataclass(frozen=True, slots=True)
class Application:
    """The application of a firmware file, without what surrounds it there."""

    data: bytes
    image: EspImage


def application(image: FirmwareImage) -> Application:
    """Cut the application out of an ESP32's firmware.bin, or take it from a file that holds nothing else (.app-bin).

    Raises: ImageError where the file holds none.
    """
    reason = why_not(image)
    if reason:
        raise ImageError("image.esp-not-accepted", reason=reason)
    firmware = image.detail
    assert isinstance(firmware, EspFirmware)
    app = firmware.app
    if app is None or app.app is None:
        raise ImageError("image.no-esp-application")
    return Application(image.raw[app.offset : app.offset + app.length], app)


def check_request(request: Request) -> None:
    """Refuse what only a bootloader can do. Raises: UsageError."""
    options = request.options
    given = {
        "--erase": request.erase == "all",
        "--erase-fs": request.erase == "fs",
        "--at": request.raw,
        "--slot": bool(options.slot),
        "--flash-size": options.flash_size != "keep",
        "--flash-mode": options.flash_mode != "keep",
        "--layout": bool(options.layout),
        "--no-stub": not options.stub,
    }
    for flag, is_given in given.items():
        if is_given:
            raise UsageError("usage.ota-flag", flag=flag)
    if not options.verify:
        raise UsageError("usage.ota-no-verify")
    if not request.wait and not request.verify_only:
        raise UsageError("usage.ota-no-wait")
    if request.backup.lower().endswith(RAW):
        raise UsageError("usage.ota-whole-backup")


def table_of(slots: Slots) -> PartitionTable:
    """The board's partition table."""
    return PartitionTable(
        tuple(Partition(row.label, row.type, row.subtype, row.address, row.size) for row in slots.rows)
    )


def unconfirmed(slots: Slots) -> bool:
    """Whether a reset would give up the slot that the board starts, as nothing said yet that it works."""
    return active(slots.otadata[:32], slots.otadata[32:])[1] in (NEW, PENDING)


def kept(slots: Slots) -> bool:
    """Whether every reset starts the slot that runs."""
    return slots.boot == slots.running.address and not unconfirmed(slots)


def refusal(target: FlashTarget) -> str | Said:
    """Why this board cannot be flashed from its REPL; "" where it can."""
    slots = target.slots
    if slots is None:
        return Said("flash.ota-refusal.not-esp32")
    table = table_of(slots)
    count = sum(row.type == APP and 0x10 <= row.subtype < 0x20 for row in table.rows)
    if not count or ota_row(table) is None:
        return Said("flash.ota-refusal.no-slots")
    if slots.next is None:
        return Said("flash.ota-refusal.one-slot")
    if slots.next.encrypted or slots.running.encrypted:
        return Said("flash.ota-refusal.encrypted")
    if slots.signed:
        return Said("flash.ota-refusal.signed")
    return ""


def require_slots(target: FlashTarget) -> None:
    """Raises: FlashError for a board that `refusal` says something of."""
    reason = refusal(target)
    if not reason:
        return
    if "://" in target.address:
        hint = Said("flash.hint.ota-by-usb")
    else:
        hint = Said("flash.hint.ota-without-tool")
    raise FlashError("flash.cannot-over-the-air", name=target.name, reason=reason, hint=hint)


def plan(
    target: FlashTarget,
    image: FirmwareImage,
    request: Request | None = None,
    *,
    runs: bool = False,
    name: str = "",
    sha256: str = "",
) -> FlashPlan:
    """What `ota.apply` would do. Nothing is opened.

    Args:
        target: of `ota.identify`.
        runs: what `ota.runs` says: the board runs this very application, and at most its confirmation is missing.
        name: how to call the image, its file's name unless given.

    Raises: FlashError, ImageError, UsageError: it cannot work.
    """
    request = request or Request()
    check_request(request)
    require_slots(target)
    slots = target.slots
    assert slots is not None
    assert slots.next is not None
    require_fit(target, image)
    app = application(image)
    row = None if runs or request.verify_only else slots.next
    _check(app, image, slots, row)
    files = layout.Effect("kept", "nothing is written")
    if row is not None:
        touched = (row.address, -(-len(app.data) // SECTOR) * SECTOR)
        files = layout.effect(target.filesystems, _filesystems(image, slots), [touched])
    keep_or_refuse(request, files)
    return FlashPlan(
        target=target,
        image=image,
        image_name=name or os.path.basename(image.path) or "firmware",
        sha256=sha256,
        flasher=NAME,
        way_in="",
        segments=((row.address, len(app.data)),) if row is not None else (),
        erase="changed",
        fs_effect=files.effect,
        fs_note=files.note,
        warnings=tuple(_warnings(target, image, slots, request, row)),
        asks=(files.note,) if files.loses and files.effect in ("moved", "overwritten") else (),
        steps=tuple(_steps(slots, request, row)),
        slot=row.label if row is not None else "",
    )


def same_build(image: FirmwareImage, slots: Slots) -> bool:
    """Whether the application that runs begins as this one does: its head holds the SHA-256 of the program's ELF."""
    data = application(image).data[:HEAD]
    return slots.head[: len(data)] == data


def _check(app: Application, image: FirmwareImage, slots: Slots, row: SlotRow | None) -> None:
    """Refuse what cannot run there, or not fit `row`, where one is written. Raises: ImageError."""
    if image.identity.implementation != "MicroPython":
        raise ImageError("image.ota-not-micropython")
    if row is not None and len(app.data) > row.size:
        raise ImageError("image.ota-slot-too-small", size=len(app.data), slot=row.label, room=row.size)
    stated = app.image.flash_size
    if stated is not None and 0 < slots.flash_size < stated:
        raise ImageError("image.ota-flash-size", stated=stated, size=slots.flash_size)


def _filesystems(image: FirmwareImage, slots: Slots) -> tuple[FileSystem, ...]:
    """Where the new firmware will look for its files: in the table that the board has."""
    release = image.identity.release
    makes_one = slots.flash_size and (release is None or release >= _OWN_PLACE)
    return layout.of_table(table_of(slots), slots.flash_size if makes_one else None)


def _warnings(
    target: FlashTarget, image: FirmwareImage, slots: Slots, request: Request, row: SlotRow | None
) -> Iterator[str]:
    doubt = board_doubt(target, image, image_board(image))
    if doubt:
        yield doubt
    if not request.verify_only and not kept(slots):
        why = "the running firmware was never confirmed"
        if slots.boot != slots.running.address:
            why = "the next reset would start another firmware than the running one"
        yield f"{why}: this confirms it" + (f", and replaces the one in {row.label}" if row is not None else "")
    if row is None:
        return
    firmware = image.detail
    if not isinstance(firmware, EspFirmware) or firmware.table is None:
        return
    for part in firmware.table.rows:
        size = min(part.size, image.end - part.offset)
        if (
            part.type == DATA
            and part.subtype in _FILES
            and size > 0
            and image.memory.read(part.offset, size).strip(b"\xff")
        ):
            yield f"the file's content for the partition {part.label} is not written over the air"
    if _has_romfs(firmware.table) and not _has_romfs(table_of(slots)):
        yield "the firmware is built for a board with a ROMFS partition, which this board does not have"


def _has_romfs(table: PartitionTable) -> bool:
    return any(row.type == DATA and row.subtype == ROMFS for row in table.rows)


def _steps(slots: Slots, request: Request, row: SlotRow | None) -> Iterator[Step]:
    if request.backup:
        yield Step("save-files", path=request.backup)
    if request.verify_only:
        yield Step("compare", by=NAME, slot=slots.running.label)
        return
    if not kept(slots):
        yield Step("confirm", slot=slots.running.label)
    if row is None:
        return
    yield Step("write", by=NAME, slot=row.label)
    yield Step("read-back")
    yield Step("start")
    yield Step("ask-version")
    yield Step("confirm", slot=row.label)
