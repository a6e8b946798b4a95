"""Damage to file system images: anywhere, or with the checksums made right again, so that it gets deeper."""

from __future__ import annotations

import random
import struct

from upytool.image.lfs2_reader import crc32


def scribble(image: bytes, rnd: random.Random, count: int) -> bytes:
    """Bytes changed anywhere, or stretches of them erased, doubled, swapped."""
    out = bytearray(image)
    for _ in range(count):
        at = rnd.randrange(len(out))
        how = rnd.randrange(4)
        if how == 0:
            out[at] ^= 1 << rnd.randrange(8)
        elif how == 1:
            out[at] = rnd.choice((0, 1, 2, 0xFF, 0xFE, 0x7F, 0x80))
        elif how == 2:
            size = rnd.randrange(1, 64)
            out[at : at + size] = bytes((rnd.choice((0, 0xFF)),)) * len(out[at : at + size])
        else:
            size, other = rnd.randrange(1, 512), rnd.randrange(len(out))
            part = bytes(out[other : other + size])
            out[at : at + len(part)] = part[: len(out) - at]
    return bytes(out[: len(image)])


def sound_lfs2(image: bytes, rnd: random.Random, count: int, block_size: int, blocks: list[int]) -> bytes:
    """Bytes of LittleFS v2 metadata blocks changed, and each commit's CRC made to agree."""
    out = bytearray(image)
    for _ in range(count):
        at = rnd.choice(blocks) * block_size
        block = bytearray(out[at : at + block_size])
        if not block.strip(b"\xff"):
            continue
        filled = len(bytes(block).rstrip(b"\xff"))
        where = rnd.randrange(4, max(5, filled))
        for place in range(where, min(where + rnd.choice((1, 1, 4, 8)), block_size)):
            block[place] = rnd.choice((0, 1, 2, 3, 0xFF, rnd.randrange(256)))
        _mend(block)
        out[at : at + block_size] = block
    return bytes(out)


def _mend(block: bytearray) -> None:
    at, last, crc = 4, 0xFFFFFFFF, crc32(bytes(block[:4]))
    while at + 8 <= len(block):
        raw = bytes(block[at : at + 4])
        tag = int.from_bytes(raw, "big") ^ last
        size = 0 if tag & 0x3FF == 0x3FF else tag & 0x3FF
        if tag >> 31 or at + 4 + size > len(block):
            return
        kind, last = tag >> 20 & 0x7FF, tag
        if kind & 0x780 == 0x500:
            struct.pack_into("<I", block, at + 4, crc32(raw, crc))
            last ^= (kind & 1) << 31
            crc = 0xFFFFFFFF
        else:
            crc = crc32(bytes(block[at + 4 : at + 4 + size]), crc32(raw, crc))
        at += 4 + size


def sound_lfs1(image: bytes, rnd: random.Random, count: int, block_size: int, blocks: list[int]) -> bytes:
    """The same for LittleFS v1."""
    out = bytearray(image)
    for _ in range(count):
        at = rnd.choice(blocks) * block_size
        length = int.from_bytes(out[at + 4 : at + 8], "little") & 0x7FFFFFFF
        if not 20 <= length <= block_size:
            continue
        out[at + rnd.randrange(8, length - 4)] = rnd.choice((0, 1, 2, 3, 4, 0xFF, rnd.randrange(256)))
        struct.pack_into("<I", out, at + length - 4, crc32(bytes(out[at : at + length - 4])))
    return bytes(out)
