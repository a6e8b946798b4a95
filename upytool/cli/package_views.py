"""What the package commands print: plans, lists, packages of a source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from .app import App
from .ui.style import Style

if TYPE_CHECKING:
    from ..packages.inspect import Place
    from ..packages.plan import InstallPlan
    from ..packages.record import Installed


def installed_in(places: list[Place]) -> list[tuple[str, Installed]]:
    """Each installed package with the directory that it is in."""
    return [(place.path, each) for place in places for each in place.record.packages.values()]


def show_plan(app: App, plan: InstallPlan, dry_run: bool, installed: Iterable[str] | None = None) -> None:
    """Print what was done; an install's log, for a script, is mpremote's.

    Args:
        installed: the packages as the user named them, for that log.
    """
    for note in plan.notes:
        app.warn(note)
    if app.settings.verbosity < 0 and not app.settings.json and not dry_run:
        return
    as_log = installed is not None and not dry_run and not app.style.tty
    app.emit({"dry_run": dry_run, **plan.data()}, plan.log(installed or ()) if as_log else plan.lines(dry_run))
    if dry_run:
        app.note("Nothing was done")


def source_lines(data: dict[str, Any], style: Style) -> list[str]:
    """A package as its source has it, for a person."""
    lines = [f"{style.strong(data['name'])} {data['version'] or ''}".rstrip(), f"  from    {data['source']}"]
    if data["deps"]:
        lines.append(f"  needs   {', '.join(data['deps'])}")
    return lines + [f"  file    {file['path']}" for file in data["files"]]
