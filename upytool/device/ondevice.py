"""The programs of ours that run on the board: found, shrunk, kept, and shielded from what the board's user did.

`shielded` is the one door to the board for them. The interrupted program of the user's may have taken every name:

- `print = 3` in `__main__` hides the builtin from all that runs there, `builtins.print = f` from all of the board. So
  the builtins of a program are locals of its function, taken from the module, whose attributes are always the
  genuine ones (py/objmodule.c: a store goes to a table of overrides, a load does not look there).
- `os.py` on the board or in a mounted directory comes before the module of the firmware, as does what
  `sys.modules['os']` holds (py/builtinimport.c; before 1.21 even `sys.py`, but not `usys`, which CircuitPython has
  not). So sys.path leads nowhere meanwhile, and the names that the program imports are not in sys.modules.
  An empty sys.path would search the working directory before 1.21.

All of it is as it was when the program ends. `builtins.__import__` alone cannot be got round.
"""

from __future__ import annotations

import ast
import builtins
import os
import re
from collections.abc import Iterable
from functools import cache

FOLDER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "ondevice")


@cache
def snippet(name: str) -> str:
    """The text of ondevice/NAME.py as it goes over the wire: no comments, no blank lines, one space a level.

    Snippets hold no strings over several lines, so that lines can be judged one by one (a test checks it).
    """
    out = []
    with open(os.path.join(FOLDER, f"{name}.py"), encoding="utf-8") as file:
        lines = file.read().splitlines()
    for line in lines:
        body = line.strip()
        if not body or body.startswith("#"):
            continue
        depth = (len(line) - len(line.lstrip(" "))) // 4
        code = body.partition("  # ")[0].rstrip()
        out.append(" " * depth + code)
    return "\n".join(out)


def function(name: str, wanted: str) -> str:
    """The text of one function of ondevice/NAME.py, as `snippet`."""
    for text in ("\n" + snippet(name)).split("\ndef ")[1:]:
        if text.startswith(wanted + "("):
            return "def " + text
    raise KeyError(wanted)


_BLOCKS = re.compile(r"(if|elif|else|for|while|try|except|finally|with|def|class)\b|@|.*:\Z")


def joined(source: str) -> str:
    """The same program in fewer lines: what is `snippet`'s, without brackets over several lines.

    An RP2040 needs 36 microseconds for each line, and 8 to read each space before it.
    """
    lines: list[tuple[int, str]] = []
    for line in source.split("\n"):
        code = line.lstrip(" ")
        depth = len(line) - len(code)
        if lines and lines[-1][0] == depth and not _BLOCKS.match(code) and not _BLOCKS.match(lines[-1][1]):
            lines[-1] = depth, f"{lines[-1][1]};{code}"
        else:
            lines.append((depth, code))
    out: list[tuple[int, str]] = []
    for number, (depth, code) in enumerate(lines):
        after = lines[number + 1][0] if number + 1 < len(lines) else 0
        # The only line of its block stands behind what opens it.
        if out and depth > out[-1][0] >= after and out[-1][1].endswith(":") and not _BLOCKS.match(code):
            out[-1] = out[-1][0], out[-1][1] + code
        else:
            out.append((depth, code))
    return "\n".join(" " * depth + code for depth, code in out)


# What sys.path holds for the user, by the name that it has inside a shielded program.
USERS_PATH = "_q"
# Below .frozen/ a name is looked up in the firmware's table alone, not in a file system. What is frozen may be the
# user's as well, so only a program that needs one of the port's own modules looks at it.
NOWHERE = ".frozen/-"
FROZEN = frozenset({"flashbdev", "rp2"})  # ports/esp8266/modules, ports/rp2/modules

_HEAD = """def _upy():
 try:import usys as _s
 except:import sys as _s
 _p=_s.path;_q=_p[:];_m=_s.modules;_o={_n:_m.pop(_n)for _n in'%s'.split()if _n in _m}
 try:
  _p[:]=['%s']
  from builtins import %s
"""
_TAIL = """ finally:_p[:]=_q;_m.update(_o)
try:_upy()
finally:del _upy"""


def shielded(source: str, names: Iterable[str] = (), modules: Iterable[str] = ()) -> str:
    """Wrap a program of ours so that nothing of the user's stands in for what it uses, and none of its names stays.

    Args:
        source: its text, none of whose strings goes over several lines; inside, `_p` is sys.path, which
            leads nowhere, USERS_PATH what the user has in it, and `_m` sys.modules.
        names: the builtins it uses; found in the text where neither they nor `modules` are given.
        modules: the modules it imports, and those that its parts of other texts import.
    """
    if not names and not modules:
        names, modules = needs(source)
    body = "".join(f"  {line}\n" for line in source.split("\n"))
    modules = {"builtins", *modules}
    path = ".frozen" if modules & FROZEN else NOWHERE
    head = _HEAD % (" ".join(sorted(modules)), path, ",".join(sorted(names)) or "len")
    return head + body + _TAIL


INTERNED = 10  # bytes of the longest text that stays (MICROPY_ALLOC_PARSE_INTERN_STRING_LEN, py/parse.c)


def argument(value: object) -> str:
    """The text of a literal for a program of ours, which leaves nothing behind in the board's memory.

    MicroPython keeps every text of up to INTERNED bytes that stands in a source until it is reset, in pieces all over
    its heap: after 10,000 names no 10 kB were left in one piece of 1.8 MB that were free. Bytes are not kept.
    """
    if isinstance(value, str) and value.isascii() and 0 < len(value) <= INTERNED:
        return f"{value.encode()!r}.decode()"
    if isinstance(value, (list, tuple)):
        return f"({''.join(f'{argument(item)},' for item in value)})"
    return repr(value)


# Bytes that the raw REPL takes for commands, ends of lines, and the lexer's mark. Of an escape by an octal number a
# digit behind it would be a part (py/lexer.c).
_MARKS = re.compile(rb"[\0-\4\n\r\\]")
_SHORT = {bytes((byte,)): b"\\%o" % byte for byte in range(5)} | {b"\n": b"\\n", b"\r": b"\\r", b"\\": b"\\\\"}


def literal(data: bytes) -> bytes:
    """The shortest text of `data` as bytes that the raw REPL takes: what needs no escape stays as it is."""
    quote = b'"' if data.count(b"'") > data.count(b'"') else b"'"
    text = _MARKS.sub(_escaped, data).replace(quote, b"\\" + quote)
    return b"b%b%b%b" % (quote, text, quote)


def _escaped(found: re.Match[bytes]) -> bytes:
    byte, behind = found[0], found.string[found.end() : found.end() + 1]
    return b"\\x%02x" % byte[0] if byte[0] < 5 and behind.isdigit() else _SHORT[byte]


def needs(source: str) -> tuple[set[str], set[str]]:
    """The builtins that a program names, and the modules that it imports."""
    names: set[str] = set()
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name) and hasattr(builtins, node.id):
            names.add(node.id)
        elif isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module != "builtins":
            modules.add(str(node.module))
    return names, modules
