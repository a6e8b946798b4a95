"""What the commands that write flash have in common: which board it is, and its bootloader open."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ..errors import AmbiguousDeviceError, FlashError, LocalFileError, NoDeviceError, UpytoolError
from .app import App
from .ui.prompt import may_ask

if TYPE_CHECKING:
    from ..flashers.base import FlashOptions, FlashTarget, Loader
    from ..flashers.doors import Doors
    from ..flashers.probe import Surroundings
    from ..sim.registry import SimInfo

PATIENCE = 120.0
STARTS = 15.0  # seconds for an emulated chip on a busy computer


# -- boards ---------------------------------------------------------------------------------------


def surroundings(app: App) -> Surroundings:
    """Where boards are looked for: this computer's ports, USB and drives, or simulated boards when -d says so."""
    from ..flashers.probe import Surroundings

    settings = app.settings
    selector = _resolved(app)
    if selector == "sim" or selector.startswith("sim:"):
        return _simulated(app, selector)
    return Surroundings(settings.devices, baud=settings.baud)


def _simulated(app: App, selector: str) -> Surroundings:
    """Simulated Picos and nothing else. Each is on a USB of its own, and its serial port keeps its name."""
    from ..flashers.probe import Surroundings
    from ..flashers.usb import UsbBus
    from ..sim.registry import list_running, resolve_info
    from ..sim.usb import bus_backend
    from .simulated_drive import SimulatedVolume

    found = list_running() if selector == "sim" else [resolve_info(selector)]
    boards = [info for info in found if info.kind == "pico"]
    if found and not boards:
        raise FlashError(
            f"the simulated board {found[0].name} has no bootloader", hint="one that has: `upytool sim start pico`"
        )
    names = [f"sim:{info.name}" for info in boards]
    _started(app, boards)
    buses = [UsbBus(name, bus_backend(name)) for name in names]
    drives = [SimulatedVolume(name) for name in names]
    return Surroundings(
        app.settings.devices,
        ports=list,
        buses=lambda: buses,
        volumes=lambda: [each for each in drives if each.present()],
        simulators={name: info.port for name, info in zip(names, boards, strict=True)},
        baud=app.settings.baud,
    )


def _started(app: App, boards: Sequence[SimInfo]) -> None:
    """A simulated board that was reset a moment ago is neither running nor in its bootloader: wait until it is one."""
    import time

    from ..sim.registry import state

    end = time.monotonic() + STARTS
    with patiently(app, "Waiting for the simulated board to start"):
        while any(state(info) == "starting" for info in boards) and time.monotonic() < end:
            time.sleep(0.05)


def _resolved(app: App) -> str:
    """The selector behind aliases."""
    text = (app.selector or "").strip()
    for _ in range(8):
        if text not in app.settings.devices:
            break
        text = app.settings.devices[text].strip()
    return text


def by_ota(app: App, tool: str) -> bool:
    """Whether the board is flashed by its running MicroPython: asked for, or the only way without a cable."""
    from ..flashers.probe import over_the_air

    return tool == "ota" or (tool == "auto" and over_the_air(_resolved(app)))


def targets(app: App, around: Surroundings | None = None) -> list[FlashTarget]:
    """Every board there is, in whatever state; those that may run were asked what they are."""
    from ..flashers.probe import find_targets, identify

    around = around or surroundings(app)
    with patiently(app, "Looking for boards"):
        found = find_targets(around, reporter=app.reporter)
    with patiently(app, "Asking the boards what they are"):
        return [identify(each, around, reporter=app.reporter) for each in found]


def choose(app: App, around: Surroundings | None = None) -> FlashTarget:
    """The one board that -d names, or the only one there is; a person may pick one of several.

    Raises: NoDeviceError with what to do, AmbiguousDeviceError, PortBusyError, PortPermissionError.
    """
    from ..flashers.probe import choose as find
    from ..flashers.probe import identify

    around = around or surroundings(app)
    app.let_go()  # the port has to be free for the flasher
    try:
        with patiently(app, "Looking for boards"):
            target = find(app.selector, around, reporter=app.reporter)
    except AmbiguousDeviceError as error:
        picked = _pick(app, error)
        if picked is None:
            raise
        target = find(picked, around, reporter=app.reporter)
    except NoDeviceError as error:
        if app.selector is None:
            _simulated_hint(error)
        raise
    if target.state != "running":  # the others are slow to say that they have no REPL, and `identify` says so
        return identify(target, around, reporter=app.reporter)
    with patiently(app, f"Asking {target.selector} what it is"):
        return identify(target, around, reporter=app.reporter)


def _pick(app: App, error: AmbiguousDeviceError) -> str | None:
    """Let a person choose; None where nobody is there."""
    names, shown = list(error.choices), [line.strip() for line in error.hint.splitlines()[1:]]
    if not names or app.settings.json:
        return None
    from .ui.prompt import choose as ask

    labels = [line.removeprefix("-d ") for line in shown] if len(shown) == len(names) else names
    number = ask(error.message, labels, app.streams, no_input=app.settings.no_input)
    return None if number is None else names[number]


@contextmanager
def patiently(app: App, sentence: str, seconds: float = 1.0) -> Iterator[None]:
    """Say what is waited for, where it takes longer than a moment."""
    import threading

    timer = threading.Timer(seconds, app.note, (f"{sentence} ...",))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def require_folder(path: str) -> None:
    """What is read for minutes should not be lost for want of a folder. Raises: LocalFileError."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise LocalFileError(f"there is no directory {folder} for {os.path.basename(path)}", hint="make it first")
    if not os.access(folder, os.W_OK):
        raise LocalFileError(f"{folder} cannot be written to", hint="take another directory")


def _simulated_hint(error: NoDeviceError) -> None:
    from ..api import sims

    running = sims.selectors()
    if running:
        error.hint += f"\na simulated board runs: upytool -d {running[0]} ..."


def doors(app: App, around: Surroundings) -> Doors:
    """How boards are reached; nobody is asked to press a button where nobody is there."""
    from ..flashers.doors import Doors

    patience = PATIENCE if may_ask(app.streams, app.settings.no_input) else 0.0
    return Doors(around, patience=patience)


@contextmanager
def boot_loader(
    app: App,
    *,
    target: FlashTarget | None = None,
    tool: str = "auto",
    options: FlashOptions | None = None,
    around: Surroundings | None = None,
    ask: bool = False,
) -> Iterator[Loader]:
    """One board in its bootloader, open; it runs its firmware again afterwards.

    Args:
        target: the board; None chooses it as -d says.
        tool: as --tool.
        ask: whether a running program is interrupted by a yes alone, for commands whose name does not tell a restart.

    Raises: as `choose`; UsageError where nobody can be asked; FlashError, TransportError of entering and opening.
    """
    from ..flashers.base import FlashOptions
    from ..flashers.bootloader import plan_way_in
    from ..flashers.planning import lasting
    from ..flashers.select import candidates

    around = around or surroundings(app)
    target = target or choose(app, around)
    simulated = target.bus is not None and target.bus.name
    serial = not simulated and (target.port is None or target.port.kind in ("bridge", "probe"))
    if target.state == "unknown" and not target.mcu_port and target.address and serial:
        target = replace(target, mcu_port="esp32")  # nothing else has its bootloader behind such a port
    question = f"{target.name} is running. Restart it into its bootloader?"
    if ask and target.state == "running" and not app.confirm(question):
        raise click.Abort
    candidates(target, None, tool)  # a tool that cannot do it is refused while the board still runs
    way = plan_way_in(target)
    if way.kind not in ("here", "button"):  # what to press is said when it is time
        app.note(f"{target.name}: into the bootloader, {way.sentence}")
    ways = doors(app, around)
    entered = ways.with_drive(ways.enter(target, app.reporter), tool)
    try:
        flashers = candidates(entered, None, tool)
        loader = ways.open(flashers[0], entered, options or FlashOptions(), app.reporter)
    except UpytoolError as error:
        if target.state == "running" and entered.state == "bootloader":
            again = f"the board waits in its bootloader; start it again: `upytool -d {lasting(target)} reset`"
            error.hint = "\n".join(filter(None, (error.hint, again)))
        raise
    try:
        yield loader
    finally:
        try:
            loader.leave("run")
        except UpytoolError as error:
            app.detail(f"the board did not restart by itself: {error}")
        loader.close()


def filesystem_ranges(loader: Loader, target: FlashTarget) -> list[tuple[int, int]]:
    """(address, size) of the file system on an open board.

    Raises: FlashError where neither the board nor its firmware says.
    """
    from ..flashers.layout import NOWHERE, on_chip

    found = on_chip(loader) or target.filesystems
    known = [(each.start, each.size) for each in found if each.start != NOWHERE]
    if not known:
        raise FlashError("where the file system is, this board does not say", hint="say where: --range ADDRESS SIZE")
    return known
