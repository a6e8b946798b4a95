"""The control port of a simulated board's process: who may give orders, and how long a caller may take to say so.

A caller sends one line, `TOKEN COMMAND`, and reads one, `ok`, `no` or a state; after `usb` the connection goes on in
frames (usb_link.py). Any program of this computer can connect. So nothing is looked at before the token is right, a
line has few bytes and little time in all, callers do not wait for one another, and few can wait.
"""

from __future__ import annotations

import secrets
import selectors
import socket
import time
from collections.abc import Callable

from .. import limits

Order = Callable[[str, socket.socket], bool]


def request(token: str, command: str) -> bytes:
    """The line that a caller sends."""
    return f"{token} {command}\n".encode()


class Caller:
    """A connection that has not yet said who it is."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel, self.said = channel, b""
        self.until = time.monotonic() + limits.SIM_CALL_SECONDS


class ControlPort:
    """The listening socket and its callers, in the server's selector loop.

    Args:
        order: carries out a command of a caller with the token; True when it keeps the channel.
    """

    def __init__(self, token: str, selector: selectors.BaseSelector, order: Order) -> None:
        self._token, self._selector, self._order = token.encode(), selector, order
        self._callers: list[Caller] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        selector.register(self._socket, selectors.EVENT_READ, self)

    @property
    def number(self) -> int:
        return int(self._socket.getsockname()[1])

    def accept(self) -> None:
        """Take a caller in; where too many wait, the oldest goes."""
        try:
            channel, _ = self._socket.accept()
        except OSError:
            return
        channel.setblocking(False)
        caller = Caller(channel)
        self._callers.append(caller)
        self._selector.register(channel, selectors.EVENT_READ, caller)
        if len(self._callers) > limits.SIM_CALLERS:
            self._drop(self._callers[0])

    def hear(self, caller: Caller) -> None:
        """Bytes of a caller have come."""
        if caller not in self._callers:
            return  # dropped since the selector saw it
        try:
            data = caller.channel.recv(limits.SIM_CALL_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        caller.said += data
        line, end, more = caller.said.partition(b"\n")
        if not end:
            if not data or len(caller.said) > limits.SIM_CALL_BYTES:
                self._drop(caller)
            return
        token, _, command = line.partition(b" ")
        self._callers.remove(caller)
        self._selector.unregister(caller.channel)
        try:
            if more or not secrets.compare_digest(token, self._token):
                caller.channel.sendall(b"no\n")
            elif self._order(command.decode("ascii", "replace"), caller.channel):
                return
        except OSError:
            pass
        caller.channel.close()

    def drop_late(self) -> None:
        """Hang up on callers whose time is over."""
        now = time.monotonic()
        for caller in [caller for caller in self._callers if caller.until < now]:
            self._drop(caller)

    def _drop(self, caller: Caller) -> None:
        self._callers.remove(caller)
        self._selector.unregister(caller.channel)
        caller.channel.close()

    def close(self) -> None:
        for caller in list(self._callers):
            self._drop(caller)
        self._selector.unregister(self._socket)
        self._socket.close()
