"""A MODEL of a board that takes its time to read and to compile, and says nothing meanwhile.

Time is a virtual clock's: what the board answers comes when it would have got there, so nothing here sleeps. Real are
the programs that run (tests.fakes.model_stream) and everything on the host's side.
"""

from __future__ import annotations

import heapq

from tests.fakes.model_stream import StreamBoard
from tests.fakes.virtual import Clock, VirtualWire
from upytool.protocol.pace import COMPILING, READING


class SlowBoard(StreamBoard):
    """The board.

    Args:
        times: how many times slower it is than an RP2040.
        mute_after: programs after which it answers nothing any more, None for never.

    Attributes:
        starts: programs that were begun.
    """

    def __init__(self, clock: Clock, *, times: float = 1.0, mute_after: int | None = None) -> None:
        super().__init__(clock)
        self.times, self.mute_after = times, mute_after
        self.took = 0.0
        self.later: list[tuple[float, bytes]] = []
        self.starts = 0

    @property
    def mute(self) -> bool:
        return self.mute_after is not None and self.starts >= self.mute_after

    def passes(self, seconds: float) -> None:
        self.took += seconds

    def _pasting(self, byte: int) -> bytes:
        self.took += READING * self.times
        return super()._pasting(byte)

    def _execute(self) -> bytes:
        size = len(self.line)
        self.starts += 1
        said = super()._execute()
        self.later.append((COMPILING * size * self.times, b"" if self.mute else said))
        return b""


class SlowWire(VirtualWire):
    """A Transport to a SlowBoard; `faults`: numbers of the board's answers that are lost, counted from 0."""

    def __init__(self, board: SlowBoard, clock: Clock, faults: frozenset[int] = frozenset()) -> None:
        super().__init__(board, clock)
        self.slow, self.faults = board, faults
        self._free = 0.0  # when the board has done all that it was given
        self._said = 0

    def write(self, data: bytes) -> None:
        self.sent += data
        self._free = max(self._free, self.clock.now)
        for at in range(len(data)):
            if self.slow.program is not None:
                # A program takes what there is in one go; the rest of its time is in `took`.
                self._answer(self.slow.feed(data[at:]))
                return
            self._answer(self.slow.feed(data[at : at + 1]))

    def _answer(self, said: bytes) -> None:
        board = self.slow
        later = [(board.took, b"" if board.mute else said), *board.later]
        board.took, board.later = 0.0, []
        for seconds, part in later:
            self._free += seconds
            if part:
                if self._said not in self.faults:
                    heapq.heappush(self.coming, (self._free + 0.001, part))
                self._said += 1
