"""Flash: put firmware on a board, and see that it runs.

    from upytool.api import flash

    board = flash.choose("usb:1-2")                     # None: the only one there is
    plan = flash.plan(board, flash.firmware("firmware.uf2", board))
    print(plan.files, [step.kind for step in plan.steps], [question.code for question in plan.questions])
    if plan.files != "lost":
        print(flash.apply(plan, ask=flash.accept).after)    # "1.28.0": what the board itself says

A plan is a value: nothing is changed by making one, and `apply` does what it says. What may be lost is asked for, by a
`Question` to the `Ask` that is handed in (upytool.questions); without one the answer is no. After an error, and after
Ctrl-C, the error says what is on the board and what fixes it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import Declined, FlashError, NoDeviceError, OperationInterrupted, UpytoolError
from ..events import NULL, Reporter
from ..questions import Ask, Question, accept, decline
from ..words import Said
from .firmware import DEFAULTS, FirmwareSettings
from .firmware_source import FirmwareFile, FirmwareWish, firmware, of_project
from .flash_plan import (
    FlashOutcome,
    FlashPlan,
    FlashPlans,
    FlashResult,
    FlashWish,
    LeftOut,
    command_again,
    questions_of,
)
from .flash_target import Flashable, choose, find, goes_over_the_air, over_the_air, reach
from .raw_flash import require_directory

if TYPE_CHECKING:
    from ..flashers.base import FlashResult as Done
    from ..flashers.base import FlashTarget

__all__ = [
    "Ask",
    "FirmwareFile",
    "FirmwareSettings",
    "FirmwareWish",
    "FlashOutcome",
    "FlashPlan",
    "FlashPlans",
    "FlashResult",
    "FlashWish",
    "Flashable",
    "LeftOut",
    "Question",
    "accept",
    "apply",
    "apply_all",
    "check_over_the_air",
    "choose",
    "decline",
    "find",
    "firmware",
    "goes_over_the_air",
    "of_project",
    "over_the_air",
    "plan",
    "plan_all",
    "reach",
]

AS_USUAL = FlashWish()


def plan(board: Flashable, file: FirmwareFile, wish: FlashWish = AS_USUAL, *, reporter: Reporter = NULL) -> FlashPlan:
    """Say what a flash would do. A board that its running MicroPython flashes is asked what it runs.

    Args:
        file: of `firmware`.

    Errors: FlashError, ImageError where it cannot work, UsageError for what does not go together, LocalFileError for a
    backup without a directory.
    """
    from ..flashers import ota, ota_plan, planning
    from ..flashers.vendor import require_ours

    require_ours(board.target, file.wish.file)
    request = wish.request(raw=file.wish.at is not None, again=command_again(board, file.wish, wish))
    target, image, device = board.target, file.image, board.device
    if device is not None:
        runs = ota.runs(device, target, image, request, reporter=reporter)
        flow = ota_plan.plan(target, image, request, runs=runs, name=file.name, sha256=file.sha256)
    else:
        flashers = board.doors.flashers
        flow = planning.plan(target, image, request, name=file.name, sha256=file.sha256, flashers=flashers)
    flow = replace(flow, warnings=(*file.warnings, *flow.warnings))
    for step in flow.steps:
        if step.path:
            require_directory(step.path)
    return FlashPlan(board, file, wish, flow, request, questions_of(board, flow, wish))


def apply(plan: FlashPlan, *, ask: Ask = decline, reporter: Reporter = NULL) -> FlashResult:
    """Do what a plan says.

    Args:
        ask: gets the plan's questions before anything is changed; later `flash.files-found` where only the chip shows
            that files are lost, and `flash.no-rollback` before a start that a board without rollback cannot undo.

    Errors: Declined; FlashError, which says what is on the board and the command that fixes it; DifferencesFound after
    a comparison that found some; TransportError while nothing is changed yet; OperationInterrupted.
    """
    if not all(ask(question) for question in plan.questions):
        raise Declined()
    return FlashResult(plan, _run(plan, ask, reporter))


def _run(plan: FlashPlan, ask: Ask, reporter: Reporter) -> Done:
    from ..flashers import chain, ota

    doors, device = plan.board.doors, plan.board.device
    if device is not None:
        done = ota.apply(plan.flow, plan.request, device, around=doors.around, ask=ask, reporter=reporter)
    else:
        done = chain.apply(plan.flow, plan.request, doors=doors, ask=ask, reporter=reporter)
    _forget(plan.target)
    return done


def _forget(target: FlashTarget) -> None:
    """What is remembered of the board was its old firmware's."""
    from ..config.paths import state_dir
    from ..discovery.remembered import FILE_NAME, Remembered

    if target.port is not None:
        Remembered(os.path.join(state_dir(), FILE_NAME)).renew(target.port)


def check_over_the_air(file: FirmwareWish, wish: FlashWish) -> None:
    """Refuse what only a bootloader can do, before a board is asked anything. Errors: UsageError."""
    from ..flashers.ota_plan import check_request

    check_request(wish.request(raw=file.at is not None))


# -- several boards -----------------------------------------------------------------------------------


def plan_all(
    boards: Sequence[Flashable],
    file: FirmwareFile | FirmwareWish,
    wish: FlashWish = AS_USUAL,
    *,
    settings: FirmwareSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> FlashPlans:
    """Make a plan for each board that this can be for; the others are left out, with the reason.

    Args:
        boards: of `find`.
        file: the firmware for all of them, or which is to be got for each.
        wish: a backup gets a name of its own for each of several boards: before.tar -> before-1-2.3.tar.

    Errors: NoDeviceError where none can be flashed.
    """
    plans: list[FlashPlan] = []
    left_out: list[LeftOut] = []
    if wish.backup:  # the same for all: no reason to leave one out
        require_directory(wish.backup)
    for board in boards:
        try:
            if board.target.state == "unknown":
                raise FlashError("flash.no-answer")
            own = file
            if isinstance(own, FirmwareWish):
                own = firmware(own, board, settings=settings, reporter=reporter)
            backup = _own_backup(wish.backup, board.target) if len(boards) > 1 else wish.backup
            plans.append(plan(board, own, replace(wish, backup=backup), reporter=reporter))
        except OperationInterrupted:
            raise
        except UpytoolError as error:
            left_out.append(LeftOut(board, error))
    if not plans and not boards:
        from ..flashers.probe import no_board_hint

        raise NoDeviceError("device.none.connected", hint=no_board_hint())
    if not plans:
        reasons = [Said("api.left-out", board=each.board.target.selector, cause=each.error) for each in left_out]
        raise NoDeviceError("device.none.flashable", hint=reasons)
    return FlashPlans(tuple(plans), tuple(left_out))


def apply_all(
    plans: FlashPlans, *, ask: Ask = decline, later: Ask = decline, reporter: Reporter = NULL
) -> list[FlashOutcome]:
    """Flash several boards side by side; one that fails does not stop the others.

    Args:
        ask: gets the questions of the plans before anything is changed.
        later: gets what a board raises while the others are written, from a thread of its own.

    Errors: Declined; KeyboardInterrupt for a second Ctrl-C: the first lets those that are being written finish.
    """
    from ..flashers.many import run_all

    if not all(ask(question) for question in plans.questions):
        raise Declined()
    by_target = {id(plan.target): plan for plan in plans.plans}

    def work(target: FlashTarget, reporter: Reporter) -> Done:
        return _run(by_target[id(target)], later, reporter)

    outcomes = run_all([plan.target for plan in plans.plans], work, reporter=reporter)
    return [
        FlashOutcome(plan, FlashResult(plan, each.result) if each.result is not None else None, each.error)
        for plan, each in zip(plans.plans, outcomes, strict=True)
    ]


def _own_backup(backup: str, target: FlashTarget) -> str:
    """A file for each board."""
    import re

    if not backup:
        return ""
    directory, name = os.path.split(backup)
    stem, dot, ending = name.partition(".")
    place = re.sub(r"[^A-Za-z0-9.]+", "-", target.location or target.selector).strip("-")
    return os.path.join(directory, f"{stem}-{place}{dot}{ending}")
