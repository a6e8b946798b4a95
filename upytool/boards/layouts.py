"""Where the firmware of a board keeps its file systems, by board, variant and version.

For chips whose firmware says it itself (binary info of rp2, partition table of ESP) the file is the better
source; this table is for all others, and for planning without a file. It holds what was computed from the
release trees' linker scripts, partition tables and headers; a version that nobody looked at is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..errors import BuildError
from .data import load


class LayoutError(BuildError):
    """The layout is not known, or no firmware file can reach the file system."""

    code = "build.layout"


@dataclass(frozen=True)
class Region:
    """A part of flash that holds a file system.

    Attributes:
        name: the partition's, or "flash".
        start: its first byte, in the terms of FirmwareImage.memory (for Espressif's chips an offset in flash).
        size: bytes; None where it goes to the end of a flash of unknown size.
        kind: "littlefs", "littlefs1", "fat" or "romfs".
        block_size: bytes; 0 for ROMFS.
        parameters: of the first boot's mkfs, for LittleFS: read_size, prog_size, cache_size, lookahead_size,
            block_cycles, name_max, disk_version.
        mount: where the firmware mounts it.
        on_failure: what the firmware does when it can't be mounted: "formats" (all files are gone), "stops"
            (formats an erased one, else complains for ever), "none".
        segments: (address, size) where it is in several pieces, else one.
        source: which tree and files say so.
    """

    name: str
    start: int
    size: int | None
    kind: str
    block_size: int = 0
    parameters: dict[str, int] = field(default_factory=dict)
    mount: str = ""
    on_failure: str = "none"
    segments: tuple[tuple[int, int], ...] = ()
    source: str = ""

    @property
    def end(self) -> int | None:
        """The address after it; for one in several pieces, after the last."""
        if self.segments:
            return sum(self.segments[-1])
        return None if self.size is None else self.start + self.size

    def data(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "name": self.name,
            "start": self.start,
            "size": self.size,
            "kind": self.kind,
            "block_size": self.block_size,
            "parameters": self.parameters,
            "mount": self.mount,
            "on_failure": self.on_failure,
            "segments": [list(each) for each in self.segments],
            "source": self.source,
        }


def layouts(board: str, variant: str = "", version: str = "", *, flash_size: int | None = None) -> list[Region]:
    """The file systems of one board's firmware.

    Args:
        board: MicroPython's name.
        version: "1.26.1", "v1.27.0", "1.29.0-preview"; a preview counts as the release that it leads to.
        flash_size: bytes of the chip's flash, for regions that go to its end.

    Raises: LayoutError: board, variant or version are not in the table, or the file system is out of reach.
    """
    board, variant = board.upper(), variant.upper()
    release = _minor(version)
    rows = [row for row in load("layouts.json")["layouts"] if row["board"] == board]
    if not rows:
        raise LayoutError("build.layout.unknown-board", board=board)
    mine = [row for row in rows if row["variant"] == variant]
    if not mine:
        known = list(dict.fromkeys(row["variant"] for row in rows if row["variant"])) or ["none"]
        raise LayoutError("build.layout.unknown-variant", board=board, variant=variant, known=known)
    for row in mine:
        if _minor(row["from"]) <= release <= _minor(row["to"]):
            if "none" in row:
                raise LayoutError(
                    "build.layout.none", board=board, version=version.removeprefix("v"), reason=row["none"]
                )
            return [_region(each, flash_size, row["source"], release) for each in row["regions"]]
    raise LayoutError(
        "build.layout.unknown-version",
        board=board,
        version=version.removeprefix("v"),
        first=mine[0]["from"],
        last=mine[-1]["to"],
    )


def _minor(version: str) -> tuple[int, int]:
    found = re.match(r"v?(\d{1,4})\.(\d{1,4})(?![0-9])", version)
    if found is None:
        raise LayoutError("build.layout.not-a-version", version=version)
    return int(found[1]), int(found[2])


def _region(raw: dict[str, Any], flash_size: int | None, source: str, release: tuple[int, int]) -> Region:
    size = raw["size"]
    if size is None and flash_size is not None:
        size = flash_size - raw["tail"] - raw["start"]
        if size <= 0:
            raise LayoutError("build.layout.no-room", size=flash_size)
    block = raw.get("block_size", 0)
    parameters: dict[str, int] = {}
    if raw["kind"].startswith("littlefs"):
        read, prog = 32, raw["prog_size"]
        # extmod/vfs_lfsx.c: lookahead 32, cache min(block, 4 * max(read, prog)); LittleFS 2 also block_cycles 100.
        parameters = {
            "read_size": read,
            "prog_size": prog,
            "cache_size": min(block, 4 * max(read, prog)),
            "lookahead_size": 32,
            "name_max": 255,
        }
        if raw["kind"] == "littlefs":
            # lib/littlefs writes 2.1 since MicroPython 1.22, and reads nothing newer than it writes.
            parameters |= {"block_cycles": 100, "disk_version": 0x20001 if release >= (1, 22) else 0x20000}
    segments = tuple((start, length) for start, length in raw.get("segments", ()))
    return Region(
        raw["name"],
        raw["start"],
        size,
        raw["kind"],
        block,
        parameters,
        raw.get("mount", "/rom" if raw["kind"] == "romfs" else ""),
        raw.get("on_failure", "none"),
        segments,
        source,
    )
