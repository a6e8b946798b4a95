"""Getting hold of a board whose program loops, sleeps, or swallows Ctrl-C.

Two things: `hold` gets the raw prompt by sending Ctrl-C and Ctrl-A without pause, over resets, sleeps and
changes of the port; `disable` then renames main.py so that the next start does not begin it again, and
`restore` undoes that. Nothing is deleted and nothing overwritten.

How it works: MicroPython's ports begin to take Ctrl-C as soon as the REPL's UART or USB is up, before boot.py
and main.py (ports/*/main.c). A program that catches KeyboardInterrupt is left when a second one comes while
it handles the first, so they are sent in bursts of changing density.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle

from ..errors import (
    BootloaderError,
    ConnectionLostError,
    NoDeviceError,
    PortMissingError,
    PortPermissionError,
    RawReplError,
)
from ..events import NULL, Reporter, notice
from ..protocol.diagnose import ESP_SYNC, explain_silence, in_bootloader
from ..protocol.ops import Op, Pause, Recv, Send
from ..protocol.program_end import PROMPT
from ..protocol.raw_repl import RawRepl
from ..transport.base import ModemLines, Transport
from ..transport.drive import drive
from .answers import sensible
from .device import Device

MAIN = ("main.py",)
# CircuitPython starts code.py; both names do no harm where there is none.
START_FILES = ("main.py", "code.py")

# What is sent, and how long is waited after it: a burst in one USB packet counts as one Ctrl-C, single ones
# with gaps of different length fall into the handler of the one before.
_BURSTS: tuple[tuple[bytes, float], ...] = (
    (b"\r\x03\x01", 0.03),
    (b"\x03", 0.002),
    (b"\x03", 0.004),
    (b"\x03\x03\x01", 0.02),
    (b"\x03" * 24, 0.001),
    (b"\x03", 0.007),
    (b"\x03" * 7 + b"\x01", 0.05),
)

FIRST_TRY = 3.0
AFTER_PULSE = 5.0
POLL = 0.05
ASK_ROM = 1.0
PULSE = 0.12


def hammer(repl: RawRepl, seconds: float) -> Op[None]:
    """Send Ctrl-C and Ctrl-A without pause until the raw prompt is there.

    The board's state is RAW then. Errors: BootloaderError as soon as the board shows that it waits for firmware, which
    no Ctrl-C ends; RawReplError with a diagnosis after `seconds`.
    """
    now = yield Pause(0)
    deadline = now + seconds
    asked = now
    window = bytearray(repl.inbox.take(len(repl.inbox.data)))
    seen = bytes(window)
    for burst, gap in cycle(_BURSTS):
        yield Send(burst)
        data, now = yield Recv(gap)
        window += data
        if PROMPT in window:
            window.clear()
            if (yield from _settled(repl)):
                return
        del window[: -len(PROMPT)]
        seen = (seen + data)[-4096:]
        if (waiting := in_bootloader(seen)) is not None:
            raise waiting
        if repl.may_be_rom and not seen.strip(b"\0") and now - asked >= ASK_ROM:
            # An ESP's boot ROM in download mode answers nothing but this.
            asked = now
            yield Send(ESP_SYNC)
        if now >= deadline:
            raise explain_silence(seen, seconds)


def _settled(repl: RawRepl) -> Op[bool]:
    """Whether the prompt stays: a board that resets itself takes it away again."""
    # Every Ctrl-A under way is answered with a banner more.
    yield from repl.inbox.drain(0.15, 2.0)
    try:
        yield from repl.enter(2.0)
    except RawReplError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Held:
    """A board at its raw prompt.

    Attributes:
        device: the connected board; close it.
        seconds: how long it took.
        opened: how often the port had to be opened.
        pulsed: whether a reset by DTR and RTS was needed.
    """

    device: Device
    seconds: float
    opened: int
    pulsed: bool


def hold(
    open_port: Callable[[], Transport],
    *,
    seconds: float = 60.0,
    pulse: bool = False,
    reporter: Reporter = NULL,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Held:
    """Get a board to its raw prompt, whatever it does.

    Args:
        open_port: opens its port; called again whenever the port went away. Its NoDeviceError and
            PortMissingError mean "not there yet".
        seconds: how long to try.
        pulse: whether DTR and RTS of this port may reset the board (a USB-serial bridge).
        reporter: is told what is done and what the user can do.

    Errors: RawReplError with a diagnosis, NoDeviceError or PortMissingError when it never came, other
    TransportErrors of `open_port` at once; OperationInterrupted.
    """
    start = clock()
    hunt = _Hunt(start, start + seconds, clock, sleep, reporter)
    opened, pulsed, asked = 0, False, False
    while True:
        transport = hunt.open(open_port)
        opened += 1
        device = Device(transport, reporter=reporter)
        try:
            while True:
                # The first quick try, then the reset by the lines, then the user.
                patience = hunt.left if asked else AFTER_PULSE if pulsed else FIRST_TRY
                limit = max(0.1, min(patience, hunt.left))
                try:
                    drive(hammer(device.session.repl, limit), transport, clock, sleep)
                    return Held(device, clock() - start, opened, pulsed)
                except RawReplError as error:
                    rom = isinstance(error, BootloaderError)
                    if hunt.left <= 0 or (rom and (pulsed or not pulse)):
                        raise
                if pulse and not pulsed and isinstance(transport, ModemLines):
                    pulsed = True
                    notice(reporter, "resetting the board with DTR and RTS", "detail")
                    reset_pulse(transport, sleep)
                elif not asked:
                    asked = True
                    notice(
                        reporter,
                        f"press the board's reset button now, or unplug it and plug it in again "
                        f"(up to {hunt.left:.0f} s, Ctrl-C stops)",
                    )
        except ConnectionLostError:
            device.close(leave=False)
            if hunt.left <= 0:
                raise
            notice(reporter, "the port went away; waiting for it", "detail")
        except BaseException:
            device.close(leave=False)
            raise


def reset_pulse(transport: ModemLines, sleep: Callable[[float], None] = time.sleep) -> None:
    """A reset through Espressif's circuit: RTS alone pulls EN low; both off lets it run (esptool, reset.py).

    The lines stay off, which also suits boards whose lines go straight to EN and IO0.
    """
    transport.set_lines(dtr=False)
    transport.set_lines(rts=True)
    sleep(PULSE)
    transport.set_lines(rts=False)


class _Hunt:
    """Opening the port, again and again until the time is over."""

    def __init__(
        self,
        start: float,
        deadline: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        reporter: Reporter,
    ) -> None:
        self._deadline, self._clock, self._sleep, self._reporter = deadline, clock, sleep, reporter
        self._told = False

    @property
    def left(self) -> float:
        return self._deadline - self._clock()

    def open(self, open_port: Callable[[], Transport]) -> Transport:
        forbidden_since: float | None = None
        while True:
            try:
                return open_port()
            except (NoDeviceError, PortMissingError):
                if self.left <= 0:
                    raise
                if not self._told:
                    self._told = True
                    notice(
                        self._reporter,
                        f"waiting for the board's port: plug it in, or press reset "
                        f"(up to {self.left:.0f} s, Ctrl-C stops)",
                    )
            except PortPermissionError:
                # udev hands a port that has just appeared to its group a moment later.
                now = self._clock()
                forbidden_since = now if forbidden_since is None else forbidden_since
                if now - forbidden_since > 1.0 or self.left <= 0:
                    raise
            self._sleep(POLL)


@dataclass(frozen=True, slots=True)
class Moved:
    """What `disable` or `restore` did on the board.

    Attributes:
        renamed: (old path, new path).
        kept: paths that stand in the way of a restore.
    """

    renamed: tuple[tuple[str, str], ...]
    kept: tuple[str, ...] = ()


def disable(device: Device, names: Sequence[str] = MAIN) -> Moved:
    """Rename start files to NAME.off-N so that the next start does not run them.

    Errors: RemoteOSError (a read-only file system, for instance).
    """
    return _move(device, names, back=False)


def restore(device: Device, names: Sequence[str] = ("main.py", "boot.py", "code.py")) -> Moved:
    """Undo the latest `disable`: NAME.off-N with the highest N becomes NAME, unless there is a new NAME."""
    return _move(device, names, back=True)


def _move(device: Device, names: Sequence[str], *, back: bool) -> Moved:
    answer = device.call("rescue", tuple(names), back)
    with sensible():
        renamed, kept = answer
        return Moved(tuple((str(old), str(new)) for old, new in renamed), tuple(map(str, kept)))
