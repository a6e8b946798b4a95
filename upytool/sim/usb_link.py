"""A simulated board's USB port from another process: requests and answers over the server's control channel.

A client sends the line that every command is (control.py), with command "usb", and goes on in frames once it has got
`ok`. A frame is its length (u32, little endian, of what follows) and a body. A request's body: operation (u8),
generation (u32), argument (u8), then for TRANSFER the setup packet (8 bytes), the length that may come in (u32)
and the data that goes out. An answer's body: status (i32, libusb's numbers), count (u32), data. Each request but
CANCEL gets one answer; CANCEL makes the transfer that is under way end soon. Hanging up cancels and releases.
"""

from __future__ import annotations

import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..errors import SimulatorError
from .control import request
from .usb_port import INVALID, NO_DEVICE, OK, Transfer, UsbIdentity, UsbPort

if TYPE_CHECKING:
    from .registry import SimInfo

IDENTITY, TRANSFER, CANCEL, CLAIM, RELEASE = range(1, 6)
REQUEST = struct.Struct("<BIB")
SETUP = struct.Struct("<8sI")
ANSWER = struct.Struct("<iI")
LIMIT = 4 * 1024 * 1024  # bytes of a frame
CONNECT_SECONDS = 5.0
GRACE_SECONDS = 20.0  # what an answer may take beyond its transfer's own time


def pack_identity(identity: UsbIdentity | None) -> bytes:
    if identity is None:
        return b""
    busy = bytes(identity.busy)
    return struct.pack("<IB", identity.generation, len(busy)) + busy + identity.device + identity.configuration


def unpack_identity(data: bytes) -> UsbIdentity | None:
    if not data:
        return None
    generation, count = struct.unpack_from("<IB", data)
    rest = data[5 + count :]
    return UsbIdentity(generation, rest[:18], rest[18:], tuple(data[5 : 5 + count]))


class UsbGuest:
    """One client, in the server's selector loop.

    Args:
        ended: called in the board's thread when an answer waits for `flush`.
    """

    def __init__(
        self, channel: socket.socket, port: UsbPort, selector: selectors.BaseSelector, ended: Callable[[], None]
    ) -> None:
        channel.setblocking(False)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.open = True
        self._channel, self._port, self._selector, self._ended = channel, port, selector, ended
        self._input, self._output = bytearray(), bytearray()
        self._transfer: Transfer | None = None
        selector.register(channel, selectors.EVENT_READ, self)

    def serve(self, mask: int) -> None:
        """The channel can be read or written."""
        try:
            if mask & selectors.EVENT_READ:
                data = self._channel.recv(262144)
                if not data:
                    self.close()
                    return
                self._input += data
                while self.open and self._next():
                    pass
        except BlockingIOError:
            pass
        except (OSError, struct.error):
            self.close()
            return
        self.flush()

    def flush(self) -> None:
        """Send the answer of a transfer that has ended, and what else waits."""
        if not self.open:
            return
        transfer = self._transfer
        if transfer is not None and transfer.status is not None:
            self._transfer = None
            self._answer(transfer.status, transfer.count, bytes(transfer.received))
        try:
            if self._output:
                del self._output[: self._channel.send(self._output)]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._output else 0)
        self._selector.modify(self._channel, mask, self)

    def close(self) -> None:
        """Let go of everything that this client had."""
        if not self.open:
            return
        self.open = False
        self._selector.unregister(self._channel)
        self._channel.close()
        if self._transfer is not None:
            self._port.cancel(self._transfer)
        self._port.claims.release_all(self)

    def _next(self) -> bool:
        if len(self._input) < 4:
            return False
        size = int.from_bytes(self._input[:4], "little")
        if size > LIMIT or size < REQUEST.size:
            self.close()
            return False
        if len(self._input) < 4 + size:
            return False
        body = bytes(self._input[4 : 4 + size])
        del self._input[: 4 + size]
        self._do(body)
        return True

    def _do(self, body: bytes) -> None:
        operation, generation, argument = REQUEST.unpack_from(body)
        identity = self._port.identity
        if operation == IDENTITY:
            self._answer(OK, 0, pack_identity(identity))
        elif operation == CANCEL:
            if self._transfer is not None:
                self._port.cancel(self._transfer)
        elif operation == CLAIM:
            if identity is None or identity.generation != generation:
                self._answer(NO_DEVICE)
            else:
                self._answer(self._port.claims.claim(identity, argument, self))
        elif operation == RELEASE:
            self._answer(self._port.claims.release(generation, argument, self))
        elif operation == TRANSFER and self._transfer is None and argument <= 32:
            setup, length = SETUP.unpack_from(body, REQUEST.size)
            data = body[REQUEST.size + SETUP.size :]
            transfer = Transfer(generation, argument, setup, data, min(length, LIMIT))
            self._transfer = transfer
            transfer.done = lambda _: self._ended()
            self._port.submit(transfer)
        else:
            self._answer(INVALID)

    def _answer(self, status: int, count: int = 0, data: bytes = b"") -> None:
        self._output += struct.pack("<I", ANSWER.size + len(data)) + ANSWER.pack(status, count) + data


class RemoteSession:
    """A session (usb_port.Session) with the board of a server process. A server that is gone is NO_DEVICE.

    Raises (constructor): SimulatorError when the board does not answer or has no USB.
    """

    def __init__(self, info: SimInfo) -> None:
        self._lock = threading.Lock()
        try:
            self._channel: socket.socket | None = socket.create_connection(("127.0.0.1", info.control), CONNECT_SECONDS)
        except OSError as err:
            raise SimulatorError("sim.no-answer", name=info.name) from err
        try:
            self._channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._channel.sendall(request(info.token, "usb"))
            answer = self._read(3, time.monotonic() + CONNECT_SECONDS)
        except OSError as err:
            self.close()
            raise SimulatorError("sim.no-answer", name=info.name) from err
        if answer != b"ok\n":
            self.close()
            raise SimulatorError("sim.no-usb", name=info.name)

    def identity(self) -> UsbIdentity | None:
        status, _, data = self._ask(REQUEST.pack(IDENTITY, 0, 0), GRACE_SECONDS)
        return unpack_identity(data) if status == OK else None

    def claim(self, generation: int, interface: int) -> int:
        return self._ask(REQUEST.pack(CLAIM, generation, interface), GRACE_SECONDS)[0]

    def release(self, generation: int, interface: int) -> int:
        return self._ask(REQUEST.pack(RELEASE, generation, interface), GRACE_SECONDS)[0]

    def run(self, transfer: Transfer, timeout: float) -> int:
        head = REQUEST.pack(TRANSFER, transfer.generation, transfer.index)
        body = head + SETUP.pack(transfer.setup, transfer.length) + transfer.data
        status, transfer.count, data = self._ask(body, timeout, cancel=True)
        transfer.received += data
        transfer.status = status
        return status

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _ask(self, body: bytes, timeout: float, *, cancel: bool = False) -> tuple[int, int, bytes]:
        with self._lock:
            try:
                if self._channel is None:
                    return NO_DEVICE, 0, b""
                self._channel.settimeout(GRACE_SECONDS)
                self._channel.sendall(struct.pack("<I", len(body)) + body)
                deadline = time.monotonic() + timeout
                try:
                    head = self._read(4, deadline)
                except TimeoutError:
                    if not cancel:
                        raise
                    self._channel.sendall(struct.pack("<I", REQUEST.size) + REQUEST.pack(CANCEL, 0, 0))
                    head = self._read(4, time.monotonic() + GRACE_SECONDS)
                size = int.from_bytes(head, "little")
                if not ANSWER.size <= size <= LIMIT + ANSWER.size:
                    raise OSError("not an answer")
                answer = self._read(size, time.monotonic() + GRACE_SECONDS)
            except OSError:
                self.close()  # whatever happened, an answer may be half read
                return NO_DEVICE, 0, b""
        status, count = ANSWER.unpack_from(answer)
        return status, count, answer[ANSWER.size :]

    def _read(self, count: int, deadline: float) -> bytes:
        """Raises: TimeoutError while not a byte has come; OSError."""
        assert self._channel is not None
        data = bytearray()
        while len(data) < count:
            self._channel.settimeout(max(0.001, deadline - time.monotonic()) if not data else GRACE_SECONDS)
            piece = self._channel.recv(count - len(data))
            if not piece:
                raise OSError("the server hung up")
            data += piece
        return bytes(data)
