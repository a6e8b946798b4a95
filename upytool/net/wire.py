"""The bytes of an HTTP answer, counted and timed as they arrive.

http.client limits a line and the number of headers, but neither the time that they take (a byte every few seconds
keeps each single wait short) nor how many `100 Continue` answers or trailers follow one another. So each read from the
socket is held to a deadline and to a number of bytes, whatever part of the protocol it is for.
"""

from __future__ import annotations

import io
import re
import time
from contextlib import suppress
from functools import cache
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING, Any

from .. import limits
from ..words import Said
from .budget import BUDGET, TooMuch

if TYPE_CHECKING:
    import socket

    import urllib3


SLICE = 0.5  # seconds of a wait, until which it is not seen that everything is given up


class _Counted(io.RawIOBase):
    """A socket's bytes within a budget."""

    def __init__(self, raw: Any, sock: socket.socket) -> None:
        self._raw, self._sock = raw, sock
        self._patience = sock.gettimeout()
        now = time.monotonic()
        self._last = BUDGET.deadline
        self._deadline = min(self._last, now + limits.HTTP_HEADER_SECONDS)
        self._stop = BUDGET.stop
        self._left = limits.HTTP_HEADER_BYTES
        self._what = "the head of the answer"

    def body(self) -> None:
        """The head is complete: what follows has the limits of the whole."""
        self._deadline, self._left, self._what = self._last, BUDGET.bytes + limits.HTTP_HEADER_BYTES, "the answer"

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise TooMuch(Said("net.too-long", what=self._what))
        silent = time.monotonic() + (self._patience or limits.HTTP_HEADER_SECONDS)
        while True:
            now = time.monotonic()
            if self._stop.is_set():
                raise TooMuch(Said("net.given-up"))
            if now >= self._deadline:
                raise TooMuch(Said("net.not-in-time", what=self._what))
            if now >= silent:
                raise TimeoutError("the server is silent")
            self._sock.settimeout(min(SLICE, max(0.001, min(self._deadline, silent) - now)))
            with suppress(TimeoutError):
                count = self._sock.recv_into(buffer)
                self._left -= count
                return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(HTTPResponse):
    """http.client's answer, read through `_Counted`."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._counted = _Counted(self.fp.detach(), sock)
        self.fp = io.BufferedReader(self._counted)

    def begin(self) -> None:
        super().begin()
        for length in set(self.headers.get_all("content-length", ())):
            if not re.fullmatch("[0-9]{1,18}", length.strip()):
                raise HTTPException("its length is not a number")
        self._counted.body()


@cache
def _pools() -> dict[str, Any]:
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    plain = type("Connection", (HTTPConnection,), {"response_class": _Response})
    secure = type("SecureConnection", (HTTPSConnection,), {"response_class": _Response})
    return {
        "http": type("Pool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


def counted(manager: urllib3.PoolManager) -> urllib3.PoolManager:
    """Let all connections of a pool manager count and time what they read."""
    manager.pool_classes_by_scheme = _pools()
    return manager
