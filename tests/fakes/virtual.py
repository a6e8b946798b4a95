"""A MODEL of a wire with a clock of its own: what a board says comes at its time, and no test sleeps."""

from __future__ import annotations

import heapq
from typing import Protocol

from upytool.errors import ConnectionLostError


class Board(Protocol):
    """The far end: what it answers, and when it wants to speak by itself."""

    def feed(self, data: bytes) -> bytes: ...


class Clock:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class VirtualWire:
    """A Transport to a `Board` over a `Clock`.

    Args:
        board: the far end.
        spoken: (second, bytes) that the board says by itself.
        chatter: (seconds between, bytes) that it says for ever.
        lost_at: the second at which the connection breaks.
    """

    interrupts = True
    survives_reset = True

    def __init__(
        self,
        board: Board,
        clock: Clock,
        *,
        spoken: list[tuple[float, bytes]] | None = None,
        chatter: tuple[float, bytes] | None = None,
        lost_at: float | None = None,
    ) -> None:
        self.name = "virtual"
        self.board, self.clock, self.lost_at = board, clock, lost_at
        self.coming = list(spoken or [])
        heapq.heapify(self.coming)
        self.chatter = chatter
        if chatter:
            heapq.heappush(self.coming, (clock.now, chatter[1]))
        self.sent = bytearray()
        self.closed = False
        self.lines: list[tuple[bool | None, bool | None]] = []

    def _check(self) -> None:
        if self.closed or (self.lost_at is not None and self.clock.now >= self.lost_at):
            raise ConnectionLostError("the connection to virtual was lost", hint="it is a model")

    def read(self, timeout: float | None) -> bytes:
        self._check()
        end = self.clock.now + (3600.0 if timeout is None else timeout)
        due = self.coming[0][0] if self.coming else end + 1
        if due > end:
            self.clock.now = end
            self._check()
            return b""
        self.clock.now = max(self.clock.now, due)
        said = bytearray()
        while self.coming and self.coming[0][0] <= self.clock.now:
            at, data = heapq.heappop(self.coming)
            said += data
            if self.chatter and data == self.chatter[1]:
                heapq.heappush(self.coming, (max(at, self.clock.now - 1) + self.chatter[0], data))
        self._check()
        return bytes(said)

    def write(self, data: bytes) -> None:
        self._check()
        self.sent += data
        answer = self.board.feed(data)
        if answer:
            heapq.heappush(self.coming, (self.clock.now + 0.001, answer))

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        self.lines.append((dtr, rts))

    def close(self) -> None:
        self.closed = True

    def fileno(self) -> int | None:
        return None
