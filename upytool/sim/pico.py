"""The `pico` board: an emulated RP2040 (rp2040py) that boots a real RPI_PICO image; its line is USB CDC.

`PicoChip` is the chip alone, with its flash and USB controller: what drives it (a serial bridge here, a USB
back end for a flasher) holds it and calls `run_slice`. `PicoBoard` is the chip behind a Console, in a thread
of its own.
"""

from __future__ import annotations

import hashlib
import json
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, SimulatorError
from .console import Console

FLASH_SIZE = 2 * 1024 * 1024
FLASH_BASE = 0x10000000
SECTOR = 4096
RP2040_FAMILY = 0xE48BFF56  # RP2040, microsoft/uf2 uf2families.json

SLICE_NS = 10_000_000  # simulated time of one step: how late input may be noticed while the chip sleeps
SAVE_SECONDS = 0.5
USB_QUEUE = 256  # bytes handed to the emulated host controller at once


def read_uf2(path: Path) -> dict[int, bytes]:
    """Payloads of a UF2 file by flash offset.

    Only what an RP2040 boot ROM takes: blocks of 256 bytes with this chip's family in the flash window.
    Source: microsoft/uf2 README.md. Raises: SimulatorError.
    """
    data = path.read_bytes()
    pages: dict[int, bytes] = {}
    for at in range(0, len(data) - 511, 512):
        magic0, magic1, flags, address, size, _, _, family = struct.unpack_from("<8I", data, at)
        (end,) = struct.unpack_from("<I", data, at + 508)
        if (magic0, magic1, end) != (0x0A324655, 0x9E5D5157, 0x0AB16F30):
            raise SimulatorError(f"{path} is not a UF2 file", hint="a pico takes an RPI_PICO .uf2 image")
        if flags & 1 or (flags & 0x2000 and family != RP2040_FAMILY):
            continue
        if FLASH_BASE <= address < FLASH_BASE + FLASH_SIZE:
            pages[address - FLASH_BASE] = data[at + 32 : at + 32 + size]
    if not pages:
        raise SimulatorError(f"{path} holds nothing for an RP2040", hint="a pico takes an RPI_PICO .uf2 image")
    return pages


class PicoFlash:
    """The chip's flash in a file, written back by sector when it has changed."""

    def __init__(self, path: Path | None, *, fresh: bool = False) -> None:
        self._path = path
        self._saved = bytes(b"\xff" * FLASH_SIZE)
        self.view: memoryview | None = None
        if path is not None and not fresh and path.is_file():
            self._saved = path.read_bytes()[:FLASH_SIZE].ljust(FLASH_SIZE, b"\xff")
        elif path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self._saved)

    def attach(self, view: Any) -> None:
        """`view`: the chip's flash, at least 2 MiB; gets what the file holds."""
        view[:FLASH_SIZE] = self._saved
        self.view = memoryview(view)[:FLASH_SIZE]

    def program(self, pages: dict[int, bytes]) -> None:
        """Write pages as the boot ROM does: the sectors they touch are erased first."""
        assert self.view is not None
        for sector in {offset // SECTOR for offset in pages}:
            self.view[sector * SECTOR : (sector + 1) * SECTOR] = b"\xff" * SECTOR
        for offset, page in pages.items():
            self.view[offset : offset + len(page)] = page

    def save(self) -> None:
        """Write changed sectors to the file."""
        if self._path is None or self.view is None:
            return
        now = bytes(self.view)
        if now == self._saved:
            return
        with open(self._path, "r+b") as file:
            for at in range(0, FLASH_SIZE, SECTOR):
                if now[at : at + SECTOR] != self._saved[at : at + SECTOR]:
                    file.seek(at)
                    file.write(now[at : at + SECTOR])
        self._saved = now


class PicoChip:
    """One emulated RP2040 with its flash. Not thread-safe: whoever runs it owns it.

    Attributes:
        mcu: rp2040py's chip, for a USB back end or a debugger.
        on_reset: called after the chip reset itself (watchdog, `machine.reset()`).
    """

    def __init__(self, flash: PicoFlash) -> None:
        try:
            from rp2040py.device.bootrom import BOOTROM_B1
            from rp2040py.execute_batch import execute_batch
            from rp2040py.peripherals.vreg_and_chip_reset import HAD_RUN
            from rp2040py.simulator import Simulator
            from rp2040py.utils.logging import ConsoleLogger, LogLevel
        except ImportError:
            raise MissingExtraError("the simulated pico board", "sim") from None
        self.simulator: Any = Simulator()
        self.mcu: Any = self.simulator.rp2040
        self.mcu.load_bootrom(BOOTROM_B1)
        self.mcu.logger = ConsoleLogger(LogLevel.ERROR)
        self.flash = flash
        flash.attach(self.mcu.flash)
        self.mcu.watchdog.on_watchdog_trigger = self._watchdog
        self.on_reset: Callable[[], None] | None = None
        self._execute, self._had_run = execute_batch, HAD_RUN
        self._alarm = self.simulator.clock.create_alarm(self._slice_over)

    def boot(self) -> None:
        """Start from flash, as the boot ROM does when the button is not held."""
        self.mcu.leave_reset()

    def reset(self, *, from_watchdog: bool = False) -> None:
        """Reset the chip and start it from flash; the flash stays.

        A RUN-pin reset also clears what the watchdog remembers, so that the firmware reports the right cause.
        """
        self.mcu.enter_reset(from_watchdog=from_watchdog)
        if not from_watchdog:
            self.mcu.watchdog.reset()
            self.mcu.vreg_and_chip_reset.record_reset_cause(self._had_run)
        self.boot()
        if self.on_reset is not None:
            self.on_reset()

    def run_slice(self, nanoseconds: int = SLICE_NS) -> int:
        """Run up to `nanoseconds` of the chip's time (less when that takes long); returns how many passed.

        A sleeping chip (WFI) passes its time at once: whoever wants real time waits.
        """
        before = self.simulator.clock.nanos
        self.simulator.stopped = False
        self._alarm.schedule(nanoseconds)
        self._execute(self.simulator, 1)
        self._alarm.cancel()
        return int(self.simulator.clock.nanos - before)

    def _slice_over(self) -> None:
        self.simulator.stopped = True

    def _watchdog(self) -> None:
        self.reset(from_watchdog=True)


class PicoBoard:
    """A PicoChip running MicroPython, its USB serial port behind a Console.

    Args:
        image: RPI_PICO UF2 file; flashed when it is not the one that was flashed last.
        flash_path: file of the flash (2 MiB, made when missing); None: in memory.
        fresh: erase the flash first.

    Raises: SimulatorError for a bad image or when no serial port appears; MissingExtraError.
    """

    BOOT_SECONDS = 30.0

    def __init__(self, image: Path, flash_path: Path | None = None, *, fresh: bool = False) -> None:
        pages = read_uf2(image)
        flash = PicoFlash(flash_path, fresh=fresh)
        self.chip = PicoChip(flash)
        self.console = Console()
        self.failure: Exception | None = None
        self._install(image, pages, flash_path, fresh)
        self._input = threading.Event()
        self._connected = threading.Event()
        self._stopping = self._reset_asked = False
        self._attach_cdc()
        feed = self.console.feed

        def feed_and_wake(data: bytes) -> None:
            feed(data)
            self._input.set()

        self.console.feed = feed_and_wake  # type: ignore[method-assign]
        self._thread = threading.Thread(target=self._main, name="pico board", daemon=True)
        self._thread.start()
        if not self._connected.wait(self.BOOT_SECONDS) or self.failure is not None:
            self.close()
            raise SimulatorError(
                f"{image} started no USB serial port on the emulated pico",
                hint="is it an image for RPI_PICO?",
            ) from self.failure

    def write(self, data: bytes, timeout: float = 10.0) -> None:
        """Send bytes to the board; waits while it has too much to read."""
        for at in range(0, len(data), 16384):
            if not self.console.wait_room(timeout):
                raise SimulatorError("the simulated board does not read", hint="send Ctrl-C, or reset it")
            self.console.feed(data[at : at + 16384])

    def read(self, limit: int = 65536, timeout: float = 0.0) -> bytes:
        """What the board has said, up to `limit` bytes; waits up to `timeout` seconds for the first."""
        if timeout:
            self.console.wait_output(timeout)
        return self.console.take_output(limit)

    def reset(self) -> None:
        """Press the reset button."""
        self._reset_asked = True
        self._input.set()

    def close(self) -> None:
        """Switch off; the flash is written to its file."""
        self._stopping = True
        self._input.set()
        self._thread.join(10.0)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def __enter__(self) -> PicoBoard:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _install(self, image: Path, pages: dict[int, bytes], flash_path: Path | None, fresh: bool) -> None:
        """Flash the image unless it is the one that is there: an image flashed later by other means stays."""
        digest = hashlib.sha256(image.read_bytes()).hexdigest()
        note = flash_path.with_suffix(".json") if flash_path is not None else None
        known = json.loads(note.read_text()) if note is not None and note.is_file() and not fresh else {}
        if known.get("image") == digest:
            return
        self.chip.flash.program(pages)
        self.chip.flash.save()
        if note is not None:
            note.write_text(json.dumps({"image": digest}))

    def _attach_cdc(self) -> None:
        from rp2040py.usb.cdc import USBCDC

        usb = self.chip.mcu.usb_ctrl
        cdc = self._cdc = USBCDC(usb)
        cdc.on_serial_data = lambda data: self.console.write(bytes(data))
        cdc.on_device_connected = self._connected.set
        self._armed: tuple[int, int] | None = None
        served, forget = usb.on_endpoint_read, usb.on_reset

        def read(endpoint: int, size: int) -> None:
            # USBCDC answers an empty queue with an empty packet, and the firmware asks again at once: the
            # chip would never sleep. A host controller just waits until it has something.
            if endpoint and cdc.tx_fifo.empty:
                self._armed = (endpoint, size)
            else:
                served(endpoint, size)

        def reset() -> None:
            self._armed = None
            forget()

        usb.on_endpoint_read, usb.on_reset = read, reset
        self._serve = served

    def _push_input(self) -> None:
        room = USB_QUEUE - self._cdc.tx_fifo.item_count
        if room > 0 and self.console.pending():
            for byte in self.console.read_now(room):
                self._cdc.send_serial_byte(byte)
        if self._armed is not None and not self._cdc.tx_fifo.empty:
            armed, self._armed = self._armed, None
            self._serve(*armed)

    def _main(self) -> None:
        chip = self.chip
        saved = time.monotonic()
        try:
            chip.boot()
            ahead = 0.0
            while not self._stopping:
                if self._reset_asked:
                    self._reset_asked = False
                    self.console.restart(drop_input=True)
                    chip.reset()
                self._input.clear()
                self._push_input()
                begun = time.monotonic()
                passed = chip.run_slice() / 1e9
                # The chip runs slower than real time when it works, and in no time when it sleeps: then wait.
                ahead = max(0.0, ahead + passed - (time.monotonic() - begun))
                if ahead > 0.002 and not self.console.pending() and self._cdc.tx_fifo.empty:
                    waiting = time.monotonic()
                    self._input.wait(ahead)
                    ahead = max(0.0, ahead - (time.monotonic() - waiting))
                if begun - saved > SAVE_SECONDS:
                    chip.flash.save()
                    saved = time.monotonic()
        except Exception as err:
            self.failure = err
            self._connected.set()
        finally:
            chip.flash.save()
            self.console.close()
