"""A board's prompt in a terminal, and watching what a board prints.

    from upytool.api import console

    console.Console(board, terminal, console.ConsoleOptions(reopen=opener)).run()
    console.monitor(board, sys.stdout.buffer.write, seconds=10)

A terminal is what has the methods of `Terminal`; an opener is `upytool.api.connect.Reopener`, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..device.console import Console, ConsoleOptions, Terminal

if TYPE_CHECKING:
    from ..device.device import Device
    from ..device.monitor import Reopen

__all__ = ["Console", "ConsoleOptions", "Terminal", "monitor"]


def monitor(
    board: Device,
    sink: Callable[[bytes], object],
    *,
    seconds: float | None = None,
    stamp: Callable[[], str] | None = None,
    escape: bool = False,
    reopen: Reopen | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Hand what a board prints to `sink`, until Ctrl-C (KeyboardInterrupt comes out); nothing is sent to it.

    Args:
        seconds: stop after this time; None: never.
        stamp: makes what stands before each line, when the line begins.
        escape: bytes that are not printable come as [xx].
        reopen: called until it returns the board's new transport, after the connection was lost.
        say: told when the board goes and comes back.

    Raises: ConnectionLostError where nothing can be reopened.
    """
    from ..device.monitor import Stamper, watch
    from ..protocol.friendly import escape_non_printable

    stamper = Stamper(stamp) if stamp is not None else None

    def show(data: bytes) -> None:
        data = escape_non_printable(data) if escape else data
        sink(stamper(data) if stamper is not None else data)

    watch(board, show, seconds=seconds, reopen=reopen, say=say)
