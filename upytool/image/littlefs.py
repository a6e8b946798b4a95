"""LittleFS: what each port's firmware mounts, new file systems, and changes to existing ones.

Version 2 is read by `lfs2_reader` and written by littlefs itself (littlefs-python), over blocks of ours. It
is let loose only on what the reader found sound, with a bound on its reads, and what it wrote is read back by
the reader. Version 1 (SAMD21, two stm32 boards) is `lfs1`'s.

Firmware is strict: it formats, without a word, what has another number of blocks than its region or a longer
`name_max` than its own 255; and before 1.22 it does not mount disk version 2.1. Sources: MicroPython
`extmod/vfs_lfs.c` and each port's `_boot.py` or `main.c`; littlefs `lfs.c` (lfs_mount_).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any, TypeVar

from ..errors import ImageError
from ..words import Said
from .blocks import BlockSource, BytesBlocks, Overlay
from .lfs1 import build_lfs1
from .lfs2_reader import ATTR_MTIME, Lfs2Reader, Superblock, read_superblock
from .tree import EPOCH, BuiltFs, Entry, FileTree, Kind, NoRoomError, Usage, normal, shown, with_parents

__all__ = ["LfsParameters", "Lfs2Tree", "Superblock", "build_littlefs", "lfs_parameters", "read_superblock"]

T = TypeVar("T")
NAME_MAX = 255
DISK_2_0, DISK_2_1 = 0x20000, 0x20001
CORRUPT = -84  # LFS_ERR_CORRUPT
_IO_ERROR = -5
_NO_SPACE, _TOO_LONG = -28, -36
_REASONS = {
    _TOO_LONG: "image.littlefs-too-long",
    -84: "image.littlefs-corrupt",
    -27: "image.littlefs-large-file",
}


@dataclass(frozen=True, slots=True)
class LfsParameters:
    """How a firmware mounts its LittleFS. Only size, block size, version and name_max are kept on the disk.

    Attributes:
        size: bytes of the region; the file system fills it exactly.
        v1: LittleFS v1.
    """

    size: int
    block_size: int = 4096
    read_size: int = 32
    prog_size: int = 256
    lookahead_size: int = 32
    block_cycles: int = 100
    disk_version: int = DISK_2_1
    name_max: int = NAME_MAX
    v1: bool = False

    @property
    def block_count(self) -> int:
        return self.size // self.block_size

    @property
    def cache_size(self) -> int:
        """As MicroPython chooses it (extmod/vfs_lfsx.c), but never a size that littlefs asserts against: 1024
        does not divide SAMD's block of 1536."""
        cache = min(self.block_size, 4 * max(self.read_size, self.prog_size))
        return self.block_size if self.block_size % cache else cache

    @property
    def inline_max(self) -> int:
        """The largest file that lies in its directory (lfs.c, lfs_init)."""
        return min(self.cache_size, self.block_size // 8, 0x3FE)

    def require_sound(self) -> None:
        """Refuse what littlefs, which is C, would end the process for. Raises ImageError."""
        cache = self.cache_size
        whole = not (self.block_size % cache or cache % self.read_size or cache % self.prog_size)
        if self.block_size < 128 or self.block_count < 2 or not whole or self.lookahead_size % 8:
            raise ImageError(
                "image.littlefs-block-size",
                block_size=self.block_size,
                prog_size=self.prog_size,
                block_count=self.block_count,
            )


# Port -> (block size, program size): ports/*/modules/_boot.py, ports/stm32/main.c, ports/*/mpconfigport.h.
_PORTS = {
    "rp2": (4096, 256),
    "esp32": (4096, 32),
    "esp8266": (4096, 32),
    "mimxrt": (4096, 256),
    "nrf": (4096, 32),
    "samd": (2048, 256),
    "stm32": (512, 32),
}


def lfs_parameters(
    port: str,
    size: int,
    *,
    release: tuple[int, int, int] | None = None,
    chip: str = "",
    block_size: int | None = None,
) -> LfsParameters:
    """What a port's firmware of this release (None: a recent one) makes of a region of `size` bytes.

    Args:
        port: MicroPython's name of it; "" for one not listed here.
        chip: tells apart what a port does differently by chip ("samd21", "nrf51").
        block_size: of the region where the caller knows better.

    Raises: ImageError when the region is not a whole number of blocks, or less than two.
    """
    blocks, prog = _PORTS.get(port, (4096, 256))
    v1 = port == "samd" and chip.startswith("samd21")
    if v1 or (port == "samd" and release is not None and release < (1, 26, 0)):
        blocks = 1536
    if chip.startswith("nrf51"):
        blocks = 1024
    blocks = block_size or blocks
    if blocks < 128 or size < 2 * blocks:
        raise ImageError("image.littlefs-region-too-small", block=blocks, size=size)
    size -= size % blocks  # SAMD's 64 KiB are no whole number of its blocks: the firmware rounds down, too
    version = DISK_2_0 if release is not None and release < (1, 22, 0) else DISK_2_1
    return LfsParameters(size, blocks, prog_size=min(prog, blocks), disk_version=version, v1=v1)


class _Medium:
    """The block device below littlefs. `ordered`: see `Lfs2Tree`."""

    def __init__(self, overlay: Overlay, ordered: bool) -> None:
        self.overlay, self.ordered = overlay, ordered
        self.failure: BaseException | None = None
        self.left = 0

    # The four calls of littlefs-python's user context. Nothing may be raised into C code.
    def read(self, cfg: Any, block: int, off: int, size: int) -> bytes:
        self.left -= 1
        try:
            if self.left < 0:
                self.failure = self.failure or ImageError("image.littlefs-endless")
            if self.failure is None:
                return self.overlay.read(block * self.overlay.block_size + off, size)
        except BaseException as error:
            self.failure = error
        return b"\xff" * size

    def prog(self, cfg: Any, block: int, off: int, data: bytes) -> int:
        try:
            if self.failure is not None:
                return _IO_ERROR
            if self.ordered and not self.overlay.is_open(block):
                return CORRUPT
            self.overlay.write(block * self.overlay.block_size + off, bytes(data))
        except BaseException as error:
            self.failure = error
            return _IO_ERROR
        return 0

    def erase(self, cfg: Any, block: int) -> int:
        try:
            self.overlay.erase(block)
        except BaseException as error:
            self.failure = error
            return _IO_ERROR
        return 0

    def sync(self, cfg: Any) -> int:
        if self.ordered:
            self.overlay.sync()
        return 0


class _Engine:
    """littlefs, mounted on a medium.

    Args:
        blocks: how many it has for now, 0 for all that the parameters say.
        new: format it. Then the medium is memory of ours, and a block is read in one go: each read is a call of C
            into Python, and in the board's steps of 32 bytes there are a hundred thousand of them. Steps and caches are
            not kept on the disk, but the largest file inside of a directory follows from the cache: that one
            is given as the board's own would have it, for a board can't open a larger one.
    """

    def __init__(self, medium: _Medium, parameters: LfsParameters, *, blocks: int = 0, new: bool = False) -> None:
        from littlefs import lfs

        parameters.require_sound()
        whole = parameters.block_size
        self.lfs, self._medium = lfs, medium
        self._bound = 20000 + 400 * parameters.block_count
        self._name_max = parameters.name_max
        self._config = lfs.LFSConfig(
            medium,
            block_size=parameters.block_size,
            block_count=blocks or parameters.block_count,
            read_size=whole if new else parameters.read_size,
            prog_size=parameters.prog_size,
            cache_size=whole if new else parameters.cache_size,
            inline_max=parameters.inline_max if new else 0,
            lookahead_size=parameters.lookahead_size,
            block_cycles=parameters.block_cycles,
            name_max=parameters.name_max,
            disk_version=parameters.disk_version,
        )
        self._fs = lfs.LFSFilesystem()
        if new:
            self.call("the new file system", lambda: lfs.format(self._fs, self._config))
        self.call("the file system", lambda: lfs.mount(self._fs, self._config))

    def call(self, what: str, work: Callable[[], T]) -> T:
        """One operation; a failure of the medium goes before what littlefs made of it."""
        self._medium.left = self._bound
        try:
            done = work()
            if self._medium.failure is not None:  # littlefs took what could not be read for erased
                raise self._medium.failure
            return done
        except self._error() as error:
            if self._medium.failure is None:
                code = int(getattr(error, "code", 0))
                # A name that no directory has room for is "too long" as well (lfs.c, lfs_file_opencfg).
                if code == _TOO_LONG and len(what.rpartition("/")[2].encode("utf-8", "replace")) <= self._name_max:
                    code = _NO_SPACE
                if code == _NO_SPACE:
                    raise NoRoomError("image.no-room.littlefs-write", what=shown(what)) from None
                reason = Said(_REASONS[code]) if code in _REASONS else Said("image.littlefs-error", number=code)
                raise ImageError("image.littlefs-write", what=shown(what), reason=reason) from None
            raise self._medium.failure from None
        finally:
            if isinstance(self._medium.failure, (KeyboardInterrupt, SystemExit)):
                raise self._medium.failure

    @staticmethod
    def _error() -> type[Exception]:
        from littlefs.errors import LittleFSError

        error: type[Exception] = LittleFSError
        return error

    def write(self, path: str, data: bytes, stamp: int | None) -> None:
        name = _encoded(path)

        def work() -> None:
            handle = self.lfs.file_open(self._fs, name, "w")
            try:
                if data:
                    self.lfs.file_write(self._fs, handle, data)
            finally:
                self.lfs.file_close(self._fs, handle)
            if stamp is not None:
                self.lfs.setattr(self._fs, name, ATTR_MTIME, struct.pack("<Q", stamp * 10**9))

        self.call(path, work)

    def mkdir(self, path: str) -> None:
        self.call(path, lambda: self.lfs.mkdir(self._fs, _encoded(path)))

    def remove(self, path: str) -> None:
        self.call(path, lambda: self.lfs.remove(self._fs, _encoded(path)))

    def rename(self, old: str, new: str) -> None:
        self.call(new, lambda: self.lfs.rename(self._fs, _encoded(old), _encoded(new)))

    def grow(self, blocks: int) -> None:
        self.call("the file system", lambda: self.lfs.fs_grow(self._fs, blocks))


def _encoded(path: str) -> str:
    try:
        path.encode()
    except UnicodeEncodeError:
        raise ImageError("image.littlefs-name-not-utf8", path=path) from None
    return "/" + path


class Lfs2Tree(FileTree):
    """A LittleFS v2, opened. Raises ImageError for one that is damaged.

    Changes are written so that a power cut between two `steps` leaves a sound file system: a block that was
    complete is never written again in place (littlefs is told that it went bad, whereupon it writes the other
    half of the pair). Thus a bootloader may erase and write whole sectors in that order.
    """

    kind: Kind = "littlefs2"

    def __init__(self, source: BlockSource) -> None:
        self._source = source
        self._reader = Lfs2Reader(source)
        found = self._reader.superblock
        self.block_size, self.superblock = found.block_size, found
        self._overlay = Overlay(source, found.block_size)
        self._engine: _Engine | None = None

    def _list(self) -> list[Entry]:
        return [Entry(path, node.directory, node.size) for path, node in self._reader.entries.items()]

    def _read(self, path: str) -> bytes:
        reader = self._current()
        return reader.read(reader.entries[path])

    def _current(self) -> Lfs2Reader:
        if self._changed:
            self._reader, self._changed = Lfs2Reader(self._overlay), False
        return self._reader

    _changed = False

    def _open(self) -> _Engine:
        """littlefs over it, once all of its structure is known to be sound."""
        if self._engine is None:
            if self.deep:  # else the chains of all files would have to be read; littlefs bounds-checks them itself
                self._reader.used()
            found = self.superblock
            step = gcd(found.block_size, 32)
            parameters = LfsParameters(
                found.size,
                found.block_size,
                read_size=step,
                prog_size=step,
                block_cycles=-1,
                disk_version=DISK_2_0 if found.version == DISK_2_0 else DISK_2_1,
                name_max=min(found.name_max, 1022),
            )
            self._engine = _Engine(_Medium(self._overlay, ordered=True), parameters)
        self._changed = True
        return self._engine

    def _write(self, path: str, data: bytes) -> None:
        self._open().write(path, data, EPOCH)

    def _remove(self, path: str, directory: bool) -> None:
        self._open().remove(path)

    def _mkdir(self, path: str) -> None:
        self._open().mkdir(path)

    def _rename(self, old: str, new: str) -> None:
        self._open().rename(old, new)

    def usage(self) -> Usage:
        return Usage(self.block_size, self.superblock.block_count, len(self._current().used()))

    def steps(self) -> list[tuple[int, bytes]]:
        return self._overlay.steps()

    def used_blocks(self) -> list[int]:
        return [number * self.block_size for number in sorted(self._current().used())]

    def _reopened(self) -> FileTree:
        return Lfs2Tree(self._overlay)


def build_littlefs(
    files: Mapping[str, bytes],
    parameters: LfsParameters,
    *,
    directories: Iterable[str] = (),
    epoch: int | None = EPOCH,
    packed: bool = True,
) -> BuiltFs:
    """Make a file system; the same input gives the same bytes.

    Args:
        files: content by path.
        epoch: the time of all files, seconds since 1970; None for none.
        packed: use as few blocks at the start as possible, so that a firmware file stays small.

    Raises: ImageError when it does not fit (with the bytes that it is over), or a path cannot be.
    """
    folders, names = with_parents(files, tuple(directories))
    by_name = {normal(path): data for path, data in files.items()}
    contents = {name: by_name[name] for name in names}
    if parameters.v1:
        built = build_lfs1(contents, folders, parameters.size, parameters.block_size)
        _compare(built, contents, folders)
        return built
    least = _least(contents, parameters)
    if least > parameters.block_count:
        over = (least - parameters.block_count) * parameters.block_size
        raise NoRoomError("image.no-room.littlefs-over", size=parameters.size, over=over)
    overlay = _fill(contents, folders, parameters, epoch, parameters.block_count)
    if packed:
        used = len(Lfs2Reader(overlay).used())
        for blocks in range(used, min(used + 8, parameters.block_count)):
            try:
                overlay = _fill(contents, folders, parameters, epoch, blocks)
                break
            except NoRoomError:  # littlefs wants a spare block or two while it writes
                continue
    size = parameters.block_size
    numbers = sorted(Lfs2Reader(overlay).used())
    built = BuiltFs(
        "littlefs2", parameters.size, size, {number * size: overlay.read(number * size, size) for number in numbers}
    )
    _compare(built, contents, folders)
    return built


def _least(contents: Mapping[str, bytes], parameters: LfsParameters) -> int:
    """Blocks that the files' data alone takes."""
    return 2 + sum(
        -(-len(data) // parameters.block_size) for data in contents.values() if len(data) > parameters.inline_max
    )


def _fill(
    contents: Mapping[str, bytes], folders: list[str], parameters: LfsParameters, epoch: int | None, blocks: int
) -> Overlay:
    overlay = Overlay(BytesBlocks(b"\xff" * parameters.size), parameters.block_size)
    engine = _Engine(_Medium(overlay, ordered=False), parameters, blocks=blocks, new=True)
    try:
        for folder in folders:
            engine.mkdir(folder)
        for name, data in contents.items():
            engine.write(name, data, epoch)
        if blocks < parameters.block_count:
            engine.grow(parameters.block_count)
    except NoRoomError:
        total = sum(map(len, contents.values()))
        raise NoRoomError("image.no-room.littlefs-files", total=total, size=parameters.size) from None
    return overlay


def _compare(built: BuiltFs, contents: Mapping[str, bytes], folders: list[str]) -> None:
    """Read it back, from just what will be written."""
    from .lfs1 import Lfs1Tree

    tree: FileTree
    source = BytesBlocks(built.to_bytes())
    tree = Lfs1Tree(source) if built.kind == "littlefs1" else Lfs2Tree(source)
    found = [entry.path for entry in tree.entries() if entry.directory]
    if tree.files() != contents or found != folders:
        raise ImageError("image.littlefs-readback")
