"""`upytool mv`."""

from __future__ import annotations

import click

from ...errors import UsageError
from ..app import App, pass_app
from ..group import define
from ..params import RemotePath


@define(
    "mv",
    examples=[
        ("upytool mv :main.py :old.py", "rename"),
        ("upytool mv :a.py :b.py :lib/", "into a directory"),
    ],
)
@click.argument("paths", type=RemotePath(), nargs=-1, required=True)
@pass_app
def command(app: App, paths: tuple[str, ...]) -> None:
    """Move or rename files and directories on the board.

    With several sources the last path must be a directory. From one file system to another the files are copied,
    verified, and only then removed.
    """
    if len(paths) < 2:
        raise UsageError("usage.mv-arguments")
    *sources, target = paths
    fs = app.device().fs
    if len(sources) > 1 and not fs.is_dir(target):
        raise UsageError("usage.file-for-several", path=f":{target}")
    for source in sources:
        app.echo(f"mv :{source} :{target}")
        fs.move(source, target)
    app.emit({"moved": sources, "to": target}, "")
