"""What each module costs, in flash and in RAM, and what another kind of build would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from ..image.base import FirmwareImage
from ..image.tree import BuiltFs
from .base import BuildKind, Item, ModuleSize, Placement, RegionUse

_INLINE = 512  # LittleFS keeps smaller files inside of their directory (an eighth of a 4 KiB block)


def module_sizes(made: Iterable[tuple[Item, str, bytes]], kind: str, fs: BuiltFs) -> tuple[ModuleSize, ...]:
    """The cost of each file, the largest first.

    Args:
        made: (item, path in the file system, content there).
        kind: of the file system, and `fs` itself.
    """
    placement: Placement = "romfs" if kind == "romfs" else "filesystem"
    rows = []
    for item, path, data in made:
        ram: Literal["in place", "loaded", "on demand"]
        if not path.endswith((".py", ".mpy")):
            ram = "on demand"
        else:
            ram = "in place" if placement == "romfs" and path.endswith(".mpy") else "loaded"
        flash = len(data) if kind == "romfs" else in_blocks(len(data), fs.block_size, kind)
        rows.append(ModuleSize(path, item.origin, item.package, len(item.data), flash, placement, ram))
    return tuple(sorted(rows, key=lambda row: (-row.flash, row.target)))


def in_blocks(size: int, block: int, kind: str) -> int:
    """Bytes of flash that a file of `size` takes in a file system of that kind."""
    if kind.startswith("littlefs") and size <= min(_INLINE, block // 8):
        return size
    return -(-size // block) * block if block else size


def regions_of(image: FirmwareImage, parts: Sequence[tuple[str, int, BuiltFs | int]]) -> tuple[RegionUse, ...]:
    """Flash by region: the firmware up to the first file system, then each of them."""
    rows = []
    start = image.memory.start
    code_end = max((each.end for each in image.memory if all(each.address < at for _, at, _ in parts)), default=start)
    limit = min((at for _, at, _ in parts if at >= code_end), default=code_end)
    rows.append(RegionUse("firmware", start, limit - start, code_end - start))
    for name, at, fs in parts:
        if isinstance(fs, int):
            rows.append(RegionUse(name, at, fs, 0))
        else:
            rows.append(RegionUse(name, at, fs.size, min(fs.size, fs.written)))
    return tuple(sorted(rows, key=lambda row: row.start))


def what_if(kind: BuildKind, placement: str, files: Mapping[str, bytes], has_romfs: bool) -> tuple[str, ...]:
    """The other ways, a sentence each."""
    code = sum(len(data) for path, data in files.items() if path.endswith(".mpy"))
    if not code:
        return ()
    found = []
    if kind == "image":
        found.append(
            f'frozen (kind = "source"): {kilobytes(code)} of modules run from flash and need a C compiler once'
        )
        if placement != "romfs" and has_romfs:
            found.append(f'in ROMFS (filesystem = "romfs"): {kilobytes(code)} of bytecode stay in flash when imported')
        if placement == "romfs":
            found.append('in the file system (filesystem = "littlefs"): programs could change the files')
    else:
        found.append('into official firmware (kind = "image"): no compiler; modules are loaded into RAM when imported')
    return tuple(found)


def largest(files: Mapping[str, bytes], count: int = 3) -> str:
    """The largest files, for a hint."""
    rows = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))[:count]
    return ", ".join(f"{name} ({kilobytes(len(data))})" for name, data in rows)


def kilobytes(size: int) -> str:
    return f"{size} bytes" if size < 10_000 else f"{size / 1024:.0f} KiB"
