"""An emulated RP2040 in this process, and the two tools on it: the same command costs the same, to the byte.

The chip runs only while somebody reads, and nobody reads at the same time: no thread, no pty, no clock of the
machine. The host answers in no time at all, so the chip's instructions alone are counted (a chip that waits in
WFI counts nothing), at 125 MHz. Nothing of the tools is changed: both get their serial port from here.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from tests.rigs.pico import pico_image
from upytool.sim.pico_chip import PicoChip, PicoFlash, read_uf2

CYCLES_PER_MICROSECOND = 125
SLICE_NS = 200_000
IDLE_CYCLES = 2_000  # of a slice: the USB start-of-frame interrupt and no more
BOOT_NS = 5_000_000_000
ADDRESS = "socket://chip:1"
PROMPT = b">>> "


@dataclass(frozen=True)
class Count:
    """What one command cost.

    Attributes:
        micros: the chip's work in microseconds, from the tool's first byte to the prompt after it.
        up, down: bytes to the board and from it.
        turns: how often the tool wrote after it had read, the first time counts: round trips.
        code: the tool's exit code.
        out: what it printed.
    """

    micros: int
    up: int
    down: int
    turns: int
    code: int
    out: bytes


class Chip:
    """A Pico with MicroPython 1.25 that runs while it is read from. Not thread-safe."""

    def __init__(self, image: Path | None = None) -> None:
        # Elsewhere 16 instructions share one look at the clock, wherever a batch of them ends; here each has its own.
        self._one_by_one = mock.patch("upytool.sim.pico_chip.TICK_BATCH", 1)
        self.chip = PicoChip(PicoFlash(None))
        self.chip.flash.program(read_uf2(image or pico_image()))
        self.typed, self.said = bytearray(), bytearray()
        wire = self.chip.wire
        wire.typed, wire.said = self._type, self._say
        self.clear()
        self.boot()
        view = self.chip.flash.view
        assert view is not None
        self._blank = bytes(view)

    def boot(self) -> None:
        """Start the chip and wait for its prompt."""
        self.chip.reset()
        self.typed.clear()
        self.said.clear()
        end = self.now + BOOT_NS
        while not self.said.endswith(PROMPT):
            if self.now > end:
                raise AssertionError(f"the chip does not boot: {bytes(self.said)!r}")
            self._slice()
            if self.chip.wire.serial_ready and not self.said and not self.typed:
                self.typed += b"\r\x02"
                self.chip.wire.poke()
        self.settle()
        self.clear()

    def blank(self) -> None:
        """An empty file system and a fresh interpreter: the state that every row begins with."""
        view = self.chip.flash.view
        assert view is not None
        view[:] = self._blank
        self.boot()

    def clear(self) -> None:
        """Nothing was counted yet."""
        self.said.clear()
        self.up = self.down = self.turns = 0
        self._writing = False
        self._cycles = self._end = self.cycles

    @property
    def now(self) -> int:
        """Nanoseconds of the chip's time, its sleep included."""
        return int(self.chip.simulator.clock.nanos)

    @property
    def cycles(self) -> int:
        return int(self.chip.mcu.core.cycles)

    @property
    def micros(self) -> int:
        """The chip's work since the first byte, up to the last one that it said."""
        return round((self._end - self._cycles) / CYCLES_PER_MICROSECOND)

    # -- the port -------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Bytes from the host; the chip does not run meanwhile."""
        if not self.up:
            self._cycles = self.cycles
        self.turns += not self._writing
        self._writing = True
        self.up += len(data)
        self.typed += data
        self.chip.wire.poke()

    def read(self, nanoseconds: int | None = None, limit: int = 1 << 20) -> bytes:
        """What the chip has said; runs it until it says something, at most that long (None: until it is idle)."""
        end = None if nanoseconds is None else self.now + nanoseconds
        while not self.said and (end is None or self.now < end):
            if not self._slice() and end is None:
                break
        data = bytes(self.said[:limit])
        del self.said[: len(data)]
        self._writing = self._writing and not data
        return data

    def settle(self) -> None:
        """Run until there is nothing to do; what is said waits."""
        while self._slice() or self.typed:
            pass

    def _slice(self) -> bool:
        """Run for a moment, or until something is said; whether that was work."""
        before, said, end = self.cycles, len(self.said), self.now + SLICE_NS
        with self._one_by_one:
            # rp2040py gives up after 5 ms of this machine's time, at no fixed instruction.
            while self.now < end and len(self.said) == said:
                self.chip.run_slice(end - self.now)
        return self.cycles - before > IDLE_CYCLES or len(self.said) > said

    def _type(self, limit: int) -> bytes:
        data = bytes(self.typed[:limit])
        del self.typed[: len(data)]
        return data

    def _say(self, data: bytes) -> None:
        self.said += data
        self.down += len(data)
        self._end = self.cycles
        self.chip.end_slice()


class ChipTransport:
    """The chip as upytool's transport, with a clock that is the chip's. Sure: it is the chip's own USB port."""

    sure = True

    name, interrupts, survives_reset = ADDRESS, True, True

    def __init__(self, chip: Chip) -> None:
        self.chip = chip

    def read(self, timeout: float | None) -> bytes:
        return self.chip.read(int((3600 if timeout is None else timeout) * 1e9))

    def write(self, data: bytes) -> None:
        self.chip.write(data)

    def close(self) -> None:
        return

    def fileno(self) -> int | None:
        return None

    def clock(self) -> float:
        return self.chip.now / 1e9

    def sleep(self, seconds: float) -> None:
        end = self.chip.now + int(seconds * 1e9)
        while self.chip.now < end:
            self.chip._slice()


class ChipSerial:
    """The chip as pyserial's port, as far as mpremote goes."""

    fd = -1

    def __init__(self, chip: Chip) -> None:
        self.chip, self.timeout, self.dtr, self.rts = chip, None, True, True

    def isOpen(self) -> bool:
        return True

    def inWaiting(self) -> int:
        if not self.chip.said:
            data = self.chip.read()
            self.chip.said[:0] = data
        return len(self.chip.said)

    def read(self, size: int = 1) -> bytes:
        data = b""
        for _ in range(1000):
            data += self.chip.read(10_000_000, size - len(data))
            if len(data) == size:
                break
        return data

    def write(self, data: bytes) -> int:
        self.chip.write(data)
        return len(data)

    def close(self) -> None:
        return


@contextlib.contextmanager
def _captured() -> Iterator[io.BytesIO]:
    """Standard output into memory; standard error into the void."""
    out = io.BytesIO()
    text = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(io.TextIOWrapper(io.BytesIO())):
        yield out
        text.flush()
    text.detach()


def upytool(chip: Chip, argv: Sequence[str]) -> Count:
    """Run `upytool ARGV` on the chip."""
    from upytool.cli.main import run
    from upytool.transport import drive, registry

    transport = ChipTransport(chip)
    chip.clear()
    with (
        _captured() as out,
        mock.patch.dict(registry._SCHEMES, {"socket": lambda *_: transport}),
        mock.patch.object(drive.drive, "__defaults__", (transport.clock, transport.sleep)),
    ):
        code = run(["-d", ADDRESS, *argv])
    return _counted(chip, code, out.getvalue())


def mpremote(chip: Chip, argv: Sequence[str]) -> Count:
    """Run `mpremote connect PORT ARGV` on the chip."""
    import serial
    from mpremote import main

    def no_wait(seconds: float) -> None:
        # It polls its port between sleeps; the chip's time is what counts.
        chip.said[:0] = chip.read(int(seconds * 1e9))

    chip.clear()
    code: Any = 0
    with (
        _captured() as out,
        mock.patch.object(serial, "serial_for_url", return_value=ChipSerial(chip)),
        mock.patch.object(time, "sleep", no_wait),
        mock.patch.object(sys, "argv", ["mpremote", "connect", ADDRESS, *argv]),
    ):
        try:
            code = main.main()
        except SystemExit as stop:
            code = stop.code
    return _counted(chip, int(code or 0), out.getvalue())


def _counted(chip: Chip, code: int, out: bytes) -> Count:
    chip.settle()
    return Count(chip.micros, chip.up, chip.down, chip.turns, code, out)


def tell(chip: Chip, source: str) -> bytes:
    """Run a line of MicroPython at the chip's raw prompt, uncounted; what it printed."""
    chip.settle()
    chip.clear()
    chip.write(b"\r\x03\x01")
    chip.settle()
    chip.said.clear()
    for at in range(0, len(source), 64):
        chip.write(source[at : at + 64].encode())
        chip.settle()
    chip.write(b"\x04")
    chip.settle()
    answer = bytes(chip.said)
    chip.write(b"\x02")
    chip.settle()
    ok, out, error = answer.lstrip(b">")[:2], *answer.lstrip(b">")[2:].split(b"\x04")[:2]
    if ok != b"OK" or error:
        raise AssertionError(f"{source[:60]}: {answer!r}")
    chip.clear()
    return out


TOOLS = {"upytool": upytool, "mpremote": mpremote}
os.environ.setdefault("NO_COLOR", "1")
