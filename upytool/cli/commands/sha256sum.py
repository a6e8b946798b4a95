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
        ("upytool md5sum :main.py", "md5sum, sha1sum, sha512sum, blake2bsum ... too"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Print the checksums of files on the board.

    They are made there; where the board's hashlib lacks one that this computer knows, the file is read instead.
    """
    from ...api import files

    name = click.get_current_context().info_name or "sha256sum"
    algorithm = name.removesuffix("sum")
    device = app.device()
    sums: dict[str, str | None] = {}
    for path in paths:
        app.echo(f"{name} :{path}", several=len(paths) > 1)
        sums[path] = files.digest(device.fs, path, algorithm)
        if sums[path] is None:
            raise RemoteOSError(EISDIR if device.fs.is_dir(path) else ENOENT, path)
        if not app.settings.json:
            app.emit(None, sums[path])
    if app.settings.json:
        app.emit([{"path": path, "algorithm": algorithm, "digest": sums[path]} for path in paths])
