"""`upytool image`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ...errors import DifferencesFound, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..imaging import BOARD, described, entry_rows, place_options, show_extracted, target
from ..params import LocalPath
from ..ui.text import plural, size

if TYPE_CHECKING:
    from ...api.images import Change, Changed, Place

FILE_HELP = "Firmware file, flash dump or bare file system; `:` is the board's flash, in its bootloader."
file_argument = click.argument("file", type=LocalPath(), help=FILE_HELP)
output_option = click.option("--output", "-o", metavar="OUT", help="Write to this file and leave FILE unchanged.")
all_option = click.option("--all", "everything", is_flag=True, help="Include dot files, __pycache__ and the like.")
MARKS = {"added": "+", "removed": "-", "changed": "~"}


@define_group(
    "image",
    examples=[
        ("upytool image ls firmware.uf2", "the files in a firmware file"),
        ("upytool image add firmware.uf2 main.py lib -o mine.uf2", "one file with your program in it"),
        ("upytool image ls :", "the files of a board in its bootloader, no REPL needed"),
        ("upytool image mkfs disk.img --size 1408K main.py", "a new LittleFS"),
    ],
)
def command() -> None:
    """Files in file systems (LittleFS, FAT, ROMFS) in firmware files, flash dumps and bootloaders.

    What a file system is, is told by its content; where it is, by the firmware itself where it can be. With `:` the
    board restarts into its bootloader and back, which a board that runs needs a yes for (--yes).
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
    from ...api import images

    listed = images.ls(target(app, file), place, reporter=app.reporter)
    for each in listed:
        if each.damage:
            app.warn(f"{each.volume.title}: {each.damage}")
    app.emit([each.data() for each in listed], lambda style: entry_rows(style, listed))
    for each in listed:
        app.note(described(each))


@command.command("cat", examples=[("upytool image cat firmware.uf2 main.py", "one file's content, byte for byte")])
@file_argument
@click.argument("path", help="Path of the file in the image.")
@place_options
@pass_app
def cat(app: App, file: str, path: str, place: Place) -> None:
    """Print a file."""
    from ...api import images

    app.out(images.read(target(app, file), path, place, reporter=app.reporter))


@command.command(
    "extract",
    examples=[
        ("upytool image extract firmware.uf2", "into the directory firmware"),
        ("upytool image extract : -o saved", "what a board has, by its bootloader"),
    ],
)
@file_argument
@click.option("--output", "-o", metavar="DIR", help="Output directory (default: FILE without its extension).")
@click.option("--force", "-f", is_flag=True, help="Write into a directory that is not empty, overwriting files.")
@place_options
@pass_app
def extract(app: App, file: str, output: str | None, force: bool, place: Place) -> None:
    """Write the files into a directory."""
    from ...api import images

    if output is None:
        output = "board-files" if file == BOARD else str(Path(file).with_suffix(""))
        if output == file:
            output += "-files"
    show_extracted(app, images.extract(target(app, file), output, place, force=force, reporter=app.reporter))


@command.command(
    "add",
    examples=[
        ("upytool image add firmware.uf2 main.py lib", "two things, into the file itself"),
        ("upytool image add firmware.uf2 app/ -o mine.uf2", "what is in app, into a copy"),
        ("upytool image add : main.py", "onto a board in its bootloader"),
    ],
)
@file_argument
@click.argument("source", nargs=-1, type=LocalPath(directories=True), help="Files and directories.")
@click.option("--to", metavar="DIR", default="", help="Target directory.")
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
    from ...api import images

    if not source:
        raise UsageError("usage.image-add-arguments")
    done = images.add(
        target(app, file), source, place, to=to, everything=everything, output=output, reporter=app.reporter
    )
    if done.made is not None:
        volume = done.made
        app.note(f"{volume.title} was empty: a new {volume.kind_name}, which replaces what a board has there")
    _show(app, done, f"{plural(len(done.paths), 'file')} added")


@command.command(
    "rm",
    examples=[
        ("upytool image rm firmware.uf2 main.py", "one file"),
        ("upytool image rm : main.py", "a bad main.py off a board whose REPL cannot be had"),
        ("upytool image rm -r dump.bin lib", "a directory with all that is in it"),
    ],
)
@file_argument
@click.argument("path", nargs=-1, help="Files and directories to remove.")
@click.option("--recursive", "-r", is_flag=True, help="Include directories and everything in them.")
@output_option
@place_options
@pass_app
def rm(app: App, file: str, path: tuple[str, ...], recursive: bool, output: str | None, place: Place) -> None:
    """Remove files."""
    from ...api import images

    if not path:
        raise UsageError("usage.image-rm-arguments")
    done = images.rm(target(app, file), path, place, recursive=recursive, output=output, reporter=app.reporter)
    _show(app, done, f"{', '.join(path)} removed")


def _show(app: App, done: Changed, what: str) -> None:
    app.emit(done.data(), "" if done.on_board else done.output)
    app.note(f"{what}; {size(done.written)} written" + (" to the board" if done.on_board else ""))


@command.command(
    "diff",
    examples=[
        ("upytool image diff old.uf2 new.uf2", "what other files are in it"),
        ("upytool image diff firmware.uf2 src", "compare with a directory"),
        ("upytool image diff : backup.bin", "a board with its backup"),
    ],
)
@click.argument("left", type=LocalPath(directories=True), help="File, directory, or `:` (the board).")
@click.argument("right", type=LocalPath(directories=True), help="File, directory, or `:` (the board).")
@place_options
@pass_app
def diff(app: App, left: str, right: str, place: Place) -> None:
    """Compare the files of two images, byte by byte: of all their file systems, or of the one that is named.

    Exit code 1 means that there are differences. A directory is compared with one file system.
    """
    from ...api import images

    changes = images.diff(target(app, left), target(app, right), place, reporter=app.reporter)
    app.emit([change.data() for change in changes], [_line(change) for change in changes])
    if changes:
        counts = [f"{sum(each.what == what for each in changes)} {what}" for what in MARKS]
        one, two = ("the board" if each == BOARD else each for each in (left, right))
        raise DifferencesFound(
            "differences.found", left=one, right=two, summary=[each for each in counts if not each.startswith("0 ")]
        )
    app.note("No differences")


def _line(change: Change) -> str:
    sizes = ""
    if change.what == "changed" and change.old_size is not None and change.new_size is not None:
        sizes = f"  ({size(change.old_size)} -> {size(change.new_size)})"
    return f"{MARKS[change.what]} {change.path}{sizes}"


@command.command(
    "mkfs",
    examples=[
        ("upytool image mkfs disk.img --size 1408K main.py lib", "a LittleFS as a Pico has it"),
        ("upytool image mkfs disk.img --board PYBV11 --version 1.26 boot.py", "as this board wants it"),
        ("upytool image mkfs disk.img --kind fat --size 512K --block-size 4096", "an empty FAT"),
    ],
)
@click.argument("out", type=LocalPath(), help="File to create.")
@click.argument("source", nargs=-1, type=LocalPath(directories=True), help="Files and directories.")
@click.option("--size", "length", metavar="SIZE", help="Size of the region: 1408K, 0x160000.")
@click.option("--kind", type=click.Choice(["littlefs", "littlefs1", "fat", "romfs"]), help="File system type.")
@click.option(
    "--block-size", metavar="SIZE", help="Block size of LittleFS (default: 4096) or sector size of FAT (default: 512)."
)
@click.option("--port", metavar="NAME", help="MicroPython port whose parameters to use: rp2, esp32, samd ...")
@click.option("--board", metavar="NAME", default="", help="Board whose layout gives size, type and parameters.")
@click.option("--version", metavar="VERSION", default="", help="MicroPython version that mounts it.")
@click.option("--flash-size", metavar="SIZE", help="Flash size of the board, where the layout depends on it.")
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
    version: str,
    flash_size: str | None,
    everything: bool,
) -> None:
    """Make a file system, with files in it: exactly the size of its region, the same for the same input."""
    from ...api import images

    made = images.mkfs(
        out,
        source,
        size=images.parse_size(length) if length else 0,
        kind=kind,
        block_size=images.parse_size(block_size) if block_size else None,
        port=port or "",
        board=board,
        version=version,
        flash_size=images.parse_size(flash_size) if flash_size else None,
        everything=everything,
    )
    app.emit(made.data(), out)
    app.note(f"{plural(len(made.files), 'file')}, {size(made.built.written)} of {size(made.built.size)} in use")
