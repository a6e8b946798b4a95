"""Flashing an RP2040: upytool beside Debian's unmodified picotool, both on the REAL boot ROM in the emulator.

Both reach the chip through one pyusb back end that counts: transfers and the bytes in them. upytool's side is the
whole flow of `upytool flash` (look for the device, plan, open, look at what is on the chip, write, read back,
restart), picotool's `picotool load -v -x`. The counts are exact, and the same on every machine; the seconds are those
of an emulated chip, and picotool's also hold a process and its way to the emulator.

`python -m tests.bench.flash_rp2 [RUNS]` prints the rows.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rigs.usb_shim import UsbShim
from tests.rigs.usb_tools import CountingBackend, Traffic
from upytool.flashers import chain
from upytool.flashers.base import FlashTarget
from upytool.flashers.usb import UsbBus
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory

from .measure import Failed

FULL, SAME, NEAR = "full write, empty chip", "the same image again", "4 KB changed"
UPYTOOL, PICOTOOL, UPDATE = "upytool flash", "picotool load -v -x", "picotool load -u -v -x"
SECTOR = 4096
TIMEOUT = 150.0


@dataclass(frozen=True)
class Row:
    """One tool in one case.

    Attributes:
        traffic: the counts of the last run; `steady`: whether those of all runs are the same.
        seconds: the median.
        failed: why there are no figures, "".
    """

    case: str
    tool: str
    traffic: Traffic
    seconds: float
    runs: int
    steady: bool = True
    failed: str = ""


def measure(runs: int, image: Path | None = None, *, cases: tuple[str, ...] = (FULL, SAME, NEAR)) -> Iterator[Row]:
    """Full write, the same image again, an image that differs in 4 KB (its middle sector).

    Args:
        image: a UF2 file for RP2040; None takes MicroPython 1.25 for RPI_PICO.

    Raises: RigUnavailable.
    """
    if image is None:
        from tests.rigs.pico import pico_image

        image = pico_image()
    firmware = FirmwareImage.read(image)
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        near = Path(folder) / "near.uf2"
        near.write_bytes(firmware.encode(_with_another_sector(firmware.memory)))
        tools: dict[str, Callable[[Any, Path], None]] = {
            UPYTOOL: _by_upytool,
            PICOTOOL: lambda backend, file: _by_picotool(backend, file, "-v", "-x"),
            UPDATE: lambda backend, file: _by_picotool(backend, file, "-u", "-v", "-x"),
        }
        for case in cases:
            there, file = {FULL: (None, image), SAME: (firmware, image), NEAR: (firmware, near)}[case]
            for tool, work in tools.items():
                if case == FULL and tool == UPDATE:
                    continue
                yield _row(case, tool, work, there, file, runs)


def _with_another_sector(memory: Memory) -> Memory:
    """The same but for the 4 KiB in the middle of the first segment."""
    first = memory.segments[0]
    at = len(first.data) // 2 // SECTOR * SECTOR
    other = bytes(byte ^ 0x5A for byte in first.data[at : at + SECTOR])
    data = first.data[:at] + other + first.data[at + SECTOR :]
    return Memory.of([(first.address, data), *((each.address, each.data) for each in memory.segments[1:])])


def _row(
    case: str, tool: str, work: Callable[[Any, Path], None], there: FirmwareImage | None, file: Path, runs: int
) -> Row:
    times, counts = [], []
    wanted = FirmwareImage.read(file)
    try:
        for _ in range(runs):
            seconds, traffic = _once(work, there, file, wanted)
            times.append(seconds)
            counts.append(traffic)
    except Failed as error:
        return Row(case, tool, Traffic(), 0.0, 0, failed=str(error))
    steady = all(each == counts[0] for each in counts)
    return Row(case, tool, counts[-1], statistics.median(times), runs, steady)


def _once(
    work: Callable[[Any, Path], None], there: FirmwareImage | None, file: Path, wanted: FirmwareImage
) -> tuple[float, Traffic]:
    """A chip in BOOTSEL mode with `there` in its flash, one run, and a look at the flash afterwards."""
    from upytool.sim.pico import PicoBoard

    with PicoBoard(None, bootsel=True) as board:
        flash = board.chip.flash.view
        assert flash is not None
        for each in there.memory if there is not None else ():
            flash[each.address - 0x10000000 : each.end - 0x10000000] = each.data
        backend = CountingBackend(board.backend())
        start = time.monotonic()
        work(backend, file)
        seconds = time.monotonic() - start
        for each in wanted.memory:
            if bytes(flash[each.address - 0x10000000 : each.end - 0x10000000]) != each.data:
                raise Failed("the flash does not hold the image")
        return seconds, backend.traffic


def _by_upytool(backend: Any, file: Path) -> None:
    bus = UsbBus("sim:bench", backend)
    devices = [each for each in bus.devices() if each.bootloader]
    target = FlashTarget("bootloader", "sim:bench", location="sim:bench", usb=devices[0], bus=bus)
    request = chain.Request(wait=0)
    result = chain.apply(chain.plan(target, FirmwareImage.read(file), request), request)
    if result.programmed is None or not result.programmed.verified:
        raise Failed("not verified")


def _by_picotool(backend: Any, file: Path, *options: str) -> None:
    with UsbShim(backend) as shim:
        done = shim.run(["picotool", "load", *options, str(file)], TIMEOUT)
    if done.returncode:
        raise Failed(f"exit {done.returncode}: {(done.stdout + done.stderr).strip()[-80:]}")


def main() -> int:
    rows = []
    for row in measure(int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        count = row.traffic
        words = f"{count.transfers:5} transfers {count.bytes_out:7} B out {count.bytes_in:7} B in {row.seconds:6.2f} s"
        print(f"{row.case:24} {row.tool:24} {row.failed or words}{'' if row.steady else ' (varies)'}", flush=True)
        rows.append(row)
    return 1 if any(row.failed for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
