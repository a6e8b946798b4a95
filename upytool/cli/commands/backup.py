"""`upytool backup`."""

from __future__ import annotations

import os
import time

import click

from ..app import App, pass_app
from ..group import define
from ..params import LocalPath, RemotePath
from ..ui.text import plural, size


@define(
    "backup",
    examples=[
        ("upytool backup", "all files, in a file named after the board and the time"),
        ("upytool backup before.tar.gz", "compressed; .zip is another way"),
        ("upytool backup data.tar --path :/data", "one directory"),
    ],
)
@click.argument("file", type=LocalPath(), required=False, default="")
@click.option(
    "--path", type=RemotePath(), default="/", metavar=":PATH", help="Limit to this path and what is below it."
)
@click.option(
    "--turbo", type=int, metavar="BAUD", help="Transfer over a UART at up to this rate, then restore the old one."
)
@pass_app
def command(app: App, file: str, path: str, turbo: int | None) -> None:
    """Save the board's files in an archive: .tar, .tar.gz or .zip, by its name.

    Every file is compared with the board's own checksum. The archive appears when it is complete. Directories of
    this computer that are mounted on the board are left out, and /rom unless --path names it.
    """
    if file and os.path.isfile(file):
        app.require(f"{file} exists. Replace it?")
    start = time.monotonic()
    device = app.device()
    with app.turbo(turbo):
        made = device.fs.backup(file, path)
    app.emit(made.data(), "" if file else made.file)
    files, took = made.backup.files, time.monotonic() - start
    app.note(f"Saved {plural(len(files), 'file')} ({size(made.backup.bytes)}) in {made.file} in {took:.1f} s")
