"""FirmwareImage: every format, told by its content, and everything that is declined."""

from __future__ import annotations

import gzip
import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.image.conftest import EspParts
from tests.unit.image.parts import Rp2Program, pico_like
from tests.unit.image.test_esp import esp8266
from upytool.errors import FlashError, ImageError
from upytool.image import romfs
from upytool.image.base import FirmwareImage
from upytool.image.chips import ABSOLUTE, RP2040, RP2350_ARM_S
from upytool.image.dfuse import DfuElement, DfuTarget, add_suffix, write_dfu
from upytool.image.intel_hex import write_hex
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

Parts = Callable[[str], EspParts]
STM32 = struct.pack("<II", 0x20020000, 0x08000101) + bytes(0x400)
SAMD = struct.pack("<II", 0x20008000, 0x2101) + bytes(0x400)


def at(address: int, data: bytes) -> Memory:
    return Memory.of([(address, data)])


def test_uf2() -> None:
    image = FirmwareImage.read(write_uf2([(RP2040, at(0x10000000, pico_like()))]))
    assert (image.format, image.chip, image.port, image.families) == ("uf2", "rp2040", "rp2", (RP2040,))
    assert (image.start, image.uf2_family, image.role, image.place_known) == (
        0x10000000,
        RP2040,
        "firmware",
        True,
    )
    assert image.memory.get(0x10000000, 300) == pico_like()[:300]
    assert image.binary_info is not None
    assert image.identity.build == "RPI_PICO"


def test_uf2_whose_family_says_no_chip() -> None:
    for family in (ABSOLUTE, None):
        image = FirmwareImage.read(write_uf2([(family, at(0x10000000, pico_like()))]))
        assert (image.chip, image.port, image.uf2_family) == ("rp2040", "rp2", RP2040)


def test_raw_rp2() -> None:
    image = FirmwareImage.read(pico_like())
    assert (image.format, image.chip, image.port, image.start) == ("bin", "rp2040", "rp2", 0x10000000)
    newer = FirmwareImage.read(Rp2Program().build(rp2350=True))
    assert (newer.chip, newer.uf2_family) == ("rp2350", RP2350_ARM_S)


def test_hex() -> None:
    image = FirmwareImage.read(write_hex(at(0x10000000, pico_like())))
    assert (image.format, image.chip, image.port, image.uf2_family) == ("hex", "rp2040", "rp2", RP2040)
    assert FirmwareImage.read(write_hex(at(0x08000000, STM32))).chip == "stm32"
    assert FirmwareImage.read(write_hex(at(0x60000000, bytes(64)))).port == "mimxrt"
    nrf = Memory.of([(0, bytes(64)), (0x10001200, bytes(8))])
    assert FirmwareImage.read(write_hex(nrf)).port == "nrf"
    assert FirmwareImage.read(write_hex(at(0x1000, bytes(8)))).chip == ""


def test_dfuse() -> None:
    parts = (DfuElement(0x08000000, STM32), DfuElement(0x08020000, bytes(64)))
    data = write_dfu((DfuTarget(parts),))
    image = FirmwareImage.read(data)
    assert (image.format, image.chip, len(image.memory)) == ("dfuse", "stm32", 2)
    image.require_valid()
    broken = FirmwareImage.read(data[:700] + b"x" + data[701:])
    with pytest.raises(ImageError) as caught:
        broken.require_valid()
    assert (caught.value.code, caught.value.fields["checks"]) == ("image.damaged", ["the CRC-32 of the DFU suffix"])


def test_plain_dfu(esp_parts: Parts) -> None:
    app = esp_parts("esp32s3").app
    image = FirmwareImage.read(add_suffix(app, vendor=0x2341, product=0x0070))
    assert (image.format, image.chip, image.role, image.place_known) == ("dfu", "esp32s3", "app", False)
    assert image.size == len(app)
    image.require_valid()
    assert image.encode(image.memory) == image.raw
    with pytest.raises(ImageError, match="two suffixes"):
        FirmwareImage.read(add_suffix(image.raw, vendor=1, product=2))


def test_esp(esp_parts: Parts) -> None:
    parts = esp_parts("esp32")
    image = FirmwareImage.read(parts.merged)
    assert (image.format, image.chip, image.port, image.start) == ("esp", "esp32", "esp32", 0x1000)
    assert len(image.checks) == 5
    image.require_valid()
    assert image.identity.version == "v1.27.0"
    assert image.identity.build == "ESP32_GENERIC"
    app = FirmwareImage.read(parts.app)
    assert (app.role, app.place_known) == ("app", False)
    assert any("slot" in note for note in app.notes)
    old = FirmwareImage.read(esp8266())
    assert (old.chip, old.port, old.start) == ("esp8266", "esp8266", 0)


def test_a_damaged_application_is_told(esp_parts: Parts) -> None:
    data = bytearray(esp_parts("esp32").merged)
    data[0x10000 - 0x1000 + 0x400] ^= 1
    image = FirmwareImage.read(bytes(data))
    assert {check.name for check in image.checks if not check.ok} == {
        "the checksum of the application",
        "the SHA-256 of the application",
    }
    with pytest.raises(ImageError) as caught:
        image.require_valid()
    assert caught.value.fields["checks"] == ["the checksum of the application", "the SHA-256 of the application"]


def test_raw_arm() -> None:
    assert (FirmwareImage.read(STM32).chip, FirmwareImage.read(STM32).start) == ("stm32", 0x08000000)
    samd = FirmwareImage.read(SAMD)
    assert (samd.chip, samd.place_known) == ("", False)
    assert samd.notes
    mimxrt = FirmwareImage.read(b"FCFB" + bytes(600))
    assert (mimxrt.chip, mimxrt.start) == ("mimxrt", 0x60000000)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("firmware.bin", b"x")
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page"),
        (b"\xef\xbb\xbf\n  <HTML lang=en>", "is a web page"),
        (b"\x7fELF\x01\x01\x01" + bytes(100), "is an ELF file"),
        (gzip.compress(b"firmware", mtime=0), "is a gzip archive"),
        (zipped(), "is a zip archive"),
        (b"\xfd7zXZ\0" + bytes(50), "is an xz archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"M\x06\x00\x1f\x03\x00", "compiled module"),
        (romfs.build_romfs({"a": b"1"}), "ROMFS image"),
        (bytes(8) + b"littlefs" + bytes(600), "LittleFS"),
        (b"\xff" * 4096, "nothing but FF bytes"),
        (bytes(4096), "nothing but 00 bytes"),
        (b"import machine\n" * 20, "is a text file"),
        (b"\xe9\x05\x02\x20" + b"\x77" * 40, "begins like an ESP image but is damaged"),
        (b"UF2\n" + bytes(600), "begins like a UF2 file but is damaged"),
        (b"\x01\x02\x03", "only 3 bytes"),
        (b"\x93\x12" * 500, "firmware file that upytool knows"),
        (write_uf2([(RP2040, at(0x10000000, bytes(600)))])[:-100], "cut short"),
        (write_uf2([(RP2040, at(0x10000000, bytes(600)))])[:-512], "2 of 3 blocks"),
        (write_dfu((DfuTarget((DfuElement(0x08000000, STM32),)),))[:-100], "no suffix"),
        (write_dfu((DfuTarget(()),)), "holds no data"),
        (write_hex(at(0, bytes(100)))[:-20], "HEX file"),
    ],
)
def test_what_is_declined(data: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "firmware.bin"
    file.write_bytes(data)
    with pytest.raises(ImageError, match=said) as caught:
        FirmwareImage.read(file)
    assert caught.value.message.startswith("firmware.bin")
    assert not caught.value.message.endswith(".")
    with pytest.raises(ImageError, match=said):
        FirmwareImage.read(data)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no such file"):
        FirmwareImage.read(tmp_path / "missing.uf2")
    with pytest.raises(ImageError, match="is a directory"):
        FirmwareImage.read(tmp_path)
    with pytest.raises(ImageError, match="cannot read"):
        FirmwareImage.read("a\0b")
    with open(tmp_path / "huge.bin", "wb") as file:
        os.truncate(file.fileno(), 300 << 20)
    with pytest.raises(ImageError, match="larger than the limit"):
        FirmwareImage.read(tmp_path / "huge.bin")
    assert issubclass(ImageError, FlashError)
    assert ImageError.exit_code == 7
    assert ImageError.code == "image"


@pytest.mark.parametrize("made", ["uf2", "hex", "dfuse", "esp", "bin"])
def test_the_same_container_with_another_content(made: str, esp_parts: Parts) -> None:
    program = pico_like()
    stm32 = (DfuElement(0x08000000, STM32), DfuElement(0x08020000, bytes(64)))
    data, place = {
        "uf2": (write_uf2([(RP2040, at(0x10000000, program))]), 0x10080000),
        "hex": (write_hex(at(0x10000000, program)), 0x10080000),
        "dfuse": (write_dfu((DfuTarget(stm32, 0, "ST..."),)), 0x08004000),
        "esp": (esp_parts("esp32").merged, 0x200000),
        "bin": (program, 0x10080000),
    }[made]
    image = FirmwareImage.read(data)
    assert made == "uf2" or image.encode(image.memory) == data
    extended = FirmwareImage.read(image.encode(image.memory.replaced(place, b"files" * 8)))
    assert extended.format == image.format
    assert extended.memory.get(place, 40) == b"files" * 8
    assert extended.memory.get(image.start, 64) == image.memory.get(image.start, 64)
    extended.require_valid()


@pytest.mark.rig
def test_the_real_firmware(pico_uf2: Path) -> None:
    image = FirmwareImage.read(pico_uf2)
    assert (image.format, image.chip, image.identity.build) == ("uf2", "rp2040", "RPI_PICO")
    assert image.identity.release is not None
    assert image.identity.release >= (1, 25, 0)
    assert image.identity.mpy == (6, 3)
    assert image.identity.machine == "Raspberry Pi Pico with RP2040"
    assert image.identity.capabilities == ("VfsFat", "VfsLfs2")
    raw = FirmwareImage.read(image.memory.segments[0].data)
    assert (raw.chip, raw.memory) == ("rp2040", image.memory)
    assert FirmwareImage.read(write_hex(image.memory)).memory == image.memory
