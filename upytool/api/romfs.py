"""ROMFS: read-only file systems in a board's flash: look at its partitions, make images and put them there.

    from upytool.api import images, romfs

    with upytool.connect() as board:
        romfs.deploy(board, "lib")                        # a directory, compiled for this board
        for found in images.ls(romfs.fetch(board)):
            print([entry.path for entry in found.entries or ()])

What is in an image is read with the verbs of every file system: `upytool.api.images` takes what `fetch` returns.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import documents, limits
from ..errors import ImageError, LocalFileError
from ..events import NULL, Reporter, notice
from ..image.romfs import build_romfs, image_size, read_romfs

if TYPE_CHECKING:
    from ..device.device import Device
    from ..device.info import BoardInfo as BoardInfo
    from ..device.romfs import Deployed as Deployed
    from ..device.romfs import RomPartition
    from ..device.romfs_folder import Content
    from ..image.fs_volume import FsVolume
    from ..image.romfs import Romfs

__all__ = ["Built", "Partition", "build", "deploy", "fetch", "query"]


@dataclass(frozen=True, slots=True)
class Partition:
    """A board's partition for a ROMFS image.

    Attributes:
        number: from 0; the first one is mounted at /rom.
        size: bytes.
        unit: bytes that are erased at once.
        block_device: it is written as one.
        head: its first 16 bytes.
        image_size: bytes of the image in it, None for none.
        damaged: it begins like an image that cannot be one.
    """

    number: int
    size: int
    unit: int
    block_device: bool
    head: bytes
    image_size: int | None
    damaged: bool

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "partition": self.number,
            "size": self.size,
            "unit": self.unit,
            "block_device": self.block_device,
            "image_size": self.image_size,
            "head": self.head.hex(),
        }


def query(board: Device, partition: int | None = None) -> list[Partition]:
    """List a board's ROMFS partitions, at least one.

    Args:
        partition: only this one.

    Errors: NoRomfsError; UsageError where there is none of that number.
    """
    from ..device import romfs

    if partition is None:
        return [_partition(each) for each in board.drive(romfs.query(board.session))]
    return [_partition(board.drive(romfs.partition(board.session, partition)))]


def _partition(part: RomPartition) -> Partition:
    length = None
    if part.holds_image:
        try:
            length = image_size(part.head)
        except ImageError:
            pass
        if length is not None and length > part.size:
            length = None
    damaged = part.holds_image and length is None
    return Partition(part.number, part.size, part.unit, part.block_device, part.head, length, damaged)


def fetch(source: Device | str | os.PathLike[str], partition: int = 0, *, reporter: Reporter = NULL) -> FsVolume:
    """Read and check the image of a file, or of a board's partition; `upytool.api.images` lists and extracts it.

    Errors: LocalFileError, ImageError; NoRomfsError, UsageError.
    """
    if isinstance(source, str | os.PathLike):
        return _volume(_checked(source), os.fspath(source))
    from ..device import romfs

    part = source.drive(romfs.partition(source.session, partition))
    if not part.holds_image:
        raise ImageError("image.partition-empty", partition=partition)
    length = min(image_size(part.head), part.size)
    raw = source.drive(romfs.read(source.fs.ops, part, length, reporter=reporter))
    return _volume(read_romfs(raw), f"ROMFS partition {partition}")


def _checked(path: str | os.PathLike[str]) -> Romfs:
    """Read an image's file. Errors: LocalFileError, ImageError."""
    raw = documents.read_bytes(path, error=LocalFileError, limit=limits.IMAGE_BYTES)
    try:
        return read_romfs(raw)
    except ImageError as error:
        raise ImageError("image.in-file", name=os.fspath(path), cause=error, hint=error.hints) from error


def _volume(image: Romfs, name: str) -> FsVolume:
    from ..image.blocks import BytesBlocks
    from ..image.fs_volume import FsVolume
    from ..image.romfs_tree import RomfsTree

    blocks = BytesBlocks(image.raw[: image.size])
    return FsVolume(name, 0, image.size, "romfs", "content", RomfsTree.block_size, blocks)


@dataclass(frozen=True, slots=True)
class Built:
    """An image that was made as a file.

    Attributes:
        size: bytes.
        files: paths in it, and `compiled` those of them that were made from .py files.
    """

    output: str
    size: int
    files: tuple[str, ...]
    compiled: tuple[str, ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "output": self.output,
            "size": self.size,
            "files": list(self.files),
            "compiled": list(self.compiled),
        }


def build(
    folder: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    mpy: bool = True,
    board: BoardInfo | None = None,
    mpy_version: str = "",
    arch: str = "",
    ignore: Sequence[str] = (),
    everything: bool = False,
    reporter: Reporter = NULL,
) -> Built:
    """Make an image of a directory; the same directory gives the same image. Nothing is written beside the sources.

    Args:
        mpy: compile .py files, for `board`, or for any board of this version of .mpy ("6.3") and architecture
            ("armv7emsp", as mpy-cross names it; "" makes bytecode alone).
        ignore: patterns to leave out, after the defaults and the directory's `.upytoolignore`.
        everything: take dot files, __pycache__ and the like too.

    Errors: UsageError, LocalFileError, ImageError; BuildError with file and line for what does not compile.
    """
    from ..device.local import FileSink
    from ..device.romfs_folder import target_board

    if mpy and board is None:
        board = target_board(mpy_version or "6.3", arch)
    target = Path(output)
    content, image = _made(Path(folder), board if mpy else None, ignore, everything, target, reporter)
    sink = FileSink(target)
    sink.write(image)
    sink.done()
    return Built(str(target), len(image), tuple(sorted(content.files)), content.compiled)


def _made(
    folder: Path, board: BoardInfo | None, ignore: Sequence[str], everything: bool, output: Path | None,
    reporter: Reporter,
) -> tuple[Content, bytes]:  # fmt: skip
    """Content and image of a directory, read back before anybody gets it."""
    from ..device.romfs_folder import check_modules, collect

    if board is not None and not board.mpy_version:
        notice(reporter, "this board loads no .mpy files: the sources are taken", "warning")
        board = None
    content = collect(folder, board, ignore=ignore, default_ignores=not everything, leave_out=output, reporter=reporter)
    if board is not None:
        check_modules(content, board, reporter)
    image = build_romfs(content.files, directories=content.directories)
    if dict(read_romfs(image).files()) != content.files:
        raise ImageError("image.romfs-readback")
    for name, data in sorted(content.files.items()):
        notice(reporter, f"{name}  {len(data)} bytes", "detail")
    return content, image


def deploy(
    board: Device,
    source: str | os.PathLike[str] | FsVolume,
    partition: int = 0,
    *,
    mpy: bool = True,
    ignore: Sequence[str] = (),
    everything: bool = False,
    reset: bool = True,
    reporter: Reporter = NULL,
) -> Deployed:
    """Put an image into a partition, compare what is there then, and soft-reset the board so that it uses it.

    Args:
        source: a directory, whose modules are compiled for this board; an image's file; what `fetch` read.
        mpy, ignore, everything: for a directory, as for `build`.
        reset: False leaves the board as it runs; it sees the image after the next reset.

    Errors: as `fetch` and `build`; FlashError where the image does not fit (nothing was touched then) or the flash does
        not keep what is written.
    """
    from ..device import romfs

    if not isinstance(source, str | os.PathLike):
        image = source.blocks.read(0, source.size)
        if source.kind != "romfs":
            if source.kind:
                raise ImageError("image.not-romfs", kind=source.kind)
            raise ImageError("image.not-romfs-unknown")
    elif os.path.isdir(source):
        image = _made(Path(source), board.info if mpy else None, ignore, everything, None, reporter)[1]
    else:
        found = _checked(source)
        image = found.raw[: found.size]
    return board.drive(romfs.deploy(board.fs.ops, image, partition, reset=reset, reporter=reporter))
