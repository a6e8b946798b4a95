"""Every board that is plugged in for `upytool flash --all`, side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import FlashError, NoDeviceError, OperationInterrupted, UpytoolError
from .app import App
from .flash_one import backup_words, command_again, forget, keep_backups, show
from .flash_source import Found, Wanted

if TYPE_CHECKING:
    from ..flashers.base import FlashPlan, FlashResult, FlashTarget
    from ..flashers.chain import Request


def flash_all(app: App, wanted: Wanted, request: Request, found: Found | None, *, dry: bool) -> None:
    """Flash them all after one question; a table tells how it went. Args: dry: only show the plans."""
    from ..flashers import chain
    from ..flashers.many import run_all
    from . import flash_words, flashing

    ways = flashing.doors(app, buttons=False)  # who should press which?
    plans = _plans(app, wanted, request, found, [each.target for each in flashing.targets(app, ways)])
    if dry:
        data = [flash_words.plan_data(plan) for plan, _ in plans]
        app.emit(data, lambda style: _blocks([flash_words.plan_lines(p, style, backup_words(p, r)) for p, r in plans]))
        app.note("Dry run: nothing was changed")
        return
    for number, (plan, each) in enumerate(plans):
        if number and not app.settings.json:
            app.note("")
        show(app, plan, each)
    keep_backups(app, plans)
    compare = request.verify_only
    lost = any(plan.asks for plan, _ in plans)
    count = f"{len(plans)} board{'s' if len(plans) != 1 else ''}"
    question = f"{'Compare' if compare else 'Flash'} {count}{', files on them will be LOST' if lost else ''}?"
    if not app.confirm(question):
        raise click.Abort
    by_target = {id(plan.target): (plan, each) for plan, each in plans}
    ask = (lambda note: True) if app.settings.yes else None

    def work(target: FlashTarget, reporter: Any) -> FlashResult:
        plan, each = by_target[id(target)]
        result = chain.apply(plan, each, doors=ways, ask=ask, reporter=reporter)
        forget(plan)
        return result

    outcomes = run_all([plan.target for plan, _ in plans], work, reporter=app.reporter)
    bad = flash_words.failed(outcomes)
    data = [flash_words.outcome_data(each) for each in outcomes]
    app.emit(data, lambda style: flash_words.outcome_rows(outcomes, style))
    if bad is not None:
        if app.settings.json:  # the document has the errors
            click.get_current_context().exit(bad.exit_code)
        raise bad
    wrong = [each for each in outcomes if each.result and each.result.after and not each.result.confirmed]
    if wrong:
        click.get_current_context().exit(FlashError.exit_code)


def _blocks(blocks: list[list[str]]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += ["", *block] if lines else block
    return lines


def _plans(
    app: App,
    wanted: Wanted,
    request: Request,
    found: Found | None,
    targets: list[FlashTarget],
) -> list[tuple[FlashPlan, Request]]:
    """A plan for each board that this can be for; the others are left out, with the reason."""
    from ..flashers import chain
    from .flash_source import obtain

    plans: list[tuple[FlashPlan, Request]] = []
    reasons = []
    for target in targets:
        if target.state == "unknown":
            reasons.append(f"{target.selector}: no REPL answers, and no bootloader shows")
            continue
        try:
            own = found or obtain(app, wanted, target)
            each = replace(
                request,
                again=command_again(target, request, wanted),
                backup=_own_backup(request.backup, target) if len(targets) > 1 else request.backup,
            )
            plan = chain.plan(target, own.image, each, name=own.name, sha256=own.sha256)
            plans.append((replace(plan, warnings=(*own.warnings, *plan.warnings)), each))
        except UpytoolError as error:
            if isinstance(error, OperationInterrupted):
                raise
            reasons.append(f"{target.selector}: {error.message}")
    for reason in reasons:
        app.warn(f"left out: {reason}")
    if not plans:
        if not targets:
            from ..flashers.probe import no_board_hint

            raise NoDeviceError("no board is connected", hint=no_board_hint())
        raise NoDeviceError("none of the boards can be flashed with this", hint="\n".join(reasons))
    return plans


def _own_backup(backup: str, target: FlashTarget) -> str:
    """A file for each board: before.tar -> before-usb-1-2.3.tar."""
    import os
    import re

    if not backup:
        return ""
    folder, name = os.path.split(backup)
    stem, dot, ending = name.partition(".")
    place = re.sub(r"[^A-Za-z0-9.]+", "-", target.location or target.selector).strip("-")
    return os.path.join(folder, f"{stem}-{place}{dot}{ending}")
