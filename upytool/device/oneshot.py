"""Programs of ours that do one small thing and cost the board next to nothing: ondevice/one_NAME.py.

What a program costs a small board is its text: 9 microseconds to read a byte and 30 to 50 to compile it on an RP2040,
where the wrapper of `ondevice.shielded` alone takes 5 ms. These keep its promises in another way:

- They use no builtin, so nobody can have taken one. What they need are methods, operators and modules.
- The modules are `uos`, `uio`, ...: the names by which firmware gives out its own module and looks for no file
  (py/objmodule.c, mp_module_get_builtin; before 1.21 they are the modules' own names). It does not look along
  sys.path for these, which `import os` does, at 1.4 ms. CircuitPython has no such names: `Unfit`, the long way.
- One name of theirs, `_upy`, is in the user's `__main__` while they run. It is a function, or, where one module does,
  that. (The body of a class would be cheaper, but one that raises leaves its dict as the place of all later names:
  py/modbuiltins.c, __build_class__.)
- They answer by an exception, a missing key of a dict, which needs no name either. What ends without an answer takes
  its name away as its last statement; after an error TIDY does it.
- Up to 128 bytes go over without raw paste, which saves a round trip (RawRepl.start).
- Paths and content are put in where the text says PATH, DATA, ...
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ..errors import EISDIR, RemoteException, RemoteOSError, StreamError
from .answers import parse_answer
from .ondevice import argument, literal, snippet
from .program import raise_snippet_error

# The names of the firmware's own modules. That nobody takes them is by agreement: one who puts his own under them into
# sys.modules has gone round the one way there is to the genuine ones, as he who replaces builtins.__import__.
ALIASES = frozenset(("ubinascii", "uhashlib", "uio", "uos", "usys"))
_MARK = "\x1e"
_VALUE = re.compile(rb"\b[A-Z]{3,}\b")
_FLAT = re.compile("import \\w+ as _upy\n")
TIDY = b"del _upy"
_ANSWER = re.compile(r"KeyError: (.+)\Z")


class Unfit(StreamError):
    """The board cannot run short programs, or not now; the caller uses the long way."""

    code = "protocol.no-short-program"


@cache
def _body(name: str) -> bytes:
    text = snippet(f"one_{name}").replace('"\\x1e', f'"{_MARK}')
    flat = _FLAT.match(text)
    if flat is None:
        return ("def _upy():\n " + text.replace("\n", "\n ") + "\ntry:_upy()\nfinally:del _upy").encode()
    if text.endswith(TIDY.decode()):
        return text.encode()
    rest = text[flat.end() :]
    return (flat[0] + ("try:\n " if rest.startswith("with ") else "try:") + rest + "\nfinally:del _upy").encode()


def program(name: str, **values: object) -> bytes:
    """The text of ondevice/one_NAME.py with its values: bytes, texts, numbers, tuples of texts."""
    return _VALUE.sub(lambda found: _written(values[found[0].decode()]), _body(name))


def _written(value: object) -> bytes:
    if isinstance(value, bytes):
        return literal(value)
    return argument(value).encode("utf-8", "surrogateescape")


def leaves_a_name(text: bytes) -> bool:
    """Whether `_upy` stays on the board where this program ended with an error."""
    return text.endswith(b"\n" + TIDY)


def _last_line(error: bytes) -> str:
    # Not rstrip(): it takes 1e for a space.
    return error.decode("utf-8", "replace").rstrip("\r\n").rpartition("\n")[2]


def answer_of(error: bytes, path: str) -> Any:
    """What a short program answered; None where it ended well and said nothing.

    Errors: RemoteOSError for `path`, RemoteError; Unfit where the board lacks what it used.
    """
    last = _last_line(error)
    found = _ANSWER.match(last)
    if found:
        try:
            said = found[1]
            if said[:1] in ("'", '"'):  # A firmware that prints the repr of a KeyError's text.
                said = str(parse_answer(said))
            if said[:1] == _MARK:
                return parse_answer(said[1:])
            if said[:1] == "(" or said[:2] in ("b'", 'b"'):  # no text, so nobody's key but ours
                return parse_answer(said)
        except ValueError as damage:
            raise StreamError(f"unexpected response from the board: {last[:60]!r}", hint="try again") from damage
    try:
        raise_snippet_error(error, path)
    except RemoteException as failed:
        if failed.kind == "ZeroDivisionError":  # one_rm: `1//` what is 0 for a directory
            raise RemoteOSError(EISDIR, path) from failed
        if failed.kind in ("ImportError", "AttributeError"):
            raise Unfit(f"the board cannot run it: {failed}", hint="a longer way is used for it") from failed
        raise
    return None
