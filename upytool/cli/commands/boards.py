"""`upytool boards`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from ..app import App, pass_app
from ..group import define_group
from ..ui.text import plural, rows, size, wrapped

if TYPE_CHECKING:
    from ...api.catalogue import Board, BoardFacts
    from ..ui.style import Style


_KINDS = {"littlefs": "LittleFS", "littlefs1": "LittleFS v1", "fat": "FAT", "romfs": "ROMFS"}


@define_group(
    "boards",
    examples=[
        ("upytool boards list --port rp2", "all boards of a port"),
        ("upytool boards search pico w", "by any words"),
        ("upytool boards show RPI_PICO", "one board: variants, flash, bootloader"),
    ],
)
def command() -> None:
    """The boards that MicroPython has firmware for, and how their flash is divided."""


@command.command(
    "list",
    examples=[("upytool boards list", "all of them"), ("upytool boards list --mcu esp32s3", "those with this chip")],
)
@click.option("--port", metavar="PORT", help="Limit to boards of this port: rp2, esp32, stm32, samd, nrf, mimxrt ...")
@click.option("--mcu", metavar="MCU", help="Limit to boards with this chip.")
@click.option("--vendor", metavar="NAME", help="Limit to boards of this manufacturer.")
@pass_app
def list_(app: App, port: str | None, mcu: str | None, vendor: str | None) -> None:
    """List boards."""
    from ...api import catalogue

    _table(app, catalogue.boards(port=port, mcu=mcu, vendor=vendor))


@command.command("search", examples=[("upytool boards search esp32 s3", "boards whose names have these words")])
@click.argument("words", nargs=-1, required=True, help="Words to find in names, products, manufacturers and chips.")
@pass_app
def search(app: App, words: tuple[str, ...]) -> None:
    """Find boards by any words."""
    from ...api import catalogue

    found = catalogue.search(words)
    _table(app, found)
    if not found:
        app.note("fewer or shorter words find more; `upytool boards list` shows all")


@command.command(
    "show",
    examples=[
        ("upytool boards show RPI_PICO", "what is known of it"),
        ("upytool boards show ESP32_GENERIC-OTA --version 1.27", "a variant's flash map in this release"),
    ],
)
@click.argument("board", help="Board, by any of its names, or BOARD-VARIANT.")
@click.option("--version", metavar="X.Y", help="MicroPython version of the flash map (default: the newest known).")
@pass_app
def show(app: App, board: str, version: str | None) -> None:
    """Show one board: variants, features, how its bootloader is reached, and its flash map."""
    from ...api import catalogue

    found = catalogue.show(board, version)
    if found.problem:  # before the result: its warnings are part of the JSON document
        app.warn(found.problem)
    app.emit(found.data(), lambda style: _lines(found, style))


def _lines(found: BoardFacts, style: Style) -> list[str]:
    board, flash = found.board, found.flash_size
    facts = [
        ("board", board.id),
        ("product", f"{board.vendor} {board.product}".strip()),
        ("chip", f"{board.mcu} (port {board.port})"),
        ("flash", _flash(flash) if flash else "not known"),
        ("features", ", ".join(board.features) or "-"),
        ("variants", ", ".join(f"{name} ({text})" for name, text in board.variants.items()) or "-"),
        ("also called", ", ".join(board.aliases) or "-"),
        ("firmware", ", ".join("." + kind for kind in board.kinds)),
        ("written by", ", ".join(board.deploy) or "-"),
    ]
    facts += [("bootloader", way) for way in board.enter]
    facts += [("by hand", step) for step in board.steps]
    lines = [line for name, text in facts for line in _fact(style, name, text)]
    for name, regions in found.layouts.items():
        lines += ["", style.strong(f"flash of {board.id}-{name}" if name else f"flash of {board.id}")]
        body = [
            (each.name, f"{each.start:#x}", size(each.size) if each.size else "to the end", _KINDS[each.kind])
            for each in regions
        ]
        lines += rows(style, ["region", "start", "size", "file system"], body, align="llrl")
        for source in dict.fromkeys(each.source for each in regions):
            lines += wrapped(style, f"from {source}")
    return lines


def _fact(style: Style, name: str, text: str) -> list[str]:
    """`name        text`, what does not fit below the text."""
    first, *rest = wrapped(style, text, " " * 12, 0)
    return [f"{name:<12}" + first[12:], *rest]


def _flash(count: int) -> str:
    """As makers of boards say it, and --flash-size takes it: `4MB` is 4 times 1048576 bytes."""
    return f"{count >> 20}MB" if count % (1 << 20) == 0 else f"{count >> 10}KB"


def _table(app: App, boards: Iterable[Board]) -> None:
    found = list(boards)
    body = [(each.id, each.port, each.mcu, each.vendor, each.product) for each in found]
    app.emit(
        [each.data() for each in found],
        lambda style: rows(style, ["board", "port", "chip", "maker", "product"], body),
    )
    app.note(plural(len(found), "board"))
