"""`upytool boards`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..app import App, pass_app
from ..group import define_group
from ..ui.text import plural, rows, size, wrapped

if TYPE_CHECKING:
    from ...boards.catalogue import Board


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
    from ...boards.catalogue import all_boards

    every = all_boards()
    ports = {board.port for board in every}
    if port is not None and port.lower() not in ports:
        from ..suggest import did_you_mean

        known = f"there are {', '.join(sorted(ports))}"
        raise UsageError(f"no board has the port {port}", hint=did_you_mean(port.lower(), ports, known))
    wanted = [
        board
        for board in every
        if (port is None or board.port == port.lower())
        and (mcu is None or board.mcu.lower() == mcu.lower())
        and (vendor is None or vendor.lower() in board.vendor.lower())
    ]
    _table(app, wanted)


@command.command("search", examples=[("upytool boards search esp32 s3", "boards whose names have these words")])
@click.argument("words", nargs=-1, required=True, help="Words to find in names, products, manufacturers and chips.")
@pass_app
def search(app: App, words: tuple[str, ...]) -> None:
    """Find boards by any words."""
    from ...boards.catalogue import search as find

    found = find(words)
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
    from ...image.identity import release_of

    if version is not None and release_of(version) is None:
        raise UsageError(f"{version!r} is not a version of MicroPython", hint="write 1.26 or 1.26.1")
    found, variant = _find(board)
    maps, problem = _maps(found, variant, version)
    data: dict[str, Any] = {**found.data(), "layouts": {name: [each.data() for each in part] for name, part in maps}}
    if not maps:  # before the result: its warnings are part of the JSON document
        app.warn(problem)
    app.emit(data, lambda style: _lines(found, variant, maps, style))


def _find(name: str) -> tuple[Board, str | None]:
    """The board, and the variant where the name has one. Raises: UsageError."""
    from ...boards.catalogue import find, get

    base, dash, variant = name.rpartition("-")
    board = get(base) if dash and get(name) is None else None
    if board is None:
        return find(name), None
    return board, board.variant(variant)


def _maps(board: Board, variant: str | None, version: str | None) -> tuple[list[tuple[str, Any]], str]:
    """(variant, regions) for each variant (or this one) that the table knows, and why there are none."""
    from ...boards.layouts import LayoutError, layouts

    maps, problem = [], ""
    for each in ("", *board.variants) if variant is None else (variant,):
        release = version or (board.tags[-1] if board.tags else "1.26")
        try:
            maps.append((each, layouts(board.id, each, release, flash_size=board.flash_size(each))))
        except LayoutError as error:
            problem = problem or f"{error}" + (f"; {error.hint}" if error.hint else "")
    return maps, problem


def _lines(board: Board, variant: str | None, maps: list[tuple[str, Any]], style: Any) -> list[str]:
    flash = board.flash_size(variant or "")
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
    for name, regions in maps:
        lines += ["", style.strong(f"flash of {board.id}-{name}" if name else f"flash of {board.id}")]
        body = [
            (each.name, f"{each.start:#x}", size(each.size) if each.size else "to the end", _KINDS[each.kind])
            for each in regions
        ]
        lines += rows(style, ["region", "start", "size", "file system"], body, align="llrl")
        for source in dict.fromkeys(each.source for each in regions):
            lines += wrapped(style, f"from {source}")
    return lines


def _fact(style: Any, name: str, text: str) -> list[str]:
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
