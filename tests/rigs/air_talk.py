"""A minimal WebREPL client for the rigs' own tests, independent of the product that the rigs test."""

from __future__ import annotations

import socket
import struct
import time
from types import TracebackType

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from tests.rigs.talk import Talk

REQUEST = struct.Struct("<2sBBQLH64s")  # struct webrepl_file of extmod/modwebrepl.c
PUT, GET, GET_VERSION = 1, 2, 3
DONE = b"WB\0\0"


class Closed(Exception):
    """The board ended the connection; the text says what was waited for, and what came."""


class AirTalk(Talk):
    """An open WebREPL connection: text frames are Talk's terminal, binary frames the file protocol.

    Attributes: upgraded (the handshake was answered with 101), frames (all that came, in order).
    """

    def __init__(self, url: str, password: str | None = None) -> None:
        uri = parse_uri(url)
        self.socket = socket.create_connection((uri.host, uri.port), 10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.descriptor = self.socket.fileno()
        self.protocol = ClientProtocol(uri)
        self.frames: list[Frame] = []
        self.text = self.binary = b""
        self.upgraded = False
        self.protocol.send_request(self.protocol.connect())
        self._flush()
        try:
            while not self.upgraded:
                self._receive(10)
            if password is not None:
                self.login(password)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self) -> AirTalk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def login(self, password: str) -> None:
        """Answer the question for the password; returns at the prompt."""
        self.until(b"Password: ")
        self.send(password.encode() + b"\r")
        self.until(b"\r\nWebREPL connected\r\n>>> ")

    def send(self, data: bytes) -> None:
        """Send one text frame."""
        self.protocol.send_text(data)
        self._flush()

    def send_binary(self, data: bytes) -> None:
        """Send one binary frame."""
        self.protocol.send_binary(data)
        self._flush()

    def until(self, end: bytes, timeout: float = 10.0) -> bytes:
        """Read terminal output up to and including `end`."""
        last = time.monotonic() + timeout
        while end not in self.text:
            self._receive(last - time.monotonic(), f"no {end!r}, only {self.text[-500:]!r}")
        at = self.text.index(end) + len(end)
        seen, self.text = self.text[:at], self.text[at:]
        return seen

    def until_count(self, count: int, timeout: float = 10.0) -> bytes:
        """Read exactly `count` bytes of terminal output."""
        last = time.monotonic() + timeout
        while len(self.text) < count:
            self._receive(last - time.monotonic(), f"{count} bytes did not come, only {self.text!r}")
        seen, self.text = self.text[:count], self.text[count:]
        return seen

    def answer(self, count: int, timeout: float = 10.0) -> bytes:
        """Read exactly `count` bytes of the file protocol."""
        last = time.monotonic() + timeout
        while len(self.binary) < count:
            self._receive(last - time.monotonic(), f"{count} bytes did not come, only {self.binary!r}")
        seen, self.binary = self.binary[:count], self.binary[count:]
        return seen

    def until_closed(self, timeout: float = 10.0) -> bytes:
        """Read until the board ends the connection; returns the terminal output till then."""
        last = time.monotonic() + timeout
        try:
            while True:
                self._receive(last - time.monotonic(), "the board did not close")
        except Closed:
            seen, self.text = self.text, b""
            return seen

    def request(self, operation: int, name: str = "", size: int = 0) -> None:
        """Send a request of the file protocol."""
        encoded = name.encode()
        self.send_binary(REQUEST.pack(b"WA", operation, 0, 0, size, len(encoded), encoded))

    def put(self, name: str, data: bytes, frame: int = 4096) -> None:
        """Write a file by PUT, in frames of `frame` bytes."""
        self.request(PUT, name, len(data))
        assert self.answer(4) == DONE
        for at in range(0, len(data), frame):
            self.send_binary(data[at : at + frame])
        assert self.answer(4) == DONE

    def get(self, name: str) -> bytes:
        """Read a file by GET, one chunk at a time."""
        self.request(GET, name)
        assert self.answer(4) == DONE
        data = b""
        while True:
            self.send_binary(b"\0")
            size = int.from_bytes(self.answer(2), "little")
            if not size:
                assert self.answer(4) == DONE
                return data
            assert size <= 256
            data += self.answer(size)

    def _flush(self) -> None:
        try:
            for data in self.protocol.data_to_send():
                self.socket.sendall(data)
        except ConnectionError:
            raise Closed("while sending") from None

    def _receive(self, timeout: float, missing: str = "no answer") -> None:
        self.socket.settimeout(max(0.001, timeout))
        try:
            # Otherwise each small frame waits 40 ms: its header goes first, and the payload waits for the ACK.
            if hasattr(socket, "TCP_QUICKACK"):
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            data = self.socket.recv(65536)
        except TimeoutError:
            raise TimeoutError(missing) from None
        except ConnectionError:
            data = b""
        if not data:
            raise Closed(missing)
        self.protocol.receive_data(data)
        for event in self.protocol.events_received():
            if isinstance(event, Response):
                self.upgraded = event.status_code == 101
            elif isinstance(event, Frame):
                self.frames.append(event)
                if event.opcode is Opcode.TEXT:
                    self.text += event.data
                elif event.opcode is Opcode.BINARY:
                    self.binary += event.data
