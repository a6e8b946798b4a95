"""The options of `upytool flash`, as the values that the library takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from ..errors import UsageError
from ..words import Said
from .flash_source import complete_boards
from .params import ByteSize, LocalPath

TOOLS = ("auto", "picoboot", "picotool", "uf2", "daplink", "dfu", "dfu-util", "esptool", "ota")
_OPTIONS = (
    click.argument("file", type=LocalPath(), required=False, default="", help="Firmware file, URL or board name."),
    click.option(
        "--board", "-b", default="", metavar="NAME", shell_complete=complete_boards,
        help="Board whose firmware to download.",
    ),
    click.option(
        "--version", default="", metavar="VERSION",
        help="MicroPython version: latest (default), preview, 1.28, or a date.",
    ),
    click.option("--variant", default="", metavar="NAME", help="Board variant: SPIRAM, RISCV ..."),
    click.option("--erase", "erase_all", is_flag=True, help="Erase the whole flash first, including files."),
    click.option("--erase-fs", is_flag=True, help="Erase the file system too; the board creates a new one."),
    click.option("--keep-fs", is_flag=True, help="Abort if the file system would be lost."),
    click.option(
        "--backup", type=LocalPath(), default="", metavar="FILE",
        help="Save the files first (.tar, .zip) or, as .bin or without a REPL, the whole flash.",
    ),
    click.option("--verify-only", is_flag=True, help="Compare the board with the firmware without changing anything."),
    click.option("--dry-run", "-n", is_flag=True, help="Show the plan without changing anything."),
    click.option("--sha256", default="", metavar="HEX", help="SHA-256 the file must have."),
    click.option("--all", "every", is_flag=True, help="Flash every connected board, in parallel."),
    click.option("--tool", type=click.Choice(TOOLS), default="auto", help="Flash method (default: detect)."),
    click.option("--whole", is_flag=True, help="Write everything, even what is on the board already."),
    click.option("--no-verify", is_flag=True, help="Skip reading back what was written."),
    click.option("--no-wait", is_flag=True, help="Skip waiting for the new firmware to answer."),
    click.option("--at", type=ByteSize(), metavar="ADDRESS", help="Write the raw bytes of the file to this address."),
    click.option(
        "--slot", default="", metavar="NAME", help="ESP: partition for an application image: running, or a label."
    ),
    click.option("--no-stub", is_flag=True, help="ESP: do not use esptool's stub (slower)."),
    click.option(
        "--flash-size", default="keep", metavar="SIZE", help="ESP: flash size to set in the image: 4MB, detect ..."
    ),
    click.option(
        "--flash-mode", default="keep", metavar="MODE", help="ESP: flash mode to set in the image: dio, dout ..."
    ),
    click.option(
        "--layout", default="", metavar="TEXT", help="STM32: memory layout to use instead of the device's own."
    ),
)  # fmt: skip


def flash_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command gets `which` (FirmwareWish), `wish` (FlashWish), `every` and `dry_run`."""
    import functools

    @functools.wraps(command)
    def wrapped(*args: Any, **values: Any) -> Any:
        from ..api.flash import FirmwareWish, FlashWish

        erase_all, erase_fs, no_wait = (values.pop(name) for name in ("erase_all", "erase_fs", "no_wait"))
        waits: dict[str, Any] = {"wait": 0.0} if no_wait else {}
        names = ("keep_fs", "backup", "verify_only", "tool", "whole", "slot", "flash_size", "flash_mode", "layout")
        wish = FlashWish(
            erase="all" if erase_all else "fs" if erase_fs else "changed",
            verify=not values.pop("no_verify"),
            stub=not values.pop("no_stub"),
            **{name: values.pop(name) for name in names},
            **waits,
        )
        which = {name: values.pop(name) for name in ("file", "board", "version", "variant", "sha256", "at")}
        if values["every"] and wish.tool == "ota":
            raise UsageError(
                "usage.conflicting-options", option="--tool ota", other="--all", hint=Said("cli.one-board")
            )
        if values["every"] and which["at"] is not None:
            raise UsageError("usage.at-file")
        return command(*args, which=FirmwareWish(**which), wish=wish, **values)

    # Click keeps the options and arguments that were put on it so far here.
    for option in reversed(_OPTIONS):
        option(wrapped)
    return wrapped
