"""What the commands that write flash have in common: which board, its boot loader open, plans and results in words."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import AmbiguousDeviceError, FlashError, LocalFileError, NoDeviceError, UpytoolError
from .app import App
from .ui.prompt import may_ask
from .ui.style import Style
from .ui.text import printable, rows, seconds, size

if TYPE_CHECKING:
    from ..flash.base import FlashOptions, FlashPlan, FlashResult, FlashTarget, Loader
    from ..flash.doors import Doors
    from ..flash.many import Outcome
    from ..flash.probe import Surroundings

PATIENCE = 120.0


# -- boards ---------------------------------------------------------------------------------------


def surroundings(app: App) -> Surroundings:
    """Where boards are looked for: this computer's ports, USB and drives, or simulated boards when -d says so."""
    from ..flash.probe import Surroundings

    settings = app.settings
    selector = _resolved(app)
    if selector == "sim" or selector.startswith("sim:"):
        return _simulated(app, selector)
    return Surroundings(settings.devices, baud=settings.baud)


def _simulated(app: App, selector: str) -> Surroundings:
    """Simulated Picos and nothing else. Each is on a USB of its own, and its serial port keeps its name."""
    from ..flash.probe import Surroundings
    from ..flash.usb import UsbBus
    from ..sim.registry import list_running, resolve_info
    from ..sim.usb import bus_backend
    from .simulated_drive import SimulatedVolume

    found = list_running() if selector == "sim" else [resolve_info(selector)]
    boards = [info for info in found if info.kind == "pico"]
    if found and not boards:
        raise FlashError(
            f"the simulated board {found[0].name} has no boot loader", hint="one that has: `upytool sim start pico`"
        )
    names = [f"sim:{info.name}" for info in boards]
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


def _resolved(app: App) -> str:
    """The selector behind aliases."""
    text = (app.selector or "").strip()
    for _ in range(8):
        if text not in app.settings.devices:
            break
        text = app.settings.devices[text].strip()
    return text


def targets(app: App, around: Surroundings | None = None) -> list[FlashTarget]:
    """Every board there is, in whatever state; those that may run were asked what they are."""
    from ..flash.probe import find_targets, identify

    around = around or surroundings(app)
    with patiently(app, "Looking for boards"):
        found = find_targets(around, reporter=app.reporter)
    with patiently(app, "Asking the boards what they are"):
        return [identify(each, around, reporter=app.reporter) for each in found]


def choose(app: App, around: Surroundings | None = None) -> FlashTarget:
    """The one board that -d names, or the only one there is; a person may pick one of several.

    Raises: NoDeviceError with what to do, AmbiguousDeviceError, PortBusyError, PortPermissionError.
    """
    from ..flash.probe import choose as find
    from ..flash.probe import identify

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
        raise LocalFileError(f"there is no folder {folder} for {os.path.basename(path)}", hint="make it first")
    if not os.access(folder, os.W_OK):
        raise LocalFileError(f"{folder} cannot be written to", hint="take another folder")


def _simulated_hint(error: NoDeviceError) -> None:
    from ..device.connect import running_simulators

    running = running_simulators()
    if running:
        error.hint += f"\na simulated board runs: upytool -d {running[0]} ..."


def doors(app: App, around: Surroundings) -> Doors:
    """How boards are reached; nobody is asked to press a button where nobody is there."""
    from ..flash.doors import Doors

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
) -> Iterator[Loader]:
    """One board in its boot loader, open; it runs its firmware again afterwards.

    Args:
        target: the board; None chooses it as -d says.
        tool: as --tool.

    Raises: as `choose`; FlashError, TransportError of entering and opening.
    """
    from ..flash.base import FlashOptions
    from ..flash.bootloader import plan_way_in
    from ..flash.planning import lasting
    from ..flash.select import candidates

    around = around or surroundings(app)
    target = target or choose(app, around)
    simulated = target.bus is not None and target.bus.name
    serial = not simulated and (target.port is None or target.port.kind in ("bridge", "probe"))
    if target.state == "unknown" and not target.mcu_port and target.address and serial:
        target = replace(target, mcu_port="esp32")  # nothing else has its boot loader behind such a port
    candidates(target, None, tool)  # a tool that cannot do it is refused while the board still runs
    way = plan_way_in(target)
    if way.kind not in ("here", "button"):  # what to press is said when it is time
        app.note(f"{target.name}: into the boot loader, {way.sentence}")
    ways = doors(app, around)
    entered = ways.with_drive(ways.enter(target, app.reporter), tool)
    try:
        flashers = candidates(entered, None, tool)
        loader = ways.open(flashers[0], entered, options or FlashOptions(), app.reporter)
    except UpytoolError as error:
        if target.state == "running" and entered.state == "bootloader":
            again = f"the board waits in its boot loader; start it again: `upytool -d {lasting(target)} reset`"
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
    from ..flash.layout import NOWHERE, on_chip

    found = on_chip(loader) or target.filesystems
    known = [(each.start, each.size) for each in found if each.start != NOWHERE]
    if not known:
        raise FlashError("where the file system is, this board does not say", hint="say where: --range ADDRESS SIZE")
    return known


# -- words ----------------------------------------------------------------------------------------



def plan_lines(plan: FlashPlan, style: Style, backup: str = "") -> list[str]:
    """The plan for a person: a few aligned lines."""
    target, image = plan.target, plan.image
    lines: list[tuple[str, str]] = [("Board", _board(target))]
    if image is not None:
        lines.append(("Firmware", _firmware(plan)))
    lines.append(("How", _how(plan)))
    lines.append(("Files", f"{_EFFECTS[plan.fs_effect]}: {plan.fs_note}" if plan.fs_note else _EFFECTS[plan.fs_effect]))
    if backup:
        lines.append(("Backup", backup))
    lines += [("Warning", warning) for warning in plan.warnings]
    width = max(len(name) for name, _ in lines)

    def dress(name: str) -> str:
        return style.warning(f"{name:<{width}}") if name == "Warning" else style.strong(f"{name:<{width}}")

    room = style.width - width - 2 if style.tty else 0
    return [
        f"{dress(name) if first else ' ' * width}  {part}"
        for name, text in lines
        for first, part in _folded(printable(text), room)
    ]


def _folded(text: str, room: int) -> Iterator[tuple[bool, str]]:
    """(whether it is the first, the line) of lines of `room` columns; as one line where it is 0."""
    from textwrap import wrap

    parts = wrap(text, room, break_long_words=False, break_on_hyphens=False) if room >= 20 else [text]
    yield from ((not number, part) for number, part in enumerate(parts))


_EFFECTS = {
    "kept": "kept",
    "erased": "LOST",
    "moved": "LOST",
    "overwritten": "LOST",
    "replaced": "replaced",
    "unknown": "not known",
    "none": "none",
}


def _board(target: FlashTarget) -> str:
    name = "-".join(filter(None, (target.board, target.variant)))
    what = name or target.machine or (target.usb.bootloader if target.usb is not None else "") or target.chip
    if not what and target.volume is not None:
        what = target.volume.info.model or target.volume.label
    if not what and target.port is not None:
        what = target.port.what
    parts = [what or "a board that does not say what it is"]
    if name and target.machine:
        parts.append(f"({target.machine})")
    if target.state == "bootloader":
        said = target.usb is not None and target.usb.bootloader
        where = target.volume.path if target.volume is not None and target.usb is None else target.selector
        return " ".join(parts) + (" on " if said and not name else ", in its boot loader on ") + where
    where = target.selector if target.selector.startswith("sim:") else target.address or target.selector
    return " ".join(parts) + f" on {where}" + (", no REPL answers" if target.state == "unknown" else "")


def _firmware(plan: FlashPlan) -> str:
    from ..flash.chain import image_board, image_version

    image = plan.image
    assert image is not None
    version, board = image_version(image), image_board(image)
    words = plan.image_name
    if image.identity.implementation:
        before = plan.target.version
        words += f": {image.identity.implementation} "
        words += f"{before} -> {version}" if before and before != version else version
    if board:
        words += f" for {board}"
    if version and plan.target.version == version:
        words += ", the version that runs now"
    return f"{words}, {size(image.size)}" + (f", sha256 {plan.sha256[:12]}" if plan.sha256 else "")


def _how(plan: FlashPlan) -> str:
    from ..flash.chain import DRIVES

    way = plan.way_in.split("\n", 1)[0]
    parts = [f"into the boot loader: {way}"] if way else []
    kind = {"all": "erase the whole flash, then write it", "fs": "erase the file system, write what differs"}
    if any(step.startswith("compare") for step in plan.steps):
        parts.append(f"{plan.flasher}: compare only")
    else:
        back = ", read it back" if "read it back" in plan.steps else ""
        kind["changed"] = "copy it to the board's drive" if plan.flasher in DRIVES else "write what differs"
        parts.append(f"{plan.flasher}: {kind[plan.erase]}{back}")
    return "; ".join(parts)


def target_data(target: FlashTarget) -> dict[str, object]:
    """A board as JSON."""
    return {
        "selector": target.selector,
        "state": target.state,
        "location": target.location or None,
        "address": target.address or None,
        "board": target.board or None,
        "variant": target.variant or None,
        "version": target.version or None,
        "machine": target.machine or None,
        "chip": target.chip or None,
        "unique_id": target.unique_id or None,
    }


def plan_data(plan: FlashPlan) -> dict[str, object]:
    """A plan as JSON."""
    from ..flash.chain import image_board, image_version

    image = plan.image
    return {
        "target": target_data(plan.target),
        "image": None
        if image is None
        else {
            "name": plan.image_name,
            "sha256": plan.sha256 or None,
            "format": image.format,
            "bytes": image.size,
            "chip": image.chip or None,
            "board": image_board(image) or None,
            "version": image_version(image) or None,
        },
        "flasher": plan.flasher,
        "way_in": plan.way_in or None,
        "segments": [list(each) for each in plan.segments],
        "erase": plan.erase,
        "files": {"effect": plan.fs_effect, "note": plan.fs_note},
        "warnings": list(plan.warnings),
        "steps": list(plan.steps),
    }


def result_data(result: FlashResult) -> dict[str, object]:
    """A result as JSON, with its plan."""
    done = result.programmed
    return {
        "plan": plan_data(result.plan),
        "programmed": None
        if done is None
        else {
            "total": done.total,
            "written": done.written,
            "erased": done.erased,
            "unchanged": done.unchanged,
            "verified": done.verified or None,
        },
        "backup": result.backup or None,
        "before": result.before or None,
        "after": result.after or None,
        "board": result.board_after or None,
        "address": result.address or None,
        "confirmed": result.confirmed,
        "seconds": round(result.seconds, 2),
        "warnings": list(result.warnings),
    }


def result_words(result: FlashResult) -> str:
    """One line: what was done and what the board says."""
    done = result.programmed
    erased = {"all": "Erased the whole flash\n", "fs": "Erased the file system\n"}.get(result.plan.erase, "")
    if done is None:
        return f"The board has {result.plan.image_name}: every byte is the same"
    if not done.written:
        words = f"Nothing to write: the board has {result.plan.image_name} already ({size(done.total)} compared)"
    else:
        words = f"Wrote {size(done.written)} in {seconds(result.seconds)}"
        words += f" ({size(done.unchanged)} were there already)" if done.unchanged else ""
        words += f", verified: {done.verified}" if done.verified else ", not read back"
    words = erased + words
    if result.after:
        words += f"\nThe board says: MicroPython {result.after}"
        words += f" on {result.board_after}" if result.board_after else ""
        selector = result.plan.target.selector
        where = selector if selector.startswith("sim:") else result.address
        words += f", its REPL is {where}" if where else ""
    return words


def outcome_rows(outcomes: Sequence[Outcome], style: Style) -> list[str]:
    """A table of several boards."""
    body = []
    for each in outcomes:
        result = each.result
        if result is not None:
            done = result.programmed
            wrote = "" if done is None else size(done.written) if done.written else "unchanged"
            said = f"{result.after} {result.board_after}".strip() or ("verified" if done and done.verified else "")
            body.append([each.target.selector, "ok", wrote, said])
        else:
            body.append([each.target.selector, "failed", "", str(each.error)])
    return rows(style, ["board", "how", "written", "now"], body)


def outcome_data(outcome: Outcome) -> dict[str, object]:
    """One of several boards as JSON."""
    if outcome.result is not None:
        return {"selector": outcome.target.selector, "ok": True, **result_data(outcome.result)}
    error: Any = outcome.error
    return {"selector": outcome.target.selector, "ok": False, "error": error.data()}


def failed(outcomes: Sequence[Outcome]) -> FlashError | None:
    """The error for a run in which some boards failed."""
    bad = [each for each in outcomes if not each.ok]
    if not bad:
        return None
    first = bad[0].error
    hint = "\n".join(filter(None, (f"{each.target.selector}: {getattr(each.error, 'hint', '')}" for each in bad[:4])))
    if len(outcomes) == 1 and isinstance(first, FlashError):
        return first
    return FlashError(f"{len(bad)} of {len(outcomes)} boards were not flashed", hint=hint)
