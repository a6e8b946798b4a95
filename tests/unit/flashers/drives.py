"""MODELS of UF2 drives. The block rules are those of the bootloaders: a foreign family is ignored without a word,
the board restarts when as many blocks came as the file says."""

from __future__ import annotations

import struct
from collections.abc import Callable

from upytool.errors import LocalFileError
from upytool.flashers.uf2_drive import DriveInfo, parse_info
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

RP2040, RP2350, SAMD51, NRF52840 = 0xE48BFF56, 0xE48BFF59, 0x55114460, 0xADA52840
INFOS = {
    "rp2040": "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
    "rp2350": "UF2 Bootloader v1.0\r\nModel: Raspberry Pi RP2350\r\nBoard-ID: RP2350\r\n",
    "samd51": "UF2 Bootloader v3.15.0\r\nModel: ItsyBitsy M4 Express\r\nBoard-ID: SAMD51G19A-Itsy-v0\r\n",
    "nrf52840": "UF2 Bootloader 0.6.2\r\nModel: Seeed XIAO nRF52840\r\nBoard-ID: nRF52840-SeeedXiao-v1\r\n"
    "SoftDevice: S140 7.3.0\r\n",
    "odd": "Some Loader\r\n",
}
_FAMILY = {"rp2040": {RP2040}, "rp2350": {RP2350, 0xE48BFF57}, "samd51": {SAMD51}, "nrf52840": {NRF52840}}


class ModelDrive:
    """A MODEL of a board in its UF2 bootloader.

    Args:
        chip: a key of INFOS.
        flash: what is on it, for CURRENT.UF2.
        lost_after: bytes after which the cable comes out.
        refuses: the reason why no file can be made.
    """

    def __init__(
        self, chip: str, *, flash: bytes = b"", base: int = 0, lost_after: int | None = None, refuses: str = ""
    ) -> None:
        self.chip, self.base = chip, base
        self.info: DriveInfo = parse_info(INFOS[chip])
        self.flash = {base + at: flash[at : at + 256] for at in range(0, len(flash), 256)}
        self.path, self.label, self.location = f"/media/{chip}", chip.upper(), "1-2"
        self.has_current = bool(flash)
        self.lost_after, self.refuses = lost_after, refuses
        self.there, self.files, self.clock = True, 0, 0.0

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        if self.refuses:
            raise LocalFileError(self.refuses)
        self.files += 1
        limit = len(data) if self.lost_after is None else self.lost_after
        seen: set[int] = set()
        for at in range(0, len(data), 512):
            if at >= limit:
                self.there = False
                return at
            flags, address, size, number, count, family = struct.unpack_from("<6I", data, at + 8)
            accepted = not flags & 1 and (family in _FAMILY[self.chip] if flags & 0x2000 else self.chip == "samd51")
            if accepted and address != 0x10FFFF00:
                self.flash[address] = data[at + 32 : at + 32 + size]
                seen.add(number)
            advance(512)
            if accepted and len(seen) == count:
                self.there = False  # it restarts; the system may still hold data that nobody wants
                return len(data)
        return len(data)

    def read(self, name: str, limit: int) -> bytes:
        if name != "CURRENT.UF2" or not self.has_current:
            raise LocalFileError(f"there is no {name}")
        return write_uf2([(next(iter(_FAMILY[self.chip])), self.memory)])

    @property
    def memory(self) -> Memory:
        return Memory.of(self.flash.items())

    def present(self) -> bool:
        return self.there

    # the clock of the loader under test
    def now(self) -> float:
        return self.clock

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
