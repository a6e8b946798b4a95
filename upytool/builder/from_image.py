"""A build without a compiler for C: modules into a firmware that exists, as one file to flash.

The modules become .mpy files by the mpy-cross that fits the firmware, go into its ROMFS or into the file system of its
first start, and the finished file is opened again, mounted and compared before anybody is told that it is done.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from os.path import realpath
from pathlib import Path

from ..boards.catalogue import Board
from ..errors import BuildError, ImageError
from ..events import NULL, Reporter
from ..image.base import FirmwareImage
from ..image.esp import EspFirmware, find_base, with_flash_params
from ..image.identity import release_of
from ..image.tree import BuiltFs, NoRoomError
from ..image.volume import build_fs
from ..mpy.abi import Abi
from ..mpy.cross import Cross, program_digest
from ..words import Said
from .arch import arch_of, arch_of_image
from .base import BuildReport, BuildResult, Recipe
from .compiled import Made, by_path, check_entry, compile_items, split, total
from .fs_cache import cached_fs
from .output import default_output, write_output
from .placement import Layout, Place, board_of, check_room, choose, find_layout, main_place, version_of
from .readback import check_image
from .sizes import kilobytes, largest, module_sizes, regions_of, what_if

_FILE_SYSTEMS = {"romfs": "ROMFS", "littlefs": "LittleFS", "littlefs1": "LittleFS v1", "fat": "FAT"}


@dataclass(frozen=True)
class _Part:
    """A place with what goes there."""

    place: Place
    made: tuple[Made, ...]
    fs: BuiltFs


def build_image(recipe: Recipe, *, cache: Path | None = None, reporter: Reporter = NULL) -> BuildResult:
    """Build.

    Args:
        recipe: of kind "image", with a `firmware`.
        cache: folder for compiled modules.

    Raises: BuildError (no room, with the bytes that are over; no known place; a module that does not compile, with
        file and line), ImageError (the firmware is damaged). No output is left behind then.
    """
    started = time.monotonic()
    if not recipe.items:  # it would come out as an empty file system in place of the board's files
        raise BuildError("build.nothing-to-build")
    image = read_base(recipe)
    board, variant = board_of(image, recipe)
    if board is not None:
        image = of_board(image, board)
    version = version_of(image, recipe)
    release = release_of(version)
    if release is None:
        raise BuildError("build.no-version", name=_name(image))
    arch, flags = arch_of(board, release, variant) if board is not None else arch_of_image(image, release)
    abi = Abi.for_release(release, arch, flags)
    layout = find_layout(image, recipe, board, variant, version)
    check_entry(recipe.entry, recipe.items, image.memory)
    place = choose(layout, recipe.filesystem, image)
    cross = Cross(abi, cache)
    made = compile_items(recipe.items, cross, reporter)
    parts, notes = _parts(image, recipe, layout, place, made, release, cache)
    memory = layout.memory
    for part in parts:
        memory = part.place.cleared(memory)
        for address, data in sorted(part.place.whole(part.fs.blocks.items()).items()):
            memory = memory.replaced(address, data)
    data = image.encode(memory)
    check_image(data, image, {part.place: by_path(part.made) for part in parts}, _name(image))
    suffix = Path(image.path).suffix or ".bin"
    output = recipe.output or default_output(recipe, image.identity.build or image.chip, suffix)
    _not_over(output, recipe)
    unchanged = write_output(output, data)
    keeps = layout.filesystem is None or all(part.place.start != layout.filesystem.start for part in parts)
    rows = [row for part in parts for row in module_sizes(part.made, part.place.kind, part.fs)]
    regions = regions_of(image, layout, {part.place.start: part.fs for part in parts}, board, variant)
    report = BuildReport(
        "image",
        image.identity.build or (board.id if board else recipe.board),
        version,
        abi,
        tuple(sorted(rows, key=lambda row: (-row.flash, row.target))),
        regions,
        what_if("image", rows, {each.path: each.data for each in made}, regions, layout),
        (*layout.notes, *notes, *_closing(image, layout, keeps)),
    )
    return BuildResult(
        output, len(data), sha256(data).hexdigest(), report, time.monotonic() - started,
        keeps_files=keeps, unchanged=unchanged, pins=_pins(recipe, image, cross, parts, layout),
    )  # fmt: skip


def read_base(recipe: Recipe) -> FirmwareImage:
    """The firmware to build into, with the flash size that the recipe asks for. Raises: BuildError, ImageError."""
    if recipe.firmware is None:
        raise BuildError("build.no-base-firmware")
    image = FirmwareImage.read(recipe.firmware)
    image.require_valid()
    if image.identity.implementation == "CircuitPython":
        raise BuildError("build.circuitpython", name=recipe.firmware.name)
    if image.port == "esp32" and (image.role != "firmware" or image.format != "esp"):
        what = "the bootloader" if image.role == "bootloader" else "the application"
        raise BuildError("build.not-whole-firmware", name=recipe.firmware.name, part=what)
    if not image.place_known:
        raise BuildError("build.no-address", name=recipe.firmware.name)
    if recipe.flash_size is None:
        return image
    if not isinstance(image.detail, EspFirmware):
        raise BuildError("build.flash-size-not-esp", chip=image.chip or "this one")
    raw = with_flash_params(image.raw, offset=find_base(image.raw) or 0, size=recipe.flash_size)
    return replace(FirmwareImage.read(raw, name=recipe.firmware.name), path=str(recipe.firmware))


def of_board(image: FirmwareImage, board: Board) -> FirmwareImage:
    """The image with what its format does not tell: a .hex file at address 0 may be for several makers' chips."""
    chip = image.chip if image.chip and image.chip != image.port else board.mcu.lower()
    return replace(image, port=image.port or board.port, chip=chip)


def _name(image: FirmwareImage) -> str:
    return Path(image.path).name or "the firmware"


def _parts(
    image: FirmwareImage, recipe: Recipe, layout: Layout, place: Place, made: list[Made],
    release: tuple[int, int, int], cache: Path | None,
) -> tuple[list[_Part], list[str]]:  # fmt: skip
    """Each file system with its content, and notes."""

    def fill(where: Place, content: list[Made]) -> _Part:
        check_room(image, where)
        return _Part(where, tuple(content), _made_fs(image, recipe, where, by_path(content), release, cache))

    if place.kind != "romfs":
        return [fill(place, made)], []
    notes: list[str] = []
    auto = recipe.filesystem == "auto" and layout.filesystem is not None
    inside, outside = split(made, code_only=auto)
    try:
        parts = [fill(place, inside)] if inside else []
    except BuildError as error:
        if not auto:
            raise
        assert layout.filesystem is not None
        notes.append(f"the file system takes all of it: {error.fields.get('reason', error)}")
        return [fill(main_place(layout, "auto", image), made)], notes
    if any(not each.code for each in inside):
        notes.append("data files are found below /rom there: open('/rom/...')")
    if outside:
        names = [each.path for each in outside]
        if layout.filesystem is None:
            raise BuildError(
                "build.not-started-from-romfs", file=names[0], cause=layout.absent, hint=layout.absent.hints
            )
        parts.append(fill(layout.filesystem, outside))
        what = " and ".join(names) if len(names) < 3 else f"{len(names)} files"
        notes.append(f"{what} went into the file system: nothing starts from a ROMFS, and data keeps its path"
                     if any(not each.code for each in outside)
                     else f"{what} went into the file system: nothing starts from a ROMFS")  # fmt: skip
    return parts, notes


def _made_fs(
    image: FirmwareImage, recipe: Recipe, place: Place, files: Mapping[str, bytes], release: tuple[int, int, int],
    cache: Path | None,
) -> BuiltFs:  # fmt: skip
    block_size = place.block_size if place.kind != "romfs" else None

    def make() -> BuiltFs:
        return build_fs(
            place.kind, place.size, files, port=image.port, release=release, chip=image.chip, block_size=block_size,
            epoch=recipe.epoch,
        )  # fmt: skip

    decides = [place.kind, place.size, image.port, release, image.chip, block_size, recipe.epoch]
    try:
        return cached_fs(cache / "fs" if cache is not None else None, {"all": decides}, files, make)
    except NoRoomError as error:
        kind, size = _FILE_SYSTEMS[place.kind], place.size
        reason = (
            Said("builder.too-small-by", kind=kind, size=size, over=error.over)
            if error.over
            else Said("builder.too-small", kind=kind, size=size)
        )
        raise BuildError(
            "build.does-not-fit", content=kilobytes(total(files)), reason=reason, largest=largest(files)
        ) from error
    except ImageError as error:
        raise BuildError("build.file-system", cause=error, hint=error.hints) from error


def _closing(image: FirmwareImage, layout: Layout, keeps: bool) -> list[str]:
    """What becomes of the board's files."""
    if keeps:
        return ["flashing this leaves the files on the board as they are"] if layout.filesystem is not None else []
    notes = ["flashing this replaces the files on the board"]
    if image.port == "esp8266":
        notes.append("the first start will not set up the access point: it does so when it formats the file system")
    return notes


def _not_over(output: Path, recipe: Recipe) -> None:
    if recipe.firmware is not None and realpath(output) == realpath(recipe.firmware):
        raise BuildError("build.output-is-base", path=output)


def _pins(recipe: Recipe, image: FirmwareImage, cross: Cross, parts: list[_Part], layout: Layout) -> dict[str, object]:
    assert recipe.firmware is not None
    return {
        "firmware": {
            "name": recipe.firmware.name,
            "origin": recipe.firmware_origin,
            "sha256": sha256(recipe.firmware.read_bytes()).hexdigest(),
            "build": image.identity.build,
            "version": image.identity.version,
        },
        "mpy": {"abi": cross.abi.text, "compiler": program_digest(cross.program)},
        "filesystems": [_place_pins(part.place) for part in parts],
        "layout": {
            name: _place_pins(place)
            for name, place in (("romfs", layout.romfs), ("filesystem", layout.filesystem))
            if place is not None
        },
        "epoch": recipe.epoch,
        "flash_size": recipe.flash_size,
        "files": {
            each.path: {
                "sha256": sha256(each.item.data).hexdigest(),
                "from": each.item.origin,
                "optimize": each.item.optimize,
                "emit": each.item.emitter,
            }
            for part in parts
            for each in part.made
        },
    }


def _place_pins(place: Place) -> dict[str, object]:
    return {
        "kind": place.kind, "start": place.start, "size": place.size, "block_size": place.block_size or 0,
        "source": place.source,
    }  # fmt: skip
