"""`upytool rescue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import RawReplError, UsageError
from ..app import App, pass_app
from ..group import define

if TYPE_CHECKING:
    from ...device.rescue import Moved
    from ...discovery.ports import SerialPort
    from ...transport.base import Transport


@define(
    "rescue",
    examples=[
        ("upytool rescue", "stop the board and put main.py out of the way"),
        ("upytool rescue --boot", "boot.py too"),
        ("upytool rescue --stop-only", "only get it to its prompt; change no file"),
        ("upytool rescue --restore", "bring the files back"),
        ("upytool rescue --bootloader", "do it in the bootloader, when no prompt is to be had"),
    ],
)
@click.option("--boot", "-b", is_flag=True, help="Rename boot.py too.")
@click.option("--stop-only", is_flag=True, help="Stop the program without renaming anything.")
@click.option("--restore", is_flag=True, help="Restore the names of renamed files.")
@click.option(
    "--patience", type=click.FloatRange(1), default=60.0, metavar="SECONDS", help="Time to try (default: 60)."
)
@click.option(
    "--pulse/--no-pulse",
    default=None,
    help="Reset the board with DTR and RTS if needed (default: on USB-serial bridges).",
)
@click.option("--bootloader", is_flag=True, help="Rename the files in flash, with the board in its bootloader.")
@click.option("--region", metavar="START,SIZE", default="", help="Region of the file system (--bootloader).")
@pass_app
def command(
    app: App,
    boot: bool,
    stop_only: bool,
    restore: bool,
    patience: float,
    pulse: bool | None,
    bootloader: bool,
    region: str,
) -> None:
    """Get back a board whose program loops, sleeps, or swallows Ctrl-C.

    Sends Ctrl-C without pause, over resets and reconnections, until the board stops; then renames main.py to
    main.py.off-1 (never over another file), so that the next start does not run it. The board need not be
    plugged in yet. While it tries, a press on the reset button often helps.

    With --bootloader the program does not run at all: the file system is read and changed in flash. Get the board into
    its bootloader by its button (BOOTSEL, BOOT) if it does not go there by itself.
    """
    if bootloader:
        _in_bootloader(app, boot, stop_only, restore, region)
        return
    if region:
        raise UsageError("--region has a meaning only with --bootloader")
    from ...device import rescue

    opener = _Opener(app)
    app.disconnect()
    try:
        held = rescue.hold(
            opener,
            seconds=patience,
            pulse=opener.may_pulse if pulse is None else pulse,
            reporter=app.reporter,
        )
    except RawReplError as error:
        error.hint = "\n".join(filter(None, (error.hint, "without a prompt: `upytool rescue --bootloader`")))
        raise
    with held.device as device:
        moved = rescue.Moved(())
        if restore:
            moved = rescue.restore(device)
        elif not stop_only:
            moved = rescue.disable(device, (*rescue.START_FILES, "boot.py") if boot else rescue.START_FILES)
    data = {
        "port": device.name,
        "seconds": round(held.seconds, 1),
        "reset_by_lines": held.pulsed,
        "renamed": [list(pair) for pair in moved.renamed],
        "kept": list(moved.kept),
    }
    app.emit(data, [f"{old} -> {new}" for old, new in moved.renamed])
    app.note(_summary(moved, held.seconds, restore, stop_only))


def _in_bootloader(app: App, boot: bool, stop_only: bool, restore: bool, region: str) -> None:
    from ...api import images
    from ...flashers import rescue
    from ..imaging import board_flash

    if stop_only:
        raise UsageError("--stop-only and --bootloader exclude one another: nothing runs in a bootloader")
    app.disconnect()
    place = images.Place(region=images.parse_region(region) if region else None)
    with images.opened(board_flash(app), place, reporter=app.reporter) as found:
        assert found.loader is not None
        if restore:
            moved = rescue.restore(found.loader, found.volumes, reporter=app.reporter)
        else:
            names = (*rescue.START_FILES, "boot.py") if boot else rescue.START_FILES
            moved = rescue.disable(found.loader, found.volumes, names, reporter=app.reporter)
    data = {
        "board": found.name,
        "renamed": [list(pair) for pair in moved.renamed],
        "kept": list(moved.kept),
        "written": moved.written,
    }
    app.emit(data, [f"{old} -> {new}" for old, new in moved.renamed])
    if moved.kept:
        app.note(f"Not restored, because there is a new one: {', '.join(moved.kept)}")
    elif not moved.renamed:
        app.note("Nothing to restore" if restore else "The board has no main.py")
    elif restore:
        app.note("The files have their names back")
    else:
        app.note("The board's next start runs no main.py. Undo: `upytool rescue --bootloader --restore`")


def _summary(moved: Moved, seconds: float, restore: bool, stop_only: bool) -> str:
    """What was done, and what comes next."""
    took = f"The board stopped after {seconds:.1f} s"
    if moved.kept:
        return f"{took}; not restored, because there is a new one: {', '.join(moved.kept)}"
    if restore:
        return f"{took}; the files have their names back" if moved.renamed else f"{took}; nothing to restore"
    if stop_only:
        return f"{took}; no file was changed"
    if not moved.renamed:
        return f"{took}; it has no main.py"
    return f"{took}; its next start runs no main.py. Undo: `upytool rescue --restore`"


class _Opener:
    """Opens the board's port, also when it comes back under another name."""

    def __init__(self, app: App) -> None:
        self._app, self._selector = app, app.selector
        self._port: SerialPort | None = None
        self.may_pulse = self._look()

    def _look(self) -> bool:
        """Whether the port is there already and its lines may reset the board."""
        from ...errors import NoDeviceError, PortMissingError

        try:
            self._find()
        except (NoDeviceError, PortMissingError):
            return False
        return self._port is not None and self._port.kind == "bridge"

    def _find(self) -> str:
        from ...device.connect import find_simulator
        from ...discovery.ports import list_ports
        from ...discovery.selector import resolve

        if self._port is not None and self._port.usb_id:
            again = [port for port in list_ports() if self._port.same_device(port)]
            if again:
                return again[0].path
        target = resolve(
            self._selector,
            aliases=self._app.settings.devices,
            simulators=find_simulator,
            reporter=self._app.reporter,
        )
        self._port = target.port
        return target.address

    def __call__(self) -> Transport:
        from ...device.connect import open_address
        from ...discovery.lines import check_baud, lines_for

        address, settings = self._find(), self._app.settings
        lines = lines_for(self._port, dtr=settings.dtr, rts=settings.rts)
        return open_address(
            address,
            baud=check_baud(settings.baud),
            lines=lines,
            reporter=self._app.reporter,
            aliases=settings.devices,
            ask=self._app.ask_password,
        )
