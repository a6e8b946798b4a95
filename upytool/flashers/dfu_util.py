"""The program dfu-util as another way to do what dfu.py does, for those who ask for it (`--tool dfu-util`).

It erases the pages that a download touches and does not look whether they differ, nor does it read back: both are
done here, with its uploads. The order of the writes is that of dfu_loader.py. What it is given are bare files and
an address each, so that it sees no suffix and no padding of its own is in the way.

Sources: dfu-util 0.11, `doc/dfu-util.1` and what the program does against the rigs of this repository.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError, PortMissingError, PortPermissionError
from ..events import NULL, Reporter, Task
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..scratch import scratch_directory
from ..words import Said
from .base import Ability, Chip, FlashOptions, FlashTarget, Leave, Loader, Programmed
from .dfu import DfuFlasher
from .dfu_fit import AGAIN, check_image, check_suffix
from .dfu_layout import FLASH, FLASH_SPAN, Area, Layout, parse_layout, vector_table
from .dfu_plain import content, plain_refusal
from .sectors import Change, SectorPlan, aligned, batches, differing
from .usb import access_hint

PROGRAM = "dfu-util"
BATCH = 128 << 10
_FOUND = re.compile(
    r'^Found DFU: \[([0-9a-f]{4}):([0-9a-f]{4})\].* path="([^"]*)", alt=(\d+), name="(.*)", serial="(.*)"$',
    re.MULTILINE,
)
_PLACE = re.compile(r"\d+-[\d.]+")


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of `dfu-util --list`."""

    vid: int
    pid: int
    path: str
    alternate: int
    name: str
    serial: str


def parse_list(text: str) -> list[Listed]:
    """What `dfu-util --list` prints of devices in DFU mode; all else is skipped."""
    return [
        Listed(int(vid, 16), int(pid, 16), path, int(alternate), name, serial)
        for vid, pid, path, alternate, name, serial in _FOUND.findall(text.replace("\r\n", "\n"))
    ]


def reason(text: str) -> str:
    """The sentence among what it prints on stderr; warnings about suffixes and banners are none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line.removeprefix("dfu-util: ") for line in lines if "suffix" not in line and "Warning" not in line]
    said = (told or ["no word why"])[-1].rstrip(".!")
    return said[:1].lower() + said[1:]


class DfuUtilFlasher:
    """Opens DFU devices through dfu-util."""

    name = "dfu-util"

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if shutil.which(PROGRAM) is None:
            return "the program dfu-util is not installed"
        if target.bus is not None and target.bus.name:
            return "dfu-util sees no simulated boards"
        return DfuFlasher().declines(target, image)

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> Loader:
        if target.usb is None:
            raise FlashError("flash.no-loader", name=target.name)
        if options.layout:
            raise FlashError("flash.dfu-util-layout")
        return DfuUtilLoader(target.usb)


class DfuUtilLoader:
    """A device that dfu-util reaches. Every step is a run of the program."""

    flasher = "dfu-util"

    def __init__(self, device: UsbDevice) -> None:
        self.device = device
        self._select = ["-d", f"{device.vid:04x}:{device.pid:04x}"]
        if _PLACE.fullmatch(device.location):
            self._select += ["-p", device.location]
        elif device.serial_number:
            self._select += ["-S", device.serial_number]
        said = self._run(["-l"], 0).stdout
        ours = [
            each
            for each in parse_list(said)
            if (each.vid, each.pid) == (device.vid, device.pid)
            and ("-p" not in self._select or each.path == device.location)
            and ("-S" not in self._select or each.serial == device.serial_number)
        ]
        if not ours:
            raise PortMissingError(
                "transport.missing.dfu-util", name=device.bootloader or device.product or "the device"
            )
        self._plain = not any(each.name.startswith("@") and "/" in each.name for each in ours)
        self._alternate = min(each.alternate for each in ours)
        names = [] if self._plain else sorted(ours, key=lambda each: each.alternate)
        self.layout = Layout.join(parse_layout(each.name, each.alternate) for each in names)
        self._start = FLASH

    # -- the program -------------------------------------------------------------------------------

    def _run(
        self, arguments: Sequence[str], size: int, state: str | Said = "", *, enough: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run it.

        Args:
            size: how many bytes it moves, for the time that it may take.
            enough: once it has printed this, a failure is the device that went away to start its firmware.
        """
        command = [PROGRAM, *(self._select if arguments[0] != "-l" else ()), *arguments]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                encoding="utf-8",
                errors="replace",
                timeout=60 + size / 1000,
                check=False,
            )
        except FileNotFoundError as error:
            raise FlashError("flash.dfu-util-not-installed") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            if isinstance(error, subprocess.TimeoutExpired):
                raise FlashError("flash.dfu-util-timed-out", hint=AGAIN, state=state) from error
            raise FlashError("flash.dfu-util-broke-off", cause=error, hint=AGAIN, state=state) from error
        if done.returncode == 0 or (enough and enough in done.stdout):
            return done
        said = done.stderr  # dfu-util has no codes for what went wrong: its words tell
        if "LIBUSB_ERROR_ACCESS" in said:
            raise PortPermissionError("transport.permission.dfu-util", hint=access_hint(self.device))
        if "No DFU capable USB device" in said and not state:
            raise PortMissingError("transport.missing.dfu-util-gone")
        raise FlashError("flash.dfu-util-failed", reason=reason(said), hint=AGAIN, state=state)

    def _at(self, address: int) -> Area:
        area = self.layout.find(address)
        if area is None:
            raise FlashError("flash.dfu-no-memory", address=address, areas=self.layout.describe())
        return area

    def _upload(self, address: int, size: int, state: str | Said = "") -> bytes:
        out = b""
        while len(out) < size:
            area = self._at(address + len(out))
            want = min(size - len(out), area.end - address - len(out))
            with scratch_directory() as folder:
                file = folder / "flash.bin"  # it must not be there: dfu-util overwrites nothing
                place = f"0x{address + len(out):08x}:{want}"
                self._run(["-a", str(area.alternate), "-s", place, "-U", str(file)], want, state)
                got = file.read_bytes() if file.is_file() else b""
            if len(got) != want:
                raise FlashError("flash.dfu-util-short-read", count=len(got), size=want, hint=AGAIN, state=state)
            out += got
        return out

    def _download(self, address: int, data: bytes, state: Said) -> None:
        with scratch_directory() as folder:
            file = folder / "flash.bin"
            file.write_bytes(data)
            alternate = str(self._at(address).alternate)
            self._run(["-a", alternate, "-s", f"0x{address:08x}", "-D", str(file)], len(data), state)

    # -- the contract ------------------------------------------------------------------------------

    @property
    def chip(self) -> Chip:
        own = [area for area in self.layout.areas if FLASH <= area.start < FLASH + FLASH_SPAN]
        size = max(area.end for area in own) - FLASH if own else None
        name = "" if self._plain else "stm32"
        return Chip(name, self.device.product, FLASH if own else 0, size, self.device.serial_number.lower())

    @property
    def abilities(self) -> frozenset[Ability]:
        if self._plain:
            return frozenset({"program"})
        return frozenset({"read", "erase", "erase-all", "program", "verify"})

    def check(self, image: FirmwareImage) -> list[str]:
        if not self._plain:
            return check_image(self.device, self.layout, image)
        image.require_valid()
        refusal = plain_refusal(self.device, image)
        if refusal:
            raise FlashError("flash.dfu-not-accepted", reason=refusal)
        return check_suffix(self.device, image)

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        if self._plain:
            return []
        self.layout.require(memory)
        return SectorPlan.of(self.layout.zones, memory).ranges

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        with Task(reporter, label or "reading", size) as task:
            data = self._upload(address, size)
            task.advance(size)
            return data

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        return differing(memory, self._read_ranges([(each.address, len(each.data)) for each in memory], reporter))

    def _read_ranges(self, ranges: list[tuple[int, int]], reporter: Reporter) -> Memory:
        found = []
        with Task(reporter, "comparing", sum(size for _, size in ranges)) as task:
            for address, size in ranges:
                found.append((address, self._upload(address, size)))
                task.advance(size)
        return Memory.of(found)

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        """dfu-util erases what it writes to: written is what erased flash holds anyway."""
        aligned(self.layout.zones, address, size)
        state = Said("flash.state.dfu-erasing")
        with Task(reporter, "erasing", size) as task:
            self._download(address, b"\xff" * size, state)
            if self._upload(address, size, state) != b"\xff" * size:
                raise FlashError("flash.dfu-not-blank", address=address, size=size, state=state)
            task.advance(size)

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        state = Said("flash.state.dfu-erasing")
        with Task(reporter, "erasing everything", None):
            where = f"0x{self.layout.flash[0].start:08x}" if self.layout.flash else ""
            self._run(["-a", str(self._alternate), "-s", f"{where}:mass-erase:force"], 200_000, state)
        for area in self.layout.flash:
            if not FLASH <= area.start < FLASH + FLASH_SPAN:
                self.erase(area.start, area.end - area.start, reporter=reporter)

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self.check(image)
        if self._plain:
            return self._program_plain(content(image), reporter)
        start = vector_table(image.memory)
        self._start = image.start if start is None else start
        return self._program(image.memory, start, options, reporter)

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        return self._program(memory, vector_table(memory), options, reporter)

    def _program_plain(self, data: bytes, reporter: Reporter) -> Programmed:
        state = Said("flash.state.dfu-not-placed")
        with Task(reporter, "writing", len(data)) as task, scratch_directory() as folder:
            file = folder / "firmware.bin"
            file.write_bytes(data)
            arguments = ["-a", str(self._alternate), "-D", str(file), "-R"]
            self._run(arguments, len(data) * 10, state, enough="Download done.")
            task.advance(len(data))
        return Programmed(len(data), len(data), len(data), 0, "")

    def _program(self, memory: Memory, start: int | None, options: FlashOptions, reporter: Reporter) -> Programmed:
        self.layout.require(memory)
        plan = SectorPlan.of(self.layout.zones, memory)
        old = self._read_ranges(plan.reads(whole=options.whole), reporter)
        changes = list(plan.changes(old, whole=options.whole))
        if not changes:
            return Programmed(memory.size, 0, 0, memory.size, "read back")
        held = plan.held(changes)
        state = Said("flash.state.dfu-will-not-start")
        first = next((each for each in plan.units if start is not None and each.address <= start < each.end), None)
        groups = batches([each for each in changes if each.unit != first], BATCH)
        if first is not None:
            gone = Said("flash.state.dfu-may-be-erased")
            self._download(first.address, b"\xff" * first.size, gone)
            groups.append((Change(first, plan.content(first, old)),))
        total = sum(each.unit.size for group in groups for each in group)
        with Task(reporter, "writing and verifying" if options.verify else "writing", total) as task:
            for group in groups:
                address, data = group[0].unit.address, b"".join(each.data for each in group)
                self._download(address, data, state)
                if options.verify and self._upload(address, len(data), state) != data:
                    raise FlashError("flash.dfu-util-verify-failed", address=address, hint=AGAIN, state=state)
                task.advance(len(data))
        return Programmed(memory.size, total, total, held, "read back" if options.verify else "")

    def leave(self, mode: Leave = "run") -> None:
        if mode != "run" or self._plain:  # a plain device was reset at the end of its download
            return
        area = self.layout.flash[0] if self.layout.flash else None
        alternate = str(area.alternate if area is not None else self._alternate)
        self._run(["-a", alternate, "-s", f"0x{self._start:08x}:leave"], 0, enough="Submitting leave request")

    def close(self) -> None:
        """Nothing is kept open between two runs."""
