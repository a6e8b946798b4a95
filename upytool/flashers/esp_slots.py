"""Slots for applications in the flash of an ESP32: which there are, and which one the bootloader starts.

Sources: ESP-IDF "Over The Air Updates" and `components/app_update/otatool.py` (what the two sectors of `otadata` mean).
"""

from __future__ import annotations

import struct
import zlib

from ..errors import FlashError, ImageError
from ..image.base import FirmwareImage
from ..image.esp_partitions import APP, DATA, SECTOR, TABLE_SIZE, Partition, PartitionTable, read_table
from ..image.memory import Memory

ENTRY = struct.Struct("<I20sII")  # sequence, label, state, CRC-32 of the sequence
# States of a slot. With the bootloader's rollback a new one is started once (NEW, then PENDING); unless its program
# says by then that it works (VALID), the next reset gives it up (ABORTED) and starts the other one.
NEW, PENDING, VALID, INVALID, ABORTED = 0, 1, 2, 3, 4
_OTA_DATA = 0x00


def device_table(data: bytes) -> PartitionTable | None:
    """The table in the 0xC00 bytes at flash offset 0x8000 of a device; None where there is none (or no more)."""
    try:
        return read_table(data[:TABLE_SIZE])
    except ImageError:
        return None


def running_slot(table: PartitionTable, otadata: bytes) -> Partition | None:
    """The application that the bootloader starts.

    Args:
        otadata: the two sectors of the partition `data, ota` (b"" where there is none): each begins with an entry,
            u32 sequence, 20 bytes, u32 state, u32 CRC-32 of the sequence. The highest valid sequence wins, and
            (sequence - 1) modulo the number of OTA slots is the slot. Without a valid entry: factory, or ota_0.
    """
    slots = sorted(
        (row for row in table.rows if row.type == APP and 0x10 <= row.subtype < 0x20), key=lambda row: row.subtype
    )
    sequence, _ = active(otadata[: ENTRY.size], otadata[SECTOR : SECTOR + ENTRY.size])
    if sequence and slots:
        return slots[(sequence - 1) % len(slots)]
    return table.first_app()


def active(*entries: bytes) -> tuple[int, int | None]:
    """(sequence, state) of the entry of `otadata` that counts; (0, None) where none is valid.

    Args:
        entries: the first ENTRY.size bytes of its sectors.
    """
    best: tuple[int, int | None] = (0, None)
    for entry in entries:
        if len(entry) < ENTRY.size:
            continue
        sequence, _, state, crc = ENTRY.unpack(entry)
        if sequence in (0, 0xFFFFFFFF) or state in (INVALID, ABORTED):
            continue
        if sequence > best[0] and zlib.crc32(struct.pack("<I", sequence), 0xFFFFFFFF) == crc:
            best = sequence, state
    return best


def ota_row(table: PartitionTable) -> Partition | None:
    """The partition with the two sectors that choose the slot."""
    return next((row for row in table.rows if row.type == DATA and row.subtype == _OTA_DATA), None)


def choose_slot(table: PartitionTable, otadata: bytes, name: str) -> Partition:
    """The partition for `name`: "running", or an application's label. Raises FlashError."""
    row = running_slot(table, otadata) if name == "running" else table.find(name)
    if row is None or row.type != APP:
        names = [each.label for each in table.rows if each.type == APP]
        raise FlashError("flash.esp-no-slot", name=name, slots=names or ["none"])
    return row


def slot_memory(image: FirmwareImage, row: Partition) -> Memory:
    """What is written where for an application in this slot. Raises ImageError when it does not fit."""
    if len(image.raw) > row.size:
        raise ImageError("image.esp-slot-too-small", size=len(image.raw), slot=row.label, room=row.size)
    return Memory.of([(row.offset, image.raw)])
