"""`upytool rescue`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import UsageError
from ...words import Said
from ..app import App, pass_app
from ..group import define

if TYPE_CHECKING:
    from ...api.rescue import Rescued


@define(
    "rescue",
    examples=[
        ("upytool rescue", "stop the board and put main.py out of the way"),
        ("upytool rescue --boot", "boot.py too"),
        ("upytool rescue --stop-only", "only get it to its prompt; change no file"),
        ("upytool rescue --restore", "bring the files back"),
        ("upytool rescue --bootloader", "do it in the bootloader, when there is no prompt"),
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
        raise UsageError("usage.region-without-bootloader")
    from ...api import rescue

    settings, selector = app.settings, app.selector
    app.disconnect()
    done = rescue.rescue(
        selector,
        boot=boot,
        stop_only=stop_only,
        restore=restore,
        seconds=patience,
        pulse=pulse,
        baud=settings.baud,
        dtr=settings.dtr,
        rts=settings.rts,
        aliases=settings.devices,
        ask=app.ask_password,
        reporter=app.reporter,
    )
    app.emit(done.data(), [f"{old} -> {new}" for old, new in done.renamed])
    app.note(_summary(done, restore, stop_only))


def _in_bootloader(app: App, boot: bool, stop_only: bool, restore: bool, region: str) -> None:
    from ...api import images, rescue
    from ..imaging import board_flash

    if stop_only:
        raise UsageError(
            "usage.conflicting-options", option="--stop-only", other="--bootloader", hint=Said("cli.nothing-runs")
        )
    app.disconnect()
    place = images.Place(region=images.parse_region(region) if region else None)
    moved = rescue.in_bootloader(board_flash(app), place, boot=boot, restore=restore, reporter=app.reporter)
    app.emit(moved.data(), [f"{old} -> {new}" for old, new in moved.renamed])
    if moved.kept:
        app.note(f"Not restored, because there is a new one: {', '.join(moved.kept)}")
    elif not moved.renamed:
        app.note("Nothing to restore" if restore else "The board has no main.py")
    elif restore:
        app.note("The files have their names back")
    else:
        app.note("The board's next start runs no main.py. Undo: `upytool rescue --bootloader --restore`")


def _summary(done: Rescued, restore: bool, stop_only: bool) -> str:
    """What was done, and what comes next."""
    took = f"The board stopped after {done.seconds:.1f} s"
    if done.kept:
        return f"{took}; not restored, because there is a new one: {', '.join(done.kept)}"
    if restore:
        return f"{took}; the files have their names back" if done.renamed else f"{took}; nothing to restore"
    if stop_only:
        return f"{took}; no file was changed"
    if not done.renamed:
        return f"{took}; it has no main.py"
    return f"{took}; its next start runs no main.py. Undo: `upytool rescue --restore`"
