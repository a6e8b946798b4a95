"""`upytool erase`."""

from __future__ import annotations

import click

from ..answers import answers, part
from ..app import App, pass_app
from ..group import define
from ..params import ByteSize
from ..ui.text import size

LOST = {"all": "the firmware and all files", "fs": "all files", "range": "what is there"}


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
    "--range", "span", type=ByteSize(), nargs=2, metavar="ADDRESS SIZE", help="Limit to this part of the flash."
)
@click.option(
    "--tool", default="auto", metavar="NAME", help="Flash method: picoboot, dfu, esptool ... (default: detect)."
)
@pass_app
def command(app: App, only_fs: bool, span: tuple[int, int] | None, tool: str) -> None:
    """Erase a board's flash through its bootloader.

    Works on a board whose firmware does not start or whose program does not let go of it. `upytool wipe` removes the
    files of a board that runs, without a restart.
    """
    from ...api import raw_flash
    from .. import flashing

    what = raw_flash.Part(only_fs, span)
    named = part(what.kind, span)
    plan = raw_flash.plan_erase(flashing.choose(app), what, tool=tool)
    app.note(f"{plan.board.name}: erasing {named} takes {LOST[what.kind]} away")
    done = raw_flash.erase(plan, ask=answers(app), reporter=app.reporter)
    app.emit(done.data(), "")
    app.note(f"Erased {named}" + (f" ({size(done.bytes)})" if done.bytes and not span else ""))
    if what.kind == "all":
        known = plan.board.target
        board = f" --board {'-'.join(filter(None, (known.board, known.variant)))}" if known.board else ""
        app.note(f"The board has no firmware now; to put some on: `upytool -d {plan.board.selector} flash{board}`")
