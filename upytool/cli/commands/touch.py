"""`upytool touch`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define("touch", examples=[("upytool touch :log.txt", "make an empty file; one that exists keeps its contents")])
@click.argument("paths", type=RemotePath(named=True), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Make empty files on the board. A file that exists is left as it is."""
    device = app.device()
    for path in paths:
        app.echo(f"touch :{path}")
        device.fs.touch(path)
    app.emit({"touched": paths}, "")
