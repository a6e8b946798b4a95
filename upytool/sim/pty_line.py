"""A simulated board's serial line as a pseudo-terminal (POSIX only)."""

from __future__ import annotations

import os
import pty
import selectors
import termios
import tty
from pathlib import Path


class PtyLine:
    """The master side. The slave stays open here, in raw mode without echo: clients may come and go."""

    def __init__(self, link: Path) -> None:
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave, termios.TCSANOW)
        os.set_blocking(self._master, False)
        path = os.ttyname(self._slave)
        self._link = link
        link.unlink(missing_ok=True)
        link.symlink_to(path)
        self.name = str(link)
        self._selector: selectors.BaseSelector | None = None
        self._mask = 0
        self.connected = True

    def attach(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self.interest(read=True, write=False)

    def accept(self) -> None:
        return

    def interest(self, *, read: bool, write: bool) -> None:
        mask = (selectors.EVENT_READ if read else 0) | (selectors.EVENT_WRITE if write else 0)
        if self._selector is None or mask == self._mask:
            return
        if self._mask == 0:
            self._selector.register(self._master, mask, "line")
        elif mask == 0:
            self._selector.unregister(self._master)
        else:
            self._selector.modify(self._master, mask, "line")
        self._mask = mask

    def read(self) -> bytes:
        try:
            return os.read(self._master, 65536)
        except (BlockingIOError, InterruptedError):
            return b""

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except (BlockingIOError, InterruptedError):
            return 0

    def close(self) -> None:
        self.interest(read=False, write=False)
        self._link.unlink(missing_ok=True)
        os.close(self._slave)
        os.close(self._master)
