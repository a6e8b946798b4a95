"""UF2, against esptool's writer, MicroPython's uf2conv (by the RPI_PICO rig), picotool."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rigs.usb_tools import UsbTools, picotool_fields
from tests.unit.image.conftest import EspParts
from tests.unit.image.parts import pico_like
from upytool.errors import ImageError
from upytool.image.chips import RP2040, RP2350_ARM_S, RP2350_RISCV
from upytool.image.memory import Memory
from upytool.image.uf2 import BLOCK, Uf2File, e10_block, read_uf2, write_uf2

ESP32_FAMILY, SAMD51 = 0x1C5F21B0, 0x55114460


def block(
    address: int,
    data: bytes,
    number: int,
    count: int,
    *,
    flags: int = 0x2000,
    family: int = RP2040,
    tail: bytes = b"",
) -> bytes:
    head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, flags, address, len(data), number, count, family)
    body = (
        data.ljust(476 - len(tail), b"\0") + tail if not tail.startswith(b"+") else (data + tail[1:]).ljust(476, b"\0")
    )
    return head + body + struct.pack("<I", 0x0AB16F30)


def blocks(data: bytes) -> list[bytes]:
    return [data[at : at + BLOCK] for at in range(0, len(data), BLOCK)]


@given(
    st.lists(st.tuples(st.integers(0, 0x8000), st.binary(min_size=1, max_size=700)), min_size=1, max_size=4),
    st.sampled_from([256, 64, 476]),
    st.sampled_from([RP2040, SAMD51, None]),
    st.randoms(use_true_random=False),
)
def test_round_trip_in_any_order(
    pieces: list[tuple[int, bytes]], payload: int, family: int | None, luck: random.Random
) -> None:
    pieces = [(0x10000000 + address, data) for address, data in pieces]
    try:
        memory = Memory.of(pieces)
    except ImageError:
        return
    if payload == 476:  # no power of two: blocks begin where the data does
        memory = Memory.of([(memory.start, memory.read(memory.start, memory.end - memory.start))])
    parts = blocks(write_uf2([(family, memory)], payload=payload))
    luck.shuffle(parts)
    found = read_uf2(b"".join(parts))
    assert found.families == (() if family is None else (family,))
    (group,) = found.groups
    assert group.blocks == len(parts)
    for segment in memory:
        assert group.memory.get(segment.address, len(segment.data)) == segment.data
    for segment in group.memory:
        assert segment.data == memory.read(segment.address, len(segment.data))


def test_sectors_are_filled_and_numbered_in_step() -> None:
    memory = Memory.of([(0x10000000, bytes(300)), (0x100A0010, b"x")])
    parts = blocks(write_uf2([(RP2040, memory)], sector=4096))
    assert len(parts) == 32
    for number, part in enumerate(parts):
        fields = struct.unpack_from("<8I", part)
        assert fields[4:8] == (256, number, 32, RP2040)
        assert fields[3] % 4096 == number * 256 % 4096
    (group,) = read_uf2(b"".join(parts)).groups
    assert [(segment.address, len(segment.data)) for segment in group.memory] == [
        (0x10000000, 4096),
        (0x100A0000, 4096),
    ]


@pytest.mark.parametrize("md5", [True, False])
def test_esptool_writes(md5: bool, esptool: Any, esp_parts: Callable[[str], EspParts], tmp_path: Path) -> None:
    file = tmp_path / "esp.uf2"
    parts = esp_parts("esp32")
    pieces = [(0x1000, parts.bootloader), (0x8000, parts.table), (0x10000, parts.app)]
    esptool.merge_bin(pieces, "esp32", str(file), format="uf2", chunk_size=None if md5 else 256, md5_disable=not md5)
    found = read_uf2(file.read_bytes())
    assert found.families == (ESP32_FAMILY,)
    assert found.memory == Memory.of(pieces)
    assert found.md5 is (True if md5 else None)
    assert any("start again" in note for note in found.notes)  # esptool numbers each part by itself


def test_a_wrong_md5_is_told(esptool: Any, esp_parts: Callable[[str], EspParts], tmp_path: Path) -> None:
    file = tmp_path / "esp.uf2"
    esptool.merge_bin([(0x10000, esp_parts("esp32").app)], "esp32", str(file), format="uf2")
    data = bytearray(file.read_bytes())
    data[32 + 7] ^= 1
    assert read_uf2(bytes(data)).md5 is False


@pytest.mark.rig
def test_the_real_firmware_is_written_again_byte_for_byte(pico_uf2: Path) -> None:
    data = pico_uf2.read_bytes()
    found = read_uf2(data)
    assert found.families == (RP2040,)
    assert write_uf2([(RP2040, found.memory)]) == data


def rp2350() -> bytes:
    return write_uf2([(RP2350_ARM_S, Memory.of([(0x10000000, bytes(600))]))], erratum_block=True)


def test_the_erratum_block_is_no_firmware() -> None:
    data = rp2350()
    found = read_uf2(data)
    assert found.memory.end == 0x10000300
    assert found.families == (RP2350_ARM_S,)
    assert found.erratum_block == data[:512] == e10_block()
    assert found.notes == ()
    assert write_uf2([(RP2350_ARM_S, found.memory)], erratum_block=found.erratum_block) == data


def test_the_erratum_block_by_the_letter_of_picotool() -> None:
    fields = struct.unpack("<8I256sI216sI", e10_block())
    assert fields[:8] == (0x0A324655, 0x9E5D5157, 0xA000, 0x10FFFF00, 256, 0, 2, 0xE48BFF57)
    assert fields[8] == b"\xef" * 256
    assert fields[9] == 0x9957E304


def test_a_missing_erratum_block_is_told() -> None:
    assert any("RP2350-E10" in note for note in read_uf2(rp2350()[512:]).notes)


@pytest.mark.rig
@pytest.mark.parametrize(
    ("family", "name", "rp2350", "size"),
    [
        (RP2040, "rp2040", False, 5000),
        (RP2040, "rp2040", False, 256),
        (RP2350_ARM_S, "rp2350-arm-s", True, 5000),
        (RP2350_RISCV, "rp2350-riscv", True, 8192),
    ],
)
def test_picotool_writes_the_same_file(
    usb_tools: UsbTools, tmp_path: Path, family: int, name: str, rp2350: bool, size: int
) -> None:
    """Byte for byte; but picotool fills the last block with zeros, and ends there for every chip."""
    plain, theirs = tmp_path / "plain.bin", tmp_path / "theirs.uf2"
    plain.write_bytes(random.Random(size).randbytes(size))
    block = ["--abs-block"] if rp2350 else []
    usb_tools.run("picotool", "uf2", "convert", plain, theirs, "--family", name, "-o", "0x10000000", *block)
    data = plain.read_bytes() + bytes(-size % 256)
    assert theirs.read_bytes() == write_uf2([(family, Memory.of([(0x10000000, data)]))], erratum_block=rp2350)
    found = read_uf2(theirs.read_bytes())
    assert (found.families, found.memory, found.notes) == ((family,), Memory.of([(0x10000000, data)]), ())


@pytest.mark.rig
@pytest.mark.parametrize(("family", "name"), [(RP2040, "rp2040"), (RP2350_ARM_S, "rp2350-arm-s")])
def test_picotool_accepts_what_we_write(usb_tools: UsbTools, tmp_path: Path, family: int, name: str) -> None:
    file = tmp_path / "ours.uf2"
    memory = Memory.of([(0x10000000, pico_like()), (0x10040000, b"behind a gap")])
    file.write_bytes(write_uf2([(family, memory)], sector=4096, erratum_block=family == RP2350_ARM_S))
    said = usb_tools.run("picotool", "info", "-a", file).stdout
    assert f"family ID '{name}'" in said
    assert picotool_fields(said)["version"] == ["v1.27.0"]


def test_two_families() -> None:
    one = Memory.of([(0x10000000, b"1" * 256)])
    other = Memory.of([(0x10000000, b"2" * 512)])
    found = read_uf2(write_uf2([(RP2040, one), (RP2350_ARM_S, other)], erratum_block=True))
    assert found.families == (RP2040, RP2350_ARM_S)
    assert [group.memory for group in found.groups] == [one, other]
    with pytest.raises(ImageError, match="two different contents"):
        _ = found.memory


def test_files_put_one_behind_the_other() -> None:
    first = write_uf2([(RP2040, Memory.of([(0x10000000, bytes(512))]))])
    second = write_uf2([(RP2040, Memory.of([(0x100A0000, bytes(512))]))])
    found = read_uf2(first + second)
    assert len(found.groups) == 2
    assert any("start again" in note for note in found.notes)


def test_other_blocks_are_counted_not_written() -> None:
    data = block(0x10000000, bytes(256), 0, 1) + block(0, b"x", 0, 1, flags=0x1) + block(0, b"name", 0, 1, flags=0x1000)
    found = read_uf2(data)
    assert (found.skipped, found.memory.size) == (2, 256)
    with pytest.raises(ImageError, match="nothing for the main flash"):
        read_uf2(block(0, b"x", 0, 1, flags=0x1))


def test_tags() -> None:
    tags = b"+" + b"\x09\xbc\xc7\x9f1.2.3\0\0\0" + b"\x08\xf7\xe9\x0b" + struct.pack("<I", 4096) + bytes(4)
    found = read_uf2(block(0x1000, bytes(256), 0, 1, flags=0xA000, tail=tags))
    assert found.tags == {0x9FC7BC: b"1.2.3", 0x0BE9F7: struct.pack("<I", 4096)}


def bad(said: str, data: bytes) -> Any:
    return pytest.param(data, said, id=said)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        bad("cut short", block(0, bytes(256), 0, 1)[:-1]),
        bad("block 1 .*damaged", block(0, bytes(256), 0, 2) + block(256, bytes(256), 1, 2)[:-4] + bytes(4)),
        bad(
            "claims 477 bytes",
            block(0, bytes(256), 0, 1)[:16] + struct.pack("<I", 477) + block(0, bytes(256), 0, 1)[20:],
        ),
        bad("number 1 of 1", block(0, bytes(256), 1, 1)),
        bad("number 0 of 0", block(0, bytes(256), 0, 0)),
        bad("1 of 2 blocks for RP2040", block(0, bytes(256), 0, 2)),
        bad("1 of 4294967295 blocks", block(0, bytes(256), 0, 0xFFFFFFFF)),
        bad("two different contents", block(0, bytes(256), 0, 2) + block(0, b"\1" * 256, 1, 2)),
        bad("32-bit", block(0xFFFFFFF0, bytes(256), 0, 1)),
    ],
)
def test_what_is_declined(data: bytes, said: str) -> None:
    def whole(data: bytes) -> Uf2File:
        found = read_uf2(data)
        assert found.memory
        return found

    with pytest.raises(ImageError, match=said):
        whole(data)


def test_what_cannot_be_written() -> None:
    for payload in (0, 477):
        with pytest.raises(ImageError, match="cannot be made"):
            write_uf2([(RP2040, Memory.of([(0, b"1")]))], payload=payload)
    with pytest.raises(ImageError, match="nothing to write"):
        write_uf2([(RP2040, Memory())])


def test_a_family_of_every_number_is_named_once() -> None:
    from upytool.image.chips import FAMILIES, family

    names = [each.name for each in FAMILIES.values()]
    assert len(names) == len(set(names)) == 50
    assert str(family(0x12345678)) == "unknown family 12345678"
