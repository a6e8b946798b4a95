"""Intel HEX, against the intelhex package."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from intelhex import IntelHex

from upytool.errors import ImageError
from upytool.image.intel_hex import read_hex, write_hex
from upytool.image.memory import Memory

MEMORIES = st.lists(
    st.tuples(st.integers(0, 0xFFFF0000) | st.integers(0xFFF0, 0x10010), st.binary(min_size=1, max_size=300)),
    min_size=1,
    max_size=5,
)


def theirs_of(text: bytes) -> dict[int, int]:
    read = IntelHex()
    read.loadhex(io.StringIO(text.decode()))
    return {int(at): int(read[at]) for at in read.addresses()}


def ours_of(memory: Memory) -> dict[int, int]:
    return {segment.address + at: byte for segment in memory for at, byte in enumerate(segment.data)}


@given(MEMORIES, st.integers(1, 255))
def test_what_we_write_intelhex_reads(pieces: list[tuple[int, bytes]], width: int) -> None:
    try:
        memory = Memory.of(pieces)
    except ImageError:
        return
    text = write_hex(memory, width=width, start=0x08000101)
    assert theirs_of(text) == ours_of(memory)
    again = read_hex(text)
    assert (again.memory, again.start) == (memory, 0x08000101)


@given(MEMORIES)
def test_what_intelhex_writes_we_read(pieces: list[tuple[int, bytes]]) -> None:
    try:
        memory = Memory.of(pieces)
    except ImageError:
        return
    made = IntelHex()
    for segment in memory:
        made.puts(segment.address, segment.data)
    out = io.StringIO()
    made.write_hex_file(out)
    assert read_hex(out.getvalue().encode()).memory == memory


def test_segments_wrap_at_64_kib() -> None:
    text = b":020000021000EC\r\n:04FFFE00AABBCCDD" + b"F1\r\n:0400000300003800C1\r\n:00000001FF\r\n"
    found = read_hex(text)
    assert ours_of(found.memory) == {0x1FFFE: 0xAA, 0x1FFFF: 0xBB, 0x10000: 0xCC, 0x10001: 0xDD}
    assert found.start == 0x3800


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no end record"),
        (b":0100000001FE\n", "no end record"),
        (b":0100000001FF\n:00000001FF\n", "line 1 .*checksum"),
        (b":00000001FF\n:00000001FF\n", "line 2 .*behind its end"),
        (b"\n\n:01000000\n", "line 3 .*wrong length"),
        (b":0200000001FD\n", "line 1 .*wrong length"),
        (b":0100000001xx\n", "hexadecimal"),
        (b"hello\n", "begin with a colon"),
        (b":00000007F9\n", "unknown type 7"),
        (b":0100000400FB\n", "wrong length for its type 4"),
        (b":00000001FF\n", "no data"),
    ],
)
def test_what_is_declined(text: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        read_hex(text)


def test_two_contents_for_one_address() -> None:
    with pytest.raises(ImageError, match="two different contents"):
        read_hex(b":0100000001FE\n:0100000002FD\n:00000001FF\n")
