"""Waiting for a board to appear, and finding it again after a reset: its port may have another name then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from ..errors import NoDeviceError, PortMissingError, UpytoolError
from ..events import notice
from .selector import Finder, Target, find, is_present

POLL = 0.25
SETTLE = 2.0


def wait_for(
    finder: Finder,
    selector: str | None,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Target:
    """`find`, again and again for `seconds` until the board is there and may be opened.

    Errors: as `find`; NoDeviceError or PortMissingError when it did not come.
    """
    deadline = clock() + seconds
    told = False
    while True:
        failure: UpytoolError
        try:
            target = find(finder, selector)
            if is_present(target):
                _settle(target.address, clock, sleep)
                return target
            failure = PortMissingError("transport.missing.not-appeared", address=target.address, seconds=seconds)
        except (NoDeviceError, PortMissingError) as error:
            failure = error
        left = deadline - clock()
        if left <= 0:
            raise failure
        if not told:
            told = True
            notice(finder.reporter, f"waiting for {_called(selector)} (up to {seconds:g} s, Ctrl-C stops)")
        sleep(min(POLL, left))


def _called(selector: str | None) -> str:
    return "a board" if selector in (None, "", "auto") else str(selector)


def _settle(path: str, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    """Linux: udev hands a new port to its group a moment after it appears; wait up to 2 s for that."""
    if sys.platform != "linux" or not path.startswith("/dev/"):
        return
    end = clock() + SETTLE
    while not os.access(path, os.R_OK | os.W_OK) and clock() < end and _is_new(path):
        sleep(0.05)


def _is_new(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_ctime < SETTLE
    except OSError:
        return True
