"""The program picotool in place of our own PICOBOOT: for `--tool picotool`, where somebody trusts it more.

It is found on PATH and told by bus and address which board is meant. Its percentages become progress, its last words
an error. Every run is bounded. picotool fills the rest of a partly written sector with zeros; it is given whole
sectors here, filled up with what the flash holds.

Sources: picotool's README and `picotool help` (2.0 and later: load, save, erase, reboot, info, partition info).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..discovery.usb_devices import UsbDevice
from ..errors import ConnectionLostError, FlashError, PortPermissionError, TransportError
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..image.uf2 import write_uf2
from ..protocol import picoboot as p
from ..scratch import scratch_directory
from ..words import Said
from .base import Ability, Chip, FlashOptions, FlashTarget, Leave, Programmed
from .failure import AGAIN, UNCHANGED
from .picoboot import RP2040_ID, RP2350_ID
from .rp2_fit import place
from .sectors import Range, SectorPlan, Zone, aligned, differing, join, units_of
from .usb import UsbBus, access_hint

SLOWEST = 8192  # bytes a second that a run may take, on top of START
START = 30.0
_PERCENT = re.compile(rb"(\d{1,3})%")
_VERSION = re.compile(r"v?(\d+\.\d+[\w.+-]*)")
_SIZE = re.compile(r"^\s*flash size:\s*(\d+)\s*K", re.MULTILINE | re.IGNORECASE)
_ID = re.compile(r"^\s*(?:flash id|chipid|chip id):\s*0x([0-9a-f]+)", re.MULTILINE | re.IGNORECASE)


class PicotoolFlasher:
    """Boards of RP2040 and RP2350 in BOOTSEL mode, by picotool.

    Args:
        program: name on PATH, or a path.
    """

    name = "picotool"

    def __init__(self, program: str = "picotool") -> None:
        self._program = program

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if target.usb is None or target.state != "bootloader":
            return "picotool needs a board in BOOTSEL mode"
        if target.bus is not None and target.bus.name:
            return "picotool reaches real boards alone"
        if (target.usb.vid, target.usb.pid) not in (RP2040_ID, RP2350_ID):
            return "picotool is for RP2040 and RP2350 with their own USB ids"
        if image is not None and image.port not in ("rp2", ""):
            return f"picotool is for RP2040 and RP2350, the firmware for {image.chip or image.port}"
        return "" if shutil.which(self._program) else "the program picotool is not installed"

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> PicotoolLoader:
        """Raises: FlashError without picotool or when it fails, PortPermissionError, PortMissingError."""
        path = shutil.which(self._program)
        if path is None:
            raise FlashError("flash.picotool-not-installed")
        if target.usb is None:
            raise FlashError("flash.not-in-bootsel")
        bus = target.bus or UsbBus()
        tool = Picotool(path, target.usb, bus.address(target.usb))
        version = tool.version()
        notice(reporter, f"picotool {version}", "detail")
        facts = tool.run("info", "-d")
        size, unique = _SIZE.search(facts), _ID.search(facts)
        name = "rp2040" if (target.usb.vid, target.usb.pid) == RP2040_ID else "rp2350"
        chip = Chip(
            name,
            f"{name.upper()} by picotool {version}",
            p.FLASH_BASE,
            int(size[1]) << 10 if size else None,
            unique[1].lower() if unique else "",
        )
        return PicotoolLoader(tool, chip)


class Picotool:
    """Runs of the program for one board."""

    def __init__(self, path: str, device: UsbDevice, address: tuple[int, int]) -> None:
        self._path, self._device = path, device
        self._which = ("--bus", str(address[0]), "--address", str(address[1]))

    def version(self) -> str:
        text, code = self._spawn(["version"], START, None)
        found = _VERSION.search(text)
        if code or not found:
            raise FlashError("flash.picotool-other-program", path=self._path)
        return found[1]

    def run(self, *arguments: str, size: int = 0, task: Task | None = None, state: str | Said = "") -> str:
        """Run a command on the board; returns what it printed.

        Args:
            size: bytes that are moved, for the time limit.
            state: what is on the board when it fails.

        Raises: FlashError, PortPermissionError, ConnectionLostError.
        """
        text, code = self._spawn([*arguments, *self._which], START + size / SLOWEST, task)
        if code:
            raise self._error(text, code, state)
        return text

    def _spawn(self, arguments: list[str], limit: float, task: Task | None) -> tuple[str, int]:
        try:
            process = subprocess.Popen(
                [self._path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "LC_ALL": "C"},
            )
        except OSError as error:
            raise FlashError("flash.picotool-not-started", reason=error.strerror or error) from error
        output = bytearray()

        def listen() -> None:
            assert process.stdout is not None
            while part := os.read(process.stdout.fileno(), 4096):
                output.extend(part)
                found = _PERCENT.findall(part)
                # it loads first and verifies then: the bar is the loading's
                if found and task is not None and b"Verif" not in output[-400:]:
                    _to(task, min(100, int(found[-1])))

        reader = threading.Thread(target=listen, daemon=True)
        reader.start()
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise FlashError(
                "flash.picotool-timed-out", command=arguments[0], seconds=limit, state=Said("flash.state.unknown")
            ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            reader.join(5)
            if process.stdout is not None and not reader.is_alive():
                process.stdout.close()
        return output.decode("utf-8", "replace"), code

    def _error(self, text: str, code: int, state: str | Said) -> FlashError | TransportError:
        lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
        words = next((line for line in lines if line.upper().startswith("ERROR")), lines[-1] if lines else "")
        words = re.sub(r"^ERROR:\s*", "", words, flags=re.IGNORECASE).rstrip(".")
        lower = text.lower()  # picotool has no codes for what went wrong: its words tell
        if "unable to connect" in lower or "check your permissions" in lower:
            return PortPermissionError("transport.permission.picotool", name=self._name, hint=access_hint(self._device))
        if "no accessible" in lower or "no device" in lower:
            return ConnectionLostError("transport.lost.picotool", name=self._name)
        again = Said("flash.hint.again.bootsel")
        if not words:
            return FlashError("flash.picotool-ended", status=code, hint=again, state=state)
        reason = words[:1].lower() + words[1:]
        return FlashError("flash.picotool-failed", reason=reason, hint=again, state=state)

    @property
    def _name(self) -> str:
        return f"{self._device.bootloader} ({self._device.location})"


def _to(task: Task, percent: int) -> None:
    if percent > task.done:
        task.advance(percent - task.done)


@contextmanager
def _file(data: bytes, suffix: str) -> Iterator[str]:
    """A temporary file that another program can open, on Windows too."""
    with scratch_directory() as folder:
        path = os.path.join(folder, "image" + suffix)
        with open(path, "wb") as stream:
            stream.write(data)
        yield path


class PicotoolLoader:
    """A board that picotool talks to. See flash.base.Loader for the methods."""

    flasher = "picotool"
    abilities: frozenset[Ability] = frozenset(("read", "erase", "erase-all", "program", "verify"))

    def __init__(self, tool: Picotool, chip: Chip) -> None:
        self._tool, self.chip = tool, chip

    @property
    def _zones(self) -> tuple[Zone, ...]:
        return (Zone(p.FLASH_BASE, self.chip.flash_size or p.FLASH_WINDOW, p.SECTOR),)

    def check(self, image: FirmwareImage) -> list[str]:
        # where a partition table is, picotool itself finds the partition
        warnings = place(image, self.chip, _no_table).warnings
        return [*warnings, "it has a partition table: picotool chooses the partition"] if self._table() else warnings

    def _table(self) -> bool:
        if self.chip.name != "rp2350":
            return False
        return "no partition table" not in self._tool.run("partition", "info").lower()

    def touched(self, memory: Memory) -> list[Range]:
        units = units_of(self._zones, ((each.address, len(each.data)) for each in memory))
        return join((each.address, each.size) for each in units)

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        if size < 0 or address < p.FLASH_BASE or address + size > self._zones[0].end:
            raise FlashError("flash.outside-flash", start=address, stop=address + size)
        if not size:
            return b""
        first, stop = address // p.PAGE * p.PAGE, -(-(address + size) // p.PAGE) * p.PAGE
        with (
            scratch_directory() as folder,
            Task(reporter, label or "reading", 100, "steps") as task,
        ):
            path = os.path.join(folder, "saved.bin")
            place_ = ("-r", f"{first:#x}", f"{stop:#x}")
            self._tool.run("save", *place_, path, "-t", "bin", size=stop - first, task=task, state=UNCHANGED)
            try:
                with open(path, "rb") as stream:
                    data = stream.read()
            except OSError as error:
                raise FlashError("flash.picotool-saved-nothing", reason=error.strerror, state=UNCHANGED) from error
        if len(data) != stop - first:
            raise FlashError("flash.picotool-short-read", count=len(data), size=stop - first, state=UNCHANGED)
        return data[address - first : address - first + size]

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        aligned(self._zones, address, size)
        state = Said("flash.state.erased-in-part", start=address, end=address + size)
        with Task(reporter, "erasing", 100, "steps") as task:
            self._tool.run("erase", "-r", f"{address:#x}", f"{address + size:#x}", size=size, task=task, state=state)
        if self.read(address, size).strip(b"\xff"):
            raise FlashError("flash.picotool-not-erased", state=state, hint=AGAIN)

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        with Task(reporter, "erasing", 100, "steps") as task:
            limit = self.chip.flash_size or p.FLASH_WINDOW
            self._tool.run("erase", "-a", size=limit, task=task, state=Said("flash.state.all-erased-in-part"))

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        fit = place(image, self.chip, _no_table)
        if not self._table():
            return self._load(fit.memory, image.uf2_family, options, reporter)
        # picotool moves it into the partition: what lies behind its end there is not ours to read
        return self._load(fit.memory, image.uf2_family, options, reporter, fill=False)

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        return self._load(memory, None, options, reporter)

    def _load(
        self,
        memory: Memory,
        owner: int | None,
        options: FlashOptions,
        reporter: Reporter,
        *,
        fill: bool = True,
    ) -> Programmed:
        plan = SectorPlan.of(self._zones, memory)
        old = Memory.of((at, self.read(at, size)) for at, size in plan.reads(whole=True)) if fill else Memory()
        pieces = Memory.of((each.address, plan.content(each, old)) for each in plan.units)
        more = [] if options.whole else ["-u"]
        more += ["-v"] if options.verify else []
        with Task(reporter, "writing", 100, "steps") as task:
            if owner is not None:
                with _file(write_uf2([(owner, pieces)]), ".uf2") as path:
                    self._run_load(path, ["-t", "uf2", *more], pieces.size, task)
            else:
                for segment in pieces:
                    with _file(segment.data, ".bin") as path:
                        place_ = ["-t", "bin", "-o", f"{segment.address:#x}"]
                        self._run_load(path, [*place_, *more], len(segment.data), task)
        how = "by picotool" if options.verify else ""
        return Programmed(memory.size, memory.size, pieces.size, 0, how)

    def _run_load(self, path: str, arguments: list[str], size: int, task: Task) -> None:
        state = Said("flash.state.written-in-part")
        self._tool.run("load", path, *arguments, size=2 * size, task=task, state=state)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[Range]:
        plan = SectorPlan.of(self._zones, memory)
        held = [(at, self.read(at, size, reporter=reporter, label="verifying")) for at, size in plan.ranges]
        return differing(memory, Memory.of(held))

    def leave(self, mode: Leave = "run") -> None:
        if mode != "stay":
            self._tool.run("reboot", *(("-u",) if mode == "bootloader" else ()), state=UNCHANGED)

    def close(self) -> None:
        """picotool lets go by itself."""


def _no_table(kind: int, parameter: int) -> bytes:
    """GET_INFO of a chip without a partition table: placing the image is left to picotool."""
    return b"".join(word.to_bytes(4, "little") for word in (4, p.TABLE_SUMMARY, 0, 0, 0))
