"""The serial line of a simulated board: what the host sent, what the board said, and who waits for it.

It behaves as MicroPython's USB CDC does: the interrupt character is taken out of the stream while a program
runs and empties what was waiting before it (shared/tinyusb/mp_usbd_cdc.c), a host that does not read stalls
the board for a while and then loses output.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

OUTPUT_LIMIT = 256 * 1024  # bytes that wait for a reader before the board stalls
STALL_SECONDS = 5.0  # a board waits 0.5 s (MICROPY_HW_USB_CDC_TX_TIMEOUT); a busy test machine needs more
INPUT_LIMIT = 64 * 1024  # bytes that wait for the board before `feed` says so


class Interrupted(Exception):
    """A wait inside the board was ended by Ctrl-C."""


class Stopped(BaseException):
    """The board is being taken away or reset; the VM has to be left."""


class Console:
    """Both directions of one board's serial line; every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._input = bytearray()
        self._output = bytearray()
        self._interrupt_char = -1
        self._interrupted = False
        self._stopped = False
        self._unread = False
        self.closed = False
        self.on_interrupt: Callable[[], None] = lambda: None
        self.on_output: Callable[[], None] | None = None

    # the host's side

    def feed(self, data: bytes) -> None:
        """Bytes from the host arrive."""
        with self._lock:
            if 0 <= self._interrupt_char < 256:
                at = data.rfind(self._interrupt_char)
                if at >= 0:
                    self._input.clear()
                    data = data[at + 1 :]
                    self._interrupted = True
                    self.on_interrupt()
            self._input += data
            self._changed.notify_all()

    @property
    def congested(self) -> bool:
        """Whether the board has more to read than it should; stop feeding until it is not."""
        return len(self._input) >= INPUT_LIMIT

    def take_output(self, limit: int = 65536) -> bytes:
        """What the board has said and nobody took, without waiting."""
        with self._lock:
            data = bytes(self._output[:limit])
            if data:
                self.drop_output(len(data))
            return data

    def peek_output(self, limit: int = 65536) -> bytes:
        """As `take_output`, but the bytes stay until `drop_output`."""
        with self._lock:
            return bytes(self._output[:limit])

    def drop_output(self, count: int) -> None:
        with self._lock:
            del self._output[:count]
            self._unread = False
            self._changed.notify_all()

    def wait_output(self, timeout: float) -> bool:
        """Wait until there is output, at most `timeout` seconds."""
        with self._lock:
            return self._changed.wait_for(lambda: bool(self._output) or self.closed, timeout)

    def wait_room(self, timeout: float) -> bool:
        """Wait until the board can be fed, at most `timeout` seconds."""
        with self._lock:
            return self._changed.wait_for(lambda: not self.congested or self.closed, timeout)

    def stop(self) -> None:
        """Make the VM's next (or current) wait raise Stopped."""
        with self._lock:
            self._stopped = True
            self._changed.notify_all()

    def close(self) -> None:
        """No more output will come: wake whoever waits for it."""
        with self._lock:
            self.closed = True
            self._changed.notify_all()
        if self.on_output is not None:
            self.on_output()

    # the board's side

    def restart(self, *, drop_input: bool) -> None:
        """A new VM begins."""
        with self._lock:
            self._stopped = self._interrupted = False
            self._interrupt_char = -1
            if drop_input:
                self._input.clear()

    def announce(self, text: str) -> None:
        """What the hardware says between two VMs; never waits."""
        with self._lock:
            self._output += text.encode()
            self._changed.notify_all()
        if self.on_output is not None:
            self.on_output()

    def set_interrupt_char(self, char: int) -> None:
        with self._lock:
            self._interrupt_char = char
            self._interrupted = False

    @property
    def interrupt_char(self) -> int:
        return self._interrupt_char

    def pending(self) -> int:
        """How many bytes could be read now."""
        return len(self._input)

    def wait_input(self, timeout: float | None = None) -> bool:
        """Wait for input; False after `timeout` seconds.

        Raises: Interrupted, Stopped.
        """
        with self._lock:
            self._changed.wait_for(lambda: self._stopped or self._interrupted or bool(self._input), timeout)
            self._raise_if_asked()
            return bool(self._input)

    def sleep(self, seconds: float) -> None:
        """Raises: Interrupted, Stopped."""
        with self._lock:
            self._changed.wait_for(lambda: self._stopped or self._interrupted, seconds)
            self._raise_if_asked()

    def read(self, limit: int) -> bytes:
        """Up to `limit` bytes, at least one (waits)."""
        self.wait_input()
        return self.read_now(limit)

    def read_now(self, limit: int, stops: bytes = b"") -> bytes:
        """Up to `limit` bytes that are there; ends after the first byte that is in `stops`."""
        with self._lock:
            self.check()
            if not stops:
                data = bytes(self._input[:limit])
            else:
                end = min(limit, len(self._input))
                for stop in stops:
                    at = self._input.find(stop, 0, end)
                    if at >= 0:
                        end = at + 1
                data = bytes(self._input[:end])
            was_congested = self.congested
            del self._input[: len(data)]
            if was_congested and not self.congested:
                self._changed.notify_all()
                if self.on_output is not None:
                    self.on_output()
            return data

    def check(self) -> None:
        """Raises: Stopped."""
        if self._stopped:
            raise Stopped

    def write(self, data: bytes) -> None:
        """The board says something; waits when the host has not read for a while.

        Raises: Stopped.
        """
        with self._lock:
            self.check()
            if len(self._output) + len(data) > OUTPUT_LIMIT and not self._drained(len(data)):
                return
            was_empty = not self._output
            self._output += data
            if was_empty:
                self._changed.notify_all()
        if was_empty and self.on_output is not None:
            self.on_output()

    def _drained(self, count: int) -> bool:
        if self._unread:
            return False
        last, since = len(self._output), time.monotonic()
        while last and last + count > OUTPUT_LIMIT:
            self._changed.wait(0.2)
            self.check()
            if self._interrupted:
                return False
            if len(self._output) < last:
                since = time.monotonic()
            elif time.monotonic() - since > STALL_SECONDS:
                self._unread = True
                return False
            last = len(self._output)
        return True

    def _raise_if_asked(self) -> None:
        self.check()
        if self._interrupted:
            self._interrupted = False
            raise Interrupted
