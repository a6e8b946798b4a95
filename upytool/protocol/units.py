"""File content cut into units that the board's server reads whole: `packed length, plain length, packed bytes`.

A unit holds at most `limit` bytes of content. Where it travels compressed, all units of a stream are one deflate
stream, so that a small file profits from the ones before it, and each unit carries at least the packed bytes that its
content needs. How many that are is learnt by unpacking along with the board: zlib says what it has consumed when the
output is full, and uzlib on the board (lib/uzlib/tinflate.c) reads bit by bit, never more than zlib.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

SAMPLE = 4096
WORTH = 0.93


def plain_unit(data: bytes | memoryview) -> bytes:
    """One unit that travels as it is; an empty one ends a file or the program."""
    return len(data).to_bytes(2, "little") + b"\0\0" + data


def worth_packing(sample: bytes) -> bool:
    """Whether a file that begins so shrinks enough to be packed."""
    return len(sample) > 40 and len(zlib.compress(sample[:SAMPLE], 6)) < WORTH * len(sample[:SAMPLE])


class Packer:
    """One deflate stream cut into units.

    Args:
        limit: content bytes of a unit, what the board has memory for.
        wbits: the window, 9 to 15, what the board has memory for; 0 sends everything as it is.
    """

    def __init__(self, limit: int, wbits: int) -> None:
        self.limit, self.wbits = limit, wbits
        if wbits:
            self._deflate = zlib.compressobj(9, zlib.DEFLATED, -wbits, 9)
            self._inflate = zlib.decompressobj(-15)
        self._unit = bytearray()
        self._plain = 0
        self._packing = False

    def begin(self, sample: bytes) -> None:
        """A new file begins with `sample`."""
        self._packing = bool(self.wbits) and worth_packing(sample)

    def add(self, data: bytes) -> Iterator[bytes]:
        """The units that are complete with `data`."""
        if not self._packing:
            view = memoryview(data)
            for at in range(0, len(data), self.limit):
                yield plain_unit(view[at : at + self.limit])
        else:
            yield from self._cut(self._deflate.compress(data))

    def finish(self) -> Iterator[bytes]:
        """The last units of the file."""
        if self._packing:
            yield from self._cut(self._deflate.flush(zlib.Z_SYNC_FLUSH))
            if self._plain:
                yield self._take()

    def _cut(self, packed: bytes) -> Iterator[bytes]:
        rest = packed
        while True:
            plain = self._inflate.decompress(rest, self.limit - self._plain)
            tail = self._inflate.unconsumed_tail
            self._unit += rest[: len(rest) - len(tail)]
            self._plain += len(plain)
            if self._plain == self.limit:
                yield self._take()
            elif not plain and not tail:
                return
            rest = tail

    def _take(self) -> bytes:
        unit = len(self._unit).to_bytes(2, "little") + self._plain.to_bytes(2, "little") + self._unit
        self._unit.clear()
        self._plain = 0
        return unit
