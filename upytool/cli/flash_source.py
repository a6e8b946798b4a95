"""Which firmware `flash` is to write: a file, a link, a release by board and version, or what fits the board."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import FlashError, ImageError, UpytoolError, UsageError
from .app import App

if TYPE_CHECKING:
    import click
    from click.shell_completion import CompletionItem

    from ..flashers.base import FlashTarget
    from ..image.base import FirmwareImage

# The board whose build runs on any board with this chip, where the chip is all that is known.
GENERIC = {
    "esp32": "ESP32_GENERIC",
    "esp32s2": "ESP32_GENERIC_S2",
    "esp32s3": "ESP32_GENERIC_S3",
    "esp32c2": "ESP32_GENERIC_C2",
    "esp32c3": "ESP32_GENERIC_C3",
    "esp32c5": "ESP32_GENERIC_C5",
    "esp32c6": "ESP32_GENERIC_C6",
    "esp32p4": "ESP32_GENERIC_P4",
    "esp8266": "ESP8266_GENERIC",
}
# They hold addresses and checksums beside the program.
_CONTAINERS = {"uf2": "a UF2 file", "dfu": "a DFU file", "dfuse": "a DfuSe file", "hex": "an Intel HEX file"}
_KINDS = {"rp2040": "RPI_PICO, RPI_PICO_W or another", "rp2350": "RPI_PICO2, RPI_PICO2_W or another"}


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the firmware; "" where it does not."""

    file: str = ""
    board: str = ""
    version: str = ""
    variant: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Found:
    """A firmware file that is here and was checked."""

    image: FirmwareImage
    name: str
    sha256: str
    warnings: tuple[str, ...] = ()


def complete_boards(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Names of boards for the shell, in the case that they have."""
    from click.shell_completion import CompletionItem

    from ..boards.catalogue import all_boards

    start = incomplete.upper().replace("-", "_")
    return [
        CompletionItem(each.id, help=f"{each.vendor} {each.product}".strip())
        for each in all_boards()
        if each.id.startswith(start)
    ]


def check(wanted: Wanted) -> None:
    """Raises: UsageError for options that contradict one another."""
    if wanted.file and wanted.board:
        raise UsageError("FILE and --board both say which firmware to take", hint="give one of them")
    if wanted.file and os.path.isfile(wanted.file) and (wanted.version or wanted.variant):
        option = "--version" if wanted.version else "--variant"
        raise UsageError(f"{option} is for releases, not for a file", hint=f"leave {option} out")
    text = wanted.sha256
    if text and (len(text) != 64 or text.lower().strip("0123456789abcdef")):
        raise UsageError("--sha256 takes the 64 hexadecimal digits of a SHA-256")


def of_project(app: App, wanted: Wanted) -> Wanted:
    """In a project that builds firmware, the firmware that it built is what is meant where nothing else is named.

    Raises: BuildError where it is not built (or not as its lock says), ConfigError.
    """
    file = app.settings.project_file
    if wanted != Wanted(sha256=wanted.sha256) or not file:
        return wanted
    from dataclasses import replace
    from pathlib import Path

    from ..project.output import project_firmware

    found = project_firmware(Path(file))
    if found is None:
        return wanted
    here = os.path.relpath(found.path)
    app.note(f"This project's firmware: {here}")
    return replace(wanted, file=here, sha256=wanted.sha256 or found.sha256)


def is_file(text: str) -> bool:
    """Whether FILE names a file rather than a board: boards have no dots, folders or blanks in their names."""
    return os.path.exists(text) or os.sep in text or "/" in text or "." in text.partition("@")[0]


def obtain(app: App, wanted: Wanted, target: FlashTarget | None) -> Found:
    """The firmware, read and checked.

    Args:
        target: the board that it is for; it names the release where the command line does not.

    Raises: ImageError, LocalFileError, UsageError, NetworkError, OfflineError.
    """
    if wanted.file and "://" not in wanted.file and is_file(wanted.file):
        return from_file(wanted.file, wanted.sha256)
    return _release(app, wanted, target)


def from_file(path: str, sha256: str = "") -> Found:
    """A local file. Raises: ImageError."""
    import hashlib

    from ..image.base import FirmwareImage

    if not os.path.lexists(path):
        raise ImageError(
            f"there is no file {path}",
            hint="a release is had by its board's name: `upytool flash --board NAME`",
        )
    image = FirmwareImage.read(path)
    digest = hashlib.sha256(image.raw).hexdigest()
    if sha256 and digest != sha256.lower():
        raise ImageError(
            f"{os.path.basename(path)} is not the file you mean: its SHA-256 is {digest}",
            hint="download or copy it again; the digest you gave is " + sha256.lower(),
        )
    return Found(image, os.path.basename(path), digest)


def bare(path: str, address: int, target: FlashTarget) -> Found:
    """A file as bare bytes at an address (`--at`): a saved flash, for instance.

    Raises: ImageError; UsageError for a file whose bytes would be no program on any chip.
    """
    import hashlib
    from contextlib import suppress

    from ..image.base import FirmwareImage, load_file
    from ..image.memory import Memory

    data = load_file(path)
    if not data:
        raise ImageError(f"{path} is empty")
    with suppress(ImageError):  # what is not firmware at all may be meant so
        kind = FirmwareImage.read(data, name=os.path.basename(path)).format
        if kind in _CONTAINERS:
            raise UsageError(
                f"{os.path.basename(path)} is {_CONTAINERS[kind]}, which says itself where its bytes belong",
                hint="leave --at out",
            )
    image = FirmwareImage(data, "bin", Memory.of([(address, data)]), target.chip, target.mcu_port, path=path)
    return Found(image, os.path.basename(path), hashlib.sha256(data).hexdigest())


def _release(app: App, wanted: Wanted, target: FlashTarget | None) -> Found:
    from ..api.flash_target import slowly
    from ..image.base import FirmwareImage
    from ..releases.download import fetch
    from ..releases.resolve import find_release
    from ..releases.source import ReleaseSource

    spec, variant = wanted.file or wanted.board, wanted.variant
    if not spec:
        if target is None:
            raise UsageError("several boards may need different firmware", hint="name it: FILE or --board NAME")
        spec, own = board_of(app, target)
        variant = variant or own
    settings = app.settings
    with ReleaseSource(settings.firmware_url, offline=settings.offline, reporter=app.reporter) as source:
        with slowly(app.reporter, f"Looking for the firmware of {spec}"):
            release = find_release(spec, source, variant=variant, version=wanted.version)
        got = fetch(release, source, sha256=wanted.sha256)
    image = got.image or FirmwareImage.read(got.path)
    return Found(image, os.path.basename(str(got.path)), got.sha256, tuple(got.warnings))


def board_of(app: App, target: FlashTarget) -> tuple[str, str]:
    """(board, variant) of a board that was not named: as it says itself, or by its chip.

    Raises: UsageError where it does not follow.
    """
    if target.board:
        return target.board, target.variant
    if target.machine:
        from ..boards.catalogue import from_machine

        found = from_machine(target.machine)
        if len(found) == 1:
            return found[0].board.id, found[0].variant
        if found:
            names = ", ".join(sorted("-".join(filter(None, (each.board.id, each.variant))) for each in found)[:8])
            raise UsageError(f"{target.machine!r} may be one of several: {names}", hint="say which: --board NAME")
    chip = target.chip or _ask_chip(app, target)
    if chip in GENERIC:
        return GENERIC[chip], ""
    known = _on_flash(app, target)
    if known:
        return known, ""
    some = f": it may be {_KINDS[chip]}" if chip in _KINDS else ""
    raise UsageError(
        f"{target.name} does not say which board it is{some}",
        hint="name it: --board NAME; `upytool firmware search WORD` finds names",
    )


def _on_flash(app: App, target: FlashTarget) -> str:
    """The board that the program on an RP2 chip in its bootloader was built for; "" where nobody can tell."""
    from contextlib import suppress

    if target.state != "bootloader" or target.usb is None or not target.chip.startswith("rp2"):
        return ""
    from ..boards.catalogue import find
    from ..flashers.base import FlashOptions
    from ..flashers.layout import program_info
    from ..flashers.select import candidates

    with suppress(UpytoolError):
        loader = candidates(target, None)[0].open(target, FlashOptions(), reporter=app.reporter)
        try:
            info = program_info(loader)
        finally:
            loader.close()
        if info is not None and info.board:
            return find(info.board).id
    return ""


def _ask_chip(app: App, target: FlashTarget) -> str:
    """Which chip of Espressif's is behind a port that says nothing."""
    if not target.address or target.state == "bootloader":
        return ""
    from ..flashers.esp import probe

    app.note(f"Asking the chip on {target.address} what it is")
    try:
        return probe(target, reporter=app.reporter).name
    except FlashError as error:
        raise FlashError(
            f"nothing answers on {target.address}: no REPL, and no bootloader of an ESP chip",
            hint=error.hint,
        ) from error
