"""`upytool flash`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ...errors import FlashError
from ..answers import answers
from ..app import App, pass_app
from ..flash_options import flash_options
from ..group import define

if TYPE_CHECKING:
    from ...api.flash import FirmwareFile, FirmwareWish, FlashWish


@define(
    "flash",
    examples=[
        ("upytool flash", "the newest MicroPython for the board that is plugged in"),
        ("upytool flash firmware.uf2", "this file"),
        ("upytool flash --version 1.28 --backup before.tar", "another version; the files are saved first"),
        ("upytool flash --board ESP32_GENERIC_S3 --variant SPIRAM_OCT", "for a board that cannot be identified"),
        ("upytool flash firmware.uf2 --dry-run", "only say what would happen"),
        ("upytool flash firmware.uf2 --all --yes", "every board that is plugged in, side by side"),
        ("upytool -d ws://192.168.4.1 flash", "over the air, an ESP32 with two OTA slots"),
    ],
)
@flash_options
@pass_app
def command(app: App, /, which: FirmwareWish, wish: FlashWish, every: bool, dry_run: bool) -> None:
    """Put firmware on a board, and see that it runs.

    Finds out what the board is and how it is programmed, brings it into its bootloader, writes only what differs,
    reads it back, starts it and asks it for its version. Files on the board stay where the new firmware looks for
    them in the same place; what happens to them is said before anything is done.

    Without FILE the newest official release for the board is taken; in a project with a [build] table, the firmware
    that `upytool build` made there. A board without firmware has to be in its bootloader, and named with --board.

    Over the air (-d ws://...), and by cable with --tool ota, the running MicroPython of an ESP32 with two OTA slots
    writes the slot that does not run. The old firmware stays until the new one has answered.
    """
    from ...api import flash
    from .. import flash_words, flashing
    from ..flash_source import firmware_settings, of_project

    settings, aliases = app.settings, app.settings.devices
    if settings.origins["baud"][0] != "default":
        wish = replace(wish, baud=settings.baud)
    which = of_project(app, which)
    air = not every and flash.goes_over_the_air(app.selector, wish.tool, aliases)
    if air:
        flash.check_over_the_air(which, wish)
    bare = which.at is not None
    file = flash.firmware(which) if which.is_file and not bare else None  # refused before a board is looked for
    if every:
        return _all(app, file or which, wish, dry_run)
    if air:
        board = flash.over_the_air(app.device(), app.selector, aliases=aliases, reporter=app.reporter)
    else:
        board = flashing.choose(app)
    file = file or flash.firmware(which, board, settings=firmware_settings(app), reporter=app.reporter)
    plan = flash.plan(board, file, wish, reporter=app.reporter)
    if dry_run:
        return flash_words.show_dry(app, plan.data(), [plan])
    flash_words.show(app, [plan])
    result = flash.apply(plan, ask=answers(app), reporter=app.reporter)
    app.emit(result.data(), "")
    app.note(flash_words.result_words(result))
    if result.another:
        click.get_current_context().exit(FlashError.exit_code)


def _all(app: App, file: FirmwareFile | FirmwareWish, wish: FlashWish, dry_run: bool) -> None:
    """Flash every board that is plugged in after one question; a table tells how it went."""
    from ...api import flash
    from .. import flash_words, flashing
    from ..flash_source import firmware_settings

    boards = flashing.targets(app, flashing.doors(app, buttons=False))  # who should press which?
    plans = flash.plan_all(boards, file, wish, settings=firmware_settings(app), reporter=app.reporter)
    for each in plans.left_out:
        app.warn(f"left out: {each.board.target.selector}: {each.error.message}")
    if dry_run:
        return flash_words.show_dry(app, plans.data(), plans.plans)
    flash_words.show(app, plans.plans)
    later = flash.accept if app.settings.yes else flash.decline
    outcomes = flash.apply_all(plans, ask=answers(app), later=later, reporter=app.reporter)
    app.emit([each.data() for each in outcomes], lambda style: flash_words.outcome_rows(outcomes, style))
    bad = flash_words.failed(outcomes)
    if bad is not None and not app.settings.json:
        raise bad
    if bad is not None or any(each.result and each.result.another for each in outcomes):
        # With --json the document has the errors.
        click.get_current_context().exit(bad.exit_code if bad is not None else FlashError.exit_code)
