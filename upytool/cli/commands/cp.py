"""`upytool cp`."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

import click

from ...errors import LocalFileError, UsageError
from ...words import Said
from ..app import App, pass_app
from ..copying import report
from ..group import define
from ..params import CopyPath, Place


@define(
    "cp",
    examples=[
        ("upytool cp main.py :", "to the board, under the same name"),
        ("upytool cp -r src/ :/app", "what is in src into /app of the board"),
        ("upytool cp :log.txt .", "from the board"),
        ("upytool cp -r --mpy lib :", "compile .py files for this board on the way"),
        ("upytool cp -r --dry-run src :", "show what would be done"),
        ("echo 1 | upytool cp - :flag.txt", "from stdin; as target `-` is stdout"),
    ],
)
@click.argument("paths", type=CopyPath(), nargs=-1, required=True)
@click.option("--recursive", "-r", is_flag=True, help="Include directories and everything in them.")
@click.option("--force", "-f", is_flag=True, help="Copy unchanged files too.")
@click.option("--mpy", is_flag=True, help="Compile .py files for this board (except boot.py and main.py).")
@click.option("--dry-run", is_flag=True, help="Show the plan without changing anything.")
@click.option(
    "--in-place", is_flag=True, help="Overwrite files directly, where two copies do not fit (not crash-safe)."
)
@click.option(
    "--turbo", type=int, metavar="BAUD", help="Transfer over a UART at up to this rate, then restore the old one."
)
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Pattern of files to leave out; repeatable.")
@click.option("--local", is_flag=True, help="Copy within this computer.")
@click.option("--all", "everything", is_flag=True, help="Include dot files, __pycache__ and the like.")
@pass_app
def command(
    app: App,
    paths: tuple[Place, ...],
    recursive: bool,
    force: bool,
    mpy: bool,
    dry_run: bool,
    in_place: bool,
    turbo: int | None,
    ignore: tuple[str, ...],
    local: bool,
    everything: bool,
) -> None:
    """Copy files to, from or on the board. A path that begins with a colon is on the board.

    The last path is the target: a directory that exists, or a new name. A trailing slash on a source directory
    means what is in it. Files that the board has already are not sent again. A file on the board is the old one
    or the new one, whatever happens on the way.

    .git, __pycache__, other dot files and what an .upytoolignore file names are left out.
    """
    if len(paths) < 2:
        raise UsageError("usage.cp-arguments")
    *sources, target = paths
    here = not target.remote and not any(source.remote for source in sources)
    if here and not local and not app.mpremote and not any(str(path) == "-" for path in paths):
        raise UsageError("usage.no-side-on-board", hint=_colon(sources, target))
    if local and not here:
        raise UsageError("usage.local-with-colon")
    for source in sources:
        app.echo(f"cp {source} {target}")
    if any(str(path) == "-" for path in paths):
        _pipe(app, sources, target, in_place)
        return
    how: dict[str, Any] = {
        "recursive": recursive, "force": force, "dry_run": dry_run, "ignore": ignore, "default_ignores": not everything
    }  # fmt: skip
    start = time.monotonic()
    if here:
        from ...api.files import copy_here

        result = copy_here([source.path for source in sources], target.path, **how, reporter=app.reporter)
        if app.echoes and result.plan.changes and not dry_run:
            app.note("Copied on this computer, not to the board")
    else:
        device = app.device()
        with app.turbo(turbo):
            result = device.fs.copy(sources, target, **how, in_place=in_place, mpy=mpy)
    report(app, result, time.monotonic() - start, "./" if recursive and target == ("", True) else "")


def _colon(sources: list[Place], target: Place) -> list[Said]:
    """What was meant, most likely: the target on the board, or the sources where they are not here."""
    words, path = [source.path for source in sources], target.path.removeprefix("./")
    if any(os.path.exists(word) for word in words):
        meant = [*words, ":" if path in ("", ".") else f":{path}"]
    else:
        meant = [*(f":{word}" for word in words), path]
    return [Said("cli.board-path", words=meant), Said("cli.local")]


def _stdin() -> bytes:
    from ... import limits

    data = sys.stdin.buffer.read(limits.STDIN_BYTES + 1)
    if len(data) > limits.STDIN_BYTES:
        raise LocalFileError("local-file.stdin-too-large", limit=limits.STDIN_BYTES)
    return data


def _pipe(app: App, sources: list[Place], target: Place, in_place: bool) -> None:
    """`-` on one side: stdin to a file of the board, or a file of the board to stdout."""
    if len(sources) != 1 or not (sources[0].remote or target.remote):
        raise UsageError("usage.cp-stdin")
    fs = app.device().fs
    if str(sources[0]) == "-":
        if sys.stdin.isatty():
            app.note("Reading from the terminal; end with Ctrl-D")
        fs.write_bytes(target.path, _stdin(), in_place=in_place)
        return
    fs.read_to(sources[0].path, app.out)
