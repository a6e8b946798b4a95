"""Pieces of memory: bytes at addresses, sorted, never overlapping.

Gaps are never filled in here, so a file that names two far addresses costs no more than the bytes that it
holds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..errors import ImageError

ADDRESS_LIMIT = 1 << 32


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of bytes at `address`."""

    address: int
    data: bytes

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.address + len(self.data)

    def __repr__(self) -> str:
        return f"Segment({self.address:#x}, {len(self.data)} bytes)"


@dataclass(frozen=True, slots=True)
class Memory:
    """Segments in the order of their addresses; neighbours are joined."""

    segments: tuple[Segment, ...] = ()

    @classmethod
    def of(cls, pieces: Iterable[tuple[int, bytes]]) -> Memory:
        """Sort and join pieces.

        Args:
            pieces: (address, data) in any order. The same bytes twice at one place are taken once.

        Raises: ImageError when two pieces put different bytes at one address, or leave the 32-bit address
            space.
        """
        joined: list[Segment] = []
        run = bytearray()  # grown in place: hostile overlaps must not cost a copy each
        start = 0
        for address, data in sorted(pieces, key=lambda piece: piece[0]):
            if not data:
                continue
            if address < 0 or address + len(data) > ADDRESS_LIMIT:
                raise ImageError("image.data-out-of-range", address=address)
            end = start + len(run)
            if run and address <= end:
                overlap = min(end - address, len(data))
                if overlap:
                    known = run[address - start : address - start + overlap]
                    if known != data[:overlap]:
                        raise ImageError("image.data-conflict", address=address)
                    data = data[overlap:]
                run += data
                continue
            if run:
                joined.append(Segment(start, bytes(run)))
            run, start = bytearray(data), address
        if run:
            joined.append(Segment(start, bytes(run)))
        return cls(tuple(joined))

    def __iter__(self) -> Iterator[Segment]:
        return iter(self.segments)

    def __len__(self) -> int:
        return len(self.segments)

    @property
    def size(self) -> int:
        """How many bytes there are, gaps not counted."""
        return sum(len(segment.data) for segment in self.segments)

    @property
    def start(self) -> int:
        return self.segments[0].address if self.segments else 0

    @property
    def end(self) -> int:
        return self.segments[-1].end if self.segments else 0

    def find(self, address: int) -> Segment | None:
        """The segment that holds `address`."""
        index = bisect_right(self.segments, address, key=lambda segment: segment.address) - 1
        if index >= 0 and address < self.segments[index].end:
            return self.segments[index]
        return None

    def get(self, address: int, size: int) -> bytes | None:
        """`size` bytes from `address`, or None where one of them is missing."""
        segment = self.find(address)
        if segment is None or size < 0 or address + size > segment.end:
            return None
        offset = address - segment.address
        return segment.data[offset : offset + size]

    def read(self, address: int, size: int, fill: int = 0xFF) -> bytes:
        """`size` bytes from `address`; what the file does not hold is `fill`. The caller bounds `size`."""
        out = bytearray(bytes((fill,)) * size)
        for segment in self.segments:
            first, last = max(address, segment.address), min(address + size, segment.end)
            if first < last:
                out[first - address : last - address] = segment.data[first - segment.address : last - segment.address]
        return bytes(out)

    def touches(self, address: int, size: int) -> bool:
        """Whether any byte of the range is in the file."""
        return size > 0 and any(segment.address < address + size and address < segment.end for segment in self.segments)

    def replaced(self, address: int, data: bytes) -> Memory:
        """A copy with `data` at `address`, over whatever was there."""
        pieces: list[tuple[int, bytes]] = [(address, data)]
        end = address + len(data)
        for segment in self.segments:
            if segment.address < address:
                pieces.append((segment.address, segment.data[: max(0, address - segment.address)]))
            if segment.end > end:
                skip = max(0, end - segment.address)
                pieces.append((segment.address + skip, segment.data[skip:]))
        return Memory.of(pieces)
