"""A new file system for a region, as the port that will mount it would have made it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from ..errors import ImageError
from .fat import build_fat
from .littlefs import build_littlefs, lfs_parameters
from .romfs import build_romfs
from .tree import EPOCH, BuiltFs, NoRoomError

_COUNTED = 64 << 20  # bytes of files above which nobody wants to know how many of them are too many


def default_kind(port: str, capabilities: Iterable[str] = ()) -> str:
    """What a port's firmware makes of an empty region: "fat" on stm32 where it knows FAT, else "littlefs"."""
    names = tuple(capabilities)
    return "fat" if port == "stm32" and (not names or "VfsFat" in names) else "littlefs"


def build_fs(
    kind: str,
    size: int,
    files: Mapping[str, bytes],
    *,
    port: str = "",
    release: tuple[int, int, int] | None = None,
    chip: str = "",
    block_size: int | None = None,
    directories: Iterable[str] = (),
    epoch: int = EPOCH,
) -> BuiltFs:
    """Make a file system for a region as this port's firmware of this release wants it.

    Args:
        kind: "littlefs" (the version that the port has), "littlefs1", "fat" or "romfs".
        size: bytes of the region.
        block_size: of a LittleFS, or the sector of a FAT.

    Raises: NoRoomError with the bytes that are too many; ImageError.
    """
    folders = tuple(directories)

    def make(room: int) -> BuiltFs:
        return _made(kind, room, files, port, release, chip, block_size, folders, epoch)

    try:
        return make(size)
    except NoRoomError as error:
        total = sum(map(len, files.values()))
        if kind == "romfs" or total > _COUNTED:  # a ROMFS counts exactly
            raise
        over = _over(make, size, total)
        if not over:
            raise NoRoomError("image.no-room.region", total=total, size=size) from error
        raise NoRoomError("image.no-room.region-over", total=total, size=size, over=over) from error


def _over(make: Callable[[int], BuiltFs], size: int, total: int) -> int:
    """How many bytes too many, found by making it where there is room; 0 where even that fails."""
    try:
        built = make((4 * size + 2 * total) // size * size)  # a whole number of blocks, as the region is
    except ImageError:
        return 0
    return max(built.block_size, built.written - size)


def _made(
    kind: str, size: int, files: Mapping[str, bytes], port: str, release: tuple[int, int, int] | None, chip: str,
    block_size: int | None, folders: tuple[str, ...], epoch: int,
) -> BuiltFs:  # fmt: skip
    if kind.startswith("littlefs"):
        parameters = lfs_parameters(port, size, release=release, chip=chip, block_size=block_size)
        if kind == "littlefs1":
            parameters = replace(parameters, v1=True)
        return build_littlefs(files, parameters, directories=folders, epoch=epoch)
    if kind == "fat":
        stm32 = port == "stm32"
        sector = block_size or (4096 if port in ("esp32", "esp8266", "rp2") else 512)
        return build_fat(
            files,
            size,
            sector=sector,
            label="PYBFLASH" if stm32 else "",
            hidden=0x100 if stm32 else 0,
            directories=folders,
            epoch=epoch,
        )
    if kind == "romfs":
        data = build_romfs(files, directories=folders)
        if len(data) > size:
            raise NoRoomError("image.no-room.romfs", size=size, over=len(data) - size)
        return BuiltFs("romfs", size, 4096, {0: data})
    raise ImageError("image.unknown-file-system", kind=kind)
