"""Which machine code a firmware takes, by board and by chip."""

from __future__ import annotations

import pytest

from tests.unit.builder.bases import esp32, esp8266, pico, samd
from upytool.boards.catalogue import get
from upytool.builder.arch import arch_of, arch_of_image
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2350_ARM_S, RP2350_RISCV


@pytest.mark.parametrize(
    ("board", "variant", "release", "want"),
    [
        ("RPI_PICO", "", (1, 25), ("armv6m", 0)),
        ("RPI_PICO2", "", (1, 25), ("armv7m", 0)),
        ("RPI_PICO2", "RISCV", (1, 27), ("rv32imc", 3)),
        ("RPI_PICO2", "RISCV", (1, 26), ("rv32imc", 0)),
        ("ESP32_GENERIC", "", (1, 27), ("xtensawin", 0)),
        ("ESP32_GENERIC_C3", "", (1, 27), ("rv32imc", 0)),
        ("ESP8266_GENERIC", "", (1, 27), ("xtensa", 0)),
        ("PYBV11", "", (1, 27), ("armv7m", 0)),
        ("NUCLEO_F091RC", "", (1, 27), ("armv6m", 0)),
        ("SAMD_GENERIC_D21X18", "", (1, 27), ("armv6m", 0)),
        ("SAMD_GENERIC_D51X19", "", (1, 27), ("armv7m", 0)),
        ("PCA10056", "", (1, 27), ("", 0)),
        ("TEENSY41", "", (1, 27), ("armv7m", 0)),
    ],
)
def test_by_board(board: str, variant: str, release: tuple[int, ...], want: tuple[str, int]) -> None:
    found = get(board)
    assert found is not None
    assert arch_of(found, release, variant) == want


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (pico(), ("armv6m", 0)),
        (pico(family=RP2350_ARM_S), ("armv7m", 0)),
        (pico(family=RP2350_RISCV), ("rv32imc", 3)),
        (esp32(), ("xtensawin", 0)),
        (esp32(chip="esp32c3"), ("rv32imc", 0)),
        (esp8266(), ("xtensa", 0)),
        (samd("X"), ("armv7m", 0)),
        (samd("X", family=0x68ED2B88), ("armv6m", 0)),
    ],
)
def test_by_chip(data: bytes, want: tuple[str, int]) -> None:
    assert arch_of_image(FirmwareImage.read(data), (1, 27, 0)) == want
