"""`upytool boards`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ..app import App, pass_app
from ..group import define_group
from ..ui.text import plural, rows, size

if TYPE_CHECKING:
    from ...boards.catalogue import Board


@define_group(
    "boards",
    examples=[
        ("upytool boards list --port rp2", "all boards of a port"),
        ("upytool boards search pico w", "by any words"),
        ("upytool boards show RPI_PICO", "one board: variants, flash, boot loader"),
    ],
)
def command() -> None:
    """The boards that MicroPython has firmware for, and how their flash is divided."""


@command.command(
    "list",
    examples=[("upytool boards list", "all of them"), ("upytool boards list --mcu esp32s3", "those with this chip")],
)
@click.option("--port", metavar="PORT", help="Only of this port: rp2, esp32, stm32, samd, nrf, mimxrt ...")
@click.option("--mcu", metavar="MCU", help="Only with this chip.")
@click.option("--vendor", metavar="NAME", help="Only of this maker.")
@pass_app
def list_(app: App, port: str | None, mcu: str | None, vendor: str | None) -> None:
    """List boards."""
    from ...boards.catalogue import all_boards

    wanted = [
        board
        for board in all_boards()
        if (port is None or board.port == port.lower())
        and (mcu is None or board.mcu.lower() == mcu.lower())
        and (vendor is None or vendor.lower() in board.vendor.lower())
    ]
    _table(app, wanted)


@command.command("search", examples=[("upytool boards search esp32 s3", "boards whose names have these words")])
@click.argument("words", nargs=-1, required=True, help="Parts of names, products, makers, chips.")
@pass_app
def search(app: App, words: tuple[str, ...]) -> None:
    """Find boards by any words."""
    from ...boards.catalogue import search as find

    _table(app, find(words))


@command.command(
    "show",
    examples=[
        ("upytool boards show RPI_PICO", "what is known of it"),
        ("upytool boards show ESP32_GENERIC --release 1.27", "its flash map in this release"),
    ],
)
@click.argument("board", help="A board, by any of its names.")
@click.option("--release", metavar="X.Y", help="Of MicroPython, for the flash map; the newest that is known.")
@pass_app
def show(app: App, board: str, release: str | None) -> None:
    """Show one board: variants, features, how its boot loader is reached, and its flash map."""
    from ...boards.catalogue import find

    found = find(board)
    maps, problem = _maps(found, release)
    data: dict[str, Any] = {**found.data(), "layouts": {name: [each.data() for each in part] for name, part in maps}}
    app.emit(data, lambda style: _lines(found, maps, problem, style))


def _maps(board: Board, release: str | None) -> tuple[list[tuple[str, Any]], str]:
    """(variant, regions) for each variant that the table knows, and why there are none."""
    from ...boards.layouts import LayoutError, layouts

    maps, problem = [], ""
    for variant in ("", *board.variants):
        version = release or (board.tags[-1] if board.tags else "1.26")
        try:
            maps.append((variant, layouts(board.id, variant, version, flash_size=board.flash_size(variant))))
        except LayoutError as error:
            problem = problem or error.message
    return maps, problem


def _lines(board: Board, maps: list[tuple[str, Any]], problem: str, style: Any) -> list[str]:
    flash = board.flash_size()
    facts = [
        ("board", board.id),
        ("product", f"{board.vendor} {board.product}".strip()),
        ("chip", f"{board.mcu} (port {board.port})"),
        ("flash", size(flash) if flash else "not known"),
        ("features", ", ".join(board.features) or "-"),
        ("variants", ", ".join(f"{name} ({text})" for name, text in board.variants.items()) or "-"),
        ("also called", ", ".join(board.aliases) or "-"),
        ("firmware", ", ".join("." + kind for kind in board.kinds)),
        ("written by", ", ".join(board.deploy) or "-"),
    ]
    lines = [f"{name:<12}{text}" for name, text in facts]
    for way in board.enter:
        lines.append(f"{'boot loader':<12}{way}")
    for step in board.steps:
        lines.append(f"{'by hand':<12}{step}")
    for variant, regions in maps:
        lines += ["", style.strong(f"flash of {board.id}-{variant}" if variant else f"flash of {board.id}")]
        body = [
            (each.name, f"{each.start:#x}", size(each.size) if each.size else "to the end", each.kind, each.source)
            for each in regions
        ]
        lines += rows(style, ["region", "start", "size", "file system", "says"], body, align="llrll")
    return lines if maps or not problem else [*lines, "", problem]


def _table(app: App, boards: Iterable[Board]) -> None:
    found = list(boards)
    body = [(each.id, each.port, each.mcu, each.vendor, each.product) for each in found]
    app.emit(
        [each.data() for each in found],
        lambda style: rows(style, ["board", "port", "chip", "maker", "product"], body),
    )
    app.note(plural(len(found), "board"))
