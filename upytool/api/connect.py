"""Connections to boards: opened, opened again after the board went away, and made faster.

    import upytool

    with upytool.connect() as board:        # the only board there is
        print(board.exec("print(1 + 1)"))

`import upytool` has `connect` and `aconnect`, which know of simulated boards; the floors below do not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import TransportError
from ..events import NULL, Reporter, notice
from . import sims

if TYPE_CHECKING:
    from asyncio import Future

    from ..config.secrets import Ask as Ask
    from ..device.aio_device import AsyncDevice as AsyncDevice
    from ..device.device import Device as Device
    from ..transport.base import Transport as Transport
    from ..transport.serial import Lines as Lines

__all__ = ["Reopener", "aconnect", "connect", "lines", "turbo"]


def connect(
    selector: str | None = None,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    wait: float = 0.0,
    fresh: bool = False,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
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
        ask: asks a person for the password that an address requires, where none is kept; returns None where there is
            nobody. Without it that is an error.

    Nothing is sent yet: the first method that needs the board talks to it.

    Raises: NoDeviceError, AmbiguousDeviceError, TransportError.
    """
    from ..device import connect as device

    return device.connect(
        selector,
        baud=baud,
        lines=lines,
        wait=wait,
        fresh=fresh,
        reporter=reporter,
        aliases=aliases,
        simulators=sims.address,
        running=sims.selectors,
        ask=ask,
    )


async def aconnect(
    selector: str | None = None,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    wait: float = 0.0,
    fresh: bool = False,
    reporter: Reporter = NULL,
    aliases: Mapping[str, str] | None = None,
    ask: Ask | None = None,
) -> AsyncDevice:
    """`connect` for asyncio: same arguments, same errors. `ask` is called in another thread."""
    import asyncio

    from ..device.aio_device import AsyncDevice
    from ..transport.threaded import ThreadedTransport

    # Finding and opening block (USB scans, a wait for the board): a thread does them, the loop goes on.
    opening = asyncio.ensure_future(
        asyncio.to_thread(
            connect, selector, baud=baud, lines=lines, wait=wait, reporter=reporter, aliases=aliases, ask=ask
        )
    )
    try:
        board = await asyncio.shield(opening)
    except asyncio.CancelledError:
        # The thread cannot be stopped: what it opens is closed when it comes.
        opening.add_done_callback(_close_unused)
        raise
    device = AsyncDevice(ThreadedTransport(board.disown()), reporter=reporter, fresh=fresh)
    device.session.know(board.session)
    device.port = board.port
    device.on_close += board.on_close
    return device


def _close_unused(opening: Future[Device]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().close(leave=False)


def lines(*, dtr: bool | None, rts: bool | None) -> Lines | None:
    """DTR and RTS for `connect`; None for a line leaves it as it is, None for both is no wish."""
    if dtr is None and rts is None:
        return None
    from ..transport.serial import Lines

    return Lines(dtr=dtr, rts=rts)


class Reopener:
    """Opens a board again after it went away, also where it comes back under another name.

    Args:
        address: the port or URL it was opened with.
        baud, dtr, rts, aliases, ask: as `connect` was given.
    """

    def __init__(
        self,
        address: str,
        *,
        baud: int = 115200,
        dtr: bool | None = None,
        rts: bool | None = None,
        aliases: Mapping[str, str] | None = None,
        ask: Ask | None = None,
    ) -> None:
        from ..discovery.lines import lines_for
        from ..discovery.ports import find_path, list_ports

        self._address = address
        self._port = None if "://" in address else find_path(address, list_ports())
        self._baud, self._aliases, self._ask = baud, aliases, ask
        self._lines = lines_for(self._port, dtr=dtr, rts=rts)

    def __call__(self) -> Transport | None:
        """The open transport, or None while the board is not there."""
        from ..device.connect import open_address
        from ..discovery.ports import list_ports

        address = self._address
        if self._port is not None:
            again = [other for other in list_ports() if self._port.same_device(other)]
            if not again:
                return None
            address = again[0].path
        try:
            return open_address(address, baud=self._baud, lines=self._lines, aliases=self._aliases, ask=self._ask)
        except TransportError:
            return None


@contextmanager
def turbo(board: Device, baud: int, *, reporter: Reporter = NULL) -> Iterator[None]:
    """Run a board's UART at up to `baud` within the block; where it has none, that is a warning."""
    from ..device.turbo import turbo as faster
    from ..device.turbo import why_not

    reason = why_not(board.port, board.transport)
    if reason:
        notice(reporter, f"--turbo changes nothing: {reason}", "warning")
        yield
        return
    with faster(board.session, board.transport, baud, reporter=reporter):
        yield
