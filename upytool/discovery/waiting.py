"""Waiting for a board to appear, and finding it again after a reset: its port may have another name then."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

from ..errors import NoDeviceError, PortMissingError, UpytoolError
from ..events import NULL, Reporter, notice
from .ports import PortLister, SerialPort, list_ports
from .selector import Finder, Target, find, is_present

POLL = 0.25
VANISH = 1.5
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


def refind(
    port: SerialPort,
    timeout: float = 10.0,
    *,
    vanish: float = VANISH,
    reporter: Reporter = NULL,
    ports: PortLister = list_ports,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> SerialPort:
    """The same board after a reset, found by USB serial number or place.

    Args:
        port: as it was before.
        timeout: seconds to wait for it.
        vanish: seconds within which the reset makes the port go away; one that stays (a UART bridge) is
            taken as it is after that.

    Errors: PortMissingError when it did not come back.
    """
    start = clock()
    was_gone = False
    told = False
    while clock() - start < timeout:
        found = [other for other in ports() if port.same_device(other)]
        same = sorted(found, key=lambda other: (other.path != port.path, other.location or ""))
        if not same:
            was_gone = True
        elif was_gone or clock() - start >= vanish:
            _settle(same[0].path, clock, sleep)
            return same[0]
        if not told and clock() - start > 1.0 and was_gone:
            told = True
            notice(reporter, f"waiting for {port.what} to come back (Ctrl-C stops)", "detail")
        sleep(0.05 if not was_gone else POLL / 2)
    raise PortMissingError("transport.missing.not-back", port=port.path, seconds=timeout)
