"""The friendly REPL as a person sees it: where its prompt is, and how to type lines into it.

Facts (MicroPython, shared/runtime/pyexec.c and shared/readline/readline.c): the prompts are `>>> `, `... `
and, in paste mode, `=== `; a soft reset prints `MPY: soft reboot`; a start of the friendly mode prints a
banner with the version; a line that opens a block is followed by spaces that the readline typed itself; a
backspace behind nothing but spaces takes up to four of them away; there is no flow control, only the echo.
"""

from __future__ import annotations

import re

PROMPTS = (b">>> ", b"... ", b"=== ")
_PROMPT = re.compile(rb"(>>> |\.\.\. |=== )( *)\Z")
# A reset, or a friendly mode that begins: what was in the board's memory may be gone.
_RESTART = re.compile(rb"soft reboot|MicroPython v\d|CircuitPython \d")
_LONGEST = 64
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]+\Z")
CTRL_U = b"\x15"
BACKSPACE = b"\x08"

# mpremote's -e: these go through as they are, all else as [xx]
_PLAIN = frozenset((8, 9, 10, 13, 27, *range(32, 127)))


class PromptWatcher:
    """Follows the board's output and knows whether a prompt is the last of it.

    Attributes:
        line: the last line so far (its last 64 bytes).
        prompt: `>>> `, `... ` or `=== ` where the last line is nothing but that; else b"".
        indent: how many spaces the board typed behind the prompt.
        restarts: how many resets and banners were seen.
    """

    __slots__ = ("_tail", "indent", "line", "prompt", "restarts")

    def __init__(self) -> None:
        self.line = b""
        self.prompt = b""
        self.indent = 0
        self.restarts = 0
        self._tail = b""

    def feed(self, data: bytes) -> None:
        """`data` was printed."""
        text = self._tail + data
        kept = len(self._tail)
        self.restarts += sum(match.end() > kept for match in _RESTART.finditer(text))
        self._tail = text[-24:]
        line = self.line + data
        cut = max(line.rfind(b"\n"), line.rfind(b"\r"))
        self.line = line[cut + 1 :][-_LONGEST:]
        match = _PROMPT.match(self.line)
        self.prompt, self.indent = (match[1], len(match[2])) if match else (b"", 0)

    def typed(self) -> None:
        """Something was sent: the prompt that stands there is no longer the answer to it."""
        self.prompt = b""


def keys_for(line: bytes, watcher: PromptWatcher) -> bytes:
    """What to send so that `line` (without its end) is entered, whatever the board typed in advance.

    A line of nothing but control characters (a Ctrl-D, for instance) is sent without an Enter.
    """
    if line and _CONTROLS.match(line):
        return line
    if watcher.prompt != b"... " or not watcher.indent:
        return line + b"\r"
    width = len(line) - len(line.lstrip(b" "))
    if line.strip() and width >= watcher.indent:
        return line[watcher.indent :] + b"\r"
    wanted = width if line.strip() else 0
    if wanted % 4:
        return CTRL_U + line + b"\r"
    return BACKSPACE * ((watcher.indent - wanted + 3) // 4) + line[wanted:].rstrip(b" ") + b"\r"


def escape_non_printable(data: bytes) -> bytes:
    """Bytes that a terminal cannot show as `[xx]`, as mpremote's `repl -e` shows them."""
    if not data.translate(None, bytes(_PLAIN)):
        return data
    return b"".join([bytes((byte,)) if byte in _PLAIN else b"[%02x]" % byte for byte in data])


class Pacer:
    """How much may be typed now: the echo is the only flow control of the friendly REPL.

    Args:
        window: bytes that may be on their way without an echo; a UART's buffer holds 128 at least.
        patience: seconds without any output after which more is sent all the same (a program reads silently).
    """

    __slots__ = ("_due", "_unheard", "patience", "window")

    def __init__(self, window: int = 96, patience: float = 0.25) -> None:
        self.window, self.patience = window, patience
        self._unheard = 0
        self._due = 0.0

    def heard(self, count: int, now: float) -> None:
        """The board sent `count` bytes."""
        self._unheard = max(0, self._unheard - count)
        self._due = now + self.patience

    def allowance(self, now: float) -> int:
        """How many bytes may go now."""
        if self._unheard and now >= self._due:
            self._unheard = 0
        return self.window - self._unheard

    def sent(self, count: int, now: float) -> None:
        self._unheard += count
        self._due = now + self.patience

    def wait(self, now: float) -> float:
        """Seconds until `allowance` grows by itself."""
        return max(0.0, self._due - now)
