"""`upytool rmdir`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define("rmdir", examples=[("upytool rmdir :old", "only when it is empty; else `upytool rm -r :old`")])
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Remove empty directories from the board."""
    device = app.device()
    for path in paths:
        app.echo(f"rmdir :{path}")
        device.fs.rmdir(path)
