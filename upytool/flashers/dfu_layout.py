"""DfuSe memory layouts: which addresses a bootloader offers, in erase units of which size.

    @Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg/0x80000000/512*4Kg

"@", a name, then groups of "/address/count*size" with a unit (K, M, B or blank for bytes) and a letter whose low
three bits say readable (1), erasable (2), writable (4): a to g. Each alternate setting of the interface carries
one such string as its name. Seen in the field and read here: several groups in one string, blanks around any
part, lower and upper case, counts with more than two digits (mboot: 16384*04Kg), sizes without leading zeros,
missing unit letters, blanks in the place of the unit ("01*016 e").

Sources: ST UM0424; MicroPython `ports/stm32/mboot/main.c` and its boards' MBOOT_SPIFLASH_LAYOUT; dfu-util 0.11's
change log (GD32VF103's wrong strings, fixed by its part number).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

from ..errors import FlashError
from ..image.memory import ADDRESS_LIMIT, Memory
from .sectors import Zone

FLASH = 0x08000000  # where the internal flash of every STM32 begins
FLASH_SPAN = 0x01000000
SYSTEM = range(0x1FF00000, 0x20000000)  # boot ROM, option bytes, one-time memory
GD32VF103 = (0x28E9, 0x0189)
_GD32_PAGES = {"4": 16, "6": 32, "8": 64, "B": 128}
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20}
_PART = re.compile(r"\s*(\d{1,6})\s*\*\s*(\d{1,6})\s*([bkm]?)\s*([a-g])\s*", re.IGNORECASE)
_ADDRESS = re.compile(r"\s*(0x)?([0-9a-f]{1,8})\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Area:
    """`count` units of `size` bytes from `start`, with the same rights."""

    start: int
    size: int
    count: int
    readable: bool
    erasable: bool
    writable: bool
    alternate: int = 0

    @property
    def end(self) -> int:
        return self.start + self.size * self.count

    @property
    def usable(self) -> bool:
        """Flash that can be erased and written. (Option bytes can be written only: never with firmware.)"""
        return self.erasable and self.writable and self.start not in SYSTEM


@dataclass(frozen=True)
class Layout:
    """The areas of all alternate settings, by address; where two settings name one address the first counts."""

    areas: tuple[Area, ...]
    name: str = ""

    @classmethod
    def join(cls, layouts: Iterable[Layout]) -> Layout:
        areas: list[Area] = []
        name = ""
        for layout in layouts:
            name = name or layout.name
            areas += [
                new for new in layout.areas if not any(old.start < new.end and new.start < old.end for old in areas)
            ]
        return cls(tuple(sorted(areas, key=lambda area: area.start)), name)

    def find(self, address: int) -> Area | None:
        index = bisect_right(self.areas, address, key=lambda area: area.start) - 1
        if index >= 0 and address < self.areas[index].end:
            return self.areas[index]
        return None

    @property
    def flash(self) -> tuple[Area, ...]:
        """The areas that firmware may go to."""
        return tuple(area for area in self.areas if area.usable)

    @property
    def zones(self) -> tuple[Zone, ...]:
        return tuple(
            Zone(each.start, each.size * each.count, each.size, each.readable, each.erasable, each.writable)
            for each in self.flash
        )

    def require(self, memory: Memory) -> None:
        """Raises: FlashError where a part of it is not a flash that may be written."""
        for segment in memory:
            address = segment.address
            while address < segment.end:
                area = self.find(address)
                if area is None or not area.usable:
                    raise self._refusal(address, area)
                address = area.end

    def describe(self) -> str:
        """The flash in words: "0x08000000 to 0x080fffff"."""
        spans: list[list[int]] = []
        for area in self.flash:
            if spans and spans[-1][1] == area.start:
                spans[-1][1] = area.end
            else:
                spans.append([area.start, area.end])
        return " and ".join(f"0x{first:08x} to 0x{last - 1:08x}" for first, last in spans) or "no flash at all"

    def _refusal(self, address: int, area: Area | None) -> FlashError:
        if area is None:
            return FlashError("flash.dfu-no-memory", address=address, areas=self.describe())
        if address in SYSTEM:
            return FlashError("flash.dfu-system-memory", address=address, areas=self.describe())
        return FlashError("flash.dfu-not-writable", address=address, areas=self.describe())


def parse_layout(text: str, alternate: int = 0) -> Layout:
    """Read a layout string.

    Raises: FlashError with the string, where it cannot be understood: then only the user knows the layout.
    """
    name, *groups = text.strip().strip("\0").lstrip("@").split("/")
    areas: list[Area] = []
    if not groups or len(groups) % 2:
        raise _broken(text)
    for place, parts in zip(groups[::2], groups[1::2]):
        found = _ADDRESS.fullmatch(place)
        if found is None:
            raise _broken(text)
        at = int(found[2], 16)
        for part in parts.strip().rstrip(",").split(","):
            match = _PART.fullmatch(part)
            if match is None:
                raise _broken(text)
            count, size = int(match[1]), int(match[2]) * _UNITS[match[3].lower()]
            bits = ord(match[4].lower()) & 7
            if not count or not size or at + count * size > ADDRESS_LIMIT:
                raise _broken(text)
            areas.append(Area(at, size, count, bool(bits & 1), bool(bits & 2), bool(bits & 4), alternate))
            at += count * size
    areas.sort(key=lambda area: area.start)
    if any(first.end > second.start for first, second in pairwise(areas)):
        raise _broken(text)
    return Layout(tuple(areas), name.strip())


def corrected(layout: Layout, vid: int, pid: int, serial: str) -> Layout | None:
    """The true layout of a chip that is known to report a wrong one, from its part number; None for all others.

    Raises: FlashError where it is such a chip of unknown size.
    """
    if (vid, pid) != GD32VF103:
        return None
    pages = _GD32_PAGES.get(serial[2:3]) if re.fullmatch(r"3..J", serial) else None
    if pages is None:
        raise FlashError("flash.dfu-layout-unknown")
    start = replace(layout.areas[0], start=FLASH, size=1024, count=pages, readable=True, erasable=True, writable=True)
    return Layout((start,), layout.name)


def _broken(text: str) -> FlashError:
    return FlashError("flash.dfu-layout", text=text)


def vector_table(memory: Memory) -> int | None:
    """The address of the vector table that starts the firmware, or None where there is none.

    An image of MicroPython has it at the start of its first piece in the internal flash: an initial stack pointer
    in RAM, then the address of the first instruction, odd for Thumb.
    """
    for segment in memory:
        if not FLASH <= segment.address < FLASH + FLASH_SPAN or len(segment.data) < 8:
            continue
        stack, start = (int.from_bytes(segment.data[at : at + 4], "little") for at in (0, 4))
        ram = 0x10000000 <= stack < 0x10100000 or 0x20000000 <= stack <= 0x40000000
        if ram and stack % 4 == 0 and start & 1:
            return segment.address
    return None
