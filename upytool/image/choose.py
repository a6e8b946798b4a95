"""Which of several file systems a caller means, and sizes and addresses as people write them."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import ImageError, UsageError
from .fs_volume import FsVolume


def parse_size(text: str) -> int:
    """Read `4096`, `0x1000`, `64K`, `2M`: bytes, or an address. Raises UsageError."""
    word, scale = text.strip().upper().removesuffix("IB").removesuffix("B"), 1
    if word[-1:] in ("K", "M"):
        word, scale = word[:-1], 1 << 10 if word[-1] == "K" else 1 << 20
    try:
        value = int(word, 0) * scale
    except ValueError:
        raise UsageError("usage.not-a-size", text=text) from None
    if not 0 <= value < 1 << 32:
        raise UsageError("usage.size-out-of-range", text=text)
    return value


def parse_region(text: str) -> tuple[int, int]:
    """Read `START,SIZE` as (address, bytes). Raises UsageError."""
    start, comma, length = text.replace(":", ",").partition(",")
    if not comma:
        raise UsageError("usage.not-a-region", text=text)
    found = parse_size(start), parse_size(length)
    if not found[1] or sum(found) > 1 << 32:
        raise UsageError("usage.not-in-flash", text=text)
    return found


def none_found(where: str) -> ImageError:
    """Make the error for a file or a board in which no place for a file system is known."""
    return ImageError("image.no-file-system-found", where=where)


def choose(volumes: Sequence[FsVolume], where: str, *, wanted: str = "", start: int | None = None) -> FsVolume:
    """Find the file system that is wanted: the one that is named, or the only one that files are put into.

    Args:
        where: what the file or the board is called, for messages.
        wanted: its name, its number from 0, or its address; "" for none.
        start: only those at this address.

    Raises: ImageError where there is none; UsageError where several could be it, or none is called so.
    """
    if wanted:
        return _named(volumes, where, wanted)
    found = [volume for volume in volumes if start in (None, volume.start)]
    held = [volume for volume in found if volume.kind]
    if len(held) > 1:  # files are put into the writable one
        held = [volume for volume in held if volume.kind != "romfs"]
    if len(held) == 1:
        return held[0]
    if not held and len(found) == 1:
        return found[0]
    if not found:
        raise none_found(where)
    raise UsageError("usage.several-file-systems", where=where, known=[volume.title for volume in found])


def _named(volumes: Sequence[FsVolume], where: str, wanted: str) -> FsVolume:
    same = [volume for volume in volumes if volume.name.lower() == wanted.lower()]
    if not same:
        try:
            value = parse_size(wanted)
        except UsageError:
            value = -1
        same = [volume for volume in volumes if volume.start == value]
        if not same and 0 <= value < len(volumes):
            same = [volumes[value]]
    if len(same) != 1:
        raise UsageError(
            "usage.no-such-file-system",
            where=where,
            name=wanted,
            known=[volume.title for volume in volumes] or ["none"],
        )
    return same[0]
