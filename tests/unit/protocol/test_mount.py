"""The frames of mounted folders: whatever surrounds them, whatever the chunks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.protocol.mount import (
    MAX_BODY,
    START,
    FrameFinder,
    crc32,
    encode,
    escape,
    plain_check,
    unescape,
)

SEED = 1234567
PAYLOADS = st.binary(min_size=1, max_size=300)
# Bytes that matter to the finder come up far more often than by chance.
NOISE = st.lists(st.sampled_from([b"\x18", b"\x18\xb5", b"\x04", b"\xb5", b"\x85\x80", b"x", b"\x10C"])).map(
    b"".join
) | st.binary(max_size=40)


def feed(finder: FrameFinder, data: bytes, cuts: list[int]) -> tuple[bytes, list[bytes]]:
    output, payloads, at = b"", [], 0
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        out, found = finder.feed(data[at:cut])
        output, at = output + out, cut
        payloads += found
    return output, payloads


@given(st.binary())
def test_escaping_is_undone_and_leaves_no_control_byte(data: bytes) -> None:
    assert unescape(escape(data)) == data
    assert not set(escape(data)) & {3, 4, 0x18}


@given(PAYLOADS, st.sampled_from([crc32, plain_check]))
def test_a_frame_holds_no_byte_that_means_something_to_a_board_or_the_raw_repl(payload: bytes, check) -> None:
    frame = encode(payload, SEED, check)
    assert frame.startswith(START)
    assert not set(frame[1:]) & {3, 4, 0x18}


@given(st.lists(st.tuples(NOISE, PAYLOADS), max_size=5), NOISE, st.lists(st.integers(0, 4000), max_size=12))
def test_frames_are_found_and_the_rest_is_untouched(
    parts: list[tuple[bytes, bytes]], tail: bytes, cuts: list[int]
) -> None:
    stream = b"".join(noise + encode(payload, SEED) for noise, payload in parts) + tail
    finder = FrameFinder(SEED)
    output, payloads = feed(finder, stream, cuts)
    output += finder.flush()
    assert payloads == [payload for _, payload in parts]
    assert output == b"".join(noise for noise, _ in parts) + tail


@given(st.binary(max_size=400) | NOISE, st.lists(st.integers(0, 400), max_size=12))
def test_garbage_comes_out_as_it_went_in(data: bytes, cuts: list[int]) -> None:
    finder = FrameFinder(SEED)
    output, payloads = feed(finder, data, cuts)
    assert output + finder.flush() == data
    assert not payloads


@given(PAYLOADS, st.data())
def test_a_changed_byte_is_no_frame_and_no_loss(payload: bytes, data) -> None:
    frame = bytearray(encode(payload, SEED))
    at = data.draw(st.integers(0, len(frame) - 1))
    frame[at] ^= data.draw(st.integers(1, 255))
    finder = FrameFinder(SEED)
    output, payloads = finder.feed(bytes(frame))
    assert not payloads
    assert output + finder.flush() == bytes(frame)


def test_an_escape_with_nothing_behind_it_is_no_frame() -> None:
    frame = bytearray(encode(b"r\xb5Z\x01\xfaZ", SEED))
    frame[2] ^= 1
    output, payloads = (finder := FrameFinder(SEED)).feed(bytes(frame))
    assert not payloads
    assert output + finder.flush() == bytes(frame)


@given(PAYLOADS, PAYLOADS, st.data())
def test_a_frame_behind_one_that_was_cut_short_is_found(first: bytes, second: bytes, data) -> None:
    whole = encode(first, SEED)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    finder = FrameFinder(SEED)
    output, payloads = finder.feed(cut + encode(second, SEED))
    assert payloads == [second]
    assert output == cut


def test_the_end_of_a_program_is_not_held_back_by_half_a_frame() -> None:
    finder = FrameFinder(SEED)
    half = encode(b"abcdefgh", SEED)[:-3]
    assert finder.feed(half) == (b"", [])
    assert finder.holding
    assert finder.feed(b"\x04\x04>") == (half + b"\x04\x04>", [])


def test_frames_of_another_mount_and_answers_are_output() -> None:
    for seed in (SEED - 1, SEED + 1):
        frame = encode(b"hello", seed)
        assert FrameFinder(SEED).feed(frame) == (frame, [])


def test_the_finder_answers_with_the_check_that_the_board_has() -> None:
    finder = FrameFinder(SEED)
    finder.feed(encode(b"x", SEED, plain_check))
    assert finder.check is plain_check
    finder.feed(encode(b"x", SEED, crc32))
    assert finder.check is crc32


def test_a_frame_has_a_greatest_length() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode(b"x" * MAX_BODY, SEED)
    # and what announces more is output at once, not memory
    huge = START + bytes((0xFF, 0xFF)) + b"x" * 10
    assert FrameFinder(SEED).feed(huge) == (huge, [])
