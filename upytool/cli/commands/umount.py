"""`upytool umount`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "umount",
    examples=[
        ('upytool mount . exec "import app" umount ls :', "take the directory away before the next command"),
        ("upytool mount a mount b --at /b umount --at /b repl", "only one of several"),
    ],
)
@click.option("--at", "point", type=RemotePath(), default=None, help="Mount point (default: all).")
@pass_app
def command(app: App, point: str | None) -> None:
    """Take mounted directories away; at the end of the command line that happens by itself."""
    from ...api import run

    gone = run.unmount(app.device(), point)
    app.emit([mount.point for mount in gone], [])
    for mount in gone:
        app.detail(f"{mount.directory} is no longer mounted at {mount.point}")
