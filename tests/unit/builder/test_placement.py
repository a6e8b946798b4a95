"""Where modules can go: the firmware's word, then the board table's, then the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.builder.bases import CASES, esp8266, hexfile, made, pico, program, samd, stm32
from upytool.builder.base import Recipe
from upytool.builder.from_image import of_board, read_base
from upytool.builder.placement import Place, board_of, check_room, choose, find_layout, main_place, version_of, without
from upytool.errors import BuildError, ImageError
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory


def layout(data: bytes, name: str = "x.bin", **options: Any) -> Any:
    image = FirmwareImage.read(data, name=name)
    recipe = Recipe("image", (), **options)
    board, variant = board_of(image, recipe)
    if board is not None:
        image = of_board(image, board)
    return image, find_layout(image, recipe, board, variant, version_of(image, recipe))


def test_the_file_comes_before_the_table() -> None:
    image, found = layout(pico(romfs=True))
    assert found.filesystem.source == found.romfs.source == "binary info"
    assert choose(found, "auto", image) is found.romfs
    assert choose(found, "littlefs", image) is found.filesystem
    assert main_place(found, "romfs", image) is found.filesystem


def test_the_table_where_the_file_is_silent() -> None:
    _, found = layout(stm32("PYBV11"))
    assert (found.filesystem.source, found.filesystem.kind) == ("board table", "fat")


def test_the_user_comes_after_both() -> None:
    """A firmware formats, without a word, what is not where it looks."""
    with pytest.raises(BuildError, match="itself says where"):
        layout(pico(), region=(0x10140000, 0x80000))
    _, found = layout(pico(), region=(0x100A0000, 0x160000))
    assert (found.filesystem.start, found.filesystem.source, found.notes) == (0x100A0000, "you", ())
    _, found = layout(stm32("PYBV11"), region=(0x08004000, 0x10000))
    assert (found.filesystem.kind, found.filesystem.size) == ("fat", 0x10000), "its kind is still the table's"
    assert "the board table has the file system at 0x8004000, 0x1c000 bytes" in found.notes[0]
    _, found = layout(samd("NOBODY_KNOWS"), region=(0x60000, 0x20000))
    assert (found.filesystem.source, found.notes) == ("you", ())


def test_the_version_that_a_project_asks_for() -> None:
    image, _ = layout(pico())
    for same in ("", "latest", "1.27", "v1.27.0"):
        assert version_of(image, Recipe("image", (), version=same)) == "v1.27.0"
    for other in ("1.2", "1.26", "v1.27.1"):
        with pytest.raises(BuildError, match="the project asks for"):
            version_of(image, Recipe("image", (), version=other))


def test_an_official_name_says_board_and_version(tmp_path: Path) -> None:
    """Firmware before 1.25 does not say which board it is for."""
    data = samd("SAMD_GENERIC_D51X19", version="v1.24.1")
    place = tmp_path / "SAMD_GENERIC_D51X19-20241129-v1.24.1.uf2"
    place.write_bytes(data)
    image = FirmwareImage.read(place)
    board, _ = board_of(image, Recipe("image", ()))
    assert board is not None
    assert board.id == "SAMD_GENERIC_D51X19"
    assert version_of(image, Recipe("image", (), version="latest")) == "v1.24.1"


def test_a_dump_that_holds_a_file_system_says_where_it_is(tmp_path: Path) -> None:
    case = CASES["samd51"]
    whole = FirmwareImage.read(made(tmp_path, case.base).output)
    region = whole.memory.read(case.start, case.size)
    unknown = Memory.of([(0x4000, program("NOBODY_KNOWS")), (case.start, region)])
    _, found = layout(whole.encode(unknown))
    assert (found.filesystem.start, found.filesystem.size, found.filesystem.source) == (
        case.start,
        case.size,
        "content",
    )
    part = Memory.of([(0x4000, program("NOBODY_KNOWS")), (case.start, region[:4096])])
    _, found = layout(whole.encode(part))
    assert found.filesystem is None, "a lone superblock says nothing of its region"


@pytest.mark.parametrize("nibble", [0x40, 0x90])
def test_esp8266_by_its_header(nibble: int) -> None:
    _, found = layout(esp8266(nibble))
    assert (found.filesystem.start, found.filesystem.size) == (
        0x100000,
        {0x40: 4, 0x90: 16}[nibble] * 0x100000 - 0x105000,
    )


def test_a_hex_file_gets_its_port_from_the_board() -> None:
    image, _ = layout(hexfile("PCA10056", 0))
    assert (image.port, image.chip) == ("nrf", "nrf52")


def test_pieces_of_a_split_region() -> None:
    place = Place(100, 30, "fat", 10, "board table", ((100, 20), (200, 10)))
    assert list(place.pieces(10, bytes(range(20)))) == [(110, bytes(range(10))), (200, bytes(range(10, 20)))]
    memory = Memory.of([(100, b"a" * 20), (120, b"-" * 80), (200, b"b" * 10)])
    assert place.read(memory) == b"a" * 20 + b"b" * 10
    assert place.cleared(memory) == Memory.of([(120, b"-" * 80)])


def test_units_of_erasing_are_filled() -> None:
    place = Place(4096, 16384, "littlefs", 2048, "board table", erase=8192)
    assert place.whole([(0, b"a" * 2048)]) == {4096: b"a" * 2048 + b"\xff" * 2048}, "not before the region"
    assert place.whole([(6144, b"b" * 2048)]) == {8192: b"\xff" * 2048 + b"b" * 2048 + b"\xff" * 4096}


def test_without_a_range() -> None:
    memory = Memory.of([(0, bytes(range(10))), (20, b"x")])
    assert without(memory, 3, 4) == Memory.of([(0, b"\0\1\2"), (7, b"\7\10\11"), (20, b"x")])
    assert without(memory, 0, 100) == Memory()


def test_room() -> None:
    image = FirmwareImage.read(pico())
    check_room(image, Place(0x100A0000, 0x1000, "littlefs", 4096, "you"))
    with pytest.raises(BuildError, match="reaches"):
        check_room(image, Place(0x10000000, 0x1000, "romfs", 4096, "you"))


def test_a_base_without_addresses(tmp_path: Path) -> None:
    for data in (program("X"), b"\xff" * 4096):
        (tmp_path / "x.bin").write_bytes(data)
        with pytest.raises((BuildError, ImageError)) as caught:
            read_base(Recipe("image", (), firmware=tmp_path / "x.bin"))
        assert "x.bin" in caught.value.message
