"""The drive of a bootloader: what it says of itself, and what is asked of it.

Sources: INFO_UF2.TXT as written by the boot ROMs, adafruit/uf2-samdx1, tinyuf2 and Adafruit_nRF52_Bootloader.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

_CHIP_BY_WORD = (
    (re.compile(r"RP2350|RP2-?350", re.I), "rp2350", "rp2"),
    (re.compile(r"RPI-RP2|RP2040", re.I), "rp2040", "rp2"),
    (re.compile(r"SAML21", re.I), "saml21", "samd"),
    (re.compile(r"SAM[DE]21", re.I), "samd21", "samd"),
    (re.compile(r"SAM[DE]5[134]", re.I), "samd51", "samd"),
    (re.compile(r"nRF52840", re.I), "nrf52840", "nrf"),
    (re.compile(r"nRF52833", re.I), "nrf52833", "nrf"),
    (re.compile(r"nRF52820", re.I), "nrf52820", "nrf"),
    (re.compile(r"(?:i\.?MX ?)?RT10\d\d|mimxrt", re.I), "mimxrt", "mimxrt"),
    (re.compile(r"ESP32-?(S2|S3|C3|C6|P4)", re.I), "esp32", "esp32"),
    (re.compile(r"STM32(F4|F7|H7|L4|WB|G0|G4|F3|F1)", re.I), "stm32", "stm32"),
)


@dataclass(frozen=True, slots=True)
class DriveInfo:
    """What INFO_UF2.TXT (or a debug probe's DETAILS.TXT) says.

    Attributes:
        kind: "uf2", or "daplink" for the drive of a debug probe.
        loader: the bootloader and its version, "UF2 Bootloader v3.0".
        model, board_id: as written there.
        softdevice: Nordic's radio stack ("S140 7.3.0"), "" where it names none.
        chip, mcu_port: what these mean, as in FirmwareImage; "" where they say nothing known.
        text: the whole file.
    """

    kind: Literal["uf2", "daplink"] = "uf2"
    loader: str = ""
    model: str = ""
    board_id: str = ""
    softdevice: str = ""
    chip: str = ""
    mcu_port: str = ""
    text: str = ""


def parse_info(text: str) -> DriveInfo:
    """Read INFO_UF2.TXT; odd or empty content gives empty fields."""
    fields: dict[str, str] = {}
    lines = text.replace("\0", "").splitlines()
    for line in lines[:64]:
        name, colon, value = line.partition(":")
        if colon:
            fields.setdefault(name.strip().lower(), value.strip())
    loader = next((line.strip() for line in lines if line.strip()), "")
    model, board_id = fields.get("model", ""), fields.get("board-id", "")
    soft = fields.get("softdevice", "")
    chip = mcu_port = ""
    # The board's id names the chip more often than the model does.
    for words in (board_id, model, fields.get("family", ""), loader):
        chip, mcu_port = _chip_of(words)
        if chip:
            break
    return DriveInfo(
        "uf2", loader[:80], model[:80], board_id[:80], "" if "not found" in soft.lower() else soft, chip, mcu_port, text
    )


def _chip_of(words: str) -> tuple[str, str]:
    for pattern, chip, mcu_port in _CHIP_BY_WORD:
        match = pattern.search(words)
        if match is not None:
            return chip + (match[1].lower() if match.lastindex else ""), mcu_port
    return "", ""


class Volume(Protocol):
    """A drive of a bootloader: a mounted one (volumes.MountedVolume), or that of a simulated board.

    Attributes:
        path: what people know it by, a directory where it is mounted.
        label: of its file system.
        location: where on the USB ("1-2.3"), "" where not known.
        info: what it says of itself.
        has_current: whether it offers CURRENT.UF2.
    """

    @property
    def path(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def location(self) -> str: ...

    @property
    def info(self) -> DriveInfo: ...

    @property
    def has_current(self) -> bool: ...

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        """Write a file; `advance` is told how many more bytes are through.

        Returns how many bytes went through before the drive went away; all of them when it stayed, or went away
        while the file was being closed.

        Raises: LocalFileError where the drive refuses (read-only, full, no rights).
        """
        ...

    def read(self, name: str, limit: int) -> bytes:
        """A file's content. Raises LocalFileError when it is not there, is larger than `limit` bytes, or the drive
        went away."""
        ...

    def present(self) -> bool:
        """Whether this very drive is still there."""
        ...
