"""Pieces of memory, against a plain dictionary of bytes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.errors import ImageError
from upytool.image.memory import Memory

PIECES = st.lists(st.tuples(st.integers(0, 60), st.binary(max_size=12)), max_size=12)


def as_dict(memory: Memory) -> dict[int, int]:
    return {segment.address + at: byte for segment in memory for at, byte in enumerate(segment.data)}


@given(PIECES)
def test_pieces_are_joined(pieces: list[tuple[int, bytes]]) -> None:
    wanted: dict[int, int] = {}
    clash = False
    for address, data in pieces:
        for at, byte in enumerate(data, address):
            clash |= wanted.setdefault(at, byte) != byte
    if clash:
        with pytest.raises(ImageError, match="two different contents"):
            Memory.of(pieces)
        return
    memory = Memory.of(pieces)
    assert as_dict(memory) == wanted
    assert memory.size == len(wanted)
    for left, right in zip(memory.segments, memory.segments[1:]):
        assert left.end < right.address
    assert memory.read(0, 80) == bytes(wanted.get(at, 0xFF) for at in range(80))


@given(PIECES, st.integers(0, 70), st.integers(0, 20))
def test_reading(pieces: list[tuple[int, bytes]], address: int, size: int) -> None:
    try:
        memory = Memory.of(pieces)
    except ImageError:
        return
    held = as_dict(memory)
    wanted = [held.get(at) for at in range(address, address + size)]
    got = memory.get(address, size)
    if size and None in wanted:
        assert got is None
    elif size:
        assert got is not None
        assert list(got) == wanted
    assert memory.touches(address, size) == any(byte is not None for byte in wanted)


@given(PIECES, st.integers(0, 70), st.binary(max_size=20))
def test_replacing(pieces: list[tuple[int, bytes]], address: int, data: bytes) -> None:
    try:
        memory = Memory.of(pieces)
    except ImageError:
        return
    wanted = as_dict(memory) | dict(enumerate(data, address))
    assert as_dict(memory.replaced(address, data)) == wanted


def test_the_address_space_ends() -> None:
    assert Memory.of([(0xFFFFFFFF, b"1")]).end == 1 << 32
    with pytest.raises(ImageError, match="32-bit"):
        Memory.of([(0xFFFFFFFF, b"12")])


def test_overlaps_do_not_cost_a_copy_each() -> None:
    started = time.process_time()
    memory = Memory.of((4 * number, bytes(16)) for number in range(200_000))
    assert memory.size == 800_012
    assert time.process_time() - started < 5
