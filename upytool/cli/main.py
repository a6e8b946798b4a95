"""The door: from argv to an exit code. The only place that catches everything.

A bare `upytool`, `--help` and `--version` are answered before Click is imported.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn


def main() -> NoReturn:
    """The console script: runs `sys.argv` and exits."""
    try:
        # Imports make many objects and no garbage: looking for some costs 5 % of a short command.
        gc.set_threshold(50_000)
        code = _flushed(run(sys.argv[1:], signals=True))
        _leave_at_once(code)
    except KeyboardInterrupt:
        # Between two lines of ours: all that was open is closed, or nothing was.
        os._exit(130)
    sys.exit(code)


def run(argv: Sequence[str], *, signals: bool = False) -> int:
    """Run a command line (without the program's name); returns the exit code. Nothing escapes.

    Args:
        signals: the process is ours, and so are its signals.
    """
    from .ui.streams import ClosedPipe, Streams

    try:
        completing = "_UPYTOOL_COMPLETE" in os.environ
        if not completing and (len(argv) == 0 or (len(argv) == 1 and argv[0] in ("--help", "-h", "--version"))):
            streams = Streams()
            from .ui import help

            version = list(argv) == ["--version"]
            streams.write(help.version_line() if version else help.root_help(streams.style))
            return 0
        return _run_line(list(argv), signals)
    except (ClosedPipe, BrokenPipeError):
        _silence_stdout()
        return 141
    except KeyboardInterrupt:
        # Before anything ran; a command that was interrupted has been answered in run_line.
        return 130
    except Exception as error:
        # The output itself cannot be written, or what should have reported an error failed: the last words.
        from ..errors import UpytoolError

        _silence_stdout()
        known = error if isinstance(error, UpytoolError) else None
        Streams().err(f"error: {known.message if known else f'unexpected {type(error).__name__}'}")
        if known and known.hint:
            Streams().err(f"hint: {known.hint}")
        return known.exit_code if known else 1


def _run_line(argv: list[str], own_process: bool) -> int:
    if not own_process:
        from .session import run_line

        return run_line(argv)
    from . import signals

    signals.while_starting()
    from .session import run_line

    signals.while_running()
    return run_line(argv)


def _flushed(code: int) -> int:
    """Write out what is left, so that the interpreter's end finds nothing to complain about; the exit code."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        _silence_stdout()
        return code or 6
    return code


def _leave_at_once(code: int) -> None:
    """End without taking the interpreter apart, which is a tenth of a short command's time.

    Only where nobody asked to be called at the end and no thread runs; else it returns.
    """
    threads = sys.modules.get("threading")
    if atexit._ncallbacks() or (threads is not None and threads.active_count() > 1):
        return
    os._exit(code)


def _silence_stdout() -> None:
    """The interpreter flushes stdout at its end; give it somewhere to go."""
    try:
        sys.stdout.close()
    except (OSError, ValueError):
        pass
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
