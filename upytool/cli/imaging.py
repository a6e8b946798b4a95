"""What the `image` commands have in common: opening a firmware file or a board's flash, and writing it back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ImageError, UsageError
from .app import App
from .ui.text import size

if TYPE_CHECKING:
    from ..flash.base import Loader
    from ..image.base import FirmwareImage
    from ..image.tree import FileTree
    from ..image.volume import FsVolume, Region

BOARD = ":"
OTHER = "it holds something else"  # FsVolume.problem of a region that must not be taken for an empty one


@dataclass(frozen=True)
class Place:
    """Where the file system is, as far as the command line says so."""

    volume: str = ""
    region: str = ""
    board: str = ""
    firmware_version: str = ""
    flash_size: int | None = None


_OPTIONS = (
    click.option("--volume", metavar="NAME", default="", help="Which file system, by name, number or address."),
    click.option("--region", metavar="START,SIZE", default="", help="Where the file system is, if nothing tells."),
    click.option("--board", metavar="NAME", default="", help="The board, where the file does not tell (NAME-VARIANT)."),
    click.option("--version", "firmware_version", metavar="VERSION", default="", help="Its MicroPython, likewise."),
    click.option("--flash-size", metavar="SIZE", default="", help="Of the chip's flash: 4M, 0x400000."),
)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make a Place; the command gets it as `place`."""
    import functools

    @functools.wraps(command)
    def wrapped(*args: Any, **values: Any) -> Any:
        flash_size = values.pop("flash_size")
        place = Place(
            values.pop("volume"),
            values.pop("region"),
            values.pop("board"),
            values.pop("firmware_version"),
            number(flash_size) if flash_size else None,
        )
        return command(*args, place=place, **values)

    # Click keeps the options and arguments that were put on it so far here.
    for option in reversed(_OPTIONS):
        option(wrapped)
    return wrapped


def number(text: str) -> int:
    """`4096`, `0x1000`, `64K`, `2M`. Raises UsageError."""
    word, scale = text.strip().upper().removesuffix("IB").removesuffix("B"), 1
    if word[-1:] in ("K", "M"):
        word, scale = word[:-1], 1 << 10 if word[-1] == "K" else 1 << 20
    try:
        value = int(word, 0) * scale
    except ValueError:
        raise UsageError(f"{text} is no size or address", hint="such as 4096, 0x1000, 64K or 2M") from None
    if not 0 <= value < 1 << 32:
        raise UsageError(f"{text} is out of range")
    return value


def region_of(text: str) -> Region:
    """What --region says."""
    from ..image.volume import Region

    start, comma, length = text.replace(":", ",").partition(",")
    if not comma:
        raise UsageError(f"{text!r} is no region", hint="write START,SIZE: --region 0x100A0000,1408K")
    found = Region(number(start), number(length), "region")
    if not found.size or found.end > 1 << 32:
        raise UsageError(f"--region {text} is no part of a flash")
    return found


@dataclass
class Opened:
    """A firmware file, or (`loader`) a board's flash, and its file systems."""

    name: str
    app: App
    place: Place
    volumes: list[FsVolume] = field(default_factory=list)
    image: FirmwareImage | None = None
    loader: Loader | None = None

    def choose(self) -> FsVolume:
        """The one that is meant; ImageError, UsageError where that is not clear."""
        found, wanted = self.volumes, self.place.volume
        if wanted:
            return self._named(wanted)
        if self.place.region and found:
            start = region_of(self.place.region).start
            found = [volume for volume in found if volume.start == start]
        held = [volume for volume in found if volume.kind]
        if len(held) > 1:  # files are put into the writable one
            held = [volume for volume in held if volume.kind != "romfs"]
        if len(held) == 1:
            return held[0]
        if not held and len(found) == 1:
            return found[0]
        if not found:
            raise ImageError(
                f"no file system was found in {self.name}",
                hint="say where it is: --region START,SIZE, or for which board it is: --board NAME",
            )
        names = ", ".join(label(volume) for volume in found)
        raise UsageError(f"{self.name} has several file systems", hint=f"--volume NAME; there are {names}")

    def _named(self, wanted: str) -> FsVolume:
        same = [volume for volume in self.volumes if volume.name.lower() == wanted.lower()]
        if not same:
            try:
                value = number(wanted)
            except UsageError:
                value = -1
            same = [volume for volume in self.volumes if volume.start == value]
            if not same and 0 <= value < len(self.volumes):
                same = [self.volumes[value]]
        if len(same) != 1:
            names = ", ".join(label(volume) for volume in self.volumes) or "none"
            raise UsageError(f"{self.name} has no file system {wanted}", hint=f"there are: {names}")
        return same[0]

    def tree(self, volume: FsVolume | None = None) -> FileTree:
        tree = (volume or self.choose()).open()
        tree.deep = self.loader is None
        return tree

    def save(self, volume: FsVolume, tree: FileTree, output: str | None) -> int:
        """Write the changes: to the board, or as a file like this one. The bytes that were written."""
        if self.loader is not None:
            from ..flash.rescue import apply

            if output:
                raise UsageError("-o makes a file; what is on the board is changed in place")
            return apply(self.loader, volume, tree, reporter=self.app.reporter).written
        from ..image.volume import with_volume

        assert self.image is not None
        return self.store(with_volume(self.image.memory, volume, tree), output, volume, tree)

    def store(self, memory: Any, output: str | None, volume: FsVolume, tree: FileTree) -> int:
        """A file with this content, once it was opened again and compared."""
        from dataclasses import replace

        from ..device.local import FileSink
        from ..image.volume import Region, open_image, volumes

        assert self.image is not None
        raw = self.image.encode(memory)
        again = open_image(raw, name=self.name)
        known = Region(volume.start, volume.size, volume.name, source=volume.source)
        if not self.image.place_known and again.memory.start != self.image.memory.start:
            known = replace(known, start=volume.start - self.image.memory.start + again.memory.start)
        now = next((each for each in volumes(again, [known]) if each.start <= known.start < each.end), None)
        check = now.open() if now is not None else None
        if check is None or check.entries() != tree.entries() or check.files() != tree.files():
            raise ImageError("the new file does not read back as it should", hint="please report this")
        sink = FileSink(Path(output or self.image.path))
        sink.write(raw)
        sink.done()
        return len(raw)


def label(volume: FsVolume) -> str:
    """How a person names it."""
    return volume.name or f"{volume.start:#x}"


def described(volume: FsVolume) -> str:
    """One line about it."""
    name = f"{volume.name}  " if volume.name else ""
    text = f"{name}{volume.start:#010x}-{volume.end:#010x}  {size(volume.size)}  {volume.kind_name}"
    return f"{text} ({volume.problem})" if volume.problem else text


@contextmanager
def opened(app: App, file: str, place: Place, *, whole: bool = True) -> Iterator[Opened]:
    """Open a file, or with ":" the flash of the board in its boot loader.

    Args:
        whole: refuse a file whose check sums do not agree.

    Raises: ImageError; what boot_loader raises.
    """
    regions = [region_of(place.region)] if place.region else []
    if file == BOARD:
        from ..flash.rescue import board_volumes
        from .flashing import boot_loader, choose, surroundings

        around = surroundings(app)
        target = choose(app, around)
        regions += table_regions(place.board or target.board, place.firmware_version or target.version, place)
        with boot_loader(app, target=target, around=around) as loader:
            found = board_volumes(loader, known=target.filesystems, regions=regions, reporter=app.reporter)
            yield Opened(target.name, app, place, found, loader=loader)
        return
    from ..image.volume import open_image, volumes

    image = open_image(file)
    if whole:
        image.require_valid()
    name = place.board or image.identity.build
    regions += table_regions(name, place.firmware_version or image.identity.version, place)
    if place.board and not regions and not any(volumes(image, flash_size=place.flash_size)):
        app.warn(f"no flash layout of {place.board} is known here")
    found = volumes(image, regions, flash_size=place.flash_size)
    yield Opened(file, app, place, found, image)


def table_regions(board: str, version: str, place: Place) -> list[Region]:
    """What the table of boards knows; nothing is no error here."""
    if not board or not version:
        return []
    from ..boards.layouts import LayoutError, layouts
    from ..image.volume import Region

    name, _, variant = board.partition("-")
    try:
        known = layouts(name, variant, version, flash_size=place.flash_size)
    except LayoutError:
        return []
    return [
        Region(each.start, each.size, each.name, each.kind, each.block_size, "board table")
        for each in known
        if each.size and len(each.segments) < 2
    ]


def sources(paths: Sequence[str], folder: str, everything: bool) -> tuple[dict[str, bytes], list[str]]:
    """Files and directories of this computer by the path that they get: a directory with its name, `lib/` without.

    Raises: LocalFileError, UsageError.
    """
    from ..device.local import local_error
    from ..device.romfs_folder import collect

    files: dict[str, bytes] = {}
    folders: list[str] = []
    base = folder.strip("/")
    for text in paths:
        path = Path(text)
        prefix = [base] if base else []
        try:
            if not os.path.isdir(path):
                files["/".join([*prefix, path.name])] = path.read_bytes()
                continue
        except OSError as error:
            raise local_error(error, path) from error
        if not text.endswith(("/", "\\")) and path.name not in ("", "."):
            prefix.append(path.name)
            folders.append("/".join(prefix))
        content = collect(path, None, default_ignores=not everything)
        files |= {"/".join([*prefix, name]): data for name, data in content.files.items()}
        folders += ["/".join([*prefix, name]) for name in content.directories]
    return files, folders


@dataclass(frozen=True)
class Held:
    """A file system as one side of a comparison has it."""

    name: str
    fixed: bool  # a ROMFS: a board has one beside the file system that it writes to
    files: dict[str, bytes]
    folders: list[str]


def files_of(app: App, file: str, place: Place, *, one: bool) -> list[Held]:
    """A side of a comparison, all of it in memory: a board goes back to its firmware before the other is opened.

    Args:
        one: only the file system that is named or that files are put into; else all of them.
    """
    if file != BOARD and os.path.isdir(file):
        return [Held("", False, *sources([file + "/"], "", False))]
    with opened(app, file, place, whole=False) as found:
        held = [] if one else [volume for volume in found.volumes if volume.kind]
        if found.volumes and not (held or one or any(each.problem == OTHER for each in found.volumes)):
            return []  # firmware whose first start makes its file system
        sides = []
        for volume in held or [found.choose()]:
            tree = found.tree(volume)
            folders = [entry.path for entry in tree.entries() if entry.directory]
            sides.append(Held(label(volume), volume.kind == "romfs", tree.files(), folders))
        return sides


def as_trees(*sides: list[Held]) -> list[FileTree]:
    """Each side as one tree, its paths as `image ls` has them: with the file system's name where a side has several.

    What a board, its firmware and a dump call the same file system differs; ROMFS is compared with ROMFS all the same.
    """
    from ..image.blocks import BytesBlocks
    from ..image.romfs import build_romfs
    from ..image.romfs_tree import RomfsTree

    several = any(len(side) > 1 for side in sides)
    paired = all(len({each.fixed for each in side}) == len(side) for side in sides)
    names: dict[bool, str] = {}
    made: list[FileTree] = []
    for side in sides:
        files: dict[str, bytes] = {}
        folders: list[str] = []
        for each in side:
            name = names.setdefault(each.fixed, each.name) if paired else each.name
            prefix = f"{name}:" if several else ""
            files |= {prefix + path: data for path, data in each.files.items()}
            folders += [prefix + path for path in each.folders]
        made.append(RomfsTree(BytesBlocks(build_romfs(files, directories=folders))))
    return made
