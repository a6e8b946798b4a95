"""DfuSe layout strings: those of real devices, and how they are broken."""

from __future__ import annotations

import random

import pytest

from tests.fakes.dfu_bench import vectors
from upytool.errors import FlashError
from upytool.flashers.dfu_layout import Layout, corrected, parse_layout, vector_table
from upytool.image.memory import Memory

KB = 1024


def spans(text: str) -> list[tuple[int, int, int]]:
    return [(area.start, area.count, area.size) for area in parse_layout(text).areas]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (  # F405's ROM
            "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg",
            [(0x08000000, 4, 16 * KB), (0x08010000, 1, 64 * KB), (0x08020000, 7, 128 * KB)],
        ),
        ("@Internal Flash  /0x08000000/256*02Kg", [(0x08000000, 256, 2 * KB)]),
        ("@Internal Flash  /0x08000000/0256*0002Kg", [(0x08000000, 256, 2 * KB)]),
        (  # mboot with SPI flash: two groups, five digits
            "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg/0x80000000/16384*04Kg",
            [
                (0x08000000, 4, 32 * KB),
                (0x08020000, 1, 128 * KB),
                (0x08040000, 7, 256 * KB),
                (0x80000000, 16384, 4 * KB),
            ],
        ),
        ("@Internal Flash   /0x70000000/16384*4Kg", [(0x70000000, 16384, 4 * KB)]),  # mboot of an N6
        ("@Option Bytes  /0x1FFFC000/01*016 e", [(0x1FFFC000, 1, 16)]),  # blank for the unit
        ("@OTP Memory /0x1FFF7800/01*512 e,01*016 e", [(0x1FFF7800, 1, 512), (0x1FFF7A00, 1, 16)]),
        ("@Device Feature/0xFFFF0000/01*004 e", [(0xFFFF0000, 1, 4)]),
        ("@External Flash /0x90000000/1*4Ka,3*4Kg", [(0x90000000, 1, 4 * KB), (0x90001000, 3, 4 * KB)]),
        ("@Internal Flash   /0x08000000/1*128Ka,15*128Kg", [(0x08000000, 1, 128 * KB), (0x08020000, 15, 128 * KB)]),
        ("@Flash/0x08000000/2*1Mg,", [(0x08000000, 2, 1 << 20)]),
        ("@Flash/ 0X08000000 / 2 * 512 Bg , 1*64g ", [(0x08000000, 2, 512), (0x08000400, 1, 64)]),
        ("@Internal Flash  /8000000/16*001Kg", [(0x08000000, 16, KB)]),
        ("@Internal Flash  /0x08000000/16*001KG\0\0", [(0x08000000, 16, KB)]),
        ("@Two banks /0x08100000/02*016Kg/0x08000000/04*016Kg", [(0x08000000, 4, 16 * KB), (0x08100000, 2, 16 * KB)]),
    ],
)  # fmt: skip
def test_real_strings(text: str, expected: list[tuple[int, int, int]]) -> None:
    assert spans(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@Internal Flash",
        "@Internal Flash /0x08000000",
        "@Internal Flash /0x08000000/",
        "@Internal Flash /0x08000000/00*016Kg",
        "@Internal Flash /0x08000000/04*000Kg",
        "@Internal Flash /0x08000000/04x016Kg",
        "@Internal Flash /0x08000000/04*016Kz",
        "@Internal Flash /0x08000000/04*016K",
        "@Internal Flash /08zz/04*016Kg",
        "@Internal Flash /0xF0000000/999*999Mg",
        "@Internal Flash /0x08000000/04*016Kg/0x08004000/01*016Kg",
        "@Internal Flash /0x08000000/04*016Kg/0x09000000",
    ],
)
def test_broken_strings_are_shown(text: str) -> None:
    with pytest.raises(FlashError) as caught:
        parse_layout(text)
    assert repr(text) in caught.value.message
    assert "--layout" in caught.value.hint


def test_no_text_crashes_the_parser() -> None:
    source = random.Random(7)
    for _ in range(3000):
        text = "".join(source.choice("@/0x8*KMBaeg, 19Ff") for _ in range(source.randrange(40)))
        try:
            parse_layout(text)
        except FlashError:
            continue


@pytest.mark.parametrize(
    ("letter", "rights"), [("a", "r"), ("b", "e"), ("c", "re"), ("d", "w"), ("e", "rw"), ("f", "ew"), ("g", "rew")]
)
def test_letters(letter: str, rights: str) -> None:
    (area,) = parse_layout(f"@F/0x08000000/1*1K{letter}").areas
    assert (area.readable, area.erasable, area.writable) == tuple(right in rights for right in "rew")
    assert area.usable == (rights in ("ew", "rew"))


def test_option_bytes_and_one_time_memory_are_never_flash() -> None:
    joined = Layout.join(
        parse_layout(text, number)
        for number, text in enumerate(
            ["@Flash /0x08000000/04*016Kg", "@Option Bytes  /0x1FFFC000/01*016 g", "@OTP /0x1FFF7800/01*512 e"]
        )
    )
    assert [area.start for area in joined.flash] == [0x08000000]
    with pytest.raises(FlashError, match="system memory"):
        joined.require(Memory.of([(0x1FFFC000, b"\0")]))


def test_of_two_settings_with_one_address_the_first_counts() -> None:
    second = parse_layout("@B/0x90000000/2*8Kg/0xA0000000/1*4Kg", 2)
    joined = Layout.join([parse_layout("@A/0x90000000/4*4Kg", 1), second])
    assert [(area.start, area.alternate) for area in joined.areas] == [(0x90000000, 1), (0xA0000000, 2)]


def test_require_names_the_address_and_what_there_is() -> None:
    layout = parse_layout("@Internal Flash /0x08000000/1*16Ka,3*16Kg/0x80000000/2*4Kg")
    layout.require(Memory.of([(0x08004000, b"x" * 40000), (0x80001FFF, b"y")]))
    with pytest.raises(FlashError, match="does not allow writing at 0x08000000"):
        layout.require(Memory.of([(0x08000000, b"x")]))
    with pytest.raises(FlashError, match="no memory at 0x08010000") as caught:
        layout.require(Memory.of([(0x0800FFFF, b"xx")]))
    assert "0x08004000 to 0x0800ffff and 0x80000000 to 0x80001fff" in caught.value.hint


@pytest.mark.parametrize(("serial", "pages"), [("3CBJ", 128), ("3C8J", 64), ("3C6J", 32), ("3C4J", 16)])
def test_gd32vf103_by_its_part_number(serial: str, pages: int) -> None:
    wrong = parse_layout("@Internal Flash  /0x08000000/512*002Kg")
    right = corrected(wrong, 0x28E9, 0x0189, serial)
    assert right is not None
    assert [(area.count, area.size) for area in right.areas] == [(pages, KB)]


def test_gd32vf103_of_unknown_size_asks_for_the_layout() -> None:
    wrong = parse_layout("@Internal Flash  /0x08000000/512*002Kg")
    for serial in ("", "3C?J", "GD32"):
        with pytest.raises(FlashError, match="GD32VF103") as caught:
            corrected(wrong, 0x28E9, 0x0189, serial)
        assert "--layout" in caught.value.hint
    assert corrected(wrong, 0x0483, 0xDF11, "3CBJ") is None


def test_vector_table() -> None:
    good = vectors(0x08008000, 64)
    assert vector_table(Memory.of([(0x08008000, good)])) == 0x08008000
    assert vector_table(Memory.of([(0x08008000, b"\xff" * 64), (0x08020000, good)])) == 0x08020000
    assert vector_table(Memory.of([(0x90000000, good)])) is None
    assert vector_table(Memory.of([(0x08008000, good[:4] + b"\0\0\0\x08")])) is None  # no Thumb address
    assert vector_table(Memory()) is None
