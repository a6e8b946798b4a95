"""`upytool cd`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "cd",
    examples=[("upytool cd :/lib ls", "two commands, one connection"), ("upytool cd :/", "back to the root")],
)
@click.argument("path", type=RemotePath())
@pass_app
def command(app: App, path: str) -> None:
    """Change the board's working directory. It lasts until the board's next reset, soft or hard."""
    app.device().fs.chdir(path or "/")
    app.emit({"directory": path or "/"}, "")
