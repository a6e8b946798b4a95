"""FirmwareImage: one view of every firmware file, whatever its format."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from .. import documents, limits
from ..errors import ImageError
from . import dfuse, esp, intel_hex, uf2
from .chips import ABSOLUTE, DATA, RP2040, RP2350_ARM_S, RP2350_RISCV, chip_at, family
from .dfuse import DfuElement, DfuFile, DfuTarget
from .esp import EspFirmware
from .identity import Identity, identify
from .intel_hex import HexFile
from .memory import Memory
from .rp2_binary_info import BinaryInfo, image_type, read_binary_info
from .sniff import raw_place, sniff
from .uf2 import Uf2File

APP_OFFSET = 0x10000  # where MicroPython's partition tables put the application
FORMAT_NAMES = {
    "uf2": "UF2",
    "dfuse": "DfuSe",
    "dfu": "DFU",
    "hex": "Intel HEX",
    "esp": "ESP image",
    "bin": "raw image",
}


@dataclass(frozen=True, slots=True)
class Check:
    """A checksum that the file carries, and whether it agrees with the content."""

    name: str
    ok: bool


def require_valid(path: str, checks: Iterable[Check]) -> None:
    """Refuse a file whose checksums do not agree.

    Raises: ImageError.
    """
    bad = [check.name for check in checks if not check.ok]
    if bad:
        raise ImageError("image.damaged", name=os.path.basename(path) or "the file", checks=bad)


@dataclass(frozen=True)
class FirmwareImage:
    """A firmware file.

    Attributes:
        raw: the file as it is.
        format: "uf2", "dfuse", "dfu" (plain DFU: no addresses inside), "hex", "esp" or "bin".
        memory: what is written where. Addresses are the chip's own (UF2, DfuSe, HEX, raw); for Espressif's
            chips they are offsets in flash.
        chip: "rp2040", "esp32s3", "stm32", ...; "" where the file does not say.
        port: MicroPython's port, or "".
        families: UF2 families, in the order of the file.
        place_known: whether the addresses come from the file; False where they are the usual ones.
        detail: the format's own view.
        checks: every checksum of the file.
        notes: what is legal yet unwise, a sentence each.
        path: where it was read from, or "".
    """

    raw: bytes = field(repr=False)
    format: str
    memory: Memory = field(repr=False)
    chip: str = ""
    port: str = ""
    families: tuple[int, ...] = ()
    place_known: bool = True
    detail: Uf2File | DfuFile | HexFile | EspFirmware | None = None
    checks: tuple[Check, ...] = ()
    notes: tuple[str, ...] = ()
    path: str = ""

    @classmethod
    def read(cls, source: str | os.PathLike[str] | bytes, *, name: str = "") -> FirmwareImage:
        """Open a firmware file; its format is told by its content, never by its name.

        Args:
            source: a path, or the bytes.
            name: how to call bytes in messages.

        Raises: ImageError: it cannot be read, is not firmware, is damaged or is cut short. Wrong checksums
            are no error here (see `checks` and `require_valid`).
        """
        if isinstance(source, bytes):
            data, path, name = source, name, name or "the file"
        else:
            path = os.fspath(source)
            data, name = load_file(path), os.path.basename(path)
        kind = sniff(data, name)
        try:
            image = _READERS[kind](data)
        except ImageError as error:
            raise ImageError("image.in-file", name=name, cause=error, hint=error.hints) from None
        return replace(image, path=path)

    @property
    def size(self) -> int:
        """How many bytes it writes."""
        return self.memory.size

    @property
    def start(self) -> int:
        return self.memory.start

    @property
    def end(self) -> int:
        return self.memory.end

    @property
    def format_name(self) -> str:
        return FORMAT_NAMES[self.format]

    @property
    def role(self) -> str:
        """ "firmware", or for Espressif's chips also "app" and "bootloader" (see EspFirmware)."""
        return self.detail.role if isinstance(self.detail, EspFirmware) else "firmware"

    @cached_property
    def identity(self) -> Identity:
        """Which MicroPython, for which board, as far as the bytes tell."""
        return identify(self.memory)

    @cached_property
    def binary_info(self) -> BinaryInfo | None:
        """What an RP2040 or RP2350 image says of itself."""
        return read_binary_info(self.memory) if self.port == "rp2" else None

    @property
    def uf2_family(self) -> int | None:
        """The UF2 family that a bootloader wants for this content: the file's own, or the RP2 chip's."""
        owners = [each for each in self.families if each not in (ABSOLUTE, DATA)]
        if owners:
            return owners[0] if len(owners) == 1 else None
        if self.chip == "rp2040":
            return RP2040
        if self.chip == "rp2350":
            found = image_type(self.memory.read(self.start, 0x1000))
            return RP2350_RISCV if found is not None and found[1] == "riscv" else RP2350_ARM_S
        return None

    def require_valid(self) -> None:
        """Refuse a file whose checksums do not agree.

        Raises: ImageError.
        """
        require_valid(self.path, self.checks)

    def encode(self, memory: Memory) -> bytes:
        """Another content as a file like this one: same format, family, targets, USB ids.

        Raises: ImageError when the format cannot hold it.
        """
        suffix = dfuse.read_suffix(self.raw) if self.format == "dfu" else None
        if suffix is not None:
            inner = replace(self, format="bin").encode(memory)
            return dfuse.add_suffix(
                inner,
                vendor=suffix.vendor,
                product=suffix.product,
                device=suffix.device,
                version=suffix.version,
            )
        if isinstance(self.detail, Uf2File):
            owners = [each for each in self.families if each not in (ABSOLUTE, DATA)] or list(self.families[:1])
            if len(owners) > 1:
                raise ImageError("image.uf2-several-chips")
            sector = 4096 if self.port == "rp2" else 0
            block = self.detail.erratum_block or False
            return uf2.write_uf2([(owners[0] if owners else None, memory)], sector=sector, erratum_block=block)
        if isinstance(self.detail, DfuFile):
            first = self.detail.targets[0]
            parts = tuple(DfuElement(each.address, each.data) for each in memory)
            return dfuse.write_dfu(
                (DfuTarget(parts, first.setting, first.name),),
                vendor=self.detail.vendor,
                product=self.detail.product,
                device=self.detail.device,
            )
        if isinstance(self.detail, HexFile):
            return intel_hex.write_hex(memory, start=self.detail.start)
        return esp.merge({each.address: each.data for each in memory}, base=self.start)


def load_file(path: str) -> bytes:
    """All of a firmware file or dump. Raises: ImageError: it is not a regular file, cannot be read, or is too large."""
    return documents.read_bytes(path, error=ImageError, limit=limits.IMAGE_BYTES)


def _read_uf2(data: bytes) -> FirmwareImage:
    file = uf2.read_uf2(data)
    notes = list(file.notes)
    owners = [family(each) for each in file.families if each not in (ABSOLUTE, DATA)]
    try:
        memory = file.memory
    except ImageError:
        memory = file.groups[0].memory
        notes.append("the file is for several chips: only the first one's part is shown")
    chips = list(dict.fromkeys(each.chip for each in owners if each.chip))
    ports = list(dict.fromkeys(each.port for each in owners if each.port))
    checks = () if file.md5 is None else (Check("the MD5 of the UF2 blocks", file.md5),)
    chip = chips[0] if len(chips) == 1 else ""
    port = ports[0] if len(ports) == 1 else ""
    if not owners and chip_at(memory.start) == "rp2":  # ABSOLUTE, DATA or none at all: the content tells
        chip, port = _rp2_chip(memory), "rp2"
    if port == "esp32":
        notes.append("a UF2 file for an Espressif chip holds the application alone, for a board that has TinyUF2")
    return FirmwareImage(data, "uf2", memory, chip, port, file.families, detail=file, checks=checks, notes=tuple(notes))


def _read_dfuse(data: bytes) -> FirmwareImage:
    file = dfuse.read_dfu(data)
    memory = file.memory
    if not memory:
        raise ImageError("image.dfu-empty")
    chip = chip_at(memory.start)
    return FirmwareImage(
        data,
        "dfuse",
        memory,
        chip,
        chip,
        detail=file,
        checks=(Check("the CRC-32 of the DFU suffix", file.crc_ok),),
    )


def _read_plain_dfu(data: bytes) -> FirmwareImage:
    inner = data[: -dfuse.SUFFIX.size]
    kind = sniff(inner, "the content of the DFU file")
    if kind == "dfu":
        raise ImageError("image.dfu-two-suffixes")
    image = _READERS[kind](inner)
    return replace(
        image,
        raw=data,
        format="dfu",
        place_known=False,
        checks=(*image.checks, Check("the CRC-32 of the DFU suffix", True)),
    )


def _read_hex(data: bytes) -> FirmwareImage:
    file = intel_hex.read_hex(data)
    chip = chip_at(file.memory.start)
    if not chip and file.memory.touches(0x10001000, 0x400):
        chip = "nrf"  # the UICR of nRF51 and nRF52
    if chip == "rp2":
        chip, port = _rp2_chip(file.memory), "rp2"
    else:
        port = chip
    return FirmwareImage(data, "hex", file.memory, chip, port, detail=file)


def _rp2_chip(memory: Memory) -> str:
    place = raw_place(memory.read(memory.start, min(0x1000, memory.end - memory.start)))
    return place[0] if place is not None and place[0].startswith("rp2") else ""


def _read_esp(data: bytes) -> FirmwareImage:
    file = esp.read_firmware(data)
    checks, notes = [], []
    for what, part in (("the bootloader", file.bootloader), ("the application", file.app)):
        if part is not None:
            checks.append(Check(f"the checksum of {what}", part.checksum_ok))
            if part.digest_ok is not None:
                checks.append(Check(f"the SHA-256 of {what}", part.digest_ok))
    if file.table is not None and file.table.md5_ok is not None:
        checks.append(Check("the MD5 of the partition table", file.table.md5_ok))
    if file.trailer_ok is not None:
        checks.append(Check("the MD5 at the end", file.trailer_ok))
    if file.role == "firmware" and file.table is not None:
        notes += file.table.problems()
        if file.app is None:
            notes.append("the file holds no application: it ends before the first application's partition")
    elif file.role == "app":
        notes.append("an application alone: it goes into a slot of a board that runs already, not to the flash's start")
    place = APP_OFFSET if file.base is None else file.base
    port = "esp8266" if file.chip.name == "esp8266" else "esp32"
    return FirmwareImage(
        data, "esp", Memory.of([(place, data)]), file.chip.name, port, place_known=file.base is not None,
        detail=file, checks=tuple(checks), notes=tuple(notes),
    )  # fmt: skip


def _read_bin(data: bytes) -> FirmwareImage:
    place = raw_place(data)
    chip, address = place if place is not None else ("", None)
    notes: tuple[str, ...] = ()
    if address is None:
        notes = ("a raw image does not say where it belongs: the address is the board's matter",)
    port = "rp2" if chip.startswith("rp2") else chip
    return FirmwareImage(
        data,
        "bin",
        Memory.of([(address or 0, data)]),
        chip,
        port,
        place_known=address is not None,
        notes=notes,
    )


_READERS = {
    "uf2": _read_uf2,
    "dfuse": _read_dfuse,
    "dfu": _read_plain_dfu,
    "hex": _read_hex,
    "esp": _read_esp,
    "bin": _read_bin,
}
