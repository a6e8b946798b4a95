"""Espressif's images: one image (bootloader or application), and MicroPython's firmware.bin made of them.

An image: E9, segments, flash mode, flash size and frequency, u32 entry; from the ESP32 on 16 bytes more
(the chip id at 12, "a SHA-256 follows" at 23); then u32 load address, u32 length and data for each segment;
a checksum byte (XOR of the segments' bytes, from EF on) as the last of a multiple of 16; then the SHA-256
of all before it. Sources: ESP-IDF "App Image Format" and `esp_app_desc_t`; MicroPython
`ports/esp32/makeimg.py` (firmware.bin begins at the bootloader's place in flash) and
`ports/esp8266/makeimg.py` (length and MD5 of the ESP8266's).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import md5, sha256

from ..errors import ImageError
from .chips import ESP8266, ESP_CHIPS, EspChip
from .esp_partitions import TABLE_OFFSET, PartitionTable, read_table

MAGIC, CHECKSUM_SEED, MAX_SEGMENTS = 0xE9, 0xEF, 16
APP_MAGIC = 0xABCD5432
ESP8266_ROM_PART = 0x9000  # where MicroPython's code for the flash begins, behind what the ROM loads
MODES = {0: "qio", 1: "qout", 2: "dio", 3: "dout", 4: "fast-read", 5: "slow-read"}
_SIZES_ESP8266 = {
    0x00: 512 << 10, 0x10: 256 << 10, 0x20: 1 << 20, 0x30: 2 << 20, 0x40: 4 << 20,
    0x50: 2 << 20, 0x60: 4 << 20, 0x80: 8 << 20, 0x90: 16 << 20,
}  # fmt: skip
_APP = struct.Struct("<IIII32s32s16s16s32s32s")


@dataclass(frozen=True, slots=True)
class EspSegment:
    """A segment: where it is loaded or mapped, and where it lies in the file."""

    address: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class AppDescriptor:
    """What ESP-IDF writes into an application; MicroPython leaves version and project to IDF's defaults."""

    version: str
    project: str
    date: str
    time: str
    idf: str
    elf_sha256: str


@dataclass(frozen=True, slots=True)
class EspImage:
    """One image.

    Attributes:
        offset: where it begins in the data that it was read from.
        length: its true size with checksum and digest: an application's partition may be larger.
        digest_ok: None when no SHA-256 is appended.
    """

    chip: EspChip
    offset: int
    length: int
    entry: int
    mode: int
    size_nibble: int
    freq_nibble: int
    min_revision: int
    max_revision: int
    segments: tuple[EspSegment, ...]
    checksum_ok: bool
    digest_ok: bool | None
    app: AppDescriptor | None

    @property
    def flash_size(self) -> int | None:
        """The flash size that the header states, in bytes."""
        return flash_size(self.chip, self.size_nibble)

    @property
    def flash_mode(self) -> str:
        return MODES.get(self.mode, f"mode {self.mode}")

    @property
    def flash_freq(self) -> str:
        return dict(self.chip.freq).get(self.freq_nibble, f"frequency {self.freq_nibble}")


def flash_size(chip: EspChip, nibble: int) -> int | None:
    """Bytes of flash for the high nibble of header byte 3 (given as 0x00, 0x10, ...)."""
    if chip is ESP8266:
        return _SIZES_ESP8266.get(nibble)
    return (1 << 20) << (nibble >> 4) if nibble <= 0x70 else None


def size_nibble(chip: EspChip, size: int) -> int:
    """The other way round. Raises: ImageError for a size that the header cannot state."""
    for nibble in range(0, 0x100, 0x10):
        if flash_size(chip, nibble) == size:
            return nibble
    raise ImageError("image.esp-flash-size", chip=chip.name, size=size)


def detect_chip(data: bytes, offset: int = 0) -> EspChip | None:
    """The chip of an image. The ESP8266's has a segment where the others have their second header."""
    head = data[offset : offset + 24]
    if len(head) < 24 or head[0] != MAGIC or not 1 <= head[1] <= MAX_SEGMENTS:
        return None
    address, size = struct.unpack_from("<II", head, 8)
    if size <= len(data) and (0x3FFE8000 <= address < 0x40000000 or 0x40100000 <= address < 0x40110000):
        return ESP8266
    return ESP_CHIPS.get(int.from_bytes(head[12:14], "little")) if head[23] in (0, 1) else None


def read_image(data: bytes, offset: int = 0) -> EspImage:
    """Walk one image. Wrong checksums are no errors here but `checksum_ok` and `digest_ok`.

    Raises: ImageError when it is not an image, or is cut short.
    """
    if len(data) < offset + 24 or data[offset] != MAGIC:
        raise ImageError("image.esp-none-at", offset=offset)
    chip = detect_chip(data, offset)
    if chip is None:
        number = int.from_bytes(data[offset + 12 : offset + 14], "little")
        raise ImageError("image.esp-unknown-chip", id=number)
    count, mode, size_freq, entry = struct.unpack_from("<BBBI", data, offset + 1)
    extended = chip is not ESP8266
    at = offset + (24 if extended else 8)
    segments = []
    check = CHECKSUM_SEED
    for index in range(count):
        if at + 8 > len(data):
            raise ImageError("image.esp-truncated-before-segment", segment=index, count=count)
        address, size = struct.unpack_from("<II", data, at)
        at += 8
        if size > len(data) - at:
            raise ImageError("image.esp-truncated-in-segment", segment=index, count=count)
        segments.append(EspSegment(address, at, size))
        check ^= xor_bytes(data[at : at + size])
        at += size
    at = offset + ((at - offset) | 15)
    if at >= len(data):
        raise ImageError("image.esp-truncated")
    checksum_ok = data[at] == check
    at += 1
    digest_ok: bool | None = None
    if extended and data[offset + 23]:
        digest = data[at : at + 32]
        if len(digest) < 32:
            raise ImageError("image.esp-truncated-digest")
        digest_ok = sha256(memoryview(data)[offset:at]).digest() == digest
        at += 32
    oldest, newest = struct.unpack_from("<HH", data, offset + 15) if extended else (0, 0)
    return EspImage(
        chip=chip,
        offset=offset,
        length=at - offset,
        entry=entry,
        mode=mode,
        size_nibble=size_freq & 0xF0,
        freq_nibble=size_freq & 0x0F,
        min_revision=oldest,
        max_revision=newest,
        segments=tuple(segments),
        checksum_ok=checksum_ok,
        digest_ok=digest_ok,
        app=_descriptor(data, segments[0]),
    )


def xor_bytes(data: bytes) -> int:
    """All bytes XORed: halves are folded onto one another as big numbers, which is quick."""
    size = 1 << max(0, len(data) - 1).bit_length()
    value = int.from_bytes(data, "little")
    while size > 1:
        size //= 2
        value = (value >> (8 * size)) ^ (value & ((1 << (8 * size)) - 1))
    return value


def _descriptor(data: bytes, first: EspSegment) -> AppDescriptor | None:
    if first.size < _APP.size or data[first.offset : first.offset + 4] != APP_MAGIC.to_bytes(4, "little"):
        return None
    fields = _APP.unpack_from(data, first.offset)
    version, project, time, date, idf = (_text(field) for field in fields[4:9])
    return AppDescriptor(version, project, date, time, idf, fields[9].hex())


def _text(field: bytes) -> str:
    return field.split(b"\0", 1)[0].decode("utf-8", "replace")


def with_flash_params(
    data: bytes, *, offset: int = 0, size: int | None = None, mode: int | None = None, freq: int | None = None
) -> bytes:
    """The file with other flash settings in the image at `offset`; its SHA-256 is made again.

    Args:
        size: bytes of flash.
        mode: as in MODES. freq: the low nibble, see EspChip.freq.
    """
    image = read_image(data, offset)
    out = bytearray(data)
    if mode is not None:
        out[offset + 2] = mode
    high = image.size_nibble if size is None else size_nibble(image.chip, size)
    out[offset + 3] = high | (image.freq_nibble if freq is None else freq)
    if image.digest_ok is not None:
        end = offset + image.length
        out[end - 32 : end] = sha256(memoryview(out)[offset : end - 32]).digest()
    return bytes(out)


@dataclass(frozen=True, slots=True)
class EspFirmware:
    """A .bin for an Espressif chip.

    Attributes:
        role: "firmware" (bootloader, table and application), "app" (an application alone: firmware.app-bin,
            micropython.bin), "bootloader" (or any other image alone).
        base: the flash address of the file's first byte; None for an application, which may go into any slot.
        trailer_ok: ESP8266: whether length and MD5 at the end agree; None where they are missing.
    """

    role: str
    chip: EspChip
    base: int | None
    bootloader: EspImage | None = None
    table: PartitionTable | None = None
    app: EspImage | None = None
    trailer_ok: bool | None = None


def find_base(data: bytes) -> int | None:
    """Where the first image lies in the file: 0, or behind the unused start of a dump of the whole flash."""
    if data[:1] == bytes((MAGIC,)):
        return 0 if detect_chip(data) else None
    for offset in (0x1000, 0x2000):
        if data[:16] == b"\xff" * 16 and data[TABLE_OFFSET : TABLE_OFFSET + 2] == b"\xaa\x50":
            chip = detect_chip(data, offset)
            if chip is not None and chip.bootloader == offset:
                return offset
    return None


def read_firmware(data: bytes) -> EspFirmware:
    """Read a .bin for any Espressif chip.

    Raises: ImageError when it is none, or is damaged.
    """
    start = find_base(data)
    if start is None:
        raise ImageError("image.esp-not-at-start")
    first = read_image(data, start)
    chip = first.chip
    if chip is ESP8266:
        return EspFirmware("firmware", chip, 0, app=first, trailer_ok=_esp8266_trailer(data))
    base = chip.bootloader - start
    table_at = TABLE_OFFSET - base
    if first.app is None and data[table_at : table_at + 2] == b"\xaa\x50":
        table = read_table(data[table_at : table_at + 0xC00])
        app_row = table.first_app()
        app = None
        if app_row is not None and app_row.offset - base < len(data):
            app = read_image(data, app_row.offset - base)
            if app.chip is not chip:
                raise ImageError("image.esp-chips-differ", bootloader=chip.name, application=app.chip.name)
        return EspFirmware("firmware", chip, base, first, table, app)
    if first.app is not None:
        return EspFirmware("app", chip, None, app=first)
    return EspFirmware("bootloader", chip, base, first)


def _esp8266_trailer(data: bytes) -> bool | None:
    """MicroPython's: the length in the 4 bytes before 0x9000, the MD5 (from byte 4 on) at the end."""
    length = int.from_bytes(data[ESP8266_ROM_PART - 4 : ESP8266_ROM_PART], "little")
    if not ESP8266_ROM_PART <= length <= len(data) - 16:
        return None
    return md5(memoryview(data)[4:length], usedforsecurity=False).digest() == data[length : length + 16]


def merge(parts: Mapping[int, bytes], *, base: int) -> bytes:
    """Parts at flash offsets as one file that begins at `base`; gaps are FF.

    Raises: ImageError when parts overlap, lie before `base`, or span more than 256 MiB.
    """
    out = bytearray()
    for offset, data in sorted(parts.items()):
        if offset < base + len(out):
            raise ImageError("image.esp-part-overlaps", offset=offset)
        if offset - base + len(data) > 256 << 20:
            raise ImageError("image.esp-part-outside", offset=offset)
        out += b"\xff" * (offset - base - len(out)) + data
    return bytes(out)
