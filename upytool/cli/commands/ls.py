"""`upytool ls`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "ls",
    examples=[
        ("upytool ls", "the board's working directory"),
        ("upytool ls :/lib :/data", "several directories"),
        ("upytool ls --json", "for a program"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """List files on the board, sorted by name: size in bytes, and name; a directory ends in a slash."""
    device = app.device()
    listed = []
    for path in paths or ("",):
        app.echo(f"ls :{path}", several=len(paths) > 1)
        entries = device.fs.ls(path)
        app.remember_listing(path, [(entry.name, entry.kind == "dir") for entry in entries])
        listed.append((path, entries))
        if not app.settings.json:
            lines = [f"{each.size:12} {each.name}{'/' if each.kind == 'dir' else ''}" for each in entries]
            app.emit(None, lines)
    if app.settings.json:
        app.emit(
            [
                {
                    "path": path,
                    "entries": [{"name": e.name, "kind": e.kind, "size": e.size} for e in entries],
                }
                for path, entries in listed
            ]
        )
