"""Which erase units of flash a piece of memory touches, which of them differ, and what to write. Pure, no I/O.

Flash is erased in units (RP2: 4 KiB; STM32: 2 KiB to 256 KiB, mixed). Where an image covers a unit in part, the
rest of the unit is something else: the tail behind the firmware, or, on boards whose file system begins in the same
unit, files. So a unit that is rewritten keeps the flash's own old bytes wherever the image has none, and is not
padded with zeros. That needs the old bytes, so partly covered units are read even when all is written anew.

Shared by PICOBOOT and DfuSe.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import FlashError, ImageError
from ..image.memory import Memory

Range = tuple[int, int]  # address, size


@dataclass(frozen=True, slots=True)
class Zone:
    """Flash with erase units of one size.

    Attributes:
        address, size: bytes; size is a multiple of unit.
        unit: bytes that are erased together.
        readable, erasable, writable: what the bootloader allows there.
    """

    address: int
    size: int
    unit: int
    readable: bool = True
    erasable: bool = True
    writable: bool = True

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Unit:
    """One erase unit; `readable` as its zone."""

    address: int
    size: int
    readable: bool = True

    @property
    def end(self) -> int:
        return self.address + self.size


@dataclass(frozen=True, slots=True)
class Change:
    """A unit that is to be erased, and the whole of its new content."""

    unit: Unit
    data: bytes


def join(ranges: Iterable[Range]) -> list[Range]:
    """Sorted, with neighbours and overlaps joined."""
    out: list[Range] = []
    for address, size in sorted(ranges):
        if out and address <= out[-1][0] + out[-1][1]:
            first, length = out[-1]
            out[-1] = (first, max(length, address + size - first))
        elif size > 0:
            out.append((address, size))
    return out


def split(ranges: Iterable[Range], limit: int) -> list[Range]:
    """The same ranges in parts of at most `limit` bytes, cut at multiples of it."""
    out = []
    for address, size in ranges:
        end = address + size
        while address < end:
            stop = min(end, (address // limit + 1) * limit)
            out.append((address, stop - address))
            address = stop
    return out


def units_of(zones: Sequence[Zone], ranges: Iterable[Range]) -> list[Unit]:
    """The units that the ranges touch, sorted, each once.

    Raises: ImageError for a byte that is in no zone.
    """
    found: dict[int, Unit] = {}
    for address, size in ranges:
        at, end = address, address + size
        while at < end:
            zone = next((each for each in zones if each.address <= at < each.end), None)
            if zone is None:
                raise ImageError("image.outside-flash", address=at)
            stop = min(end, zone.end)
            start = zone.address + (at - zone.address) // zone.unit * zone.unit
            for each in range(start, stop, zone.unit):
                found.setdefault(each, Unit(each, zone.unit, zone.readable))
            at = stop
    return [found[key] for key in sorted(found)]


def aligned(zones: Sequence[Zone], address: int, size: int) -> list[Unit]:
    """The units of a range that begins and ends with one.

    Raises: FlashError for another range, or one that cannot be erased.
    """
    if size <= 0:
        raise FlashError("flash.erase-nothing")
    try:
        units = units_of(zones, [(address, size)])
    except ImageError:
        raise FlashError("flash.outside-flash", start=address, stop=address + size) from None
    if units[0].address != address or units[-1].end != address + size:
        raise FlashError(
            "flash.erase-part-of-sectors", end=units[-1].end, start=address, stop=address + size, first=units[0].address
        )
    _allow(zones, units, "erasable")
    return units


def _allow(zones: Sequence[Zone], units: Iterable[Unit], right: str) -> None:
    words = {"erasable": "erased", "writable": "written"}
    for unit in units:
        zone = next(each for each in zones if each.address <= unit.address < each.end)
        if not getattr(zone, right):
            raise FlashError("flash.sector-forbids", address=unit.address, access=words[right])


@dataclass(frozen=True)
class SectorPlan:
    """What writing `memory` comes to.

    Attributes:
        units: the erase units that it touches, in order.
        partial: addresses of those that it covers in part.
    """

    memory: Memory
    units: tuple[Unit, ...]
    partial: frozenset[int]

    @classmethod
    def of(cls, zones: Sequence[Zone], memory: Memory) -> SectorPlan:
        """Raises: ImageError (outside of the zones), FlashError (a zone that may not be written)."""
        units = units_of(zones, ((each.address, len(each.data)) for each in memory))
        _allow(zones, units, "erasable")
        _allow(zones, units, "writable")
        partial = frozenset(each.address for each in units if memory.get(each.address, each.size) is None)
        return cls(memory, tuple(units), partial)

    @property
    def ranges(self) -> list[Range]:
        """The units, joined."""
        return join((each.address, each.size) for each in self.units)

    def reads(self, *, whole: bool = False) -> list[Range]:
        """What must be read before anything can be decided: all units, or for `whole` those to be filled up."""
        return join(
            (each.address, each.size)
            for each in self.units
            if each.readable and (not whole or each.address in self.partial)
        )

    def content(self, unit: Unit, old: Memory) -> bytes:
        """The unit's new bytes: the image's, else the flash's old ones, else FF where those are not known."""
        data = bytearray(old.read(unit.address, unit.size))
        for segment in self.memory:
            first, last = max(unit.address, segment.address), min(unit.end, segment.end)
            if first < last:
                piece = segment.data[first - segment.address : last - segment.address]
                data[first - unit.address : last - unit.address] = piece
        return bytes(data)

    def changes(self, old: Memory, *, whole: bool = False) -> tuple[Change, ...]:
        """The units to rewrite: those that differ from `old` or are not in it, or for `whole` all."""
        out = []
        for unit in self.units:
            data = self.content(unit, old)
            if whole or old.get(unit.address, unit.size) != data:
                out.append(Change(unit, data))
        return tuple(out)

    def held(self, changes: Iterable[Change]) -> int:
        """How many bytes of the image lie in units that are not rewritten."""
        size = self.memory.size
        for each in changes:
            for segment in self.memory:
                size -= max(0, min(each.unit.end, segment.end) - max(each.unit.address, segment.address))
        return size


def batches(changes: Sequence[Change], limit: int) -> list[tuple[Change, ...]]:
    """Changes side by side, in groups of at most `limit` bytes (a larger unit alone)."""
    out: list[list[Change]] = []
    for each in changes:
        last = out[-1] if out else []
        if last and last[-1].unit.end == each.unit.address and each.unit.end - last[0].unit.address <= limit:
            last.append(each)
        else:
            out.append([each])
    return [tuple(group) for group in out]


def writes(changes: Sequence[Change], page: int, limit: int, erased: int = 0xFF) -> list[tuple[int, bytes]]:
    """What to program into erased units: (address, data) in whole pages, at most `limit` bytes each.

    Pages of nothing but `erased` at the ends of a stretch, and units that are all of it, are left out: they are so
    already. `limit` is a multiple of `page`, and units begin at multiples of `page`.
    """
    blank = bytes((erased,))
    out: list[tuple[int, bytes]] = []
    for group in batches([each for each in changes if each.data.strip(blank)], limit):
        start, data = group[0].unit.address, b"".join(each.data for each in group)
        front = (len(data) - len(data.lstrip(blank))) // page * page
        back = -(-len(data.rstrip(blank)) // page) * page
        data = data[front:back]
        data += blank * (-len(data) % page)
        for offset in range(0, len(data), limit):
            out.append((start + front + offset, data[offset : offset + limit]))
    return out


def differing(memory: Memory, flash: Memory) -> list[Range]:
    """Where the flash (as it was read) is not `memory`: ranges of bytes, those less than 16 apart joined."""
    found: list[Range] = []
    for segment in memory:
        held = flash.read(segment.address, len(segment.data))
        if held == segment.data and flash.get(segment.address, len(segment.data)) is not None:
            continue
        for offset in range(0, len(segment.data), 16):
            part = segment.data[offset : offset + 16]
            if part != held[offset : offset + 16] or flash.get(segment.address + offset, len(part)) is None:
                found.append((segment.address + offset, len(part)))
    return join(found)
