"""`upytool rm`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "rm",
    examples=[
        ("upytool rm :old.py :log.txt", "files"),
        ("upytool rm -r :lib/old", "a directory with all that is in it"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@click.option("--recursive", "-r", is_flag=True, help="Directories with all that is in them.")
@click.option("--force", "-f", is_flag=True, help="What does not exist is no error.")
@pass_app
def command(app: App, paths: tuple[str, ...], recursive: bool, force: bool) -> None:
    """Remove files from the board.

    A file system's root is emptied, never removed; on a terminal you are asked first. A directory of this
    computer that is mounted on the board is never removed from.
    """
    device = app.device()
    for path in paths:
        app.echo(f"rm :{path}")
        if recursive and app.streams.in_tty and device.fs.is_root(path):
            if not app.confirm(f"Remove everything in {path or 'the working directory'} of the board?"):
                raise click.Abort
        for line in device.fs.rm(path, recursive=recursive, missing_ok=force):
            app.detail(line)
