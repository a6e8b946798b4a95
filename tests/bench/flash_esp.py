"""Flashing an ESP32: upytool beside esptool and mpflash, whole commands against a MODEL of the ROM loader.

The model answers over TCP at the pace of an imagined wire, and counts the bytes on it. It is the same for all; what a
real chip needs for erasing and hashing is not in these numbers.

`python -m tests.bench.flash_esp [RUNS]` prints the rows. mpflash is measured where the environment variable
MPFLASH_PYTHON names a Python that has it: its own command only takes ports that the system lists and boards whose
REPL answers, neither of which a model has, so its function for Espressif's chips is called.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import Failed, Figure, compare

ROOT = Path(__file__).resolve().parents[2]
FULL, UPYTOOL, ESPTOOL = "full write", "upytool flash", "esptool write-flash"
SIZE, RATE = 1_700_000, 921_600  # bytes of MicroPython for ESP32_GENERIC; bits per second

# The whole command, `upytool flash`, but for one thing: before it flashes it asks the port whether a REPL answers. A
# board with MicroPython says so in some tenths of a second; for one that is silent, as the model is, it waits four
# seconds.
_UPYTOOL = """
from upytool.flashers import probe
probe.identify = lambda target, *_, **__: target
from upytool.cli.main import main
main()
"""
_MPFLASH = """
import sys
from pathlib import Path
from mpflash.flash.builtins.esp import flash_esp
class Board:
    serialport, port, cpu = sys.argv[1], "esp32", "ESP32"
    board = board_id = "ESP32_GENERIC"
    firmware, version, description = {}, "", ""
    def wait_for_restart(self, *_, **__): pass
    def get_mcu_info(self, *_, **__): pass
assert flash_esp(Board(), fw_file=Path(sys.argv[2]), erase=False) is not None
"""


@dataclass(frozen=True)
class Row:
    """One tool in one case.

    Attributes:
        figure: wall and CPU seconds of the whole command, memory; `failed` says why there is none.
        to_chip, from_chip: bytes on the wire in the last run.
        correct: whether the flash held the image afterwards, each time.
    """

    case: str
    tool: str
    figure: Figure
    to_chip: int
    from_chip: int
    correct: bool


def measure(runs: int, *, size: int = SIZE, rate: int = RATE) -> list[Row]:
    """Full write (over another firmware), the same image again, an image that differs in 4 KB.

    Args:
        size: of the image in bytes. rate: bits per second of the imagined wire.
    """
    from tests.fakes.esp_firmware import firmware
    from tests.fakes.esp_rom_model import EspRomModel
    from tests.fakes.esp_rom_wire import TcpWire
    from upytool.image.base import FirmwareImage

    old, new = firmware("esp32", size, seed=1), firmware("esp32", size, seed=2)
    near = bytearray(new)
    near[0x40000 - 0x1000 : 0x41000 - 0x1000] = old[0x40000 - 0x1000 : 0x41000 - 0x1000]
    image = FirmwareImage.read(new)
    model = EspRomModel("esp32")
    wrong: set[tuple[str, str]] = set()
    traffic: dict[tuple[str, str], tuple[int, int]] = {}
    rows = []
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder, TcpWire(model, reset=True, rate=rate) as wire:
        path = os.path.join(folder, "firmware.bin")
        Path(path).write_bytes(new)
        commands = _commands(wire.address, path)
        for case, there in ((FULL, old), ("same image again", new), ("4 KB changed", bytes(near))):

            def before(name: str, there: bytes = there) -> None:
                model.flash[:] = b"\xff" * len(model.flash)
                model.flash[0x1000 : 0x1000 + len(there)] = there
                model.bytes_in = model.bytes_out = 0

            def after(name: str, case: str = case) -> None:
                traffic[case, name] = model.bytes_in, model.bytes_out
                if any(model.flash[each.address : each.end] != each.data for each in image.memory):
                    wrong.add((case, name))
                    raise Failed("the flash does not hold the image")

            figures = compare(commands, runs=runs, before=before, after=after)
            for name, figure in figures.items():
                sent, got = traffic.get((case, name), (0, 0))
                rows.append(Row(case, name, figure, sent, got, (case, name) not in wrong and not figure.failed))
    return rows


def _commands(address: str, path: str) -> dict[str, Callable[[], Sequence[str]]]:
    python = sys.executable
    esptool = [python, "-m", "esptool", "--port", address, "--after", "no-reset-stub", "write-flash"]
    commands: dict[str, Callable[[], Sequence[str]]] = {
        UPYTOOL: lambda: [python, "-c", _UPYTOOL, "-d", address, "flash", path, "--yes", "--no-wait"],
        ESPTOOL: lambda: [*esptool, "0x1000", path],
        f"{ESPTOOL} --skip-flashed": lambda: [*esptool, "--skip-flashed", "0x1000", path],
    }
    other = os.environ.get("MPFLASH_PYTHON")
    if other:
        commands["mpflash"] = lambda: [other, "-c", _MPFLASH, address, path]
    return commands


def main() -> int:
    os.chdir(ROOT)
    rows = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    for row in rows:
        what = row.figure.failed or f"{row.figure.wall:6.2f} s  {row.figure.cpu:5.2f} s CPU"
        print(f"{row.case:17} {row.tool:23} {what}  {row.to_chip:8} B out {row.from_chip:8} B in")
    return 0 if all(row.correct for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
