"""Random access to a region of flash: in a firmware file, in a dump, or on a board that is in its bootloader.

A file system is read through a `BlockSource`. `Overlay` puts changes over one without touching it, and knows
afterwards what must be written, and in which order, so that a power cut leaves the old or the new files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .memory import Memory


class BlockSource(Protocol):
    """A region. Offsets count from its start; what lies outside of it, or is not known, reads as FF."""

    @property
    def size(self) -> int: ...

    def read(self, offset: int, size: int) -> bytes: ...


@dataclass(frozen=True)
class BytesBlocks:
    """A region in memory, a dump for instance."""

    data: bytes

    @property
    def size(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        return self.data[offset : offset + size].ljust(size, b"\xff")


@dataclass(frozen=True)
class MemoryBlocks:
    """A region of a firmware file."""

    memory: Memory
    start: int
    size: int

    def read(self, offset: int, size: int) -> bytes:
        found = self.memory.get(self.start + offset, size)
        return self.memory.read(self.start + offset, size) if found is None else found


@dataclass
class ReadBlocks:
    """A region that is read when it is looked at, a unit at a time, and each unit once.

    Args:
        fetch: reads (address, size); a Loader's `read`.
        start: address of the region's first byte.
        size: bytes.
        unit: how much is read at once, from multiples of it.

    Attributes:
        fetched: bytes that were read so far.
    """

    fetch: Callable[[int, int], bytes]
    start: int
    size: int
    unit: int = 4096
    fetched: int = 0
    _known: dict[int, bytes] = field(default_factory=dict)

    def read(self, offset: int, size: int) -> bytes:
        out = bytearray()
        at, end = offset, min(offset + size, self.size)
        self._want(at // self.unit, -(-end // self.unit))
        while at < end:
            index = at // self.unit
            take = min(end, (index + 1) * self.unit) - at
            skip = at - index * self.unit
            out += self._known[index][skip : skip + take]
            at += take
        return bytes(out).ljust(size, b"\xff")

    def _want(self, first: int, last: int) -> None:
        """Read the units that are missing, neighbours in one go."""
        index = first
        while index < last:
            if index in self._known:
                index += 1
                continue
            stop = index
            while stop < last and stop not in self._known:
                stop += 1
            begin, end = index * self.unit, min(stop * self.unit, self.size)
            data = self.fetch(self.start + begin, end - begin)
            self.fetched += len(data)
            for number in range(index, stop):
                at = number * self.unit - begin
                self._known[number] = data[at : at + self.unit]
            index = stop


@dataclass
class Overlay:
    """Changes over a source, block by block.

    Attributes:
        blocks: the changed blocks' present content, by number.
        log: every state of a block that was complete when something else began to be written, in order:
            writing them one after the other is what the file system did.
    """

    base: BlockSource
    block_size: int
    blocks: dict[int, bytearray] = field(default_factory=dict)
    log: list[tuple[int, bytes]] = field(default_factory=list)
    _open: list[int] = field(default_factory=list)

    @property
    def size(self) -> int:
        return self.base.size

    def read(self, offset: int, size: int) -> bytes:
        first, last = offset // self.block_size, (offset + max(size, 1) - 1) // self.block_size
        if first == last:
            block = self.blocks.get(first)
            if block is None:
                return self.base.read(offset, size)
            at = offset - first * self.block_size
            return bytes(block[at : at + size])
        out = bytearray()
        at, end = offset, offset + size
        while at < end:
            take = min(end, (at // self.block_size + 1) * self.block_size) - at
            out += self.read(at, take)
            at += take
        return bytes(out)

    def _changeable(self, number: int) -> bytearray:
        if number not in self._open:
            self._open.append(number)
        block = self.blocks.get(number)
        if block is None:
            block = bytearray(self.base.read(number * self.block_size, self.block_size))
            self.blocks[number] = block
        return block

    def erase(self, number: int) -> None:
        self._changeable(number)[:] = b"\xff" * self.block_size

    def write(self, offset: int, data: bytes) -> None:
        """Over whatever is there."""
        at = 0
        while at < len(data):
            number, inside = divmod(offset + at, self.block_size)
            take = min(len(data) - at, self.block_size - inside)
            self._changeable(number)[inside : inside + take] = data[at : at + take]
            at += take

    def sync(self) -> None:
        """What was written so far must be on the medium before anything that comes later."""
        self.log += [(number, bytes(self.blocks[number])) for number in self._open]
        self._open.clear()

    def is_open(self, number: int) -> bool:
        """Whether the block was written since the last `sync`."""
        return number in self._open

    def steps(self) -> list[tuple[int, bytes]]:
        """(offset, whole block) in the order of writing, without those that write what is there already."""
        self.sync()
        out: list[tuple[int, bytes]] = []
        now: dict[int, bytes] = {}
        for number, data in self.log:
            old = now[number] if number in now else self.base.read(number * self.block_size, self.block_size)
            if data != old:
                out.append((number * self.block_size, data))
                now[number] = data
        return out
