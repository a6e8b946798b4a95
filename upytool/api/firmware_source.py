"""Which firmware is put on a board: a file, a link, a release by board and version, or what fits the board."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlashError, ImageError, UpytoolError, UsageError
from ..events import NULL, Reporter, notice
from .firmware import DEFAULTS, FirmwareSettings, download, resolve
from .flash_target import Flashable, slowly

if TYPE_CHECKING:
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


@dataclass(frozen=True, slots=True)
class FirmwareWish:
    """Which firmware is meant; where nothing is said, the newest release for the board.

    Attributes:
        file: a path, a URL, or the name of a board ("RPI_PICO@1.27").
        board: whose release to take, by any of its names.
        version: of MicroPython: "latest", "preview", "1.28" or a date.
        variant: of the board.
        sha256: that the file must have.
        at: write the file's bytes as they are, at this address.
    """

    file: str = ""
    board: str = ""
    version: str = ""
    variant: str = ""
    sha256: str = ""
    at: int | None = None

    def __post_init__(self) -> None:
        if self.at is not None and (not self.file or self.board):
            raise UsageError("usage.at-file")
        if self.file and self.board:
            raise UsageError("usage.file-and-board")
        if self.file and os.path.isfile(self.file) and (self.version or self.variant):
            option = "--version" if self.version else "--variant"
            raise UsageError("usage.option-of-release", option=option)
        if self.sha256 and (len(self.sha256) != 64 or self.sha256.lower().strip("0123456789abcdef")):
            raise UsageError("usage.sha256")

    @property
    def is_file(self) -> bool:
        """Whether `file` names one rather than a board: boards have no dots, slashes or blanks in their names."""
        text = self.file
        if not text or "://" in text:
            return False
        return os.path.exists(text) or os.sep in text or "/" in text or "." in text.partition("@")[0]


@dataclass(frozen=True)
class FirmwareFile:
    """Firmware that is here and was checked.

    Attributes:
        name: of the file, for people.
        wish: what it was found by.
        warnings: of the download.
    """

    image: FirmwareImage
    name: str
    sha256: str
    wish: FirmwareWish
    warnings: tuple[str, ...] = ()

    @property
    def board(self) -> str:
        """BOARD[-VARIANT] that it is for, "" where neither it nor its name says."""
        from ..flashers.planning import image_board

        return image_board(self.image)

    @property
    def version(self) -> str:
        """Of MicroPython, "1.28.0"; "" where it does not say."""
        from ..flashers.planning import image_version

        return image_version(self.image)


def of_project(project: Path, wish: FirmwareWish) -> FirmwareWish:
    """Take the firmware that a project built where nothing else is named.

    Args:
        project: upytool.toml or pyproject.toml; one without a table [build] changes nothing.

    Errors: BuildError where it is not built (or not as its lock says), ConfigError.
    """
    if wish != FirmwareWish(sha256=wish.sha256):
        return wish
    from ..project.output import project_firmware

    found = project_firmware(project)
    if found is None:
        return wish
    return replace(wish, file=os.path.relpath(found.path), sha256=wish.sha256 or found.sha256)


def firmware(
    wish: FirmwareWish | str | os.PathLike[str] = "",
    board: Flashable | None = None,
    *,
    settings: FirmwareSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> FirmwareFile:
    """Get firmware, and check it; a release is downloaded where it is not in the cache.

    Args:
        wish: which; a path, URL or board's name alone will do.
        board: that it is for; it names the release where the wish does not.

    Errors: ImageError, LocalFileError, UsageError where it does not follow which one is meant, NetworkError,
    OfflineError, PackageError for another SHA-256; FlashError for a board that only its maker's tool can program.
    """
    from ..flashers.vendor import require_ours

    if not isinstance(wish, FirmwareWish):
        wish = FirmwareWish(os.fspath(wish))
    if board is not None:
        require_ours(board.target, wish.file)
    if wish.at is not None:
        return _bare(wish, wish.at, board)
    if wish.is_file:
        return _from_file(wish)
    return _release(wish, board, settings, reporter)


def _from_file(wish: FirmwareWish) -> FirmwareFile:
    from ..image.base import FirmwareImage

    path = wish.file
    if not os.path.lexists(path):
        raise ImageError("image.no-file", path=path)
    image = FirmwareImage.read(path)
    return FirmwareFile(image, os.path.basename(path), _digest(wish, image.raw), wish)


def _digest(wish: FirmwareWish, data: bytes) -> str:
    """The SHA-256 of a file's content. Raises ImageError where it is not the one that was wished."""
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    if wish.sha256 and digest != wish.sha256.lower():
        raise ImageError(
            "image.wrong-sha256", name=os.path.basename(wish.file), sha256=digest, wanted=wish.sha256.lower()
        )
    return digest


def _bare(wish: FirmwareWish, address: int, board: Flashable | None) -> FirmwareFile:
    """A file as bare bytes: a saved flash, for instance. Raises UsageError for what says itself where it goes."""
    from contextlib import suppress

    from ..image.base import FirmwareImage, load_file
    from ..image.memory import Memory

    path = wish.file
    data = load_file(path)
    if not data:
        raise ImageError("image.empty", name=path)
    with suppress(ImageError):  # what is not firmware at all may be meant so
        kind = FirmwareImage.read(data, name=os.path.basename(path)).format
        if kind in _CONTAINERS:
            raise UsageError("usage.at-container", name=os.path.basename(path), kind=_CONTAINERS[kind])
    chip, port = (board.target.chip, board.target.mcu_port) if board is not None else ("", "")
    image = FirmwareImage(data, "bin", Memory.of([(address, data)]), chip, port, path=path)
    return FirmwareFile(image, os.path.basename(path), _digest(wish, data), wish)


def _release(
    wish: FirmwareWish, board: Flashable | None, settings: FirmwareSettings, reporter: Reporter
) -> FirmwareFile:
    from ..image.base import FirmwareImage

    spec, variant = wish.file or wish.board, wish.variant
    if not spec:
        if board is None:
            raise UsageError("usage.firmware-for-several")
        spec, own = board_of(board.target, reporter=reporter)
        variant = variant or own
    with slowly(reporter, f"Looking for the firmware of {spec}"):
        release = resolve(spec, variant=variant, version=wish.version, settings=settings, reporter=reporter)
    got = download(release, sha256=wish.sha256, settings=settings, reporter=reporter)
    image = got.image or FirmwareImage.read(got.path)
    return FirmwareFile(image, os.path.basename(str(got.path)), got.sha256, wish, tuple(got.warnings))


# -- boards that do not say what they are ---------------------------------------------------------------


def board_of(target: FlashTarget, *, reporter: Reporter = NULL) -> tuple[str, str]:
    """Tell (board, variant) of a board that was not named: as it says itself, or by its chip.

    Errors: UsageError where it does not follow.
    """
    if target.board:
        return target.board, target.variant
    if target.machine:
        from ..boards.catalogue import from_machine

        found = from_machine(target.machine)
        if len(found) == 1:
            return found[0].board.id, found[0].variant
        if found:
            names = sorted("-".join(filter(None, (each.board.id, each.variant))) for each in found)[:8]
            raise UsageError("usage.several-boards-fit", machine=target.machine, names=names)
    chip = target.chip or _ask_chip(target, reporter)
    if chip in GENERIC:
        return GENERIC[chip], ""
    known = on_flash(target, reporter=reporter)
    if known:
        return known, ""
    if chip in _KINDS:
        raise UsageError("usage.unidentified-maybe", board=target.name, maybe=_KINDS[chip])
    raise UsageError("usage.unidentified", board=target.name)


def on_flash(target: FlashTarget, *, reporter: Reporter = NULL) -> str:
    """Tell the board that the program on an RP2 chip in its bootloader was built for; "" where nobody can."""
    from contextlib import suppress

    if target.state != "bootloader" or target.usb is None or not target.chip.startswith("rp2"):
        return ""
    from ..boards.catalogue import find
    from ..flashers.base import FlashOptions
    from ..flashers.layout import program_info
    from ..flashers.select import candidates

    with suppress(UpytoolError):
        loader = candidates(target, None)[0].open(target, FlashOptions(), reporter=reporter)
        try:
            info = program_info(loader)
        finally:
            loader.close()
        if info is not None and info.board:
            return find(info.board).id
    return ""


def _ask_chip(target: FlashTarget, reporter: Reporter) -> str:
    """Which chip of Espressif's is behind a port that says nothing."""
    if not target.address or target.state == "bootloader":
        return ""
    from ..flashers.esp import probe

    notice(reporter, f"Asking the chip on {target.address} what it is")
    try:
        return probe(target, reporter=reporter).name
    except FlashError as error:
        raise FlashError("flash.nothing-answers", port=target.address, hint=error.hints) from error
