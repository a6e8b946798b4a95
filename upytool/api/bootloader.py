"""Boards in their bootloaders: bringing one there, its flash open for reading and writing, and out again.

    from upytool.api import bootloader, flash, images

    board = flash.choose("usb:1-2")
    with bootloader.opened(board, ask=flash.accept) as its:
        print(its.loader.chip, its.loader.read(its.loader.chip.flash_base, 256))
    images.ls(lambda: bootloader.opened(board, ask=flash.accept))     # the files that are in there

A board that runs is asked for: the restart ends its program.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import Declined, FlashError, ProtocolError, UpytoolError
from ..events import NULL, Reporter, notice
from ..questions import Ask, Question, decline
from ..words import Said
from .flash_target import Flashable
from .opened_image import BoardFlash

if TYPE_CHECKING:
    from ..device.device import Device
    from ..flashers.base import FlashOptions, FlashTarget
    from ..flashers.doors import Doors

PATIENCE = 120.0  # seconds for a person who looks for a button
LEAVES = 0.3  # seconds


@dataclass(frozen=True, slots=True)
class Waiting:
    """A board that waits in its bootloader for firmware.

    Attributes:
        what: the bootloader, in a few words.
        before: it was there already.
    """

    board: Flashable
    what: str
    before: bool = False

    @property
    def where(self) -> str:
        """Its place on the USB, its port, or its drive."""
        target = self.board.target
        return target.location or target.address or _drive(target)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        target = self.board.target
        return {
            "what": self.what,
            "location": target.location or None,
            "port": target.address or None,
            "drive": _drive(target) or None,
            "chip": target.chip or None,
        }


def _drive(target: FlashTarget) -> str:
    return target.volume.path if target.volume is not None else ""


def what_waits(target: FlashTarget) -> str:
    """Describe a board in its bootloader in a few words."""
    if target.usb is not None and target.usb.bootloader:
        return target.usb.bootloader
    if target.volume is not None:
        info = target.volume.info
        return f"{info.model or info.board_id or target.volume.label} ({info.loader})" if info.loader else info.model
    if target.port is not None and target.port.kind == "bootloader":
        return target.port.what
    return f"{target.board or target.chip or 'a board'} in its bootloader"


# -- the way in ---------------------------------------------------------------------------------------


def enter(board: Flashable, *, wait: bool = True, reporter: Reporter = NULL) -> Waiting | None:
    """Bring a board into its bootloader, where it takes new firmware; the program that runs is ended.

    Args:
        wait: until it is there; else it is only sent.

    Returns: what waits there now; None where the board was only sent: with `wait` that is so for one at the other end
    of a network or a pseudo terminal, which comes up where nobody here can see it.

    Errors: FlashError with the buttons to press where nothing else helps, TransportError.
    """
    from ..flashers.bootloader import plan_way_in

    target = board.target
    way = plan_way_in(target)
    if way.kind == "here":
        return Waiting(board, what_waits(target), before=True)
    if way.kind == "serial":
        return Waiting(board, _by_lines(board, reporter))
    if not wait or (target.port is None and target.bus is None):
        _send(board, reporter)
        return None
    entered = replace(board, target=board.doors.enter(target, reporter))
    return Waiting(entered, what_waits(entered.target))


def send(device: Device) -> None:
    """Have a connected board start its bootloader; its port goes away."""
    device.bootloader()
    # The board leaves 100 ms after it was told to; whoever opens its port earlier would stop that with Ctrl-C.
    time.sleep(LEAVES)


def wait_for_any(doors: Doors, *, reporter: Reporter = NULL) -> Waiting:
    """Wait until somebody brings a board into its bootloader by its buttons, as one without firmware needs it.

    Errors: FlashError where none comes within PATIENCE seconds, AmbiguousDeviceError where several do.
    """
    from ..flashers.bootloader import by_hand, wait_for_bootloader

    sight = doors.around.sight()
    lonely = f"no board is connected; one without firmware is brought into its bootloader {by_hand()}"
    notice(reporter, lonely, "warning")
    notice(reporter, f"Waiting for one ({PATIENCE:g} s, Ctrl-C stops)")
    target = wait_for_bootloader(None, sight, PATIENCE, before=sight.loaders(), reporter=reporter)
    return Waiting(Flashable(target, doors), what_waits(target))


def _by_lines(board: Flashable, reporter: Reporter) -> str:
    """Espressif's chips: esptool resets them into the ROM loader, asks which chip it is, and leaves it there."""
    from ..flashers.base import FlashOptions
    from ..flashers.registry import load

    entered = board.doors.enter(board.target, reporter)
    loader = board.doors.open(load("esptool"), entered, FlashOptions(stub=False), reporter)
    chip = loader.chip.description or loader.chip.name
    loader.leave("bootloader")
    return f"{chip} in its ROM loader"


def _send(board: Flashable, reporter: Reporter) -> None:
    from ..flashers.bootloader import by_hand, plan_way_in, touch

    target = board.target
    way = plan_way_in(target)
    if way.kind == "repl":
        with board.doors.around.open(target.address) as device:
            send(device)
            device.close(leave=False)
        return
    if way.kind != "touch" or not touch(target.address, reporter=reporter):
        raise FlashError("flash.cannot-enter", board=target.name, hint=by_hand(target))
    time.sleep(LEAVES)


# -- open ---------------------------------------------------------------------------------------------


@contextmanager
def opened(
    board: Flashable,
    *,
    tool: str = "auto",
    options: FlashOptions | None = None,
    ask: Ask = decline,
    reporter: Reporter = NULL,
) -> Iterator[BoardFlash]:
    """Open a board's flash in its bootloader for the time of the block; it runs its firmware again afterwards.

    Args:
        tool: the flasher, as `flash --tool` takes it.
        ask: gets the question `bootloader.enter` where a program runs on the board.

    Errors: Declined; FlashError, TransportError of entering and opening.
    """
    from ..flashers.base import FlashOptions
    from ..flashers.bootloader import plan_way_in
    from ..flashers.select import candidates

    target, doors = _named(board.target), board.doors
    if target.state == "running" and not ask(Question("bootloader.enter", {"board": target.name})):
        raise Declined()
    candidates(target, None, tool, flashers=doors.flashers)  # one that cannot do it is refused while the board runs
    way = plan_way_in(target)
    if way.kind not in ("here", "button"):  # what to press is said when it is time
        notice(reporter, f"{target.name}: into the bootloader, {way.sentence}")
    entered = doors.with_drive(doors.enter(target, reporter), tool)
    try:
        flashers = candidates(entered, None, tool, flashers=doors.flashers)
        loader = doors.open(flashers[0], entered, options or FlashOptions(), reporter)
    except UpytoolError as error:
        if target.state == "running" and entered.state == "bootloader":
            error.advise(Said("api.waits-in-bootloader", board=board.selector))
        raise
    try:
        yield BoardFlash(board.target, loader)
    finally:
        try:
            loader.leave("run")
        except UpytoolError as error:
            notice(reporter, f"the board did not restart by itself: {error}", "detail")
        loader.close()


def _named(target: FlashTarget) -> FlashTarget:
    """A port that says nothing, behind a bridge: nothing but Espressif's chips has its bootloader there."""
    simulated = target.bus is not None and target.bus.name
    serial = not simulated and (target.port is None or target.port.kind in ("bridge", "probe"))
    silent = target.state == "unknown" and not target.mcu_port and target.address
    return replace(target, mcu_port="esp32") if silent and serial else target


# -- the way out --------------------------------------------------------------------------------------


def any_waits(doors: Doors, refused: UpytoolError | None = None) -> bool:
    """Tell, by a look alone, whether a board waits in its bootloader that somebody may mean who asks for a REPL.

    Args:
        refused: why there is no REPL. A board that does not answer is not one that waits, unless it is a simulated
            one, whose REPL has an address all the time.
    """
    waiting = doors.around.sight().loaders()
    if isinstance(refused, ProtocolError):
        return any(each.bus and each.bus.name for each in waiting)
    return bool(waiting)


def start(board: Flashable, *, reporter: Reporter = NULL) -> bool:
    """Start the firmware of a board that waits in its bootloader. Returns False where it is not there.

    Errors: FlashError, TransportError.
    """
    from ..flashers.base import FlashOptions
    from ..flashers.select import candidates

    if board.target.state != "bootloader":
        return False
    flasher = candidates(board.target, None, flashers=board.doors.flashers)[0]
    loader = board.doors.open(flasher, board.target, FlashOptions(stub=False), reporter)
    loader.leave("run")
    return True
