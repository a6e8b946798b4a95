"""`upytool erase`."""

from __future__ import annotations

import click

from ...errors import FlashError, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import ByteSize
from ..ui.text import size


@define(
    "erase",
    examples=[
        ("upytool erase", "the whole flash: firmware and files"),
        ("upytool erase --fs", "the file system alone; the firmware makes a new one"),
        ("upytool erase --range 0x100000 64k", "a part"),
    ],
)
@click.option("--fs", "only_fs", is_flag=True, help="Limit to the file system.")
@click.option(
    "--range", "part", type=ByteSize(), nargs=2, metavar="ADDRESS SIZE", help="Limit to this part of the flash."
)
@click.option(
    "--tool", default="auto", metavar="NAME", help="Flash method: picoboot, dfu, esptool ... (default: detect)."
)
@pass_app
def command(app: App, only_fs: bool, part: tuple[int, int] | None, tool: str) -> None:
    """Erase a board's flash through its bootloader.

    Works on a board whose firmware does not start or whose program does not let go of it. `upytool wipe` removes the
    files of a board that runs, without a restart.
    """
    from ...flashers.chain import lasting
    from .. import flashing

    if only_fs and part:
        raise UsageError("--fs and --range exclude one another")
    around = flashing.surroundings(app)
    target = flashing.choose(app, around)
    what = "the file system" if only_fs else f"{part[1]} bytes at {part[0]:#x}" if part else "the whole flash"
    lost = "all files" if only_fs else "what is there" if part else "the firmware and all files"
    app.note(f"{target.name}: erasing {what} takes {lost} away")
    if not app.confirm(f"Erase {what}?"):
        raise click.Abort
    with flashing.boot_loader(app, target=target, tool=tool, around=around) as loader:
        if part or only_fs:
            ranges = [part] if part else flashing.filesystem_ranges(loader, target)
            if "erase" not in loader.abilities:
                raise FlashError(f"{loader.flasher} cannot erase a part of this board's flash", hint="see --tool")
            for address, length in ranges:
                loader.erase(address, length, reporter=app.reporter)
        elif "erase-all" in loader.abilities:
            ranges = [(loader.chip.flash_base, loader.chip.flash_size or 0)]
            loader.erase_all(reporter=app.reporter)
        else:
            raise FlashError(f"{loader.flasher} cannot erase the whole flash of this board", hint="see --tool")
    app.emit({"board": target.selector, "erased": [list(each) for each in ranges]}, "")
    total = sum(length for _, length in ranges)
    app.note(f"Erased {what}" + (f" ({size(total)})" if total and not part else ""))
    if not part and not only_fs:
        board = f" --board {'-'.join(filter(None, (target.board, target.variant)))}" if target.board else ""
        app.note(f"The board has no firmware now; to put some on: `upytool -d {lasting(target)} flash{board}`")
