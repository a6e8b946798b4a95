"""The host's end of a simulated board's serial line: a TCP port here, a pty in pty_line.py."""

from __future__ import annotations

import selectors
import socket
import sys
from pathlib import Path
from typing import Protocol

from .peer import of_this_user


class Line(Protocol):
    """Where clients connect. Reads and writes never wait."""

    name: str

    @property
    def connected(self) -> bool: ...

    def attach(self, selector: selectors.BaseSelector) -> None: ...

    def interest(self, *, read: bool, write: bool) -> None: ...

    def accept(self) -> None: ...

    def read(self) -> bytes: ...

    def write(self, data: bytes) -> int: ...

    def close(self) -> None: ...


def open_line(link: Path, *, tcp: bool) -> Line:
    """A pty with `link` pointing at it, or a TCP port on the loopback interface."""
    if tcp or sys.platform == "win32":
        return TcpLine()
    from .pty_line import PtyLine

    return PtyLine(link)


class TcpLine:
    """One client at a time, a program of this user's; with none, the board's output is thrown away, as USB does."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self._client: socket.socket | None = None
        self._selector: selectors.BaseSelector | None = None
        self._mask = 0
        self.name = f"socket://127.0.0.1:{self._server.getsockname()[1]}"

    @property
    def connected(self) -> bool:
        return self._client is not None

    def attach(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        selector.register(self._server, selectors.EVENT_READ, "listen")

    def accept(self) -> None:
        try:
            client, _ = self._server.accept()
        except OSError:
            return
        if self._client is not None or not of_this_user(client):
            client.close()  # the port is taken, or not for that user
            return
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client, self._mask = client, 0
        self.interest(read=True, write=False)

    def interest(self, *, read: bool, write: bool) -> None:
        mask = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if self._client is None or self._selector is None or mask == self._mask:
            return
        if self._mask == 0:
            self._selector.register(self._client, mask, "line")
        elif mask == 0:
            self._selector.unregister(self._client)
        else:
            self._selector.modify(self._client, mask, "line")
        self._mask = mask

    def read(self) -> bytes:
        if self._client is None:
            return b""
        try:
            data = self._client.recv(65536)
        except (BlockingIOError, InterruptedError):
            return b""
        except OSError:
            data = b""
        if not data:
            self._hang_up()
        return data

    def write(self, data: bytes) -> int:
        if self._client is None:
            return 0
        try:
            return self._client.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            self._hang_up()
            return 0

    def _hang_up(self) -> None:
        if self._client is not None:
            self.interest(read=False, write=False)
            self._client.close()
            self._client = None

    def close(self) -> None:
        self._hang_up()
        self._server.close()
