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
    # Imports make many objects and no garbage: looking for some costs 5 % of a short command.
    gc.set_threshold(50_000)
    code = run(sys.argv[1:])
    _leave_at_once(code)
    sys.exit(code)


def run(argv: Sequence[str]) -> int:
    """Run a command line (without the program's name); returns the exit code. Nothing escapes."""
    from .ui.streams import ClosedPipe, Streams

    try:
        completing = "_UPYTOOL_COMPLETE" in os.environ
        if not completing and (
            len(argv) == 0 or (len(argv) == 1 and argv[0] in ("--help", "-h", "--version"))
        ):
            streams = Streams()
            from .ui import help

            version = list(argv) == ["--version"]
            streams.write(help.version_line() if version else help.root_help(streams.style))
            return 0
        from .session import run_line

        return run_line(list(argv))
    except ClosedPipe:
        _silence_stdout()
        return 141
    except BrokenPipeError:
        _silence_stdout()
        return 141
    except Exception as error:
        # The output itself cannot be written; a command's errors have been reported in run_line.
        from ..errors import UpytoolError

        if not isinstance(error, UpytoolError):
            raise
        _silence_stdout()
        Streams().err(f"error: {error.message}\nhint: {error.hint}")
        return error.exit_code
    except KeyboardInterrupt:
        # Before anything ran; a command that was interrupted has been answered in run_line.
        return 130


def _leave_at_once(code: int) -> None:
    """End without taking the interpreter apart, which is a tenth of a short command's time.

    Only where nobody asked to be called at the end and no thread runs; else it returns.
    """
    threads = sys.modules.get("threading")
    if atexit._ncallbacks() or (threads is not None and threads.active_count() > 1):
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError, AttributeError):
        return
    os._exit(code)


def _silence_stdout() -> None:
    """The interpreter flushes stdout at its end; give it somewhere to go."""
    try:
        sys.stdout.close()
    except (OSError, ValueError):
        pass
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
