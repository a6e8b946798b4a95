"""`upytool cat`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "cat",
    examples=[
        ("upytool cat boot.py", "print a file of the board"),
        ("upytool cat :data.bin > data.bin", "byte for byte, whatever is in it"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Print files of the board, byte for byte, one after the other.

    The colon in front of a path of the board may be left out, as in all commands but `cp`, `sync` and `diff`.
    """
    fs = app.device().fs
    for path in paths:
        fs.read_to(path, app.out)
