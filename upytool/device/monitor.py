"""Watch what a board prints, without a byte to it: nothing is interrupted, nothing restarts."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import ConnectionLostError
from ..transport.base import Transport
from .device import Device

Reopen = Callable[[], "Transport | None"]


class Stamper:
    """Puts a text in front of each line.

    Args:
        stamp: makes the text, at the moment when the line begins.
    """

    def __init__(self, stamp: Callable[[], str]) -> None:
        self._stamp, self._fresh = stamp, True

    def __call__(self, data: bytes) -> bytes:
        out = bytearray()
        for line in data.splitlines(keepends=True) if b"\n" in data else [data]:
            if self._fresh and line not in (b"\r", b""):
                out += self._stamp().encode()
            out += line
            self._fresh = line.endswith(b"\n")
        return bytes(out)


def watch(
    device: Device,
    sink: Callable[[bytes], None],
    *,
    seconds: float | None = None,
    reopen: Reopen | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Hand what the board prints to `sink`, for `seconds` or until Ctrl-C (KeyboardInterrupt comes out).

    Args:
        reopen: called every 0.25 s after the connection was lost, until it returns a new transport; without
            it ConnectionLostError comes out.
        say: told when the board goes and comes back.
    """
    end = None if seconds is None else time.monotonic() + seconds
    interceptor = device.session.repl.interceptor
    while end is None or time.monotonic() < end:
        try:
            data = device.transport.read(0.25 if end is None else max(0.0, min(0.25, end - time.monotonic())))
            if interceptor is not None:
                data, reply = interceptor.feed(data)
                if reply:
                    device.transport.write(reply)
        except ConnectionLostError:
            if reopen is None:
                raise
            device.transport.close()
            say("The board is gone; waiting for it (Ctrl-C stops)")
            fresh = reopen()
            while fresh is None and (end is None or time.monotonic() < end):
                time.sleep(0.25)
                fresh = reopen()
            if fresh is None:
                return
            device.transport = fresh
            say(f"Connected to {fresh.name} again")
            continue
        if data:
            sink(data)
