"""The raw REPL of MicroPython, from this side of the wire.

The far end is shared/runtime/pyexec.c (pyexec_raw_repl, do_reader_stdin). Written laws:

1. Only this file knows the control bytes; only it moves `RawRepl.state`.
2. A program's output is handed on byte for byte; program_end.py tells it from its end without knowing a word.
3. Every wait has an end. Whatever goes wrong, the state says what is known: BROKEN is left by `enter` alone.
4. At most what the board has granted is in flight (raw paste's window): a UART drops what does not fit.

States:  UNKNOWN/FRIENDLY/BROKEN --enter--> RAW --start--> RUNNING --follow--> RAW --leave--> FRIENDLY
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from enum import Enum
from typing import Protocol

from .. import limits
from ..errors import (
    BoardResetError,
    DeviceTimeoutError,
    DisturbedError,
    OperationInterrupted,
    ProtocolError,
    StreamError,
    TimeLimitError,
    UsageError,
)
from ..words import Said
from .buffer import Inbox
from .ops import Interrupted, Op, Pause, Recv, Send
from .pace import Pace
from .program_end import PROMPT, ProgramEnd

CTRL_A, CTRL_B, CTRL_C, CTRL_D = b"\x01", b"\x02", b"\x03", b"\x04"
BANNER = b"raw REPL; CTRL-B to exit\r\n"
ASK_PASTE = b"\x05A\x01"
GRANT = b"\x01"  # the board can take another window of raw paste

OutputSink = Callable[[bytes], None]

ENTER_TIMEOUT = limits.PROMPT_SECONDS
SHORT = 3.0  # seconds that a program of ours may take before a word on it is worth the reading
SILENCE = 0.8  # seconds without a prompt after which the user is told what is waited for
TICK = 0.001  # what a clock's rounding may take from a wait
HOLD = 0.3  # seconds without output after which what looked like the beginning of something was not
LATE = 0.3  # seconds that what an earlier Ctrl-A asked for may be late
ANSWER = 1.0  # seconds that a prompt may take to answer a Ctrl-A


# The first two frames of a traceback; without the line where firmware keeps none (MICROPY_ENABLE_SOURCE_LINE).
_NEST = re.compile(rb"(?<=:\r\n)" + 2 * rb'  File "<stdin>", (?:line \d+, )?in \S+\r?\n')
_CALLS = (b"\r\x03\x01", b"\r\x03\x01", b"\r\x03\x03\x02\r\x01")  # for the raw prompt, where the first had no answer
_COMMANDS = frozenset(b"\x01\x02")  # of the raw prompt, beside 03 and 04; raw paste takes them as text


class ReplState(Enum):
    UNKNOWN = "unknown"
    FRIENDLY = "friendly"
    RAW = "raw"
    RUNNING = "running"
    BROKEN = "broken"


class Interceptor(Protocol):
    """Takes requests of the board out of a program's output (a mounted folder's, for instance)."""

    @property
    def busy(self) -> bool:
        """Whether the last bytes may be the beginning of a request."""
        ...

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """`data` arrived (b"": nothing did for a while); returns (what is the program's output, what to send back)."""
        ...


class RawRepl:
    """One board's raw REPL. All methods that talk are operations (see ops.py).

    Attributes:
        state: what is known of the far end.
        paste: whether the board has raw paste; None until asked.
        window: raw paste's window in bytes, 0 until known.
        can_interrupt: False where Ctrl-C does not reach a running program (BLE on some ports).
        may_be_rom: False where no boot ROM can be at the far end (WebREPL).
        refused: the board gave the last program up while it read it, so that nothing of it ran.
        pace: how fast the board is; each hand-over teaches it.
        nested: the program that runs was started by one of ours, whose two frames head its traceback.
        tell: receives a sentence for the user about what is waited for.
        chunk, gap: bytes, and seconds between them, for plain raw mode, which has no flow control.
        in_flight: bytes that the way to the board takes at once, 0 where raw paste's windows are all that counts.
    """

    def __init__(self) -> None:
        self.state = ReplState.UNKNOWN
        self.inbox = Inbox()
        self.paste: bool | None = None
        self.window = 0
        self.can_interrupt = True
        self.may_be_rom = True
        self.refused = self.nested = False
        self.pace = Pace()
        self.tell: Callable[[str], None] = lambda text: None
        self.chunk, self.gap, self.in_flight = 128, 0.012, 0
        self.interceptor: Interceptor | None = None
        self._handed: float | None = None  # when the board had all of a program that has not said a word yet
        self._size = 0

    # -- getting in and out ---------------------------------------------------------------------

    def enter(self, timeout: float = ENTER_TIMEOUT) -> Op[None]:
        """Stop what runs and get the raw prompt, whatever the board is doing now.

        Ctrl-C and Ctrl-A go out again and again with growing waits, so that a board that is still booting,
        prints a logo or swallows the first KeyboardInterrupt is caught as well.

        Errors: RawReplError with a diagnosis after `timeout` seconds.
        """
        seen = bytearray(self.inbox.take(len(self.inbox.data)))
        data, start = yield Recv(0)
        seen += data
        wait, attempt, told = 0.35, 0, False
        self.state = ReplState.BROKEN
        while True:
            # On a friendly prompt 03 clears the line; at the raw prompt too, silently; in a program it raises.
            # 01 right behind it saves a round trip: the UART and CDC receivers keep bytes that follow a 03. A return
            # before it would have the prompt print itself once more, or run what somebody has begun to type.
            yield Send(_CALLS[attempt % 3] if attempt else CTRL_C + CTRL_A)
            found = yield from self.inbox.hunt(PROMPT, wait)
            now = self.inbox.now
            if found is not None:
                if attempt:
                    # Answers to earlier attempts may still be under way.
                    yield from self.inbox.drain(0.15, 1.0)
                if (yield from self._at_raw_prompt()):
                    self.state = ReplState.RAW
                    return
            seen += found if found is not None else self.inbox.take(len(self.inbox.data))
            del seen[:-4096]
            attempt += 1
            waited = now - start
            if waited >= min(SILENCE, timeout):
                from .diagnose import ESP_SYNC, explain_silence, in_bootloader

                if waited >= timeout:
                    raise explain_silence(bytes(seen), timeout)
                if (error := in_bootloader(bytes(seen))) is not None:
                    raise error
                if not told:
                    told = True
                    self.tell(f"waiting for the board's prompt (up to {timeout:g} s, Ctrl-C stops)")
                if not seen.strip(b"\0") and self.may_be_rom:
                    # The boot ROM of an ESP is silent until it is spoken to in its own tongue. The Ctrl-C clears
                    # what a prompt that wakes up just now makes of it.
                    yield Send(ESP_SYNC + CTRL_C)
            wait = min(wait * 1.6, 2.0, max(0.1, timeout - (now - start)))

    def _at_raw_prompt(self) -> Op[bool]:
        """Whether the prompt just seen is the board's last word (a late reboot would follow it)."""
        if not self.inbox.data:
            return True
        rest = yield from self.inbox.drain(0.1, 0.5)
        # More banners are only echoes of our own Ctrl-A; anything else means that it went on.
        return rest.endswith(PROMPT) or not rest.strip()

    def leave(self) -> Op[None]:
        """Back to the friendly prompt; nothing is waited for."""
        if self.state is ReplState.RAW:
            yield Send(CTRL_B)
            self.state = ReplState.FRIENDLY

    def soft_reset(self, on_output: OutputSink | None = None, timeout: float = 14.0) -> Op[None]:
        """A fresh interpreter, still at the raw prompt: boot.py has run, main.py has not.

        A boot.py that does not come back within two thirds of the time gets a Ctrl-C.

        Errors: DeviceTimeoutError when the raw prompt does not come back.
        """
        self._must_be_raw()
        self.state = ReplState.BROKEN
        yield Send(CTRL_D)
        seen = yield from self.inbox.read_until(BANNER, SILENCE)
        if seen is None:
            self.tell(f"waiting for the board's boot.py (up to {timeout:g} s, Ctrl-C stops)")
            seen = yield from self.inbox.read_until(BANNER, timeout * 2 / 3 - SILENCE)
        if seen is None and self.can_interrupt:
            yield Send(CTRL_C)
            seen = yield from self.inbox.read_until(BANNER, timeout / 3)
        if seen is None:
            raise DeviceTimeoutError("protocol.timeout.soft-reset")
        if (yield from self.inbox.read_until(b">", 2.0)) is None:
            raise StreamError("protocol.stream.no-prompt")
        self.state = ReplState.RAW
        if on_output is not None:
            said = seen[: -len(BANNER)].removeprefix(b"OK\r\n")
            if said:
                on_output(said)

    def _must_be_raw(self) -> None:
        if self.state is not ReplState.RAW:
            raise ProtocolError("protocol.raw-repl-needed", state=self.state.value)

    # -- running a program ----------------------------------------------------------------------

    def start(
        self,
        source: bytes,
        timeout: float | None = None,
        *,
        short: bool = False,
        marked: bool = False,
        meanwhile: Op[None] | None = None,
    ) -> Op[None]:
        """Hand `source` over and have it run; read its output with `follow`.

        Args:
            timeout: seconds of each wait for the board to take more; None: what fits its pace.
            short: no need for raw paste where the board's input ring holds all of it: that saves a round trip. What
                paste tells of the board (`window`) stays unknown.
            marked: its answer stands behind a mark, so what a timer of the board prints first does no harm. Any other's
                output is shown as it is: there, nobody could tell the timer's from its own.
            meanwhile: what a short one's answer comes behind.

        Errors: UsageError when the source holds bytes that the board would take for commands; StreamError or
        DeviceTimeoutError when the hand-over fails.
        """
        self._must_be_raw()
        timeout = self.pace.hand_over() if timeout is None else timeout
        bad = next((byte for byte in (3, 4) if byte in source), None)
        if bad is not None:
            raise UsageError("usage.control-byte", byte=bad)
        self.state, self.refused, self.nested = ReplState.BROKEN, False, False
        try:
            if short and len(source) <= self.chunk and not _COMMANDS.intersection(source):
                late, _ = yield Recv(0)
                if late or self.inbox.data:
                    yield from self.enter(timeout)
                    self.state = ReplState.BROKEN
                yield from self._send_plain(source, timeout, marked, meanwhile)
            elif self.paste is not False and (yield from self._ask_paste_in_step(timeout)):
                yield from self._send_pasted(source, timeout)
            else:
                yield from self._send_plain(source, timeout, marked)
        except Interrupted:
            yield from self._abandon()
            raise
        self._size, self._handed = len(source), (yield Pause(0))
        self.state = ReplState.RUNNING

    def answered(self, now: float, size: int = 0) -> None:
        """The program of ours that was started has said its first word: it was compiled, and has done its work.

        Args:
            size: bytes of source that were compiled for it; 0: as many as were handed over.
        """
        if self._handed is not None:
            self.pace.learn(now - self._handed, compiled=size or self._size)
            self._handed = None

    def _ask_paste_in_step(self, timeout: float) -> Op[bool]:
        """Ask for raw paste; what a thread of the board, a nasty error text or a late answer left is passed over."""
        late, _ = yield Recv(0)
        if not late and not self.inbox.data:
            with contextlib.suppress(StreamError):
                return (yield from self._ask_paste(timeout))
        yield from self.enter(timeout)
        self.state = ReplState.BROKEN
        return (yield from self._ask_paste(timeout))

    def _ask_paste(self, timeout: float) -> Op[bool]:
        yield Send(ASK_PASTE)
        answer = yield from self.inbox.read_exact(2, timeout)
        if answer not in (b"R\x01", b"R\x00", b"ra"):
            # A timer or a thread of the board printed first. What it prints later is output of the program.
            self.inbox.data[:0] = answer
            if (yield from self.inbox.hunt(b"R\x01", min(timeout, ANSWER))) is not None:
                answer = b"R\x01"
        if answer == b"ra":
            # Firmware before 1.14 takes 05 as nothing, A as source and 01 as a fresh start. A slow board's late answer
            # to an earlier Ctrl-A looks the same; then its answer to this follows, and it takes a program already.
            if (yield from self.inbox.read_until(PROMPT[2:], timeout)) is None:
                raise DisturbedError("protocol.disturbed.raw-prompt")
            answer = b"R\x00" if (yield from self.inbox.hunt(b"R\x01", LATE)) is None else b"R\x01"
        if answer == b"R\x01":
            self.paste = True
            self.window = int.from_bytes((yield from self.inbox.read_exact(2, timeout)), "little")
            if not 0 < self.window <= 1 << 16:
                raise DisturbedError("protocol.disturbed.window", size=self.window)
            return True
        self.paste = False
        if answer == b"R\x00":
            return False
        self.paste = None
        raise DisturbedError("protocol.disturbed.raw-paste", answer=answer)

    def _send_pasted(self, source: bytes, timeout: float) -> Op[None]:
        inbox, window, view, begun = self.inbox, self.window, memoryview(source), (yield Pause(0))
        credit, sent, size = window, 0, len(source)
        # The board grants two windows at first, then one for each that it has read. Its ring may hold less than two and
        # an 04 behind them; with less than one on the way nothing would be granted any more.
        kept = max(0, 2 * window - max(window, self.in_flight - 1)) if self.in_flight else 0
        # What a timer or a thread of the board prints meanwhile: output like what it prints later.
        other, deadline = bytearray(), begun + timeout
        while sent < size:
            # Grants come one byte a window; take all that are there before waiting for one.
            room = credit if credit == window - sent else credit - kept
            if not inbox.data and not (yield from inbox.fill(0 if room else timeout)) and not room:
                raise DeviceTimeoutError("protocol.timeout.program-stalled", sent=sent, size=size)
            if inbox.data:
                said = inbox.take(len(inbox.data))
                if CTRL_D[0] in said:
                    # The compiler gave up (syntax, memory): it waits for our end, then tells why.
                    inbox.data[:0] = other + said[said.index(CTRL_D[0]) + 1 :]
                    yield Send(CTRL_D)
                    self.refused = True
                    return
                other += said.replace(GRANT, b"")
                if grants := said.count(GRANT):
                    credit, deadline = credit + window * grants, inbox.now + timeout
                elif inbox.now >= deadline or len(other) > inbox.limit:
                    raise DisturbedError("protocol.disturbed.prints", printed=bytes(said[-40:]))
                continue
            part = min(room, size - sent)
            if sent + part == size and part < room:
                yield Send(bytes(view[sent:]) + CTRL_D)
                break
            yield Send(bytes(view[sent : sent + part]))
            sent += part
            credit -= part
        else:
            yield Send(CTRL_D)
        other += yield from self._paste_taken(timeout)
        inbox.data[:0] = other
        self.pace.learn((yield Pause(0)) - begun, read=size)

    def _paste_taken(self, timeout: float) -> Op[bytes]:
        """Wait until the board has the whole program; returns what else it printed meanwhile."""
        got = yield from self.inbox.read_until(CTRL_D, timeout)
        if got is None:
            raise DeviceTimeoutError("protocol.timeout.program-end")
        return got[:-1].replace(GRANT, b"")

    def _send_plain(self, source: bytes, timeout: float, marked: bool, meanwhile: Op[None] | None = None) -> Op[None]:
        at = 0
        for at in range(self.chunk, len(source), self.chunk):
            yield Send(source[at - self.chunk : at])
            yield Pause(self.gap)
        yield Send(source[at:] + CTRL_D)
        if meanwhile is not None:
            yield from meanwhile
        answer = yield from self.inbox.read_exact(2, timeout)
        if answer == PROMPT[:2] and (yield from self.inbox.read_until(PROMPT[2:], ANSWER)) is not None:
            # A slow board's answer to an earlier Ctrl-A, which it had before the program.
            answer = yield from self.inbox.read_exact(2, timeout)
        if answer != b"OK":
            # A timer or a thread of the board printed first.
            self.inbox.data[:0] = answer
            if not marked or (yield from self.inbox.hunt(b"OK", min(timeout, ANSWER))) is None:
                raise DisturbedError("protocol.disturbed.refused", answer=answer)

    def _abandon(self) -> Op[None]:
        """End a hand-over that Ctrl-C cut short: the board is left at a prompt when it can be.

        A 03 ends raw paste as a 04 does (pyexec.c, mp_reader_stdin_close); a 04 at the prompt would reset the board.
        """
        yield Send(CTRL_C)
        yield from self.inbox.drain(0.1, 1.0)
        self.state = ReplState.BROKEN

    def follow(
        self, on_output: OutputSink, limit: float | None = None, mark: bytes = b"", *, plain: bool = False
    ) -> Op[bytes]:
        """Pass the output of a program of the user's on until it ends.

        Args:
            limit: the user's limit in seconds; None for ever.
            mark: what the program prints last (device.program); b"" where it does not.
            plain: it prints no 04.

        Returns: the board's error text, b"" when all went well.
        Errors: TimeLimitError, BoardResetError, OperationInterrupted with the board's traceback.
        """
        try:
            return (yield from self._watch(ProgramEnd(mark, ours=self.refused or plain), on_output, limit))
        except _Late as late:
            raise TimeLimitError(
                "time-limit.program",
                seconds=limit,
                hint=Said("protocol.program-stopped") if late.stopped else self._unstopped,
            ) from None

    def finish(self, on_output: OutputSink, limit: float, *, stop: bool = True) -> Op[bytes]:
        """`follow` for a program of ours: it prints no 04, and the limit is not the user's.

        Args:
            stop: whether the program gets a Ctrl-C at the limit; without, it is still RUNNING then.

        Errors: DeviceTimeoutError in place of TimeLimitError.
        """
        try:
            return (yield from self._watch(ProgramEnd(ours=True), on_output, limit, stop=stop))
        except _Late as late:
            raise DeviceTimeoutError(
                "protocol.timeout.program",
                seconds=limit,
                hint=Said("protocol.reset-and-retry") if late.stopped else self._unstopped,
            ) from None

    _unstopped = Said("protocol.program-unstopped")

    def _watch(self, end: ProgramEnd, on_output: OutputSink, limit: float | None, *, stop: bool = True) -> Op[bytes]:
        try:
            yield from self._follow(end, on_output, limit)
        except Interrupted:
            if not (yield from self._stop(end, on_output)):
                raise OperationInterrupted("interrupted.still-running") from None
            text = self._own(end.error).decode("utf-8", "replace").replace("\r\n", "\n")
            raise OperationInterrupted(traceback=text) from None
        except _Late as late:
            if stop:
                late.stopped = yield from self._stop(end, lambda _: None)
            raise
        if end.reset:
            raise BoardResetError()
        return self._own(end.error)

    def _own(self, error: bytes | None) -> bytes:
        """The error text of the program, without the frames of what started it."""
        return _NEST.sub(b"", error or b"", count=1) if self.nested else error or b""

    def _stop(self, end: ProgramEnd, on_output: OutputSink) -> Op[bool]:
        """Ctrl-C to the running program until it ends; False when it does not."""
        self.state = ReplState.RUNNING
        if self.can_interrupt:
            end.stopped = True
            try:
                for patience in (1.5, 2.5):
                    yield Send(CTRL_C)
                    try:
                        yield from self._follow(end, on_output, patience)
                        return True
                    except _Late:
                        continue
            except Interrupted:
                pass
        end.flush(on_output)
        self.state = ReplState.BROKEN
        return False

    def _follow(self, end: ProgramEnd, on_output: OutputSink, limit: float | None) -> Op[None]:
        if self.state is not ReplState.RUNNING:
            raise ProtocolError("protocol.no-program")
        now = heard = yield Pause(0)
        deadline = None if limit is None else now + limit
        data = self.inbox.take(len(self.inbox.data))  # What came with the confirmation of the hand-over.
        quiet = False
        # The user's program is nobody's wait but the user's; ours are told of.
        telling = now + SILENCE if end.ours and limit is not None and limit > SHORT else None
        while True:
            if data and end.ours:
                self.answered(now)
            yield from self._hear(end, data, quiet, on_output)
            doubt = end.doubt()
            if data:
                heard = now
            elif doubt is not None and now - heard >= doubt - TICK:
                if end.settle():
                    yield from self._ask(end, on_output)
                    now = heard = yield Pause(0)
                    doubt = end.doubt()
            elif end.holding and now - heard >= HOLD - TICK:
                end.quiet(on_output)
            if end.error is not None:
                break
            if deadline is not None and now >= deadline:
                raise _Late
            wait = HOLD if end.holding or (self.interceptor is not None and self.interceptor.busy) else 5.0
            if doubt is not None:
                wait = min(wait, max(0.0, heard + doubt - now))
            if deadline is not None:
                wait = min(wait, max(0.0, deadline - now))
            if telling is not None and now >= telling:
                telling = None
                self.tell(f"waiting for the board (up to {limit:g} s, Ctrl-C stops)")
            if telling is not None:
                wait = min(wait, telling - now)
            data, now = yield Recv(wait)
            quiet = not data
        self.inbox.data[:0] = end.rest
        self.state = ReplState.RAW

    def _hear(self, end: ProgramEnd, data: bytes, quiet: bool, on_output: OutputSink) -> Op[None]:
        if self.interceptor is not None and (data or quiet):
            data, reply = self.interceptor.feed(data)
            if reply:
                yield Send(reply)
        if data:
            end.feed(data, on_output)

    def _ask(self, end: ProgramEnd, on_output: OutputSink) -> Op[None]:
        """Find out whether the board is at a prompt: that answers Ctrl-A with the raw banner, a program does not."""
        now = yield Send(CTRL_A)
        deadline, said = now + ANSWER, b""
        while PROMPT not in said and len(said) < 65536 and now < deadline:
            data, now = yield Recv(deadline - now)
            said += data
        before, prompt, after = said.partition(PROMPT)
        if not prompt:
            end.still_running(on_output)
        if before.strip() or not prompt:
            yield from self._hear(end, before, False, on_output)
        if prompt and end.error is None:
            end.at_prompt(on_output)
        self.inbox.data += after


class _Late(Exception):
    """The time is over. Attributes: stopped: whether the program has ended since."""

    stopped = False
