"""A MODEL of a board whose REPL is on a UART: bytes are garbage when the two ends have different rates.

The REPL is `upytool.testing.ModelBoard`; programs are run by this Python with models of `machine.UART`,
`machine.Timer`, `pyb` and `sys.platform`. Real are: the snippet that runs, and everything on the host's side.
"""

from __future__ import annotations

import builtins
import heapq
import io
import sys
import traceback
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

from tests.fakes.virtual import Clock, VirtualWire
from upytool.testing import ModelBoard


class UartBoard(ModelBoard):
    """The board.

    Args:
        clock: seconds; timers run when `run_timers` is called.
        platform: of `sys.platform`.
        tops: the highest rate at which its side of the wire works; above it, everything is garbage.
        timers: the ids that `machine.Timer` accepts.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        platform: str = "esp32",
        top: int = 10_000_000,
        timers: tuple[int, ...] = (0, 1, 2, 3),
        repl_uart: bool = True,
    ) -> None:
        super().__init__(run=self._run)
        self.clock, self.top, self.rate = clock, top, 115200
        self.rates = [115200]
        self._due: list[tuple[float, int, Any]] = []
        board = self

        class Timer:
            PERIODIC = 1

            def __init__(self, number: int) -> None:
                if number not in timers:
                    raise ValueError("invalid Timer number")
                self.active = False

            def init(self, *, period: int, mode: int, callback: Callable[[Any], None]) -> None:
                self.period, self.callback, self.active = period / 1000, callback, True
                heapq.heappush(board._due, (board.clock() + self.period, id(self), self))

            def deinit(self) -> None:
                self.active = False

        def change(rate: int) -> None:
            board.rate = rate
            board.rates.append(rate)

        uart = SimpleNamespace(init=change)
        self.modules: dict[str, Any] = {
            "sys": SimpleNamespace(platform=platform, path=[""], modules={}),
            "builtins": SimpleNamespace(**vars(builtins)),
            "machine": SimpleNamespace(Timer=Timer, UART=lambda number, rate: change(rate)),
            "pyb": SimpleNamespace(repl_uart=lambda: uart if repl_uart else None),
        }
        self._globals: dict[str, Any] = {"__builtins__": {**vars(builtins), "__import__": self._import}}

    def _import(self, name: str, *rest: Any) -> ModuleType:
        if name not in self.modules:
            raise ImportError(f"no module named '{name}'")
        module: ModuleType = self.modules[name]
        return module

    def _run(self, source: bytes) -> tuple[bytes, bytes]:
        out = io.StringIO()
        self.modules["builtins"].print = lambda *words: print(*words, file=out)
        error = b""
        try:
            exec(compile(source.decode(), "<stdin>", "exec"), self._globals)
        except Exception as problem:
            last = traceback.format_exception_only(problem)[-1].strip()
            error = f"Traceback (most recent call last):\r\n{last}\r\n".encode()
        return out.getvalue().replace("\n", "\r\n").encode(), error

    def run_timers(self) -> None:
        """Call the callbacks that are due."""
        while self._due and self._due[0][0] <= self.clock():
            at, _, timer = heapq.heappop(self._due)
            if timer.active:
                timer.callback(timer)
            if timer.active:
                heapq.heappush(self._due, (at + timer.period, id(timer), timer))

    def soft_reset_happened(self) -> None:
        """Timers die, the rate stays."""
        self._due.clear()

    def hears(self, data: bytes, rate: int) -> bytes:
        """What arrives at the other end of the wire when one end talks at `rate`."""
        return data if rate == self.rate and rate <= self.top else garble(data)


def garble(data: bytes) -> bytes:
    """Bytes read at the wrong rate: no two keep their meaning, some are lost."""
    return bytes(0x80 | (byte * 37 + 11) & 0x7F for number, byte in enumerate(data) if number % 3)


class UartWire(VirtualWire):
    """A Transport to a UartBoard over a virtual clock, with a baud rate of its own."""

    def __init__(self, board: UartBoard, clock: Clock, *, refuses: tuple[int, ...] = ()) -> None:
        super().__init__(board, clock)
        self.uart, self.refuses = board, refuses
        self.baud = 115200

    def set_baud(self, baud: int) -> None:
        if baud in self.refuses:
            from upytool.errors import PortUnusableError

            raise PortUnusableError(f"the driver does not do {baud}", hint="it is a model")
        self.baud = baud

    def read(self, timeout: float | None) -> bytes:
        end = self.clock.now + (3600.0 if timeout is None else timeout)
        while True:
            # Small steps, so that the board's timers run at their time.
            data = super().read(min(0.02, max(0.0, end - self.clock.now)))
            self.uart.run_timers()
            if data or self.clock.now >= end:
                return data

    def write(self, data: bytes) -> None:
        self._check()
        self.uart.run_timers()
        self.sent += data
        # The answer goes out at the rate that the board has when it answers.
        rate = self.uart.rate
        answer = self.uart.feed(self.uart.hears(data, self.baud))
        if answer:
            said = answer if self.baud == rate <= self.uart.top else garble(answer)
            heapq.heappush(self.coming, (self.clock.now + 0.001, said))


def serve_on_pty(master: int, board: UartBoard, stop: Callable[[], bool]) -> None:
    """Be the board behind a pseudo terminal: the host's rate is the one it set on its end."""
    import os
    import select
    import termios

    speeds = {getattr(termios, name): int(name[1:]) for name in dir(termios) if name[:1] == "B" and name[1:].isdigit()}
    while not stop():
        board.run_timers()
        ready, _, _ = select.select([master], [], [], 0.01)
        if not ready:
            continue
        try:
            data = os.read(master, 4096)
        except OSError:
            continue
        host = speeds[termios.tcgetattr(master)[5]]
        rate = board.rate
        answer = board.feed(board.hears(data, host))
        if answer:
            os.write(master, answer if host == rate else garble(answer))


assert sys  # its real `platform` is untouched
