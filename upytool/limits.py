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

# -- boards: what one answer may hold, and how long it may take --------------------------------------
ANSWER_BYTES = 8 << 20
ANSWER_DEPTH = 16
ANSWER_VALUES = 1_000_000
ANSWER_INTEGER_BITS = 64
ANSWER_SECONDS = 600
LISTING_ENTRIES = 250_000
JSON_LEVELS = 200
OUTPUT_BYTES = 64 << 20

LIMITS: tuple[Limit, ...] = (
    Limit("DOCUMENT_BYTES", "bytes", "a JSON, TOML or text file that upytool parses", "upytool.documents"),
    Limit("DOCUMENT_DEPTH", "levels", "nesting in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_VALUES", "entries", "values in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_INTEGER_BITS", "bits", "an integer in a JSON or TOML document", "upytool.documents"),
    Limit("ANSWER_BYTES", "bytes", "one answer of a board", "upytool.device.session"),
    Limit("ANSWER_DEPTH", "levels", "nesting in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_VALUES", "entries", "values in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_INTEGER_BITS", "bits", "an integer in an answer of a board", "upytool.device.answers"),
    Limit("ANSWER_SECONDS", "seconds", "one answer of a board during a transfer, in all", "upytool.protocol.transfer"),
    Limit("LISTING_ENTRIES", "entries", "files and directories in one listing", "upytool.device.transfer"),
    Limit("JSON_LEVELS", "levels", "directories in `tree --json`", "upytool.cli.commands.tree"),
    Limit("OUTPUT_BYTES", "bytes", "collected output (`eval`, the library's `exec`)", "upytool.device.session"),
)
