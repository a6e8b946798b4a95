"""Serial ports, through pyserial.

What differs from board to board at opening is the modem lines: on Espressif's auto-reset circuit DTR and RTS
at equal levels let the chip run, RTS alone holds it in reset and DTR alone selects the ROM loader (esptool,
esptool/reset.py), and lines that change one after the other pass through such a state. `Lines` says what to
set before the port opens.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from typing import Any, NamedTuple

from ..errors import ConnectionLostError
from .base import WRITE_TIMEOUT
from .ready import readable, writable


class Lines(NamedTuple):
    """Modem lines at opening and closing; None leaves a line to the driver (which raises it).

    Attributes:
        dtr, rts: what they are while the port is open.
        staged: the driver sets them one after the other (Silicon Labs' on Windows): open with both off, raise
            DTR before RTS, and drop RTS before DTR at the end, so that RTS is never on alone.
    """

    dtr: bool | None = None
    rts: bool | None = None
    staged: bool = False


class SerialTransport:
    """A Transport over a serial port or any URL that pyserial opens.

    Args:
        port: `/dev/ttyACM0`, `COM3`, `rfc2217://host:port`, `loop://` ...
        baud: bits per second; native USB ignores it.
        lines: modem lines to set before the port opens.

    Errors: PortMissingError, PortBusyError, PortPermissionError, PortUnusableError.
    """

    interrupts = True
    survives_reset = True

    def __init__(self, port: str, *, baud: int = 115200, lines: Lines | None = None) -> None:
        import serial

        self.name = port
        self._fd: int | None = None
        lines = lines or Lines()
        try:
            if "://" in port:
                self._serial: Any = serial.serial_for_url(port, do_not_open=True)
            else:
                self._serial = serial.Serial()
                self._serial.port = port
                self._serial.exclusive = True if os.name == "posix" else None
            self._serial.baudrate = baud
            self._serial.timeout = 0.1
            if "://" not in port:
                # pyserial's network ports refuse one; their sockets have a limit of their own (5 s).
                self._serial.write_timeout = WRITE_TIMEOUT
            self._staged = lines.staged
            if lines.staged:
                self._serial.dtr = self._serial.rts = False
            elif not self._sets_both_later(lines):
                if lines.dtr is not None:
                    self._serial.dtr = lines.dtr
                if lines.rts is not None:
                    self._serial.rts = lines.rts
            self._serial.open()
            with contextlib.suppress(Exception):
                self._fd = self._serial.fileno() if sys.platform != "win32" else None
            if self._fd is not None:
                self._serial.timeout = 0
        except Exception as error:
            # A port may vanish between any two steps, and pyserial lets the termios.error of that pass, which is no
            # OSError.
            with contextlib.suppress(Exception):
                self._serial.close()
            from .open_errors import explain_open_error

            raise explain_open_error(port, _as_os_error(error)) from error
        if lines.staged or self._sets_both_later(lines):
            self.set_lines(dtr=lines.dtr, rts=lines.rts)

    @staticmethod
    def _sets_both_later(lines: Lines) -> bool:
        # A POSIX system raises both lines when it opens the port; pyserial would then drop DTR before RTS,
        # and RTS alone resets an Espressif board. One request for both afterwards does not.
        return os.name == "posix" and lines.dtr is False and lines.rts is False

    @property
    def baud(self) -> int:
        return int(self._serial.baudrate)

    def set_baud(self, baud: int) -> None:
        try:
            self._serial.baudrate = baud
        except Exception as error:  # termios.error among them
            raise ConnectionLostError("transport.lost.baud", name=self.name, baud=baud) from error

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        # A pseudo terminal has no modem lines: the driver says ENOTTY, and there is nothing to set.
        with contextlib.suppress(OSError):
            if self._fd is not None and dtr is not None and dtr == rts:
                self._set_both(self._fd, dtr)
                return
            if dtr is not None:
                self._serial.dtr = dtr
            if rts is not None:
                self._serial.rts = rts

    def _set_both(self, fd: int, on: bool) -> None:
        """Both lines in one request, so that no state with one of them alone lies between."""
        import fcntl
        import struct
        import termios

        both = struct.pack("i", termios.TIOCM_DTR | termios.TIOCM_RTS)
        fcntl.ioctl(fd, termios.TIOCMBIS if on else termios.TIOCMBIC, both)

    def read(self, timeout: float | None) -> bytes:
        try:
            if self._fd is not None:
                return self._read_fd(self._fd, timeout)
            self._serial.timeout = timeout
            first = self._serial.read(1)
            if not first:
                return b""
            more = self._serial.in_waiting
            return bytes(first) + (bytes(self._serial.read(more)) if more else b"")
        except (OSError, TypeError, ValueError) as error:
            # pyserial raises TypeError when closed under a read; select refuses numbers beyond its table (ValueError).
            raise self._lost(error) from error

    def _read_fd(self, fd: int, timeout: float | None) -> bytes:
        for _ in range(4):
            if not readable((fd,), timeout):
                return b""
            try:
                data = os.read(fd, 65536)
            except BlockingIOError:
                return b""
            if data:
                return data
            # Readable without data is how a tty says that its device is gone, but once may also be another
            # reader of the port that was faster.
            time.sleep(0.005)
        raise OSError(errno.EIO, "the device is gone")

    def write(self, data: bytes) -> None:
        import serial

        try:
            if self._fd is not None:
                self._write_fd(self._fd, data)
            else:
                self._serial.write(data)
        except (serial.SerialTimeoutException, TimeoutError) as error:
            raise ConnectionLostError(
                "transport.lost.write-timeout-serial", name=self.name, seconds=WRITE_TIMEOUT
            ) from error
        except (OSError, TypeError, ValueError) as error:
            raise self._lost(error) from error

    def _write_fd(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(fd, view) :]
            except BlockingIOError:
                if not writable(fd, WRITE_TIMEOUT):
                    raise TimeoutError from None

    def _lost(self, error: BaseException) -> ConnectionLostError:
        return ConnectionLostError("transport.lost.serial", name=self.name)

    def close(self) -> None:
        if self._staged:
            self.set_lines(rts=False)
            self.set_lines(dtr=False)
        with contextlib.suppress(Exception):
            self._serial.close()

    def fileno(self) -> int | None:
        return self._fd


def _as_os_error(error: Exception) -> Exception:
    """A termios.error as the OSError that it stands for; anything else as it is."""
    number = error.args[0] if error.args else None
    if isinstance(error, (OSError, ValueError)) or not isinstance(number, int):
        return error
    return OSError(number, os.strerror(number))
