"""One board for `upytool flash`: plan, question, run, by its bootloader or by its running MicroPython."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ..errors import FlashError, UsageError
from .app import App
from .flash_source import Found, Wanted

if TYPE_CHECKING:
    from ..flashers.base import FlashPlan, FlashResult, FlashTarget
    from ..flashers.chain import Request


def command_again(target: FlashTarget, request: Request, wanted: Wanted, at: int | None = None) -> str:
    """The command that does the same once more. The backup is not made again: what is on the board now is worse."""
    import shlex

    from ..flashers.chain import lasting

    options = request.options
    words = ["upytool", "-d", lasting(target), "flash"]
    words += [wanted.file] if wanted.file else []
    words += {"all": ["--erase"], "fs": ["--erase-fs"]}.get(request.erase, [])
    for flag, value in (
        ("--board", wanted.board),
        ("--version", wanted.version),
        ("--variant", wanted.variant),
        ("--sha256", wanted.sha256),
        ("--at", "" if at is None else f"{at:#x}"),
        ("--tool", options.tool if options.tool != "auto" else ""),
        ("--slot", options.slot),
        ("--flash-size", options.flash_size if options.flash_size != "keep" else ""),
        ("--flash-mode", options.flash_mode if options.flash_mode != "keep" else ""),
        ("--layout", options.layout),
    ):
        words += [flag, value] if value else []
    for flag, given in (
        ("--keep-fs", request.keep_fs),
        ("--verify-only", request.verify_only),
        ("--whole", options.whole),
        ("--no-verify", not options.verify),
        ("--no-stub", not options.stub),
        ("--no-wait", not request.wait and not request.verify_only),
    ):
        words += [flag] if given else []
    return shlex.join(words)


def flash_one(app: App, wanted: Wanted, request: Request, found: Found | None, *, at: int | None, dry: bool) -> None:
    """One board by its bootloader. Args: at: the address for a file of bare bytes; dry: only show the plan."""
    from ..flashers import chain
    from . import flashing
    from .flash_source import bare, obtain

    ways = flashing.doors(app)
    target = flashing.choose(app, ways).target
    _vendor_only(app, target, wanted.file)
    if found is None:
        found = bare(wanted.file, at, target) if at is not None else obtain(app, wanted, target)
    request = replace(request, again=command_again(target, request, wanted, at))
    plan = chain.plan(target, found.image, request, name=found.name, sha256=found.sha256)
    plan = replace(plan, warnings=(*found.warnings, *plan.warnings))
    if dry:
        show_dry(app, plan, request)
        return
    show(app, plan, request)
    _agree(app, plan, request)
    result = chain.apply(plan, request, doors=ways, ask=_ask(app), reporter=app.reporter)
    forget(plan)
    _tell(app, result)


def flash_over_the_air(app: App, wanted: Wanted, request: Request, found: Found | None, *, dry: bool) -> None:
    """One board by its running MicroPython; the connection stays the same from the first question to the restart."""
    from ..api.flash_target import slowly
    from ..flashers import ota, ota_plan
    from .flash_source import obtain

    device = app.device()
    with slowly(app.reporter, f"Asking {device.name} what it is"):
        target = ota.identify(device, app.selector or device.name)
    ota_plan.require_slots(target)  # before anything is downloaded for it
    found = found or obtain(app, wanted, target)
    request = replace(request, again=command_again(target, request, wanted))
    runs = ota.runs(device, target, found.image, request, reporter=app.reporter)
    plan = ota_plan.plan(target, found.image, request, runs=runs, name=found.name, sha256=found.sha256)
    plan = replace(plan, warnings=(*found.warnings, *plan.warnings))
    if dry:
        show_dry(app, plan, request)
        return
    show(app, plan, request)
    _agree(app, plan, request)
    result = ota.apply(plan, request, device, ask=_ask(app), reporter=app.reporter)
    forget(plan)
    _tell(app, result)


def show_dry(app: App, plan: FlashPlan, request: Request) -> None:
    """Print the plan, as text or data."""
    from . import flash_words

    backup = backup_words(plan, request)
    app.emit(flash_words.plan_data(plan), lambda style: flash_words.plan_lines(plan, style, backup))
    app.note("Dry run: nothing was changed")


def _agree(app: App, plan: FlashPlan, request: Request) -> None:
    """Ask before anything is changed. Raises: click.Abort for a no; as `_keep_backups`."""
    keep_backups(app, [(plan, request)])
    question = _question(plan, request)
    if question and not app.confirm(question):
        raise click.Abort


def forget(plan: FlashPlan) -> None:
    """What upytool remembers of the board was its old firmware's."""
    import os

    from ..config.paths import state_dir
    from ..discovery.remembered import FILE_NAME, Remembered

    if plan.target.port is not None:
        Remembered(os.path.join(state_dir(), FILE_NAME)).renew(plan.target.port)


def _vendor_only(app: App, target: FlashTarget, path: str) -> None:
    """A board that only its maker's tool can program: its steps, and no pretending.

    Raises: FlashError.
    """
    from ..flashers.vendor import vendor_steps

    steps = vendor_steps(target, path)
    if steps is not None:
        raise FlashError(steps.title.rstrip("."), hint="\n".join(steps.text()[1:]))


def show(app: App, plan: FlashPlan, request: Request) -> None:
    """Tell the plan on stderr, before the question."""
    from . import flash_words

    if app.settings.json:
        return
    for line in flash_words.plan_lines(plan, app.streams.err_style, backup_words(plan, request)):
        app.note(line)


def backup_words(plan: FlashPlan, request: Request) -> str:
    """What is saved where, "" for nothing."""
    from ..flashers.chain import raw_backup, raw_name

    if not request.backup:
        return ""
    if raw_backup(plan.target, request):
        return f"the whole flash, in {raw_name(request.backup)}"
    return f"the files, in {request.backup}"


def keep_backups(app: App, plans: list[tuple[FlashPlan, Request]]) -> None:
    """A backup that is there may be the only good one: after a flash that failed, what is on the board is worse.

    Raises: UsageError, LocalFileError before anything was done; click.Abort for a no.
    """
    import os

    from ..api.raw_flash import require_directory
    from ..flashers.chain import raw_backup, raw_name

    for plan, request in plans:
        if not request.backup:
            continue
        path = raw_name(request.backup) if raw_backup(plan.target, request) else request.backup
        require_directory(path)
        if not os.path.isfile(path):
            continue
        if app.settings.yes and plan.target.state != "running":
            raise UsageError(
                f"{path} exists, and this board does not run: its flash may be worth less than what was saved",
                hint="give --backup another name, or leave it out",
            )
        if not app.confirm(f"{path} exists. Replace it?"):
            raise click.Abort


def _question(plan: FlashPlan, request: Request) -> str:
    from . import flash_words

    if request.verify_only:
        # Nothing is changed, but a board that runs is stopped for it.
        return "Restart the board to compare?" if plan.way_in else ""
    if plan.asks:
        safe = " (they are saved first)" if request.backup else ""
        return f"Files on the board will be LOST{safe}. Flash it?"
    if plan.flasher == "ota" and not plan.segments:  # it runs already
        return "Confirm it?" if flash_words.confirm_step(plan) else ""
    return "Flash it?"


def _ask(app: App) -> Any:
    def ask(note: str) -> bool:
        return app.confirm(f"{note[:1].upper()}{note[1:]}. Go on?")

    return ask


def _tell(app: App, result: FlashResult) -> None:
    from . import flash_words

    app.emit(flash_words.result_data(result), "")
    app.note(flash_words.result_words(result))
    if result.after and not result.confirmed:
        click.get_current_context().exit(FlashError.exit_code)
