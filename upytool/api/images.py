"""Files in file systems (LittleFS, FAT, ROMFS), wherever these are: firmware files, flash dumps, boards.

    from upytool.api import images

    images.add("firmware.uf2", ["main.py", "lib"], output="mine.uf2")
    for found in images.ls("mine.uf2"):
        print(found.volume.title, [entry.path for entry in found.entries or ()])

A board's flash is changed while the board is in its bootloader. Whoever calls opens that and hands the opening in (an
`Opener`), because it restarts the board; it is opened when all that can be refused before has been refused.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageError, UsageError
from ..events import NULL, Reporter
from ..image.choose import none_found, parse_region, parse_size
from ..image.compare import Change, Side, difference
from ..image.fs_volume import FsVolume
from .opened_image import ANYWHERE, BoardFlash, Opened, Opener, Place, Source, Target, known_regions, opened

if TYPE_CHECKING:
    from ..image.tree import BuiltFs, Entry, Usage

__all__ = [
    "BoardFlash",
    "Change",
    "Changed",
    "Extracted",
    "FsVolume",
    "Listing",
    "NewFs",
    "Opened",
    "Opener",
    "Place",
    "Source",
    "Target",
    "add",
    "diff",
    "extract",
    "ls",
    "mkfs",
    "opened",
    "parse_region",
    "parse_size",
    "read",
    "rm",
]


# -- looking ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Listing:
    """A file system and what is in it.

    Attributes:
        entries: a directory's before what is in it; None where there is no file system, or a damaged one.
        label: that a FAT carries.
        usage: None on a board, where every file's blocks would have to be read for that.
        damage: why it could not be read, "" where it could.
    """

    volume: FsVolume
    entries: tuple[Entry, ...] | None = None
    label: str = ""
    usage: Usage | None = None
    damage: str = ""

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        volume, usage = self.volume, self.usage
        return {
            "name": volume.name or None,
            "start": volume.start,
            "size": volume.size,
            "kind": volume.kind or None,
            "block_size": volume.block_size or None,
            "source": volume.source,
            "problem": volume.problem or None,
            "label": self.label or None,
            "used": usage.used * usage.block_size if usage is not None else None,
            "free": usage.free if usage is not None else None,
            "entries": None if self.entries is None else [entry.data() for entry in self.entries],
        }


def ls(source: Source, place: Place = ANYWHERE, *, reporter: Reporter = NULL) -> list[Listing]:
    """List the file systems of a source, all of them or the one that is named, and what is in them.

    Raises: ImageError where no place for a file system is known; as `opened`. Damage is in the listing.
    """
    with opened(source, place, whole=False, reporter=reporter) as found:
        listed = [
            _listing(each, found.loader is None) for each in ([found.choose()] if place.single else found.volumes)
        ]
    if not listed:
        raise none_found(found.name)
    return listed


def _listing(volume: FsVolume, counted: bool) -> Listing:
    if not volume.kind:
        return Listing(volume)
    try:
        tree = volume.open()
        entries = tuple(sorted(tree.entries(), key=lambda entry: entry.path.split("/")))
    except ImageError as error:
        return Listing(volume, damage=error.message)
    try:
        usage = tree.usage() if counted else None
    except ImageError as error:
        return Listing(volume, entries, tree.label, damage=error.message)
    return Listing(volume, entries, tree.label, usage)


def read(source: Source, path: str, place: Place = ANYWHERE, *, reporter: Reporter = NULL) -> bytes:
    """Read a file. Raises ImageError where it is not there or damaged; as `opened`."""
    with opened(source, place, whole=False, reporter=reporter) as found:
        return found.tree().read(path)


@dataclass(frozen=True, slots=True)
class Extracted:
    """Files that were written into a directory.

    Attributes:
        volume: the file system that they are from, and `others` those that it has beside that one.
        files: bytes by path.
    """

    output: str
    volume: str
    files: dict[str, int]
    others: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"output": self.output, "files": sorted(self.files)}


def extract(
    source: Source,
    output: str | os.PathLike[str],
    place: Place = ANYWHERE,
    *,
    force: bool = False,
    reporter: Reporter = NULL,
) -> Extracted:
    """Write the files of a file system into a directory: a new or empty one, with `force` any one.

    Raises: as `opened`; UsageError where the directory holds something; LocalFileError.
    """
    from ..device.romfs_folder import save

    with opened(source, place, whole=False, reporter=reporter) as found:
        volume = found.choose()
        tree = found.tree(volume)
        files = tree.files()
        others = tuple(each.title for each in found.volumes if each.kind and each is not volume)
    save(files, [entry.path for entry in tree.entries() if entry.directory], Path(output), force=force)
    sizes = {path: len(data) for path, data in files.items()}
    return Extracted(os.fspath(output), volume.title, sizes, others)


def diff(left: Source, right: Source, place: Place = ANYWHERE, *, reporter: Reporter = NULL) -> list[Change]:
    """Compare files byte by byte: of all file systems, or of the one that is named. A directory is compared with one.

    A side is read as a whole before the other is opened: a board is back in its firmware by then.
    """
    one = place.single or any(isinstance(each, str | os.PathLike) and os.path.isdir(each) for each in (left, right))
    return difference(_sides(left, place, one, reporter), _sides(right, place, one, reporter))


def _sides(source: Source, place: Place, one: bool, reporter: Reporter) -> list[Side]:
    if isinstance(source, str | os.PathLike) and os.path.isdir(source):
        from ..device.romfs_folder import gather

        content = gather([os.path.join(source, "")])
        return [Side("", False, content.files, list(content.directories))]
    with opened(source, place, whole=False, reporter=reporter) as found:
        held = [] if one else [volume for volume in found.volumes if volume.kind]
        if found.volumes and not (held or one or any(each.taken for each in found.volumes)):
            return []  # firmware whose first start makes its file system
        return [Side.of(found.tree(volume), volume.title) for volume in held or [found.choose()]]


# -- changing -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Changed:
    """A change that was written.

    Attributes:
        output: the file, or the board.
        on_board: whether it is a board.
        written: bytes.
        paths: that were added or removed.
        made: the file system that is new, None where there was one: it replaces what a board has there.
    """

    output: str
    on_board: bool
    written: int
    paths: tuple[str, ...]
    made: FsVolume | None = None

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"output": self.output, "written": self.written}


def add(
    source: Target,
    paths: Sequence[str | Path],
    place: Place = ANYWHERE,
    *,
    to: str = "",
    everything: bool = False,
    output: str | os.PathLike[str] | None = None,
    reporter: Reporter = NULL,
) -> Changed:
    """Put files of this computer in, over those that are there. A firmware file without a file system gets one.

    Args:
        paths: files and directories; a directory goes in with its name, `lib/` without.
        to: the directory that they go to.
        everything: take dot files, __pycache__ and the like too.
        output: write this file in place of `source`.

    Raises: as `opened` and `Opened.save`; LocalFileError; NoRoomError.
    """
    from ..device.romfs_folder import gather

    content = gather(paths, to, default_ignores=not everything)
    made = None
    with _changing(source, place, output, reporter) as found:
        volume = found.choose()
        if not volume.kind:
            volume = made = found.make(volume)
        tree = found.tree(volume)
        for folder in content.directories:
            tree.mkdir(folder)
        for path, data in content.files.items():
            tree.write(path, data)
        written = found.save(volume, tree, output)
    return _changed(found, output, written, tuple(content.files), made)


def rm(
    source: Target,
    paths: Sequence[str],
    place: Place = ANYWHERE,
    *,
    recursive: bool = False,
    output: str | os.PathLike[str] | None = None,
    reporter: Reporter = NULL,
) -> Changed:
    """Remove files, with `recursive` directories and all that is in them. Arguments and errors are those of `add`."""
    with _changing(source, place, output, reporter) as found:
        volume = found.choose()
        tree = found.tree(volume)
        for path in paths:
            tree.remove(path, recursive=recursive)
        written = found.save(volume, tree, output)
    return _changed(found, output, written, tuple(paths))


def _changing(
    source: Target, place: Place, output: str | os.PathLike[str] | None, reporter: Reporter
) -> AbstractContextManager[Opened]:
    if output and callable(source):
        raise UsageError("usage.output-of-board")
    return opened(source, place, reporter=reporter)


def _changed(
    found: Opened,
    output: str | os.PathLike[str] | None,
    written: int,
    paths: tuple[str, ...],
    made: FsVolume | None = None,
) -> Changed:
    return Changed(os.fspath(output or found.name), found.loader is not None, written, paths, made)


@dataclass(frozen=True)
class NewFs:
    """A file system that was made as a file."""

    output: str
    built: BuiltFs
    files: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        built = self.built
        return {
            "output": self.output,
            "kind": built.kind,
            "size": built.size,
            "block_size": built.block_size,
            "used": built.written,
            "files": sorted(self.files),
        }


def mkfs(
    output: str | os.PathLike[str],
    paths: Sequence[str | Path] = (),
    *,
    size: int = 0,
    kind: str | None = None,
    block_size: int | None = None,
    port: str = "",
    board: str = "",
    version: str = "",
    flash_size: int | None = None,
    everything: bool = False,
) -> NewFs:
    """Make a file system with files in it: exactly the size of its region, the same for the same input.

    Args:
        paths, everything: as for `add`.
        size: bytes of the region; 0 takes the board's.
        kind: "littlefs" (where None), "littlefs1", "fat" or "romfs".
        block_size: bytes of a LittleFS's block, or of a FAT's sector.
        port: MicroPython's, whose parameters to take: "rp2", "esp32" ...
        board: take what is not given from this board's layout, which needs `version`.
        version: of the MicroPython that mounts it.
        flash_size: bytes of the board's flash, where the layout depends on it.

    Raises: UsageError; ImageError where the layout is not known; NoRoomError; LocalFileError.
    """
    from ..device.local import FileSink
    from ..device.romfs_folder import gather
    from ..image.fs_build import build_fs
    from ..image.identity import release_of

    if board:
        if not version:
            raise UsageError("usage.board-without-version")
        known = [
            each for each in known_regions(board, version, flash_size) if (kind == "romfs") == (each.kind == "romfs")
        ]
        if not known:
            raise ImageError("image.layout-unknown", board=board, version=version)
        region = known[0]
        kind, size, block_size = kind or region.kind, size or region.size, block_size or region.block_size or None
        port = port or _port_of(board)
    if not size:
        raise UsageError("usage.mkfs-size")
    content = gather(paths, default_ignores=not everything)
    release = release_of(version) if version else None
    if version and release is None:
        raise UsageError("usage.micropython-version", version=version)
    built = build_fs(
        kind or "littlefs",
        size,
        content.files,
        port=port,
        release=release,
        block_size=block_size,
        directories=content.directories,
    )
    sink = FileSink(Path(output))
    sink.write(built.to_bytes())
    sink.done()
    return NewFs(os.fspath(output), built, tuple(content.files))


def _port_of(board: str) -> str:
    from ..boards.catalogue import get

    found = get(board.partition("-")[0].upper())
    return found.port if found is not None else ""
