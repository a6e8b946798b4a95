"""What a board says, read with limits: how much of it is kept, and what a literal of it may hold.

A board is not trusted: it may send without end, or a literal that takes this computer's memory or time. Everything
that is collected goes through `Collected`, everything that is parsed through `parse_answer`.
"""

from __future__ import annotations

import binascii
import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

from .. import limits
from ..errors import StreamError

# One token of a literal as MicroPython's repr() writes it (py/objstr.c, objfloat.c, objdict.c ...). It writes no
# control character into a text as it is: a line break there is a line that something else has printed.
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
    ([\[\](){},:])
    |(b?)('(?:[^'\\\x00-\x1f]|\\[^\x00-\x1f])*'|"(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*")
    |([+-]?(?:\d+\.\d*|\.\d+|\d+(?=[eE]))(?:[eE][+-]?\d+)?)
    |([+-]?\d+)
    |(None|True|False)
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{1,3})|(.))", re.DOTALL)
_PLAIN = {"n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\n": ""}
_USERS_BITS = 1 << 14
_WORDS = {"None": None, "True": True, "False": False}
_CLOSES = {"(": ")", "[": "]", "{": "}"}


class Collected:
    """Bytes of a board that are kept, at most `limit` of them. Called with each piece; StreamError for one too many."""

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self._limit = limit

    def __call__(self, data: bytes) -> None:
        if len(self.data) + len(data) > self._limit:
            raise too_long(self._limit)
        self.data += data


def too_long(limit: int) -> StreamError:
    """The error for a board that sends more than `limit` bytes."""
    return StreamError("protocol.stream.answer-too-long-in-one", limit=limit)


@contextlib.contextmanager
def sensible() -> Iterator[None]:
    """What a damaged or strange answer of a board does to the code that takes it apart, as a StreamError."""
    try:
        yield
    except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        raise StreamError("protocol.stream.unexpected") from error


def is_directory(mode: int, *, sure: bool) -> bool:
    """Whether an `st_mode` of a board is a directory's.

    Args:
        sure: the link repeats what was damaged. Where it does not, a digit too much or too few makes another number of
            it, which is seen: file systems of boards have directories and regular files (extmod/vfs.h), nothing else.

    Raises: ValueError for a number that is neither.
    """
    kind = mode >> 12
    if not sure and kind not in (4, 8):
        raise ValueError(f"{mode} is not the mode of a file")
    return kind == 4


def unpacked(text: bytes | bytearray, checksum: object) -> bytes:
    """The content that a short program printed as base64, compared with its CRC-32. Errors: StreamError."""
    with sensible():
        data = binascii.a2b_base64(bytes(text))
    if binascii.crc32(data) != checksum:
        raise StreamError("protocol.stream.altered-answer")
    return data


def own_lines(text: str) -> str:
    """The lines of an answer that a program of ours prints item by item: `[`, `(...),` ..., `]`.

    What a timer or a thread prints in between stands on lines of its own, as a rule; '' where it has torn one of ours.
    """
    lines = [line.strip("\r") for line in text.split("\n")]
    ours = [line for line in lines if line in ("[", "]") or (line[:1] == "(" and line[-2:] == "),")]
    others = set(lines).difference(ours)
    return "" if any(line[:1] == "(" or line[-2:] == ")," for line in others) else "\n".join(ours)


def parse_disturbed(text: str) -> Any:
    """`parse_answer` for an answer that other output of the board may have come into. Raises ValueError as that."""
    try:
        return parse_answer(text)
    except ValueError:
        first = text.partition("\n")[0].strip("\r")
        if first == "[" and (own := own_lines(text)):
            return parse_answer(own)
        # No literal goes over a line, so what stands behind its line is not its; of a number it may be the rest.
        if first[:1].isdigit() or first == text:
            raise
        return parse_answer(first)


def parse_answer(text: str, bits: int | None = None) -> Any:
    """The value of a literal that a board printed.

    Half a surrogate pair in a text, which no file and no terminal takes, becomes U+FFFD.

    Args:
        text: one literal with nothing behind it: None, truth values, numbers, texts, bytes, tuples, lists, sets, dicts.
        bits: the longest integer, `limits.ANSWER_INTEGER_BITS` unless given.

    Raises:
        ValueError: it is none, or over a limit; infinite numbers are none.
    """
    if len(text) > limits.ANSWER_BYTES:
        raise ValueError("too long")
    # A digit is worth more than 3 bits: what has more digits than this is too long, and is not converted at all.
    bits = limits.ANSWER_INTEGER_BITS if bits is None else bits
    at, count = 0, 0
    result: list[Any] = []
    stack: list[tuple[str, list[Any]]] = []
    here, ready = result, False  # `ready`: a value was just read, so that `,` `:` or the end must follow.
    while match := _TOKEN.match(text, at):
        at = match.end()
        mark, prefix, quoted, real, whole, word = match.groups()
        if mark is not None:
            if mark in "([{":
                if ready or len(stack) >= limits.ANSWER_DEPTH:
                    raise ValueError("not a literal")
                stack.append((mark, here))
                here = []
            elif mark in ",:":
                if not ready or not stack or (mark == ":" and stack[-1][0] != "{"):
                    raise ValueError("not a literal")
                here.append(mark)
                ready = False
            else:
                if not stack or _CLOSES[stack[-1][0]] != mark:
                    raise ValueError("not a literal")
                kind, outer = stack.pop()
                value = _container(kind, here)
                here, ready = outer, True
                here.append((value,))
            continue
        if ready:
            raise ValueError("not a literal")
        count += 1
        if count > limits.ANSWER_VALUES:
            raise ValueError("too many values")
        if quoted is not None:
            value = _text(quoted[1:-1], bool(prefix))
        elif real is not None:
            value = float(real)
            if not math.isfinite(value):
                raise ValueError("not a finite number")
        elif whole is not None:
            if len(whole) * 3 > bits + 8 or (value := int(whole)).bit_length() > bits:
                raise ValueError("too long an integer")
        else:
            value = _WORDS[word]
        ready = True
        here.append((value,))
    if stack or len(result) != 1 or text[at:].strip():
        raise ValueError("not a literal")
    return result[0][0]


def literal_or_text(text: str) -> Any:
    """The value of what the user's own expression printed, where it is a literal, else the text itself."""
    try:
        return parse_answer(text, bits=_USERS_BITS)
    except ValueError:
        return text


def _container(kind: str, items: list[Any]) -> Any:
    """Items are 1-tuples of values, and the marks between them."""
    marks = items[1::2]
    values = [item[0] for item in items[::2]]
    if kind == "{" and ":" in marks:
        if any(mark != ":,"[at % 2] for at, mark in enumerate(marks)) or len(values) % 2:
            raise ValueError("not a literal")
        return _hashed(lambda: dict(zip(values[::2], values[1::2], strict=True)))
    if ":" in marks:
        raise ValueError("not a literal")
    if kind == "(":
        return tuple(values) if marks or not values else values[0]
    if kind == "[":
        return values
    return _hashed(lambda: set(values)) if values else {}


def _hashed(make: Any) -> Any:
    try:
        return make()
    except TypeError as error:
        raise ValueError("not a literal") from error


def _text(body: str, is_bytes: bool) -> str | bytes:
    if "\\" in body:
        body = _ESCAPE.sub(_unescaped, body)
    if is_bytes:
        return body.encode("latin-1")
    if not body.isascii():
        body = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", body)
    return body


def _unescaped(match: re.Match[str]) -> str:
    small, four, eight, octal, other = match.groups()
    if other is not None:
        return _PLAIN.get(other, other)
    number = int(small or four or eight, 16) if octal is None else int(octal, 8)
    if 0xD800 <= number < 0xE000 or number > 0x10FFFF:
        return "\ufffd"
    return chr(number)
