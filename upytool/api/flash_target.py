"""Boards that firmware can be put on, in whatever state they are: which there are, and how each is reached."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import FlashError, NoDeviceError
from ..events import NULL, Reporter, notice
from ..words import Said
from . import sims

if TYPE_CHECKING:
    from ..device.device import Device
    from ..flashers.base import FlashTarget as FlashTarget
    from ..flashers.doors import Doors as Doors
    from ..flashers.probe import Surroundings
    from ..sim.registry import SimInfo

STARTS = 15.0  # seconds for an emulated chip on a busy computer
TELL_AFTER = 1.0  # seconds of silence


@dataclass(frozen=True)
class Flashable:
    """A board, as far as it is known, and the way to it.

    Attributes:
        target: what it is and where.
        doors: how it is brought into its bootloader and found again.
        device: its open REPL, where the running MicroPython is to write the firmware (over the air).
    """

    target: FlashTarget
    doors: Doors = field(repr=False)
    device: Device | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """What it is and where, in a few words."""
        return self.target.name

    @property
    def selector(self) -> str:
        """What names it again, also in its bootloader, where most boards have another serial number."""
        from ..flashers.planning import lasting

        return lasting(self.target)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        known = self.target
        return {
            "selector": known.selector,
            "state": known.state,
            "location": known.location or None,
            "address": known.address or None,
            "board": known.board or None,
            "variant": known.variant or None,
            "version": known.version or None,
            "machine": known.machine or None,
            "chip": known.chip or None,
            "unique_id": known.unique_id or None,
        }


def reach(
    selector: str | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    baud: int = 115200,
    patience: float = 0.0,
    reporter: Reporter = NULL,
) -> Doors:
    """Say where boards are looked for: this computer's ports, USB and drives, or simulated Picos.

    Args:
        selector: simulated boards are looked for, and nothing else, where it is `sim` or `sim:NAME`.
        aliases: the user's names, alias to selector.
        baud: of UARTs.
        patience: seconds for a person to press a button, where nothing else leads into a bootloader; 0 asks nobody.

    Errors: NoDeviceError where no such simulated board runs; FlashError where it has no bootloader.
    """
    from ..flashers.doors import Doors
    from ..flashers.probe import Surroundings

    names = aliases or {}
    wanted = _resolved(selector, names)
    if wanted == "sim" or wanted.startswith("sim:"):
        return Doors(_simulated(wanted, names, baud, reporter), patience=patience)
    return Doors(Surroundings(names, baud=baud), patience=patience)


def find(doors: Doors | None = None, *, reporter: Reporter = NULL) -> list[Flashable]:
    """Find every board there is; those that may run are asked what they are, which stops their programs.

    Args:
        doors: of `reach`.

    Errors: PortBusyError, PortPermissionError, PortUnusableError.
    """
    from ..flashers.probe import find_targets, identify

    doors = doors or reach(reporter=reporter)
    with slowly(reporter, "Looking for boards"):
        found = find_targets(doors.around, reporter=reporter)
    with slowly(reporter, "Asking the boards what they are"):
        return [Flashable(identify(each, doors.around, reporter=reporter), doors) for each in found]


def choose(selector: str | None = None, doors: Doors | None = None, *, reporter: Reporter = NULL) -> Flashable:
    """Find the board that `selector` names, the only one there is for None, and ask it what it is.

    Errors: NoDeviceError with what to do, AmbiguousDeviceError with the selectors of those that fit, PortBusyError,
    PortPermissionError.
    """
    from ..flashers.probe import choose as pick
    from ..flashers.probe import identify

    doors = doors or reach(selector, reporter=reporter)
    try:
        with slowly(reporter, "Looking for boards"):
            target = pick(selector, doors.around, reporter=reporter)
    except NoDeviceError as error:
        if selector is None:
            _simulated_hint(error)
        raise
    if target.state != "running":  # the others are slow to say that they have no REPL, and `identify` says so
        return Flashable(identify(target, doors.around, reporter=reporter), doors)
    with slowly(reporter, f"Asking {target.selector} what it is"):
        return Flashable(identify(target, doors.around, reporter=reporter), doors)


# -- by its running MicroPython -----------------------------------------------------------------------


def goes_over_the_air(selector: str | None, tool: str = "auto", aliases: Mapping[str, str] | None = None) -> bool:
    """Tell whether a board is flashed by its running MicroPython: asked for, or the only way without a cable."""
    from ..flashers.probe import over_the_air

    return tool == "ota" or (tool == "auto" and over_the_air(_resolved(selector, aliases or {})))


def over_the_air(
    device: Device, selector: str | None = None, *, aliases: Mapping[str, str] | None = None, reporter: Reporter = NULL
) -> Flashable:
    """Take a connected board as one that its running MicroPython flashes: an ESP32 with two OTA slots.

    The connection is the same from here to the restart, with which it ends.

    Args:
        selector: names the board again; its address where None.

    Errors: FlashError with the reason where it has no such slots; TransportError, ProtocolError.
    """
    from ..flashers import ota, ota_plan
    from ..flashers.doors import Doors
    from ..flashers.probe import Surroundings

    with slowly(reporter, f"Asking {device.name} what it is"):
        target = ota.identify(device, selector or device.name)
    ota_plan.require_slots(target)
    return Flashable(target, Doors(Surroundings(aliases or {}), patience=0.0), device)


# -- simulated boards ---------------------------------------------------------------------------------


def _simulated(selector: str, aliases: Mapping[str, str], baud: int, reporter: Reporter) -> Surroundings:
    """Simulated Picos and nothing else. Each is on a USB of its own, and its serial port keeps its name."""
    from ..flashers.probe import Surroundings
    from ..flashers.usb import UsbBus
    from ..sim.registry import list_running, resolve_info
    from ..sim.usb import bus_backend
    from .simulated_drive import SimulatedVolume

    found = list_running() if selector == "sim" else [resolve_info(selector)]
    boards = [info for info in found if info.kind == "pico"]
    if found and not boards:
        raise FlashError("flash.simulated-no-bootloader", name=found[0].name)
    names = [f"sim:{info.name}" for info in boards]
    _started(boards, reporter)
    buses = [UsbBus(name, bus_backend(name)) for name in names]
    drives = [SimulatedVolume(name) for name in names]
    return Surroundings(
        aliases,
        ports=list,
        buses=lambda: buses,
        volumes=lambda: [each for each in drives if each.present()],
        simulators={name: info.port for name, info in zip(names, boards, strict=True)},
        baud=baud,
    )


def _started(boards: Sequence[SimInfo], reporter: Reporter) -> None:
    """A simulated board that was reset a moment ago is neither running nor in its bootloader: wait until it is one."""
    from ..sim.registry import state

    end = time.monotonic() + STARTS
    with slowly(reporter, "Waiting for the simulated board to start"):
        while any(state(info) == "starting" for info in boards) and time.monotonic() < end:
            time.sleep(0.05)


def _simulated_hint(error: NoDeviceError) -> None:
    running = sims.selectors()
    if running:
        error.advise(Said("discovery.simulated-runs", selector=running[0]))


def _resolved(selector: str | None, aliases: Mapping[str, str]) -> str:
    """The selector behind aliases."""
    text = (selector or "").strip()
    for _ in range(8):
        if text not in aliases:
            break
        text = aliases[text].strip()
    return text


# -- waiting ------------------------------------------------------------------------------------------


@contextmanager
def slowly(reporter: Reporter, sentence: str, seconds: float = TELL_AFTER) -> Iterator[None]:
    """Tell what is waited for, where it takes longer than a moment."""
    import threading

    timer = threading.Timer(seconds, notice, (reporter, f"{sentence} ...", "wait"))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
