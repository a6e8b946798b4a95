"""Flash layouts: numbers that were found by hand, and what has to hold for every row."""

from __future__ import annotations

import os

import pytest

from tests.rigs.base import cache_root
from tests.rigs.board_tree import trees
from tests.rigs.debian_source import source_tree
from tests.rigs.pico import pico_image
from upytool.boards.data import load
from upytool.boards.layouts import LayoutError, Region, layouts
from upytool.image.base import FirmwareImage

K = 1024


@pytest.mark.parametrize(
    ("board", "variant", "version", "start", "size", "kind", "block"),
    [
        ("RPI_PICO", "", "1.25.0", 0x100A0000, 1408 * K, "littlefs", 4096),
        ("rpi_pico", "", "v1.28.0", 0x100A0000, 1408 * K, "littlefs", 4096),
        ("RPI_PICO_W", "", "1.26.1", 0x1012C000, 848 * K, "littlefs", 4096),
        ("RPI_PICO2", "RISCV", "1.26.1", 0x10100000, 3072 * K, "littlefs", 4096),
        ("RPI_PICO2_W", "", "1.29.0-preview", 0x10180000, 2560 * K, "littlefs", 4096),
        ("ESP32_GENERIC", "", "1.25.0", 0x200000, 2048 * K, "littlefs", 4096),
        ("ESP32_GENERIC", "OTA", "1.25.0", 0x310000, 960 * K, "littlefs", 4096),
        ("ESP32_GENERIC", "D2WD", "1.25.0", 0x170000, 320 * K, "littlefs", 4096),
        ("ESP32_GENERIC", "D2WD", "1.26.0", 0x170000, None, "littlefs", 4096),
        ("ARDUINO_NANO_ESP32", "", "1.26.1", 0x610000, 9600 * K, "fat", 512),
        ("ESP8266_GENERIC", "", "1.26.1", 0x100000, None, "littlefs", 4096),
        ("ESP8266_GENERIC", "FLASH_1M", "1.26.1", 0x99000, None, "littlefs", 4096),
        ("PYBV11", "", "1.26.1", 0x08004000, 112 * K, "fat", 512),
        ("NUCLEO_F411RE", "", "1.26.1", 0x08004000, 64 * K, "fat", 512),
        ("NUCLEO_F767ZI", "", "1.26.1", 0x08008000, 96 * K, "fat", 512),
        ("NUCLEO_H743ZI", "", "1.26.1", 0x08180000, 512 * K, "fat", 512),
        ("NUCLEO_L476RG", "", "1.26.1", 0x08080000, 512 * K, "fat", 512),
        ("NUCLEO_F091RC", "", "1.26.1", 0x0803B000, 20 * K, "littlefs1", 512),
        ("SAMD_GENERIC_D21X18", "", "1.26.1", 0x30000, 63 * K, "littlefs1", 1536),  # 42 whole blocks of 64 K
        ("SAMD_GENERIC_D51X19", "", "1.25.0", 0x60000, 130560, "littlefs", 1536),
        ("SAMD_GENERIC_D51X19", "", "1.26.1", 0x60000, 128 * K, "littlefs", 2048),
        ("PCA10056", "", "1.26.1", 0xF0000, 64 * K, "littlefs", 4096),
        ("TEENSY41", "", "1.26.1", 0x60100000, 7 * K * K - 4096, "littlefs", 4096),
    ],
)
def test_numbers(board: str, variant: str, version: str, start: int, size: int | None, kind: str, block: int) -> None:
    region = layouts(board, variant, version)[0]
    assert (region.start, region.size, region.kind, region.block_size) == (start, size, kind, block)


def test_to_the_end_of_flash() -> None:
    (region,) = layouts("ESP32_GENERIC", version="1.26.1", flash_size=8 << 20)
    assert (region.start, region.size, region.end) == (0x200000, 6 << 20, 8 << 20)
    (region,) = layouts("ESP8266_GENERIC", version="1.26.1", flash_size=4 << 20)
    assert region.end == (4 << 20) - 20480
    with pytest.raises(LayoutError, match="no room"):
        layouts("ESP32_GENERIC", version="1.26.1", flash_size=2 << 20)


def test_first_boot() -> None:
    """builder.md, §3.3: what a booted RP2040 accepted."""
    (region,) = layouts("RPI_PICO", version="1.25.0")
    assert region.parameters == {
        "read_size": 32,
        "prog_size": 256,
        "cache_size": 1024,
        "lookahead_size": 32,
        "block_cycles": 100,
        "name_max": 255,
        "disk_version": 0x20001,
    }
    assert (region.mount, region.on_failure) == ("/", "formats")
    assert layouts("PYBV11", version="1.25.0")[0].parameters == {}
    assert layouts("NUCLEO_L432KC", version="1.25.0")[0].on_failure == "none"


def test_romfs_and_pieces() -> None:
    flash, romfs = layouts("ESP8266_GENERIC", "FLASH_2M_ROMFS", "1.26.1")
    assert (flash.start, romfs.start, romfs.size, romfs.kind) == (0x100000, 0xB0000, 320 * K, "romfs")
    (region,) = layouts("NUCLEO_F413ZH", version="1.26.1")
    assert region.segments == ((0x08004000, 176 * K), (0x08040000, 64 * K))
    assert (region.size, region.end) == (240 * K, 0x08050000)


@pytest.mark.parametrize(
    ("board", "variant", "version", "words"),
    [
        ("NO_SUCH", "", "1.26.1", "NO_SUCH is not known"),
        ("RPI_PICO", "FOO", "1.26.1", "variant FOO"),
        ("RPI_PICO", "", "1.24.1", "not known for MicroPython 1.24.1"),
        ("RPI_PICO", "", "1.30.0", "not known for MicroPython 1.30.0"),
        ("ADAFRUIT_QTPY_RP2040", "", "1.27.0", "not known for MicroPython 1.27.0"),
        ("RPI_PICO", "", "", "version"),
        ("RPI_PICO", "", "latest", "version"),
        ("RPI_PICO", "", "1.260", "not known"),
        ("PYBD_SF2", "", "1.26.1", "flash chip of its own"),
        ("ESP8266_GENERIC", "FLASH_512K", "1.26.1", "no file system"),
        ("SAMD_GENERIC_D51X20", "", "1.25.0", "no flash for a file system"),
    ],
)
def test_refusals(board: str, variant: str, version: str, words: str) -> None:
    with pytest.raises(LayoutError, match=words):
        layouts(board, variant, version)


def test_every_row_makes_sense() -> None:
    rows = load("layouts.json")["layouts"]
    assert len(rows) > 200
    for row in rows:
        assert row["from"] <= row["to"]
        assert ("regions" in row) != ("none" in row)
        if "none" in row:
            continue
        found: list[Region] = layouts(row["board"], row["variant"], row["from"], flash_size=64 << 20)
        for region in found:
            assert region.size is not None
            assert region.size > 0
            if region.kind != "romfs":
                assert region.size % region.block_size == 0, row
                assert region.start % 256 == 0
                assert region.mount in ("/", "/flash")
                assert region.size // region.block_size >= 8
            assert region.data()["start"] == region.start


def test_boards_of_both_tags_have_a_layout_in_both() -> None:
    ranges: dict[tuple[str, str], list[str]] = {}
    for row in load("layouts.json")["layouts"]:
        ranges.setdefault((row["board"], row["variant"]), []).extend((row["from"], row["to"]))
    for versions in ranges.values():
        assert versions == sorted(versions)


def test_a_real_firmware_says_the_same() -> None:
    """The firmware of the Pico rig carries its file system's place in its binary info."""
    images = sorted(cache_root().glob("pico-*/firmware.uf2"))
    if not images and not os.environ.get("CI"):
        pytest.skip("the Pico rig is not built here")
    image = FirmwareImage.read(images[-1] if images else pico_image())
    assert image.binary_info is not None
    said = image.binary_info.filesystem
    assert said is not None
    (region,) = layouts(image.identity.build, version=image.identity.version)
    assert (region.start, region.size) == (said.address, said.size)


def test_the_files_are_what_the_trees_say() -> None:
    tags = load("catalogue.json")["tags"]
    if os.environ.get("CI"):
        for tag in tags:
            source_tree(f"micropython-{tag}")
    elif [tag for tag, _ in trees()] != tags:
        pytest.skip("the source trees of the rigs are not here")
    from tests.rigs.board_catalogue import FOLDER, outputs

    for name, text in outputs().items():
        assert (FOLDER / name).read_text(encoding="utf-8") == text, f"run python -m tests.rigs.board_catalogue: {name}"
