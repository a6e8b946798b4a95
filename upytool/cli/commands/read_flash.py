"""`upytool read-flash`."""

from __future__ import annotations

import time
from pathlib import Path

import click

from ...errors import FlashError, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import ByteSize, LocalPath
from ..ui.text import seconds, size


@define(
    "read-flash",
    examples=[
        ("upytool read-flash board.bin", "the whole flash: firmware and files"),
        ("upytool read-flash files.img --fs", "the file system as it lies in flash"),
        ("upytool read-flash part.bin --range 0x8000 0xc00", "a part"),
        ("upytool flash --at 0x0 board.bin", "bring a saved flash back (the address is what `read-flash` printed)"),
    ],
)
@click.argument("file", type=LocalPath(), help="Output file; it appears when it is complete.")
@click.option("--fs", "only_fs", is_flag=True, help="Limit to the file system.")
@click.option(
    "--range", "part", type=ByteSize(), nargs=2, metavar="ADDRESS SIZE", help="Limit to this part of the flash."
)
@click.option(
    "--tool", default="auto", metavar="NAME", help="Flash method: picoboot, dfu, esptool ... (default: detect)."
)
@pass_app
def command(app: App, file: str, only_fs: bool, part: tuple[int, int] | None, tool: str) -> None:
    """Save a board's flash to a file, through its bootloader.

    Firmware, settings and files, byte for byte. The board restarts for it. `upytool backup` saves the files of a board
    that runs, in an archive.
    """
    from ...flashers import verify
    from .. import flashing

    if only_fs and part:
        raise UsageError("--fs and --range exclude one another")
    flashing.require_folder(file)
    if Path(file).is_file() and not app.confirm(f"{file} exists. Replace it?"):
        raise click.Abort
    start = time.monotonic()
    around = flashing.surroundings(app)
    target = flashing.choose(app, around)
    with flashing.boot_loader(app, target=target, tool=tool, around=around) as loader:
        chip = loader.chip
        if "read" not in loader.abilities:
            raise FlashError(f"{loader.flasher} cannot read this board's flash", hint="see --tool")
        if part:
            address, length = part
        elif only_fs:
            address, length = flashing.filesystem_ranges(loader, target)[0]
        elif chip.flash_size:
            address, length = chip.flash_base, chip.flash_size
        else:
            raise FlashError("how large the flash is, this board does not say", hint="say which part: --range")
        verify.save(loader, file, address, length, reporter=app.reporter)
    app.emit({"file": file, "address": address, "bytes": length}, "")
    app.note(f"Saved {size(length)} from {address:#x} in {file} in {seconds(time.monotonic() - start)}")
