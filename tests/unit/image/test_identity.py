"""Which MicroPython: the texts of builds."""

from __future__ import annotations

import time

import pytest

from tests.unit.image.parts import micropython_texts
from upytool.image.identity import Identity, from_file_name, identify, release_of
from upytool.image.memory import Memory


def of(*parts: bytes) -> Identity:
    return identify(Memory.of((0x1000 * number, part) for number, part in enumerate(parts)))


def test_all_of_it() -> None:
    found = of(bytes(20) + micropython_texts("v1.27.0", "ESP32_GENERIC-SPIRAM"))
    assert (found.implementation, found.version, found.date) == ("MicroPython", "v1.27.0", "2025-12-09")
    assert (found.build, found.machine, found.mcu) == (
        "ESP32_GENERIC-SPIRAM",
        "Generic ESP32 module with ESP32",
        "ESP32",
    )
    assert found.capabilities == ("VfsFat", "VfsLfs2")
    assert found.release == (1, 27, 0)
    assert found.mpy == (6, 3)


@pytest.mark.parametrize(
    ("version", "release", "mpy"),
    [
        ("v1.29.0-preview.100.gabc1234567", (1, 29, 0), (6, 3)),
        ("v1.22.2", (1, 22, 2), (6, 2)),
        ("v1.19.1-dirty", (1, 19, 1), (6, 0)),
        ("1.12", (1, 12, 0), (5, 0)),
    ],
)
def test_versions(version: str, release: tuple[int, int, int], mpy: tuple[int, int]) -> None:
    found = of(micropython_texts(version))
    assert (found.version, found.release, found.mpy) == (version, release, mpy)


def test_before_1_25_a_board_has_no_build_name() -> None:
    assert of(micropython_texts("v1.24.1", "SOMETHING")).build == ""


def test_the_build_name_behind_an_address() -> None:
    text = b"3.4.0; MicroPython v1.27.0 on 2025-12-09\0"
    assert of(b"\xfc\x00\x04\x10RPI_PICO\0" + text).build == "RPI_PICO"
    assert (
        of(b"\xb4\x12\x00\x42ESP32_GENERIC_C3\0\0\0\0" + text + b"MicroPython-1.27.0-riscv-IDFv5.5.2\0").build
        == "ESP32_GENERIC_C3"
    )
    assert of(b"\0\0B_L475E_IOT01A\0" + text).build == "B_L475E_IOT01A"
    assert of(text + b"\0\0\0PYBV11-DP\0").build == "PYBV11-DP"
    assert of(b"lower_case\0" + text).build == ""


def test_in_a_second_segment() -> None:
    assert of(b"vectors", micropython_texts()).build == "ESP32_GENERIC"


def test_circuitpython_is_told_apart() -> None:
    text = b"Adafruit CircuitPython 9.2.1 on 2024-11-20; Raspberry Pi Pico with rp2040\0"
    found = of(text)
    assert (found.implementation, found.version, found.mpy) == ("CircuitPython", "9.2.1", None)
    assert found.machine == "Raspberry Pi Pico with rp2040"


def test_nothing() -> None:
    assert of(bytes(1000)) == Identity()
    assert of() == Identity()
    assert release_of("nonsense") is None


def test_file_names() -> None:
    assert from_file_name("/x/RPI_PICO-20250415-v1.25.0.uf2") == ("RPI_PICO", "v1.25.0")
    assert from_file_name("ESP32_GENERIC-SPIRAM-20251209-v1.27.0.bin") == ("ESP32_GENERIC-SPIRAM", "v1.27.0")
    assert from_file_name("ESP32_GENERIC-20251209-v1.28.0-preview.5.gabc.app-bin") == (
        "ESP32_GENERIC",
        "v1.28.0-preview.5.gabc",
    )
    assert from_file_name("firmware.uf2") is None


@pytest.mark.parametrize(
    "made_up", [b"Python v", b"MicroPython v1" + b"1" * 60 + b" on ", b"; x with ", b"; " * 8, b" with "]
)
def test_made_up_texts_do_not_take_long(made_up: bytes) -> None:
    started = time.process_time()
    of(made_up * (4_000_000 // len(made_up)))
    assert time.process_time() - started < 2
