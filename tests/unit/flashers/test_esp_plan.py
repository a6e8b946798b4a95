"""Checks, slots and changed sectors, without a chip."""

from __future__ import annotations

import struct
import zlib
from hashlib import md5
from pathlib import Path

import pytest

from tests.fakes.esp_firmware import TABLE, esp_image, firmware
from tests.unit.builder.bases import esp8266, made
from upytool.errors import FlashError, ImageError
from upytool.flashers import esp_plan, esp_slots
from upytool.flashers.base import Chip, FlashOptions, FlashTarget
from upytool.flashers.esp_advice import boot_mode, button_steps, explain, fault_of
from upytool.flashers.sectors import join
from upytool.image.base import FirmwareImage
from upytool.image.esp_partitions import APP, DATA, Partition, PartitionTable
from upytool.image.memory import Memory

FOUR = Chip("esp32", flash_size=4 << 20)
OTA = PartitionTable(
    (
        Partition("nvs", DATA, 2, 0x9000, 0x4000),
        Partition("otadata", DATA, 0, 0xD000, 0x2000),
        Partition("ota_0", APP, 0x10, 0x10000, 0x180000),
        Partition("ota_1", APP, 0x11, 0x190000, 0x180000),
    )
)


class Flash:
    """Flash that counts how often it is hashed."""

    def __init__(self, data: bytes) -> None:
        self.data, self.asked = bytearray(data), 0

    def md5(self, address: int, size: int) -> str:
        self.asked += 1
        return md5(self.data[address : address + size]).hexdigest()


@pytest.mark.parametrize("changed", [[], [0], [5], [15, 16], [100], [0, 50, 99]])
def test_changed_sectors_are_found_with_few_questions(changed: list[int]) -> None:
    data = bytes(range(256)) * 16 * 101
    flash = Flash(data)
    for sector in changed:
        flash.data[sector * 4096 + 77] ^= 1
    memory = Memory.of([(0, data[: 100 * 4096 + 500])])
    found = esp_plan.find_changed(memory, flash.md5)
    inside = [sector for sector in changed if sector * 4096 + 77 < memory.end]
    assert found == join((sector * esp_plan.SECTOR, esp_plan.SECTOR) for sector in inside)
    assert flash.asked <= 7 + 8 * len(changed)


def test_another_firmware_is_not_looked_at_closely() -> None:
    memory = Memory.of([(0, b"a" * 0x100000)])
    flash = Flash(b"b" * 0x100000)
    assert esp_plan.find_changed(memory, flash.md5) == [(0, 0x100000)]
    assert flash.asked == 4
    flash.data[:0x20000] = b"a" * 0x20000
    assert esp_plan.find_changed(memory, flash.md5) == [(0x20000, 0xE0000)]
    assert flash.asked < 30


def test_only_the_given_bytes_are_compared() -> None:
    flash = Flash(b"x" * 0x4000)
    memory = Memory.of([(0x1100, b"x" * 16), (0x3001, b"y")])
    assert esp_plan.find_changed(memory, flash.md5, thorough=True) == [(0x3000, 0x1000)]
    assert esp_plan.touched_ranges(memory) == [(0x1000, 0x1000), (0x3000, 0x1000)]
    assert esp_plan.writes(memory, [(0x3000, 0x1000)]) == [(0x3000, b"\xff" + b"y" + b"\xff" * 0xFFE)]


def test_partly_covered_sectors() -> None:
    memory = Memory.of([(0x1100, b"x" * 0x2000), (0x4000, b"y" * 0x1000), (0x5000, b"z")])
    assert esp_plan.partial_sectors(memory) == [0x1000, 0x3000, 0x5000]
    old = Memory.of((at, b"o" * 0x1000) for at in (0x1000, 0x3000, 0x5000))
    found = esp_plan.filled(memory, old)
    assert [(each.address, each.end) for each in found] == [(0x1000, 0x6000)]
    assert found.read(0x1000, 0x101) == b"o" * 0x100 + b"x"
    assert found.read(0x30FF, 2) == b"xo"
    assert found.read(0x4FFF, 3) == b"yzo"


def test_progress_adds_up() -> None:
    memory = Memory.of([(0x1000, bytes(200_000))])
    seen: list[int] = []
    esp_plan.find_changed(memory, Flash(bytes(0x40000)).md5, advance=seen.append)
    assert sum(seen) == 200_000


def entry(sequence: int, state: int = 2, crc: int | None = None) -> bytes:
    packed = struct.pack("<I", sequence)
    crc = zlib.crc32(packed, 0xFFFFFFFF) if crc is None else crc
    return (packed + b"\xff" * 20 + struct.pack("<II", state, crc)).ljust(0x1000, b"\xff")


@pytest.mark.parametrize(
    ("otadata", "label"),
    [
        (b"", "ota_0"),
        (b"\xff" * 0x2000, "ota_0"),
        (entry(1) + b"\xff" * 0x1000, "ota_0"),
        (entry(1) + entry(2), "ota_1"),
        (entry(3) + entry(2), "ota_0"),
        (entry(1) + entry(2, crc=5), "ota_0"),
        (entry(1) + entry(2, state=4), "ota_0"),
    ],
)
def test_the_slot_that_starts(otadata: bytes, label: str) -> None:
    assert esp_slots.choose_slot(OTA, otadata, "running").label == label


def test_slots_by_name() -> None:
    assert esp_slots.choose_slot(OTA, b"", "ota_1").offset == 0x190000
    assert esp_slots.choose_slot(PartitionTable(TABLE), b"", "running").label == "factory"
    with pytest.raises(FlashError, match="no application slot nvs"):
        esp_slots.choose_slot(OTA, b"", "nvs")
    app = FirmwareImage.read(esp_image("esp32", bytes(40_000), app=True))
    with pytest.raises(ImageError, match="the slot tiny 4096"):
        esp_slots.slot_memory(app, Partition("tiny", APP, 0x10, 0x10000, 0x1000))


def test_a_uf2_file_is_for_another_boot_loader() -> None:
    from upytool.image.uf2 import write_uf2

    image = FirmwareImage.read(write_uf2([(0xC47E5767, Memory.of([(0, bytes(512))]))]))
    assert "TinyUF2" in str(esp_plan.why_not(image))
    pico = FirmwareImage.read(write_uf2([(0xE48BFF56, Memory.of([(0x10000000, bytes(512))]))]))
    assert "for rp2040" in str(esp_plan.why_not(pico))


def test_options_of_the_header() -> None:
    image = FirmwareImage.read(firmware("esp32"))
    assert esp_plan.with_options(image, FOUR, FlashOptions()) is image
    same = esp_plan.with_options(image, FOUR, FlashOptions(flash_size="4MB", flash_mode="dio"))
    assert same is image
    other = esp_plan.with_options(image, FOUR, FlashOptions(flash_size="16MB"))
    assert other.raw[3] == 0x40
    other.require_valid()
    for wrong in (FlashOptions(flash_size="7"), FlashOptions(flash_mode="fast"), FlashOptions(flash_freq="1m")):
        with pytest.raises(FlashError):
            esp_plan.with_options(image, FOUR, wrong)


def test_an_esp8266_image_with_a_file_system_keeps_its_size(tmp_path: Path) -> None:
    """The region follows from the header: with another size there, the board would not mount what is in the image."""
    image = FirmwareImage.read(made(tmp_path, esp8266(0x40), ".bin").output)
    two, four, eight = (Chip("esp8266", flash_size=size << 20) for size in (2, 4, 8))
    for chip, size in ((four, "keep"), (eight, "keep"), (four, "4MB"), (Chip("esp8266"), "keep")):
        assert esp_plan.with_options(image, chip, FlashOptions(flash_size=size)).raw[3] == 0x40
    with pytest.raises(ImageError, match="made for 4 MB of flash, this board has 2 MB") as caught:
        esp_plan.with_options(image, two, FlashOptions())
    assert "--flash-size 2MB" in caught.value.hint
    for wrong in ("8MB", "detect"):
        with pytest.raises(ImageError, match="would not mount it"):
            esp_plan.with_options(image, eight, FlashOptions(flash_size=wrong))
    plain = FirmwareImage.read(esp8266(0x20))
    assert esp_plan.with_options(plain, eight, FlashOptions()).raw[3] & 0xF0 == 0x80, "an official file is put right"


def test_a_flash_of_unknown_size_is_a_warning() -> None:
    image = FirmwareImage.read(firmware("esp32"))
    assert "not known" in esp_plan.check_image(image, Chip("esp32"), FlashOptions())[-1]


def test_a_whole_firmware_is_for_no_slot() -> None:
    with pytest.raises(ImageError, match="does not go into the slot"):
        esp_plan.check_image(FirmwareImage.read(firmware("esp32")), FOUR, FlashOptions(slot="running"))


# -- words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "chip", "said"),
    [
        ("Wrong boot mode detected (0x13)! The chip needs", "esp32", "GPIO0 was high"),
        ("Wrong boot mode detected (0x0b)!", "esp32", "GPIO2 was high"),
        ("Wrong boot mode detected (0xc)!", "esp32c3", "GPIO9 was high"),
        ("Wrong boot mode detected (0x0)!", "esp32c3", "GPIO8 was low"),
        ("Wrong boot mode detected (0x13)!", "", "as 0x13"),
        ("Download mode successfully detected, ... TX path seems to be down.", "esp32", "does not hear"),
        ("Guru Meditation Error detected (LoadProhibited).", "", "crashed (LoadProhibited)"),
        ("Unexpected chip ID value 99. Failed to autodetect chip type.", "", "does not know"),
        ("Failed to connect to Espressif device: No serial data received.", "", "nothing answers on /dev/x"),
        ("Invalid head of packet (0x41): Possible serial noise", "", "no bootloader"),
    ],
)
def test_esptools_words_are_explained(text: str, chip: str, said: str) -> None:
    target = FlashTarget("unknown", "/dev/x", address="/dev/x", chip=chip)
    error = explain(text, target, reset="DTR and RTS", doing="connecting")
    assert said in error.message
    assert error.hint
    assert not error.message.endswith(".")


def test_steps_by_hand_are_the_boards_own() -> None:
    assert "BOOT (GPIO9)" in button_steps("esp32c6").text
    assert "FLASH (GPIO0)" in button_steps("esp8266").text
    assert "B1 to GND" in button_steps("esp32s3", "ARDUINO_NANO_ESP32").text
    assert "GPIO35 was high" in boot_mode(0x0F, "esp32p4").text
    assert "GPIO27 was low" in boot_mode(0x03, "esp32c5").text
    assert "0x13" in boot_mode(0x13).text


def test_which_errors_are_the_cables() -> None:
    assert fault_of("Failed to write to target flash after seq 3 (result was C100: Bad data checksum)") == "transfer"
    assert fault_of("MD5 of file does not match data in flash!") == "transfer"
    assert fault_of("Digest mismatch: expected 00, got 01") == "digest"
    assert not fault_of("This chip is ESP32, not ESP32-S3. Wrong chip argument?")


def test_esptool_is_not_imported_before_it_is_used() -> None:
    import subprocess
    import sys

    code = "import sys, upytool.flashers.esp, upytool.flashers.esp_loader; assert 'esptool' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
