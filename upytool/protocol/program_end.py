"""Where a program's output ends, told without a word of any language.

The raw REPL ends a program with `04 <error text> 04 >` and escapes nothing, so a program may print the very same.
Firmware is built in some twenty languages, so the error text cannot be known by its words. What is certain:

1. A user's program that device.program wrapped prints a random mark as the last thing it does. Before the mark all is
   output, after it the first 04 begins the end. Such a program that ended without its mark (it did not compile,
   its memory was full) has an error text: an empty one before the mark is output.
2. Programs of ours print no 04.
3. In every other case, and where a prompt or a banner hints that the board was reset, the far end is asked: a Ctrl-A is
   answered by the raw banner at a prompt and by nothing in a program (`doubt` says when). A program that reads its
   input finds that 01 there; so it is sent only after a silence, which doubles with each time that it was in vain.
"""

from __future__ import annotations

import re
from collections.abc import Callable

OutputSink = Callable[[bytes], None]

END = b"\x04>"
PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
SETTLE = 0.05  # silence after an error text, which may hold what looks like its own end
SOON, LATER, LATEST = 0.1, 1.0, 2.0
_LONGEST = 65536
_LATE = 1024  # what a thread may print behind an end that was not told yet
_TAIL = 8192
_HINTS = 512

# Hints only, none of which decides: the name and version in MicroPython's and CircuitPython's banners, which no
# translation changes, and the line that the boot ROM of an ESP32 or ESP8266 prints at each reset.
_BANNER = rb"(?:Micro|Circuit)Python v?\d"
_ROM = rb"\brst:0x[0-9a-f]+ \(|\brst cause:\d"
# CircuitPython sets the terminal's title before its prompt.
_TITLE = rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"
_FRIENDLY = rb"(?:\A|[\r\n]) ?>>> \Z"


class ProgramEnd:
    """Takes what the board sends while a program runs and tells its output from its end.

    Args:
        mark: what the program prints last; b"" where it prints none.
        ours: the program is one of ours.

    Attributes:
        error: the error text once the end is certain, b"" for a program that went well; None before.
        rest: what came behind the end.
        reset: the board is at a prompt and the program's end was not seen.
        ours: as given.
        stopped: a Ctrl-C was sent; a prompt is not a surprise then.
    """

    def __init__(self, mark: bytes = b"", *, ours: bool = False) -> None:
        self.error: bytes | None = None
        self.rest = b""
        self.reset = False
        self._mark = mark
        self.ours = ours
        self.stopped = False
        self._marked = self._asked = False
        self._in_vain = 0
        self._silent = True  # nothing was printed yet
        self._held = bytearray()  # what may belong to the end, or to the mark
        self._tail = b""

    def feed(self, data: bytes, sink: OutputSink) -> None:
        """`data` arrived; what is output for certain goes to `sink`."""
        self._tail = data[-_TAIL:] if len(data) >= _TAIL else (self._tail + data)[-_TAIL:]
        self._asked = False
        held = self._held
        held += data
        if self._mark and not self._marked and (at := held.find(self._mark)) >= 0:
            self._show(at, sink)
            del held[: len(self._mark)]
            self._marked = True
        while held and self.error is None:
            first = held.find(4)
            if first != 0:
                if first < 0:
                    self.flush(sink)
                    return
                self._show(first, sink)
            step = self._after_mark() if self._marked else self._before_mark()
            if not step:
                return
            self._show(step, sink)

    def doubt(self) -> float | None:
        """Seconds of silence after which `settle` is due; None: nothing speaks for an end."""
        if self._marked and self._told():
            return SETTLE
        if self._asked:
            return None
        patience = self._patience()
        return None if patience is None else patience * 2.0**self._in_vain

    def settle(self) -> bool:
        """It was silent for as long as `doubt` says: True when the far end has to be asked, else `error` is there."""
        if self._marked and (told := self._told()):
            self._end(1, *told)
            return False
        self._asked = True
        return True

    def still_running(self, sink: OutputSink) -> None:
        """The far end was asked and is at no prompt: what was held is output."""
        self._in_vain += 1
        if not self._marked:
            self.flush(sink)

    def at_prompt(self, sink: OutputSink) -> None:
        """The far end was asked and is at a prompt: what looked like an end is it; without one the board was reset."""
        held, at = self._held, self._held.rfind(END)
        if self._marked and held[:2] == b"\x04\x04" and at < 0:
            # It went well, and its last act was a soft reset (machine.soft_reset): a banner stands for the prompt.
            self.error = b""
            held.clear()
            return
        if at > 0 and held[0] == 4:
            self._end(1, at)
            if not self.rest.replace(PROMPT, b"").strip():
                self.rest = b""  # late answers to questions that a program did not read
            return
        # An end is taken for output when its text comes in pieces, or the answer to an earlier question late.
        at = self._tail.rfind(END)
        begin = self._tail.rfind(b"\x04", 0, max(at, 0))
        if at > 0 and begin >= 0 and not self._tail[at + len(END) :].replace(PROMPT, b"").strip():
            self.error = self._tail[begin + 1 : at]
        else:
            self._show(len(held), sink)
            self.error, self.reset = b"", True

    def quiet(self, sink: OutputSink) -> None:
        """Nothing came for a while: a 04 that no second one follows was output after all."""
        if not self._marked and not self.ours and self._held.find(4, 1) < 0:
            self.flush(sink)

    def flush(self, sink: OutputSink) -> None:
        """What was held is output."""
        self._show(len(self._held) - self._mark_begun(), sink)

    @property
    def holding(self) -> bool:
        """Whether the last bytes may belong to the end."""
        return self._held.startswith(b"\x04")

    # -- what a 04 at the beginning of `_held` is: 0 undecided or the end, else how many bytes are output ---------

    def _before_mark(self) -> int:
        held = self._held
        second = held.find(4, 1)
        if second < 0:
            return len(held) if len(held) > _LONGEST else 0
        if second + 1 == len(held):
            return 0
        if self.ours and held[second + 1] != 4:
            return self._prompted(second)
        if held[second + 1] != END[1]:
            return second
        if len(held) == second + 2:
            return 0
        if self._mark:
            return second
        # More came: a program that goes on, or a thread of one that ended. A further 04 decides for the first.
        later = held.find(4, second + 2)
        return second if later >= 0 or len(held) - second > _LATE else 0

    def _after_mark(self) -> int:
        held = self._held
        if held[1:2] == END[:1]:
            return self._prompted(1)
        if (told := self._told()) and len(held) - told[1] > _LATE:
            self._end(1, *told)
            return 0
        return len(held) if len(held) > _LONGEST else 0

    def _told(self) -> tuple[int, int] | None:
        """Where an error text ends and what is behind the prompt begins, if both are there.

        The text may hold what looks like its own end, so the last one counts, after a silence. A timer of the board may
        print before the > and go on, so that it is never silent.
        """
        at = self._held.rfind(b"\n" + END[:1])
        prompt = self._held.find(END[1], at + 2) if at > 0 else -1
        return (at + 1, prompt + 1) if prompt > 0 else None

    def _prompted(self, second: int) -> int:
        """The 04 behind an error text is certain: its > may come behind what a timer of the board prints."""
        held = self._held
        at = held.find(END[1], second + 1)
        if at >= 0 or len(held) - second > _LATE:
            self._end(1, second, max(at, second) + 1)
        return 0

    def _end(self, begin: int, end: int, rest: int | None = None) -> None:
        self.error = bytes(self._held[begin:end])
        self.rest = bytes(self._held[end + len(END) if rest is None else rest :])
        self._held.clear()

    # -- helpers ----------------------------------------------------------------------------------

    def _show(self, count: int, sink: OutputSink) -> None:
        if count > 0:
            self._silent = False
            sink(bytes(self._held[:count]))
            del self._held[:count]

    def _mark_begun(self) -> int:
        """How many bytes at the end of `_held` may be the beginning of the mark."""
        if not self._mark or self._marked:
            return 0
        held = self._held
        return next((size for size in range(len(self._mark) - 1, 0, -1) if held.endswith(self._mark[:size])), 0)

    def _patience(self) -> float | None:
        """Seconds of silence that what came last is worth."""
        if self._tail.endswith(END) or (self.holding and END in self._held):
            if self._marked or not self._mark:
                return SOON
            if self._tail.endswith(b"\x04" + END):
                return LATEST  # the mark may have been damaged on the way
            return SOON if self._silent else LATER
        tail = re.sub(_TITLE, b"", self._tail[-_HINTS:])
        if tail.endswith(PROMPT):
            return SOON
        if re.search(_FRIENDLY, tail):
            if self.stopped or re.search(_BANNER, tail):
                return SOON
            # A program may well have a prompt of its own: it is asked once.
            return None if self._in_vain else LATEST
        return LATEST if re.search(_ROM, tail) else None
