"""What is said of an image on a chip whose flash does not tell its size."""

from __future__ import annotations

import pytest

from tests.fakes.loader_model import image
from upytool.flashers.base import Chip
from upytool.flashers.rp2_fit import place


def ask(kind: int, parameter: int) -> bytes:
    raise AssertionError("an RP2040 has no GET_INFO")


@pytest.mark.parametrize(("size", "warned"), [(64 << 10, False), (1 << 20, False), ((1 << 20) + 4096, True)])
def test_an_empty_flash_is_a_matter_for_large_firmware_alone(size: int, warned: bool) -> None:
    found = place(image(size=size, fs=None), Chip("rp2040", flash_base=0x10000000, flash_size=None), ask)
    assert bool(found.warnings) is warned
    if warned:
        assert found.warnings == ["an empty flash does not tell its size: this firmware needs 1028 KiB"]
