"""`upytool bootloader`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from ...errors import FlashError, NoDeviceError
from ..app import App, pass_app
from ..group import define

if TYPE_CHECKING:
    from ...flashers.base import FlashTarget
    from ...flashers.doors import Doors
    from ...flashers.probe import Surroundings

LEAVES = 0.3  # seconds


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
    from ...flashers.bootloader import plan_way_in
    from ..flashing import choose, doors, surroundings

    if no_wait and app.connected:
        app.device().bootloader()
        _under_way(app)
        app.let_go()
        return
    around = surroundings(app)
    try:
        target = choose(app, around)
    except NoDeviceError:
        # A board without firmware shows nowhere until somebody presses its buttons.
        if app.selector is not None or no_wait or not doors(app, around).patience:
            raise
        _say(app, _any_board(app, around))
        return
    way = plan_way_in(target)
    ways = doors(app, around)
    if way.kind == "here":
        _say(app, target, "the board is in its bootloader already: ")
    elif way.kind == "serial":
        _say(app, target, what=_by_lines(app, ways, target))
    elif no_wait or (target.port is None and target.bus is None):
        # What is at the other end of a network or a pseudo terminal comes up where we cannot see it.
        _send_only(app, ways, target)
    else:
        _say(app, ways.enter(target, app.reporter))


def _any_board(app: App, around: Surroundings) -> FlashTarget:
    from ...flashers.bootloader import PATIENCE, by_hand, wait_for_bootloader

    sight = around.sight()
    app.warn(f"no board is connected; one without firmware is brought into its bootloader {by_hand()}")
    app.note(f"Waiting for one ({PATIENCE:g} s, Ctrl-C stops)")
    return wait_for_bootloader(None, sight, PATIENCE, before=sight.loaders(), reporter=app.reporter)


def _say(app: App, found: FlashTarget, prefix: str = "", what: str = "") -> None:
    from ...flashers.planning import lasting

    what = what or what_waits(found)
    where = found.location or found.address or (found.volume.path if found.volume is not None else "")
    data = {
        "what": what,
        "location": found.location or None,
        "port": found.address or None,
        "drive": found.volume.path if found.volume is not None else None,
        "chip": found.chip or None,
    }
    app.emit(data, [])
    words = prefix + (f"{what} at {where}" if where else what)
    named = "" if app.selector is None else f"-d {lasting(found)} "
    app.note(f"{words[:1].upper()}{words[1:]}; next: `upytool {named}flash`")


def what_waits(target: FlashTarget) -> str:
    """A few words on a board in its bootloader."""
    if target.usb is not None and target.usb.bootloader:
        return target.usb.bootloader
    if target.volume is not None:
        info = target.volume.info
        return f"{info.model or info.board_id or target.volume.label} ({info.loader})" if info.loader else info.model
    if target.port is not None and target.port.kind == "bootloader":
        return target.port.what
    return f"{target.board or target.chip or 'a board'} in its bootloader"


def _by_lines(app: App, ways: Doors, target: FlashTarget) -> str:
    """Espressif's chips: esptool resets them into the ROM loader, asks which chip it is, and leaves it there."""
    from ...flashers.base import FlashOptions
    from ...flashers.registry import load

    entered = ways.enter(target, app.reporter)
    loader = ways.open(load("esptool"), entered, FlashOptions(stub=False), app.reporter)
    chip = loader.chip.description or loader.chip.name
    loader.leave("bootloader")
    return f"{chip} in its ROM loader"


def _send_only(app: App, ways: Doors, target: FlashTarget) -> None:
    from ...flashers.bootloader import by_hand, plan_way_in, touch

    way = plan_way_in(target)
    if way.kind == "repl":
        with ways.around.open(target.address) as device:
            device.bootloader()
            _under_way(app)
            device.close(leave=False)
        return
    if way.kind != "touch" or not touch(target.address, reporter=app.reporter):
        raise FlashError(f"nothing can be sent to {target.name}", hint=by_hand(target))
    _under_way(app)


def _under_way(app: App) -> None:
    # The board leaves 100 ms after it was told to; whoever opens its port earlier would stop that with Ctrl-C.
    time.sleep(LEAVES)
    app.note("The board is on its way into the bootloader")
