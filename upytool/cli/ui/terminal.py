"""The user's terminal for the REPL: keys one by one, output byte for byte, and always restored.

On POSIX the terminal is in raw mode while it is open; it is restored at the end, on errors and on the signals
that end the process (cli/signals.py unwinds it), before a SIGTSTP stops the process, and set again when it goes
on. On Windows keys come from msvcrt and the console is given text. Where stdin is not a terminal its bytes are
read as they come.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from .streams import Streams

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ...api.console import Terminal

_READ = 4096


def open_terminal(streams: Streams) -> AbstractContextManager[Terminal]:
    """The terminal that fits this process's stdin; use it in a `with` block."""
    if not streams.in_tty:
        return PipedInput(streams)
    return WindowsTerminal(streams) if sys.platform == "win32" else PosixTerminal(streams)


class _Output:
    """What all of them share: the way to stdout and stderr."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams

    def write(self, data: bytes) -> None:
        self._streams.out(data)

    def say(self, text: str) -> None:
        self._streams.err(text)


class PosixTerminal(_Output):
    """A tty in raw mode. Output keeps its newline translation, so that messages of ours look right."""

    interactive = True

    def __init__(self, streams: Streams, fd: int | None = None) -> None:
        super().__init__(streams)
        self._fd = sys.stdin.fileno() if fd is None else fd
        self._saved: Any = None
        self._handlers: dict[int, Any] = {}

    def fileno(self) -> int | None:
        return self._fd

    def read(self, timeout: float) -> bytes | None:
        ready, _, _ = select.select([self._fd], [], [], timeout)
        if not ready:
            return b""
        try:
            return os.read(self._fd, _READ) or None
        except OSError:
            return None  # the terminal was closed

    def __enter__(self) -> PosixTerminal:
        if sys.platform != "win32":
            import atexit
            import termios

            self._saved = termios.tcgetattr(self._fd)
            atexit.register(self._restore)
            if threading.current_thread() is threading.main_thread():
                for number, handler in (
                    (signal.SIGTSTP, self._on_stop),
                    (signal.SIGCONT, self._on_continue),
                ):
                    self._handlers[number] = signal.signal(number, handler)
        self._set_raw()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import atexit

        self._restore()
        self._saved = None
        atexit.unregister(self._restore)
        for number, handler in self._handlers.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._handlers.clear()

    def _set_raw(self) -> None:
        if sys.platform != "win32" and self._saved is not None:
            import termios as t

            mode = t.tcgetattr(self._fd)
            mode[0] &= ~(t.BRKINT | t.ICRNL | t.INLCR | t.IGNCR | t.ISTRIP | t.IXON)
            mode[3] &= ~(t.ECHO | t.ICANON | t.IEXTEN | t.ISIG)
            mode[6][t.VMIN], mode[6][t.VTIME] = 1, 0
            with contextlib.suppress(t.error, OSError):
                t.tcsetattr(self._fd, t.TCSADRAIN, mode)

    def _restore(self) -> None:
        if sys.platform != "win32" and self._saved is not None:
            import termios

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._saved)

    def _on_stop(self, number: int, frame: FrameType | None) -> None:
        # Not a Ctrl-Z, which is a key for the board, but a signal from elsewhere.
        self._restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.signal(number, self._on_stop)
        self._set_raw()

    def _on_continue(self, number: int, frame: FrameType | None) -> None:
        self._set_raw()


# msvcrt's second code of a key that is not a character -> what a terminal sends for it
_WINDOWS_KEYS = {
    "H": b"\x1b[A", "P": b"\x1b[B", "M": b"\x1b[C", "K": b"\x1b[D", "G": b"\x1b[H", "O": b"\x1b[F",
    "S": b"\x1b[3~", "R": b"\x1b[2~", "I": b"\x1b[5~", "Q": b"\x1b[6~",
}  # fmt: skip
_PROCESSED_INPUT = 1


class WindowsTerminal(_Output):
    """A Windows console; Ctrl-C is a key while it is open."""

    interactive = True

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams)
        self._mode: int | None = None

    def fileno(self) -> int | None:
        return None

    def read(self, timeout: float) -> bytes | None:
        out = b""
        if sys.platform == "win32":
            import msvcrt

            deadline = time.monotonic() + timeout
            while not msvcrt.kbhit() and time.monotonic() < deadline:
                time.sleep(0.005)
            while msvcrt.kbhit():
                key = msvcrt.getwch()
                if key in ("\x00", "\xe0"):
                    out += _WINDOWS_KEYS.get(msvcrt.getwch(), b"")
                elif "\ud800" <= key <= "\udbff":
                    pair = (key + msvcrt.getwch()).encode("utf-16", "surrogatepass")
                    out += pair.decode("utf-16", "replace").encode()
                else:
                    out += key.encode("utf-8", "replace")
        return out

    def __enter__(self) -> WindowsTerminal:
        self._mode = _console_mode(None)
        if self._mode is not None:
            _console_mode(self._mode & ~_PROCESSED_INPUT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._mode is not None:
            _console_mode(self._mode)


def _console_mode(mode: int | None) -> int | None:
    """Set the input mode of the console (None: leave it); returns the mode it had."""
    if sys.platform == "win32":
        import ctypes
        from ctypes import wintypes

        kernel = ctypes.windll.kernel32
        handle, had = kernel.GetStdHandle(-10), wintypes.DWORD()
        if kernel.GetConsoleMode(handle, ctypes.byref(had)):
            if mode is not None:
                kernel.SetConsoleMode(handle, mode)
            return int(had.value)
    return None


class PipedInput(_Output):
    """stdin that is a pipe, a file or nothing at all."""

    interactive = False

    def __init__(self, streams: Streams) -> None:
        super().__init__(streams)
        self._fd: int | None = None
        self._chunks: list[bytes | None] = []
        self._came = threading.Condition()
        with contextlib.suppress(AttributeError, ValueError, OSError):
            self._fd = sys.stdin.fileno()

    def fileno(self) -> int | None:
        return self._fd if os.name == "posix" else None

    def read(self, timeout: float) -> bytes | None:
        if self._fd is None:
            return None
        if os.name == "posix":
            ready, _, _ = select.select([self._fd], [], [], timeout)
            return (os.read(self._fd, _READ) or None) if ready else b""
        # Windows cannot wait for a pipe: a thread reads it, and dies with the process.
        with self._came:
            if not self._chunks:
                self._came.wait(timeout)
            if not self._chunks:
                return b""
            return self._chunks[0] if self._chunks[0] is None else self._chunks.pop(0)

    def _read_ahead(self, fd: int) -> None:
        while True:
            data = os.read(fd, _READ)
            with self._came:
                self._chunks.append(data or None)
                self._came.notify_all()
            if not data:
                return

    def __enter__(self) -> PipedInput:
        if self._fd is not None and os.name != "posix":
            threading.Thread(target=self._read_ahead, args=(self._fd,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return
