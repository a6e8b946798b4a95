"""What `inspect` says."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.image.conftest import EspParts
from tests.unit.image.parts import GENERIC_4MB, Rp2Program, pico_like, vfs_table
from upytool.image import esp, romfs
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040
from upytool.image.inspect import Inspection, Region, inspect
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

Parts = Callable[[str], EspParts]


def pico_uf2_of(*more: tuple[int, bytes], program: bytes = b"") -> Inspection:
    memory = Memory.of([(0x10000000, program or pico_like()), *more])
    return inspect(FirmwareImage.read(write_uf2([(RP2040, memory)], sector=4096)))


def test_rp2() -> None:
    found = pico_uf2_of()
    assert (found.format, found.chip, found.version, found.build) == ("UF2", "rp2040", "v1.27.0", "RPI_PICO")
    assert found.build_source == "firmware"
    assert found.filesystem == Region("MicroPython", 0x100A0000, 0x160000)
    assert found.romfs == Region("ROMFS", 0x10080000, 0x20000)
    assert found.free == (("between the firmware and its ROMFS", 0x30000),)
    assert found.frozen == ("_boot", "asyncio/core", "rp2")
    assert found.warnings == ()
    assert found.valid


def test_what_lies_in_the_regions() -> None:
    files = romfs.build_romfs({"main.py": b"import app\n", "lib/app.py": b""})
    littlefs = (bytes(8) + b"littlefs").ljust(4096, b"\xff")
    found = pico_uf2_of((0x10080000, files), (0x100A0000, littlefs))
    assert found.romfs is not None
    assert found.romfs.content == "ROMFS, 3 entries"
    assert found.filesystem is not None
    assert found.filesystem.content == "LittleFS"
    damaged = pico_uf2_of((0x10080000, files[:5] + b"\0\0" + files[7:]), (0x100A0000, b"\xff" * 4096))
    assert damaged.romfs is not None
    assert damaged.romfs.content.startswith("damaged ROMFS")
    assert damaged.filesystem is not None
    assert damaged.filesystem.content == "erased"


def test_a_firmware_that_reaches_into_its_file_system() -> None:
    program = Rp2Program()
    program.device("MicroPython", 0x10008000, 0x8000, 3)
    found = pico_uf2_of(program=program.build(end=0x10009000))
    assert any("inside of its own file system" in text for text in found.warnings)
    assert any("no MicroPython" in text for text in found.warnings)


def test_esp32(esp_parts: Parts) -> None:
    parts = esp_parts("esp32")
    found = inspect(FirmwareImage.read(parts.merged))
    assert (found.chip, found.build, found.role, found.valid) == ("esp32", "ESP32_GENERIC", "firmware", True)
    assert [row.label for row in found.partitions] == ["nvs", "phy_init", "factory"]
    assert found.free == (("in the partition factory", 0x1F0000 - len(parts.app)),)
    assert found.filesystem is not None
    assert found.filesystem.address == 0x200000
    assert any("real flash" in text for text in found.warnings)
    assert ("ESP-IDF", "v5.5.2") in found.facts
    assert ("flash", "4 MiB, dio, 40m (as the header says)") in found.facts


def test_esp32_with_a_file_system_inside(esp_parts: Parts) -> None:
    parts = esp_parts("esp32")
    table = vfs_table([*GENERIC_4MB, ("vfs", 1, 0x81, 0x200000, 0x1000), ("romfs", 1, 0x8F, 0x201000, 0x1000)])
    fat = bytearray(4096)
    fat[54:59], fat[510:512] = b"FAT12", b"\x55\xaa"
    pieces = {
        0x1000: parts.bootloader,
        0x8000: table,
        0x10000: parts.app,
        0x200000: bytes(fat),
        0x201000: romfs.build_romfs({}),
    }
    found = inspect(FirmwareImage.read(esp.merge(pieces, base=0x1000)))
    assert found.filesystem == Region("vfs", 0x200000, 0x1000, "FAT")
    assert found.romfs == Region("romfs", 0x201000, 0x1000, "ROMFS, 0 entries")
    assert found.warnings == ()


def test_an_application_too_large_for_its_partition(esp_parts: Parts) -> None:
    parts = esp_parts("esp32")
    table = vfs_table([("factory", 0, 0, 0x10000, 0x1000)])
    pieces = {0x1000: parts.bootloader, 0x8000: table, 0x10000: parts.app}
    found = inspect(FirmwareImage.read(esp.merge(pieces, base=0x1000)))
    assert any(
        f"the application has {len(parts.app)} bytes, its partition only 4096" in text for text in found.warnings
    )


def test_the_name_of_the_file_helps(tmp_path: Path) -> None:
    program = Rp2Program()
    program.blob += b"\x003.4.0; MicroPython v1.22.0 on 2023-12-27\0\0\0\0"
    file = tmp_path / "RPI_PICO_W-20231227-v1.22.0.uf2"
    file.write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, program.build())]))]))
    found = inspect(FirmwareImage.read(file))
    assert (found.build, found.build_source) == ("RPI_PICO_W", "file name")
    assert any("(by the file's name)" in line for line in found.text())
    other = tmp_path / "PIMORONI_TINY2040-20251209-v1.27.0.uf2"
    other.write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, pico_like())]))]))
    assert any(
        "says PIMORONI_TINY2040, the firmware RPI_PICO" in text for text in inspect(FirmwareImage.read(other)).warnings
    )


def test_both_faces(esp_parts: Parts) -> None:
    for found in (pico_uf2_of(), inspect(FirmwareImage.read(esp_parts("esp32c3").merged))):
        data = json.loads(json.dumps(found.data()))
        assert data["version"] == found.version == "v1.27.0"
        assert data["mpy"] == [6, 3]
        assert data["valid"] is True
        text = "\n".join(found.text())
        for word in (found.version, found.build, found.machine, found.sha256, found.chip, "VfsLfs2"):
            assert word in text
    assert "0x10000000-" in "\n".join(pico_uf2_of().text())


def test_a_wrong_check_sum_is_loud(esp_parts: Parts) -> None:
    data = bytearray(esp_parts("esp32").merged)
    data[-40] ^= 1
    found = inspect(FirmwareImage.read(bytes(data)))
    assert not found.valid
    assert any("DOES NOT AGREE" in line for line in found.text())


def test_two_mebibytes_are_quick(esp_parts: Parts) -> None:
    """The whole command has 0.3 s; this is its work alone, with room for a busy machine."""
    body = (pico_like() + bytes(range(256)) * 8192)[: 2 << 20]
    data = write_uf2([(RP2040, Memory.of([(0x10000000, body)]))])
    started = time.process_time()
    found = inspect(FirmwareImage.read(data))
    assert time.process_time() - started < 1
    assert found.size == 2 << 20


@pytest.mark.rig
def test_the_real_firmware(pico_uf2: Path) -> None:
    found = inspect(FirmwareImage.read(pico_uf2))
    assert (found.chip, found.build, found.capabilities) == ("rp2040", "RPI_PICO", ("VfsFat", "VfsLfs2"))
    assert found.filesystem == Region("MicroPython", 0x100A0000, 0x160000)
    (free,) = found.free
    assert 0x40000 < free[1] < 0x60000
    assert found.warnings == ()
