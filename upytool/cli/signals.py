"""What Ctrl-C and the signals that end a process do, from the first import to the last line.

Until a command line is looked at, nothing is open and there is nothing to say: Ctrl-C ends the process at once.
From then on Ctrl-C is a KeyboardInterrupt, and a signal that ends the process unwinds it: temporary files go,
the terminal gets its mode back, the board its prompt; the exit code is 128 and the signal's number. A second
signal ends it at once.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK") if hasattr(signal, name))


def while_starting() -> None:
    """Nothing is open: Ctrl-C leaves without a word, and without the traceback of a half-imported module."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _leave_at_once)


def while_running() -> None:
    """A command line runs."""
    if signal.getsignal(signal.SIGINT) is _leave_at_once:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in ENDING:
        # `nohup` sets SIGHUP to be ignored, and means it.
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _unwind)
    sys.unraisablehook = _Unraisable(sys.unraisablehook)


def _leave_at_once(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _unwind(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise SystemExit(128 + number)


def _send_again(number: int) -> None:
    """From a thread and a moment later: sent from the hook itself, it would end the hook, which Python prints too."""
    import threading

    timer = threading.Timer(0.01, signal.raise_signal, (number,))
    timer.daemon = True
    timer.start()


class _Unraisable:
    """A signal may come within a callback whose exceptions Python prints and forgets: it is sent once more."""

    def __init__(self, before: Any) -> None:
        self._before = before

    def __call__(self, unraisable: Any) -> None:
        error = unraisable.exc_value
        if isinstance(error, KeyboardInterrupt):
            _send_again(signal.SIGINT)
        elif isinstance(error, SystemExit) and isinstance(error.code, int) and error.code > 128:
            signal.signal(error.code - 128, _unwind)
            _send_again(error.code - 128)
        else:
            self._before(unraisable)
