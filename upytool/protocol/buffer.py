"""What has arrived and was not consumed yet.

Law 1: the buffer is bounded; what would overflow it is a broken stream, never memory without end.
Law 2: bytes that were searched once are not searched again.
"""

from __future__ import annotations

from ..errors import DeviceTimeoutError, StreamError
from .ops import Op, Pause, Recv

LIMIT = 1 << 20


class Inbox:
    """Bytes from the far end, with operations that wait for more.

    Args:
        limit: the most bytes it holds while something is waited for.
        files: whether it is filled from the file channel.
    """

    __slots__ = ("data", "files", "limit", "now")

    def __init__(self, limit: int = LIMIT, *, files: bool = False) -> None:
        self.data = bytearray()
        self.limit = limit
        self.files = files
        self.now = 0.0

    def take(self, count: int) -> bytes:
        """Remove and return the first `count` bytes (fewer when there are fewer)."""
        part = bytes(self.data[:count])
        del self.data[:count]
        return part

    def clear(self) -> None:
        self.data.clear()

    def fill(self, timeout: float | None) -> Op[bool]:
        """Wait up to `timeout` seconds for more bytes; True when some came."""
        data, self.now = yield Recv(timeout, files=self.files)
        if not data:
            return False
        if len(self.data) + len(data) > self.limit:
            raise StreamError("protocol.stream.answer-too-long", limit=self.limit)
        self.data += data
        return True

    def read_exact(self, count: int, timeout: float) -> Op[bytes]:
        """Exactly `count` bytes within `timeout` seconds. Errors: DeviceTimeoutError."""
        if len(self.data) < count:
            deadline = (yield Pause(0)) + timeout
            while len(self.data) < count:
                more = yield from self.fill(max(0.0, deadline - self.now))
                if not more and self.now >= deadline:
                    raise DeviceTimeoutError("protocol.timeout.stalled", size=len(self.data), expected=count)
        return self.take(count)

    def read_until(self, marker: bytes, timeout: float) -> Op[bytes | None]:
        """All up to and with `marker`; None when it did not come within `timeout` seconds (nothing is lost)."""
        searched, deadline = 0, None
        while True:
            found = self.data.find(marker, max(0, searched - len(marker) + 1))
            if found >= 0:
                return self.take(found + len(marker))
            searched = len(self.data)
            if deadline is None:
                self.now = yield Pause(0)
                deadline = self.now + timeout
            yield from self.fill(max(0.0, deadline - self.now))
            # Time counts whether bytes come or not: a far end that talks for ever must not hold us here.
            if self.now >= deadline and marker not in self.data[max(0, searched - len(marker) + 1) :]:
                return None

    def hunt(self, marker: bytes, timeout: float, keep: int = 4096) -> Op[bytes | None]:
        """As `read_until`, for a far end that may talk for ever: only the last `keep` bytes are held.

        Returns the end of what came, with `marker`; None when it did not come.
        """
        self.now = yield Pause(0)
        deadline = self.now + timeout
        while (found := self.data.find(marker)) < 0:
            if self.now >= deadline:
                return None
            del self.data[:-keep]
            yield from self.fill(deadline - self.now)
        return self.take(found + len(marker))

    def drain(self, quiet: float, at_most: float) -> Op[bytes]:
        """Throw away what comes until nothing came for `quiet` seconds, `at_most` seconds long.

        Returns the last 4 KiB of it, for a diagnosis.
        """
        tail = bytearray(self.data)
        self.data.clear()
        data, self.now = yield Recv(quiet, files=self.files)
        deadline = self.now + at_most
        while data:
            tail += data
            del tail[:-4096]
            if self.now >= deadline:
                break
            data, self.now = yield Recv(quiet, files=self.files)
        return bytes(tail[-4096:])
