"""How the flow reaches boards: REPL, bootloader, and the REPL again. A test puts a model in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from ..errors import DeviceTimeoutError, FlashError, OperationInterrupted, TransportError, UpytoolError
from ..events import NULL, Reporter, notice
from ..protocol.ops import Op, Pause, Recv, Send
from . import probe
from .base import Flasher, FlashOptions, FlashTarget, Loader
from .bootloader import PATIENCE, enter, plan_way_in, wait_for_volume
from .comeback import wait_for_repl
from .probe import Surroundings
from .sight import with_device

RETRY = 0.4


class Doors:
    """The real ones.

    Args:
        around: ports, buses and drives.
        patience: seconds for a person to press buttons; 0 asks nobody.
        flashers: those to choose from; None takes the registry's.
    """

    def __init__(
        self,
        around: Surroundings | None = None,
        *,
        patience: float = PATIENCE,
        flashers: Sequence[Flasher] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.around = around or Surroundings()
        self.patience, self.flashers = patience, flashers
        self.clock, self.sleep = clock, sleep

    def save_files(self, target: FlashTarget, path: str, reporter: Reporter) -> str:
        """Save the files through the REPL; returns the path. Errors: as device.backup."""
        with self.around.open(target.address) as device:
            device.reporter = device.session.reporter = reporter
            return device.fs.backup(path).file

    def enter(self, target: FlashTarget, reporter: Reporter) -> FlashTarget:
        """Into the bootloader. Errors: FlashError, TransportError."""
        device = None
        if plan_way_in(target).kind == "repl":
            try:
                device = self.around.open(target.address)
            except OperationInterrupted:
                raise
            except UpytoolError as error:  # without a REPL the other ways are tried
                notice(reporter, f"{target.address} has no REPL that answers: {error}", "detail")
        try:
            entered = enter(
                target,
                device,
                sight=self.around.sight(),
                patience=self.patience,
                reporter=reporter,
                clock=self.clock,
                sleep=self.sleep,
            )
        finally:
            if device is not None:
                device.close(leave=False)
        entered = self._with_device(entered)
        simulated = target.bus is not None and target.bus.name
        return replace(entered, address=target.address) if simulated else entered

    def _with_device(self, target: FlashTarget) -> FlashTarget:
        return with_device(target, self.around.sight, clock=self.clock, sleep=self.sleep)

    def with_drive(self, target: FlashTarget, tool: str) -> FlashTarget:
        """A drive is mounted some seconds after its board came; waited for only where it is the one way."""
        if target.volume is None and target.state == "bootloader":
            drives_only = target.mcu_port in ("samd", "nrf") or tool == "uf2"
            if drives_only:
                return wait_for_volume(target, self.around.sight(), clock=self.clock, sleep=self.sleep)
        return target

    def open(self, flasher: Flasher, target: FlashTarget, options: FlashOptions, reporter: Reporter) -> Loader:
        """Open the bootloader. Errors: TransportError, FlashError."""
        return flasher.open(target, options, reporter=reporter)

    def port_names(self) -> Collection[str]:
        """The serial ports there are while the board is in its bootloader."""
        return {port.path for port in self.around.ports()}

    def back(self, target: FlashTarget, seconds: float, before: Collection[str], reporter: Reporter) -> FlashTarget:
        """Find the board's REPL, ask it what it is, and let its program start again.

        Errors: FlashError where no port came, DeviceTimeoutError where none answered.
        """
        deadline = self.clock() + seconds
        found = wait_for_repl(
            target,
            seconds,
            before=before,
            sight=self.around.sight(),
            reporter=reporter,
            clock=self.clock,
            sleep=self.sleep,
        )
        while True:
            try:
                return self._ask(found)
            except OperationInterrupted:
                raise
            except (TransportError, UpytoolError) as error:
                last = error
            if self.clock() >= deadline:
                raise DeviceTimeoutError("protocol.timeout.no-repl-after-flash", seconds=seconds, cause=last)
            self.sleep(RETRY)
            # A port that came may go once more: some boards start twice after an update.
            with suppress(FlashError):
                found = wait_for_repl(
                    found, 1.0, before=before, sight=self.around.sight(), clock=self.clock, sleep=self.sleep
                )

    def _ask(self, target: FlashTarget) -> FlashTarget:
        device = self.around.open(target.address)
        try:
            info = device.info
            known = probe.described(target, info, probe.filesystems(device))
            # The question stopped main.py, if there is one: Ctrl-D at the friendly prompt starts it.
            device.drive(restart(device.session.leave()))
            return known
        finally:
            device.close(leave=False)

    def identify(self, target: FlashTarget, reporter: Reporter = NULL) -> FlashTarget:
        """Ask a board that may run."""
        known = probe.identify(target, self.around, reporter=reporter)
        if known.state == "unknown":
            notice(reporter, f"{known.name} does not answer as a REPL does", "detail")
        return known


def restart(leave: Op[None]) -> Op[None]:
    """Let the board's own program start again, after `leave` brought the friendly prompt."""
    yield from leave
    yield Send(b"\x04")


def until_gone(seconds: float) -> Op[None]:
    """Until the connection ends. Errors: ConnectionLostError, as wished; returns where it did not."""
    now = yield Pause(0)
    end = now + seconds
    while now < end:
        _, now = yield Recv(end - now)
