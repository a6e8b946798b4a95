"""What is wished of a flash, what it would do, and what it did, as values."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..errors import UpytoolError, UsageError
from ..questions import Question
from .firmware_source import FirmwareFile, FirmwareWish
from .flash_target import Flashable

if TYPE_CHECKING:
    from ..flashers.base import FlashPlan as Flow
    from ..flashers.base import FlashResult as Done
    from ..flashers.base import FlashTarget, Programmed, Tool
    from ..flashers.planning import Request
    from ..flashers.steps import Step

Files = Literal["kept", "lost", "unknown"]
WAIT = 30.0  # seconds


@dataclass(frozen=True, slots=True)
class FlashWish:
    """How a board is flashed.

    Attributes:
        erase: "changed" clears only what is written, "all" the whole flash, "fs" the file system too.
        keep_fs: rather refuse than lose files.
        backup: a file to save to first: an archive of the files (.tar, .zip), or, as .bin or where no REPL answers,
            the whole flash.
        verify_only: compare, and change nothing.
        wait: seconds to wait for the new firmware's answer; 0 does not.
        tool: the flasher, "auto" for the best one.
        whole: write everything, also what is on the board already.
        verify: read back what was written.
        baud: the fastest rate to try, for serial bootloaders; None: the flasher's own.
        stub, flash_mode, flash_size, slot: for ESP chips, as `upytool flash --help` says.
        layout: STM32: memory layout to use instead of the device's own.
    """

    erase: Literal["changed", "all", "fs"] = "changed"
    keep_fs: bool = False
    backup: str = ""
    verify_only: bool = False
    wait: float = WAIT
    tool: Tool = "auto"
    whole: bool = False
    verify: bool = True
    baud: int | None = None
    stub: bool = True
    flash_mode: str = "keep"
    flash_size: str = "keep"
    slot: str = ""
    layout: str = ""

    def __post_init__(self) -> None:
        erase = {"all": "--erase", "fs": "--erase-fs"}.get(self.erase, "")
        for one, other in (
            (erase, "--keep-fs" if self.keep_fs else ""),
            ("--verify-only" if self.verify_only else "", erase),
            ("--verify-only" if self.verify_only else "", "" if self.verify else "--no-verify"),
        ):
            if one and other:
                raise UsageError("usage.conflicting-options", option=one, other=other)

    def request(self, *, raw: bool = False, again: str = "upytool flash") -> Request:
        """The same for the flow. Args: raw: the file's bytes are written as they are; again: the command, for hints."""
        from ..flashers.base import FlashOptions
        from ..flashers.planning import Request

        return Request(
            erase=self.erase,
            keep_fs=self.keep_fs,
            backup=self.backup,
            raw=raw,
            verify_only=self.verify_only,
            wait=0.0 if self.verify_only else self.wait,
            options=FlashOptions(
                whole=self.whole,
                verify=self.verify,
                tool=self.tool,
                baud=self.baud,
                stub=self.stub,
                layout=self.layout,
                flash_mode=self.flash_mode,
                flash_size=self.flash_size,
                slot=self.slot,
            ),
            again=again,
        )


def command_again(board: Flashable, firmware: FirmwareWish, wish: FlashWish) -> str:
    """The command that does the same once more. The backup is not made again: what is on the board now is worse."""
    words = ["upytool", "-d", board.selector, "flash"]
    words += [firmware.file] if firmware.file else []
    words += {"all": ["--erase"], "fs": ["--erase-fs"]}.get(wish.erase, [])
    for flag, value in (
        ("--board", firmware.board),
        ("--version", firmware.version),
        ("--variant", firmware.variant),
        ("--sha256", firmware.sha256),
        ("--at", "" if firmware.at is None else f"{firmware.at:#x}"),
        ("--tool", wish.tool if wish.tool != "auto" else ""),
        ("--slot", wish.slot),
        ("--flash-size", wish.flash_size if wish.flash_size != "keep" else ""),
        ("--flash-mode", wish.flash_mode if wish.flash_mode != "keep" else ""),
        ("--layout", wish.layout),
    ):
        words += [flag, value] if value else []
    for flag, given in (
        ("--keep-fs", wish.keep_fs),
        ("--verify-only", wish.verify_only),
        ("--whole", wish.whole),
        ("--no-verify", not wish.verify),
        ("--no-stub", not wish.stub),
        ("--no-wait", not wish.wait and not wish.verify_only),
    ):
        words += [flag] if given else []
    return shlex.join(words)


@dataclass(frozen=True)
class FlashPlan:
    """What a flash would do. `apply` does it, and asks nothing but its questions and what only the board can tell.

    Attributes:
        board, firmware: what goes where.
        wish: how.
        flow: the plan of the flow below: segments, the way in, what becomes of the files in words.
        request: what the flow is told.
        questions: what needs a yes.
    """

    board: Flashable
    firmware: FirmwareFile
    wish: FlashWish
    flow: Flow = field(repr=False)
    request: Request = field(repr=False)
    questions: tuple[Question, ...]

    @property
    def target(self) -> FlashTarget:
        """The board as it is known."""
        return self.board.target

    @property
    def steps(self) -> tuple[Step, ...]:
        """What is done, in order."""
        return self.flow.steps

    @property
    def warnings(self) -> tuple[str, ...]:
        return self.flow.warnings

    @property
    def files(self) -> Files:
        """What becomes of the files on the board; one without files keeps them all."""
        known: dict[str, Files] = {"kept": "kept", "none": "kept", "unknown": "unknown"}
        return known.get(self.flow.fs_effect, "lost")

    @property
    def backup(self) -> Step | None:
        """The step that saves something first, with its path: the files (`save-files`), or the flash."""
        return next((step for step in self.steps if step.kind in ("save-files", "save-flash")), None)

    @property
    def confirms(self) -> bool:
        """Whether nothing is written, and the firmware that runs is confirmed."""
        return not self.flow.segments and self.flow.has("confirm")

    @property
    def to_drive(self) -> bool:
        """Whether the firmware is copied to the board's drive."""
        from ..flashers.planning import DRIVES

        return self.flow.flasher in DRIVES

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        flow, image = self.flow, self.firmware.image
        return {
            "target": self.board.data(),
            "image": {
                "name": flow.image_name,
                "sha256": flow.sha256 or None,
                "format": image.format,
                "bytes": image.size,
                "chip": image.chip or None,
                "board": self.firmware.board or None,
                "version": self.firmware.version or None,
            },
            "flasher": flow.flasher,
            "slot": flow.slot or None,
            "way_in": flow.way_in or None,
            "segments": [list(each) for each in flow.segments],
            "erase": flow.erase,
            "files": {"fate": self.files, "effect": flow.fs_effect, "note": flow.fs_note},
            "warnings": list(self.warnings),
            "steps": [step.data() for step in self.steps],
            "questions": [question.data() for question in self.questions],
        }


@dataclass(frozen=True)
class FlashResult:
    """What a flash did, as the board confirms it."""

    plan: FlashPlan
    done: Done = field(repr=False)

    @property
    def programmed(self) -> Programmed | None:
        """How many bytes were written, erased and left alone, and how that was proven; None after a comparison."""
        return self.done.programmed

    @property
    def before(self) -> str:
        """The version that ran, "" where none did."""
        return self.done.before

    @property
    def after(self) -> str:
        """The version that the board itself says now, "" where it was not waited for."""
        return self.done.after

    @property
    def confirmed(self) -> bool:
        """Whether the REPL answered, with the version of the image where the image tells it."""
        return self.done.confirmed

    @property
    def another(self) -> bool:
        """Whether the board says that it runs something else than the image."""
        return bool(self.after) and not self.confirmed

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        done, wrote = self.done, self.programmed
        return {
            "plan": self.plan.data(),
            "programmed": None
            if wrote is None
            else {
                "total": wrote.total,
                "written": wrote.written,
                "erased": wrote.erased,
                "unchanged": wrote.unchanged,
                "verified": wrote.verified or None,
            },
            "backup": done.backup or None,
            "before": self.before or None,
            "after": self.after or None,
            "board": done.board_after or None,
            "address": done.address or None,
            "confirmed": self.confirmed,
            "seconds": round(done.seconds, 2),
            "warnings": list(done.warnings),
        }


# -- several boards -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class LeftOut:
    """A board that a plan for all leaves out, and why."""

    board: Flashable
    error: UpytoolError


@dataclass(frozen=True)
class FlashPlans:
    """A plan for each board that can be flashed, and the others."""

    plans: tuple[FlashPlan, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def questions(self) -> tuple[Question, ...]:
        """What needs a yes: a backup that is there for each board, and one for all of them."""
        codes = {question.code for plan in self.plans for question in plan.questions}
        several = {
            "boards": [plan.target.selector for plan in self.plans],
            "compare": any(plan.wish.verify_only for plan in self.plans),
            "files_lost": "flash.files-lost" in codes,
        }
        own = [each for plan in self.plans for each in plan.questions if each.code == "flash.replace-backup"]
        return (*own, Question("flash.all", several))

    def data(self) -> list[dict[str, Any]]:
        """As a JSON value."""
        return [plan.data() for plan in self.plans]


@dataclass(frozen=True)
class FlashOutcome:
    """How it went for one board of several: a result or an error."""

    plan: FlashPlan
    result: FlashResult | None = None
    error: UpytoolError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        selector = self.plan.target.selector
        if self.result is not None:
            return {"selector": selector, "ok": True, **self.result.data()}
        return {"selector": selector, "ok": False, "error": self.error.data() if self.error else None}


def questions_of(board: Flashable, flow: Flow, wish: FlashWish) -> tuple[Question, ...]:
    """What a plan needs a yes for."""
    found = []
    saved = next((step.path for step in flow.steps if step.path), "")
    if os.path.isfile(saved):
        found.append(Question("flash.replace-backup", {"path": saved, "running": board.target.state == "running"}))
    of = {"board": board.name, "firmware": flow.image_name}
    if wish.verify_only:
        # Nothing is changed, but a board that runs is stopped for it.
        return (*found, Question("flash.compare", of)) if flow.has("enter") else tuple(found)
    if flow.asks:
        return (*found, Question("flash.files-lost", {**of, "saved": bool(wish.backup)}))
    if flow.flasher == "ota" and not flow.segments:  # it runs already
        slots = [step.slot for step in flow.steps if step.kind == "confirm"]
        return (*found, *(Question("flash.confirm", {"board": board.name, "slot": slot}) for slot in slots))
    return (*found, Question("flash", of))
