"""What `cp` and `sync` say when they are done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .app import App
from .ui.text import plural, seconds, size

if TYPE_CHECKING:
    from ..api.files import CopyResult


def report(app: App, result: CopyResult, took: float, prefix: str = "", *, tells: bool = False) -> None:
    """Say what a copy or sync did: the plan of a dry run on stdout, a summary on stderr.

    Args:
        took: seconds; told to a person, never in a log.
        prefix: before relative paths in mpremote's "Up to date" lines.
        tells: in a log each change is a line and the last one a summary (`sync`). Without it the log has mpremote's
            lines: `cp` says before what it copies, and then only what was up to date.
    """
    plan = result.plan
    if result.dry_run:
        app.emit(result.data(), [action.line() for action in plan.actions if action.what != "skip"])
        app.note(f"Dry run, nothing was changed: {_summary(result)}")
        return
    here = [action for action in plan.actions if action.path.startswith(":")]
    if here:
        gone = [action.path[1:] for action in here if action.what in ("delete", "rmdir")]
        app.remember_change([action.path[1:] for action in here if action.what in ("write", "skip")], gone)
    if tells and not app.settings.json:
        for action in plan.actions:
            if action.what != "skip":
                app.echo(action.line())
        if not app.streams.err_tty:
            app.note(_summary(result).capitalize())
            return
    for action in [] if tells else sorted(plan.of("skip"), key=lambda action: action.path.removeprefix(":").split("/")):
        path = action.path.removeprefix(":")
        app.echo(f"Up to date: {path if path.startswith('/') else prefix + path}")
    if app.settings.json:
        app.emit(result.data())
    elif app.streams.err_tty and not plan.of("write", "delete", "rmdir"):
        app.note(f"Nothing to copy: {plural(len(plan.of('skip')), 'file')} unchanged")
    elif app.streams.err_tty:
        rate = f", {size(plan.bytes / took)}/s" if plan.bytes and took >= 0.1 else ""
        app.note(f"{_summary(result).capitalize()} ({size(plan.bytes)} in {seconds(took)}{rate})")


def _summary(result: CopyResult) -> str:
    plan = result.plan
    parts = [plural(len(plan.of("write")), "file") + (" to copy" if result.dry_run else " copied")]
    removed = "to delete" if result.dry_run else "deleted"
    for what, count in (("unchanged", len(plan.of("skip"))), (removed, len(plan.of("delete", "rmdir")))):
        if count:
            parts.append(f"{count} {what}")
    return ", ".join(parts)
