"""`upytool flash`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ...errors import UsageError
from ..app import App, pass_app
from ..flash_source import Found, Wanted, complete_boards
from ..group import define
from ..params import ByteSize, LocalPath

if TYPE_CHECKING:
    from ...flashers.chain import Request

TOOLS = ("auto", "picoboot", "picotool", "uf2", "daplink", "dfu", "dfu-util", "esptool", "ota")


@define(
    "flash",
    examples=[
        ("upytool flash", "the newest MicroPython for the board that is plugged in"),
        ("upytool flash firmware.uf2", "this file"),
        ("upytool flash --version 1.28 --backup before.tar", "another version; the files are saved first"),
        ("upytool flash --board ESP32_GENERIC_S3 --variant SPIRAM_OCT", "for a board that does not say what it is"),
        ("upytool flash firmware.uf2 --dry-run", "only say what would happen"),
        ("upytool flash firmware.uf2 --all --yes", "every board that is plugged in, side by side"),
        ("upytool -d ws://192.168.4.1 flash", "over the air, an ESP32 with two OTA slots"),
    ],
)
@click.argument("file", type=LocalPath(), required=False, default="", help="Firmware file, URL or board name.")
@click.option(
    "--board", "-b", default="", metavar="NAME", shell_complete=complete_boards,
    help="Board whose firmware to download.",
)  # fmt: skip
@click.option(
    "--version", default="", metavar="VERSION", help="MicroPython version: latest (default), preview, 1.28, or a date."
)
@click.option("--variant", default="", metavar="NAME", help="Board variant: SPIRAM, RISCV ...")
@click.option("--erase", "erase_all", is_flag=True, help="Erase the whole flash first, including files.")
@click.option("--erase-fs", is_flag=True, help="Erase the file system too; the board creates a new one.")
@click.option("--keep-fs", is_flag=True, help="Abort if the file system would be lost.")
@click.option(
    "--backup", type=LocalPath(), default="", metavar="FILE",
    help="Save the files first (.tar, .zip) or, as .bin or without a REPL, the whole flash.",
)  # fmt: skip
@click.option("--verify-only", is_flag=True, help="Compare the board with the firmware without changing anything.")
@click.option("--dry-run", "-n", is_flag=True, help="Show the plan without changing anything.")
@click.option("--sha256", default="", metavar="HEX", help="SHA-256 the file must have.")
@click.option("--all", "every", is_flag=True, help="Flash every connected board, in parallel.")
@click.option("--tool", type=click.Choice(TOOLS), default="auto", help="Flash method (default: detect).")
@click.option("--whole", is_flag=True, help="Write everything, even what is on the board already.")
@click.option("--no-verify", is_flag=True, help="Skip reading back what was written.")
@click.option("--no-wait", is_flag=True, help="Skip waiting for the new firmware to answer.")
@click.option("--at", type=ByteSize(), metavar="ADDRESS", help="Write the raw bytes of the file to this address.")
@click.option(
    "--slot", default="", metavar="NAME", help="ESP: partition for an application image: running, or a label."
)
@click.option("--no-stub", is_flag=True, help="ESP: do not use esptool's stub (slower).")
@click.option(
    "--flash-size", default="keep", metavar="SIZE", help="ESP: flash size to set in the image: 4MB, detect ..."
)
@click.option("--flash-mode", default="keep", metavar="MODE", help="ESP: flash mode to set in the image: dio, dout ...")
@click.option("--layout", default="", metavar="TEXT", help="STM32: memory layout to use instead of the device's own.")
@pass_app
def command(app: App, /, **given: Any) -> None:
    """Put firmware on a board, and see that it runs.

    Finds out what the board is and how it is programmed, brings it into its bootloader, writes only what differs,
    reads it back, starts it and asks it for its version. Files on the board stay where the new firmware looks for
    them in the same place; what happens to them is said before anything is done.

    Without FILE the newest official release for the board is taken; in a project with a [build] table, the firmware
    that `upytool build` made there. A board without firmware has to be in its bootloader, and named with --board.

    Over the air (-d ws://...), and by cable with --tool ota, the running MicroPython of an ESP32 with two OTA slots
    writes the slot that does not run. The old firmware stays until the new one has answered.
    """
    _check(given)
    wanted = Wanted(given["file"], given["board"], given["version"], given["variant"], given["sha256"])
    from ...api.flash_target import goes_over_the_air
    from ..flash_source import check, is_file, obtain, of_project

    check(wanted)
    wanted = of_project(app, wanted)
    request = _request(app, given)
    air = not given["every"] and goes_over_the_air(app.selector, given["tool"], app.settings.devices)
    if air:
        from ...flashers.ota_plan import check_request

        check_request(request)
    if wanted.file and "://" not in wanted.file and is_file(wanted.file) and given["at"] is None:
        found: Found | None = obtain(app, wanted, None)  # a bad file is refused before any board is looked for
    else:
        found = None
    if given["every"]:
        from ..flash_many import flash_all

        flash_all(app, wanted, request, found, dry=given["dry_run"])
    elif air:
        from ..flash_one import flash_over_the_air

        flash_over_the_air(app, wanted, request, found, dry=given["dry_run"])
    else:
        from ..flash_one import flash_one

        flash_one(app, wanted, request, found, at=given["at"], dry=given["dry_run"])


def _check(given: dict[str, Any]) -> None:
    """Raises: UsageError for options that exclude one another."""
    pairs = (
        ("erase_all", "keep_fs", "--erase", "--keep-fs"),
        ("erase_fs", "keep_fs", "--erase-fs", "--keep-fs"),
        ("verify_only", "erase_all", "--verify-only", "--erase"),
        ("verify_only", "erase_fs", "--verify-only", "--erase-fs"),
        ("verify_only", "no_verify", "--verify-only", "--no-verify"),
    )
    for one, other, first, second in pairs:
        if given[one] and given[other]:
            raise UsageError(f"{first} and {second} exclude one another")
    if given["every"] and given["tool"] == "ota":
        raise UsageError("--tool ota cannot be used with --all", hint="name one board with -d")
    if given["at"] is not None and (not given["file"] or given["every"] or given["board"]):
        raise UsageError("--at takes a FILE, and one board", hint="upytool flash --at 0x0 saved.bin")


def _request(app: App, given: dict[str, Any]) -> Request:
    from ...flashers.base import FlashOptions
    from ...flashers.chain import Request

    chosen_baud = app.settings.origins["baud"][0] != "default"
    return Request(
        erase="all" if given["erase_all"] else "fs" if given["erase_fs"] else "changed",
        keep_fs=given["keep_fs"],
        backup=given["backup"],
        raw=given["at"] is not None,
        verify_only=given["verify_only"],
        wait=0.0 if given["no_wait"] or given["verify_only"] else 30.0,
        options=FlashOptions(
            whole=given["whole"],
            verify=not given["no_verify"],
            tool=given["tool"],
            baud=app.settings.baud if chosen_baud else None,
            stub=not given["no_stub"],
            layout=given["layout"],
            flash_mode=given["flash_mode"],
            flash_size=given["flash_size"],
            slot=given["slot"],
        ),
    )
