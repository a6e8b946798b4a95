"""`connect` for asyncio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..events import NULL, Reporter
from ..transport.serial import Lines
from .aio_device import AsyncDevice

if TYPE_CHECKING:
    from asyncio import Future

    from ..config.secrets import Ask
    from .device import Device


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
    """`upytool.connect` for asyncio: same arguments, same errors. `ask` is called in another thread."""
    import asyncio

    from ..transport.threaded import ThreadedTransport
    from .connect import connect

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
