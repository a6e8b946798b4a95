"""How long a board may take: learnt from how long it took, bounded by what a user waits for.

A board says nothing while it compiles, so silence alone does not tell a slow board from lost bytes. What it took for
the bytes before does. Facts, on the clock of an RP2040 (125 MHz, `time.ticks_us()`): a source in raw paste is read at
9 us a byte and compiled at 30 to 50; an emulated one on a computer under load takes 100 times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from .. import limits
from .ops import Op, Pause, Recv, Work

T = TypeVar("T")

READING, COMPILING = 9e-6, 45e-6  # seconds a byte
TURN = 0.02  # seconds from a byte sent to the answer, whatever is between: USB frames, a bridge's latency timer
QUICK = 5.0  # seconds that any board may take to start a program
READ = 10.0  # seconds that any board may take to read what fits its window: it has not shown anything yet
MARGIN = 4  # how much slower than a moment ago a board may become before it counts as silent
TELLING = 1.0  # seconds of waiting after which the user is told for what


class Pace:
    """The pace of one board.

    Attributes:
        slowness: how many times slower than an RP2040 it was the last time, at least 1.
        silence: seconds without a sign of life after which it is given up (the user's `--timeout`).
        heard: when a program of ours on the board last gave a sign of life, or work began.
        mute_since: when a short program began that got no answer; None: the last one got one. Whoever goes on in
            another way goes on with the waiting too.
    """

    def __init__(self, silence: float | None = None) -> None:
        self.slowness = 1.0
        self.silence = limits.SILENCE_SECONDS if silence is None else silence
        self.heard = 0.0
        self.mute_since: float | None = None

    def learn(self, seconds: float, *, read: int = 0, compiled: int = 0) -> None:
        """The board took `seconds` to read so many bytes of a source, or to compile and run so many.

        Slower is believed at once, faster by half: load comes in bursts.
        """
        seen = max(1.0, seconds / (TURN + read * READING + compiled * COMPILING))
        self.slowness = max(seen, (self.slowness + seen) / 2)

    def turn(self, size: int) -> float:
        """Seconds that the board may take to compile `size` bytes of a source, and to answer."""
        return MARGIN * self.slowness * (TURN + size * COMPILING)

    def budget(self, size: int, failures: int = 0) -> float:
        """Seconds that the board may take for the first word of a program whose source has `size` bytes.

        Each of the `failures` before doubles it: a board that was only slow is waited for in the end. One that has
        shown that it is slow gets all of `silence`: it has confirmed the whole program, so nothing but its answer can
        have been lost, and on a busy computer (load 13 on 2 cores) 20 s broke off starts that 30 s complete.
        """
        return min(max(QUICK, self.turn(size)) * 2.0**failures, self.silence)

    def hand_over(self, failures: int = 0) -> float:
        """Seconds that the board may take to read on while a program goes over; see `budget`.

        Two thirds of `silence` at most, so that one more try fits: bytes that were lost are waited for in vain.
        For a program of the user's `silence` may be shorter, since `--timeout` is what that may take once it runs.
        """
        return min(max(READ, self.turn(0)) * 2.0**failures, max(READ, self.silence * 2 / 3))

    def left(self, now: float) -> float:
        """Seconds until the board has been silent for too long; 0 when it has."""
        return max(0.0, self.heard + self.silence - now)


def announced(op: Op[T], tell: Callable[[str], None], text: str, after: float = TELLING) -> Op[T]:
    """Run `op`; once it has waited for `after` seconds, `tell` the user what is awaited."""
    begun = now = yield Pause(0)
    told = False
    step: Callable[[Any], Any] = op.send
    answer: Any = None
    try:
        while True:
            try:
                request = step(answer)
            except StopIteration as done:
                result: T = done.value
                return result
            step = op.send
            try:
                if isinstance(request, Recv) and not told:
                    data, now, left = b"", now, request.timeout
                    first = max(0.0, begun + after - now)
                    if left is None or left > first:
                        data, now = yield Recv(first, files=request.files)
                        left = None if left is None else left - first
                        told = now - begun >= after
                        if told:
                            tell(text)
                    if not data:
                        data, now = yield Recv(left, files=request.files)
                    answer = data, now
                else:
                    answer = yield request
                    if not isinstance(request, Work):
                        now = answer[1] if isinstance(request, Recv) else answer
            except GeneratorExit:
                raise
            except BaseException as error:
                step, answer = op.throw, error
    finally:
        op.close()
