"""Files of a board that is in its bootloader: getting hold of it when no REPL is to be had.

The flash is read as far as the file system's own structure leads, and changed in whole erase units, in an
order in which a power cut leaves the old or the new state (see image/littlefs.py). Nothing here starts the
board's program.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from ..errors import FlashError, ImageError
from ..events import NULL, Reporter, Task
from ..image.blocks import ReadBlocks
from ..image.memory import Memory
from ..image.tree import FileTree
from ..image.volume import FsVolume, Region, volumes_on_flash
from ..words import Said
from .base import FileSystem, FlashOptions, Loader, Programmed
from .failure import UNCHANGED

START_FILES = ("main.py", "code.py")
ALL_START_FILES = ("main.py", "boot.py", "code.py")


@dataclass(frozen=True, slots=True)
class Moved:
    """What `disable` or `restore` did; as device.rescue.Moved, with what was written."""

    renamed: tuple[tuple[str, str], ...]
    kept: tuple[str, ...] = ()
    written: int = 0


def board_volumes(
    loader: Loader, *, known: Iterable[FileSystem] = (), regions: Iterable[Region] = (), reporter: Reporter = NULL
) -> list[FsVolume]:
    """The file systems in the flash of a board.

    Args:
        known: what the board, or a table of boards, says of its file systems (FlashTarget.filesystems).
        regions: what the user says.

    Raises: FlashError when this bootloader cannot read; as Loader.read.
    """
    if "read" not in loader.abilities:
        raise FlashError("flash.rescue-no-reading", name=loader.chip.description or loader.chip.name, state=UNCHANGED)
    chip = loader.chip

    def read(address: int, size: int) -> bytes:
        return loader.read(address, size, reporter=reporter)

    # A running stm32, samd, mimxrt or nrf tells the size of its file system alone.
    placed = [each for each in known if each.start >= chip.flash_base]
    mine = [Region(each.start, each.size, "", each.kind, source=each.source or "the board") for each in placed]
    return volumes_on_flash(read, base=chip.flash_base, size=chip.flash_size, chip=chip.name, regions=[*regions, *mine])


def only_files(found: Sequence[FsVolume]) -> list[FsVolume]:
    """Those that a program's files are in: no ROMFS."""
    return [volume for volume in found if volume.kind and volume.kind != "romfs"]


def apply(
    loader: Loader, volume: FsVolume, tree: FileTree, *, reporter: Reporter = NULL, label: str = "writing"
) -> Programmed:
    """Write the changes of an open file system to the board, and read it back.

    Raises: ImageError before anything is written, when the change does not read back; FlashError, as
        Loader.program_memory, when the board then holds something else.
    """
    tree.check()
    steps = [(volume.start + offset, data) for offset, data in tree.steps()]
    if not steps:
        return Programmed(0, 0, 0, 0)
    parts = [Memory.of([step]) for step in steps]
    if tree.kind != "littlefs2" or _unit(loader, parts[0]) > tree.block_size:
        # Smaller blocks than the flash can erase have no order to keep: all at once is the shortest time.
        parts = [Memory.of(dict(steps).items())]
    done = Programmed(0, 0, 0, 0)
    options = FlashOptions(verify=True)
    total = sum(part.size for part in parts)
    with Task(reporter, label, total) as task:
        for part in parts:
            result = loader.program_memory(part, options)
            done = Programmed(
                done.total + result.total,
                done.written + result.written,
                done.erased + result.erased,
                done.unchanged + result.unchanged,
                result.verified,
            )
            task.advance(part.size)
    _confirm(loader, volume, tree)
    return done


def _unit(loader: Loader, memory: Memory) -> int:
    return sum(size for _, size in loader.touched(memory))


def _confirm(loader: Loader, volume: FsVolume, tree: FileTree) -> None:
    again = ReadBlocks(lambda address, size: loader.read(address, size), volume.start, volume.size)
    try:
        good = replace(volume, blocks=again).open().entries() == tree.entries()
    except ImageError:
        good = False
    if not good:
        raise FlashError("flash.rescue-verify-failed", state=Said("flash.state.files-damaged"))


def disable(
    loader: Loader,
    found: Sequence[FsVolume],
    names: Sequence[str] = START_FILES,
    *,
    reporter: Reporter = NULL,
) -> Moved:
    """Rename start files to NAME.off-N, never over another file, so that the next start does not run them.

    Args:
        found: the board's file systems (`board_volumes`).

    Raises: ImageError when no file system is readable; as `apply`.
    """
    return _move(loader, found, names, False, reporter)


def restore(
    loader: Loader,
    found: Sequence[FsVolume],
    names: Sequence[str] = ALL_START_FILES,
    *,
    reporter: Reporter = NULL,
) -> Moved:
    """Undo the latest `disable`: the NAME.off-N with the highest N becomes NAME, unless there is a new NAME."""
    return _move(loader, found, names, True, reporter)


def _move(loader: Loader, found: Sequence[FsVolume], names: Sequence[str], back: bool, reporter: Reporter) -> Moved:
    usable = only_files(found)
    if not usable:
        raise ImageError("image.no-file-system-on-chip")
    renamed: list[tuple[str, str]] = []
    kept: list[str] = []
    written = 0
    for volume in usable:
        tree = volume.open()
        tree.deep = False  # only what changes is compared: the rest would all have to be read
        mine = _rename(tree, names, back, kept)
        if mine:
            written += apply(loader, volume, tree, reporter=reporter, label="renaming").written
            renamed += mine
    return Moved(tuple(renamed), tuple(kept), written)


def _rename(tree: FileTree, names: Sequence[str], back: bool, kept: list[str]) -> list[tuple[str, str]]:
    here = {entry.path for entry in tree.entries() if not entry.directory and "/" not in entry.path}
    out: list[tuple[str, str]] = []
    for name in names:
        pattern = re.compile(re.escape(name) + r"\.off-([0-9]{1,9})")
        top = max((int(match[1]) for match in map(pattern.fullmatch, here) if match), default=0)
        old, new = name, f"{name}.off-{top + 1}"
        if back:
            if not top:
                continue
            if name in here:
                kept.append("/" + name)
                continue
            old, new = f"{name}.off-{top}", name
        elif name not in here:
            continue
        tree.rename(old, new)
        out.append(("/" + old, "/" + new))
    return out
