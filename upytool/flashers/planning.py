"""What a run of flashing would do, as a value: from a board and an image, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ..errors import FlashError, OperationInterrupted
from ..image.base import FirmwareImage
from ..image.identity import from_file_name
from ..words import Said
from . import layout
from .base import FileSystem, Flasher, FlashOptions, FlashPlan, FlashTarget
from .bootloader import WayKind, plan_way_in
from .failure import UNCHANGED
from .select import board_doubt, candidates
from .steps import Step

Erase = Literal["changed", "all", "fs"]
RAW = (".bin", ".img")
DRIVES = ("uf2", "daplink")  # what they took cannot be read back (but CURRENT.UF2): the firmware's answer is the proof


@dataclass(frozen=True, slots=True)
class Request:
    """What is wanted of a run.

    Attributes:
        erase: "changed" clears only what is written, "all" the whole flash, "fs" the file system too.
        keep_fs: rather refuse than lose files.
        backup: a file to save to before anything is changed: an archive of the files by way of the REPL; where
            its name ends in .bin, or where no REPL answers, the whole flash as it is.
        raw: write the image's bytes as they are, whatever they may be (a flash dump).
        verify_only: compare, and change nothing.
        wait: seconds to wait for the new firmware's REPL; 0 does not.
        options: for the flasher.
        again: the command that does the same once more, for hints.
    """

    erase: Erase = "changed"
    keep_fs: bool = False
    backup: str = ""
    raw: bool = False
    verify_only: bool = False
    wait: float = 30.0
    options: FlashOptions = field(default_factory=FlashOptions)
    again: str = "upytool flash"


def plan(
    target: FlashTarget,
    image: FirmwareImage,
    request: Request | None = None,
    *,
    name: str = "",
    sha256: str = "",
    flashers: Sequence[Flasher] | None = None,
) -> FlashPlan:
    """What `apply` would do. Nothing is opened.

    Args:
        name: how to call the image, its file's name unless given.
        flashers: those to choose from; None takes the registry's.

    Raises: FlashError, ImageError: it cannot work, in one sentence.
    """
    request = request or Request()
    fits = candidates(target, None if request.raw else image, request.options.tool, flashers=flashers)
    way = plan_way_in(aimed(target, image))
    segments = tuple((each.address, len(each.data)) for each in image.memory)
    found = _foresee(target, image, request, segments)
    lost = found.loses and found.effect in ("erased", "moved", "overwritten")
    keep_or_refuse(request, found)
    return FlashPlan(
        target=target,
        image=image,
        image_name=name or os.path.basename(image.path) or "firmware",
        sha256=sha256,
        flasher=fits[0].name,
        way_in=way.sentence,
        segments=segments,
        erase=request.erase,
        fs_effect=found.effect,
        fs_note=found.note,
        warnings=tuple(_warnings(target, image, request)),
        asks=(found.note,) if lost and not request.verify_only else (),
        steps=tuple(_steps(target, image, request, fits[0].name, way.kind)),
    )


def aimed(target: FlashTarget, image: FirmwareImage) -> FlashTarget:
    """A port that says nothing is taken for what the image is for: that tells the way in, and what to press."""
    if target.state != "unknown" or target.mcu_port:
        return target
    return replace(target, mcu_port=image.port, chip=target.chip or image.chip)


def _foresee(
    target: FlashTarget, image: FirmwareImage, request: Request, segments: Sequence[tuple[int, int]]
) -> layout.Effect:
    if request.verify_only:
        return layout.Effect("kept", "nothing is written")
    if request.raw and not layout.located(target):
        return layout.Effect("unknown", "the file's bytes are written as they are, also over files of the board")
    if target.state != "running" and not target.filesystems and request.erase == "changed":
        return layout.Effect("unknown", "the bootloader is asked first, before anything is erased")
    old = layout.located(target) or None
    # The loader knows the erase units; here, the common ones will do.
    touched = [(start // 4096 * 4096, -(-(start % 4096 + size) // 4096) * 4096) for start, size in segments]
    if request.raw:
        return layout.effect(old, (), touched, erase=request.erase, has_image=False)
    return layout.effect(old, new_filesystems(target, image), touched, erase=request.erase)


def new_filesystems(target: FlashTarget, image: FirmwareImage, flash_size: int | None = None) -> tuple[FileSystem, ...]:
    """Where the new firmware will look for its files: its own word, else the board table's."""
    own = layout.of_image(image, flash_size)
    if own or image.port in ("rp2", "esp32") or not image.identity.implementation:
        return own
    board = image_board(image) or "-".join(filter(None, (target.board, target.variant)))
    return layout.of_board(board, image_version(image), flash_size)


def keep_or_refuse(request: Request, found: layout.Effect) -> None:
    """Raises: FlashError where --keep-fs was asked for and cannot be."""
    if request.keep_fs and found.loses:
        raise FlashError("flash.cannot-keep-files", effect=found.note, state=UNCHANGED)


def image_board(image: FirmwareImage) -> str:
    """BOARD[-VARIANT] that an image is for: as it says itself, else as its file is called; "" for neither."""
    named = from_file_name(image.path)
    return image.identity.build or (named[0] if named else "")


def image_version(image: FirmwareImage) -> str:
    """ "1.25.0", "" where the image does not say."""
    return image.identity.version.removeprefix("v")


def _warnings(target: FlashTarget, image: FirmwareImage, request: Request) -> Iterator[str]:
    doubt = "" if request.raw else board_doubt(target, image, image_board(image))
    if doubt:
        yield doubt
    if request.raw:
        return
    yield from image.notes
    if not image.identity.implementation and image.role == "firmware":
        yield "the file holds no MicroPython: no REPL is waited for"
    if not request.options.verify and not request.verify_only:
        yield "what is written is not read back"


def _steps(target: FlashTarget, image: FirmwareImage, request: Request, flasher: str, way: WayKind) -> Iterator[Step]:
    files = request.backup and not raw_backup(target, request)
    if files:
        yield Step("save-files", path=request.backup)
    if way != "here":
        yield Step("enter", way=way)
    if request.backup and not files:
        yield Step("save-flash", path=raw_name(request.backup))
    if request.verify_only:
        yield Step("compare", by=flasher)
    else:
        if request.erase != "changed":
            yield Step("erase-all" if request.erase == "all" else "erase-fs")
        yield Step("write", by=flasher)
        if request.options.verify and flasher not in DRIVES:
            yield Step("read-back")
    yield Step("start")
    if request.wait and (image.identity.implementation or request.raw):
        yield Step("ask-version")


def told(error: BaseException, doing: str, hints: Sequence[Said]) -> OperationInterrupted:
    """The interruption of a run, with what is on the board as its hint.

    Args:
        error: that ended it; what it says of its own is kept.
        doing: what was under way, for Ctrl-C alone.
        hints: the state of the board, and what to do next.
    """
    if isinstance(error, OperationInterrupted) and not error.plain:
        return error.advise(*hints, first=True)
    return OperationInterrupted("interrupted.while", doing=doing, hint=hints)


def lasting(target: FlashTarget) -> str:
    """A selector that names the board in its bootloader too: most have another serial number there than at work."""
    simulated = target.bus is not None and target.bus.name
    bridge = target.port is not None and target.port.kind in ("bridge", "probe")
    if not target.location or simulated or bridge:
        return target.selector
    return f"usb:{target.location}"


def raw_backup(target: FlashTarget, request: Request) -> bool:
    """Whether the backup is one of the whole flash: by its name, or because there is no REPL."""
    return bool(request.backup) and (request.backup.lower().endswith(RAW) or target.state != "running")


def raw_name(backup: str) -> str:
    """The name for a dump of the flash: no archive's ending, and a name of its own in a folder."""
    if backup.endswith(("/", os.sep)) or os.path.isdir(backup):
        return os.path.join(backup, "flash.bin")
    if backup.lower().endswith(RAW):
        return backup
    for ending in (".tar.gz", ".tgz", ".tar", ".zip"):
        if backup.lower().endswith(ending):
            backup = backup[: -len(ending)]
            break
    return backup + ".bin"
