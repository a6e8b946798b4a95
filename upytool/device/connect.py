"""From a selector to a connected Device."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..discovery.selector import Target, resolve
from ..events import NULL, Reporter
from ..transport.base import Transport
from ..transport.registry import open_transport
from ..transport.serial import Lines
from .device import Device

SimResolver = Callable[[str], str]


def find_simulator(selector: str) -> str:
    """The address of a simulated board that runs (`sim`, `sim:NAME`); the default `simulators` of `connect`."""
    # The import law has no arrow from device to sim; a name that is looked up at run time is a plug, not an arrow.
    from importlib import import_module

    address: str = import_module("upytool.sim.registry").resolve(selector)
    return address


def open_target(target: Target, *, baud: int = 115200) -> Transport:
    """Open what a selector resolved to. Errors: TransportError."""
    return open_transport(target.address, baud=target.baud or baud, lines=target.lines)


def connect(
    selector: str | None = None,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    wait: float = 0.0,
    fresh: bool = False,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    simulators: SimResolver = find_simulator,
) -> Device:
    """Connect to a board.

    Args:
        selector: a port, `id:SERIAL`, `usb:...`, an alias, a URL, `sim` ...; None finds the only board there is
            (docs/reference/selectors.md has them all).
        baud: bits per second of a UART; native USB ignores it.
        lines: DTR and RTS at opening, where the table in discovery.lines is wrong for a board.
        wait: seconds to wait for the board to be plugged in.
        fresh: start the first program in a fresh interpreter (see Device).
        reporter: receives progress, notices and output.
        aliases: name -> selector.

    Nothing is sent yet: the first method that needs the board talks to it.
    Errors: NoDeviceError, AmbiguousDeviceError, TransportError.
    """
    target = resolve(selector, aliases=aliases or {}, simulators=simulators, wait=wait, reporter=reporter)
    if lines is not None:
        target = target.with_lines(lines)
    return Device(open_target(target, baud=baud), reporter=reporter, fresh=fresh)
