"""Programs of ours that do one small thing and cost the board next to nothing: ondevice/one_NAME.py.

What a program costs a small board is its text: 9 microseconds to read a byte and 30 to 50 to compile it on an RP2040,
where the wrapper of `ondevice.shielded` alone takes 5 ms. These keep its promises in another way:

- They use no builtin, so nobody can have taken one. What they need are methods, operators and modules.
- The modules are `uos`, `uio`, ...: the names by which firmware gives out its own module and looks for no file
  (py/objmodule.c, mp_module_get_builtin; before 1.21 they are the modules' own names). It does not look along
  sys.path for these, which `import os` does, at 1.4 ms. CircuitPython has no such names: `Unfit`, the long way.
- One name of theirs, NAME, is in the user's `__main__` while they run: short, as it stands there up to five times, and
  one that nobody gives. (A byte that no UTF-8 text holds would be a name as well, but not all firmware prints it.) It
  is a function, or, where one module does, that module. (The body of a class would be cheaper, but one that raises
  leaves its dict as the place of all later names: py/modbuiltins.c, __build_class__.)
- They answer by an exception, a missing key of a dict, which needs no name either. What ends without an answer takes
  its name away as its last statement, and after an error TIDY does it; a function that answers forgets its name first.
- Up to 128 bytes go over without raw paste, which saves a round trip (RawRepl.start).
- Paths and content are put in where the text says PATH, DATA, ... A path of up to 10 bytes would be kept by the board
  until it is reset (device.ondevice.argument), so a NUL and more stand behind it: the VFS takes it for the end
  (extmod/vfs.c, lookup_path), and a `decode()` costs 0.3 ms. Nothing may be added to such a text on the board.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from ..errors import RemoteException, StreamError
from .answers import parse_answer
from .ondevice import INTERNED, argument, joined, literal, snippet
from .program import raise_snippet_error

# The names of the firmware's own modules. That nobody takes them is by agreement: one who puts his own under them into
# sys.modules has gone round the one way there is to the genuine ones, as he who replaces builtins.__import__.
ALIASES = frozenset(("ubinascii", "uhashlib", "uio", "uos", "usys"))
_MARK = "\x1e"
_VALUE = re.compile(rb"\b[A-Z]{3,}\b")
NAME = "_9"  # ondevice/one_NAME.py writes `_upy`
TIDY = f"del {NAME}".encode()
_FLAT = re.compile(f"import \\w+ as {NAME}\n")
_ANSWER = re.compile(r"KeyError: (.+)\Z")


class Unfit(StreamError):
    """The board cannot run a short program, or not now; the caller uses the long way.

    Attributes:
        any: it can run none.
    """

    code = "protocol.no-short-program"
    any = False


class Code(str):
    """A value that stands in a program as it is."""

    __slots__ = ()


@cache
def _body(names: tuple[str, ...]) -> bytes:
    text = "\n".join(snippet(f"one_{name}") for name in names).replace('"\\x1e', f'"{_MARK}').replace("_upy", NAME)
    flat = _FLAT.match(text)
    forgets = re.search(rf"\n *del {NAME}\Z", text) is not None
    if flat is None:
        text = text.removesuffix(f"\ndel {NAME}") if forgets else f"global {NAME}\ndel {NAME}\n{text}"
        body = text.replace("\n", "\n ")
        text = f"def {NAME}():\n {body}\n{NAME}()" + (f"\ndel {NAME}" if forgets else "")
    elif not forgets:
        rest = text[flat.end() :].replace("\n", "\n ")
        text = f"{flat[0]}try:\n {rest}\nfinally:\n del {NAME}"
    return joined(text).encode()


def program(*names: str, **values: object) -> bytes:
    """The text of ondevice/one_NAME.py, of several as one, with its values: bytes, paths, numbers, tuples, Code."""
    return _VALUE.sub(lambda found: _written(values[found[0].decode()]), _body(names))


def _written(value: object) -> bytes:
    if isinstance(value, bytes):
        return literal(value)
    if isinstance(value, Code):
        return value.encode()
    if isinstance(value, str):
        return repr(padded(value)).replace("\\x00", "\\0").encode()
    if isinstance(value, tuple):
        return b"(%b)" % b"".join(_written(item) + b"," for item in value)
    return argument(value).encode()


def padded(path: str) -> str:
    """A path as the board is told it: one that it would keep goes on behind a NUL, where the VFS no longer looks."""
    size = len(path.encode("utf-8", "surrogateescape"))
    return path + "\0".ljust(INTERNED + 1 - size, "-") if 0 < size <= INTERNED else path


def leaves_a_name(text: bytes) -> bool:
    """Whether NAME stays on the board where this program ended with an error."""
    return text.endswith(b";" + TIDY)


def _answer_line(error: bytes) -> str:
    """The line of an error that is an answer, else its last one: something else of the board may print behind it."""
    # Not rstrip(): it takes 1e for a space.
    lines = error.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n").split("\n")
    return next((line for line in reversed(lines) if _ANSWER.match(line)), lines[-1])


def answer_of(error: bytes, path: str) -> Any:
    """What a short program answered; None where it ended well and said nothing.

    Errors: RemoteOSError for `path`, RemoteError; Unfit where the board lacks what it used.
    """
    last = _answer_line(error)
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
            raise StreamError("protocol.stream.unexpected-line", line=last[:60]) from damage
    try:
        raise_snippet_error(error, path)
    except RemoteException as failed:
        if failed.kind in ("ImportError", "AttributeError", "SyntaxError"):
            unfit = Unfit("protocol.no-short-program.failed", cause=failed)
            # Without one of the modules none is tried any more: a file of the user's may have its name by then.
            unfit.any = failed.kind == "ImportError"
            raise unfit from failed
        raise
    return None
