"""A build without a compiler for C: modules into a firmware that exists, as one file to flash.

The modules become .mpy files by the mpy-cross that fits the firmware, go into its ROMFS or into the file system of its
first start, and the finished file is opened again, mounted and compared before anybody is told that it is done.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from ..errors import BuildError, ImageError
from ..events import NULL, Reporter, Task
from ..image.base import FirmwareImage
from ..image.blocks import BytesBlocks
from ..image.identity import from_file_name, release_of
from ..image.memory import Memory
from ..image.tree import BuiltFs
from ..image.volume import Region, build_fs, volumes, volumes_on_flash
from ..mpy.abi import Abi
from ..mpy.cross import Cross, Module, never_compiled, program_digest
from .arch import arch_of
from .base import BuildReport, BuildResult, Item, Recipe
from .boot_rom import FLASH, after_drop
from .output import default_output, write_output
from .placement import Layout, Place, board_of, check_room, choose, find_layout
from .sizes import largest, module_sizes, regions_of, what_if

STARTERS = ("boot.py", "main.py")


@dataclass(frozen=True)
class _Made:
    """A file as it goes in."""

    item: Item
    path: str
    data: bytes


def build_image(recipe: Recipe, *, cache: Path | None = None, reporter: Reporter = NULL) -> BuildResult:
    """Build.

    Args:
        recipe: of kind "image", with a `firmware`.
        cache: folder for compiled modules.

    Raises: BuildError (no room, with the bytes that are over; no known place; a module that does not compile, with
        file and line), ImageError (the firmware is damaged). No output is left behind then.
    """
    started = time.monotonic()
    if recipe.firmware is None:
        raise BuildError("there is no firmware to build into", hint="name a board and a version, or --firmware FILE")
    image = FirmwareImage.read(recipe.firmware)
    image.require_valid()
    if image.role != "firmware":
        raise BuildError(
            f"{recipe.firmware.name} is {image.role} alone, without the boot loader and the partition table",
            hint="take the firmware's .bin file",
        )
    board, variant = board_of(image, recipe)
    version = image.identity.version or _named_version(recipe)
    release = release_of(version)
    if release is None:
        said = f"{recipe.firmware.name} does not say which MicroPython it is"
        raise BuildError(said, hint="name it with --version, 1.27 for instance")
    arch, flags = arch_of(board, release, variant) if board is not None else ("", 0)
    abi = Abi.for_release(release, arch, flags)
    layout = find_layout(image, recipe, board, variant)
    place = choose(layout, recipe.filesystem)
    cross = Cross(abi, cache)
    made = compile_items(recipe.items, cross, reporter)
    memory, built, notes = _inject(image, recipe, layout, place, made, release)
    data = image.encode(memory)
    _check(data, image, built, recipe.firmware.name)
    output = recipe.output or default_output(recipe, image.identity.build or image.chip, recipe.firmware.suffix)
    unchanged = write_output(output, data)
    files = {each.path: each.data for each in made}
    report = BuildReport(
        "image",
        image.identity.build or (board.id if board else recipe.board),
        version,
        abi,
        module_sizes([(each.item, each.path, each.data) for each in made], place.kind, built[place.start]),
        regions_of(image, [(name, built_at, fs) for name, built_at, fs in _named(layout, built)]),
        what_if("image", place.kind, files, layout.romfs is not None),
        tuple(notes),
    )
    return BuildResult(
        output, len(data), sha256(data).hexdigest(), report, time.monotonic() - started,
        keeps_files=layout.filesystem is None or layout.filesystem.start not in built,
        unchanged=unchanged, pins=_pins(recipe, image, cross, place, made),
    )  # fmt: skip


def compile_items(items: tuple[Item, ...], cross: Cross, reporter: Reporter = NULL) -> list[_Made]:
    """Every item as it goes in: modules compiled (but for boot.py and main.py at the top), the rest as it is."""
    wanted = [item for item in items if item.module and not item.keep_source and not never_compiled(item.target)]
    modules = [Module(each.data, each.target, each.optimize, each.emitter, each.origin) for each in wanted]
    if modules:
        with Task(reporter, "compiling", len(modules), "files") as task:
            results = dict(zip((each.target for each in wanted), cross.compile_all(modules), strict=True))
            task.advance(len(modules))
    else:
        results = {}
    return [
        _Made(item, item.target[:-3] + ".mpy", results[item.target])
        if item.target in results
        else _Made(item, item.target, item.data)
        for item in items
    ]


def _inject(
    image: FirmwareImage, recipe: Recipe, layout: Layout, place: Place, made: list[_Made], release: tuple[int, int, int]
) -> tuple[Memory, dict[int, BuiltFs], list[str]]:
    """The memory with everything in it, each file system by its address, and notes."""
    files = {each.path: each.data for each in made}
    notes = [place.note] if place.note else []
    memory = place.memory
    built: dict[int, BuiltFs] = {}
    parts = [(place, files)]
    if place.kind == "romfs":
        # A firmware mounts /rom and imports from it, and starts nothing in it: what starts lies in the file system.
        starters = {name: files.pop(name) for name in STARTERS if name in files}
        if starters:
            if layout.filesystem is None:
                raise BuildError(f"{next(iter(starters))} does not start from a ROMFS: {layout.why}")
            parts.append((layout.filesystem, starters))
            notes.append(f"{' and '.join(starters)} go into the file system: nothing starts from a ROMFS")
            memory = layout.filesystem.memory
    for where, content in parts:
        check_room(image, where)
        fs = _made_fs(image, recipe, where, content, release)
        for offset, data in sorted(fs.blocks.items()):
            memory = memory.replaced(where.start + offset, data)
        built[where.start] = fs
    if image.port == "esp8266" and layout.filesystem is not None and layout.filesystem.start in built:
        notes.append("the first start will not set up the access point: it does so when it formats the file system")
    if layout.filesystem is not None and layout.filesystem.start in built:
        notes.append("flashing this replaces the files on the board")
    return memory, built, notes


def _made_fs(
    image: FirmwareImage, recipe: Recipe, place: Place, files: Mapping[str, bytes], release: tuple[int, int, int]
) -> BuiltFs:
    try:
        return build_fs(
            place.kind, place.size, files, port=image.port, release=release, chip=image.chip,
            block_size=place.block_size if place.kind != "romfs" else None, epoch=recipe.epoch,
        )  # fmt: skip
    except ImageError as error:
        total = sum(map(len, files.values()))
        over = f": {error.message}" if "fit" in error.message else ""
        if not over:
            raise
        raise BuildError(
            f"there is no room for {total} bytes of modules and data{over}",
            hint="the largest: " + largest(files),
        ) from error


def _check(data: bytes, base: FirmwareImage, built: dict[int, BuiltFs], name: str) -> None:
    """Open what is about to be written as a board will, and compare file by file.

    Raises: BuildError: it does not hold what was put in, which is a fault of ours.
    """
    image = FirmwareImage.read(data, name=name)
    image.require_valid()
    seen = image
    if image.format == "uf2" and image.port == "rp2":
        size = max([2 << 20, *(start - FLASH + fs.size for start, fs in built.items())])
        seen = replace(image, memory=Memory.of([(FLASH, after_drop(data, size))]))
    for start, fs in built.items():
        found = volumes(seen, [Region(start, fs.size, "check", "", fs.block_size, "you")])
        mine = next((each for each in found if each.start == start), None)
        want = _tree_of(fs)
        if mine is None or not mine.kind or mine.open().files() != want:
            raise BuildError("the finished image does not read back as what was put in", hint="please report this")
    for segment in base.memory:
        for start, fs in built.items():
            if segment.end > start and segment.address < start + fs.size:
                break
        else:
            if image.memory.get(segment.address, len(segment.data)) != segment.data and base.port != "esp32":
                raise BuildError("the finished image changes the firmware itself", hint="please report this")


def _tree_of(fs: BuiltFs) -> dict[str, bytes]:
    found = volumes_on_flash(
        BytesBlocks(fs.to_bytes()).read, base=0, size=fs.size, chip="", regions=[Region(0, fs.size, "", "", 0, "you")]
    )
    return found[0].open().files()


def _named(layout: Layout, built: dict[int, BuiltFs]) -> list[tuple[str, int, BuiltFs | int]]:
    """(name, start, what is in it, or its size where nothing is)."""
    rows: list[tuple[str, int, BuiltFs | int]] = []
    for name, place in (("ROMFS", layout.romfs), ("file system", layout.filesystem)):
        if place is not None:
            rows.append((name, place.start, built.get(place.start, place.size)))
    return rows


def _named_version(recipe: Recipe) -> str:
    if recipe.version and recipe.version[0].isdigit():
        return recipe.version
    known = from_file_name(os.fspath(recipe.firmware)) if recipe.firmware else None
    return known[1] if known else ""


def _pins(recipe: Recipe, image: FirmwareImage, cross: Cross, place: Place, made: list[_Made]) -> dict[str, object]:
    return {
        "firmware": {
            "name": recipe.firmware.name if recipe.firmware else "",
            "origin": recipe.firmware_origin,
            "sha256": sha256(image.raw).hexdigest(),
            "build": image.identity.build,
            "version": image.identity.version,
        },
        "mpy": {"abi": cross.abi.text, "compiler": program_digest(cross.program)},
        "filesystem": {
            "kind": place.kind,
            "start": place.start,
            "size": place.size,
            "block_size": place.block_size or 0,
            "source": place.source,
        },
        "epoch": recipe.epoch,
        "files": {
            each.path: {
                "sha256": sha256(each.item.data).hexdigest(),
                "from": each.item.origin,
                "optimize": each.item.optimize,
                "emit": each.item.emitter,
            }
            for each in made
        },
    }
