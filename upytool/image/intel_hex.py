"""Intel HEX: lines of ":" count address type data checksum, in hexadecimal digits.

Source: Intel, "Hexadecimal Object File Format Specification", 1988 (record types 0 to 5).
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from ..errors import ImageError
from .memory import Memory

DATA, END, SEGMENT, START_SEGMENT, LINEAR, START_LINEAR = range(6)
_SIZES = {END: 0, SEGMENT: 2, START_SEGMENT: 4, LINEAR: 2, START_LINEAR: 4}


@dataclass(frozen=True, slots=True)
class HexFile:
    """What a HEX file holds; `start` is the entry point of a type 5 (or 3, CS:IP as one number) record."""

    memory: Memory
    start: int | None = None


def read_hex(text: bytes) -> HexFile:
    """Read Intel HEX.

    Raises: ImageError that names the line: not a record, a wrong checksum, an unknown type, no end record.
    """
    pieces: list[tuple[int, bytes]] = []
    run: list[bytes] = []
    run_start = run_end = base = 0
    segmented = ended = False
    start: int | None = None
    unhexlify = binascii.unhexlify
    for number, line in enumerate(text.splitlines(), 1):
        if ended or not line.startswith(b":"):
            if not line.strip():
                continue
            if ended:
                raise ImageError("image.hex-after-end", line=number)
            raise ImageError("image.hex-not-a-record", line=number)
        try:
            record = unhexlify(line[1:].rstrip())
        except ValueError:
            raise ImageError("image.hex-not-hexadecimal", line=number) from None
        if len(record) < 5 or len(record) != record[0] + 5:
            raise ImageError("image.hex-length", line=number)
        if sum(record) & 0xFF:
            raise ImageError("image.hex-checksum", line=number)
        kind = record[3]
        if kind == DATA:
            offset = (record[1] << 8) | record[2]
            data = record[4:-1]
            if segmented and offset + len(data) > 0x10000:  # offsets wrap within a segment
                keep = 0x10000 - offset
                pieces.append((base, data[keep:]))
                data = data[:keep]
            address = base + offset
            if address != run_end or not run:
                if run:
                    pieces.append((run_start, b"".join(run)))
                run, run_start = [], address
            run.append(data)
            run_end = address + len(data)
            continue
        if kind not in _SIZES:
            raise ImageError("image.hex-unknown-type", line=number, type=kind)
        if record[0] != _SIZES[kind]:
            raise ImageError("image.hex-type-length", line=number, type=kind)
        value = int.from_bytes(record[4:-1], "big")
        if kind == END:
            ended = True
        elif kind == LINEAR:
            base, segmented = value << 16, False
        elif kind == SEGMENT:
            base, segmented = value << 4, True
        else:
            start = value
    if not ended:
        raise ImageError("image.hex-no-end")
    if run:
        pieces.append((run_start, b"".join(run)))
    memory = Memory.of(pieces)
    if not memory:
        raise ImageError("image.hex-empty")
    return HexFile(memory, start)


def write_hex(memory: Memory, *, start: int | None = None, width: int = 16) -> bytes:
    """Make Intel HEX with 32-bit addresses (types 0, 1, 4 and 5).

    Args:
        start: the entry point, for a type 5 record.
        width: data bytes a line, 1 to 255.
    """
    lines: list[bytes] = []
    upper = 0
    for segment in memory:
        at = segment.address
        while at < segment.end:
            if at >> 16 != upper:
                upper = at >> 16
                lines.append(_record(LINEAR, 0, upper.to_bytes(2, "big")))
            stop = min(at + width, segment.end, ((at >> 16) + 1) << 16)
            lines.append(_record(DATA, at & 0xFFFF, segment.data[at - segment.address : stop - segment.address]))
            at = stop
    if start is not None:
        lines.append(_record(START_LINEAR, 0, start.to_bytes(4, "big")))
    lines.append(_record(END, 0, b""))
    return b"\n".join(lines) + b"\n"


def _record(kind: int, address: int, data: bytes) -> bytes:
    body = bytes((len(data), address >> 8, address & 0xFF, kind)) + data
    return b":" + binascii.hexlify(body + bytes((-sum(body) & 0xFF,))).upper()
