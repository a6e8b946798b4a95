"""What the package commands print: plans, lists, packages of a source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .app import App
from .ui.style import Style

if TYPE_CHECKING:
    from ..api.packages import InstallPlan, PackageInfo


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


def source_lines(package: PackageInfo, style: Style) -> list[str]:
    """A package as its source has it, for a person."""
    lines = [f"{style.strong(package.name)} {package.version or ''}".rstrip(), f"  from    {package.source}"]
    if package.deps:
        lines.append(f"  needs   {', '.join(package.deps)}")
    return lines + [f"  file    {path}" for path, _ in package.files]
