"""`build --check`: the finished firmware is started in an emulator, and what it says is read.

Only for the RP2040: that is the one chip whose whole firmware an emulator runs (rp2040py).
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BuildError, UsageError
from ..events import NULL, Reporter, notice
from ..image.base import FirmwareImage

if TYPE_CHECKING:
    from ..build.base import Recipe
    from ..sim.pico import PicoBoard

RUN_SECONDS = 20.0
QUIET_SECONDS = 2.0
_PROMPT = b">>> "


def boot_check(firmware: Path, recipe: Recipe, *, reporter: Reporter = NULL) -> list[str]:
    """Start it, let boot.py and main.py run, and ask the REPL for its version.

    Returns sentences on what was seen.

    Raises: BuildError when a program of it fails or no REPL answers; UsageError where no emulator runs this chip.
    """
    image = FirmwareImage.read(firmware)
    if image.chip != "rp2040":
        raise UsageError(
            f"no emulator runs firmware for {image.chip or 'this chip'}", hint="--check starts RP2040 firmware alone"
        )
    from ..sim.pico import PicoBoard

    notice(reporter, "starting it in the emulator", "detail")
    with PicoBoard(firmware) as board:
        board.read(timeout=3.0)  # whatever the first start says while the port comes up
        said, runs_on = _start_anew(board)
        if "Traceback" in said:
            raise BuildError(f"the program fails: {said.strip().splitlines()[-1]}", hint=said.strip())
        version = _version(board)
    if not version:
        raise BuildError("the started firmware has no REPL that answers", hint="its program may have switched USB off")
    seen = [f"It starts: {version}"]
    if said.strip():
        last = said.strip().splitlines()[-1]
        seen.append(f"its program says {last!r}" + (" and runs on" if runs_on else ""))
    elif runs_on:
        seen.append("its program runs")
    return seen


def _start_anew(board: PicoBoard) -> tuple[str, bool]:
    """Soft reset with the port open, so that nothing which is said is lost. (what was said, whether it still runs)"""
    board.write(b"\r\x03\x03")
    _collect(board, 3.0, 0.5)
    board.write(b"\x04")
    said = _collect(board, RUN_SECONDS, QUIET_SECONDS)
    runs_on = not said.rstrip(b" ").endswith(_PROMPT.rstrip())
    text = said.decode("utf-8", "replace").replace("\r", "")
    text = text.partition("soft reboot\n")[2] or text
    return text.partition("\nMicroPython v")[0].removesuffix(">>> "), runs_on


def _version(board: PicoBoard) -> str:
    board.write(b"\r\x03\x03")
    _collect(board, 3.0, 0.5)
    board.write(b"import sys\rprint('<'+sys.version+'>')\r")
    text = _collect(board, 5.0, 1.0).decode("utf-8", "replace")
    return text.rpartition("\n<")[2].partition(">")[0].partition("; ")[2] if "\n<" in text else ""


def _collect(board: PicoBoard, limit: float, quiet: float) -> bytes:
    """What it says, until it has been silent for `quiet` seconds, stands at the prompt, or `limit` is over."""
    seen = bytearray()
    end = time.monotonic() + limit
    last = time.monotonic()
    while (now := time.monotonic()) < end and now - last < quiet:
        data = board.read(timeout=0.1)
        if data:
            seen += data
            last = time.monotonic()
        elif seen.endswith(_PROMPT):
            break
    return bytes(seen)
