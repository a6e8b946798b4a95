"""Keeps what others wrote from commanding the terminal: the one guard that all text passes on its way out.

Names and messages come from boards, indexes, URLs and file systems. A terminal obeys escape sequences (titles,
the clipboard, a cleared screen), C1 controls, and bidirectional controls that show `gpj.exe` as `exe.jpg`. The
guard writes each such character as its escape, `\\x1b`. Colour is ours alone: `styled` marks a sequence with a
number that never leaves the process, and the guard lets only marked sequences through.

Bytes of a program on the board (`Streams.out`) do not pass here: they are the user's own, to the bit.
"""

from __future__ import annotations

import os

# Still the form of an SGR sequence, so that whoever measures painted text (Click) counts no column for it.
_OURS = f"\x1b[{int.from_bytes(os.urandom(8))};"


def styled(text: str, codes: str) -> str:
    """`text` between the SGR codes and a reset, in a form that the guard knows as ours."""
    return f"{_OURS}{codes}m{text}{_OURS}0m"


def guarded(text: str) -> str:
    """What may be written to a terminal: `text` with our own colours, everything else harmless."""
    first, *marked = text.split(_OURS)
    out = [first.translate(_SHOWN)]
    for part in marked:
        codes, end, rest = part.partition("m")
        if end and codes.replace(";", "").isdigit():
            out += f"\x1b[{codes}m", rest.translate(_SHOWN)
        else:  # a painted text that was cut in the middle of its sequence
            out.append(part.translate(_SHOWN))
    return "".join(out)


def one_line(text: str) -> str:
    """A piece of a line (a cell, a label): harmless, and it cannot begin another line. Painted text stays so."""
    return _OURS.join(part.translate(_LINE) for part in text.split(_OURS))


def harmless(text: str) -> bool:
    """Whether the guard would leave the text as it is."""
    return not any(_commands(ord(char)) for char in text)


def guarded_json(document: str) -> str:
    """A JSON text with the same characters as JSON escapes; it says what it said before."""
    return document.translate(_JSON)


def _commands(code: int) -> bool:
    """Whether a terminal (or a reader) may take the character for more than a letter.

    C0 and C1 controls but tab and newline; the bidirectional controls and invisible letters of Unicode (UAX #9,
    the tags of U+E0000); lone surrogates, which no stream can encode and which hide raw bytes (PEP 383).
    """
    return (
        (code < 0x20 and code not in (0x09, 0x0A))
        or 0x7F <= code < 0xA0
        or code in (0x061C, 0x180E, 0x200B, 0x200E, 0x200F, 0xFEFF)
        or 0x2028 <= code <= 0x202E
        or 0x2060 <= code <= 0x206F
        or 0xD800 <= code <= 0xDFFF
        or 0xFFF9 <= code <= 0xFFFB
        or 0xE0000 <= code <= 0xE007F
    )  # fmt: skip


class _Shown(dict[int, str | int]):
    """For str.translate: a character that commands as Python's own escape, any other as it is."""

    def __missing__(self, code: int) -> str | int:
        self[code] = found = self.escape(code) if _commands(code) else code
        return found

    def escape(self, code: int) -> str:
        return chr(code).encode("unicode_escape").decode("ascii")


class _Line(_Shown):
    def __init__(self) -> None:
        self[0x09], self[0x0A] = "\\t", "\\n"


class _Json(_Shown):
    def escape(self, code: int) -> str:
        if code > 0xFFFF:
            code -= 0x10000
            return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
        return f"\\u{code:04x}"


_SHOWN, _LINE, _JSON = _Shown(), _Line(), _Json()
