"""`upytool mkdir`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "mkdir",
    examples=[("upytool mkdir :lib", "one directory"), ("upytool mkdir -p :data/2026/01", "with its parents")],
)
@click.argument("paths", type=RemotePath(named=True), nargs=-1, required=True)
@click.option("--parents", "-p", is_flag=True, help="Create parent directories; no error if it exists.")
@pass_app
def command(app: App, paths: tuple[str, ...], parents: bool) -> None:
    """Make directories on the board."""
    device = app.device()
    for path in paths:
        app.echo(f"mkdir :{path}")
        device.fs.mkdir(path, parents=parents, exist_ok=parents)
    app.emit({"made": paths}, "")
