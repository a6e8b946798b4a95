"""Ends every wait inside esptool, and says what is waited for.

esptool's limits are those of one answer: a command takes up to a hundred of them, connecting takes attempts of
attempts, and what it awaits without a command (the stub's greeting) has the port's own timeout, which is none. So the
limit of a call is held where all of its waits pass: in the port's `read` and `write`.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from ..errors import FlashError

SLICE = 1.0  # seconds that a read may last before the limit is looked at again


class OutOfTime(FlashError):
    """A call's limit ran out; esptool, which knows no such error, lets it through."""


class Patience:
    """The limit of the call under way, in seconds.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._end, self._seconds, self._told = math.inf, math.inf, math.inf
        self._start = 0.0
        self._tell: Callable[[float], None] | None = None

    @contextlib.contextmanager
    def limit(self, seconds: float, tell: Callable[[float], None] | None = None) -> Iterator[None]:
        """Give what is done in here so many seconds, counted anew at each `renew`.

        Args:
            tell: called from within a wait each second, with how long it has lasted.
        """
        self._start, self._seconds, self._tell, self._told = self._clock(), seconds, tell, 1.0
        self._end = self._start + seconds
        try:
            yield
        finally:
            self._end = math.inf

    def renew(self) -> None:
        """The chip got on with it."""
        self._end = self._clock() + self._seconds

    def check(self) -> None:
        """Raises OutOfTime once the limit is over."""
        now = self._clock()
        if now > self._end:
            raise OutOfTime("flash.out-of-time", seconds=self._seconds)
        if self._end < math.inf and now - self._start >= self._told and self._tell is not None:
            self._told = math.floor(now - self._start) + 1.0
            self._tell(now - self._start)

    def guard(self, port: Any) -> None:
        """Make an open port of pyserial's obey: its reads wait in slices."""
        read, write = port.read, port.write

        def patient_read(size: int = 1) -> bytes:
            self.check()
            wanted = port.timeout
            if wanted is not None and wanted <= SLICE:
                return bytes(read(size))
            until = math.inf if wanted is None else self._clock() + wanted
            try:
                while True:
                    port.timeout = max(0.0, min(SLICE, until - self._clock()))
                    data = bytes(read(size))
                    if data or self._clock() >= until:
                        return data
                    self.check()
            finally:
                port.timeout = wanted

        def patient_write(data: bytes) -> Any:
            self.check()
            return write(data)

        port.read, port.write = patient_read, patient_write
