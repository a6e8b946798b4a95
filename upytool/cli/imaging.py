"""What the `image`, `romfs` and `rescue` commands have in common: options, a board's flash, the look of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from .app import App
from .ui.style import Style
from .ui.text import plural, rows, size

if TYPE_CHECKING:
    from ..api.images import BoardFlash, Extracted, Listing, Opener, Target

BOARD = ":"
_OPTIONS = (
    click.option("--volume", metavar="NAME", default="", help="File system, by name, number or address."),
    click.option(
        "--region", metavar="START,SIZE", default="", help="Region of the file system, where it cannot be detected."
    ),
    click.option("--board", metavar="NAME", default="", help="Board, where the file does not name it (NAME-VARIANT)."),
    click.option(
        "--version", metavar="VERSION", default="", help="MicroPython version, where the file does not name it."
    ),
    click.option("--flash-size", metavar="SIZE", default="", help="Flash size of the chip: 4M, 0x400000."),
)


def place_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that make an api.images.Place; the command gets it as `place`."""
    import functools

    @functools.wraps(command)
    def wrapped(*args: Any, **values: Any) -> Any:
        from ..api.images import Place, parse_region, parse_size

        volume, region, board, version, flash_size = (
            values.pop(name) for name in ("volume", "region", "board", "version", "flash_size")
        )
        place = Place(
            volume,
            parse_region(region) if region else None,
            board,
            version,
            parse_size(flash_size) if flash_size else None,
        )
        return command(*args, place=place, **values)

    # Click keeps the options and arguments that were put on it so far here.
    for option in reversed(_OPTIONS):
        option(wrapped)
    return wrapped


def target(app: App, file: str) -> Target:
    """A file, or with ":" the flash of the board in its bootloader, which a board that runs needs a yes for."""
    return board_flash(app) if file == BOARD else file


def board_flash(app: App) -> Opener:
    """The flash of the board that -d says, when it is opened; it runs its firmware again afterwards."""

    @contextmanager
    def flash() -> Iterator[BoardFlash]:
        from ..api.bootloader import opened
        from .answers import answers
        from .flashing import choose

        with opened(choose(app), ask=answers(app), reporter=app.reporter) as its:
            yield its

    return flash


# -- results ------------------------------------------------------------------------------------------


def entry_rows(style: Style, listed: Sequence[Listing]) -> list[str]:
    """Files and directories, with the file system's name where several have some."""
    several = len([each for each in listed if each.entries is not None]) > 1
    body = [
        (
            (f"{each.volume.title}:" if several else "") + entry.path + ("/" if entry.directory else ""),
            None if entry.directory else entry.size,
        )
        for each in listed
        for entry in each.entries or ()
    ]
    return rows(style, ["path", "size"], body, align="lr")


def described(listed: Listing) -> str:
    """One line about a file system."""
    volume, usage = listed.volume, listed.usage
    name = f"{volume.name}  " if volume.name else ""
    text = f"{name}{volume.start:#010x}-{volume.end:#010x}  {size(volume.size)}  {volume.kind_name}"
    text += f" ({volume.problem})" if volume.problem else ""
    if usage is not None:
        text += f", {usage.used} of {usage.blocks} blocks of {usage.block_size} bytes used"
    return text


def show_extracted(app: App, done: Extracted) -> None:
    """Print where files were written to."""
    app.emit(done.data(), done.output)
    app.note(f"{plural(len(done.files), 'file')}, {size(sum(done.files.values()))}")
    for other in done.others:
        app.note(f"these are the files of {done.volume}; for those of {other}: --volume {other}")
