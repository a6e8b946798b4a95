"""`upytool read-flash`."""

from __future__ import annotations

import click

from ..answers import answers
from ..app import App, pass_app
from ..group import define
from ..params import ByteSize, LocalPath
from ..ui.text import seconds, size


@define(
    "read-flash",
    examples=[
        ("upytool read-flash board.bin", "the whole flash: firmware and files"),
        ("upytool read-flash files.img --fs", "the file system as it is in flash"),
        ("upytool read-flash part.bin --range 0x8000 0xc00", "a part"),
        ("upytool flash --at 0x0 board.bin", "bring a saved flash back (the address is what `read-flash` printed)"),
    ],
)
@click.argument("file", type=LocalPath(), help="Output file; it appears when it is complete.")
@click.option("--fs", "only_fs", is_flag=True, help="Limit to the file system.")
@click.option(
    "--range", "span", type=ByteSize(), nargs=2, metavar="ADDRESS SIZE", help="Limit to this part of the flash."
)
@click.option(
    "--tool", default="auto", metavar="NAME", help="Flash method: picoboot, dfu, esptool ... (default: detect)."
)
@pass_app
def command(app: App, file: str, only_fs: bool, span: tuple[int, int] | None, tool: str) -> None:
    """Save a board's flash to a file, through its bootloader.

    Firmware, settings and files, byte for byte. The board restarts for it. `upytool backup` saves the files of a board
    that runs, in an archive.
    """
    from ...api import raw_flash
    from ...questions import accept
    from .. import flashing

    part = raw_flash.Part(only_fs, span)
    raw_flash.require_output(file, answers(app))
    done = raw_flash.read(flashing.choose(app), file, part, tool=tool, ask=accept, reporter=app.reporter)
    app.emit(done.data(), "")
    app.note(f"Saved {size(done.bytes)} from {done.address:#x} in {file} in {seconds(done.seconds)}")
