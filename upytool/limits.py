"""Every limit on what comes from outside, in one table: boards, files, packages, networks, firmware.

A limit that is not here does not exist for the user: `docs/reference/limits.md` is rendered from `LIMITS`.
Whoever holds a limit imports it by name; tests shrink one with `monkeypatch.setattr(limits, NAME, value)`, so
code reads `limits.NAME` at the moment of use instead of importing the number.
"""

from __future__ import annotations

from typing import NamedTuple


class Limit(NamedTuple):
    """One row of the table.

    Attributes:
        name: the constant below that holds the number.
        unit: bytes, seconds, entries, levels, characters.
        what: what is limited, for the reference page.
        held: the module that checks it, `upytool.documents` for instance.
    """

    name: str
    unit: str
    what: str
    held: str


# -- documents: JSON, TOML, ignore and requirement files ---------------------------------------------
DOCUMENT_BYTES = 8 << 20
DOCUMENT_DEPTH = 64
DOCUMENT_VALUES = 500_000
DOCUMENT_INTEGER_BITS = 64

# -- firmware ------------------------------------------------------------------------------------------
IMAGE_BYTES = 128 << 20

# -- flashing: Espressif's bootloaders, through esptool --------------------------------------------------
ESP_CONNECT_SECONDS = 30.0
ESP_STUB_SECONDS = 20.0
ESP_GREETING_SECONDS = 3.0
ESP_CALL_SECONDS = 30.0
ESP_SECONDS_PER_MIB = 45.0

LIMITS: tuple[Limit, ...] = (
    Limit("DOCUMENT_BYTES", "bytes", "a JSON, TOML or text file that upytool parses", "upytool.documents"),
    Limit("DOCUMENT_DEPTH", "levels", "nesting in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_VALUES", "entries", "values in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_INTEGER_BITS", "bits", "an integer in a JSON or TOML document", "upytool.documents"),
    Limit("IMAGE_BYTES", "bytes", "a firmware file, flash dump or file system image", "upytool.image.base"),
    Limit("ESP_CONNECT_SECONDS", "seconds", "connecting to an Espressif chip's bootloader", "upytool.flash.esp_link"),
    Limit("ESP_STUB_SECONDS", "seconds", "loading and starting esptool's stub", "upytool.flash.esp_link"),
    Limit("ESP_GREETING_SECONDS", "seconds", "silence of a stub that is to start", "upytool.flash.esp_link"),
    Limit("ESP_CALL_SECONDS", "seconds", "an Espressif chip without progress", "upytool.flash.esp_link"),
    Limit("ESP_SECONDS_PER_MIB", "seconds", "added for each MiB that it hashes or erases", "upytool.flash.esp_link"),
)
