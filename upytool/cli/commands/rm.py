"""`upytool rm`."""

from __future__ import annotations

from posixpath import join, normpath

import click

from ...errors import EISDIR, ENOENT, EPERM, RemoteOSError
from ...words import Said
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
@click.option("--recursive", "-r", is_flag=True, help="Include directories and everything in them.")
@click.option("--force", "-f", is_flag=True, help="Ignore missing files, and the root that stays.")
@pass_app
def command(app: App, paths: tuple[str, ...], recursive: bool, force: bool) -> None:
    """Remove files from the board, for good.

    `rm -r :` empties the board's working directory, `rm -r :/` everything that is mounted. Both ask first, and need
    --yes where nobody can be asked (a line with mpremote's `resume` asks nothing, unless --no-input is given). The
    root itself stays, which is an error with `:/` unless -f is given. A directory of this computer that is mounted on
    the board is never removed from.
    """
    device = app.device()
    removed: list[str] = []
    for path in paths:
        app.echo(f"rm :{path}")
        try:
            if recursive:
                _remove_tree(app, path, force, removed)
            else:
                device.fs.remove(path)
                removed.append(path)
                app.detail(f"removed: '{path}'")
        except RemoteOSError as error:
            if force and error.errno == ENOENT:
                continue
            if error.errno == EISDIR and not path.strip("./"):
                error.advise(Said("cli.name-a-file"))
            elif error.errno == EISDIR and not error.hints:
                error.advise(Said("cli.remove-tree", path=path))
            raise
    app.emit({"removed": removed}, "")


def _remove_tree(app: App, path: str, force: bool, removed: list[str]) -> None:
    fs = app.device().fs
    cwd = fs.getcwd()
    # As the board reads it: `.`, `lib/..` and `//` are the working directory or the root too.
    target = "/" + normpath(join(cwd or "/", path)).lstrip("/")
    if (target == "/" or (cwd + "/").startswith(target + "/")) and not (app.mpremote and not app.settings.no_input):
        where = "on the board" if target == "/" else f"in {target} of the board"
        app.require(f"Remove everything {where}?")
    for item in fs.rmtree(path, root=True):
        if item.kept:
            app.detail(f"skipped: '{item.path}' (vfs mountpoint)")
        else:
            removed.append(item.path)
            app.detail(f"removed{' directory' if item.is_dir else ''}: '{item.path}'")
    if path.startswith("/") and target == "/" and not force:
        # A script for mpremote expects a failure here (their test_filesystem.sh).
        raise RemoteOSError(EPERM, "/", hint="its files are gone; the root itself cannot be removed")
