"""WebREPL: a terminal and a file channel in one WebSocket, without I/O.

Facts: extmod/modwebrepl.c, extmod/modwebsocket.c, and micropython-lib's webrepl.py, confirmed on a real server.

- Text frames are the terminal, and not UTF-8: raw paste's window is a byte of 0x80. Binary frames are files.
- Login: `Password: `; up to 9 characters and a CR; `WebREPL connected` or `Access denied`.
- A second client is closed in its handshake; a frame of more than 65,535 bytes closes the socket; no ping is answered.
- A file request has 82 bytes: `WA`, operation, flags, offset, size, length of the name, name. The board answers `WB`
  and a number, 0 for good, before the content and after it. What is wrong with a name closes the socket.
- Reading, each 00 byte is answered by a length of 2 bytes and up to 256 of content; length 0 ends. One 00 byte too many
  would be read as the next request.
"""

from __future__ import annotations

import logging
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ..errors import (
    ConnectionLostError,
    NotAuthorizedError,
    NoWebReplError,
    PortBusyError,
    PortUnusableError,
    ProxyError,
    StreamError,
)
from .buffer import Inbox
from .ops import Op, Pause, Send, on_host

PutFile = tuple[bytes, int, Iterable[bytes]]  # name (at most 63 bytes), size, content
GetFile = tuple[bytes, int, Callable[[bytes], Op[None]]]  # name, size, what takes the content in order
NAME_BYTES = 63
FRAME = 4096  # bytes of a binary frame: the board copes with 65,535, and others' data come in between more often
AHEAD = 256  # chunks that are asked for before they came: 64 kB
CHUNK = 256
READ = 512  # bytes of content that the board takes at once
LOGIN_SECONDS = 8.0
FILE_SECONDS = 15.0  # for the next bytes of a file: flash that is erased keeps a board busy for seconds
_REQUEST = struct.Struct("<2sBBQLH64s")
_PUT, _GET = 1, 2
_BUSY_STATUS = (502, 503, 504)


class WebReplLink:
    """The frames of one connection, from bytes and to bytes.

    Args:
        url: `ws://HOST:PORT/NAME` or wss.

    Attributes:
        terminal: what the board's terminal said and nobody has read yet.
        files: what came on the file channel and nobody has read yet.
        open: whether the WebSocket's handshake is done.
    """

    def __init__(self, url: str) -> None:
        from websockets.client import ClientProtocol
        from websockets.uri import parse_uri

        self._url = url
        # By default it logs every frame where a program logs all there is, that with the password, too.
        silent = logging.Logger("upytool.webrepl", logging.CRITICAL + 1)
        self._protocol: Any = ClientProtocol(parse_uri(url), max_size=1 << 16, logger=silent)
        self._protocol.send_request(self._protocol.connect())
        self.terminal, self.files = bytearray(), bytearray()
        self.open = self._ended = False
        self._text = True
        self._answer = b""  # the first bytes of the handshake's

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return b"".join(self._protocol.data_to_send())

    def say(self, data: bytes) -> bytes:
        """The frame that types `data` at the terminal; b"" once the connection has ended."""
        if not self._ended:
            self._protocol.send_text(data)
        return self.outgoing()

    def carry(self, data: bytes) -> bytes:
        """The frames that bring `data` to the file channel; b"" once the connection has ended."""
        start = 0
        while start < len(data) and not self._ended:
            left = len(data) - start
            size = min(FRAME, left)
            # The board reads a byte, then up to 511 more (modwebrepl.c); a last byte that comes alone is lost.
            if size > 1 and (size % READ == 1 or left - size == 1):
                size -= 2
            self._protocol.send_binary(data[start : start + size])
            start += size
        return self.outgoing()

    def close(self) -> bytes:
        """The frame that says goodbye, b"" where it cannot be said."""
        if not self.open or self._ended:
            return b""
        self._protocol.send_close()
        return self.outgoing()

    def feed(self, data: bytes) -> bool:
        """Take what arrived (b"": the far end closed); False once the connection has ended.

        Errors: PortUnusableError, NoWebReplError, ProxyError: the far end accepts no WebSocket, or is none.
        """
        from websockets.frames import Opcode
        from websockets.protocol import State

        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._answer += b"" if self.open else data[:64]
        for event in self._protocol.events_received():
            if not self.open:
                self.open = self._protocol.handshake_exc is None
                continue
            if event.opcode in (Opcode.TEXT, Opcode.BINARY):
                self._text = event.opcode is Opcode.TEXT
            elif event.opcode is not Opcode.CONT:
                continue
            (self.terminal if self._text else self.files).extend(event.data)
        if not self.open:
            if not data or self._protocol.handshake_exc is not None:
                raise self._refusal()
            return True
        self._ended = not data or self._protocol.state is not State.OPEN
        return not self._ended

    def _refusal(self) -> PortUnusableError:
        """Why the far end did not accept. (A board that has a client accepts, and closes then.)"""
        if not self._answer:
            return PortUnusableError("transport.unusable.no-answer", url=self._url)
        # Not what the library made of it, which knows HTTP/1.1 alone; HAProxy has other errors, and so has a board.
        found = re.match(rb"HTTP/1\.\d (\d{3})\b", self._answer)
        if found is None:
            return NoWebReplError("transport.no-webrepl.not-http", url=self._url)
        status = int(found[1])
        if status not in _BUSY_STATUS:
            return NoWebReplError("transport.no-webrepl.http-status", url=self._url, status=status)
        return ProxyError("transport.proxy.unreachable", url=self._url, status=status)


def _busy(name: str) -> PortBusyError:
    return PortBusyError("transport.busy.webrepl-client", name=name)


def login(name: str, password: Callable[[], bytes]) -> Op[None]:
    """Give the password once the board asks for it; the terminal is at a prompt, or in a program, afterwards.

    Args:
        name: of the board, for messages.
        password: asked for it only when the board does.

    Errors: NotAuthorizedError; NoWebReplError where no WebREPL asks; PortBusyError; ConnectionLostError.
    """
    inbox = Inbox()
    try:
        if (yield from inbox.read_until(b"Password: ", LOGIN_SECONDS)) is None:
            raise NoWebReplError("transport.no-webrepl.no-login", url=name)
    except ConnectionLostError as error:
        raise _busy(name) from error
    yield Send(password() + b"\r")
    deadline = (yield Pause(0)) + LOGIN_SECONDS
    refused = None
    while b"WebREPL connected\r\n>>> " not in inbox.data:
        if b"Access denied" in inbox.data:
            raise NotAuthorizedError("transport.password.wrong", name=name) from refused
        if refused is not None:
            raise refused
        try:
            if not (yield from inbox.fill(max(0.0, deadline - inbox.now))) and inbox.now >= deadline:
                raise NoWebReplError("transport.no-webrepl.no-reply", url=name)
        except ConnectionLostError as error:
            refused = error


class Channel:
    """Files over the binary frames. All methods that talk are operations.

    An operation that does not come to its end leaves the channel in the middle of a file, where the next request would
    be taken for content: the connection has to be made again.
    """

    def __init__(self) -> None:
        self._inbox = Inbox(files=True)
        self._due = 0  # answers that `written` waits for

    def put(self, files: Iterable[PutFile]) -> Op[None]:
        """Write files on the board, one behind the other without a pause.

        A board tells nothing of a full disk: what arrived is to be looked at afterwards. Errors: StreamError;
        ConnectionLostError, also for a name that the board cannot open.
        """
        yield from self.send(files)
        yield from self.written()

    def send(self, files: Iterable[PutFile]) -> Op[None]:
        """The first half of `put`: nothing is waited for."""
        for name, size, content in files:
            yield Send(_request(_PUT, name, size), files=True)
            left = size
            chunks = iter(content)
            while (data := (yield from on_host(next, chunks, None))) is not None:
                left -= len(data)
                if left < 0:
                    break
                yield Send(data, files=True)
            if left:
                raise StreamError("protocol.stream.file-changed")
            self._due += 2

    def written(self) -> Op[None]:
        """The second half of `put`: the board has closed all files."""
        while self._due:
            yield from self._good()
            self._due -= 1

    def get(self, files: Sequence[GetFile]) -> Op[None]:
        """Read files, one behind the other without a pause.

        Errors: StreamError where one has more bytes or fewer; ConnectionLostError, also for a name that the board
        cannot open.
        """
        inbox, questions, asked = self._inbox, _questions(files), 0
        for _, size, take in files:
            came, count = 0, -1
            while count:
                while asked <= AHEAD // 2 and (more := next(questions, None)) is not None:
                    yield Send(more[0], files=True)
                    asked += more[1]
                if count < 0:
                    yield from self._good()
                count = int.from_bytes((yield from inbox.read_exact(2, FILE_SECONDS)), "little")
                if count != min(CHUNK, size - came):
                    raise StreamError("protocol.stream.file-changed")
                asked -= 1
                if count:
                    yield from take((yield from inbox.read_exact(count, FILE_SECONDS)))
                    came += count
            yield from self._good()

    def _good(self) -> Op[None]:
        answer = yield from self._inbox.read_exact(4, FILE_SECONDS)
        if answer != b"WB\0\0":
            raise StreamError("protocol.stream.file-refused")


def _questions(files: Iterable[GetFile]) -> Iterator[tuple[bytes, int]]:
    """What asks for all of `files`, in parts: (bytes, chunks that they ask for), about half of AHEAD."""
    data, chunks = bytearray(), 0
    for name, size, _ in files:
        data += _request(_GET, name, 0)
        left = -(-size // CHUNK) + 1
        while left:
            count = min(left, AHEAD // 2 - chunks)
            data += bytes(count)
            chunks += count
            left -= count
            if chunks == AHEAD // 2:
                yield bytes(data), chunks
                data, chunks = bytearray(), 0
    if chunks:
        yield bytes(data), chunks


def _request(operation: int, name: bytes, size: int) -> bytes:
    return _REQUEST.pack(b"WA", operation, 0, 0, size, len(name), name)
