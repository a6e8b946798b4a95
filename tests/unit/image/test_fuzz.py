"""No input crashes or hangs the readers: anything but a value or an ImageError is a fault."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.unit.image.conftest import EspParts
from tests.unit.image.parts import pico_like
from tests.unit.image.test_esp import esp8266
from tests.unit.image.test_inspect import inspect
from upytool.errors import ImageError
from upytool.image import romfs
from upytool.image.base import FirmwareImage
from upytool.image.chips import RP2040, RP2350_ARM_S
from upytool.image.dfuse import DfuElement, DfuTarget, add_suffix, write_dfu
from upytool.image.esp_partitions import read_table
from upytool.image.intel_hex import write_hex
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2
from upytool.mpy import header as mpy

STARTS = (
    b"", b"UF2\nWQ]\x9e", b"DfuSe\x01", b":", b"\xe9\x01\x02\x20", b"\xd2\xcd\x31", b"M\x06\x13\x1f",
    b"\xaa\x50", b"FCFB",
)  # fmt: skip


def look(data: bytes) -> bool:
    """Whether all that reads firmware takes it; every refusal is an ImageError."""
    try:
        found = inspect(FirmwareImage.read(data))
    except ImageError as refusal:
        if not refusal.message or "\n" in refusal.message:
            raise AssertionError("not one sentence") from refusal
        return False
    assert found.text()
    assert found.data()
    return True


def others(data: bytes) -> None:
    for read in (romfs.read_romfs, mpy.read_header, read_table):
        try:
            read(data)
        except ImageError:
            pass


@settings(max_examples=400)
@given(st.sampled_from(STARTS), st.binary(max_size=1600))
@example(b"", b"\xe9" + b"\xff" * 40)
def test_bytes_of_any_kind(start: bytes, rest: bytes) -> None:
    look(start + rest)
    others(start + rest)


def samples(esp_parts: Callable[[str], EspParts]) -> dict[str, bytes]:
    memory = Memory.of([(0x10000000, pico_like()), (0x100A0000, bytes(8) + b"littlefs")])
    firmware = esp_parts("esp32")
    return {
        "uf2": write_uf2([(RP2040, memory)]),
        "rp2350": write_uf2([(RP2350_ARM_S, memory)], erratum_block=True),
        "bin": pico_like(),
        "hex": write_hex(memory),
        "dfuse": write_dfu((DfuTarget((DfuElement(0x08000000, pico_like()), DfuElement(0x08020000, bytes(40)))),)),
        "dfu": add_suffix(firmware.app, vendor=1, product=2),
        "esp": firmware.merged,
        "app": firmware.app,
        "esp8266": esp8266(),
    }


HOSTILE = (
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\x80\0\0\0",
    b"\0\0\0\x10",
    b"\xff",
    b"\0",
    b"\x80",
)


@pytest.mark.parametrize("kind", ["uf2", "rp2350", "bin", "hex", "dfuse", "dfu", "esp", "app", "esp8266"])
def test_changed_files(kind: str, esp_parts: Callable[[str], EspParts]) -> None:
    data = samples(esp_parts)[kind]
    assert look(data)
    luck = random.Random(kind)
    slowest = 0.0
    for turn in range(150):
        changed = bytearray(data)
        for _ in range(luck.choice((1, 1, 1, 4, 30))):
            # Headers first: that is where numbers lie.
            at = luck.randrange(luck.choice((64, 600, len(data))))
            new = luck.choice(HOSTILE) if luck.random() < 0.7 else luck.randbytes(luck.randrange(1, 9))
            changed[at : at + len(new)] = new
        if turn % 5 == 0:
            del changed[luck.randrange(len(changed)) :]
        started = time.process_time()
        look(bytes(changed))
        slowest = max(slowest, time.process_time() - started)
    assert slowest < 2


@pytest.mark.rig
def test_the_real_firmware_changed(pico_uf2: Path) -> None:
    raw = FirmwareImage.read(pico_uf2).memory.segments[0].data
    luck = random.Random(1)
    start = raw.index(b"\xf2\xeb\x88\x71")
    (first,) = (int.from_bytes(raw[start + 4 : start + 8], "little") - 0x10000000,)
    for _ in range(100):
        changed = bytearray(raw)
        for _ in range(20):
            at = luck.choice((start, first, first - 400)) + luck.randrange(400)
            changed[at] = luck.randrange(256)
        look(bytes(changed))
