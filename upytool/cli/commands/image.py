"""`upytool image`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import DifferencesFound, ImageError, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..imaging import (
    BOARD,
    OTHER,
    Place,
    as_trees,
    described,
    files_of,
    label,
    number,
    opened,
    place_options,
    sources,
    table_regions,
)
from ..params import LocalPath
from ..ui.style import Style
from ..ui.text import plural, printable, rows, size

if TYPE_CHECKING:
    from ...image.tree import BuiltFs, Change, FileTree, Usage
    from ...image.volume import FsVolume
    from ..imaging import Opened

FILE_HELP = "A firmware file, a flash dump or a bare file system; `:` is the board's flash, in its boot loader."
file_argument = click.argument("file", type=LocalPath(), help=FILE_HELP)
output_option = click.option("--output", "-o", metavar="OUT", help="Write this file; FILE stays as it is.")
all_option = click.option("--all", "everything", is_flag=True, help="Take dot files, __pycache__ and the like too.")
MARKS = {"added": "+", "removed": "-", "changed": "~"}


@define_group(
    "image",
    examples=[
        ("upytool image ls firmware.uf2", "the files in a firmware file"),
        ("upytool image add firmware.uf2 main.py lib -o mine.uf2", "one file with your program in it"),
        ("upytool image ls :", "the files of a board in its boot loader, no REPL needed"),
        ("upytool image mkfs disk.img --size 1408K main.py", "a new LittleFS"),
    ],
)
def command() -> None:
    """Files in file systems (LittleFS, FAT, ROMFS) in firmware files, flash dumps and boot loaders.

    What a file system is, is told by its content; where it is, by the firmware itself where it can be.
    """


@command.command(
    "ls",
    examples=[
        ("upytool image ls backup.bin", "all file systems and files of a flash dump"),
        ("upytool image ls firmware.uf2 --json", "for programs"),
    ],
)
@file_argument
@place_options
@pass_app
def ls(app: App, file: str, place: Place) -> None:
    """List the file systems of a file, and what is in them."""
    with opened(app, file, place, whole=False) as found:
        chosen = [found.choose()] if place.volume or place.region else found.volumes
        listed = [(volume, _listing(app, volume)) for volume in chosen]
        # On a board the space of a LittleFS is not counted: every file's blocks would have to be read for that.
        usages = [_count(app, volume, tree) if found.loader is None else None for volume, tree in listed]
    if not listed:
        raise ImageError(
            f"no file system was found in {found.name}",
            hint="say where it is: --region START,SIZE, or for which board it is: --board NAME",
        )
    app.emit(
        [_volume_data(volume, tree, usage) for (volume, tree), usage in zip(listed, usages)],
        lambda style: _lines(style, listed),
    )
    for (volume, _), usage in zip(listed, usages):
        app.note(described(volume) + (f", {_usage(usage)}" if usage is not None else ""))


def _listing(app: App, volume: FsVolume) -> FileTree | None:
    if not volume.kind:
        return None
    try:
        return volume.open()
    except ImageError as error:
        app.warn(f"{label(volume)}: {error}")
        return None


def _count(app: App, volume: FsVolume, tree: FileTree | None) -> Usage | None:
    if tree is None:
        return None
    try:
        return tree.usage()
    except ImageError as error:
        app.warn(f"{label(volume)}: {error}")
        return None


def _usage(usage: Usage) -> str:
    return f"{usage.used} of {usage.blocks} blocks of {usage.block_size} bytes used"


def _volume_data(volume: FsVolume, tree: FileTree | None, usage: Usage | None) -> dict[str, Any]:
    return {
        "name": volume.name or None,
        "start": volume.start,
        "size": volume.size,
        "kind": volume.kind or None,
        "block_size": volume.block_size or None,
        "source": volume.source,
        "problem": volume.problem or None,
        "label": tree.label or None if tree is not None else None,
        "used": usage.used * usage.block_size if usage is not None else None,
        "free": usage.free if usage is not None else None,
        "entries": None if tree is None else [_entry_data(entry) for entry in tree.entries()],
    }


def _entry_data(entry: Any) -> dict[str, Any]:
    return {"path": entry.path, "kind": "dir" if entry.directory else "file", "size": entry.size}


def _lines(style: Style, listed: list[tuple[FsVolume, FileTree | None]]) -> list[str]:
    several = len([tree for _, tree in listed if tree is not None]) > 1
    body = [
        (
            (f"{label(volume)}:" if several else "") + printable(entry.path) + ("/" if entry.directory else ""),
            None if entry.directory else entry.size,
        )
        for volume, tree in listed
        if tree is not None
        for entry in tree.entries()
    ]
    return rows(style, ["path", "size"], body, align="lr")


@command.command("cat", examples=[("upytool image cat firmware.uf2 main.py", "one file's content, byte for byte")])
@file_argument
@click.argument("path", help="The file in it.")
@place_options
@pass_app
def cat(app: App, file: str, path: str, place: Place) -> None:
    """Print a file."""
    with opened(app, file, place, whole=False) as found:
        data = found.tree().read(path)
    app.out(data)


@command.command(
    "extract",
    examples=[
        ("upytool image extract firmware.uf2", "into the directory firmware"),
        ("upytool image extract : -o saved", "what a board has, by its boot loader"),
    ],
)
@file_argument
@click.option("--output", "-o", metavar="DIR", help="The directory; FILE's name without its ending.")
@click.option("--force", "-f", is_flag=True, help="Write into a directory that holds something, over what is there.")
@place_options
@pass_app
def extract(app: App, file: str, output: str | None, force: bool, place: Place) -> None:
    """Write the files into a directory."""
    from ...device.romfs_folder import save

    if output is None:
        output = "board-files" if file == BOARD else str(Path(file).with_suffix(""))
        if output == file:
            output += "-files"
    with opened(app, file, place, whole=False) as found:
        volume = found.choose()
        tree = found.tree(volume)
        files = tree.files()
        others = [label(each) for each in found.volumes if each.kind and each is not volume]
    save(files, [entry.path for entry in tree.entries() if entry.directory], Path(output), force=force)
    app.emit({"output": output, "files": sorted(files)}, output)
    app.note(f"{plural(len(files), 'file')}, {size(sum(map(len, files.values())))}")
    for other in others:
        app.note(f"these are the files of {label(volume)}; for those of {other}: --volume {other}")


@command.command(
    "add",
    examples=[
        ("upytool image add firmware.uf2 main.py lib", "two things, into the file itself"),
        ("upytool image add firmware.uf2 app/ -o mine.uf2", "what is in app, into a copy"),
        ("upytool image add : main.py", "onto a board in its boot loader"),
    ],
)
@file_argument
@click.argument("source", nargs=-1, type=LocalPath(directories=True), help="Files and directories.")
@click.option("--to", metavar="DIR", default="", help="The directory that they go to.")
@output_option
@all_option
@place_options
@pass_app
def add(
    app: App, file: str, source: tuple[str, ...], to: str, output: str | None, everything: bool, place: Place
) -> None:
    """Put files in, over those that are there. A firmware file without a file system gets one.

    FILE is replaced when all is written, opened again and compared; on a board only changed sectors are written.
    """
    if not source:
        raise UsageError("image add needs files", hint="upytool image add firmware.uf2 main.py")
    files, folders = sources(source, to, everything)
    with opened(app, file, place) as found:
        volume = found.choose()
        if not volume.kind:
            volume = _new(found, volume, output)
        tree = found.tree(volume)
        for folder in folders:
            tree.mkdir(folder)
        for path, data in files.items():
            tree.write(path, data)
        written = found.save(volume, tree, output)
    _done(app, found, output, written, f"{plural(len(files), 'file')} added")


def _new(found: Opened, volume: FsVolume, output: str | None) -> FsVolume:
    """An empty file system for a region of a firmware file that has none."""
    from dataclasses import replace

    from ...image.blocks import MemoryBlocks
    from ...image.volume import build_fs, default_kind, kind_of

    image = found.image
    if image is None or volume.problem == OTHER:
        raise ImageError(
            f"{label(volume)} of {found.name} holds no file system that could be read: {volume.problem}",
            hint="the firmware makes one at its first start",
        )
    identity = image.identity
    kind = default_kind(image.port, identity.capabilities)
    built = build_fs(kind, volume.size, {}, port=image.port, release=identity.release, chip=image.chip)
    memory = image.memory
    for offset, data in built.blocks.items():
        memory = memory.replaced(volume.start + offset, data)
    found.image = replace(image, memory=memory)
    blocks = MemoryBlocks(memory, volume.start, volume.size)
    name, block_size, _ = kind_of(blocks)
    made = replace(volume, kind=name, block_size=block_size, blocks=blocks, problem="", present=True)
    found.app.note(f"{label(volume)} was empty: a new {made.kind_name}, which replaces what a board has there")
    return made


@command.command(
    "rm",
    examples=[
        ("upytool image rm firmware.uf2 main.py", "one file"),
        ("upytool image rm : main.py", "a bad main.py off a board whose REPL cannot be had"),
        ("upytool image rm -r dump.bin lib", "a directory with all that is in it"),
    ],
)
@file_argument
@click.argument("path", nargs=-1, help="What to remove.")
@click.option("--recursive", "-r", is_flag=True, help="Directories with all that is in them.")
@output_option
@place_options
@pass_app
def rm(app: App, file: str, path: tuple[str, ...], recursive: bool, output: str | None, place: Place) -> None:
    """Remove files."""
    if not path:
        raise UsageError("image rm needs the paths to remove", hint="upytool image rm firmware.uf2 main.py")
    with opened(app, file, place) as found:
        volume = found.choose()
        tree = found.tree(volume)
        for each in path:
            tree.remove(each, recursive=recursive)
        written = found.save(volume, tree, output)
    _done(app, found, output, written, f"{', '.join(path)} removed")


def _done(app: App, found: Opened, output: str | None, written: int, what: str) -> None:
    name = output or found.name
    app.emit({"output": name, "written": written}, "" if found.loader is not None else name)
    app.note(f"{what}; {size(written)} written" + (" to the board" if found.loader is not None else ""))


@command.command(
    "diff",
    examples=[
        ("upytool image diff old.uf2 new.uf2", "what other files are in it"),
        ("upytool image diff firmware.uf2 src", "compare with a directory"),
        ("upytool image diff : backup.bin", "a board with its backup"),
    ],
)
@click.argument("left", type=LocalPath(directories=True), help="A file, a directory, or `:`.")
@click.argument("right", type=LocalPath(directories=True), help="The same.")
@place_options
@pass_app
def diff(app: App, left: str, right: str, place: Place) -> None:
    """Compare the files of two images, byte by byte: of all their file systems, or of the one that is named.

    Exit code 1 means that there are differences. A directory is compared with one file system.
    """
    from ...image.tree import difference

    single = bool(place.volume or place.region) or any(each != BOARD and os.path.isdir(each) for each in (left, right))
    changes = difference(*as_trees(files_of(app, left, place, one=single), files_of(app, right, place, one=single)))
    app.emit([_change_data(change) for change in changes], [_change_line(change) for change in changes])
    if changes:
        counts = [f"{sum(each.what == what for each in changes)} {what}" for what in MARKS]
        one, two = ("the board" if each == BOARD else each for each in (left, right))
        raise DifferencesFound(f"{one} and {two} differ: {', '.join(c for c in counts if not c.startswith('0 '))}")
    app.note("No differences")


def _change_data(change: Change) -> dict[str, Any]:
    return {"path": change.path, "what": change.what, "old_size": change.old_size, "new_size": change.new_size}


def _change_line(change: Change) -> str:
    sizes = ""
    if change.what == "changed" and change.old_size is not None and change.new_size is not None:
        sizes = f"  ({size(change.old_size)} -> {size(change.new_size)})"
    return f"{MARKS[change.what]} {printable(change.path)}{sizes}"


@command.command(
    "mkfs",
    examples=[
        ("upytool image mkfs disk.img --size 1408K main.py lib", "a LittleFS as a Pico has it"),
        ("upytool image mkfs disk.img --board PYBV11 --version 1.26 boot.py", "as this board wants it"),
        ("upytool image mkfs disk.img --kind fat --size 512K --block-size 4096", "an empty FAT"),
    ],
)
@click.argument("out", type=LocalPath(), help="The new file.")
@click.argument("source", nargs=-1, type=LocalPath(directories=True), help="Files and directories.")
@click.option("--size", "length", metavar="SIZE", help="Of the region, exactly: 1408K, 0x160000.")
@click.option("--kind", type=click.Choice(["littlefs", "littlefs1", "fat", "romfs"]), help="Of file system.")
@click.option("--block-size", metavar="SIZE", help="Of a LittleFS (4096), or the sector of a FAT (512).")
@click.option("--port", metavar="NAME", help="MicroPython's port, whose parameters to take: rp2, esp32, samd ...")
@click.option("--board", metavar="NAME", default="", help="Take size, kind and parameters from this board's layout.")
@click.option("--version", "firmware_version", metavar="VERSION", default="", help="Of the MicroPython that mounts it.")
@click.option("--flash-size", metavar="SIZE", help="Of the board's flash, where the layout depends on it.")
@all_option
@pass_app
def mkfs(
    app: App,
    out: str,
    source: tuple[str, ...],
    length: str | None,
    kind: str | None,
    block_size: str | None,
    port: str | None,
    board: str,
    firmware_version: str,
    flash_size: str | None,
    everything: bool,
) -> None:
    """Make a file system, with files in it: exactly the size of its region, the same for the same input."""
    from ...device.local import FileSink
    from ...image.identity import release_of
    from ...image.volume import build_fs

    block = number(block_size) if block_size else None
    total = number(length) if length else 0
    if board:
        if not firmware_version:
            raise UsageError("--board needs --version", hint="the layout of a board changes with it")
        place = Place(flash_size=number(flash_size) if flash_size else None)
        known = table_regions(board, firmware_version, place)
        known = [each for each in known if (kind == "romfs") == (each.kind == "romfs")]
        if not known:
            raise ImageError(
                f"the flash layout of {board} with MicroPython {firmware_version} is not known",
                hint="give --size, and --kind and --block-size where they differ from 4096-byte LittleFS",
            )
        region = known[0]
        kind, total, block = kind or region.kind, total or region.size, block or region.block_size or None
        port = port or _port_of(board)
    if not total:
        raise UsageError("mkfs needs --size, or --board with --version")
    files, folders = sources(source, "", everything)
    release = release_of(firmware_version) if firmware_version else None
    if firmware_version and release is None:
        raise UsageError(f"{firmware_version} is no version of MicroPython", hint="such as 1.26.1")
    built = build_fs(
        kind or "littlefs",
        total,
        files,
        port=port or "",
        release=release,
        block_size=block,
        directories=folders,
    )
    sink = FileSink(Path(out))
    sink.write(built.to_bytes())
    sink.done()
    app.emit(_built_data(out, built, files), out)
    app.note(f"{plural(len(files), 'file')}, {size(built.written)} of {size(built.size)} in use")


def _port_of(board: str) -> str:
    from ...boards.catalogue import get

    found = get(board.partition("-")[0].upper())
    return found.port if found is not None else ""


def _built_data(out: str, built: BuiltFs, files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "output": out,
        "kind": built.kind,
        "size": built.size,
        "block_size": built.block_size,
        "used": built.written,
        "files": sorted(files),
    }
