"""A firmware file, a flash dump or a board, open: which file systems it has, and writing a changed one back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ImageError, UsageError
from ..events import NULL, Reporter, notice
from ..image.choose import choose
from ..image.fs_volume import FsVolume

if TYPE_CHECKING:
    from ..flashers.base import FlashTarget, Loader
    from ..image.base import FirmwareImage
    from ..image.memory import Memory
    from ..image.tree import FileTree
    from ..image.volume import Region


@dataclass(frozen=True, slots=True)
class BoardFlash:
    """A board that is in its bootloader, open: what it is, and what reads and writes its flash."""

    target: FlashTarget
    loader: Loader


Opener = Callable[[], AbstractContextManager[BoardFlash]]
Target = str | os.PathLike[str] | Opener  # what can be changed
Source = Target | FsVolume  # what can be read: also a file system that is open already


@dataclass(frozen=True, slots=True)
class Place:
    """Where the file system is, as far as the caller knows.

    Attributes:
        volume: which one is meant, by name, number from 0, or address ("0x10000000").
        region: (address, bytes) of one, where nothing else tells.
        board: MicroPython's name, with -VARIANT where it has one, where the file does not tell.
        version: of its MicroPython, likewise.
        flash_size: bytes of the chip's flash.
    """

    volume: str = ""
    region: tuple[int, int] | None = None
    board: str = ""
    version: str = ""
    flash_size: int | None = None

    @property
    def single(self) -> bool:
        """Whether one file system is named."""
        return bool(self.volume or self.region)


ANYWHERE = Place()


@dataclass
class Opened:
    """A firmware file, or (`loader`) a board's flash, and its file systems.

    A change is three steps: `tree`, the tree's own verbs (write, mkdir, remove, rename), `save`.
    """

    name: str
    place: Place
    volumes: list[FsVolume] = field(default_factory=list)
    image: FirmwareImage | None = None
    loader: Loader | None = None
    reporter: Reporter = NULL

    def choose(self) -> FsVolume:
        """Find the file system that is meant. Raises ImageError, UsageError where that is not clear."""
        start = self.place.region[0] if self.place.region else None
        return choose(self.volumes, self.name, wanted=self.place.volume, start=start)

    def tree(self, volume: FsVolume | None = None) -> FileTree:
        """Open the files of a file system, of the one that is meant where None. Raises ImageError."""
        tree = (volume or self.choose()).open()
        tree.deep = self.loader is None
        return tree

    def make(self, volume: FsVolume) -> FsVolume:
        """Put an empty file system, as the firmware wants it, into a place of a file that has none.

        Raises: ImageError where something else is there, or on a board, whose firmware does it.
        """
        from ..image.blocks import MemoryBlocks
        from ..image.volume import build_fs, default_kind, kind_of

        image = self.image
        if image is None or volume.taken:
            raise ImageError("image.unreadable-file-system", title=volume.title, name=self.name, problem=volume.problem)
        identity = image.identity
        kind = default_kind(image.port, identity.capabilities)
        built = build_fs(kind, volume.size, {}, port=image.port, release=identity.release, chip=image.chip)
        memory = image.memory
        for offset, data in built.blocks.items():
            memory = memory.replaced(volume.start + offset, data)
        self.image = replace(image, memory=memory)
        blocks = MemoryBlocks(memory, volume.start, volume.size)
        name, block_size, _ = kind_of(blocks)
        return replace(volume, kind=name, block_size=block_size, blocks=blocks, problem="", present=True)

    def save(self, volume: FsVolume, tree: FileTree, output: str | os.PathLike[str] | None = None) -> int:
        """Write the changes: to the board, or as a file like this one. Returns the bytes that were written.

        Raises: ImageError where they do not read back, before anything is replaced; LocalFileError; FlashError.
        """
        if self.loader is not None:
            from ..flashers.rescue import apply

            return apply(self.loader, volume, tree, reporter=self.reporter).written
        if self.image is None:
            raise UsageError("usage.read-only", name=self.name)
        from ..device.local import FileSink
        from ..image.volume import with_volume

        raw = self._encoded(with_volume(self.image.memory, volume, tree), volume, tree)
        sink = FileSink(Path(output or self.image.path))
        sink.write(raw)
        sink.done()
        return len(raw)

    def _encoded(self, memory: Memory, volume: FsVolume, tree: FileTree) -> bytes:
        """A file with this content, once it was opened again and compared."""
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
            raise ImageError("image.file-readback")
        return raw


@contextmanager
def opened(
    source: Source, place: Place = ANYWHERE, *, whole: bool = True, reporter: Reporter = NULL
) -> Iterator[Opened]:
    """Open a file, a board's flash, or a file system that is open already.

    Args:
        whole: refuse a file whose checksums do not agree.

    Raises: ImageError; FlashError where a board's bootloader cannot read; what an Opener raises.
    """
    if isinstance(source, FsVolume):
        yield Opened(source.title, place, [source], reporter=reporter)
        return
    from ..image.volume import Region, open_image, volumes

    regions = [Region(*place.region, "region")] if place.region else []
    if callable(source):
        from ..flashers.rescue import board_volumes

        with source() as flash:
            target, loader = flash.target, flash.loader
            regions += known_regions(place.board or target.board, place.version or target.version, place.flash_size)
            found = board_volumes(loader, known=target.filesystems, regions=regions, reporter=reporter)
            yield Opened(target.name, place, found, loader=loader, reporter=reporter)
        return
    image = open_image(source)
    if whole:
        image.require_valid()
    identity = image.identity
    regions += known_regions(place.board or identity.build, place.version or identity.version, place.flash_size)
    if place.board and not regions and not any(volumes(image, flash_size=place.flash_size)):
        notice(reporter, f"no flash layout of {place.board} is known here", "warning")
    found = volumes(image, regions, flash_size=place.flash_size)
    yield Opened(os.fspath(source), place, found, image, reporter=reporter)


def known_regions(board: str, version: str, flash_size: int | None) -> list[Region]:
    """What the table of boards knows; nothing is not an error here."""
    if not board or not version:
        return []
    from ..boards.layouts import LayoutError, layouts
    from ..image.volume import Region

    name, _, variant = board.partition("-")
    try:
        known = layouts(name, variant, version, flash_size=flash_size)
    except LayoutError:
        return []
    return [
        Region(each.start, each.size, each.name, each.kind, each.block_size, "board table")
        for each in known
        if each.size and len(each.segments) < 2
    ]
