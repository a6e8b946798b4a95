"""`upytool sync`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ...errors import DifferencesFound, UsageError
from ..app import App, pass_app
from ..copying import report
from ..group import define
from ..params import CopyPath, Place


@define(
    "sync",
    examples=[
        ("upytool sync src :/app", "make /app on the board what src is here"),
        ("upytool sync src :/app --delete --dry-run", "what would go and what would come"),
        ("upytool sync src :/app --delete --keep '*.log'", "remove extra files, but not the logs"),
        ("upytool sync src :/app --check", "exit code 1 when they differ"),
        ("upytool sync :/data data", "from the board to here"),
        ("upytool sync", "as [sync] and [ignore] of upytool.toml say"),
    ],
)
@click.argument("paths", type=CopyPath(), nargs=-1)
@click.option("--delete", is_flag=True, help="Delete files that the source does not have.")
@click.option("--keep", multiple=True, metavar="PATTERN", help="Pattern of files that --delete keeps; repeatable.")
@click.option("--check", is_flag=True, help="Exit with 1 if anything would change, without changing it.")
@click.option("--dry-run", is_flag=True, help="Show the plan without changing anything.")
@click.option("--force", "-f", is_flag=True, help="Copy unchanged files too.")
@click.option("--mpy", is_flag=True, help="Compile .py files for this board (except boot.py and main.py).")
@click.option(
    "--in-place", is_flag=True, help="Overwrite files directly, where two copies do not fit (not crash-safe)."
)
@click.option(
    "--turbo", type=int, metavar="BAUD", help="Transfer over a UART at up to this rate, then restore the old one."
)
@click.option("--ignore", multiple=True, metavar="PATTERN", help="Pattern of files to leave out; repeatable.")
@click.option("--all", "everything", is_flag=True, help="Include dot files, __pycache__ and the like.")
@pass_app
def command(
    app: App,
    paths: tuple[Place, ...],
    delete: bool,
    keep: tuple[str, ...],
    check: bool,
    dry_run: bool,
    force: bool,
    mpy: bool,
    in_place: bool,
    turbo: int | None,
    ignore: tuple[str, ...],
    everything: bool,
) -> None:
    """Make a directory on the board equal to a local one, or the other way round.

    Two questions to the board, whatever the number of files; then what changed goes over. Without --delete
    extra files stay; with it you are asked before boot.py or all that is there would go. Without directories the
    project's file says what goes where; options given here count as well.
    """
    if not paths:
        from ...api.files import project_sync
        from ...config.paths import working_dir

        project = project_sync(Path(working_dir()))
        paths = (Place(str(project.local), False), Place(project.remote, True))
        delete, mpy = delete or project.delete, mpy or project.mpy
        keep, ignore = (*project.keep, *keep), (*project.ignore, *ignore)
        everything = everything or not project.default_ignores
    if len(paths) != 2 or paths[0].remote == paths[1].remote:
        raise UsageError("usage.sync-arguments")
    pull = paths[0].remote
    local, remote = (paths[1], paths[0]) if pull else (paths[0], paths[1])
    device = app.device()
    start = time.monotonic()
    with app.turbo(turbo):
        result = device.fs.sync(
            local.path,
            remote,
            delete=delete,
            keep=keep,
            pull=pull,
            force=force,
            dry_run=dry_run or check,
            in_place=in_place,
            mpy=mpy,
            ignore=ignore,
            default_ignores=not everything,
            agree=app.require,
        )
    report(app, result, time.monotonic() - start, tells=True)
    if check and result.plan.changes:
        raise DifferencesFound("differences.sync", left=str(paths[0]), right=str(paths[1]))
