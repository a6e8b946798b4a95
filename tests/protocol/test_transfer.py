"""The transfer stream without a board: frames, units, and the link against a model of the board's half."""

from __future__ import annotations

import zlib
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upytool.protocol.buffer import Inbox
from upytool.protocol.ops import Op, Pause, Recv, Send
from upytool.protocol.transfer import (
    WAKE,
    Message,
    StreamDamaged,
    StreamLink,
    checksum_of,
    encode_frame,
)
from upytool.protocol.units import Packer


def decode_frame(frame: bytes, number: int) -> bytes | None:
    """As ondevice/server.py does it; None for a bad frame."""
    n, link = frame[0] - 3, frame[1]
    body, i, k = bytearray(frame[2 : 2 + n]), -1, link
    while k > 3 and i + k - 3 < n:
        i += k - 3
        k = body[i]
        body[i] = 3
    data = bytes(body[:-2])
    good = not k and zlib.crc32(data, number & 0xFFFF) & 0xFFFF == int.from_bytes(body[-2:], "little")
    return data if good and len(frame) == n + 2 else None


few = st.sampled_from([0, 2, 3, 3, 3, 4, 255])
threes = st.binary(min_size=1, max_size=250) | st.lists(few, min_size=1, max_size=250).map(bytes)
words = st.integers(1, 9000).map(lambda count: b"word " * count)
contents = st.binary(max_size=9000) | st.text(max_size=3000).map(str.encode) | words
kinds = st.sampled_from([72, 82, 69, 68, 76])


@given(threes, st.integers(0, 1 << 20))
def test_a_frame_comes_back_and_holds_no_03(data: bytes, number: int) -> None:
    frame = encode_frame(data, number)
    assert 3 not in frame
    assert len(frame) == len(data) + 4
    assert decode_frame(frame, number) == data


@given(threes, st.integers(0, 65535), st.data())
def test_a_damaged_frame_is_noticed(data: bytes, number: int, draw: st.DataObject) -> None:
    frame = bytearray(encode_frame(data, number))
    at = draw.draw(st.integers(1, len(frame) - 1))
    frame[at] ^= draw.draw(st.integers(1, 255))
    assert decode_frame(bytes(frame), number) != data or bytes(frame) == encode_frame(data, number)


def test_a_frame_of_another_number_is_refused() -> None:
    assert decode_frame(encode_frame(b"hello", 7), 8) is None


@settings(max_examples=60)
@given(
    st.lists(contents, max_size=6),
    st.sampled_from([256, 1024, 4096]),
    st.sampled_from([0, 9, 10, 12, 15]),
    st.integers(1, 5000),
)
def test_units_unpack_in_step(files: list[bytes], limit: int, wbits: int, piece: int) -> None:
    """Each unit holds all packed bytes that its content needs, whatever the pieces were."""
    packer = Packer(limit, wbits)
    inflate, rest = zlib.decompressobj(-15), b""
    for data in files:
        packer.begin(data)
        units = [unit for at in range(0, len(data), piece) for unit in packer.add(data[at : at + piece])]
        units += packer.finish()
        out = b""
        for unit in units:
            packed, plain = int.from_bytes(unit[:2], "little"), int.from_bytes(unit[2:4], "little")
            body = unit[4:]
            assert len(body) == packed
            if plain:
                body = inflate.decompress(rest + body, plain)
                rest = inflate.unconsumed_tail
            assert len(body) == (plain or packed) <= limit
            out += body
        assert out == data


class ModelBoard:
    """A model of ondevice/server.py's receiver: what it is sent, and what it answers, byte by byte."""

    def __init__(self, lose: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        self.lose = set(lose)
        self.buffer = bytearray()
        self.number = 0
        self.data = bytearray()
        self.said = bytearray()
        self.flying = self.most = 0
        self.seen = 0

    def receive(self, data: bytes) -> None:
        for byte in data:
            if self.seen not in self.lose:
                self.buffer.append(byte)
            self.seen += 1
        self._work(quiet=False)

    def quiet(self) -> None:
        self._work(quiet=True)

    def _work(self, quiet: bool) -> None:
        while len(self.buffer) > 1 and len(self.buffer) >= max(2, self.buffer[0] - 1):
            size = max(2, self.buffer[0] - 1)
            data = decode_frame(bytes(self.buffer[:size]), self.number) if size > 4 else None
            if data is None:
                if not quiet:
                    return
                self.buffer.clear()
                self.said += b"\x15" + (self.number & 0xFFFF).to_bytes(2, "little")
                return
            del self.buffer[:size]
            self.data += data
            self.number += 1
            self.said += b"\x06"


def run(op: Op[Any], board: ModelBoard, chunk: int = 1 << 16, patience: int = 400) -> Any:
    now, answer = 0.0, None
    while True:
        try:
            request = op.send(answer)
        except StopIteration as done:
            return done.value
        match request:
            case Send(data):
                board.receive(data)
                answer = now
            case Recv(timeout):
                if not board.said and timeout:
                    board.quiet()
                    now += timeout
                data = bytes(board.said[:chunk])
                del board.said[:chunk]
                answer = (data, now)
                patience -= not data and bool(timeout)
                assert patience > 0, "it waits for ever"
            case Pause(seconds):
                now += seconds
                answer = now


def send_all(link: StreamLink, data: bytes) -> Generator[Any, Any, None]:
    yield from link.write(data)
    yield from link.write(b"", flush=True)
    while link._flying:
        yield from link._wait_for_ack()


@given(st.binary(min_size=1, max_size=6000), st.sampled_from([64, 128, 256, 512, 4096]), st.integers(1, 40))
def test_everything_arrives_in_order(data: bytes, window: int, chunk: int) -> None:
    board = ModelBoard()
    run(send_all(StreamLink(Inbox(), window), data), board, chunk)
    assert board.data == data


@given(
    st.binary(min_size=500, max_size=4000),
    st.sampled_from([128, 256, 4096]),
    st.sets(st.integers(0, 4000), min_size=1, max_size=5),
)
def test_lost_bytes_are_sent_again(data: bytes, window: int, lose: set[int]) -> None:
    board = ModelBoard(lose)
    run(send_all(StreamLink(Inbox(), window), data), board)
    assert board.data == data


@pytest.mark.parametrize(("window", "turns"), [(128, 340), (256, 163), (512, 80)])
def test_as_few_turns_as_the_boards_buffer_allows(window: int, turns: int) -> None:
    """20 kB to a board that confirms one frame at a time: each confirmation brings one frame, two are on their way."""
    board, link, sent = ModelBoard(), StreamLink(Inbox(), 64), 0
    link.window_of(window)
    op = send_all(link, bytes(20_000))

    def counted() -> Op[None]:
        nonlocal sent
        answer = None
        while True:
            try:
                request = op.send(answer)
            except StopIteration:
                return
            sent += isinstance(request, Send)
            answer = yield request

    run(counted(), board, 1)
    assert board.data == bytes(20_000)
    assert sent <= turns


@given(st.binary(min_size=500, max_size=3000), st.sampled_from([64, 128, 256, 1024]))
def test_never_more_in_flight_than_the_window(data: bytes, window: int) -> None:
    """A UART's ring drops what does not fit, and one of `window` bytes holds one less (py/ringbuf.h)."""
    link, flying = StreamLink(Inbox(), window), 0
    op, answer, acks = send_all(link, data), None, 0
    while True:
        try:
            request = op.send(answer)
        except StopIteration:
            return
        if isinstance(request, Send):
            flying += len(request.data)
            assert flying < window
            answer = 0.0
        elif isinstance(request, Recv) and request.timeout:
            acks = link._flying[0].__len__()
            flying -= acks
            answer = (b"\x06", 0.0)
        else:
            answer = (b"", 0.0)


def message(kind: int, payload: bytes, number: int = 0) -> bytes:
    head = b"\x02" + bytes((kind, len(payload) & 255, len(payload) >> 8))
    return head + payload + checksum_of(payload, checksum_of(head, number, "crc32"), "crc32").to_bytes(4, "little")


@given(st.lists(st.tuples(kinds, st.binary(max_size=300)), max_size=8), st.integers(1, 50))
def test_messages_in_any_chunks(messages: list[tuple[int, bytes]], chunk: int) -> None:
    board, link = ModelBoard(), StreamLink(Inbox(), 256)
    for number, (kind, payload) in enumerate(messages):
        board.said += message(kind, payload, number) + b"tick\r\n"  # a background task of the board prints
    got = [run(link.message(5), board, chunk) for _ in messages]
    assert got == [Message(kind, payload) for kind, payload in messages]


@pytest.mark.parametrize("at", range(2, 30))
def test_a_damaged_message_is_never_taken(at: int) -> None:
    board, link = ModelBoard(), StreamLink(Inbox(), 256)
    raw = bytearray(message(82, b"an answer of the board"))
    raw[at] ^= 0x55
    board.said += raw
    with pytest.raises(StreamDamaged):
        run(link.message(5), board)


def test_a_missing_message_is_noticed() -> None:
    board, link = ModelBoard(), StreamLink(Inbox(), 256)
    board.said += message(72, b"one", 0) + message(82, b"three", 2)
    assert run(link.message(5), board, 11).payload == b"one"
    with pytest.raises(StreamDamaged):
        run(link.message(5), board)


@pytest.mark.parametrize("chunk", [1, 11, 1000])
def test_what_a_board_said_before_it_ended_counts(chunk: int) -> None:
    """It ends by itself when it hears nothing for a while, which a slow line may tell with its last answers."""
    board, link = ModelBoard(), StreamLink(Inbox(), 256)
    board.said += message(72, b"one", 0) + message(82, b"two", 1) + b"\x04KeyboardInterrupt: \r\n\x04>"
    assert [run(link.message(5), board, chunk).payload for _ in range(2)] == [b"one", b"two"]
    with pytest.raises(StreamDamaged):
        run(link.message(5), board, chunk)


def test_a_silent_board_is_given_up() -> None:
    link = StreamLink(Inbox(), 256)
    sent: list[bytes] = []
    op, now = send_all(link, bytes(1000)), 0.0
    answer: Any = None

    def mute() -> None:
        nonlocal answer, now
        while True:
            request = op.send(answer)
            if isinstance(request, Send):
                sent.append(request.data)
                answer = now
            else:
                now += getattr(request, "timeout", 0) or 0
                answer = (b"", now)

    with pytest.raises(StreamDamaged):
        mute()
    assert sent.count(WAKE) > 1
    assert now < 20
