"""The rows about flashing, and their part of the report: RP2040 on the real boot ROM, ESP32 on a model, files."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import flash_esp, flash_rp2
from .measure import compare

INSPECT = 0.3  # seconds for a file of FILE bytes
FILE = 2 << 20
RP2, ESP, FILES = "rp2", "esp", "files"


@dataclass(frozen=True)
class Line:
    """One line of one of the three tables. `ok` is None where the line is there for comparison."""

    table: str
    cells: tuple[str, ...]
    target: str = ""
    reached: str = ""
    ok: bool | None = None


def lines(runs: int) -> Iterator[Line]:
    """Measure everything. Raises: RigUnavailable without Debian's picotool or the RPI_PICO firmware."""
    yield from _files(runs)
    yield from _rp2(runs)
    yield from _esp(runs)


def _rp2(runs: int) -> Iterator[Line]:
    rows = list(flash_rp2.measure(min(runs, 2)))
    for row in rows:
        peer = next(each for each in rows if each.case == row.case and each.tool == flash_rp2.PICOTOOL)
        update = next((each for each in rows if each.case == row.case and each.tool == flash_rp2.UPDATE), None)
        target, reached, ok = "", "", None
        if row.tool == flash_rp2.UPYTOOL:
            target, reached, ok = _judge_rp2(row, peer, update)
        count = row.traffic
        figures = (str(count.transfers), f"{count.bytes_out:,}", f"{count.bytes_in:,}", f"{row.seconds:.1f} s")
        yield Line(RP2, (row.case, row.tool, *(("failed",) * 4 if row.failed else figures)), target, reached, ok)


def _judge_rp2(row: flash_rp2.Row, peer: flash_rp2.Row, update: flash_rp2.Row | None) -> tuple[str, str, bool]:
    failed = bool(row.failed or peer.failed or not row.steady)
    if row.case == flash_rp2.FULL:
        share = row.traffic.transfers / max(1, peer.traffic.transfers)
        return "no more transfers than picotool", f"{share:.2f} of its transfers", not failed and share <= 1
    times = peer.traffic.bytes_out / max(1, row.traffic.bytes_out)
    more = f", with -u {update.traffic.bytes_out / max(1, row.traffic.bytes_out):.1f} x" if update is not None else ""
    reached = f"{times:.0f} x fewer{more}"
    if row.case == flash_rp2.SAME:
        return "10 x fewer bytes to the chip than picotool", reached, not failed and times >= 10
    return "fewer bytes to the chip than picotool", reached, not failed and times > 1


def _esp(runs: int) -> Iterator[Line]:
    rows = flash_esp.measure(min(runs, 3))
    for row in rows:
        peer = next(each for each in rows if each.case == row.case and each.tool == flash_esp.ESPTOOL)
        target, reached, ok = "", "", None
        if row.tool == flash_esp.UPYTOOL and row.case == flash_esp.FULL:
            good = row.correct and peer.correct
            wall = row.figure.wall / peer.figure.wall if good else 0.0
            cpu = row.figure.cpu / peer.figure.cpu if good else 0.0
            target, reached = "1.05 of esptool's time", f"{wall:.2f} (CPU time {cpu:.2f})"
            ok = 0 < wall <= 1.05
        figures = (f"{row.to_chip:,}", f"{row.from_chip:,}", f"{row.figure.wall:.2f} s", f"{row.figure.cpu:.2f} s")
        yield Line(ESP, (row.case, row.tool, *(figures if row.correct else ("failed",) * 4)), target, reached, ok)


def _files(runs: int) -> Iterator[Line]:
    """What is in a file of 2 MB: whole commands, from start to exit."""
    from tests.fakes.esp_firmware import firmware
    from tests.rigs.pico import pico_image
    from tests.rigs.usb_tools import UsbTools
    from upytool.image.base import FirmwareImage
    from upytool.image.memory import Memory

    tools = UsbTools()
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        uf2, binary = Path(folder) / "firmware.uf2", Path(folder) / "firmware.bin"
        real = FirmwareImage.read(pico_image())
        more = random.Random(1).randbytes(FILE // 2 - real.size)  # a UF2 file is twice its content
        pieces = [(each.address, each.data) for each in real.memory]
        uf2.write_bytes(real.encode(Memory.of([*pieces, (real.end, more)])))
        binary.write_bytes(firmware("esp32", FILE))
        own = [sys.executable, "-m", "upytool", "firmware", "inspect"]
        peers = {
            uf2: ("picotool info -a", tools.command("picotool", "info", "-a", uf2)),
            binary: ("esptool image-info", [sys.executable, "-m", "esptool", "image-info", str(binary)]),
        }
        for file, (name, command) in peers.items():
            mine = [*own, str(file)]
            figures = compare({"upytool": lambda: mine, name: lambda: command}, runs=max(5, runs))  # noqa: B023
            ours, theirs = figures["upytool"], figures[name]
            what = f"{file.suffix.removeprefix('.').upper()}, {file.stat().st_size / (1 << 20):.1f} MiB"
            cells = (what, _seconds(ours.wall, ours.failed), f"{_seconds(theirs.wall, theirs.failed)} ({name})")
            ok = not ours.failed and ours.wall < INSPECT
            yield Line(FILES, cells, f"{INSPECT} s", _seconds(ours.wall, ours.failed), ok)


def _seconds(value: float, failed: str) -> str:
    return "failed" if failed else f"{value:.2f} s"


# -- the report -----------------------------------------------------------------------------------------------------

TITLE = "## Flashing"
_HEADS = {
    RP2: ("case", "tool", "transfers", "bytes to the chip", "bytes from it", "time"),
    ESP: ("case", "tool", "bytes to the chip", "bytes from it", "time", "CPU time"),
    FILES: ("file", "upytool", "beside it"),
}
_TEXTS = {
    RP2: """### RP2040

The real boot ROM of the chip in the emulator, MicroPython 1.25 for RPI_PICO (332 kB of flash), Debian's unmodified
picotool 2.1.1 through a stand-in for libusb. Both tools go through the same counter: USB transfers as a host asks for
them, and the bytes in them. These counts are exact, and the same on every machine; a small image is counted in the
tests. upytool's side is the whole flow of `upytool flash` up to the restart. The seconds are those of an emulated
chip.

upytool writes and reads 32 KiB at a time, picotool a sector or less. Four sectors tell whether another firmware is on
the chip; if not, all of it is compared, which is where an unchanged image ends. Of what differs, the changed sectors
are written and read back. The first one goes last, so that a cut cable can't leave a board that starts half a
firmware. picotool without `-u` writes everything again.""",
    ESP: """### ESP32

A **model** of the chip's loader behind TCP, which lets bytes pass at 921,600 baud; what a real chip needs for erasing
and hashing is not in these numbers. 1.7 MB, whole commands from start to exit. Left out is one thing that upytool
does and esptool does not: it asks the port whether MicroPython runs there, which costs some tenths of a second, or
four seconds on a board that says nothing.""",
    FILES: """### Files

`upytool firmware inspect` from start to exit: format, chip, version, board, checksums, frozen modules, file
system.""",
}


def document(found: list[Line]) -> str:
    """The part of the report, from TITLE on."""
    parts = [TITLE, ""]
    for table, text in _TEXTS.items():
        head = (*_HEADS[table], "target", "reached", "met")
        parts += [text, "", "| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
        parts += ["| " + " | ".join(shown(line)) + " |" for line in found if line.table == table]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def shown(line: Line) -> tuple[str, ...]:
    met = "" if line.ok is None else "yes" if line.ok else "NO"
    return (*line.cells, line.target, line.reached, met)
