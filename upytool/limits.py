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

# -- simulated boards --------------------------------------------------------------------------------
SIM_CALL_BYTES = 256
SIM_CALL_SECONDS = 5.0
SIM_CALLERS = 16

LIMITS: tuple[Limit, ...] = (
    Limit("DOCUMENT_BYTES", "bytes", "a JSON, TOML or text file that upytool parses", "upytool.documents"),
    Limit("DOCUMENT_DEPTH", "levels", "nesting in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_VALUES", "entries", "values in a JSON or TOML document", "upytool.documents"),
    Limit("DOCUMENT_INTEGER_BITS", "bits", "an integer in a JSON or TOML document", "upytool.documents"),
    Limit("SIM_CALL_BYTES", "bytes", "what a caller says at a simulated board's control port", "upytool.sim.control"),
    Limit("SIM_CALL_SECONDS", "seconds", "what it may take to say it, in all", "upytool.sim.control"),
    Limit("SIM_CALLERS", "entries", "callers that have not said it yet; the oldest goes", "upytool.sim.control"),
)
