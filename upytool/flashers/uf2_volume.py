"""Boards that look like a USB stick: a UF2 file that is copied there is programmed, block by block.

The bootloader says little: it ignores blocks of a foreign family without a word, restarts when it has counted all
blocks, and its drive vanishes then. So the file is checked against INFO_UF2.TXT before anything is written; a
drive that stays means that the file was refused; and only the REPL's answer afterwards proves success. Loaders
with a CURRENT.UF2 (SAMD, TinyUF2, nRF; not the ROMs of Raspberry Pi's chips) can be read and compared.

Sources: microsoft/uf2 README; the boot ROMs' virtual_disk.c; adafruit/uf2-samdx1, tinyuf2 and
Adafruit_nRF52_Bootloader (INFO_UF2.TXT, CURRENT.UF2). docs/protocols/uf2.md has the facts in one place.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ..errors import FlashError, ImageError, LocalFileError
from ..events import NULL, Reporter, Task, notice
from ..image.base import FirmwareImage
from ..image.chips import ABSOLUTE, DATA, FAMILIES, family
from ..image.memory import Memory
from ..image.uf2 import read_uf2, write_uf2
from ..words import Said
from .base import Ability, Chip, FlashOptions, FlashTarget, Leave, Programmed
from .mounted import DriveStuck
from .sectors import join
from .uf2_drive import DriveInfo, Volume, parse_info

__all__ = ["DriveInfo", "Uf2Flasher", "Uf2Loader", "Volume", "families_of", "parse_info", "to_uf2"]

SECTOR = 4096
VANISH = 5.0
POLL = 0.1
CURRENT_LIMIT = 64 << 20
FILE_NAME = "FIRMWARE.UF2"
INCOMPLETE = Said("flash.state.incomplete")
_RP2_CHIPS = ("rp2040", "rp2350")
# Ports whose boards come with such a bootloader, or take one.
UF2_PORTS = frozenset(("rp2", "samd", "mimxrt", "nrf"))
# Where the application begins behind Nordic's SoftDevice, by its name and version
# (Adafruit_nRF52_Bootloader; ports/nrf/boards/s*.ld).
_SOFTDEVICES = (
    (re.compile(r"S140 6\."), 0x26000),
    (re.compile(r"S140 7\."), 0x27000),
    (re.compile(r"S132 6\."), 0x26000),
    (re.compile(r"S132 7\."), 0x26000),
)


def families_of(chip: str) -> frozenset[int]:
    """The UF2 families that the bootloader of a chip takes; empty where that is not known."""
    own = {number for number, each in FAMILIES.items() if each.chip and each.chip == chip}
    if chip == "rp2350":
        own |= {ABSOLUTE, DATA}
    if chip.startswith("stm32"):
        own = {number for number, each in FAMILIES.items() if each.chip.startswith(chip)}
    return frozenset(own)


def to_uf2(image: FirmwareImage, info: DriveInfo) -> bytes:
    """The file to copy for `image`.

    A UF2 file stays as it is. RP2040's boot ROM erases by the blocks' numbers, so a file that does not fill its
    sectors is numbered anew for it. Raw and HEX files become UF2 for Raspberry Pi's chips alone: elsewhere the
    address, or the SoftDevice below it, is not in the file.

    Raises: ImageError.
    """
    if image.format == "uf2":
        if info.chip == "rp2040" and not _in_step(image.memory):
            return image.encode(image.memory)
        return image.raw
    name = image.format_name
    if image.port == "rp2" and image.uf2_family is not None and image.place_known:
        return write_uf2([(image.uf2_family, image.memory)], sector=SECTOR, erratum_block=image.chip == "rp2350")
    if info.mcu_port == "nrf":
        raise ImageError("image.uf2-nrf-by-address", format=name)
    raise ImageError("image.uf2-no-place", format=name)


def _in_step(memory: Memory) -> bool:
    """Whether block numbers and sectors agree: every run of bytes but the last begins and ends with a sector."""
    last = len(memory) - 1
    return all(
        segment.address % SECTOR == 0 and (index == last or segment.end % SECTOR == 0)
        for index, segment in enumerate(memory)
    )


class Uf2Loader:
    """The Loader of a drive.

    Args:
        volume: the drive.
        clock, sleep: of the waiting, in seconds.
    """

    flasher = "uf2"

    def __init__(
        self,
        volume: Volume,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.volume, self.info = volume, volume.info
        self._clock, self._sleep = clock, sleep
        self._current: Memory | None = None
        self._same: bytes = b""
        self.sent = False

    @property
    def chip(self) -> Chip:
        info = self.info
        return Chip(
            info.chip,
            description=" ".join(part for part in (info.model, f"({info.loader})" if info.loader else "") if part),
            flash_base=0x10000000 if info.chip in _RP2_CHIPS else 0,
        )

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset(("program", "read", "verify")) if self.volume.has_current else frozenset(("program",))

    # -- before ---------------------------------------------------------------------------------

    def check(self, image: FirmwareImage) -> list[str]:
        """Refuse what the bootloader would ignore without a word, or what would not start."""
        image.require_valid()
        warnings: list[str] = []
        data = to_uf2(image, self.info)
        file = read_uf2(data)
        wanted = families_of(self.info.chip)
        given = file.families
        has_none = any(group.family is None for group in file.groups)
        if has_none and self.info.chip in _RP2_CHIPS:
            raise ImageError("image.uf2-no-family")
        if wanted and given and not set(given) & wanted:
            said = " and ".join(str(family(each)) for each in given)
            raise ImageError("image.uf2-other-chip", family=said, board=self._board(), chip=self.info.chip)
        if not wanted and given:
            warnings.append(
                f"INFO_UF2.TXT does not tell the chip of {self.volume.path}: whether it takes "
                f"{family(given[0])} is not known"
            )
        foreign = set(given) - wanted - {ABSOLUTE, DATA}
        if wanted and foreign and set(given) & wanted:
            warnings.append("the file is for several chips: the bootloader takes this one's part alone")
        if self.info.mcu_port == "nrf":
            warnings += self._check_softdevice(file.memory)
        if image.format == "uf2" and data is not image.raw:
            warnings.append("the file does not fill its flash sectors: it is filled up with 0xFF")
        return warnings

    def _board(self) -> str:
        return self.info.board_id or self.info.model or self.info.chip

    def _check_softdevice(self, memory: Memory) -> list[str]:
        start = memory.start
        if start <= 0x1000:
            return ["the file brings a SoftDevice of its own, over the one on the board"]
        soft = self.info.softdevice
        base = next((address for pattern, address in _SOFTDEVICES if pattern.match(soft)), None)
        if base is None:
            return [
                f"whether the firmware (from {start:#x}) fits the SoftDevice of this board is not known: "
                f"INFO_UF2.TXT says {soft or 'nothing of one'}"
            ]
        if start < base:
            raise ImageError("image.uf2-in-softdevice", start=start, soft=soft, base=base)
        if start > base:
            raise ImageError("image.uf2-behind-softdevice", start=start, base=base, soft=soft)
        return []

    def touched(self, memory: Memory) -> list[tuple[int, int]]:
        starts = [(each.address // SECTOR * SECTOR, -(-each.end // SECTOR) * SECTOR) for each in memory]
        return join((start, end - start) for start, end in starts)

    # -- reading --------------------------------------------------------------------------------

    def current(self, reporter: Reporter = NULL, label: str = "reading CURRENT.UF2") -> Memory:
        """All of CURRENT.UF2. Raises FlashError where the drive has none or it is damaged."""
        if self._current is None:
            if not self.volume.has_current:
                raise FlashError("flash.uf2-no-current", path=self.volume.path)
            with Task(reporter, label, None):
                try:
                    self._current = read_uf2(self.volume.read("CURRENT.UF2", CURRENT_LIMIT)).memory
                except (ImageError, LocalFileError) as error:
                    raise FlashError(
                        "flash.uf2-current-unreadable", path=self.volume.path, cause=error, hint=error.hints
                    ) from error
        return self._current

    def read(self, address: int, size: int, *, reporter: Reporter = NULL, label: str = "") -> bytes:
        memory = self.current(reporter, label or "reading CURRENT.UF2")
        found = memory.get(address, size)
        if found is not None:
            return found
        if not memory.touches(address, size):
            raise FlashError("flash.uf2-not-held", start=address, stop=address + size)
        return memory.read(address, size)

    def differences(self, memory: Memory, *, reporter: Reporter = NULL) -> list[tuple[int, int]]:
        held = self.current(reporter)
        found: list[tuple[int, int]] = []
        for segment in memory:
            for at in range(segment.address, segment.end, 256):
                size = min(256, segment.end - at)
                if held.get(at, size) != segment.data[at - segment.address : at - segment.address + size]:
                    if found and found[-1][0] + found[-1][1] == at:
                        found[-1] = (found[-1][0], found[-1][1] + size)
                    else:
                        found.append((at, size))
        return found

    # -- writing --------------------------------------------------------------------------------

    def erase(self, address: int, size: int, *, reporter: Reporter = NULL) -> None:
        raise self._cannot_erase()

    def erase_all(self, *, reporter: Reporter = NULL) -> None:
        raise self._cannot_erase()

    def _cannot_erase(self) -> FlashError:
        return FlashError("flash.uf2-cannot-erase")

    def program(self, image: FirmwareImage, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        self.check(image)
        return self._program(to_uf2(image, self.info), options, reporter)

    def program_memory(self, memory: Memory, options: FlashOptions, *, reporter: Reporter = NULL) -> Programmed:
        if self.info.chip not in _RP2_CHIPS:
            raise FlashError("flash.uf2-bare-bytes", path=self.volume.path)
        if any(each.address % SECTOR or each.end % SECTOR for each in memory):
            raise FlashError("flash.uf2-part-of-sectors")
        own = {"rp2040": 0xE48BFF56, "rp2350": ABSOLUTE}[self.info.chip]
        return self._program(write_uf2([(own, memory)], sector=SECTOR), options, reporter)

    def _program(self, data: bytes, options: FlashOptions, reporter: Reporter) -> Programmed:
        memory = read_uf2(data).memory
        if self.volume.has_current and not options.whole:
            try:
                same = not self.differences(memory, reporter=reporter)
            except FlashError as error:  # it is a help, no need
                notice(reporter, str(error), "detail")
                same = False
            if same:
                self._same = data
                return Programmed(memory.size, 0, 0, memory.size, "CURRENT.UF2 read back")
        self._send(data, reporter)
        return Programmed(memory.size, memory.size, sum(size for _, size in self.touched(memory)), 0)

    def _send(self, data: bytes, reporter: Reporter) -> None:
        path = self.volume.path
        self._current = None
        with Task(reporter, "writing", len(data)) as task:
            try:
                through = self.volume.send(FILE_NAME, data, task.advance)
            except LocalFileError as error:
                stuck = isinstance(error, DriveStuck)
                raise FlashError(
                    "flash.drive-refuses",
                    path=path,
                    cause=error,
                    hint=error.hints or Said("flash.hint.uf2-try-again"),
                    state=INCOMPLETE if stuck else Said("flash.state.in-bootloader"),
                ) from error
            if through < len(data):
                raise FlashError("flash.uf2-went-away", path=path, count=through, size=len(data), state=INCOMPLETE)
        self.sent = True
        end = self._clock() + VANISH
        while self.volume.present():
            if self._clock() >= end:
                raise FlashError(
                    "flash.uf2-not-taken", path=path, seconds=VANISH, state=Said("flash.state.in-bootloader-as-before")
                )
            self._sleep(POLL)

    # -- the end --------------------------------------------------------------------------------

    def leave(self, mode: Leave = "run") -> None:
        """After a write the bootloader has restarted the board by itself. Where nothing had to be written it only
        restarts for a file, so it gets the same firmware once more.

        Raises: FlashError where it cannot be told to restart.
        """
        if self.sent or mode != "run":
            return
        if not self._same:
            raise FlashError("flash.uf2-cannot-start", path=self.volume.path)
        self._send(self._same, NULL)

    def close(self) -> None:
        """Nothing is held open."""


class Uf2Flasher:
    """Opens UF2 drives."""

    name = "uf2"

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._clock, self._sleep = clock, sleep

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        volume = target.volume
        if volume is not None and volume.info.kind != "uf2":
            return "its drive belongs to a debug probe, it takes no UF2 files"
        if volume is None:
            if target.state == "bootloader":
                return "its bootloader shows no UF2 drive (not mounted? `upytool doctor` says)"
            if target.mcu_port and target.mcu_port not in UF2_PORTS:
                return f"boards of the port {target.mcu_port} have no UF2 drive"
            if not target.mcu_port:
                return "what bootloader it has is not known"
        if image is None:
            return "a UF2 drive cannot erase"
        if image.format != "uf2" and image.port != "rp2":
            return f"a UF2 drive takes UF2 files, this is a {image.format_name}"
        chip = volume.info.chip if volume is not None else target.chip
        wanted = families_of(chip)
        owners = [each for each in image.families if each not in (ABSOLUTE, DATA)]
        if wanted and owners and not set(owners) & wanted:
            return f"the file is for {family(owners[0])}, the board is a {chip}"
        return ""

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> Uf2Loader:
        if target.volume is None or not target.volume.present():
            raise FlashError("flash.uf2-no-drive", name=target.name)
        return Uf2Loader(target.volume, clock=self._clock, sleep=self._sleep)
