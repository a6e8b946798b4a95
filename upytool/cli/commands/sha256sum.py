"""`upytool sha256sum`."""

from __future__ import annotations

import click

from ...errors import EISDIR, ENOENT, RemoteOSError
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "sha256sum",
    examples=[
        ("upytool sha256sum :main.py", "made on the board, nothing is copied"),
        ("upytool md5sum :main.py", "any hash that the board's hashlib knows"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Print the check sums of files on the board."""
    name = click.get_current_context().info_name or "sha256sum"
    device = app.device()
    sums = {}
    for path in paths:
        app.echo(f"{name} :{path}", several=len(paths) > 1)
        sums[path] = device.fs.hash(path, name.removesuffix("sum"))[path]
        if sums[path] is None:
            raise RemoteOSError(EISDIR if device.fs.is_dir(path) else ENOENT, path)
        if not app.settings.json:
            app.emit(None, sums[path])
    if app.settings.json:
        app.emit([{"path": path, "algorithm": name.removesuffix("sum"), "digest": sums[path]} for path in paths])
