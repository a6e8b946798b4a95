"""What is wrong with a document that comes from outside, whatever class its reader raises."""

from __future__ import annotations

ERRORS: dict[str, tuple[str, ...]] = {
    "document.cannot-read": ("cannot read {name}: {reason}",),
    "document.is-a-directory": ("{name} is a directory",),
    "document.not-a-file": ("{name} is not a regular file",),
    "document.not-a-pipe": ("{name} is not a pipe",),
    "document.not-finite": ("{name} holds a number that is not finite",),
    "document.not-json": ("{name} is not valid JSON: {reason}",),
    "document.not-toml": ("{name} is not valid TOML: {reason}",),
    "document.not-unicode": ("{name} holds a string that is not valid Unicode",),
    "document.not-utf8": ("{name} is not valid UTF-8 (byte {offset})", "save the file as UTF-8 and retry"),
    "document.out-of-range": ("{name} holds a number that is out of range",),
    "document.too-deep": ("{name} is nested more than {limit} levels deep",),
    "document.too-large": ("{name} is larger than the limit of {limit:,} bytes",),
    "document.too-many-values": ("{name} holds more than {limit:,} values",),
}

NOTES: dict[str, str] = {}
