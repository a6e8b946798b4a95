"""RP2040 and RP2350 by PICOBOOT: flash is read, compared, erased, written and read back over USB, without the drive.

The first sector of a firmware (the RP2040's second stage, the RP2350's image definition) is erased before anything
else and written after everything else was read back and found right. Without it the boot ROM starts nothing and
waits in BOOTSEL mode, so that no power cut can leave a board that runs half a firmware.

Only sectors that differ are written; a run that was interrupted is so taken up where it stopped.
"""

from __future__ import annotations

import contextlib
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence

from ..errors import FlashError, OperationInterrupted, ProtocolError, TransportError
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..protocol import picoboot as p
from ..words import Said
from .base import Ability, Chip, FlashOptions, FlashTarget, Leave, Programmed
from .failure import AGAIN, UNCHANGED, broken_off
from .picoboot_link import PicobootFailure, PicobootLink, open_with_patience, picoboot_interface
from .rp2_fit import Placement, place
from .sectors import Change, Range, SectorPlan, Zone, aligned, batches, differing, join, split, units_of, writes
from .usb import UsbBus, UsbStats

RP2040_ID, RP2350_ID = (0x2E8A, 0x0003), (0x2E8A, 0x000F)
CHUNK = 32 << 10  # bytes of a write or a read: few transfers, and still a moving bar
ERASE_CHUNK = 256 << 10  # bytes of an erase: three seconds
RESTART_MS = 100  # leaves time for the acknowledgement
BY_HAND = Said("flash.hint.again.bootsel")

# RP2040: look up the ROM's reset_usb_boot ("UB" in its function table) and call it with (0, 0).
# Thumb code of our own; RP2040 datasheet 2.8.3 (function table at 0x14, look-up at 0x18).
_TO_BOOTSEL = struct.pack(
    "<10HI", 0x2314, 0x8818, 0x889A, 0x4903, 0x4790, 0x4602, 0x2000, 0x2100, 0x4710, 0x46C0, 0x4255
)
BLOCK_START = struct.pack("<I", 0xFFFFDED3)  # of an RP2350's image definition; pico-sdk boot/picobin.h
_SCRATCH = 0x20020000  # RAM that the ROM leaves alone


class PicobootFlasher:
    """Boards of RP2040 and RP2350 in BOOTSEL mode.

    Args:
        eject: throw the board's drive out while it is written, as macOS wants it; None does so there alone.
    """

    name = "picoboot"

    def __init__(self, *, eject: bool | None = None) -> None:
        self._eject = sys.platform == "darwin" if eject is None else eject

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if target.usb is None or target.state != "bootloader":
            return "PICOBOOT needs a board in BOOTSEL mode"
        if image is not None and image.port not in ("rp2", ""):
            return f"PICOBOOT is for RP2040 and RP2350, the firmware for {image.chip or image.port}"
        if (target.usb.vid, target.usb.pid) in (RP2040_ID, RP2350_ID):
            return ""
        # an RP2350 may have a USB id of its maker's: its interface tells
        try:
            interfaces = (target.bus or UsbBus()).interfaces(target.usb)
        except TransportError as error:
            return error.message
        return "" if picoboot_interface(interfaces) else "it has no PICOBOOT interface"

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> PicobootLoader:
        """Raises: FlashError, PortPermissionError, PortMissingError, PortBusyError."""
        if target.usb is None:
            raise FlashError("flash.not-in-bootsel")
        device, bus = target.usb, target.bus or UsbBus()
        mode = p.EXCLUSIVE_AND_EJECT if self._eject else p.EXCLUSIVE

        def attempt() -> PicobootLoader:
            link = bus.open(device)
            try:
                interface = picoboot_interface(link.interfaces())
                if interface is None:
                    raise FlashError("flash.no-picoboot", name=target.name)
                opened = PicobootLink(link, interface, mode=mode)
                opened.reset()
                name, description, unique = _identify(opened, (device.vid, device.pid), target)
                opened.prepare()
                return PicobootLoader(opened, Chip(name, description, p.FLASH_BASE, flash_size(opened), unique))
            except BaseException:
                link.close()
                raise

        try:
            return open_with_patience(attempt)
        except ProtocolError as error:
            broken_off(error, UNCHANGED)


def _identify(link: PicobootLink, usb_id: tuple[int, int], target: FlashTarget) -> tuple[str, str, str]:
    """(chip, description, unique id). The RP2040 knows no GET_INFO; its USB serial is the same on every chip."""
    if usb_id == RP2040_ID:
        return "rp2040", "RP2040", ""
    try:
        info = p.decode_system(link.info(p.INFO_SYS, p.SYS_CHIP | p.SYS_CPU))
    except PicobootFailure as error:
        if not error.refused:
            raise
        raise FlashError("flash.not-an-rp2350", name=target.name) from error
    package = {0: "RP2350B", 1: "RP2350A"}.get(-1 if info.package is None else info.package, "RP2350")
    cpu = {"arm": "Arm", "riscv": "RISC-V"}.get(info.cpu, "")
    return "rp2350", package + (f", boots on {cpu}" if cpu else ""), info.unique_id


def flash_size(link: PicobootLink) -> int | None:
    """Bytes of flash: where its start shows again, for address lines that a chip does not have are ignored.

    None where the start says nothing (erased, or the same thing over and over). The same is shown by `picotool`.
    """
    start = link.read(p.FLASH_BASE, 2 * p.PAGE)
    if start[: p.PAGE] == start[p.PAGE :]:
        return None
    size = p.FLASH_WINDOW
    while size > 64 << 10 and link.read(p.FLASH_BASE + size // 2, 2 * p.PAGE) == start:
        size //= 2
    return size


def _key_page(changes: Sequence[Change]) -> int:
    """The page without which the ROM starts nothing: it is written last of all.

    On the RP2350 that of the image definition (within the first 4 KiB), on the RP2040 the first, its second stage.
    """
    if not changes:
        return -1
    first = changes[0]
    return first.unit.address + max(0, first.data.find(BLOCK_START, 0, p.SECTOR)) // p.PAGE * p.PAGE


def _last(pieces: Sequence[tuple[int, bytes]], key: int) -> Iterator[tuple[int, bytes]]:
    """The same pieces, the page at `key` on its own and at the end."""
    kept: tuple[int, bytes] | None = None
    for address, data in pieces:
        offset = key - address
        if 0 <= offset < len(data):
            kept = (key, data[offset : offset + p.PAGE])
            around = ((address, data[:offset]), (key + p.PAGE, data[offset + p.PAGE :]))
            yield from (each for each in around if each[1])
        else:
            yield address, data
    if kept is not None:
        yield kept


class PicobootLoader:
    """An open RP2040 or RP2350. See flash.base.Loader for the methods."""

    flasher = "picoboot"
    abilities: frozenset[Ability] = frozenset(("read", "erase", "erase-all", "program", "verify"))

    def __init__(self, link: PicobootLink, chip: Chip) -> None:
        self._link, self.chip = link, chip
        self._update: int | None = None  # the partition that was written

    @property
    def stats(self) -> UsbStats:
        """What went over USB."""
        return self._link.usb.stats

    @property
    def zones(self) -> tuple[Zone, ...]:
        return (Zone(p.FLASH_BASE, self.chip.flash_size or p.FLASH_WINDOW, p.SECTOR),)

    # -- what fits --------------------------------------------------------------------------------

    def check(self, image: FirmwareImage) -> list[str]:
        return self._fit(image).warnings

    def _fit(self, image: FirmwareImage) -> Placement:
        with self._explaining():
            return place(image, self.chip, self._link.info)

    def touched(self, memory: Memory) -> list[Range]:
        units = units_of(self.zones, ((each.address, len(each.data)) for each in memory))
        return join((each.address, each.size) for each in units)

    # -- reading ----------------------------------------------------------------------------------

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        if size < 0 or address < p.FLASH_BASE or address + size > self.zones[0].end:
            raise FlashError("flash.outside-flash", start=address, stop=address + size)
        first = address // p.PAGE * p.PAGE
        stop = -(-(address + size) // p.PAGE) * p.PAGE
        with self._explaining():
            got = self._fetch([(first, stop - first)], reporter, label or "reading")
        return got.read(address, size)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[Range]:
        plan = SectorPlan.of(self.zones, memory)
        with self._explaining():
            return differing(memory, self._fetch(plan.ranges, reporter, "verifying"))

    def _fetch(self, ranges: Iterable[Range], reporter: Reporter, label: str) -> Memory:
        parts = split(ranges, CHUNK)
        pieces = []
        with Task(reporter, label, sum(size for _, size in parts)) as task:
            for address, size in parts:
                pieces.append((address, self._link.read(address, size)))
                task.advance(size)
        return Memory.of(pieces)

    # -- erasing ----------------------------------------------------------------------------------

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        aligned(self.zones, address, size)
        end = address + size
        with (
            self._explaining(Said("flash.state.erased-in-part", start=address, end=end), AGAIN),
            Task(reporter, "erasing", size) as task,
        ):
            for start, length in split([(address, size)], ERASE_CHUNK):
                self._link.erase(start, length)
                for at, part in split([(start, length)], CHUNK):
                    # the RP2040 says "OK" to erases that it does not do
                    if self._link.read(at, part).strip(b"\xff"):
                        raise FlashError("flash.picoboot-not-erased", address=at)
                task.advance(length)

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        if self.chip.flash_size is None:
            self._measure()
        assert self.chip.flash_size is not None
        self.erase(p.FLASH_BASE, self.chip.flash_size, reporter=reporter)

    def _measure(self) -> None:
        """Find the size of an empty flash with a mark at its start, which is erased with all the rest."""
        mark = bytes(range(p.PAGE))
        with self._explaining(Said("flash.state.first-sector-erased"), AGAIN):
            self._link.erase(p.FLASH_BASE, p.SECTOR)
            self._link.write(p.FLASH_BASE, mark)
            size = flash_size(self._link)
        if size is None:
            raise FlashError("flash.takes-no-data")
        chip = self.chip
        self.chip = Chip(chip.name, chip.description, chip.flash_base, size, chip.unique_id, chip.features)

    # -- writing ----------------------------------------------------------------------------------

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        fit = self._fit(image)
        done = self._program(fit.memory, options, reporter, fit.start)
        if fit.partition is not None and fit.partition.number is not None:
            self._update = fit.start
        return done

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        return self._program(memory, options, reporter, p.FLASH_BASE)

    def _program(self, memory: Memory, options: FlashOptions, reporter: Reporter, start: int) -> Programmed:
        plan = SectorPlan.of(self.zones, memory)
        with self._explaining():
            whole = options.whole or self._is_another(plan)
            old = self._fetch(plan.reads(whole=whole), reporter, "comparing") if plan.units else Memory()
            changes = plan.changes(old, whole=options.whole)
            if not changes:
                return Programmed(memory.size, 0, 0, memory.size, "read back")
            self._read_twice(plan, changes, old, reporter)
        first = [each for each in plan.units if each.address == start]
        head = tuple(Change(each, plan.content(each, old)) for each in first)
        rest = tuple(each for each in changes if each.unit.address != start)
        written = self._write(head, rest, options, reporter)
        erased = sum(each.unit.size for each in (*head, *rest))
        return Programmed(
            memory.size, written, erased, plan.held((*head, *rest)), "read back" if options.verify else ""
        )

    def _is_another(self, plan: SectorPlan) -> bool:
        """Whether another firmware, or none, is on the chip: then comparing all of it costs more than it saves.

        Told by four sectors: not by the first, which is empty after a run that broke off, but by the second, which
        that run wrote before any other.
        """
        whole = [each for each in plan.units if each.address not in plan.partial]
        if len(whole) < 8:
            return False
        for unit in (whole[index] for index in (1, len(whole) // 4, len(whole) // 2, len(whole) - 1)):
            if self._link.read(unit.address, unit.size) == plan.content(unit, Memory()):
                return False
        return True

    def _read_twice(self, plan: SectorPlan, changes: Sequence[Change], old: Memory, reporter: Reporter) -> None:
        """What is written back around the image must not be a slip of the wire: it exists nowhere else."""
        ranges = [(each.unit.address, each.unit.size) for each in changes if each.unit.address in plan.partial]
        for segment in self._fetch(join(ranges), NULL, "comparing") if ranges else ():
            if old.get(segment.address, len(segment.data)) != segment.data:
                raise FlashError("flash.two-readings", state=UNCHANGED)

    def _write(
        self, head: tuple[Change, ...], rest: tuple[Change, ...], options: FlashOptions, reporter: Reporter
    ) -> int:
        """Erase the first sector, write all others and prove them, then write the first. Returns bytes written."""
        total = sum(len(data) for data in (data for part in (rest, head) for _, data in writes(part, p.PAGE, CHUNK)))
        if head:
            state = Said("flash.state.starts-bootsel")
        else:
            low, high = rest[0].unit.address, rest[-1].unit.end
            state = Said("flash.state.range-written-in-part", start=low, end=high)
        with self._explaining(state, BY_HAND), Task(reporter, "writing", total) as task:
            for each in head:
                # an erase that is cut short may leave the very page that the ROM looks at: first make it worthless
                worthless = bytes(p.PAGE if self.chip.name == "rp2040" else each.unit.size)
                self._link.write(each.unit.address, worthless)
                self._link.erase(each.unit.address, each.unit.size)
            for group in batches(rest, ERASE_CHUNK):
                self._link.erase(group[0].unit.address, group[-1].unit.end - group[0].unit.address)
                self._put(group, task)
            if options.verify:
                self._prove(rest, reporter)
            self._put(head, task, _key_page(head))
            if options.verify:
                self._prove(head, NULL)
        return total

    def _put(self, changes: Sequence[Change], task: Task | None, key: int = -1) -> None:
        for address, data in _last(writes(changes, p.PAGE, CHUNK), key):
            self._link.write(address, data)
            if task is not None:
                task.advance(len(data))

    def _prove(self, changes: Sequence[Change], reporter: Reporter) -> None:
        """Read back; what is wrong is written once more before that is an error."""
        bad = self._wrong(changes, reporter)
        if not bad:
            return
        notice(reporter, f"{len(bad)} sectors did not hold what was written: writing them again", "detail")
        for group in batches(bad, ERASE_CHUNK):
            self._link.erase(group[0].unit.address, group[-1].unit.end - group[0].unit.address)
            self._put(group, None, _key_page(group))
        bad = self._wrong(bad, NULL)
        if bad:
            raise FlashError("flash.picoboot-verify-failed", address=bad[0].unit.address)

    def _wrong(self, changes: Sequence[Change], reporter: Reporter) -> list[Change]:
        if not changes:
            return []
        held = self._fetch(join((each.unit.address, each.unit.size) for each in changes), reporter, "verifying")
        return [each for each in changes if held.get(each.unit.address, each.unit.size) != each.data]

    # -- the end ----------------------------------------------------------------------------------

    def leave(self, mode: Leave = "run") -> None:
        try:
            if mode != "stay":
                with self._explaining():
                    self._restart(mode)
        finally:
            self.close()

    def _restart(self, mode: Leave) -> None:
        if self.chip.name == "rp2350":
            if mode == "bootloader":
                command = p.reboot2(p.BOOTSEL, RESTART_MS)
            elif self._update is not None:  # lets the ROM try the new version, and go back where it fails
                command = p.reboot2(p.FLASH_UPDATE, RESTART_MS, self._update)
            else:
                command = p.reboot2(p.NORMAL, RESTART_MS)
        elif mode == "bootloader":
            self._link.write_ram(_SCRATCH, _TO_BOOTSEL)
            command = p.execute(_SCRATCH)
        else:
            command = p.reboot(RESTART_MS)
        self._link.depart(command)

    def close(self) -> None:
        self._link.release()
        self._link.usb.close()

    def __enter__(self) -> PicobootLoader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _explaining(self, state: Said | None = None, fix: Said | None = None) -> Iterator[None]:
        """Errors of the wire as FlashErrors that say what is on the board; without a state nothing was changed."""
        more = [fix] if fix is not None else []
        try:
            yield
        except KeyboardInterrupt:
            if state is None:
                raise
            raise OperationInterrupted(hint=[state, *more]) from None
        except FlashError as error:
            if error.state or state is None:
                raise
            error.state = state
            error.advise(*more, first=True)
            raise
        except (TransportError, ProtocolError) as error:
            if isinstance(error, TransportError) and state is None:
                raise
            broken_off(error, state or UNCHANGED, *more)
