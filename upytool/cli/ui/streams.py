"""The process's three streams: what they are, and how bytes and text get out of them.

stdout is data, stderr everything else. The streams are looked up at each use, so that a test (or an embedding
program) may replace them.
"""

from __future__ import annotations

import os
import sys

from .guard import guarded
from .style import Style, want_colour

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codecs import IncrementalDecoder
    from collections.abc import Callable
    from typing import TextIO


class ClosedPipe(Exception):
    """The reader of stdout went away; the run ends silently with 141."""


class Streams:
    """Args: `color` is auto, always or never."""

    def __init__(self, color: str = "auto") -> None:
        self._color = color
        self._decoder: IncrementalDecoder | None = None
        self.sink: Callable[[bytes], None] | None = None  # of what `out` is given, in place of stdout
        self._within_line = False  # of a terminal, by what a program or a file put there
        self.out_tty = _is_tty(sys.stdout)
        self.err_tty = _is_tty(sys.stderr)
        self.in_tty = _is_tty(sys.stdin)
        if sys.platform == "win32":
            _enable_windows_escapes(self.out_tty, self.err_tty)
        self.style = self._style(sys.stdout, self.out_tty)
        self.err_style = self._style(sys.stderr, self.err_tty)

    def _style(self, stream: TextIO | None, tty: bool) -> Style:
        colour = want_colour(self._color, os.environ, tty)
        return Style(colour, tty, _width(), _shows_unicode(stream))

    def write(self, text: str) -> None:
        """Text of a result, to stdout, past the guard. Raises ClosedPipe."""
        stream = sys.stdout
        if stream is None:
            return
        self._within_line = False
        try:
            stream.write(_fit(guarded(text), stream))
            stream.flush()
        except OSError as error:
            raise _closed(error) from None

    def out(self, data: bytes) -> None:
        """Bytes to stdout, exactly as they are; only a Windows console is given text. Raises ClosedPipe."""
        if self.sink is not None:
            self.sink(data)
            return
        stream = sys.stdout
        if stream is None:
            return
        if self.out_tty and data:
            self._within_line = not data.endswith(b"\n")
        try:
            if os.name == "nt" and self.out_tty:
                stream.write(self._decode(data))
            else:
                stream.flush()
                stream.buffer.write(data)
                stream.buffer.flush()
                return
            stream.flush()
        except OSError as error:
            raise _closed(error) from None

    def err(self, text: str, end: str = "\n") -> None:
        """A line for the user, to stderr, after everything already on stdout. A closed stderr is ignored."""
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:
            pass
        stream = sys.stderr
        if stream is None:
            return
        if self._within_line and self.err_tty:
            text = "\n" + text
        self._within_line = False
        try:
            stream.write(_fit(guarded(text), stream) + end)
            stream.flush()
        except OSError:
            pass

    def _decode(self, data: bytes) -> str:
        if self._decoder is None:
            from codecs import getincrementaldecoder

            self._decoder = getincrementaldecoder("utf-8")("replace")
        return self._decoder.decode(data)


def _is_tty(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _width() -> int:
    columns = os.environ.get("COLUMNS", "")
    # Five ASCII digits at most: isdigit alone takes a superscript two, which int refuses.
    if columns.isascii() and columns.isdigit() and len(columns) <= 5 and int(columns) > 0:
        return int(columns)
    for stream in (sys.stdout, sys.stderr):
        try:
            return os.get_terminal_size(stream.fileno()).columns or 80
        except (AttributeError, ValueError, OSError):
            continue
    return 80


def _shows_unicode(stream: TextIO | None) -> bool:
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("_", "-")
    return encoding.startswith("utf")


def _fit(text: str, stream: TextIO) -> str:
    """Text that the stream's encoding can hold: a legacy console must not end a run with an error."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding, getattr(stream, "errors", None) or "strict")
        return text
    except (UnicodeEncodeError, LookupError):
        return text.encode(encoding, "replace").decode(encoding)


def _closed(error: OSError) -> Exception:
    import errno

    # Windows reports a closed pipe as EINVAL.
    if isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL):
        return ClosedPipe()
    from ...errors import LocalFileError

    reason = error.strerror or str(error)
    return LocalFileError("local-file.output", reason=reason[:1].lower() + reason[1:])


def _enable_windows_escapes(*wanted: bool) -> None:
    """Switch a Windows console to escape sequences (SetConsoleMode, ENABLE_VIRTUAL_TERMINAL_PROCESSING)."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.windll.kernel32
        for number, tty in zip((-11, -12), wanted, strict=False):
            mode = wintypes.DWORD()
            handle = kernel.GetStdHandle(number)
            if tty and kernel.GetConsoleMode(handle, ctypes.byref(mode)):
                kernel.SetConsoleMode(handle, mode.value | 4)
