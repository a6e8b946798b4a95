"""`upytool rmdir`."""

from __future__ import annotations

import click

from ...errors import RemoteOSError
from ...words import Said
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath

_NOT_EMPTY = 39  # py/mperrno.h; the number differs on macOS and Windows.


@define("rmdir", examples=[("upytool rmdir :old", "only when it is empty; else `upytool rm -r :old`")])
@click.argument("paths", type=RemotePath(named=True), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Remove empty directories from the board."""
    device = app.device()
    for path in paths:
        app.echo(f"rmdir :{path}")
        try:
            device.fs.rmdir(path)
        except RemoteOSError as error:
            if error.errno == _NOT_EMPTY and not error.hints:
                error.advise(Said("cli.remove-tree", path=path))
            raise
    app.emit({"removed": paths}, "")
