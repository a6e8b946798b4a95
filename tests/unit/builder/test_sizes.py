"""What modules cost, and what other ways would."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.builder.bases import CASES, ITEMS, made, pico
from upytool.builder.base import Item
from upytool.builder.sizes import in_blocks, kilobytes, largest, loaded


@pytest.mark.parametrize(
    ("size", "block", "kind", "want"),
    [
        (0, 4096, "littlefs", 0), (512, 4096, "littlefs", 512), (513, 4096, "littlefs", 4096),
        (65, 512, "littlefs", 512), (4097, 4096, "littlefs", 8192), (1, 512, "fat", 512),
        (100, 1536, "littlefs1", 1536),
    ],
)  # fmt: skip
def test_blocks(size: int, block: int, kind: str, want: int) -> None:
    assert in_blocks(size, block, kind) == want


def test_words() -> None:
    assert (kilobytes(9_999), kilobytes(10_000), kilobytes(1_500_000)) == ("9999 bytes", "10.0 kB", "1.5 MB")
    assert largest({"a": b"1", "b": b"333", "c": b"22", "d": b""}) == "b (3 bytes), c (2 bytes), a (1 bytes)"


def test_the_report_of_an_image(tmp_path: Path) -> None:
    report = made(tmp_path, pico(romfs=True)).report
    rows = {row.target: row for row in report.modules}
    assert rows["lib/thing.mpy"].package == "thing"
    assert rows["lib/thing.mpy"].source == len(ITEMS[1].data)
    assert rows["lib/thing.mpy"].flash == rows["lib/thing.mpy"].stored > 0
    assert rows["static/page.html"].flash == 4096
    assert loaded(report.modules) == rows["main.py"].stored, "ROMFS bytecode stays where it is"
    assert [row.name for row in report.regions] == ["firmware", "ROMFS", "file system (LittleFS)"]
    firmware, romfs, files = report.regions
    assert (firmware.start, firmware.start + firmware.size, romfs.start + romfs.size) == (
        0x10000000, 0x10080000, files.start,
    )  # fmt: skip
    frozen, plain = report.what_if
    assert frozen.startswith('frozen (kind = "source"): about ')
    assert f"of the {kilobytes(firmware.free)}" in frozen
    assert plain.startswith('in the file system (filesystem = "littlefs"): ')


def test_what_a_romfs_would_save(tmp_path: Path) -> None:
    big = Item("big.py", b"X = b'" + b"a" * 140_000 + b"'\n", "big.py", module=True)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir(), (tmp_path / "c").mkdir()
    plain = made(tmp_path / "a", pico()).report.what_if
    assert "this firmware has none" in plain[1]
    could = made(tmp_path / "b", pico(romfs=True), filesystem="littlefs").report.what_if
    assert could[1].startswith('in ROMFS (filesystem = "romfs"): ')
    assert "less in RAM" in could[1]
    over = made(tmp_path / "c", pico(romfs=True), items=(big,)).report.what_if
    assert "bytes too many" in over[1]


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("pyboard", ["firmware, other part", "file system (FAT)", "firmware"]),
        ("esp32 without a row", ["firmware", "file system (LittleFS)"]),
        ("nrf52 with a SoftDevice", ["firmware", "file system (LittleFS)"]),
        ("nrf52840", ["firmware", "file system (LittleFS)"]),
        ("mimxrt hex", ["firmware", "file system (LittleFS)"]),
    ],
)
def test_regions(tmp_path: Path, name: str, names: list[str]) -> None:
    case = CASES[name]
    report = made(tmp_path, case.base, case.suffix, **case.options).report
    assert [row.name for row in report.regions] == names
    for before, after in zip(report.regions, report.regions[1:], strict=False):
        assert before.start + before.size <= after.start


def test_no_modules_no_other_ways(tmp_path: Path) -> None:
    assert made(tmp_path, pico(), items=ITEMS[3:]).report.what_if == ()
