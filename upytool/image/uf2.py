"""UF2: firmware in 512-byte blocks, each with its address, for bootloaders that look like a USB stick.

A block: 0A324655 9E5D5157 flags address payload-size number count family | 476 bytes | 0AB16F30, little
endian. Sources: microsoft/uf2 README (blocks, flags, tags, MD5); pico-sdk `boot/uf2.h` (RP2350's families
and ignore tag); the boot ROMs' `virtual_disk.c` (what they do with the numbering). docs/protocols/uf2.md
has the facts in one place.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import md5

from ..errors import ImageError
from .chips import ABSOLUTE, RP2350_ARM_NS, RP2350_ARM_S, RP2350_RISCV, family
from .memory import Memory

MAGIC0, MAGIC1, MAGIC_END = 0x0A324655, 0x9E5D5157, 0x0AB16F30
MAX_TAGS = 64
START = struct.pack("<II", MAGIC0, MAGIC1)
BLOCK, CAPACITY, PAGE = 512, 476, 256
NOT_MAIN_FLASH, FILE_CONTAINER, HAS_FAMILY, HAS_MD5, HAS_TAGS = 0x1, 0x1000, 0x2000, 0x4000, 0x8000

TAG_NAMES = {
    0x9FC7BC: "version",
    0x650D9D: "device",
    0x0BE9F7: "page size",
    0xB46DB0: "SHA-2",
    0xC8A729: "device type",
    0x9957E3: "ignore this block",
}
TAG_IGNORE = 0x9957E3

# RP2350-E10: files for the RP2350 begin with a block of the family ABSOLUTE at the end of the flash window.
E10_ADDRESS = 0x10FFFF00
_HEAD = struct.Struct("<8I476sI")


@dataclass(frozen=True, slots=True)
class Uf2Group:
    """The blocks of one family that count together: a bootloader reboots when it has `blocks` of them.

    Attributes:
        family: the family's number; None where the blocks carry none.
        memory: what they write.
        blocks: how many there are.
    """

    family: int | None
    memory: Memory
    blocks: int


@dataclass(frozen=True, slots=True)
class Uf2File:
    """A UF2 file.

    Attributes:
        groups: in the order of the file.
        erratum_block: the RP2350-E10 block as found, b"" where there is none; it is not a part of the firmware.
        skipped: blocks that are not for the main flash, or files of a container.
        tags: extension tags by type (see TAG_NAMES).
        md5: None where the file has no MD5 regions that can be checked; else whether all agree.
        notes: what is legal yet unwise.
    """

    groups: tuple[Uf2Group, ...]
    erratum_block: bytes = b""
    skipped: int = 0
    tags: dict[int, bytes] = field(default_factory=dict)
    md5: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def memory(self) -> Memory:
        """All groups as one.

        Raises: ImageError when two families write different bytes to one address (a file for several chips).
        """
        if len(self.groups) == 1:
            return self.groups[0].memory
        return Memory.of((segment.address, segment.data) for group in self.groups for segment in group.memory)

    @property
    def families(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(group.family for group in self.groups if group.family is not None))


class _Run:
    """A group while it is read."""

    __slots__ = ("count", "family", "numbers", "pieces")

    def __init__(self, family: int | None, count: int) -> None:
        self.family, self.count = family, count
        self.numbers: set[int] = set()
        self.pieces: list[tuple[int, bytes]] = []


def read_uf2(data: bytes) -> Uf2File:
    """Read a UF2 file, blocks in any order.

    Raises: ImageError that names the first bad block, a count that does not fit, or missing blocks.
    """
    if len(data) < BLOCK or len(data) % BLOCK:
        raise ImageError("image.uf2-truncated", size=len(data), block=BLOCK)
    runs: list[_Run] = []
    current: dict[tuple[int | None, int], _Run] = {}
    tags: dict[int, bytes] = {}
    regions: set[bytes] = set()
    erratum, skipped = b"", 0
    for index, block in enumerate(_HEAD.iter_unpack(data)):
        magic0, magic1, flags, address, size, number, count, owner, body, end = block
        if magic0 != MAGIC0 or magic1 != MAGIC1 or end != MAGIC_END:
            raise ImageError("image.uf2-block-damaged", block=index)
        if size > CAPACITY:
            raise ImageError("image.uf2-block-size", block=index, size=size)
        if flags & HAS_TAGS:
            found = _tags(body, size, bool(flags & HAS_MD5))
            if TAG_IGNORE in found and flags & HAS_FAMILY and owner == ABSOLUTE:
                erratum = erratum or data[index * BLOCK : (index + 1) * BLOCK]
                continue
            if len(tags) < MAX_TAGS:
                tags = found | tags
        if flags & (NOT_MAIN_FLASH | FILE_CONTAINER):
            skipped += 1
            continue
        if not count or number >= count:
            raise ImageError("image.uf2-block-number", block=index, number=number, count=count)
        if flags & HAS_MD5:
            regions.add(body[-24:])
        key = (owner if flags & HAS_FAMILY else None, count)
        run = current.get(key)
        if run is None or number in run.numbers:  # the numbering starts again: files put one behind the other
            run = current[key] = _Run(*key)
            runs.append(run)
        run.numbers.add(number)
        run.pieces.append((address, body[:size]))
    groups = _finish(runs, skipped)
    return Uf2File(groups, erratum, skipped, tags, _check_md5(runs, regions), tuple(_notes(runs, bool(erratum))))


def _finish(runs: Sequence[_Run], skipped: int) -> tuple[Uf2Group, ...]:
    if not runs:
        if skipped:
            raise ImageError("image.uf2-other-blocks", skipped=skipped)
        raise ImageError("image.uf2-empty")
    groups = []
    for run in runs:
        if len(run.numbers) != run.count:
            if run.family is None:
                raise ImageError("image.uf2-incomplete", there=len(run.numbers), count=run.count)
            raise ImageError(
                "image.uf2-incomplete-family",
                there=len(run.numbers),
                count=run.count,
                family=str(family(run.family)),
            )
        groups.append(Uf2Group(run.family, Memory.of(run.pieces), run.count))
    return tuple(groups)


def _notes(runs: Sequence[_Run], erratum: bool) -> list[str]:
    notes = []
    seen: set[int | None] = set()
    for run in runs:
        if run.family in seen:
            notes.append("the block numbers start again in the middle: RP2 boot ROMs restart after the first part")
            break
        seen.add(run.family)
    if None in seen:
        notes.append("the blocks name no family: a bootloader cannot tell for which chip they are")
    if any(len(data) != PAGE for run in runs for _, data in run.pieces) and seen & _RP2:
        notes.append("some blocks do not hold 256 bytes: RP2 boot ROMs ignore those")
    if seen & _RP2350 and not erratum:
        notes.append("no block for erratum RP2350-E10: copied to the drive, the first block may be lost")
    return notes


_RP2350 = {RP2350_ARM_S, RP2350_RISCV, RP2350_ARM_NS}
_RP2 = _RP2350 | {0xE48BFF56}


def _check_md5(runs: Sequence[_Run], regions: set[bytes]) -> bool | None:
    """Compare the MD5 regions that lie in the file; huge ones are left alone, for the work is bounded."""
    budget = 4 * sum(len(data) for run in runs for _, data in run.pieces)
    if not regions:
        return None
    held = {address: data for run in runs for address, data in run.pieces}
    whole: list[Memory] = []
    verdict: bool | None = None
    for region in regions:
        start, length, digest = struct.unpack("<II16s", region)
        if not length or length > budget:
            continue
        content = held.get(start, b"")
        if len(content) >= length:  # esptool's: a region a block
            content = content[:length]
        else:
            if not whole:
                whole = [Memory.of(run.pieces) for run in runs]
            found = [piece for piece in (memory.get(start, length) for memory in whole) if piece is not None]
            if not found:
                continue
            content = found[0]
        budget -= length
        verdict = (verdict is not False) and md5(content, usedforsecurity=False).digest() == digest
    return verdict


def _tags(body: bytes, size: int, has_md5: bool) -> dict[int, bytes]:
    """The extension tags behind the payload: length (with these 4 bytes), 24-bit type, data, padding."""
    found: dict[int, bytes] = {}
    at, end = (size + 3) & ~3, CAPACITY - (24 if has_md5 else 0)
    while at + 4 <= end:
        length, kind = body[at], int.from_bytes(body[at + 1 : at + 4], "little")
        if length < 4 or at + length > end:
            break
        found.setdefault(kind, body[at + 4 : at + length])
        at += (length + 3) & ~3
    return found


def e10_block() -> bytes:
    """The block that RP2350 files start with (erratum RP2350-E10): number 0 of 2, to be ignored."""
    body = (b"\xef" * PAGE + bytes((4,)) + TAG_IGNORE.to_bytes(3, "little")).ljust(CAPACITY, b"\0")
    return _HEAD.pack(MAGIC0, MAGIC1, HAS_FAMILY | HAS_TAGS, E10_ADDRESS, PAGE, 0, 2, ABSOLUTE, body, MAGIC_END)


def write_uf2(
    groups: Iterable[tuple[int | None, Memory]],
    *,
    payload: int = PAGE,
    sector: int = 0,
    fill: int = 0xFF,
    erratum_block: bool | bytes = False,
) -> bytes:
    """Make a UF2 file.

    Args:
        groups: (family, memory) in the order of the file; each family is numbered by itself.
        payload: bytes a block, up to 476. RP2's boot ROMs take 256 alone. Blocks begin at multiples of it
            when it is a power of two.
        sector: when not 0, every sector of this size that is touched is filled up. RP2040's boot ROM erases
            by the blocks' NUMBERS, so that 4096 keeps numbers and sectors in step.
        fill: the byte for what memory does not hold.
        erratum_block: begin with the RP2350-E10 block; bytes are written as they are.

    Raises: ImageError for an empty group or a payload that does not fit.
    """
    if not 1 <= payload <= CAPACITY or (sector and sector % payload):
        raise ImageError("image.uf2-payload", size=payload)
    out = [erratum_block if isinstance(erratum_block, bytes) else e10_block()] if erratum_block else []
    for owner, memory in groups:
        pages = _pages(memory, payload, sector)
        if not pages:
            raise ImageError("image.uf2-nothing")
        flags, number = (0, 0) if owner is None else (HAS_FAMILY, owner)
        tail = struct.pack("<I", MAGIC_END)
        padding = b"\0" * (CAPACITY - payload)
        head = struct.Struct("<8I")
        for index, page in enumerate(pages):
            body = memory.get(page, payload)
            if body is None:
                body = memory.read(page, payload, fill)
            out.append(head.pack(MAGIC0, MAGIC1, flags, page, payload, index, len(pages), number))
            out.append(body)
            out.append(padding + tail)
    return b"".join(out)


def _pages(memory: Memory, payload: int, sector: int) -> list[int]:
    """The addresses of the blocks that cover the memory, sorted."""
    step = sector or payload
    starts: dict[int, None] = {}
    for segment in memory:
        if step & (step - 1):  # an odd size cannot be aligned: from the segment's start on
            starts.update(dict.fromkeys(range(segment.address, segment.end, step)))
        else:
            starts.update(dict.fromkeys(range(segment.address // step * step, segment.end, step)))
    if not sector:
        return list(starts)
    return [page for start in starts for page in range(start, start + sector, payload)]
