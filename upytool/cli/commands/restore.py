"""`upytool restore`."""

from __future__ import annotations

import time

import click

from ..app import App, pass_app
from ..copying import report
from ..group import define
from ..params import LocalPath, RemotePath


@define(
    "restore",
    examples=[
        ("upytool restore before.tar", "bring the saved files back; what is unchanged is not sent"),
        ("upytool restore before.tar --delete", "and remove all that was not there then"),
        ("upytool restore before.tar --delete --dry-run", "show what would be done"),
        ("upytool restore before.tar --path :/lib", "one directory of it"),
    ],
)
@click.argument("file", type=LocalPath())
@click.option("--delete", is_flag=True, help="Delete files that the backup does not have.")
@click.option("--dry-run", is_flag=True, help="Show the plan without changing anything.")
@click.option("--path", type=RemotePath(), default="", metavar=":PATH", help="Limit to this path and what is below it.")
@click.option(
    "--in-place", is_flag=True, help="Overwrite files directly, where two copies do not fit (not crash-safe)."
)
@click.option(
    "--turbo", type=int, metavar="BAUD", help="Transfer over a UART at up to this rate, then restore the old one."
)
@pass_app
def command(app: App, file: str, delete: bool, dry_run: bool, path: str, in_place: bool, turbo: int | None) -> None:
    """Bring saved files back to the board, to where they were.

    The whole archive is checked before anything is written, and so is the space. A file on the board is the old one
    or the new one, whatever happens on the way. Without --delete other files stay; with it you are asked before boot.py
    or all that is there would go.
    """
    device = app.device()
    start = time.monotonic()
    with app.turbo(turbo):
        result = device.fs.restore(file, path, delete=delete, dry_run=dry_run, in_place=in_place, agree=app.require)
    report(app, result, time.monotonic() - start, tells=True)
