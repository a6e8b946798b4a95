"""`upytool wipe`."""

from __future__ import annotations

import click

from ...errors import RemoteError
from ..app import App, pass_app
from ..group import define
from ..ui.text import plural


@define(
    "wipe",
    examples=[
        ("upytool backup before.tar + wipe --yes", "save everything first"),
        ("upytool wipe --format --yes", "create the file system again, if it is damaged"),
    ],
)
@click.option("--format", "format_", is_flag=True, help="Create a new file system instead of removing the files.")
@pass_app
def command(app: App, format_: bool) -> None:
    """Remove every file from the board. Firmware, and what is frozen into it, stays.

    With --format the file system is made anew on the board's flash, which fixes a damaged one.
    """
    device = app.device()
    app.require(f"Remove every file from the board on {device.name}?")
    if format_:
        kind = device.call("format", timeout=120.0)
        if not kind:
            raise RemoteError("remote.flash-not-known")
        app.emit({"format": kind}, "")
        app.note(f"The board has a new {kind} file system")
        return
    removed = [item for item in device.fs.rmtree("/", root=True) if not item.kept]
    app.emit({"removed": [item.path for item in removed]}, "")
    files = sum(not item.is_dir for item in removed)
    directories = plural(len(removed) - files, "directory", "directories")
    app.note(f"Removed {plural(files, 'file')} and {directories}")
