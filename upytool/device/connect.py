"""From a selector to a connected Device."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ..errors import NotAuthorizedError, PortMissingError, UsageError
from ..events import NULL, Reporter, notice
from ..protocol.raw_repl import ReplState
from ..transport.base import Transport
from ..transport.registry import open_transport
from ..transport.webrepl_address import is_webrepl
from .device import Device

if TYPE_CHECKING:
    from ..config.secrets import Ask
    from ..discovery.ports import SerialPort
    from ..discovery.remembered import Remembered
    from ..discovery.selector import SimResolver, Target
    from ..secret import Secret
    from ..transport.serial import Lines

DEFAULT_BAUD = 115200
TYPED = 3  # times that a person may type a password


def open_address(
    address: str,
    *,
    baud: int = DEFAULT_BAUD,
    lines: Lines | None = None,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> Transport:
    """Open an address; where it requires a password, that is looked up (config.secrets), or `ask` is asked for it.

    Errors: TransportError.
    """
    if not is_webrepl(address) and not address.lower().startswith("ble://"):
        return open_transport(address, baud=baud, lines=lines)

    from ..config.secrets import ble_password, webrepl_password

    typed = 0

    def question(text: str) -> str | None:
        nonlocal typed
        answer = ask(text) if ask is not None else None
        typed += answer is not None
        return answer

    def password(where: str) -> Secret:
        if not is_webrepl(where):
            return ble_password(where, ask=question)
        return webrepl_password(where, aliases or {}, ask=question, tell=lambda text: notice(reporter, text, "warning"))

    while True:
        before = typed
        try:
            return open_transport(address, password=password, tell=lambda text: notice(reporter, text, "wait"))
        except (NotAuthorizedError, UsageError) as error:
            # Only what a person has typed is worth another try.
            if typed in (before, TYPED):
                raise
            notice(reporter, str(error), "warning")


def open_target(
    target: Target,
    *,
    baud: int = DEFAULT_BAUD,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> Transport:
    """Open what a selector resolved to. Errors: TransportError, UsageError for a rate that must not be."""
    from ..discovery.lines import check_baud

    # A rate that the user chose wins over the one that this device was reached with before.
    rate = baud if baud != DEFAULT_BAUD else target.baud or baud
    try:
        return open_address(
            target.address, baud=check_baud(rate), lines=target.lines, reporter=reporter, aliases=aliases, ask=ask
        )
    except PortMissingError as error:
        if "://" in target.address:
            raise
        from ..discovery.advice import missing

        raise missing(error) from error.__cause__


def connect(
    selector: str | None = None,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    wait: float = 0.0,
    fresh: bool = False,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    simulators: SimResolver | None = None,
    running: Callable[[], list[str]] | None = None,
    ask: Ask | None = None,
) -> Device:
    """Connect to a board.

    Args:
        simulators: `sim`, `sim:NAME` -> address; None where there are no simulated boards.
        running: the selectors of those that run, for the advice where no board is found.
        (the others: see upytool.api.connect, which hands these two in)

    Errors: NoDeviceError, AmbiguousDeviceError, TransportError.
    """
    address = None if wait > 0 or baud != DEFAULT_BAUD else _plain_address(selector, aliases or {}, simulators)
    if address is not None:
        return Device(open_transport(address, baud=baud, lines=lines), reporter=reporter, fresh=fresh)

    from ..config.paths import state_dir
    from ..discovery.remembered import FILE_NAME, Remembered
    from ..discovery.selector import resolve

    remembered = Remembered(os.path.join(state_dir(), FILE_NAME))
    target = resolve(
        selector,
        aliases=aliases or {},
        simulators=simulators,
        running=running,
        remembered=remembered,
        wait=wait,
        reporter=reporter,
    )
    if lines is not None:
        target = target.with_lines(lines)
    pipe = open_target(target, baud=baud, reporter=reporter, aliases=aliases, ask=ask)
    device = Device(pipe, reporter=reporter, fresh=fresh)
    port = device.port = target.port
    # A chip's own USB port loses nothing (USB 2.0, 8.6.4); behind a bridge or a probe comes a UART.
    device.session.sure = port is not None and port.kind == "micropython"
    if port is not None and port.key:
        # Ports without a key keep no answer: they are not asked, which would cost each copy a round trip.
        device.session.frozen = remembered.frozen(port)
        device.session.ask_frozen = device.session.frozen is None
        device.session.bytecode = remembered.bytecode(port)
        device.on_close.append(lambda device: _remember(remembered, port, device))
    return device


def _plain_address(selector: str | None, aliases: Mapping[str, str], simulators: SimResolver | None) -> str | None:
    """The address of what is not a USB device and needs no look at the ports: a simulator, a pseudo terminal, a socket.

    The full search (discovery.selector) gives the same answer; its modules cost a sixth of a short command.
    """
    if not selector or selector in aliases:
        return None
    if selector == "sim" or selector.startswith("sim:"):
        return simulators(selector) if simulators is not None else None
    if selector.startswith("socket://"):
        return selector
    if os.name == "posix" and selector.startswith("/"):
        # A USB serial port is looked up: its modem lines, its rate and its name as a board depend on what it is.
        real = os.path.realpath(selector)
        return selector if real.startswith("/dev/pts/") else None
    return None


def _remember(remembered: Remembered, port: SerialPort, device: Device) -> None:
    """A device that has shown a raw prompt is a board: `auto` need not listen to it first the next time."""
    if device.session.repl.state in (ReplState.RAW, ReplState.FRIENDLY):
        board = device.session.board
        name = (board.build or board.machine) if board else ""
        session = device.session
        remembered.remember(port, board=name, frozen=session.frozen, bytecode=session.bytecode)
