"""Pseudo terminals to open as serial ports (POSIX)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

if sys.platform == "win32":
    pytest.skip("pseudo terminals need a POSIX system", allow_module_level=True)

import pty
import tty


@dataclass
class Pair:
    """A pseudo terminal: `master` is the board's end, `path` the port."""

    master: int
    slave: int
    path: str


@pytest.fixture
def pair() -> Iterator[Pair]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    made = Pair(master, slave, os.ttyname(slave))
    yield made
    for fd in (made.master, made.slave):
        if fd >= 0:
            os.close(fd)
