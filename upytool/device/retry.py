"""What follows when work on a board fails: again, the next way, or the end with a reason.

Written laws:

1. Here alone is something repeated: a transfer by `Retry.steadily`, a question by `asked_again`. Whoever talks to the
   board tries once and tells what happened. Programs of the user's, and ours that change something, run once.
2. A way that a board cannot go is ruled out for the life of the connection (`Capabilities`), with the board's words.
3. Again only while it leads somewhere: `TRIES` failures in a row without a gain are the end, and so are
   `Pace.silence` seconds without a sign of life, however many tries that makes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from ..errors import (
    BootloaderError,
    ConnectionLostError,
    DeviceTimeoutError,
    DisturbedError,
    Hints,
    OperationInterrupted,
    RawReplError,
    RemoteError,
    StreamError,
)
from ..events import Reporter, notice
from ..protocol.ops import Interrupted, Op, Pause
from ..protocol.transfer import StreamDamaged

if TYPE_CHECKING:
    from .session import Session

T = TypeVar("T")

# Ways to the transfer program on the board, the best one first: modules in its firmware, bytecode, packed text, text.
# Where none is left, small programs move text (device.text_transfer). Bytecode is packed unless that is ruled out.
Way = Literal["frozen", "bytecode", "packed", "text"]
TRIES = 5
MUTE = 2  # starts without a word after which modules of that name are something else, or bytecode is not for a board
LEAST_WINDOW = 64
# How the transfer program ends when bytes were lost or altered (ondevice/server.py), or with memory or time short.
OF_THE_LINE = ("KeyboardInterrupt", "ValueError: packed", "SyntaxError", "IndentationError", "OSError", "MemoryError")
# What a board says that lacks something the program needs.
_LACKS = ("ImportError", "AttributeError", "MemoryError", "NameError")
_NO_BYTECODE = (*_LACKS, "ValueError", "OSError", "TypeError")  # another .mpy version; what cannot be mounted, read


class NoStreamError(StreamError):
    """This board cannot run the transfer program in this way. Attributes: way, words: the board's."""

    code = "protocol.no-stream"

    def __init__(self, way: Way, words: str) -> None:
        super().__init__("protocol.no-stream", words=words)
        self.way, self.words = way, words


class StartFailed(StreamDamaged):
    """The transfer program did not start this time. Attributes: way; words: of the board, '' when it said nothing."""

    def __init__(self, way: Way, words: str, reason: Exception) -> None:
        super().__init__("protocol.damaged.not-started", cause=words or reason)
        self.way, self.words = way, words
        self.silent = isinstance(reason, DeviceTimeoutError) or not words


class Capabilities:
    """What was learnt of one board's ways to transfer; kept for the life of a connection.

    Attributes:
        window: bytes in flight, where more is known than raw paste's announcement; 0: there is not.
    """

    def __init__(self) -> None:
        self._cannot: dict[Way, str] = {}
        self.window = 0

    def rule_out(self, way: Way, why: str) -> None:
        """This board cannot go that way."""
        self._cannot[way] = why

    def allows(self, way: Way) -> bool:
        """False once it was ruled out."""
        return way not in self._cannot

    def why(self, way: Way) -> str:
        """Why it was ruled out, '' where it was not."""
        return self._cannot.get(way, "")

    @property
    def stream(self) -> bool:
        """False once no way to the transfer program is left."""
        return self.allows("text")

    @property
    def packed(self) -> bool:
        """Whether programs may go over packed (the board has `deflate`)."""
        return self.allows("packed")


def unable(way: Way, words: str) -> bool:
    """Whether the last words of a program that did not start mean that it never will."""
    if way == "frozen":
        # Not there, of another version, unable, no .mpy for this firmware: what goes over will tell.
        return bool(words) and not words.startswith("KeyboardInterrupt")
    return words.startswith(_NO_BYTECODE if way == "bytecode" else _LACKS)


class Retry:
    """Decides for one piece of work.

    Args:
        part: of the board, which is at work.
        kept: what the user may rely on when that part fails, a hint.
    """

    def __init__(self, session: Session, can: Capabilities, part: str, kept: Hints = ()) -> None:
        self._session, self._can, self._part, self._kept = session, can, part, kept
        self._mute = 0
        self._begun = 0.0
        self._words = ""
        self.failures = 0

    def steadily(self, attempt: Callable[[], Op[T]], stop: Callable[[], Op[str]], gained: Callable[[], int]) -> Op[T]:
        """Do `attempt` until it succeeds or nothing speaks for another one.

        Args:
            attempt: goes on with what is left to do, by the best way that was not ruled out.
            stop: breaks off what it left on the board; returns the board's last words.
            gained: a number that grows when the work got on.
        """
        pace, before, lost = self._session.pace, gained(), 0
        self._begun = pace.heard = yield Pause(0)
        if pace.mute_since is not None:
            self._begun = pace.heard = pace.mute_since
            pace.mute_since, self.failures = None, 1
        while True:
            try:
                return (yield from attempt())
            except NoStreamError as error:
                yield from stop()
                self._next(error.way, error.words)
                pace.heard = yield Pause(0)
            except StreamDamaged as damage:
                words = yield from stop()
                now = yield Pause(0)
                if gained() > before:
                    before, self.failures = gained(), 0
                self._judge(damage, words, now)
            except ConnectionLostError:
                if gained() > before:
                    before, lost = gained(), 0
                lost += 1
                if not self._session.can_reconnect or lost > TRIES:
                    yield from stop()
                    raise
                yield from self._session.reconnect()
                yield from stop()
                pace.heard = yield Pause(0)
            except RawReplError as error:
                # A board that was at its prompt a moment ago: why it is not now is not told by what `enter` knows.
                if not self.failures or isinstance(error, BootloaderError):
                    raise
                raise DeviceTimeoutError(
                    "protocol.timeout.no-answer", failures=self.failures + 1, seconds=self._took((yield Pause(0)))
                ) from error
            except Interrupted:
                yield from stop()
                raise OperationInterrupted() from None
            except BaseException:
                yield from stop()
                raise

    def _next(self, way: Way, why: str) -> None:
        self._can.rule_out(way, why)
        notice(self._session.reporter, f"transfer: not {way} ({why})", "debug")

    def _judge(self, damage: StreamDamaged, words: str, now: float) -> None:
        """Return where it is worth another try; raises where not."""
        self.failures += 1
        if isinstance(damage, StartFailed):
            words = damage.words
            if damage.way in ("frozen", "bytecode") and not words:
                self._mute += 1
                if self._mute == MUTE:
                    self._mute = 0
                    self._next(damage.way, "it says nothing")
        elif "MemoryError" in words:
            ways: tuple[Way, ...] = ("bytecode", "packed", "text")
            self._next(next((way for way in ways if self._can.allows(way)), "text"), words)
        elif words and words == self._words and not words.startswith(OF_THE_LINE):
            # The same words twice are no noise. The line is good, the board's file system is not: one in Python
            # that raises what it should not, for instance.
            raise RemoteError("remote.part-failed", part=self._part, reason=words, hint=self._kept) from damage
        elif self.failures > 1:
            # Nothing came on twice: fewer bytes in flight, for a board whose buffer is shorter than it says.
            window = self._can.window or self._session.window
            self._can.window = max(LEAST_WINDOW, window // 2)
        self._words = words
        notice(self._session.reporter, f"transfer: failed ({words or damage}), again", "debug")
        # One more try is always worth it: the time may have gone by on this computer.
        if self.failures > TRIES or (self.failures > 1 and self._session.pace.left(now) < 1):
            raise self._reason(damage, words, now) from damage

    def _took(self, now: float) -> float:
        return now - self._begun

    def _reason(self, damage: StreamDamaged, words: str, now: float) -> Exception:
        took = self._took(now)
        if isinstance(damage, StartFailed) and damage.silent:
            return DeviceTimeoutError("protocol.timeout.transfer-not-started", failures=self.failures, seconds=took)
        return StreamError(
            "protocol.stream.transfer-failed", failures=self.failures, seconds=took, cause=words or damage
        )


def asked_again(ask: Callable[[], Op[T]], reporter: Reporter, error: DisturbedError) -> Op[T]:
    """Ask a question that changes nothing again after `error`, up to `TRIES` times, and return the answer."""
    for _ in range(TRIES):
        notice(reporter, f"asking again ({error})", "debug")
        try:
            return (yield from ask())
        except DisturbedError as again:
            error = again
    raise error
