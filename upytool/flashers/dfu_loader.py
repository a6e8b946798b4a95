"""Writing through DfuSe: ST's boot ROM, MicroPython's mboot and what is compatible with them.

Written is what differs, erased are only the units that it touches: on an F4 the file system lies between the two
pieces of the firmware.

The unit with the vector table is erased before all others and written after all others. Whenever the power goes
meanwhile, the board finds no firmware to start and stays in mboot (or in those ROMs that look for an empty flash),
instead of running half of an old and half of a new one; within the unit the table itself is the last block. The
bootloader is never written.

Sources: ST AN2606, AN3156; MicroPython `ports/stm32/mboot/main.c` (which area it keeps for itself, what makes it
start an application) and `ports/stm32/boards/*.ld` (where the file system is).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from ..discovery.usb_devices import UsbDevice
from ..errors import (
    ConnectionLostError,
    FlashError,
    OperationInterrupted,
    ProtocolError,
    TransportError,
    UpytoolError,
)
from ..events import NULL, Reporter, Task
from ..image.base import FirmwareImage
from ..image.memory import Memory
from ..protocol import dfu
from ..words import Said
from .base import Ability, Chip, FlashOptions, Leave, Programmed
from .dfu_fit import AGAIN, check_image
from .dfu_layout import FLASH, FLASH_SPAN, Area, Layout, vector_table
from .dfu_session import ATTEMPTS, DfuRefusal, DfuSession, hopeless
from .failure import UNCHANGED, broken_off
from .sectors import Change, SectorPlan, Unit, aligned, differing, writes

GRAIN = 32  # a flash word of an H7; an L4's has 8 bytes: a part of one is not written at all (micropython#2637)
MBOOT_STRING = 0x10  # mboot's own message for an attempt on its area, there before it is needed


class _Run:
    """How far a run is, for the sentence that says what is on the board when it fails."""

    def __init__(self, what: str, total: int = 0) -> None:
        self.what, self.touched, self.done, self.total = what, False, 0, total

    @property
    def state(self) -> Said:
        if not self.touched:
            return UNCHANGED
        if self.what == "firmware":
            return Said("flash.state.dfu-incomplete", done=self.done, total=self.total)
        return Said("flash.state.dfu-step-incomplete", step=self.what, done=self.done, total=self.total)


class DfuLoader:
    """A DfuSe bootloader. Addresses are the chip's."""

    flasher = "dfu"

    def __init__(self, session: DfuSession, device: UsbDevice, layout: Layout) -> None:
        self.session, self.device, self.layout = session, device, layout
        self._start: int | None = None  # of the firmware
        self._readable = session.functional.can_upload
        self._mboot: bool | None = None

    # -- what it is --------------------------------------------------------------------------------

    @property
    def chip(self) -> Chip:
        own = [area for area in self.layout.areas if _internal(area)]
        size = max(area.end for area in own) - FLASH if own else None
        text = self.device.product or self.layout.name
        return Chip("stm32", text, FLASH, size, self.device.serial_number.lower())

    @property
    def abilities(self) -> frozenset[Ability]:
        able: set[Ability] = {"erase", "erase-all", "program"}
        if self._readable:
            able |= {"read", "verify"}
        return frozenset(able)

    @property
    def is_mboot(self) -> bool:
        """Whether MicroPython's own bootloader answers: only it has the message for attempts on its area."""
        if self._mboot is None:
            self._mboot = "mboot" in self.session.link.string(MBOOT_STRING)
        return self._mboot

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        self.layout.require(memory)
        return SectorPlan.of(self.layout.zones, memory).ranges

    def check(self, image: FirmwareImage) -> list[str]:
        warnings = check_image(self.device, self.layout, image)
        start = vector_table(image.memory)
        with self._talking(_Run("firmware")):
            if self.is_mboot and image.memory.touches(FLASH, 1):
                raise FlashError("flash.dfu-onto-mboot")
            self._probe(image.memory)
            if start is not None and start != FLASH and self._readable and self._blank(FLASH, 8):
                warnings.append(
                    f"the firmware begins at 0x{start:08x} and needs a bootloader at 0x{FLASH:08x}, where flash is "
                    "empty"
                )
        return warnings

    def _probe(self, memory: Memory) -> None:
        """Find out, before anything is erased, whether the chip is read-protected or reading is switched off."""
        if not self._readable:
            return
        area = self.layout.find(memory.start)
        if area is None or not area.readable:
            return
        try:
            self._read(memory.start, GRAIN)
        except DfuRefusal as refusal:
            if refusal.status.code == dfu.ERR_FILE:
                raise FlashError("flash.dfu-encrypted-only", cause=refusal, state=UNCHANGED) from refusal
            raise self._explain(refusal) from refusal

    def _blank(self, address: int, size: int) -> bool:
        area = self.layout.find(address)
        return area is not None and area.readable and self._read(address, size) == b"\xff" * size

    # -- reading -----------------------------------------------------------------------------------

    def _read(self, address: int, size: int, progress: Callable[[int], None] = lambda _: None) -> bytes:
        """Read over the borders of areas."""
        out = b""
        while len(out) < size:
            at = address + len(out)
            area = self.layout.find(at)
            if area is None or not area.readable:
                raise FlashError("flash.dfu-not-readable", address=at, areas=self.layout.describe())
            self.session.select(area.alternate)
            out += self.session.read(at, min(size - len(out), area.end - at), progress)
        return out

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        if not self._readable:
            raise FlashError("flash.dfu-no-reading")
        with Task(reporter, label or "reading", size) as task, self._talking(_Run("")):
            return self._read(address, size, task.advance)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        with self._talking(_Run("")):
            return differing(memory, self._read_ranges([(each.address, len(each.data)) for each in memory], reporter))

    def _read_ranges(self, ranges: list[tuple[int, int]], reporter: Reporter) -> Memory:
        with Task(reporter, "comparing", sum(size for _, size in ranges)) as task:
            return Memory.of([(address, self._read(address, size, task.advance)) for address, size in ranges])

    # -- erasing -----------------------------------------------------------------------------------

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        units = aligned(self.layout.zones, address, size)
        run = _Run("erasing", len(units))
        with Task(reporter, "erasing", size) as task, self._talking(run):
            for unit in units:
                self._erase(unit.address, run)
                if self._readable and unit.readable and not self._blank(unit.address, self._sample(unit.size)):
                    raise self._write_protected(unit.address, run)
                run.done += 1
                task.advance(unit.size)

    def _sample(self, size: int) -> int:
        """How much of a sector to look at for a proof that it was erased."""
        return min(size, self.session.block)

    def _erase(self, address: int, run: _Run) -> None:
        for attempt in range(1, ATTEMPTS + 1):
            self._select(address)
            try:
                self.session.erase(address)
            except (ConnectionLostError, KeyboardInterrupt):
                run.touched = True  # it may have begun
                raise
            except ProtocolError as error:
                run.touched |= not isinstance(error, DfuRefusal)
                if attempt == ATTEMPTS or hopeless(error):
                    raise
                self.session.idle()
            else:
                break
        run.touched = True

    def _select(self, address: int) -> None:
        area = self.layout.find(address)
        self.session.select(area.alternate if area is not None else 0)

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        """Mass erase of the chip, then what a mass erase leaves out: external flash. mboot keeps itself."""
        internal = [area for area in self.layout.flash if _internal(area)]
        run = _Run("erasing", sum(area.count for area in self.layout.flash))
        total = sum(area.size * area.count for area in self.layout.flash)
        with Task(reporter, "erasing everything", total) as task, self._talking(run):
            own = self.is_mboot
            if internal:
                self.session.select(internal[0].alternate)
                run.touched = True
                self.session.mass_erase()
            for area in self.layout.flash:
                for address in range(area.start, area.end, area.size):
                    if not _internal(area):
                        self._erase(address, run)
                    elif self._readable and not self._blank(address, self._sample(area.size)):
                        if not own:
                            raise self._write_protected(address, run)
                    else:
                        own = False  # mboot's own sectors are the first ones
                    run.done += 1
                    task.advance(area.size)

    # -- writing -----------------------------------------------------------------------------------

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self.check(image)
        start = vector_table(image.memory)
        self._start = image.start if start is None else start
        return self._program(image.memory, start, options, reporter, "firmware")

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        with self._talking(_Run("")):
            self._probe(memory)
        return self._program(memory, vector_table(memory), options, reporter, "what was to be written")

    def _program(
        self, memory: Memory, start: int | None, options: FlashOptions, reporter: Reporter, what: str
    ) -> Programmed:
        self.layout.require(memory)
        run = _Run(what)
        with self._talking(run):
            plan = SectorPlan.of(self.layout.zones, memory)
            old = self._read_ranges(plan.reads(whole=options.whole), reporter) if self._readable else Memory()
            changes = list(plan.changes(old, whole=options.whole))
            if not changes:
                return Programmed(memory.size, 0, 0, memory.size, "read back")
            held = plan.held(changes)
            first = next((each for each in plan.units if start is not None and each.address <= start < each.end), None)
            if first is not None:
                changes = [each for each in changes if each.unit != first]
                changes.append(Change(first, plan.content(first, old)))
                self._erase(first.address, run)
            verify = options.verify and self._readable
            run.total = len(changes)
            label = "writing and verifying" if verify else "writing"
            written = 0
            with Task(reporter, label, sum(each.unit.size for each in changes)) as task:
                for change in changes:
                    last = start if change.unit == first else None
                    written += self._put(change, old, run, verify, last)
                    run.done += 1
                    task.advance(change.unit.size)
        erased = sum(each.unit.size for each in changes)
        proof = "read back" if verify and all(each.unit.readable for each in changes) else ""
        return Programmed(memory.size, written, erased, held, proof)

    def _put(self, change: Change, old: Memory, run: _Run, verify: bool, last: int | None) -> int:
        """Erase a unit, write it, read it back; all of it again where something went wrong on the way.

        Args:
            last: address of the vector table in it, which goes in after all else; the unit is erased already.
        """
        unit, data = change.unit, change.data
        page = GRAIN if unit.size % GRAIN == 0 else 1
        pieces = writes([change], page, unit.size)
        if last is not None:
            pieces = _at_the_end(pieces, last, self.session.block)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                if attempt > 1 or last is None:
                    self._erase(unit.address, run)
                self._select(unit.address)
                for address, part in pieces:
                    self.session.write(address, part, careful=attempt > 1)
                # a second look rules out a fault of reading
                if not (verify and unit.readable) or self._whole(unit) == data or self._whole(unit) == data:
                    return sum(len(part) for _, part in pieces)
            except ConnectionLostError:
                raise
            except ProtocolError as error:
                if attempt == ATTEMPTS or hopeless(error):
                    raise
                self.session.idle()
        if self._whole(unit) == old.get(unit.address, unit.size):
            raise self._write_protected(unit.address, run)
        raise FlashError("flash.dfu-sector-bad", address=unit.address, attempts=ATTEMPTS, state=run.state)

    def _whole(self, unit: Unit) -> bytes:
        return self._read(unit.address, unit.size)

    # -- the end -----------------------------------------------------------------------------------

    def leave(self, mode: Leave = "run") -> None:
        try:
            if mode == "run":
                self._run()
            elif mode == "bootloader":
                with contextlib.suppress(UpytoolError):
                    self.session.link.reset()
        finally:
            self.close()

    def _run(self) -> None:
        """ST's ROM jumps to the address of the pointer, which must be that of a vector table; mboot to its own."""
        try:
            self.session.select(self.layout.flash[0].alternate if self.layout.flash else 0)
            self.session.start(FLASH if self._start is None else self._start)
        except ConnectionLostError:
            return
        except UpytoolError as error:
            raise FlashError("flash.dfu-not-started", cause=error) from error

    def close(self) -> None:
        self.session.close()

    # -- errors ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _talking(self, run: _Run) -> Iterator[None]:
        """Turn what the wire says into what is on the board now."""
        try:
            yield
        except KeyboardInterrupt:
            if not run.touched:
                raise
            raise OperationInterrupted(hint=(run.state, AGAIN)) from None
        except DfuRefusal as refusal:
            raise self._explain(refusal, run) from refusal
        except FlashError as error:
            if error.state or not run.touched:
                raise
            broken_off(error, run.state, *(() if error.hints else (AGAIN,)))
        except (TransportError, ProtocolError) as error:
            if not run.touched:
                if isinstance(error, TransportError):
                    raise
                broken_off(error, run.state if run.what else "")
            broken_off(error, run.state, AGAIN)

    def _explain(self, refusal: DfuRefusal, run: _Run | None = None) -> FlashError:
        state = run.state if run is not None and run.what else ""
        if refusal.text:
            hint = Said("flash.hint.this-very-board") if run is None or not run.touched else AGAIN
        elif refusal.status.code == dfu.ERR_VENDOR:
            return FlashError("flash.dfu-read-protected", state=state)
        else:
            hint = AGAIN
        return FlashError("flash.dfu-refused", cause=refusal, hint=hint, state=state)

    def _write_protected(self, address: int, run: _Run) -> FlashError:
        return FlashError("flash.dfu-write-protected", address=address, hint=AGAIN, state=run.state)


def _at_the_end(pieces: list[tuple[int, bytes]], start: int, size: int) -> list[tuple[int, bytes]]:
    """The same, with the block from `start` on behind all others."""
    front, block, behind = [], [], []
    for address, data in pieces:
        first, last = max(0, start - address), max(0, start + size - address)
        front.append((address, data[:first]))
        block.append((address + first, data[first:last]))
        behind.append((address + last, data[last:]))
    return [(address, data) for address, data in (*front, *behind, *block) if data]


def _internal(area: Area) -> bool:
    return FLASH <= area.start < FLASH + FLASH_SPAN
