"""Programs that go to the board over its file channel (protocol.webrepl): in two round trips, whatever their size.

To the terminal at most 255 bytes may be on their way, so 3 kB take some twenty round trips; the channel has TCP's flow
control. What it writes goes through the board's file systems, and the board takes any object for one. So:

1. A short program makes a file in memory, and mounts it where the channel opens it (ondevice/channel_take.py). It is
   there for one opening, so that nothing on the board ever sees it in a listing.
2. The content goes over the channel, and right behind it, without a wait, a short program that runs it
   (ondevice/channel_run.py). The board reads both from one connection in their order.

Law 1: the program runs whole or not at all: its length is compared, it is compiled, and then it says so.
Law 2: what a board cannot do so, it does not begin; raw paste, which needs less of its memory, takes the program then.
Law 3: nothing of it stays, nor is in the traceback of what it runs (`RawRepl.nested`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .. import limits
from ..errors import ConnectionLostError, DeviceTimeoutError
from ..events import notice
from ..protocol.ops import Op, Pause
from ..protocol.webrepl import Channel, PutFile
from . import oneshot
from .answers import Collected
from .ondevice import snippet

if TYPE_CHECKING:
    from .session import Session

PLACE = b"/*/p"  # below the mount point of ondevice/channel_take.py
COMPILED = 0x06
ENDED = 0x04
LOST = 2  # connections that ended while a program went over, after which the channel is not trusted with another


class Carrier:
    """Args: session: of a board that has a file channel."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._able = True
        self._lost = 0

    def carries(self, size: int) -> bool:
        """Whether a program of `size` bytes is to go this way: a shorter one takes no longer by the terminal."""
        return self._able and size > (self._session.in_flight or 0)

    def start(
        self,
        source: bytes | Callable[[], bytes],
        size: int = 0,
        *,
        files: Iterable[PutFile] = (),
        patience: float | None = None,
    ) -> Op[bool]:
        """Have a program run; read its output with `RawRepl.follow` or `finish`.

        Args:
            source: of the program, or what gives it once the files are sent.
            size: how long it will be at most, where it is not given at once.
            files: what the board is to write before.
            patience: seconds that it may take to compile; None: what fits its pace.

        Returns: False when this board does not take programs this way; none has run, and no file was sent.
        Errors: ConnectionLostError; DeviceTimeoutError.
        """
        session = self._session
        size = size if callable(source) else len(source)
        if not (yield from self._take(size)):
            return False
        channel = Channel()
        try:
            yield from channel.send(files)
            text = source() if callable(source) else source
            yield from channel.send([(PLACE, len(text), [text])])
            run = program("channel_run", len(text))
            yield from session.repl.start(run, patience, short=True, meanwhile=channel.written())
        except ConnectionLostError:
            self._lost += 1
            if self._lost == LOST:
                self._give_up("the connection ended")
            raise
        self._lost = 0
        patience = session.pace.budget(len(text)) if patience is None else patience
        return (yield from self._compiled(len(text), patience))

    def _take(self, size: int) -> Op[bool]:
        session = self._session
        yield from session.repl.start(program("channel_take", size), short=True)
        error = yield from session.repl.finish(Collected(limits.ANSWER_BYTES), session.pace.budget(0))
        if not error:
            return True
        yield from session.repl.start(oneshot.TIDY, short=True)
        yield from session.repl.finish(Collected(limits.ANSWER_BYTES), session.pace.budget(0))
        return self._refused(error)

    def _compiled(self, size: int, patience: float) -> Op[bool]:
        """Wait for the word that the program begins."""
        repl = self._session.repl
        inbox, searched = repl.inbox, 0
        inbox.now = yield Pause(0)
        deadline = inbox.now + patience
        while True:
            for at in range(searched, len(inbox.data)):
                # A thread of the board may print before it; that is output like what it prints later.
                if inbox.data[at] == COMPILED:
                    del inbox.data[at]
                    repl.answered(inbox.now, size)
                    repl.nested = True
                    return True
                if inbox.data[at] == ENDED:
                    return self._refused((yield from repl.finish(Collected(limits.ANSWER_BYTES), patience)))
            searched = len(inbox.data)
            if not (yield from inbox.fill(max(0.0, deadline - inbox.now))) and inbox.now >= deadline:
                raise DeviceTimeoutError("protocol.timeout.no-program-taken")

    def _refused(self, error: bytes) -> bool:
        last = error.decode("utf-8", "replace").rstrip().rpartition("\n")[2]
        # Memory, a mistake in the program, bytes that were lost: of this program, not of the board.
        if not last.startswith(("MemoryError", "SyntaxError", "IndentationError", "ZeroDivisionError")):
            self._give_up(last)
        else:
            notice(self._session.reporter, f"program: not over the file channel ({last})", "debug")
        return False

    def _give_up(self, why: str) -> None:
        self._able = False
        notice(self._session.reporter, f"programs: no longer over the file channel ({why})", "debug")


def program(name: str, size: int) -> bytes:
    """The text of ondevice/NAME.py for a program of `size` bytes."""
    return snippet(name).replace("SIZE", str(size)).encode()
