"""A program on this computer as the board: `exec:COMMAND` over pipes, `execpty:COMMAND` on a terminal of its own.

The two names are those of upstream's tools/pyboard.py.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import sys

from ..errors import ConnectionLostError, PortMissingError, PortUnusableError
from .base import WRITE_TIMEOUT
from .ready import readable, writable

END_TIMEOUT = 2.0


class ProcessTransport:
    """A Transport to a child process; closing it ends the child.

    Args:
        name: the selector, for messages.
        command: the command line, split as a POSIX shell would.
        pty: True gives the child a pseudo terminal in raw mode as its controlling terminal (POSIX only).
    """

    interrupts = True
    survives_reset = True

    def __init__(self, name: str, command: str, *, pty: bool) -> None:
        self.name = name
        if sys.platform == "win32":
            raise PortUnusableError("transport.unusable.process-platform")
        try:
            argv = shlex.split(command)
        except ValueError as error:
            raise PortMissingError("transport.missing.command-line", name=name, reason=str(error).lower()) from error
        if not argv:
            raise PortMissingError("transport.missing.no-command")
        try:
            if pty:
                self._start_on_pty(argv)
            else:
                self._process = subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, start_new_session=True
                )
                assert self._process.stdin is not None
                assert self._process.stdout is not None
                self._out, self._in = self._process.stdin.fileno(), self._process.stdout.fileno()
        except FileNotFoundError as error:
            raise PortMissingError("transport.missing.program", program=argv[0]) from error
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise PortUnusableError("transport.unusable.program", program=argv[0], cause=error) from error
        os.set_blocking(self._out, False)

    def _start_on_pty(self, argv: list[str]) -> None:
        import pty
        import tty

        ours, theirs = pty.openpty()
        try:
            # Raw, or the terminal would double carriage returns and eat control bytes.
            tty.setraw(theirs)
            self._process = subprocess.Popen(
                argv,
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
                preexec_fn=_take_terminal,
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        self._in = self._out = ours

    def read(self, timeout: float | None) -> bytes:
        try:
            if not readable((self._in,), timeout):
                return b""
            data = os.read(self._in, 65536)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost() from error
        if not data:
            raise self._lost()
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._out, view) :]
            except BlockingIOError:
                if not writable(self._out, WRITE_TIMEOUT):
                    raise ConnectionLostError("transport.lost.program-stalled", name=self.name) from None
            except OSError as error:
                raise self._lost() from error

    def _lost(self) -> ConnectionLostError:
        status = self._process.poll()
        if status is None:
            return ConnectionLostError("transport.lost.program-closed", name=self.name)
        return ConnectionLostError("transport.lost.program-ended", name=self.name, status=status)

    def close(self) -> None:
        process = self._process
        if process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(END_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(END_TIMEOUT)
        if process.stdout is not None:
            process.stdout.close()
        elif self._in >= 0:
            with contextlib.suppress(OSError):
                os.close(self._in)
        self._in = self._out = -1

    def fileno(self) -> int | None:
        return self._in


def _take_terminal() -> None:
    """In the child: make its standard input the controlling terminal, so that job control works as on a tty."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
