"""ESP images, against esptool: made, described and merged by it."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from hashlib import md5, sha256
from typing import Any

import pytest

from tests.unit.image.conftest import CHIPS, EspParts
from upytool.errors import ImageError
from upytool.image import esp
from upytool.image.chips import ESP8266, ESP_BY_NAME, ESP_CHIPS, FAMILIES

Parts = Callable[[str], EspParts]


@pytest.mark.parametrize("chip", CHIPS)
def test_an_image_reads_as_esptool_says(chip: str, esp_parts: Parts, image_info: Callable[[bytes], str]) -> None:
    data = esp_parts(chip).app
    image = esp.read_image(data)
    said = image_info(data)
    assert image.chip.name == chip
    assert image.length == len(data)
    assert f"Segments: {len(image.segments)}" in said
    assert f"Entry point: {image.entry:#x}" in said
    assert "Flash size: 4MB" in said
    assert image.flash_size == 4 << 20
    assert "Flash freq: 40m" in said
    assert image.flash_freq == "40m"
    assert "Flash mode: DIO" in said
    assert image.flash_mode == "dio"
    theirs = re.findall(r"^ *\d+ +(0x[0-9a-f]+) +(0x[0-9a-f]+) +(0x[0-9a-f]+)", said, re.M)
    ours = [(f"{each.size:#07x}", f"{each.address:#010x}", f"{each.offset - 8:#010x}") for each in image.segments]
    assert ours == theirs
    assert "(valid)" in said
    assert image.checksum_ok
    assert image.digest_ok
    assert image.app is not None
    assert (image.app.project, image.app.idf) == ("micropython", "v5.5.2")


def test_a_changed_byte_is_noticed(esp_parts: Parts) -> None:
    data = bytearray(esp_parts("esp32").app)
    segment = esp.read_image(bytes(data)).segments[-1]
    data[segment.offset + 5] ^= 0x10
    image = esp.read_image(bytes(data))
    assert not image.checksum_ok
    assert image.digest_ok is False


@pytest.mark.parametrize("keep", [0, 10, 23, 24, 40, 2000, -1, -33])
def test_a_cut_image_is_declined(keep: int, esp_parts: Parts) -> None:
    data = esp_parts("esp32").app
    with pytest.raises(ImageError, match=r"cut short|no ESP image"):
        esp.read_image(data[:keep])


@pytest.mark.parametrize("chip", CHIPS)
def test_firmware_of_all_parts(chip: str, esp_parts: Parts) -> None:
    parts = esp_parts(chip)
    firmware = esp.read_firmware(parts.merged)
    assert firmware.role == "firmware"
    assert firmware.base == parts.bootloader_at
    assert firmware.table is not None
    assert firmware.table.md5_ok
    assert firmware.app is not None
    assert firmware.app.length == len(parts.app)
    assert firmware.bootloader is not None
    assert firmware.bootloader.length == len(parts.bootloader)


@pytest.mark.parametrize("chip", CHIPS)
def test_merge_gives_what_esptool_gives(chip: str, esp_parts: Parts) -> None:
    parts = esp_parts(chip)
    pieces = {0x10000: parts.app, 0x8000: parts.table, parts.bootloader_at: parts.bootloader}
    assert esp.merge(pieces, base=parts.bootloader_at) == parts.merged


def test_merge_refuses_what_overlaps() -> None:
    with pytest.raises(ImageError, match="overlaps"):
        esp.merge({0x1000: bytes(20), 0x1010: bytes(4)}, base=0x1000)
    with pytest.raises(ImageError, match="overlaps"):
        esp.merge({0: b"1"}, base=0x1000)
    with pytest.raises(ImageError, match="outside"):
        esp.merge({0xF0000000: b"1"}, base=0)


def test_a_dump_of_the_whole_flash(esp_parts: Parts) -> None:
    dump = b"\xff" * 0x1000 + esp_parts("esp32").merged + b"\xff" * 0x5000
    firmware = esp.read_firmware(dump)
    assert (firmware.role, firmware.base) == ("firmware", 0)
    assert firmware.app is not None


def test_an_application_alone_has_no_place(esp_parts: Parts) -> None:
    assert esp.read_firmware(esp_parts("esp32s3").app).role == "app"
    assert esp.read_firmware(esp_parts("esp32s3").app).base is None
    assert esp.read_firmware(esp_parts("esp32").bootloader).role == "bootloader"


def test_other_flash_settings(esp_parts: Parts, esptool: Any, image_info: Callable[[bytes], str]) -> None:
    parts = esp_parts("esp32")
    changed = esp.with_flash_params(parts.bootloader, size=16 << 20, mode=3, freq=0xF)
    said = image_info(changed)
    assert "Flash size: 16MB" in said
    assert "Flash mode: DOUT" in said
    assert "Flash freq: 80m" in said
    assert said.count("(valid)") == 2
    theirs = esptool.merge_bin(
        [(0x1000, parts.bootloader)],
        "esp32",
        None,
        flash_size="16MB",
        flash_mode="dout",
        flash_freq="80m",
        target_offset=0x1000,
    )
    assert changed == theirs
    with pytest.raises(ImageError, match="cannot state"):
        esp.with_flash_params(parts.bootloader, size=3 << 20)


def test_the_tables_of_chips_agree_with_esptool() -> None:
    from esptool.targets import CHIP_DEFS

    for name, rom in CHIP_DEFS.items():
        if name == "esp8266":
            assert {flash: esp.flash_size(ESP8266, flash) for flash in rom.FLASH_SIZES.values()} == {
                nibble: int(re.match(r"\d+", text)[0]) << (10 if "KB" in text else 20)  # type: ignore[index]
                for text, nibble in rom.FLASH_SIZES.items()
            }
            continue
        ours = ESP_CHIPS[rom.IMAGE_CHIP_ID]
        assert ours.name == name
        assert ours.bootloader == rom.BOOTLOADER_FLASH_OFFSET
        assert set(rom.FLASH_FREQUENCY.values()) == {number for number, _ in ours.freq}
        for text, nibble in rom.FLASH_SIZES.items():
            assert esp.flash_size(ours, nibble) == int(text.removesuffix("MB")) << 20
        if "UF2_FAMILY_ID" in vars(rom):  # not the one that a new chip inherits
            assert FAMILIES[rom.UF2_FAMILY_ID].chip == name
    assert ESP_BY_NAME["esp8266"] is ESP8266


def esp8266(code: bytes = bytes(5000)) -> bytes:
    """A firmware.bin as ports/esp8266/makeimg.py puts it together."""
    text = b"text" * 50
    image = struct.pack("<BBBBI", 0xE9, 1, 0, 0x40, 0x40100004) + struct.pack("<II", 0x40100000, len(text)) + text
    check = 0xEF
    for byte in text:
        check ^= byte
    image = image.ljust(len(image) | 15, b"\0") + bytes((check,))
    body = image.ljust(0x9000 - 4, b"\xff") + struct.pack("<I", 0x9000 + len(code)) + code
    return body + md5(body[4:]).digest()


def test_esp8266() -> None:
    data = esp8266()
    firmware = esp.read_firmware(data)
    assert (firmware.chip.name, firmware.base, firmware.role) == ("esp8266", 0, "firmware")
    assert firmware.trailer_ok is True
    assert firmware.app is not None
    assert firmware.app.checksum_ok
    assert firmware.app.flash_size == 4 << 20
    broken = data[:0x9100] + b"x" + data[0x9101:]
    assert esp.read_firmware(broken).trailer_ok is False
    assert esp.read_firmware(data[:-20]).trailer_ok is None


def test_xor_of_bytes() -> None:
    for data in (b"", b"\x05", b"\x01\x02\x04", bytes(range(256)) * 3 + b"\x81"):
        expected = 0
        for byte in data:
            expected ^= byte
        assert esp.xor_bytes(data) == expected


def test_a_digest_is_over_the_image_alone(esp_parts: Parts) -> None:
    parts = esp_parts("esp32")
    image = esp.read_image(parts.merged, 0x10000 - 0x1000)
    end = image.offset + image.length
    assert sha256(parts.merged[image.offset : end - 32]).digest() == parts.merged[end - 32 : end]
    assert image.digest_ok


def test_an_image_at_an_odd_place(esp_parts: Parts) -> None:
    """The checksum's place counts from the image's start, not from the file's."""
    app = esp_parts("esp32").app
    image = esp.read_image(b"abc" + app, 3)
    assert image.checksum_ok
    assert image.digest_ok
    assert image.length == len(app)
