"""What becomes of the files."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.loader_model import BASE, ModelBoard, ModelLoader, image, program
from upytool.flashers import layout
from upytool.flashers.base import FileSystem, FlashTarget
from upytool.flashers.layout import NOWHERE, effect, same_chip
from upytool.image.esp_partitions import DATA, Partition, PartitionTable, write_table

OLD = FileSystem(0x1000, 0x4000)


@pytest.mark.parametrize(
    ("old", "new", "touched", "erase", "runs", "found", "loses"),
    [
        ([OLD], [OLD], [(0, 0x1000)], "changed", True, "kept", False),
        ([OLD], [OLD], [(0, 0x1001)], "changed", True, "overwritten", True),
        ([OLD], [OLD], [(0x5000, 0x1000)], "changed", True, "kept", False),
        ([OLD], [FileSystem(0x2000, 0x4000)], [], "changed", True, "moved", True),
        ([OLD], [FileSystem(0x1000, 0x3000)], [], "changed", True, "moved", True),
        ([OLD], [], [(0, 0x1000)], "changed", True, "unknown", False),
        ([FileSystem(NOWHERE, 0x4000)], [OLD], [(0x1000, 1)], "changed", True, "kept", False),
        ([FileSystem(NOWHERE, 0x3000)], [OLD], [], "changed", True, "moved", True),
        ([], [OLD], [], "changed", True, "none", False),
        (None, [OLD], [], "changed", False, "none", False),
        (None, [OLD], [], "changed", True, "unknown", True),
        ([OLD], [OLD], [], "all", True, "erased", True),
        ([], [OLD], [], "all", False, "erased", False),
        ([OLD], [OLD], [], "fs", True, "erased", True),
    ],
)
def test_effect(
    old: list[FileSystem] | None,
    new: list[FileSystem],
    touched: list[tuple[int, int]],
    erase: str,
    runs: bool,
    found: str,
    loses: bool,
) -> None:
    judged = effect(old, new, touched, erase=erase, runs=runs)
    assert (judged.effect, judged.loses) == (found, loses)
    assert judged.note
    assert not judged.note.endswith(".")


def test_an_image_says_where_its_files_are() -> None:
    assert [(fs.start, fs.size) for fs in layout.of_image(image())] == [(BASE + 0xA0000, 0x160000)]
    assert layout.of_image(image(fs=None)) == ()


def test_the_chip_is_asked_what_runs_on_it() -> None:
    one = ModelBoard().load(program(fs=(BASE + 0x100000, 0x100000)))
    found = layout.on_chip(ModelLoader(one))
    assert found is not None
    assert [(fs.start, fs.size) for fs in found] == [(BASE + 0x100000, 0x100000)]
    assert layout.on_chip(ModelLoader(ModelBoard())) == ()
    assert layout.on_chip(ModelLoader(ModelBoard(abilities=frozenset(("program",))))) is None


def test_an_esp_is_asked_for_its_partition_table() -> None:
    rows = (Partition("factory", 0, 0, 0x10000, 0x1F0000), Partition("vfs", DATA, 0x81, 0x200000, 0x200000))
    one = ModelBoard(bytearray(b"\xff" * (4 << 20)), 0, "esp32").load(write_table(rows), 0x8000)
    found = layout.on_chip(ModelLoader(one))
    assert found is not None
    assert [(fs.start, fs.size) for fs in found] == [(0x200000, 0x200000)]
    assert layout.on_chip(ModelLoader(ModelBoard(bytearray(b"\xff" * 65536), 0, "esp32"))) == ()


def test_what_is_left_of_the_flash_is_the_file_system() -> None:
    table = PartitionTable((Partition("factory", 0, 0, 0x10000, 0x1F0000),))
    assert layout.of_table(table) == ()
    assert [(fs.start, fs.size) for fs in layout.of_table(table, 4 << 20)] == [(0x200000, 0x200000)]


def test_place() -> None:
    assert layout.place(FileSystem(0x100A0000, 1408 << 10)) == "1408 KiB at 0x100a0000"
    assert layout.place(FileSystem(NOWHERE, 1000)) == "1000 bytes"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("", "rp2040", True),
        ("rp2040", "rp2040", True),
        ("rp2040", "rp2350", False),
        ("rp2", "rp2350", True),
        ("stm32", "stm32f4", True),
        ("stm32f4", "stm32f7", False),
        ("esp32", "esp32s3", False),
        ("nrf", "nrf52840", True),
        ("samd21", "samd51", False),
    ],
)
def test_same_chip(one: str, other: str, same: bool) -> None:
    assert same_chip(one, other) is same_chip(other, one) is same


def test_the_board_table_knows_what_a_repl_cannot_tell() -> None:
    pyboard = FlashTarget(
        "running", "id:1", board="PYBV11", version="1.26.1", filesystems=(FileSystem(NOWHERE, 114688, "", "board"),)
    )
    assert [(fs.start, fs.size) for fs in layout.located(pyboard)] == [(0x08004000, 114688)]
    other = replace(pyboard, filesystems=(FileSystem(NOWHERE, 5),))
    assert layout.located(other)[0].start == NOWHERE
    assert layout.of_board("NO_SUCH_BOARD", "1.26.1") == ()
    assert layout.of_board("RPI_PICO", "") == ()
    assert layout.of_board("ESP8266_GENERIC", "1.26.1") == (), "it goes to the end of a flash of unknown size"
    assert layout.of_board("ESP8266_GENERIC", "1.26.1", 4 << 20)[0].start == 0x100000
