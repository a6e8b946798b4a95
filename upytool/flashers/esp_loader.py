"""An Espressif chip in its bootloader, as a `Loader`: writes only what differs, takes up again what broke off.

esptool.cmds does the work (through the link in esp.py); which sectors are written, and what happens after an error,
is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from hashlib import md5
from typing import TYPE_CHECKING, TypeVar

from ..errors import FlashError, OperationInterrupted, UpytoolError
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.esp_partitions import TABLE_OFFSET, TABLE_SIZE
from ..image.memory import Memory
from ..words import Said
from . import esp_advice, esp_plan, esp_slots
from .base import Ability, Chip, FlashOptions, Leave, Programmed
from .esp_plan import BLOCK, SECTOR
from .failure import AGAIN, broken_off

if TYPE_CHECKING:
    from .esp_link import EspLink

T = TypeVar("T")
READ_TRIES = 3


class EspLoader:
    """See base.Loader. Addresses are offsets in flash."""

    flasher = "esptool"

    def __init__(self, link: EspLink, options: FlashOptions, reporter: Reporter) -> None:
        self._link, self._options, self._reporter = link, options, reporter

    @property
    def chip(self) -> Chip:
        return self._link.chip

    @property
    def abilities(self) -> frozenset[Ability]:
        if not self._link.has_md5:
            return frozenset(("program",))
        return frozenset(("read", "erase", "erase-all", "program", "verify"))

    def check(self, image: FirmwareImage) -> list[str]:
        self._require_open()
        warnings = esp_plan.check_image(image, self.chip, self._options)
        if self._link.revision is not None:
            esp_plan.check_revision(image, self._link.revision)
        esp_plan.with_options(image, self.chip, self._options)
        settings = esp_plan.nvs_cleared(image)
        if settings is not None and not self._is_blank(*settings):
            warnings.append("the settings in NVS (esp32.NVS, Wi-Fi calibration) are erased by this image")
        if not self._link.has_md5:
            warnings.append("the ESP8266's ROM cannot verify what it writes: leave out --no-stub for that")
        if self._options.slot:
            warnings.append(f"only the application in the slot {self._slot(image)[1]} is replaced")
        return warnings

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        return esp_plan.touched_ranges(memory)

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        self._fits(address, size)
        if not self._link.has_md5:
            raise FlashError("flash.esp8266-cannot-read")
        out = bytearray()
        with Task(reporter, label or "reading", size) as task:
            while len(out) < size:
                length = min(BLOCK - (address + len(out)) % BLOCK, size - len(out))
                out += self._read_chunk(address + len(out), length)
                task.advance(len(out) - task.done)
        return bytes(out)

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        if address % SECTOR or size % SECTOR:
            raise FlashError("flash.esp-not-sectors", address=address, size=size, sector=SECTOR)
        self._fits(address, size)
        self._require_open()
        self._need_stub("erase ranges", self._link.has_md5)
        with Task(reporter, "erasing", size) as task:
            done = 0
            while done < size:
                # Up to a block's end, so that the chip uses its quick 64 KiB erase and no wait is long.
                at = address + done
                length = min(size - done, BLOCK - at % BLOCK if at % BLOCK else 16 * BLOCK)
                self._retry(
                    lambda at=at, length=length: self._link.erase(at, length),  # type: ignore[misc]
                    Said("flash.state.esp-part-erased", start=address, end=address + size),
                )
                done += length
                task.advance(length)

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        self._require_open()
        if self._link.stub_fails and self._link.has_md5 and self.chip.flash_size:
            self.erase(0, self.chip.flash_size, reporter=reporter)
            return
        self._need_stub("erase the whole flash", self._link.is_stub)
        with Task(reporter, "erasing", self.chip.flash_size) as task:
            self._retry(self._link.erase_all, Said("flash.state.esp-partly-erased"))
            task.advance(self.chip.flash_size or 0)

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self._options = options
        self._require_open()
        esp_plan.check_image(image, self.chip, options)
        if self._link.revision is not None:
            esp_plan.check_revision(image, self._link.revision)
        if options.slot:
            return self._program(self._slot(image)[0], options, reporter)
        return self._program(esp_plan.with_options(image, self.chip, options).memory, options, reporter)

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self._require_open()
        if memory:
            self._fits(memory.start, memory.end - memory.start)
        return self._program(memory, options, reporter)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        if not self._link.has_md5:
            raise FlashError("flash.esp8266-cannot-compare")
        memory = self._whole_words(memory)
        with Task(reporter, "comparing", memory.size) as task:
            return esp_plan.find_changed(memory, self._md5, thorough=True, advance=task.advance)

    def leave(self, mode: Leave = "run") -> None:
        try:
            if mode != "stay":
                self._link.restart(firmware=mode == "run")
        finally:
            self.close()

    def close(self) -> None:
        self._link.close()

    # -- writing ------------------------------------------------------------------------------------------------------

    def _filled(self, memory: Memory, within: list[tuple[int, int]]) -> Memory:
        """With whole sectors in these ranges: what the image leaves of one stays as it is on the chip. The ESP8266's
        ROM alone cannot read, so there the rest of such a sector becomes FF."""
        if not self._link.has_md5:
            return memory
        partial = [at for at in esp_plan.partial_sectors(memory) if any(0 <= at - each < size for each, size in within)]
        return esp_plan.filled(memory, Memory.of((at, self.read(at, SECTOR)) for at in partial))

    def _whole_words(self, memory: Memory) -> Memory:
        """The chip hashes nothing smaller."""
        ends = [each for each in memory if each.address % 4 or each.end % 4]
        return self._filled(memory, esp_plan.touched_ranges(Memory(tuple(ends)))) if ends else memory

    def _program(self, image: Memory, options: FlashOptions, reporter: Reporter) -> Programmed:
        memory = self._whole_words(image)
        if options.whole or not self._link.has_md5:
            changed = esp_plan.touched_ranges(memory)
        else:
            with Task(reporter, "comparing", memory.size) as task:
                changed = esp_plan.find_changed(memory, self._md5, advance=task.advance)
        memory = self._filled(memory, changed)
        written = 0
        first = changed
        total = sum(size for _, size in changed)
        if changed:
            with Task(reporter, "writing", total) as task:
                while changed:
                    left = sum(size for _, size in changed)

                    def progress(done: int, left: int = left) -> None:
                        if total - left + done > task.done:
                            task.advance(total - left + done - task.done)

                    try:
                        self._link.write(esp_plan.writes(memory, changed), progress)
                        written += left
                        task.advance(total - task.done)
                        break
                    except KeyboardInterrupt:
                        raise _stopped(_state(changed)) from None
                    except UpytoolError as error:
                        self._recover(error, _state(changed))
                    if self._link.has_md5:
                        # What arrived before the error is found again by its MD5, and stays.
                        again = esp_plan.find_changed(
                            _only(memory, changed), partial(self._md5, state=_state(changed)), thorough=True
                        )
                        written += left - sum(size for _, size in again)
                        changed = again
        held = image.size
        erased = sum(size for _, size in first)
        return Programmed(
            total=held, written=written, erased=erased,
            unchanged=max(0, held - _only(image, first).size),
            verified="MD5" if self._link.has_md5 else "",
        )  # fmt: skip

    def _slot(self, image: FirmwareImage) -> tuple[Memory, str]:
        table = esp_slots.device_table(self.read(TABLE_OFFSET, TABLE_SIZE))
        if table is None:
            raise FlashError("flash.esp-no-partition-table")
        row = esp_slots.ota_row(table)
        otadata = self.read(row.offset, min(row.size, 2 * SECTOR)) if row is not None else b""
        slot = esp_slots.choose_slot(table, otadata, self._options.slot)
        return esp_slots.slot_memory(image, slot), slot.label

    # -- what may fail on the way -------------------------------------------------------------------------------------

    def _retry(self, step: Callable[[], T], state: Said | None = None) -> T:
        """Do something that may be done twice, again after a transfer error, over a fresh and slower connection."""
        while True:
            try:
                return step()
            except KeyboardInterrupt:
                if not state:
                    raise
                raise _stopped(state) from None
            except UpytoolError as error:
                self._recover(error, state)

    def _recover(self, error: UpytoolError, state: Said | None) -> None:
        try:
            self._link.recover(error)
        except UpytoolError as final:
            if not state:
                raise
            broken_off(final, state, AGAIN)

    def _md5(self, address: int, size: int, state: Said | None = None) -> str:
        return self._retry(lambda: self._link.md5(address, size), state)

    def _read_chunk(self, address: int, size: int) -> bytes:
        """One chunk, proven by its MD5: the stub sends one, the ROM is asked for it. A bad one is read again."""
        for _ in range(READ_TRIES):
            try:
                data = self._link.read(address, size, lambda done: None)
            except UpytoolError as error:
                if esp_advice.marked(error) != "digest":  # with that the line is good, and the next try enough
                    self._recover(error, None)
                continue
            if self._link.is_stub or self._md5(address, size) == md5(data, usedforsecurity=False).hexdigest():
                return data
            notice(self._reporter, f"{address:#x} was read wrongly, again", "detail")
        raise FlashError("flash.esp-read-errors", address=address, tries=READ_TRIES)

    def _is_blank(self, address: int, size: int) -> bool:
        if not self._link.has_md5:
            return True
        return self._md5(address, size) == md5(b"\xff" * size, usedforsecurity=False).hexdigest()

    def _require_open(self) -> None:
        """Refuse to change a chip that would not start afterwards."""
        if self._link.security:
            raise FlashError(
                "flash.esp-secure-boot" if self._link.security == "secure-boot" else "flash.esp-encrypted",
                address=self._link.address,
            )

    def _need_stub(self, what: str, able: bool) -> None:
        if not able:
            notice(self._reporter, f"the chip's ROM cannot {what}: running esptool's stub for that", "warning")
            self._link.run_stub()

    def _fits(self, address: int, size: int) -> None:
        end = self.chip.flash_size
        if end is not None and address + size > end:
            raise FlashError("flash.esp-outside-flash", start=address, end=address + size, size=end)


def _state(changed: list[tuple[int, int]]) -> Said:
    return Said("flash.state.esp-partly-written", start=changed[0][0], end=sum(changed[-1]))


def _stopped(state: Said) -> OperationInterrupted:
    return OperationInterrupted(hint=(state, AGAIN))


def _only(memory: Memory, ranges: list[tuple[int, int]]) -> Memory:
    """The part of memory that lies in the ranges."""
    pieces = []
    for segment in memory:
        for address, size in ranges:
            start, stop = max(address, segment.address), min(address + size, segment.end)
            if start < stop:
                pieces.append((start, segment.data[start - segment.address : stop - segment.address]))
    return Memory.of(pieces)
