"""The binary info of RP2 programs: a model of one, and the real RPI_PICO firmware."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.image.parts import Rp2Program, boot2, pico_like
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.image.rp2_binary_info import BlockDevice, boot2_ok, image_type, read_binary_info


def test_records() -> None:
    info = read_binary_info(Memory.of([(0x10000000, pico_like())]))
    assert info is not None
    assert (info.program, info.version, info.date, info.board) == (
        "MicroPython",
        "v1.27.0",
        "Dec  9 2025",
        "pico",
    )
    assert info.sdk == "2.1.1"  # its text lies in RAM at run time
    assert info.features == ("USB REPL", "thread support")
    assert info.attributes == ("MinSizeRel",)
    assert info.frozen == ("_boot", "asyncio/core", "rp2")
    assert info.filesystem == BlockDevice("MicroPython", 0x100A0000, 0x160000, 3)
    assert info.romfs == BlockDevice("ROMFS", 0x10080000, 0x20000, 1)
    assert info.binary_end == 0x10050000


def test_a_program_in_ram() -> None:
    program = Rp2Program(base=0x20000000)
    program.string(0x5052, 0x02031C86, "ram program")
    info = read_binary_info(Memory.of([(0x20000000, program.build())]))
    assert info is not None
    assert info.program == "ram program"


def test_none() -> None:
    assert read_binary_info(Memory()) is None
    assert read_binary_info(Memory.of([(0x10000000, bytes(5000))])) is None
    # The end mark is missing.
    assert read_binary_info(Memory.of([(0x10000000, pico_like().replace(b"\x90\xa3\x1a\xe7", bytes(4)))])) is None


def test_pointers_that_lie() -> None:
    program = Rp2Program()
    program.records += [0, 3, 0x1FFFFFFF, 0xFFFFFFFF, program.base]
    program.string(0x5052, 0x02031C86, "good")
    data = program.build(end=7)
    info = read_binary_info(Memory.of([(0x10000000, data)]))
    assert info is not None
    assert info.program == "good"
    at = data.index(b"\xf2\xeb\x88\x71")
    huge = data[: at + 8] + b"\xff\xff\xff\xff" + data[at + 12 :]
    assert read_binary_info(Memory.of([(0x10000000, huge)])) is not None


def test_boot2() -> None:
    stage = boot2(b"any code")
    assert boot2_ok(stage)
    assert not boot2_ok(stage[:100] + b"x" + stage[101:])
    assert not boot2_ok(stage[:255])
    assert not boot2_ok(bytes(256))


def test_rp2350_is_told_by_its_image_definition() -> None:
    data = Rp2Program().build(rp2350=True)
    assert image_type(data) == ("rp2350", "arm")
    at = data.index(b"\xd3\xde\xff\xff") + 6
    assert image_type(data[:at] + b"\x01\x11" + data[at + 2 :]) == ("rp2350", "riscv")
    assert image_type(data[:at] + b"\x02\x11" + data[at + 2 :]) is None
    assert image_type(pico_like()) is None


@pytest.mark.rig
def test_the_real_firmware(pico_uf2: Path) -> None:
    image = FirmwareImage.read(pico_uf2)
    info = image.binary_info
    assert info is not None
    assert info.program == "MicroPython"
    assert info.board == "pico"
    assert info.sdk.startswith("2.")
    assert {"_boot", "asyncio/core", "rp2"} <= set(info.frozen)
    assert "USB REPL" in info.features
    assert info.filesystem == BlockDevice("MicroPython", 0x100A0000, 0x160000, 3)
    assert info.romfs is None
    assert info.boot2.startswith("boot2_")
    assert info.binary_end is not None
    assert image.end - 256 < info.binary_end <= image.end
    assert boot2_ok(image.memory.read(0x10000000, 256))
