"""A board's bare flash, in its bootloader: saving it to a file, and erasing it.

    from upytool.api import flash, raw_flash

    board = flash.choose("usb:1-2")
    print(raw_flash.read(board, "board.bin").data())            # firmware, settings and files, byte for byte
    plan = raw_flash.plan_erase(board, raw_flash.Part(fs=True))
    print([each.code for each in plan.questions])
    raw_flash.erase(plan, ask=flash.accept)

The board restarts for both.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import Declined, FlashError, LocalFileError, UsageError
from ..events import NULL, Reporter
from ..questions import Ask, Question, accept, decline
from .bootloader import opened
from .flash_target import Flashable

if TYPE_CHECKING:
    from ..flashers.base import FlashTarget, Loader

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a board's flash, all of it where nothing is said.

    Attributes:
        fs: the file system.
        range: (address, bytes).
    """

    fs: bool = False
    range: Range | None = None

    def __post_init__(self) -> None:
        if self.fs and self.range:
            raise UsageError("usage.conflicting-options", option="--fs", other="--range")

    @property
    def kind(self) -> Literal["all", "fs", "range"]:
        return "fs" if self.fs else "range" if self.range else "all"


ALL = Part()


# -- reading ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Saved:
    """A part of a flash that was saved: from which address, how many bytes, into which file, and in which time."""

    file: str
    address: int
    bytes: int
    seconds: float

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"file": self.file, "address": self.address, "bytes": self.bytes}


def require_output(path: str, ask: Ask = decline) -> None:
    """Make sure that a file can be written, before a board is stopped for what goes into it.

    Args:
        ask: gets the question `read-flash.replace` where it exists.

    Errors: LocalFileError where its directory is not there or cannot be written to; Declined.
    """
    require_directory(path)
    if os.path.isfile(path) and not ask(Question("read-flash.replace", {"path": path})):
        raise Declined()


def require_directory(path: str) -> None:
    """Refuse what would be read for minutes and then lost for want of a directory. Errors: LocalFileError."""
    directory = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(directory):
        raise LocalFileError("local-file.no-directory", path=directory)
    if not os.access(directory, os.W_OK):
        raise LocalFileError("local-file.directory-not-writable", path=directory)


def read(
    board: Flashable,
    path: str | os.PathLike[str],
    part: Part = ALL,
    *,
    tool: str = "auto",
    ask: Ask = decline,
    reporter: Reporter = NULL,
) -> Saved:
    """Save a board's flash to a file, which appears when it is complete. The board restarts for it.

    Args:
        tool: the flasher, as `flash --tool` takes it.
        ask: as for `require_output`.

    Errors: those of `require_output` and `bootloader.opened`; FlashError where that bootloader cannot read, or where
    nobody knows which part is meant.
    """
    from ..flashers import verify

    file = os.fspath(path)
    require_output(file, ask)
    start = time.monotonic()
    with opened(board, tool=tool, ask=accept, reporter=reporter) as flash:
        loader = flash.loader
        if "read" not in loader.abilities:
            raise FlashError("flash.cannot-read-flash", flasher=loader.flasher)
        if part.range:
            address, length = part.range
        elif part.fs:
            address, length = filesystem_ranges(loader, board.target)[0]
        elif loader.chip.flash_size:
            address, length = loader.chip.flash_base, loader.chip.flash_size
        else:
            raise FlashError("flash.size-not-known")
        verify.save(loader, file, address, length, reporter=reporter)
    return Saved(file, address, length, time.monotonic() - start)


# -- erasing ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ErasePlan:
    """What an erase takes away, and from which board."""

    board: Flashable
    part: Part = ALL
    tool: str = "auto"

    @property
    def questions(self) -> tuple[Question, ...]:
        """What needs a yes."""
        what = {"board": self.board.name, "part": self.part.kind, "range": self.part.range and list(self.part.range)}
        return (Question("erase", what),)


@dataclass(frozen=True)
class Erased:
    """An erase that was done; `ranges` are (address, bytes)."""

    plan: ErasePlan
    ranges: tuple[Range, ...]

    @property
    def bytes(self) -> int:
        """How many, 0 where the bootloader does not tell how large its flash is."""
        return sum(length for _, length in self.ranges)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"board": self.plan.board.target.selector, "erased": [list(each) for each in self.ranges]}


def plan_erase(board: Flashable, part: Part = ALL, *, tool: str = "auto") -> ErasePlan:
    """Say what an erase would take away. Nothing is opened."""
    return ErasePlan(board, part, tool)


def erase(plan: ErasePlan, *, ask: Ask = decline, reporter: Reporter = NULL) -> Erased:
    """Erase what a plan says.

    Errors: Declined; those of `bootloader.opened`; FlashError where that bootloader cannot, or where nobody knows
    where the file system is.
    """
    if not all(ask(each) for each in plan.questions):
        raise Declined()
    part = plan.part
    with opened(plan.board, tool=plan.tool, ask=accept, reporter=reporter) as flash:
        loader = flash.loader
        if part.kind != "all":
            ranges = [part.range] if part.range else filesystem_ranges(loader, plan.board.target)
            if "erase" not in loader.abilities:
                raise FlashError("flash.cannot-erase-part", flasher=loader.flasher)
            for address, length in ranges:
                loader.erase(address, length, reporter=reporter)
        elif "erase-all" in loader.abilities:
            ranges = [(loader.chip.flash_base, loader.chip.flash_size or 0)]
            loader.erase_all(reporter=reporter)
        else:
            raise FlashError("flash.cannot-erase-all", flasher=loader.flasher)
    return Erased(plan, tuple(ranges))


def filesystem_ranges(loader: Loader, target: FlashTarget) -> list[Range]:
    """(address, bytes) of the file system on an open board.

    Errors: FlashError where neither the board nor its firmware says.
    """
    from ..flashers.layout import NOWHERE, on_chip

    found = on_chip(loader) or target.filesystems
    known = [(each.start, each.size) for each in found if each.start != NOWHERE]
    if not known:
        raise FlashError("flash.no-file-system-known")
    return known
