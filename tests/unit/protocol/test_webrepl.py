"""WebREPL's frames, login and file channel, without a network; `websockets`' server makes the far end's frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.server import ServerProtocol

from upytool.errors import (
    ConnectionLostError,
    DeviceTimeoutError,
    NotAuthorizedError,
    PortBusyError,
    PortUnusableError,
    StreamError,
    TransportError,
)
from upytool.protocol.ops import Op, Pause, Recv, Send, Work
from upytool.protocol.webrepl import AHEAD, CHUNK, Channel, WebReplLink, login

URL = "ws://board:8266"


class Peer:
    """The server's side of a link whose handshake is done."""

    def __init__(self) -> None:
        self.link = WebReplLink(URL)
        self.server = ServerProtocol()
        self.server.receive_data(self.link.outgoing())
        (request,) = self.server.events_received()
        self.server.send_response(self.server.accept(request))
        assert self.link.feed(self.outgoing())
        assert self.link.open

    def outgoing(self) -> bytes:
        return b"".join(self.server.data_to_send())

    def frames(self, data: bytes) -> list[Any]:
        self.server.receive_data(data)
        return list(self.server.events_received())


pieces = st.lists(st.tuples(st.booleans(), st.binary(max_size=300)), max_size=8)


@settings(deadline=None)
@given(pieces, st.data())
def test_frames_arrive_whole_however_they_are_cut(sent: list[tuple[bool, bytes]], data: st.DataObject) -> None:
    peer = Peer()
    for is_text, content in sent:
        (peer.server.send_text if is_text else peer.server.send_binary)(content)
    stream = peer.outgoing()
    while stream:
        count = data.draw(st.integers(1, len(stream)))
        assert peer.link.feed(stream[:count])
        stream = stream[count:]
    assert bytes(peer.link.terminal) == b"".join(content for is_text, content in sent if is_text)
    assert bytes(peer.link.files) == b"".join(content for is_text, content in sent if not is_text)


def test_a_frame_in_parts_keeps_its_channel() -> None:
    peer = Peer()
    peer.server.send_binary(b"ab", fin=False)
    peer.server.send_continuation(b"cd", fin=True)
    peer.server.send_text(b"\x80\xff")
    peer.link.feed(peer.outgoing())
    assert (bytes(peer.link.files), bytes(peer.link.terminal)) == (b"abcd", b"\x80\xff")


def test_what_is_typed_is_text_of_any_bytes_and_content_comes_in_short_frames() -> None:
    peer = Peer()
    (typed,) = peer.frames(peer.link.say(bytes(range(256))))
    assert (typed.opcode.name, bytes(typed.data)) == ("TEXT", bytes(range(256)))
    frames = peer.frames(peer.link.carry(bytes(10_000)))
    assert {frame.opcode.name for frame in frames} == {"BINARY"}
    assert max(len(frame.data) for frame in frames) < 1 << 16
    assert sum(len(frame.data) for frame in frames) == 10_000


@pytest.mark.parametrize("size", [2, 511, 512, 513, 514, 1025, 4097, 4609, 10_000])
def test_no_frame_leaves_a_byte_alone(size: int) -> None:
    peer = Peer()
    content = bytes(index % 251 for index in range(size))
    frames = [bytes(frame.data) for frame in peer.frames(peer.link.carry(content))]
    assert b"".join(frames) == content
    assert not any(len(frame) % 512 == 1 for frame in frames)


def test_a_goodbye_ends_the_connection() -> None:
    peer = Peer()
    peer.server.send_text(b"last words")
    peer.server.send_close()
    assert not peer.link.feed(peer.outgoing())
    assert bytes(peer.link.terminal) == b"last words"
    assert [frame.opcode.name for frame in peer.frames(peer.link.outgoing())] == ["CLOSE"]
    assert (peer.link.say(b"x"), peer.link.carry(b"y"), peer.link.close()) == (b"", b"", b"")
    assert not Peer().link.feed(b"")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", PortUnusableError),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", PortUnusableError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", PortUnusableError),
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", PortUnusableError),
        (b"SSH-2.0-OpenSSH_9.2\r\n", PortUnusableError),
        (b"\x00\x01\x02\x03\r\n\r\n", PortUnusableError),
    ],
)
def test_who_does_not_accept_is_named(answer: bytes, error: type[TransportError]) -> None:
    link = WebReplLink(URL)
    link.outgoing()

    def accept() -> None:
        link.feed(answer)
        link.feed(b"")

    with pytest.raises(error):
        accept()


def test_a_proxy_without_a_board_differs_from_no_webrepl() -> None:
    messages = set()
    for status in (b"404 Not Found", b"502 Bad Gateway"):
        link = WebReplLink(URL)
        with pytest.raises(PortUnusableError) as caught:
            link.feed(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
        messages.add(caught.value.message)
    assert len(messages) == 2


# -- operations --------------------------------------------------------------------------------


def run(op: Op[Any], board: Iterator[bytes | Exception | None], sent: list[bytes]) -> Any:
    """Drive `op`: `board` gives what each read brings, None for silence."""
    now, answer = 0.0, None
    step: Any = op.send
    while True:
        try:
            request = step(answer)
        except StopIteration as done:
            return done.value
        step = op.send
        match request:
            case Send(data):
                sent.append(data)
                answer = now
            case Pause(seconds):
                now += seconds
                answer = now
            case Work(call):
                answer = call()
            case Recv(timeout):
                came = next(board, None)
                if isinstance(came, Exception):
                    step, answer = op.throw, came
                    continue
                if came is None:
                    now += timeout or 0.0
                answer = (came or b"", now)


def taking(take: Callable[[bytes], object]) -> Callable[[bytes], Op[None]]:
    """What takes content, as an operation."""

    def op(data: bytes) -> Op[None]:
        yield from ()
        take(data)

    return op


LOST = ConnectionLostError("gone")
GREETING = b"\r\nWebREPL connected\r\n>>> "


@given(st.integers(1, 30))
def test_login_whatever_the_reads_bring(size: int) -> None:
    text = b"Password: " + GREETING
    sent: list[bytes] = []
    run(login("b", lambda: b"secret"), (text[at : at + size] for at in range(0, len(text), size)), sent)
    assert sent == [b"secret\r"]


@pytest.mark.parametrize(
    ("board", "error"),
    [
        ([b"Password: ", b"\r\nAccess denied\r\n", LOST], NotAuthorizedError),
        ([b"Password: ", b"\r\nAccess ", b"denied\r\n"], NotAuthorizedError),
        ([b"Password: ", LOST], ConnectionLostError),
        ([b"Password: "], PortUnusableError),
        ([b"hello"], PortUnusableError),
        ([], PortUnusableError),
        ([LOST], PortBusyError),
    ],
)
def test_a_login_that_fails(board: list[Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        run(login("b", lambda: b"secret"), iter(board), [])


def test_the_password_is_asked_for_only_when_the_board_asks() -> None:
    def never() -> bytes:
        raise AssertionError("asked")

    with pytest.raises(PortUnusableError):
        run(login("b", never), iter([b"SSH"]), [])


class Files:
    """A MODEL of modwebrepl.c's file channel, which answers as reads ask for it."""

    def __init__(self, content: bytes = b"") -> None:
        self.content, self.sent, self.written = content, [], b""  # type: ignore[var-annotated]
        self.ahead = 0

    def reads(self) -> Iterator[bytes]:
        done = at = 0
        header = b""
        while True:
            data = b"".join(self.sent)[done:]
            if len(data) < 82 and not header:
                return
            if not header:
                header, done = data[:82], done + 82
                assert header[:2] == b"WA", "one chunk too many was asked for, or one too few"
                yield b"WB\0\0"
                continue
            if header[2] == 1:
                size = int.from_bytes(header[12:16], "little")
                self.written, done, header = data[:size], done + size, b""
                yield b"WB\0\0"
                continue
            self.ahead = max(self.ahead, len(data))
            assert data[:1] == b"\0", "nothing was asked for, or another thing"
            part, done, at = self.content[at : at + CHUNK], done + 1, at + CHUNK
            yield len(part).to_bytes(2, "little") + part
            if not part:
                header, at = b"", 0
                yield b"WB\0\0"


class ManyFiles:
    """A MODEL of it that serves whatever was sent before it says a word. Attributes: turns (how often it waited)."""

    def __init__(self, sizes: list[int]) -> None:
        self.sizes, self.sent = sizes, []  # type: ignore[var-annotated]
        self.turns = 0

    def reads(self) -> Iterator[bytes]:
        done = 0
        waiting = True
        for number, size in enumerate(self.sizes):
            left: int | None = None
            while True:
                data = b"".join(self.sent)[done:]
                if not data:
                    self.turns += waiting
                    waiting = False
                    yield b""
                    continue
                waiting = True
                if left is None:
                    assert data[:3] == b"WA\x02"
                    assert data[18:82].rstrip(b"\0") == b"/f%d" % number
                    done, left = done + 82, size
                    yield b"WB\0\0"
                    continue
                assert data[0] == 0
                count = min(left, CHUNK)
                done, left = done + 1, left - count
                yield count.to_bytes(2, "little") + bytes((number,)) * count
                if not count:
                    yield b"WB\0\0"
                    break


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 511, 512, 513, CHUNK * AHEAD, CHUNK * AHEAD * 3 + 1])
def test_a_file_comes_with_exactly_as_many_requests_as_it_has_chunks(size: int) -> None:
    board = Files(bytes(range(256)) * (size // 256) + bytes(size % 256))
    got: list[bytes] = []
    run(Channel().get([(b"/f", size, taking(got.append))]), board.reads(), board.sent)
    assert b"".join(got) == board.content
    assert len(b"".join(board.sent)) == 82 + size // CHUNK + (size % CHUNK > 0) + 1
    assert board.ahead <= AHEAD
    assert size <= CHUNK * AHEAD or board.ahead > AHEAD // 2


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 5 * CHUNK) | st.just(CHUNK * AHEAD + 1), max_size=6))
def test_many_files_come_without_a_pause(sizes: list[int]) -> None:
    """The next file is asked for before the last byte of the one before has come."""
    got = [bytearray() for _ in sizes]
    files = [(b"/f%d" % number, size, taking(got[number].extend)) for number, size in enumerate(sizes)]
    board = ManyFiles(sizes)
    run(Channel().get(files), board.reads(), board.sent)
    assert list(map(bytes, got)) == [bytes((number,)) * size for number, size in enumerate(sizes)]
    assert board.turns <= 1 + sum(-(-size // CHUNK) + 1 for size in sizes) // (AHEAD // 2)


@pytest.mark.parametrize("expected", [699, 701, 0, 1024])
def test_a_file_of_another_size_is_refused(expected: int) -> None:
    board = Files(bytes(700))
    with pytest.raises(StreamError):
        run(Channel().get([(b"/f", expected, taking(len))]), board.reads(), board.sent)


@pytest.mark.parametrize("size", [0, 1, 5000])
def test_a_file_goes_in_one_stream(size: int) -> None:
    board = Files()
    content = bytes(index % 251 for index in range(size))
    run(Channel().put([(b"/f", size, [content[:3], content[3:]])]), board.reads(), board.sent)
    assert board.written == content
    name = board.sent[0][18:82]
    assert (board.sent[0][:3], name.rstrip(b"\0")) == (b"WA\x01", b"/f")


@pytest.mark.parametrize("size", [4, 6])
def test_a_local_file_that_changes_meanwhile_is_noticed(size: int) -> None:
    with pytest.raises(StreamError):
        run(Channel().put([(b"/f", size, [b"12345"])]), Files().reads(), [])


def test_a_board_that_stops_in_a_file_is_not_waited_for_for_ever() -> None:
    with pytest.raises(DeviceTimeoutError):
        run(Channel().get([(b"/f", 10, taking(len))]), iter([b"WB\0\0", b"\x0a\0abc"]), [])


def test_a_refusal_is_no_content() -> None:
    with pytest.raises(StreamError):
        run(Channel().put([(b"/f", 0, [])]), iter([b"WB\x01\0"]), [])
