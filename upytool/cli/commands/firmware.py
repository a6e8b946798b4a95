"""`upytool firmware`: firmware files, of this computer and published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ...errors import ImageError, UsageError
from ..app import App, pass_app
from ..flash_source import complete_boards, firmware_settings
from ..group import define_group
from ..imaging import target
from ..params import LocalPath
from ..ui.text import plural, rows, size

if TYPE_CHECKING:
    from ...api.catalogue import Board
    from ...api.firmware import Release


@define_group(
    "firmware",
    examples=[
        ("upytool firmware search pico", "which boards are there?"),
        ("upytool firmware list RPI_PICO", "which versions?"),
        ("upytool firmware download RPI_PICO", "the newest release, into this directory"),
        ("upytool firmware inspect firmware.uf2", "what is in a firmware file"),
    ],
)
def command() -> None:
    """Find, download and look into firmware files."""


@command.command(
    "inspect",
    examples=[
        ("upytool firmware inspect firmware.uf2", "chip, version, board, frozen modules, file system"),
        ("upytool firmware inspect ESP32_GENERIC.bin --json", "the same for programs"),
        ("upytool firmware inspect :", "what is on the board, read in its bootloader"),
    ],
)
@click.argument(
    "file", type=LocalPath(), help="Firmware file (UF2, DfuSe, Intel HEX, ESP image or raw image); `:` is the board."
)
@pass_app
def inspect(app: App, file: str) -> None:
    """Say all that a firmware file, or the firmware on a board, tells about itself.

    The format is told by the content, not by the name. Fails when a checksum in the file does not agree. A board is
    read in its bootloader, so it needs no REPL; it restarts for that, which a running board needs a yes for.
    """
    from ...api import firmware

    found = firmware.inspect(target(app, file), reporter=app.reporter)
    app.emit(found)
    if not found.valid and app.settings.json:  # the document says so already, a second one would follow it
        click.get_current_context().exit(ImageError.exit_code)
    found.require_valid()


@command.command(
    "list",
    examples=[
        ("upytool firmware list", "all boards"),
        ("upytool firmware list --port rp2", "those of one port"),
        ("upytool firmware list esp32-s3", "the newest firmware of a board, of each variant"),
        ("upytool firmware list RPI_PICO --versions", "all that is published"),
    ],
)
@click.argument(
    "board",
    shell_complete=complete_boards,
    required=False,
    help="Board, by any of its names (default: all boards).",
)
@click.option("--port", metavar="PORT", help="Limit to boards of this MicroPython port: rp2, esp32 ...")
@click.option("--mcu", metavar="CHIP", help="Limit to boards with this chip: esp32s3 ...")
@click.option("--versions", is_flag=True, help="List all versions of the board, not only the newest.")
@pass_app
def list_(app: App, board: str | None, port: str | None, mcu: str | None, versions: bool) -> None:
    """List boards, or the published firmware of one.

    Without the network a board's list is what was downloaded before.
    """
    from ...api import catalogue, firmware

    if board is None:
        if versions:
            raise UsageError("usage.versions-of-board")
        _show_boards(app, catalogue.boards(port=port, mcu=mcu))
        return
    if port or mcu:
        raise UsageError("usage.board-chosen")
    found = firmware.releases(board, newest=not versions, settings=firmware_settings(app), reporter=app.reporter)
    if not found:
        app.note(f"There is no firmware for {board}.")
    _show_releases(app, found)


@command.command(
    "search",
    examples=[
        ("upytool firmware search pico w", "boards with these words in name, maker or chip"),
        ("upytool firmware search esp32s3 psram", "chips and features count too"),
    ],
)
@click.argument("words", nargs=-1, required=True, help="Words that must all occur, in any order.")
@pass_app
def search(app: App, words: tuple[str, ...]) -> None:
    """Search for boards by name, maker, chip and features."""
    from ...api import catalogue

    found = catalogue.search(words)
    if not found:
        near = catalogue.suggest(" ".join(words))
        app.note("No board has all of that." + (f" Near are {', '.join(near)}." if near else ""))
    _show_boards(app, found)


@command.command(
    "download",
    examples=[
        ("upytool firmware download RPI_PICO", "the newest release"),
        ("upytool firmware download pico2-RISCV@1.27", "a variant, a version"),
        ("upytool firmware download ESP32_GENERIC --version=preview -o fw/", "a preview, somewhere else"),
        ("upytool firmware download ESP32_GENERIC --kind app-bin", "another kind of file"),
    ],
)
@click.argument(
    "board",
    shell_complete=complete_boards,
    help="BOARD, BOARD-VARIANT, a product's name, or the address of a file; @VERSION may follow.",
)
@click.option("--variant", metavar="NAME", default="", help="Board variant.")
@click.option(
    "--version",
    metavar="VERSION",
    default="",
    help="MicroPython version: latest (default), preview, 1.28, 1.28.0 or a date (YYYYMMDD).",
)
@click.option(
    "--kind",
    metavar="EXT",
    default="",
    help="File format: uf2, bin, dfu, hex, app-bin or zip (default: what suits the board).",
)
@click.option(
    "--output", "-o", type=LocalPath(), default=".", help="Output file or directory (default: this directory)."
)
@click.option("--sha256", metavar="HEX", default="", help="Checksum the file must have.")
@pass_app
def download(app: App, board: str, variant: str, version: str, kind: str, output: str, sha256: str) -> None:
    """Download firmware, look into it and keep a copy in the cache.

    Prints the path. A file that is in the cache is not fetched again; one that is not firmware, is damaged or
    differs from what the same address gave before is refused.
    """
    from ...api import firmware

    settings = firmware_settings(app)
    release = firmware.resolve(
        board, variant=variant, version=version, kind=kind, settings=settings, reporter=app.reporter
    )
    found = firmware.download(release, sha256=sha256, output=output, settings=settings, reporter=app.reporter)
    for each in found.warnings:
        app.warn(each)
    app.note(f"{release.name}: {size(found.size)}, {'from the cache' if found.cached else 'downloaded'}")
    app.emit(found.data(), str(found.path))


@command.command(
    "cache",
    examples=[
        ("upytool firmware cache", "what is there"),
        ("upytool firmware cache --clean", "remove it all"),
    ],
)
@click.option("--clean", is_flag=True, help="Remove all files (checksums are kept).")
@click.option("--path", is_flag=True, help="Print the cache directory.")
@click.option("--forget", metavar="URL", help="Forget the checksum of this URL.")
@pass_app
def cache(app: App, clean: bool, path: bool, forget: str | None) -> None:
    """List or clean the firmware files of this computer.

    Nothing is removed by itself: of previews the server keeps only the last few.
    """
    if clean + path + (forget is not None) > 1:
        raise UsageError("usage.only-one-of", options=["--clean", "--path", "--forget"])
    from ...api import firmware

    settings = firmware_settings(app)
    if path:
        folder = str(firmware.cache_folder(settings))
        app.emit({"path": folder}, folder)
    elif forget is not None:
        firmware.forget(forget, settings)
        app.emit({"forgotten": forget}, [])
    elif clean:
        entries = firmware.cached(settings)
        previews = sum(each.parts is not None and "preview" in each.parts.version for each in entries)
        if previews and not app.confirm(
            f"Remove {plural(len(entries), 'file')}, {previews} of them previews that may no longer be available?"
        ):
            raise click.Abort
        count, amount = firmware.clean_cache(settings)
        app.note(f"Removed {plural(count, 'file')}, {size(amount)}.")
        app.emit({"removed": count, "bytes": amount}, [])
    else:
        here = firmware.cached(settings)
        body = [[each.name, size(each.size), each.time[:10], each.sha256[:16]] for each in here]
        app.emit(
            [each.data() for each in here],
            lambda style: rows(style, ["name", "size", "fetched", "sha256"], body, align="lrll"),
        )


def _show_boards(app: App, boards: list[Board]) -> None:
    body = [
        [each.id, each.port, each.mcu, f"{each.vendor} {each.product}", ", ".join(each.variants)] for each in boards
    ]
    app.emit(
        [each.data() for each in boards],
        lambda style: rows(style, ["board", "port", "chip", "product", "variants"], body),
    )


def _show_releases(app: App, releases: list[Release]) -> None:
    body = [
        [each.version, each.data()["date"] or "", each.variant, each.ext, "yes" if each.path else "", each.name]
        for each in releases
    ]
    app.emit(
        [each.data() for each in releases],
        lambda style: rows(style, ["version", "date", "variant", "kind", "here", "file"], body),
    )
