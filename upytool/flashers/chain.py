"""The flow of flashing, for every board alike: plan; enter the bootloader, check on the very chip, back up, erase,
write, verify, leave, wait for the REPL, compare the version.

`plan` looks at values alone (planning.py). `apply` does what the plan says and knows at every moment what is on the
board: an error, and Ctrl-C, say it, together with the command that fixes it. Running that command is always enough,
for every step may be done twice.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from ..errors import (
    ConnectionLostError,
    Declined,
    DifferencesFound,
    FlashError,
    OperationInterrupted,
    PortBusyError,
    PortPermissionError,
    PortUnusableError,
    TransportError,
    UpytoolError,
)
from ..events import NULL, Reporter, notice
from ..image.base import FirmwareImage
from ..protocol.ops import Interrupted
from ..questions import Ask, Question, decline
from ..words import Said
from . import layout, verify
from .base import Chip, FileSystem, Flasher, FlashPlan, FlashResult, FlashTarget, Loader, Programmed
from .bootloader import plan_way_in
from .doors import Doors
from .failure import AGAIN, UNCHANGED
from .planning import (
    DRIVES,
    Request,
    aimed,
    image_board,
    image_version,
    keep_or_refuse,
    lasting,
    new_filesystems,
    plan,
    raw_backup,
    raw_name,
    told,
)
from .select import candidates, require_fit

__all__ = [
    "DRIVES",
    "Request",
    "apply",
    "image_board",
    "image_version",
    "lasting",
    "plan",
    "raw_backup",
    "raw_name",
]

RUNS_AGAIN = Said("flash.state.runs-again")
IN_LOADER = Said("flash.state.in-loader")
ERASING = Said("flash.state.erasing")
WRITING = Said("flash.state.writing")
WRITTEN = Said("flash.state.written")
DONE = Said("flash.state.done")


def apply(
    plan: FlashPlan,
    request: Request | None = None,
    *,
    doors: Doors | None = None,
    ask: Ask = decline,
    reporter: Reporter = NULL,
    clock: Callable[[], float] = time.monotonic,
) -> FlashResult:
    """Do what `plan` says.

    Args:
        request: the one that the plan was made from.
        doors: how boards are entered, opened and found again.
        ask: gets the question `flash.files-found` where only the chip shows that files are lost.

    Raises: FlashError with `state` and the fixing command; DifferencesFound after a comparison that found some;
    TransportError while nothing is changed yet; OperationInterrupted for Ctrl-C, Declined for a no.
    """
    return _Run(plan, request or Request(), doors or Doors(), ask, reporter, clock).run()


class _Run:
    def __init__(
        self,
        plan: FlashPlan,
        request: Request,
        doors: Doors,
        ask: Ask,
        reporter: Reporter,
        clock: Callable[[], float],
    ) -> None:
        if plan.image is None:
            raise FlashError("flash.plan-without-firmware")
        self.plan, self.request, self.doors, self.reporter = plan, request, doors, reporter
        self.image: FirmwareImage = plan.image
        self.ask, self.clock = ask, clock
        self.target = plan.target
        self.state, self.doing = UNCHANGED, "preparing"
        self.changed = False
        self.loader: Loader | None = None
        self.warnings: list[str] = []
        self.backup = ""
        self.raw_at: int | None = None
        self.programmed: Programmed | None = None

    def run(self) -> FlashResult:
        start = self.clock()
        with self._told():
            self._save_files()
            self._enter()
            loader = self._open()
            self._check(loader)
            self._save_flash(loader)
            if self.request.verify_only:
                found = verify.differences(loader, self.image, reporter=self.reporter)
                self._leave(loader)
                if found:
                    raise verify.differ(self.plan.image_name, found)
                return self._result(start, None)
            self._erase(loader)
            self._program(loader)
            self._leave(loader)
            return self._result(start, self._answer())

    # -- what goes wrong ----------------------------------------------------------------------------

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Every way out that is not a success says what is on the board now, and what fixes it."""
        try:
            yield
        except (KeyboardInterrupt, Interrupted, OperationInterrupted) as error:
            self._let_go()
            raise told(error, self.doing, self._advice()) from None
        except DifferencesFound:
            raise
        except FlashError as error:
            self._let_go()
            if not error.state or error.state == UNCHANGED:  # by this step; those before it may have changed something
                error.state = self.state
            if self.changed:  # the exact command is named instead
                error.retract(AGAIN.code)
            error.advise(*(self._fix() if self.changed else self._start_again()))
            raise
        except UpytoolError as error:
            self._let_go()
            if self.changed:
                error.retract(AGAIN.code)
                raise FlashError(
                    "flash.broke-off-while",
                    cause=error,
                    doing=self.doing,
                    hint=[*error.hints, *self._fix()],
                    state=self.state,
                ) from error
            if isinstance(error, ConnectionLostError):  # whoever lost its power starts as ever
                self.state = UNCHANGED
            if self.state != UNCHANGED:
                error.advise(self.state, first=True).advise(*self._start_again())
            raise
        except Exception:  # a bug of ours: the board's owner needs to know all the same
            if self.changed:
                notice(self.reporter, f"{self.state}; {'; '.join(map(str, self._fix()))}", "warning")
            raise
        finally:
            if self.loader is not None:
                self.loader.close()

    def _let_go(self) -> None:
        """A board that was not changed runs on; one that was stays in its bootloader, ready for the next try."""
        loader, self.loader = self.loader, None
        if loader is None:
            return
        if not self.changed and self.plan.target.state == "running":
            with suppress(UpytoolError):
                loader.leave("run")
                self.state = RUNS_AGAIN
        loader.close()

    def _fix(self) -> list[Said]:
        found = [Said("flash.hint.run-again", words=shlex.split(self.request.again)[1:])]
        if self.backup and self.raw_at is not None:
            found.append(Said("flash.hint.or-roll-back", words=self._roll_back()))
        return found

    def _roll_back(self) -> list[str]:
        """The words behind `upytool` of the command that brings back what was on the board."""
        tool = [] if self.request.options.tool == "auto" else ["--tool", self.request.options.tool]
        return ["-d", lasting(self.plan.target), "flash", "--at", f"{self.raw_at or 0:#x}", *tool, self.backup]

    def _advice(self) -> list[Said]:
        return [self.state, *(self._fix() if self.changed else self._start_again())]

    def _start_again(self) -> list[Said]:
        """How a board that ran gets out of its bootloader, where it was left there."""
        if self.state != IN_LOADER or self.plan.target.state != "running":
            return []
        return [Said("flash.hint.start-again", name=lasting(self.plan.target))]

    def _warn(self, sentence: str) -> None:
        self.warnings.append(sentence)
        notice(self.reporter, sentence, "warning")

    # -- the steps ----------------------------------------------------------------------------------

    def _save_files(self) -> None:
        if not self.request.backup or raw_backup(self.target, self.request):
            return
        self.doing = "saving the files"
        self.backup = self.doors.save_files(self.target, self.request.backup, self.reporter)
        back = shlex.join(["upytool", "-d", self.target.selector, "restore", self.backup])
        notice(self.reporter, f"Saved the files in {self.backup}; to bring them back: `{back}`")

    def _enter(self) -> None:
        self.doing = "entering the bootloader"
        if plan_way_in(self.target).kind == "here":
            if self.target.state == "bootloader":
                self.state = IN_LOADER
            return
        notice(self.reporter, "Entering the bootloader")
        self.target = self.doors.enter(aimed(self.target, self.image), self.reporter)
        if self.target.state == "bootloader":
            self.state = IN_LOADER

    def _open(self) -> Loader:
        """The best flasher that gets hold of it: no driver or no right to USB is not an end where a drive is there."""
        self.doing = "opening the bootloader"
        image = None if self.request.raw else self.image
        tool = self.request.options.tool
        target = self.target = self.doors.with_drive(self.target, tool)
        fits = candidates(target, image, tool, flashers=self.doors.flashers)
        failure: TransportError | None = None
        for flasher in fits:
            try:
                self.loader = self.doors.open(flasher, target, self.request.options, self.reporter)
            except (PortPermissionError, PortUnusableError, PortBusyError) as error:
                failure = failure or error
                more = self._other_way(fits, flasher)
                if more is None:
                    raise failure from None
                notice(self.reporter, f"{flasher.name}: {error.message}; {more} is taken instead", "warning")
                continue
            return self.loader
        raise failure or FlashError("flash.not-opened", state=self.state)

    @staticmethod
    def _other_way(fits: Sequence[Flasher], failed: Flasher) -> str | None:
        rest = fits[fits.index(failed) + 1 :]
        return rest[0].name if rest else None

    def _check(self, loader: Loader) -> None:
        """All that only the chip itself knows, before the first byte is erased."""
        self.doing = "checking the chip"
        chip = loader.chip
        self.target = layout.with_chip(self.target, chip)
        if not self.request.raw:
            require_fit(self.target, self.image)
            for warning in loader.check(self.image):
                self._warn(warning)
        _require_room(self.image, chip)
        if self.request.verify_only:
            return
        found = self.fs = self._files_now(loader)
        keep_or_refuse(self.request, found)
        surprise = found.loses and found.effect in ("moved", "overwritten") and found.effect != self.plan.fs_effect
        asked = Question("flash.files-found", {"board": self.target.name, "note": found.note})
        if surprise and not self.ask(asked):
            raise Declined("interrupted.declined.files-lost", effect=found.note)

    def _files_now(self, loader: Loader) -> layout.Effect:
        old: Sequence[FileSystem] | None = layout.on_chip(loader)
        if old is None or (not old and self.target.filesystems):
            old = layout.located(self.target) or None
        touched = loader.touched(self.image.memory)
        if self.request.raw:
            return layout.effect(old, (), touched, erase=self.request.erase, has_image=False)
        new = new_filesystems(self.target, self.image, loader.chip.flash_size)
        return layout.effect(old, new, touched, erase=self.request.erase)

    def _save_flash(self, loader: Loader) -> None:
        if not self.request.backup or self.backup:
            return
        self.doing = "saving the flash"
        chip = loader.chip
        if "read" not in loader.abilities or not chip.flash_size:
            raise FlashError("flash.no-backup-without-reading", flasher=loader.flasher)
        path = raw_name(self.request.backup)
        verify.save(loader, path, chip.flash_base, chip.flash_size, reporter=self.reporter)
        self.backup, self.raw_at = path, chip.flash_base
        back = shlex.join(["upytool", *self._roll_back()])
        notice(self.reporter, f"Saved the whole flash in {path}; to bring it back: `{back}`")

    def _erase(self, loader: Loader) -> None:
        if self.request.erase == "changed":
            return
        self.doing = "erasing"
        ranges = self._ranges(loader)
        self.changed, self.state = True, ERASING
        if self.request.erase == "all" and "erase-all" in loader.abilities:
            loader.erase_all(reporter=self.reporter)
            return
        for address, size in ranges:
            loader.erase(address, size, reporter=self.reporter)

    def _ranges(self, loader: Loader) -> list[tuple[int, int]]:
        chip = loader.chip
        if self.request.erase == "all":
            if "erase-all" not in loader.abilities and ("erase" not in loader.abilities or not chip.flash_size):
                raise FlashError("flash.cannot-erase-all", flasher=loader.flasher)
            return [(chip.flash_base, chip.flash_size or 0)]
        if "erase" not in loader.abilities:
            raise FlashError("flash.cannot-erase-part", flasher=loader.flasher)
        known = [fs for fs in (self.fs.old, self.fs.new) if fs is not None and fs.start != layout.NOWHERE]
        if not known:
            raise FlashError("flash.file-system-nowhere")
        return list(dict.fromkeys((fs.start, fs.size) for fs in known))

    def _program(self, loader: Loader) -> None:
        self.doing = "writing"
        before, self.state = self.state, WRITING
        was, self.changed = self.changed, True
        options = self.request.options
        try:
            if self.request.raw:
                self.programmed = loader.program_memory(self.image.memory, options, reporter=self.reporter)
            else:
                self.programmed = loader.program(self.image, options, reporter=self.reporter)
        except FlashError as error:
            if error.state == UNCHANGED:  # refused before the first erase
                self.state, self.changed = before, was
            raise
        self.state = WRITTEN
        if not options.verify or self.programmed.verified:
            self.state = DONE if self.programmed.verified else WRITTEN
            return
        if not {"verify", "read"} & loader.abilities:
            if not self.request.wait:
                self._warn("the board's drive does not show what it took, and nobody asks its firmware: no proof")
            return
        self.doing = "verifying"
        found = loader.differences(self.image.memory, reporter=self.reporter)
        if found:
            raise FlashError("flash.verify-failed", image=self.plan.image_name, where=verify.where(found))
        self.programmed = replace(self.programmed, verified="read back")
        self.state = DONE

    def _leave(self, loader: Loader) -> None:
        self.doing = "starting the firmware"
        self.ports = self.doors.port_names()
        loader.leave("run")
        self.loader = None

    def _answer(self) -> FlashTarget | None:
        """The board as its REPL says it is now; None where none is waited for."""
        if not self.request.wait or not (self.image.identity.implementation or self.request.raw):
            return None
        self.doing = "waiting for the REPL"
        notice(self.reporter, "Starting the firmware")
        try:
            return self.doors.back(self.target, self.request.wait, self.ports, self.reporter)
        except OperationInterrupted:
            raise
        except UpytoolError as error:
            hint = []
            if self.backup and self.raw_at is not None:
                hint.append(Said("flash.hint.roll-back", words=self._roll_back()))
            # The proof is missing, not the firmware: to write it again would change nothing.
            self.changed = False
            raise FlashError("flash.new-firmware-silent", cause=error, hint=hint, state=self.state) from error

    def _result(self, start: float, after: FlashTarget | None) -> FlashResult:
        wanted = image_version(self.image)
        answered = after.version if after is not None else ""
        confirmed = after is not None and (not wanted or wanted == answered)
        if after is not None and wanted and not confirmed:
            self._warn(f"the board says it runs {answered or 'something else'}, the image is {wanted}")
        return FlashResult(
            self.plan,
            self.programmed,
            self.backup,
            self.plan.target.version,
            answered,
            "-".join(filter(None, (after.board, after.variant))) if after is not None else "",
            after.address if after is not None else "",
            confirmed,
            self.clock() - start,
            tuple(self.warnings),
        )


def _require_room(image: FirmwareImage, chip: Chip) -> None:
    """Raises: FlashError when the firmware ends behind the flash."""
    if not chip.flash_size or not image.memory:
        return
    start, end = chip.flash_base, chip.flash_base + chip.flash_size
    # Memory that is not a part of this flash (a second chip) is the bootloader's to judge.
    beyond = [each for each in image.memory if start <= each.address and each.end > end]
    if any(each.address < end for each in beyond) or (beyond and len(beyond) == len(image.memory)):
        raise FlashError(
            "flash.firmware-too-large", end=image.end, size=chip.flash_size // 1024, limit=end, state=UNCHANGED
        )
