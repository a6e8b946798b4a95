"""The model's reading of frames: what it yields does not depend on how the network splits them."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from tests.fakes.webrepl_frames import FrameReader

FRAMES = st.lists(
    st.tuples(st.sampled_from([Opcode.TEXT, Opcode.BINARY, Opcode.PING]), st.binary(max_size=300)), max_size=6
)


def _stream(frames: list[tuple[Opcode, bytes]]) -> bytes:
    return b"".join(
        Frame(opcode, data[:125] if opcode is Opcode.PING else data).serialize(mask=True) for opcode, data in frames
    )


def _read(parts: list[bytes]) -> list[tuple[int, int]]:
    """(opcode, byte) of all that comes out, one byte at a time, as os.dupterm reads."""
    reader = FrameReader(lambda: None)
    came = []
    for part in parts:
        reader.inbox += part
        while got := reader.read(1):
            came.append((reader.opcode, got[0]))
    return came


@given(FRAMES, st.lists(st.integers(0, 2000), max_size=20))
def test_splits_do_not_matter(frames: list[tuple[Opcode, bytes]], cuts: list[int]) -> None:
    stream = _stream(frames)
    places = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    came = _read([stream[at:end] for at, end in itertools.pairwise(places)])
    assert came == _read([stream])
    for opcode in (Opcode.TEXT, Opcode.BINARY):
        expected = b"".join(data for kind, data in frames if kind is opcode)
        assert bytes(byte for kind, byte in came if kind == opcode) == expected
