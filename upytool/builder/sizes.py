"""What each module costs, in flash and in RAM, and what another kind of build would make of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from ..errors import ImageError
from ..image.base import FirmwareImage
from ..image.esp import EspFirmware
from ..image.memory import Memory
from ..image.tree import BuiltFs
from .base import BuildKind, ModuleSize, Placement, RegionUse

if TYPE_CHECKING:
    from ..boards.catalogue import Board
    from .compiled import Made
    from .placement import Layout

_INLINE = 512  # LittleFS keeps smaller files inside of their directory (an eighth of a 4 KiB block)
_NRF_CONFIG = 0x10000000  # UICR and the like: no part of the flash that programs lie in
_NAMES = {"romfs": "ROMFS", "littlefs": "LittleFS", "littlefs1": "LittleFS", "fat": "FAT"}


def module_sizes(made: Iterable[Made], kind: str, fs: BuiltFs) -> tuple[ModuleSize, ...]:
    """The cost of each file, the largest first.

    Args:
        kind: of the file system, and `fs` itself.
    """
    placement: Placement = "romfs" if kind == "romfs" else "filesystem"
    rows = []
    for each in made:
        ram: Literal["in place", "loaded", "on demand"] = "on demand"
        if each.code:
            # Machine code is copied to RAM from a ROMFS too (py/persistentcode.c): the header names its architecture.
            bytecode = each.path.endswith(".mpy") and not each.data[2] & 0xFC
            ram = "in place" if placement == "romfs" and bytecode else "loaded"
        flash = len(each.data) if kind == "romfs" else in_blocks(len(each.data), fs.block_size, kind)
        item = each.item
        rows.append(
            ModuleSize(
                each.path, item.origin, item.package, len(item.data), flash, placement, ram, stored=len(each.data)
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.flash, row.target)))


def in_blocks(size: int, block: int, kind: str) -> int:
    """Bytes of flash that a file of `size` takes in a file system of that kind."""
    if kind.startswith("littlefs") and kind != "littlefs1" and size <= min(_INLINE, block // 8):
        return size
    return -(-size // block) * block if block else size


def regions_of(
    image: FirmwareImage, layout: Layout, built: Mapping[int, BuiltFs], board: Board | None = None, variant: str = ""
) -> tuple[RegionUse, ...]:
    """Flash by region, by address: the program's parts, and each file system.

    Args:
        built: new file systems by their start; of those that are left alone nothing is known but their size.
        board: for the end of the flash, where no file system is.
    """
    places = [place for place in (layout.romfs, layout.filesystem) if place is not None]
    rows = _program(image, [part for place in places for part in place.parts], board, variant)
    for place in places:
        fs = built.get(place.start)
        name = "ROMFS" if place.kind == "romfs" else f"file system ({_NAMES[place.kind]})"
        rows.append(RegionUse(name, place.start, place.size, min(place.size, fs.written) if fs is not None else 0))
    return tuple(sorted(rows, key=lambda row: row.start))


def _program(
    image: FirmwareImage, taken: Sequence[tuple[int, int]], board: Board | None, variant: str
) -> list[RegionUse]:
    detail = image.detail
    if isinstance(detail, EspFirmware) and detail.table is not None and detail.app is not None:
        row = detail.table.first_app()
        if row is not None:
            return [RegionUse("firmware", row.offset, row.size, detail.app.length)]
    memory = image.memory
    if isinstance(detail, EspFirmware) or (image.port == "rp2" and image.format == "bin"):
        memory = Memory.of([(each.address, each.data.rstrip(b"\xff")) for each in memory])
    segments = [each for each in memory if not (image.port == "nrf" and each.address >= _NRF_CONFIG)]
    flash = board.flash_size(variant) if board is not None else None
    base = image.memory.start if image.port in ("rp2", "esp8266") else None
    stops = sorted(start for start, _ in taken)
    groups: dict[int, list[tuple[int, int]]] = {}
    for each in segments:
        if any(start <= each.address < start + size for start, size in taken):
            continue  # what a file system holds
        stop = next((start for start in stops if start > each.address), -1)
        end = each.end if stop < 0 else min(each.end, stop)
        groups.setdefault(stop, []).append((each.address, end))
    rows = []
    for stop, parts in groups.items():
        first, last = parts[0][0], parts[-1][1]
        if stop < 0:
            stop = max(last, base + flash) if base is not None and flash is not None else last
        rows.append(RegionUse("firmware", first, stop - first, sum(end - start for start, end in parts)))
    largest_part = max(rows, key=lambda row: row.used, default=None)
    return [
        row if row is largest_part else RegionUse("firmware, other part", row.start, row.size, row.used) for row in rows
    ]


def program_free(regions: Iterable[RegionUse]) -> int | None:
    """Bytes that are left for the program itself; None where nobody knows how far it may reach."""
    free = next((each.free for each in regions if each.name == "firmware"), 0)
    return free or None


def loaded(rows: Iterable[ModuleSize]) -> int:
    """About what importing all of it takes of RAM: bytecode that is loaded is as large there as in its file."""
    return sum(row.stored or row.source for row in rows if row.ram == "loaded" and row.target.endswith((".mpy", ".py")))


def what_if(
    kind: BuildKind, rows: Sequence[ModuleSize], files: Mapping[str, bytes], regions: Sequence[RegionUse],
    layout: Layout | None = None,
) -> tuple[str, ...]:  # fmt: skip
    """The other ways, a sentence each, with what they cost.

    Args:
        rows: of this build. files: what went in, by path.
        layout: of the firmware of an "image" build.
    """
    code = {path: data for path, data in files.items() if path.endswith(".mpy")}
    if not code:
        return ()
    size = sum(map(len, code.values()))
    ram = sum(row.stored for row in rows if row.ram == "loaded" and row.target in code)
    found = []
    if kind == "source":
        return (
            f'into official firmware (kind = "image"): no compiler, done in a second; {kilobytes(size)} of bytecode '
            "are loaded into RAM as they are imported",
        )
    free = program_free(regions)
    room = "" if free is None else f" of the {kilobytes(free)} that the firmware's part has left"
    found.append(
        f'frozen (kind = "source"): about {kilobytes(size)}{room}, run in place'
        f"{f', {kilobytes(ram)} less in RAM' if ram else ''}; takes a C compiler or a container"
    )
    if all(row.placement != "romfs" for row in rows):
        needs = _romfs_size(code)
        saves = f"bytecode stays in flash, about {kilobytes(size)} less in RAM"
        if layout is not None and layout.romfs is not None:
            left = layout.romfs.size - needs
            fits = f"{kilobytes(needs)} of {kilobytes(layout.romfs.size)}"
            verdict = saves if left >= 0 else f"{-left} bytes too many"
            found.append(f'in ROMFS (filesystem = "romfs"): {fits}; {verdict}')
        else:
            none = "this firmware has none, a build from source can make one"
            found.append(f"in a ROMFS: {kilobytes(needs)}; {saves} ({none})")
    elif layout is not None and layout.filesystem is not None:
        block = layout.filesystem.block_size or 4096
        needs = sum(in_blocks(len(data), block, layout.filesystem.kind) for data in code.values())
        found.append(
            f'in the file system (filesystem = "littlefs"): {kilobytes(needs)} of '
            f"{kilobytes(layout.filesystem.size)}, which programs can change; about {kilobytes(size)} more in RAM"
        )
    return tuple(found)


def _romfs_size(files: Mapping[str, bytes]) -> int:
    from ..image.romfs import build_romfs

    try:
        return len(build_romfs(files))
    except ImageError:
        return sum(map(len, files.values()))


def largest(files: Mapping[str, bytes], count: int = 3) -> str:
    """The largest files, for a hint."""
    rows = sorted(files.items(), key=lambda item: (-len(item[1]), item[0]))[:count]
    return ", ".join(f"{name} ({kilobytes(len(data))})" for name, data in rows)


def kilobytes(size: int) -> str:
    """As the commands write sizes; small ones to the byte."""
    if size < 10_000:
        return f"{size} bytes"
    return f"{size / 1e3:.1f} kB" if size < 1_000_000 else f"{size / 1e6:.1f} MB"
