"""`upytool rm`."""

from __future__ import annotations

import click

from ...errors import EISDIR, ENOENT, EPERM, RemoteOSError
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
@click.option("--force", "-f", is_flag=True, help="What does not exist is no error, nor is the root that stays.")
@pass_app
def command(app: App, paths: tuple[str, ...], recursive: bool, force: bool) -> None:
    """Remove files from the board, for good.

    `rm -r :` empties the board's working directory, `rm -r :/` everything that is mounted; on a terminal you are
    asked first. The root itself stays, which is an error with `:/` unless -f is given. A directory of this computer
    that is mounted on the board is never removed from.
    """
    device = app.device()
    for path in paths:
        app.echo(f"rm :{path}")
        try:
            if recursive:
                _remove_tree(app, path, force)
            else:
                device.fs.remove(path)
                app.detail(f"removed: '{path}'")
        except RemoteOSError as error:
            if force and error.errno == ENOENT:
                continue
            if error.errno == EISDIR and not error.hint:
                error.hint = f"`upytool rm -r :{path}` removes it with all that is in it"
            raise


def _remove_tree(app: App, path: str, force: bool) -> None:
    fs = app.device().fs
    bare = path.strip("/") in ("", ".")
    if bare and app.streams.in_tty and not app.settings.yes:
        where = "on the board" if path.startswith("/") else f"in {fs.getcwd()} of the board"
        if not app.confirm(f"Remove everything {where}?"):
            raise click.Abort
    for item in fs.rmtree(path, root=True):
        if item.kept:
            app.detail(f"skipped: '{item.path}' (vfs mountpoint)")
        else:
            app.detail(f"removed{' directory' if item.is_dir else ''}: '{item.path}'")
    if path.startswith("/") and bare and not force:
        # A script for mpremote expects a failure here (their test_filesystem.sh).
        raise RemoteOSError(EPERM, "/", hint="its files are gone; the root itself cannot be removed")
