"""`upytool flash`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from ...errors import FlashError, NoDeviceError, OperationInterrupted, UpytoolError, UsageError
from ..app import App, pass_app
from ..flash_source import Found, Wanted, complete_boards
from ..group import define
from ..params import ByteSize, LocalPath

if TYPE_CHECKING:
    from ...flash.base import FlashPlan, FlashResult, FlashTarget
    from ...flash.chain import Request
    from ...flash.probe import Surroundings

TOOLS = ("auto", "picoboot", "picotool", "uf2", "daplink", "dfu", "dfu-util", "esptool")


@define(
    "flash",
    examples=[
        ("upytool flash", "the newest MicroPython for the board that is plugged in"),
        ("upytool flash firmware.uf2", "this file"),
        ("upytool flash --version 1.28 --backup before.tar", "another version; the files are saved first"),
        ("upytool flash --board ESP32_GENERIC_S3 --variant SPIRAM_OCT", "for a board that does not say what it is"),
        ("upytool flash firmware.uf2 --dry-run", "only say what would happen"),
        ("upytool flash firmware.uf2 --all --yes", "every board that is plugged in, side by side"),
    ],
)
@click.argument("file", type=LocalPath(), required=False, default="", help="A firmware file, a link or a board's name.")
@click.option(
    "--board", "-b", default="", metavar="NAME", shell_complete=complete_boards,
    help="The newest release for this board.",
)  # fmt: skip
@click.option(
    "--version", default="", metavar="VERSION", help="Of the release: latest (if not given), preview, 1.28, a date."
)
@click.option("--variant", default="", metavar="NAME", help="Of the board: SPIRAM, RISCV ...")
@click.option("--erase", "erase_all", is_flag=True, help="Erase the whole flash first, files and all.")
@click.option("--erase-fs", is_flag=True, help="Erase the file system too; the board makes a new one.")
@click.option("--keep-fs", is_flag=True, help="Rather stop than lose the board's files.")
@click.option(
    "--backup", type=LocalPath(), default="", metavar="FILE",
    help="First save the files (.tar, .zip) or, as .bin or without a REPL, the whole flash.",
)  # fmt: skip
@click.option("--verify-only", is_flag=True, help="Compare the board with the firmware and change nothing.")
@click.option("--dry-run", "-n", is_flag=True, help="Say what would be done.")
@click.option("--sha256", default="", metavar="HEX", help="Refuse the file unless this is its SHA-256.")
@click.option("--all", "every", is_flag=True, help="Every board that is plugged in, at the same time.")
@click.option("--tool", type=click.Choice(TOOLS), default="auto", help="How; chosen by board and file if not given.")
@click.option("--whole", is_flag=True, help="Write everything, also what is on the board already.")
@click.option("--no-verify", is_flag=True, help="Do not read back what was written.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the new firmware's answer.")
@click.option("--at", type=ByteSize(), metavar="ADDRESS", help="Write the file's bytes as they are to this address.")
@click.option("--slot", default="", metavar="NAME", help="ESP: where an application alone goes, running or a label.")
@click.option("--no-stub", is_flag=True, help="ESP: without esptool's stub, slower.")
@click.option("--flash-size", default="keep", metavar="SIZE", help="ESP: set in the image, 4MB or detect.")
@click.option("--flash-mode", default="keep", metavar="MODE", help="ESP: set in the image, dio, dout ...")
@click.option("--layout", default="", metavar="TEXT", help="STM32: memory layout in place of the device's own.")
@pass_app
def command(app: App, /, **given: Any) -> None:
    """Put firmware on a board, and see that it runs.

    Finds out what the board is and how it is programmed, brings it into its boot loader, writes only what differs,
    reads it back, starts it and asks it for its version. Files on the board stay where the new firmware looks for
    them in the same place; what happens to them is said before anything is done.

    Without FILE the newest official release for the board is taken; in a project with a [build] table, the firmware
    that `upytool build` made there. A board without firmware has to be in its boot loader, and named with --board.
    """
    _check(given)
    wanted = Wanted(given["file"], given["board"], given["version"], given["variant"], given["sha256"])
    from ..flash_source import check, is_file, obtain, of_project

    check(wanted)
    wanted = of_project(app, wanted)
    request = _request(app, given)
    if wanted.file and "://" not in wanted.file and is_file(wanted.file) and given["at"] is None:
        found: Found | None = obtain(app, wanted, None)  # a bad file is refused before any board is looked for
    else:
        found = None
    if given["every"]:
        _all(app, wanted, request, found, dry=given["dry_run"])
    else:
        _one(app, wanted, request, found, at=given["at"], dry=given["dry_run"])


def _check(given: dict[str, Any]) -> None:
    """Raises: UsageError for options that exclude one another."""
    pairs = (
        ("erase_all", "keep_fs", "--erase", "--keep-fs"),
        ("erase_fs", "keep_fs", "--erase-fs", "--keep-fs"),
        ("verify_only", "erase_all", "--verify-only", "--erase"),
        ("verify_only", "erase_fs", "--verify-only", "--erase-fs"),
        ("verify_only", "no_verify", "--verify-only", "--no-verify"),
    )
    for one, other, first, second in pairs:
        if given[one] and given[other]:
            raise UsageError(f"{first} and {second} exclude one another")
    if given["at"] is not None and (not given["file"] or given["every"] or given["board"]):
        raise UsageError("--at takes a FILE, and one board", hint="upytool flash --at 0x0 saved.bin")


def _request(app: App, given: dict[str, Any]) -> Request:
    from ...flash.base import FlashOptions
    from ...flash.chain import Request

    chosen_baud = app.settings.origins["baud"][0] != "default"
    return Request(
        erase="all" if given["erase_all"] else "fs" if given["erase_fs"] else "changed",
        keep_fs=given["keep_fs"],
        backup=given["backup"],
        raw=given["at"] is not None,
        verify_only=given["verify_only"],
        wait=0.0 if given["no_wait"] or given["verify_only"] else 30.0,
        options=FlashOptions(
            whole=given["whole"],
            verify=not given["no_verify"],
            tool=given["tool"],
            baud=app.settings.baud if chosen_baud else None,
            stub=not given["no_stub"],
            layout=given["layout"],
            flash_mode=given["flash_mode"],
            flash_size=given["flash_size"],
            slot=given["slot"],
        ),
    )


def _again(target: FlashTarget, request: Request, wanted: Wanted, at: int | None = None) -> str:
    """The command that does the same once more. The backup is not made again: what is on the board now is worse."""
    import shlex

    from ...flash.chain import lasting

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


# -- one board ------------------------------------------------------------------------------------


def _one(app: App, wanted: Wanted, request: Request, found: Found | None, *, at: int | None, dry: bool) -> None:
    from ...flash import chain
    from .. import flash_words, flashing
    from ..flash_source import bare, obtain

    around = flashing.surroundings(app)
    target = flashing.choose(app, around)
    _vendor_only(app, target, wanted.file)
    if found is None:
        found = bare(wanted.file, at, target) if at is not None else obtain(app, wanted, target)
    request = replace(request, again=_again(target, request, wanted, at))
    plan = chain.plan(target, found.image, request, name=found.name, sha256=found.sha256)
    plan = replace(plan, warnings=(*found.warnings, *plan.warnings))
    if dry:
        app.emit(flash_words.plan_data(plan), lambda style: flash_words.plan_lines(plan, style, _backup(plan, request)))
        app.note("Dry run: nothing was changed")
        return
    _show(app, plan, request)
    _keep_backups(app, [(plan, request)])
    question = _question(plan, request)
    if question and not app.confirm(question):
        raise click.Abort
    result = chain.apply(
        plan, request, doors=flashing.doors(app, around), ask=_ask(app), reporter=app.reporter
    )
    _renew(plan)
    _tell(app, result)


def _renew(plan: FlashPlan) -> None:
    """What upytool remembers of the board was its old firmware's."""
    import os

    from ...config.paths import state_dir
    from ...discovery.remembered import FILE_NAME, Remembered

    if plan.target.port is not None:
        Remembered(os.path.join(state_dir(), FILE_NAME)).renew(plan.target.port)


def _vendor_only(app: App, target: FlashTarget, path: str) -> None:
    """A board that only its maker's tool can program: its steps, and no pretending.

    Raises: FlashError.
    """
    from ...flash.vendor import vendor_steps

    steps = vendor_steps(target, path)
    if steps is not None:
        raise FlashError(steps.title.rstrip("."), hint="\n".join(steps.text()[1:]))


def _show(app: App, plan: FlashPlan, request: Request) -> None:
    from .. import flash_words

    if app.settings.json:
        return
    for line in flash_words.plan_lines(plan, app.streams.err_style, _backup(plan, request)):
        app.note(line)


def _backup(plan: FlashPlan, request: Request) -> str:
    from ...flash.chain import raw_backup, raw_name

    if not request.backup:
        return ""
    if raw_backup(plan.target, request):
        return f"the whole flash, in {raw_name(request.backup)}"
    return f"the files, in {request.backup}"


def _keep_backups(app: App, plans: list[tuple[FlashPlan, Request]]) -> None:
    """A backup that is there may be the only good one: after a flash that failed, what is on the board is worse.

    Raises: UsageError, LocalFileError before anything was done; click.Abort for a no.
    """
    import os

    from ...flash.chain import raw_backup, raw_name
    from ..flashing import require_folder

    for plan, request in plans:
        if not request.backup:
            continue
        path = raw_name(request.backup) if raw_backup(plan.target, request) else request.backup
        require_folder(path)
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
    if request.verify_only:
        # Nothing is changed, but a board that runs is stopped for it.
        return "Restart the board to compare?" if plan.way_in else ""
    if plan.asks:
        safe = " (they are saved first)" if request.backup else ""
        return f"Files on the board will be LOST{safe}. Flash it?"
    return "Flash it?"


def _ask(app: App) -> Any:
    def ask(note: str) -> bool:
        return app.confirm(f"{note[:1].upper()}{note[1:]}. Go on?")

    return ask


def _tell(app: App, result: FlashResult) -> None:
    from .. import flash_words

    app.emit(flash_words.result_data(result), "")
    app.note(flash_words.result_words(result))
    if result.after and not result.confirmed:
        click.get_current_context().exit(FlashError.exit_code)


# -- several --------------------------------------------------------------------------------------


def _all(app: App, wanted: Wanted, request: Request, found: Found | None, *, dry: bool) -> None:
    from ...flash import chain
    from ...flash.many import run_all
    from .. import flash_words, flashing

    around = flashing.surroundings(app)
    plans = _plans(app, wanted, request, found, flashing.targets(app, around), around)
    if dry:
        data = [flash_words.plan_data(plan) for plan, _ in plans]
        app.emit(data, lambda style: _blocks([flash_words.plan_lines(p, style, _backup(p, r)) for p, r in plans]))
        app.note("Dry run: nothing was changed")
        return
    for number, (plan, each) in enumerate(plans):
        if number and not app.settings.json:
            app.note("")
        _show(app, plan, each)
    _keep_backups(app, plans)
    compare = request.verify_only
    lost = any(plan.asks for plan, _ in plans)
    count = f"{len(plans)} board{'s' if len(plans) != 1 else ''}"
    question = f"{'Compare' if compare else 'Flash'} {count}{', files on them will be LOST' if lost else ''}?"
    if not app.confirm(question):
        raise click.Abort
    by_target = {id(plan.target): (plan, each) for plan, each in plans}
    ways = flashing.doors(app, around)
    ways.patience = 0.0  # who should press which button?
    ask = (lambda note: True) if app.settings.yes else None

    def work(target: FlashTarget, reporter: Any) -> FlashResult:
        plan, each = by_target[id(target)]
        result = chain.apply(plan, each, doors=ways, ask=ask, reporter=reporter)
        _renew(plan)
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
    around: Surroundings,
) -> list[tuple[FlashPlan, Request]]:
    """A plan for each board that this can be for; the others are left out, with the reason."""
    from ...flash import chain
    from ..flash_source import obtain

    plans: list[tuple[FlashPlan, Request]] = []
    reasons = []
    for target in targets:
        if target.state == "unknown":
            reasons.append(f"{target.selector}: no REPL answers, and no boot loader shows")
            continue
        try:
            own = found or obtain(app, wanted, target)
            each = replace(
                request,
                again=_again(target, request, wanted),
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
            from ...flash.probe import no_board_hint

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
