"""The `pico` board: an emulated RP2040 that boots as a real one does; its line is USB CDC.

It starts at the chip's own boot ROM, which starts the MicroPython in flash, or waits as a USB bootloader
(2e8a:0003) when flash is empty, when the button is held, and after `machine.bootloader()`. The USB port of
either is `PicoBoard.usb`; `PicoBoard.backend()` makes it a pyusb back end.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..errors import SimulatorError
from ..whole_file import write_whole
from .console import Console
from .pico_chip import PicoChip, PicoFlash, read_uf2
from .usb_port import NO_DEVICE, TIMEOUT, Claims, Transfer, UsbIdentity

if TYPE_CHECKING:
    from .usb_backend import UsbBackend

__all__ = ["PicoBoard", "PicoChip", "PicoFlash", "State", "read_uf2"]

SAVE_SECONDS = 0.5
# Whoever waits for a transfer goes on at once when the chip rests for a moment after it; else he would wait for
# Python to switch threads, five milliseconds each time.
LINGER_SECONDS = 0.003
BOOT_ROM = (0x2E8A, 0x0003)

State = Literal["starting", "repl", "bootloader"]


RESET_SECONDS = 5.0


class PicoBoard:
    """A PicoChip in a thread of its own, its USB serial port behind a Console.

    Args:
        image: RPI_PICO UF2 file; flashed when it is not the one that was flashed last. None: what is in flash
            already, an empty chip waits in its bootloader.
        flash_path: file of the flash (2 MiB, made when missing); None: in memory.
        fresh: erase the flash first.
        bootsel: start with the button held down.
        unique_id: of its flash, 8 bytes: `machine.unique_id()`, the USB serial number.
        patience: seconds to wait for its USB port, at most 10 s of the chip's own time; None: 30.

    Raises: SimulatorError for a bad image or when no serial port appears; MissingExtraError.
    """

    BOOT_SECONDS = 30.0
    # CircuitPython shows its port after 2.5 s of the chip's time, which may be two minutes of ours.
    BOOT_CHIP_SECONDS = 10.0

    def __init__(
        self,
        image: Path | None,
        flash_path: Path | None = None,
        *,
        fresh: bool = False,
        bootsel: bool = False,
        unique_id: bytes = b"upytool\0",
        patience: float | None = None,
    ) -> None:
        pages = read_uf2(image) if image is not None else {}
        flash = PicoFlash(flash_path, fresh=fresh)
        self.chip = PicoChip(flash, unique_id)
        self.console = Console()
        self.failure: Exception | None = None
        new = image is not None and self._install(image, pages, flash_path, fresh)
        self._wake = threading.Event()
        self._appeared = threading.Event()
        self._orders: deque[Callable[[], None]] = deque()
        self._stopping = self._rest = False
        self._bootsel = bootsel
        self.usb = _Port(self)
        wire = self.chip.wire
        wire.said, wire.typed = self.console.write, self.console.read_now
        wire.on_change, wire.on_done = self._usb_changed, self._transfer_done
        feed = self.console.feed

        def feed_and_wake(data: bytes) -> None:
            feed(data)
            self._wake.set()

        self.console.feed = feed_and_wake  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._main, name="pico board", daemon=True)
        self._thread.start()
        self._await_usb(self.BOOT_SECONDS if patience is None else patience)
        if self.failure is not None or (new and not bootsel and self.state != "repl"):
            self.close()
            if image:
                raise SimulatorError("sim.no-usb-port", image=str(image)) from self.failure
            raise SimulatorError("sim.failed") from self.failure

    def write(self, data: bytes, timeout: float = 10.0) -> None:
        """Send bytes to the board; waits while it has too much to read."""
        for at in range(0, len(data), 16384):
            if not self.console.wait_room(timeout):
                raise SimulatorError("sim.not-reading")
            self.console.feed(data[at : at + 16384])

    def read(self, limit: int = 65536, timeout: float = 0.0) -> bytes:
        """What the board has said, up to `limit` bytes; waits up to `timeout` seconds for the first."""
        if timeout:
            self.console.wait_output(timeout)
        return self.console.take_output(limit)

    def reset(self, *, bootsel: bool = False) -> None:
        """Press the reset button; with `bootsel`, while the other one is held down. The chip is in reset on return."""
        done = threading.Event()

        def press() -> None:
            self.console.restart(drop_input=True)
            self.chip.reset(bootsel=bootsel)
            done.set()

        self.order(press)
        if threading.current_thread() is not self._thread:  # who looks next must not see the board of before
            done.wait(RESET_SECONDS)

    def close(self) -> None:
        """Switch off; the flash is written to its file."""
        self._stopping = True
        self._wake.set()
        self._thread.join(10.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    @property
    def state(self) -> State:
        """Whether MicroPython's serial port is there, or the boot ROM's USB device, or neither yet."""
        identity = self.usb.identity
        if identity is None:
            return "starting"
        return "bootloader" if (identity.vid, identity.pid) == BOOT_ROM else "repl"

    def backend(self) -> UsbBackend:
        """A pyusb back end with this board's USB device on its bus."""
        from .usb_backend import UsbBackend
        from .usb_port import LocalSession

        return UsbBackend(LocalSession(self.usb))

    def wait_usb(self, state: State, timeout: float = 30.0) -> None:
        """Wait until the board is in that state.

        Raises: SimulatorError after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while self.state != state:
            if time.monotonic() > deadline or not self.alive:
                raise SimulatorError("sim.state-timeout", state=self.state, wanted=state)
            time.sleep(0.005)

    def order(self, call: Callable[[], None]) -> None:
        """Have `call` run in the chip's thread, between two slices."""
        self._orders.append(call)
        self._wake.set()

    def __enter__(self) -> PicoBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _install(self, image: Path, pages: dict[int, bytes], flash_path: Path | None, fresh: bool) -> bool:
        """Flash the image unless it is the one that is there: an image flashed later by other means stays."""
        digest = hashlib.sha256(image.read_bytes()).hexdigest()
        note = flash_path.with_suffix(".json") if flash_path is not None else None
        text = json.dumps({"image": digest}).encode()
        if note is not None and not fresh and note.is_file() and note.read_bytes() == text:
            return False
        self.chip.flash.program(pages)
        self.chip.flash.save()
        if note is not None:
            write_whole(note, text)
        return True

    def _await_usb(self, patience: float) -> None:
        """Wait until the board has shown itself on USB, failed, or had its time."""
        deadline = time.monotonic() + patience
        while not self._appeared.wait(0.05) and time.monotonic() < deadline:
            if self.chip.seconds >= self.BOOT_CHIP_SECONDS:
                return

    def _usb_changed(self) -> None:
        self.usb.identity = self.chip.wire.identity
        if self.usb.identity is not None:
            self.chip.release_bootsel()
            self._appeared.set()

    def _transfer_done(self, transfer: Transfer) -> None:
        self._rest = True
        self.chip.end_slice()
        if transfer.done is not None:
            transfer.done(transfer)

    def _take_orders(self) -> None:
        while self._orders:
            self._orders.popleft()()
        if self.console.pending():
            if self.chip.wire.serial_ready:
                self.chip.wire.poke()
            elif self.usb.identity is not None:
                self.console.read_now(1 << 30)  # nobody is there to read it

    def _main(self) -> None:
        chip = self.chip
        saved = time.monotonic()
        try:
            chip.boot(bootsel=self._bootsel)
            ahead = 0.0
            while not self._stopping:
                self._wake.clear()
                self._take_orders()
                begun = time.monotonic()
                passed = chip.run_slice() / 1e9
                # The chip runs slower than real time when it works, and in no time when it sleeps: then wait.
                ahead = max(0.0, ahead + passed - (time.monotonic() - begun))
                if self._rest:
                    self._rest = False
                    self._wake.wait(LINGER_SECONDS)
                elif ahead > 0.002 and not self._orders:
                    waiting = time.monotonic()
                    self._wake.wait(ahead)
                    ahead = max(0.0, ahead - (time.monotonic() - waiting))
                if begun - saved > SAVE_SECONDS:
                    chip.flash.save()
                    saved = time.monotonic()
        except Exception as err:
            self.failure = err
        finally:
            chip.flash.save()
            self.usb.hang_up()
            self._appeared.set()
            self.console.close()


class _Port:
    """The board's USB socket as other threads see it (a UsbPort)."""

    def __init__(self, board: PicoBoard) -> None:
        self.identity: UsbIdentity | None = None
        self.claims = Claims()
        self._board = board
        self._lock = threading.Lock()
        self._pending: set[Transfer] = set()
        self._gone = False

    def submit(self, transfer: Transfer) -> None:
        ended = transfer.done

        def done(transfer: Transfer) -> None:
            with self._lock:
                self._pending.discard(transfer)
            if ended is not None:
                ended(transfer)

        transfer.done = done
        with self._lock:
            if not self._gone:
                self._pending.add(transfer)
                self._board.order(lambda: self._board.chip.wire.submit(transfer))
                return
        transfer.status = NO_DEVICE
        done(transfer)

    def cancel(self, transfer: Transfer, status: int = TIMEOUT) -> None:
        self._board.order(lambda: self._board.chip.wire.cancel(transfer, status))

    def hang_up(self) -> None:
        """The board is switched off: nobody waits any longer."""
        with self._lock:
            self._gone, self.identity = True, None
            pending, self._pending = self._pending, set()
        for transfer in pending:
            transfer.status = NO_DEVICE
            if transfer.done is not None:
                transfer.done(transfer)
