"""`build --check`: the finished firmware is started in an emulator, and what it says is read.

Only for the RP2040: that is the one chip whose whole firmware an emulator runs (rp2040py).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError, SimulatorError, UsageError
from ..events import NULL, Reporter, notice
from ..image.base import FirmwareImage

if TYPE_CHECKING:
    from ..sim.pico import PicoBoard

RUN_SECONDS = 15.0  # how long a program is watched: the emulator does about 4 million instructions a second
_PROMPT = b">>> "
_TRACE = "Traceback (most recent call last):\n"
# A program that fails at once: boot.py (main.py runs all the same after it) or main.py is the outermost frame.
_STARTER = re.compile(re.escape(_TRACE) + r'  File "(?:boot|main)\.py", line \d+, in <module>\n(?:  .*\n)*.*')
_LAST = re.compile(re.escape(_TRACE) + r"(?:  .*\n)+.*\s*\Z")


@dataclass(frozen=True)
class BootSeen:
    """What was seen of a start.

    Attributes:
        version: what the REPL says of itself.
        said: what boot.py and main.py printed.
        runs_on: whether the program was still running when it was no longer watched.
    """

    version: str
    said: str
    runs_on: bool

    @property
    def words(self) -> list[str]:
        """Sentences for people."""
        lines = [f"It starts: {self.version}"]
        last = (self.said.strip().splitlines() or [""])[-1]
        if last:
            lines.append(f"its program says {last!r}" + (" and runs on" if self.runs_on else ""))
        elif self.runs_on:
            lines.append("its program runs")
        return lines


def boot_check(firmware: Path, *, reporter: Reporter = NULL, seconds: float = RUN_SECONDS) -> BootSeen:
    """Start it, let boot.py and main.py run, and ask the REPL for its version.

    Args:
        seconds: how long the program is watched; one that still runs then is fine.

    Raises: BuildError when a program of it fails or no REPL answers; UsageError where no emulator runs this chip.
    """
    image = FirmwareImage.read(firmware)
    if image.chip != "rp2040":
        raise UsageError("usage.no-emulator", name=firmware.name, chip=image.chip or "this chip")
    from ..sim.pico import PicoBoard

    notice(reporter, "starting it in the emulator", "detail")
    try:
        with PicoBoard(firmware) as board:
            board.read(timeout=3.0)  # whatever the first start says while the port comes up
            said, runs_on = _start_anew(board, seconds)
            failure = _STARTER.search(said) or (None if runs_on else _LAST.search(said))
            version = "" if failure is not None else _version(board)
    except SimulatorError as error:  # what does not start is the build's failure, not a port's
        raise BuildError("build.not-emulated", name=firmware.name, cause=error, hint=error.hints) from error
    if failure is not None:
        trace = failure[0].strip()
        raise BuildError("build.program-fails", name=firmware.name, reason=trace.splitlines()[-1], hint=trace)
    if not version:
        raise BuildError("build.no-repl", name=firmware.name)
    return BootSeen(version, said, runs_on)


def _start_anew(board: PicoBoard, seconds: float) -> tuple[str, bool]:
    """Soft reset with the port open, so that nothing which is said is lost. (what was said, whether it still runs)"""
    board.write(b"\r\x03\x03")
    _collect(board, 3.0)
    board.write(b"\x04")
    said = _collect(board, seconds)
    runs_on = not said.endswith(_PROMPT)
    text = said.decode("utf-8", "replace").replace("\r", "")
    before, reboot, after = text.partition("soft reboot\n")
    text = after if reboot else before
    if not runs_on:
        text = text.rpartition("\nMicroPython v")[0] if "\nMicroPython v" in text else text.removesuffix(">>> ")
        text = "" if text.startswith("MicroPython v") else text
    return text, runs_on


def _version(board: PicoBoard) -> str:
    board.write(b"\r\x03\x03")
    _collect(board, 3.0)
    board.write(b"import sys\rprint('<'+sys.version+'>')\r")
    text = _collect(board, 5.0).decode("utf-8", "replace")
    return text.rpartition("\n<")[2].partition(">")[0].partition("; ")[2] if "\n<" in text else ""


def _collect(board: PicoBoard, limit: float) -> bytes:
    """What it says, until it stands at the prompt and says no more, or `limit` seconds are over."""
    seen = bytearray()
    end = time.monotonic() + limit
    while time.monotonic() < end:
        data = board.read(timeout=0.2)
        seen += data
        del seen[: -(1 << 18)]  # a program that never stops printing
        if not data and seen.endswith(_PROMPT):
            break
    return bytes(seen)
