"""The serial port of a board that left its bootloader: the one at its place, whatever it is called now."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import replace

from ..discovery.ports import SerialPort
from ..errors import FlashError
from ..events import NULL, Reporter, notice
from ..words import Said
from .base import FlashTarget
from .bootloader import POLL, SETTLE
from .sight import Sight, same_place


def wait_for_repl(
    target: FlashTarget,
    timeout: float = 20.0,
    *,
    before: Collection[str] = (),
    sight: Sight,
    reporter: Reporter = NULL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashTarget:
    """Find the port of a board that left its bootloader. Nothing is opened: whether MicroPython answers there
    is for the caller to ask.

    Args:
        target: the board; its location says which port is its own, or its port where it is a bridge.
        before: paths of the ports that were there while it was in its bootloader, for a board whose place is
            not known: its port is one that came since.

    Raises: FlashError when no port came.
    """
    start = clock()
    told = False
    while True:
        port = _own_port(target, before, sight)
        if port is not None:
            if port.kind != "bridge":
                sleep(SETTLE)
            return replace(
                target, state="running", port=port, address=port.path, usb=None, volume=None,
                location=target.location or port.hub_port,
            )  # fmt: skip
        simulated = target.bus is not None and bool(target.bus.name)
        if not _waits(target, sight) if simulated else "://" in target.address:
            return replace(target, state="running", usb=None, volume=None)
        passed = clock() - start
        if passed >= timeout:
            break
        if passed > 5.0 and not told:
            told = True
            notice(reporter, f"waiting for the port of {target.name} (up to {timeout:g} s, Ctrl-C stops)")
        sleep(min(POLL, max(0.0, timeout - passed)))
    raise FlashError(
        "flash.no-serial-port-came", name=target.name, seconds=timeout, state=Said("flash.state.firmware-is-there")
    )


def _waits(target: FlashTarget, sight: Sight) -> bool:
    """Whether a simulated board is still in its bootloader."""
    return target.bus is not None and any(each.location == target.bus.name for each in sight.loaders())


def _own_port(target: FlashTarget, before: Collection[str], sight: Sight) -> SerialPort | None:
    ports = [port for port in sight.ports() if port.kind != "bootloader"]
    if target.bus is not None and target.bus.name:
        return None
    # Some UF2 bootloaders have a serial port of their own.
    if target.location and any(same_place(each.location, target.location, sight.platform) for each in sight.loaders()):
        return None
    if target.port is not None and target.port.kind in ("bridge", "probe"):
        return next((port for port in ports if port.same_device(target.port)), None)
    own = [port for port in ports if same_place(port.hub_port, target.location, sight.platform)]
    if target.location and (own or sight.platform != "win32"):
        return min(own, key=lambda port: (port.location or "", port.path), default=None)
    fresh = [port for port in ports if port.path not in before and port.kind in ("micropython", "possible")]
    return fresh[0] if len(fresh) == 1 else None
