"""Partition tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.image.parts import GENERIC_4MB, vfs_table
from upytool.errors import ImageError
from upytool.image.esp_partitions import Partition, PartitionTable, read_table, write_table


def test_a_table_is_written_again_byte_for_byte() -> None:
    data = vfs_table([*GENERIC_4MB, ("vfs", 1, 0x81, 0x200000, 0x200000)])
    table = read_table(data)
    assert table.md5_ok
    assert [row.label for row in table.rows] == ["nvs", "phy_init", "factory", "vfs"]
    assert [row.kind for row in table.rows] == ["data, nvs", "data, phy", "app, factory", "data, fat"]
    assert table.to_bytes() == data


def test_a_table_without_md5_stays_without() -> None:
    data = vfs_table(GENERIC_4MB)[:96].ljust(0xC00, b"\xff")
    table = read_table(data)
    assert table.md5_ok is None
    assert table.to_bytes() == data


def test_a_changed_row_is_noticed() -> None:
    data = bytearray(vfs_table(GENERIC_4MB))
    data[8] ^= 1
    assert read_table(bytes(data)).md5_ok is False


def test_what_becomes_the_file_system() -> None:
    table = read_table(vfs_table(GENERIC_4MB))
    assert table.filesystem() is None
    found = table.filesystem(4 << 20)
    assert found is not None
    assert (found.offset, found.end) == (0x200000, 4 << 20)
    assert table.filesystem(2 << 20) is None
    ffat = table.with_row(Partition("ffat", 1, 0x81, 0x300000, 0x100000))
    vfs = ffat.with_row(Partition("vfs", 1, 0x81, 0x200000, 0x100000))
    assert ffat.filesystem(8 << 20) == ffat.find("ffat")
    assert vfs.filesystem(8 << 20) == vfs.find("vfs")


def test_rows_are_replaced_by_label() -> None:
    table = read_table(vfs_table(GENERIC_4MB))
    factory = table.find("factory")
    assert factory is not None
    smaller = table.with_row(replace(factory, size=0x180000))
    assert [row.label for row in smaller.rows] == ["nvs", "phy_init", "factory"]
    assert read_table(smaller.to_bytes()).end == 0x190000


def test_the_first_application() -> None:
    ota = [("ota_1", 0, 0x11, 0x190000, 0x180000), ("ota_0", 0, 0x10, 0x10000, 0x180000)]
    first = read_table(vfs_table(ota)).first_app()
    assert first is not None
    assert first.kind == "app, ota_1"
    with_factory = read_table(vfs_table([*ota, ("factory", 0, 0, 0x310000, 0x10000)])).first_app()
    assert with_factory is not None
    assert with_factory.label == "factory"


def test_problems_are_named() -> None:
    table = PartitionTable(
        (
            Partition("early", 1, 2, 0x8000, 0x1000),
            Partition("odd", 1, 2, 0x9100, 0x2000),
            Partition("app", 0, 0, 0xA000, 0x400000),
        )
    )
    said = "\n".join(table.problems(4 << 20))
    for text in (
        "early overlaps the bootloader",
        "odd begins at 0x9100",
        "odd and app overlap",
        "app begins",
        "behind the flash",
    ):
        assert text in said
    assert read_table(vfs_table(GENERIC_4MB)).problems(4 << 20) == []


def test_what_is_no_table() -> None:
    for data in (b"", b"\xff" * 0xC00, bytes(20)):
        with pytest.raises(ImageError, match="no partition table"):
            read_table(data)
    with pytest.raises(ImageError, match="row 3"):
        read_table(vfs_table(GENERIC_4MB)[:96] + bytes(32))


def test_what_cannot_be_written() -> None:
    with pytest.raises(ImageError, match="16 bytes"):
        write_table([Partition("a label that is too long", 1, 2, 0, 0)])
    with pytest.raises(ImageError, match="do not fit"):
        write_table([Partition(f"p{number}", 1, 2, 0, 0) for number in range(95)])
    assert len(write_table([Partition(f"p{number}", 1, 2, 0, 0) for number in range(94)])) == 0xC00
