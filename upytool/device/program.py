"""A user's program on its way to the board.

The raw REPL runs source text as it comes, with three losses that this module makes good:

- `sys.exit(n)`: pyexec.c drops the value and resets the board. So the program is put into a `try` whose handler
  passes the value on through the error channel. Only lines that begin a statement are indented (strings and
  continuation lines stay as they are), and where the source has an early blank or comment line the `try:` takes
  its place, so that line numbers hold.
- nothing escapes what it prints (protocol.program_end): so the program prints a random mark as the last thing it does.
- a program that only prints numbers and texts that stand in it (`_PLAIN`) can do none of this, and goes as it is: the
  wrapper costs a small board four times as much as the program.
- bytes 03 and 04 in the source are commands to the raw REPL: such a source goes over as an escaped literal.
"""

from __future__ import annotations

import io
import os
import re
from typing import NamedTuple

from ..errors import Hints, RemoteError, RemoteException, RemoteExit, RemoteOSError
from ..words import Said
from .answers import parse_answer

# How many separators a mark has, two random bits each. More than ten: a shorter literal would be interned on the board
# for good, where a program could list it too (MicroPython, MICROPY_ALLOC_PARSE_INTERN_STRING_LEN).
_MARK_LENGTH = 24
_SHORT = 128
_EXIT_MARK = "\x1fexit"  # Nothing that splitlines() splits at.
# Compiled when a program fails, not at every start.
_FRAME = r'^(  File )"([^"]+)", line (\d+)'
_VALUE = r"""(?:-?\d+(?:\.\d+)?|'[ -&(-\[\]-~]*'|"[ !#-\[\]-~]*")"""
_PLAIN = rf"(?:print\((?:{_VALUE}(?:, ?{_VALUE})*)?\)[;\n]?)+\Z"
_OSERROR = r"^OSError: (?:\[Errno -?(\d+)\]|\(?-?(\d+))"


class Program(NamedTuple):
    """What goes to the board, and how to read its tracebacks.

    Attributes:
        source: the bytes to run.
        filename: what the user calls the program.
        shift: how many lines its line numbers are ahead of the file's.
        mark: what it prints last; b"" where it prints none.
        plain: it needs no mark, because nothing that it prints looks like an end.
    """

    source: bytes
    filename: str
    shift: int
    mark: bytes = b""
    plain: bool = False


def prepare(source: bytes | str, filename: str = "<stdin>", *, marked: bool = True) -> Program:
    """Wrap `source` so that its exit status survives, and so that it prints a mark at its end with `marked`.

    What does not tokenize goes over as it is: the board's own SyntaxError is the best message.
    """
    text = source if isinstance(source, str) else source.decode("utf-8", "surrogateescape")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    if len(text) <= _SHORT and re.match(_PLAIN, text):
        return Program(text.encode(), filename, 0, plain=True)
    mark = _new_mark() if marked else ""
    wrapped, shift = _wrap(text, mark)
    data = wrapped.encode("utf-8", "surrogateescape")
    if b"\x03" in data or b"\x04" in data:
        data = b"exec(" + repr(data).encode() + b")"
    return Program(data, filename, shift, mark.encode() if wrapped is not text else b"")


def _new_mark() -> str:
    """A random run of the four ASCII separators 1c to 1f, which a terminal that sees them does not show."""
    bits = int.from_bytes(os.urandom(_MARK_LENGTH // 4), "big")
    return "".join(chr(0x1C + (bits >> 2 * at & 3)) for at in range(_MARK_LENGTH))


def _statement_lines(text: str) -> tuple[set[int], set[int]] | None:
    """(lines that begin a statement, lines at top level that are blank or only a comment), from 1; None if unknown."""
    import tokenize

    starts: set[int] = set()
    free: set[int] = set()
    fresh, depth = True, 0
    skip = (tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.INDENT:
                depth += 1
            elif token.type == tokenize.DEDENT:
                depth -= 1
            if fresh and depth == 0 and token.type == tokenize.NL:
                free.add(token.start[0])
            if token.type == tokenize.NEWLINE:
                fresh = True
            elif fresh and token.type not in skip:
                starts.add(token.start[0])
                fresh = False
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
    return starts, free


def _wrap(text: str, mark: str) -> tuple[str, int]:
    found = _statement_lines(text)
    if found is None or not found[0]:
        return text, 0
    starts, free = found
    lines = text.split("\n")
    first = min(starts)
    before = [number for number in free if number < first]
    at = max(before, default=0)
    shift = 0 if at else 1
    out = []
    for number, line in enumerate(lines, 1):
        if number == at:
            out.append("try:")
        else:
            out.append(" " + line if number in starts else line)
    if not at:
        out.insert(0, "try:")
    # The program may have taken any name of ours, so there is as good as none: a missing key of a dict is an
    # exception without one, and the genuine SystemExit is the module's attribute (see device.ondevice).
    found_exit = "SystemExit" if "__import__" in text else "__import__('builtins').SystemExit"
    # machine.soft_reset() raises a SystemExit without arguments as well, which has to reach the interpreter (it sets
    # pyexec_system_exit, extmod/modmachine.c). So does a bare sys.exit() then, unless it stands in this text, where it
    # is known for what it is: going on without a reset keeps what is mounted.
    leave = "exit" in text or "SystemExit" in text
    through = "" if leave and "soft_reset" not in text else "\n if not _upy.args:raise\n "
    tail = f"\nexcept {found_exit} as _upy:{through}{{}}[{_EXIT_MARK!r}+'%r'%(_upy.args,)]\n"
    if mark:
        # Not `print`, which may be the program's own; only small firmware has no sys.stdout.
        tail += (
            f"finally:\n try:__import__('sys').stdout.write('{mark}')\n except AttributeError:print('{mark}',end='')\n"
        )
    return "\n".join(out).rstrip("\n") + tail, shift


def rewrite_traceback(text: str, program: Program, places: dict[str, str] | None = None) -> str:
    """The board's traceback with the user's own names and line numbers.

    Args:
        places: board path (or folder ending in `/`) -> local path, for what came from this computer.
    """
    places = places or {}

    def frame(match: re.Match[str]) -> str:
        name, line = match[2], int(match[3])
        if name in ("<stdin>", "<string>"):
            return f'{match[1]}"{program.filename}", line {max(1, line - program.shift)}'
        for remote, local in places.items():
            if name == remote:
                return f'{match[1]}"{local}", line {line}'
            if remote.endswith("/") and name.startswith(remote):
                return f'{match[1]}"{local.rstrip("/")}/{name[len(remote) :]}", line {line}'
        return match[0]

    return re.sub(_FRAME, frame, text, flags=re.M)


def raise_program_error(
    error: bytes, program: Program, places: dict[str, str] | None = None, output: bytes = b""
) -> None:
    """Nothing when `error` is empty; else RemoteExit or RemoteException for what the program did.

    `sys.exit()` and `sys.exit(0)` are success. `sys.exit("text")` is status 1 with the text, as in CPython.
    """
    if not error:
        return
    text = error.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.strip().splitlines()
    last = lines[-1] if lines else ""
    if _EXIT_MARK in last or repr(_EXIT_MARK)[1:-1] in last:
        _raise_exit(last, output)
        return
    raise RemoteException(rewrite_traceback(text, program, places), output=output, hint=_hint(last))


def _raise_exit(line: str, output: bytes) -> None:
    said = line.partition(":")[2]
    try:
        if _EXIT_MARK not in said:  # A firmware that prints the repr of a KeyError's text.
            said = str(parse_answer(said))
        arguments = parse_answer(said.partition(_EXIT_MARK)[2])
    except ValueError:
        arguments = (1,)
    if not isinstance(arguments, tuple):
        arguments = (1,)
    status = arguments[0] if arguments else None
    if status is None or status is False or status == 0:
        return
    if isinstance(status, int):
        raise RemoteExit(status, output=output)
    raise RemoteException(f"{status}\n", output=output)


def _hint(last: str) -> Hints:
    if last.startswith("MemoryError"):
        return Said("device.out-of-memory")
    missing = re.match(r"ImportError: .*'([\w.]+)'", last)
    if missing:
        return Said("device.import", name=missing[1])
    if last.startswith("ValueError") and ".mpy" in last:
        return Said("device.other-mpy")
    return ()


def is_error(text: bytes) -> bool:
    """Whether the text at a program's end is an error's.

    A timer or a thread of the board may print there too. The name of the exception stands at the beginning of a line
    and no translation changes it, nor the colon behind it (py/objexcept.c, mp_obj_exception_print).
    """
    return re.search(rb"^\w[\w.]*:(\s|$)", text, re.MULTILINE) is not None


def raise_snippet_error(error: bytes, path: str = "") -> None:
    """Nothing when `error` is empty; else RemoteOSError, or RemoteError for what went wrong in our own program."""
    if not error:
        return
    text = error.decode("utf-8", "replace").replace("\r\n", "\n")
    lines = text.strip().splitlines()
    last = lines[-1] if lines else "the board failed"
    match = re.match(_OSERROR, last)
    if match:
        raise RemoteOSError(int(match[1] or match[2]), path)
    if last.startswith("MemoryError"):
        raise RemoteError("remote.memory")
    raise RemoteException(text)
