"""`upytool bootloader`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import NoDeviceError
from ..app import App, pass_app
from ..group import define

if TYPE_CHECKING:
    from ...api.bootloader import Waiting


@define(
    "bootloader",
    examples=[
        ("upytool bootloader", "ready for new firmware; says what came up, and where"),
        ("upytool bootloader --no-wait", "only send it there"),
    ],
)
@click.option("--no-wait", is_flag=True, help="Skip waiting for the bootloader.")
@pass_app
def command(app: App, no_wait: bool) -> None:
    """Put the board into its bootloader, where it takes new firmware. Its port goes away.

    MicroPython does it, or DTR and RTS of a USB-serial bridge, or 1200 baud where the board listens to that; where
    nothing else helps, upytool says which buttons to press and waits for the board.
    """
    from ...api import bootloader
    from .. import flashing

    if no_wait and app.connected:
        bootloader.send(app.device())
        app.let_go()
        return _say(app, None)
    ways = flashing.doors(app)
    try:
        board = flashing.choose(app, ways)
    except NoDeviceError:
        # A board without firmware shows nowhere until somebody presses its buttons.
        if app.selector is not None or no_wait or not ways.patience:
            raise
        return _say(app, bootloader.wait_for_any(ways, reporter=app.reporter))
    _say(app, bootloader.enter(board, wait=not no_wait, reporter=app.reporter))


def _say(app: App, found: Waiting | None) -> None:
    if found is None:
        app.note("The board is on its way into the bootloader")
        return
    app.emit(found.data(), [])
    words = ("the board is in its bootloader already: " if found.before else "") + found.what
    words += f" at {found.where}" if found.where else ""
    named = "" if app.selector is None else f"-d {found.board.selector} "
    app.note(f"{words[:1].upper()}{words[1:]}; next: `upytool {named}flash`")
