"""DfuSe files (.dfu): STM32 firmware as elements with addresses, and the suffix of all DFU files.

    prefix   "DfuSe" 1, u32 length of all but the suffix, u8 targets
    target   "Target" u8 alternate setting, u32 named, 255 bytes name, u32 size of its elements, u32 elements
    element  u32 address, u32 size, data
    suffix   u16 device, u16 product, u16 vendor, u16 0x011A, "UFD", 16, u32 CRC-32 of all before it, inverted

Little endian. Sources: ST UM0391 "DfuSe File Format Specification"; USB DFU 1.1, appendix B (the suffix).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

from ..errors import ImageError
from .memory import Memory

MAGIC = b"DfuSe"
SUFFIX = struct.Struct("<4H3sBI")
_PREFIX = struct.Struct("<5sBIB")
_TARGET = struct.Struct("<6sBI255s2I")
_ELEMENT = struct.Struct("<2I")
ANY = 0xFFFF
MAX_ELEMENTS = 4096


@dataclass(frozen=True, slots=True)
class DfuElement:
    address: int
    data: bytes


@dataclass(frozen=True, slots=True)
class DfuTarget:
    """The elements for one alternate setting of the bootloader."""

    elements: tuple[DfuElement, ...]
    setting: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class DfuFile:
    """A DfuSe file; vendor and product are USB ids, ANY for "whatever is there"."""

    targets: tuple[DfuTarget, ...]
    vendor: int = 0x0483
    product: int = 0xDF11
    device: int = 0
    crc_ok: bool = True

    @property
    def memory(self) -> Memory:
        """All elements of all targets."""
        return Memory.of((part.address, part.data) for target in self.targets for part in target.elements)


@dataclass(frozen=True, slots=True)
class DfuSuffix:
    vendor: int
    product: int
    device: int
    version: int
    crc_ok: bool


def read_suffix(data: bytes) -> DfuSuffix | None:
    """The 16 bytes at the end of a DFU file, or None where there are none."""
    if len(data) < SUFFIX.size:
        return None
    device, product, vendor, version, mark, length, crc = SUFFIX.unpack_from(data, len(data) - SUFFIX.size)
    if mark != b"UFD" or length != SUFFIX.size:
        return None
    return DfuSuffix(vendor, product, device, version, crc == dfu_crc(memoryview(data)[:-4]))


def dfu_crc(data: bytes | memoryview) -> int:
    """The suffix's checksum: CRC-32 without its last inversion."""
    return zlib.crc32(data) ^ 0xFFFFFFFF


def read_dfu(data: bytes) -> DfuFile:
    """Read a DfuSe file. A wrong checksum is not an error here but `crc_ok`.

    Raises: ImageError when the structure does not hold together or the file is cut short.
    """
    suffix = read_suffix(data)
    if suffix is None:
        raise ImageError("image.dfu-no-suffix")
    magic, version, length, count = _unpack(_PREFIX, data, 0, "prefix")
    if magic != MAGIC or version != 1:
        raise ImageError("image.dfu-version", version=version)
    end = len(data) - SUFFIX.size
    if length != end:
        raise ImageError("image.dfu-length", size=length, actual=end)
    at, budget = _PREFIX.size, MAX_ELEMENTS
    targets = []
    for number in range(count):
        mark, setting, named, name, size, parts = _unpack(_TARGET, data, at, f"target {number}")
        at += _TARGET.size
        if mark != b"Target":
            raise ImageError("image.dfu-target-damaged", target=number)
        if size > end - at:
            raise ImageError("image.dfu-target-truncated", target=number)
        stop = at + size
        budget -= parts
        if budget < 0:
            raise ImageError("image.dfu-target-elements", target=number, count=parts)
        elements = []
        for index in range(parts):
            address, length = _unpack(_ELEMENT, data, at, f"element {index}")
            at += _ELEMENT.size
            if length > stop - at:
                raise ImageError("image.dfu-element-truncated", element=index, target=number)
            elements.append(DfuElement(address, data[at : at + length]))
            at += length
        if at != stop:
            raise ImageError("image.dfu-target-length", target=number, size=stop - at)
        text = name.split(b"\0", 1)[0].decode("ascii", "replace") if named else ""
        targets.append(DfuTarget(tuple(elements), setting, text))
    if at != end:
        raise ImageError("image.dfu-trailing", size=end - at)
    return DfuFile(tuple(targets), suffix.vendor, suffix.product, suffix.device, suffix.crc_ok)


def _unpack(layout: struct.Struct, data: bytes, at: int, what: str) -> tuple[Any, ...]:
    if at + layout.size > len(data):
        raise ImageError("image.dfu-truncated", part=what)
    return layout.unpack_from(data, at)


def write_dfu(targets: tuple[DfuTarget, ...], *, vendor: int = 0x0483, product: int = 0xDF11, device: int = 0) -> bytes:
    """Make a DfuSe file. Elements are filled up with zeros to 8 bytes: an L476 does not start otherwise."""
    body = b""
    for target in targets:
        parts = b""
        for element in target.elements:
            data = element.data + b"\0" * (-len(element.data) % 8)
            parts += _ELEMENT.pack(element.address, len(data)) + data
        body += _TARGET.pack(
            b"Target",
            target.setting,
            1 if target.name else 0,
            target.name.encode("ascii", "replace")[:255],
            len(parts),
            len(target.elements),
        )
        body += parts
    body = _PREFIX.pack(MAGIC, 1, len(body) + _PREFIX.size, len(targets)) + body
    return add_suffix(body, vendor=vendor, product=product, device=device, version=0x011A)


def add_suffix(data: bytes, *, vendor: int, product: int, device: int = 0, version: int = 0x0100) -> bytes:
    """`data` with a DFU suffix; `version` is 0x0100 for plain DFU, 0x011A for DfuSe."""
    whole = data + SUFFIX.pack(device, product, vendor, version, b"UFD", SUFFIX.size, 0)[:-4]
    return whole + struct.pack("<I", dfu_crc(whole))
