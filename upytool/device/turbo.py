"""A faster wire for a copy: the UART of the REPL at another baud rate, and always back again.

Only where bytes really go over a UART (a USB-serial bridge in front of the board); on native USB the rate
means nothing, and touching UART 0 there would take pins from the program.

Who guarantees the way back: the board itself. ondevice/turbo.py leaves a timer behind that puts the old rate
back when nobody has given a sign of life for `PATIENCE` seconds, so that also after this process was killed
the next one finds the board at its usual rate, within the time that `RawRepl.enter` tries. Facts:
`machine.UART(0, rate)` sets the rate of the REPL's UART and leaves its driver alone
(ports/esp32/machine_uart.c), the same on the ESP8266 (ports/esp8266/machine_uart.c);
`pyb.repl_uart().init(rate)` keeps the REPL attached (ports/stm32/machine_uart.c).

A program that runs longer than `PATIENCE` while the rate is up gives the sign itself: `_turbo[0]=0`. Those of
upytool do: `Session.sign` begins every small one, the transfer program gives it with each frame and answer.
No soft reset while it is up: that would end the timer, not the rate.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from .. import limits
from ..errors import ConnectionLostError, UpytoolError
from ..events import NULL, Reporter, notice
from ..protocol.ops import Op
from ..protocol.raw_repl import ReplState
from ..transport.base import BaudRate, Transport
from ..transport.drive import drive
from .answers import Collected
from .ondevice import shielded
from .session import Session

if TYPE_CHECKING:
    from ..discovery.ports import SerialPort

RATES = (921600, 460800, 230400)
PATIENCE = 4.0
TICK = 0.1
# Until the new rate is proven the board waits only this long.
UNPROVEN = 1.0
SETTLE = 0.15
# Every second bit flips in U; a rate that is off by some per cent breaks it.
PROBE = "U" * 48 + "".join(chr(code) for code in range(32, 127) if chr(code) not in "'\\")


def why_not(port: SerialPort | None, transport: Transport) -> str:
    """Why a board cannot have another rate, '' where it can be tried.

    Args:
        port: what is known of the serial port, None where it is none.
    """
    if not isinstance(transport, BaudRate) or "://" in transport.name:
        return f"{transport.name} has no baud rate"
    if port is None:
        return f"{transport.name} is not a USB-serial bridge"
    from ..discovery.usb_ids import USB_SERIAL_JTAG

    if (port.vid, port.pid) == USB_SERIAL_JTAG or port.kind not in ("bridge", "probe"):
        return f"{transport.name} is native USB, which is as fast as it gets"
    return ""


@contextlib.contextmanager
def turbo(
    session: Session,
    transport: Transport,
    baud: int = RATES[0],
    *,
    reporter: Reporter = NULL,
    patience: float = PATIENCE,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[int]:
    """Within the `with` block the wire runs at up to `baud`; after it at its old rate again.

    Yields the rate that was proven to work, the old one where no other did. Errors: ConnectionLostError;
    whatever the block raises comes out after the old rate is back.

    Args:
        session: at its raw prompt, or anywhere `ready` finds it.
        patience: seconds without a sign of life after which the board goes back by itself.
    """
    wire = _Wire(session, transport, reporter, patience, clock, sleep)
    raised = wire.up(baud)
    try:
        yield wire.rate
    finally:
        if raised:
            wire.down()


def _sign(ticks: int) -> str:
    # Plain assignments: other programs of ours have taken the name `run` meanwhile.
    return f"_turbo[0]=0\n_turbo[1]={ticks}"


class _Wire:
    """Both ends of the wire and their rates."""

    def __init__(
        self,
        session: Session,
        transport: Transport,
        reporter: Reporter,
        patience: float,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self.session, self.transport, self.reporter = session, transport, reporter
        self.ticks = round(patience / TICK)
        self.clock, self.sleep = clock, sleep
        self.base = self.rate = transport.baud if isinstance(transport, BaudRate) else 0

    def up(self, wanted: int) -> bool:
        """Raise the rate as far as it works; False when it stayed."""
        if self.base == 0:
            return False
        for rate in [wanted, *(lower for lower in RATES if lower < wanted)]:
            if rate <= self.base:
                break
            answer = self._drive(self.session.call("turbo", self.base, rate, round(UNPROVEN / TICK)))
            if answer != "on":
                notice(self.reporter, f"the baud rate stays at {self.base}: {answer}", "detail")
                return False
            self.sleep(TICK + SETTLE)
            try:
                self._set(rate)
                if self._proven(_sign(self.ticks)):
                    self.session.sign = "_turbo[0]=0"
                    notice(self.reporter, f"the wire runs at {rate} baud", "detail")
                    return True
            except ConnectionLostError:
                raise
            except UpytoolError:
                pass  # this computer's side cannot do it
            notice(self.reporter, f"{rate} baud does not work on this wire", "detail")
            self._back(UNPROVEN)
        return False

    def down(self) -> None:
        """The old rate, whatever happened meanwhile."""
        repl = self.session.repl
        self.session.sign = ""
        with contextlib.suppress(UpytoolError):
            if repl.state is not ReplState.RAW:
                # An interrupted or failed program: the board still listens at the high rate.
                self._drive(repl.enter(3.0))
            self._drive(_ping(self.session, "_turbo[2]=2"))
            self.sleep(2 * TICK + SETTLE)
            self._set(self.base)
            self._drive(self._resync(2.0))
            if self._proven("globals().pop('_turbo',0)"):
                return
        self._back(self.ticks * TICK)

    def _back(self, patience: float) -> None:
        """Wait at the old rate until the board is there too, by itself if need be."""
        self._set(self.base)
        self._drive(self._resync(patience + 4.0))

    def _resync(self, seconds: float) -> Op[None]:
        repl = self.session.repl
        repl.state = ReplState.BROKEN
        yield from repl.inbox.drain(0.05, 0.5)
        yield from repl.enter(seconds)

    def _set(self, rate: int) -> None:
        assert isinstance(self.transport, BaudRate)
        self.transport.set_baud(rate)
        self.rate = rate

    def _proven(self, code: str = "") -> bool:
        """Whether a ping comes back as it was sent, after `code` has run on the board."""
        try:
            said = self._drive(_ping(self.session, code))
        except ConnectionLostError:
            raise
        except UpytoolError:
            return False
        return said == PROBE

    def _drive(self, op: Op[object]) -> object:
        return drive(op, self.transport, self.clock, self.sleep)


def _ping(session: Session, code: str) -> Op[str]:
    """Run `code` and have the board say PROBE; waits are short, because nothing else is running there."""
    repl = session.repl
    yield from repl.inbox.drain(0.02, 0.3)
    said = Collected(limits.ANSWER_BYTES)
    yield from repl.start(shielded(f"{code}\nprint('\\x1e'+{PROBE!r})").encode(), timeout=0.6)
    yield from repl.finish(said, 0.8)
    return bytes(said.data).rpartition(b"\x1e")[2].decode("ascii", "replace").rstrip("\r\n")
