"""DfuSe files, against dfu-suffix."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.rigs.usb_tools import UsbTools
from tests.unit.image.parts import crc_dfu
from upytool.errors import ImageError
from upytool.image.dfuse import DfuElement, DfuTarget, add_suffix, read_dfu, read_suffix, write_dfu

TWO = (DfuElement(0x08000000, b"vectors!"), DfuElement(0x08020000, b"text" * 64))


def by_the_book(elements: tuple[DfuElement, ...], name: bytes = b"ST...") -> bytes:
    """A file as ST's UM0391 describes it, with MicroPython's choices (tools/dfu.py)."""
    body = b"".join(struct.pack("<2I", each.address, len(each.data)) + each.data for each in elements)
    target = (
        b"Target" + b"\0" + struct.pack("<I", 1) + name.ljust(255, b"\0") + struct.pack("<2I", len(body), len(elements))
    )
    inner = target + body
    whole = b"DfuSe\x01" + struct.pack("<IB", len(inner) + 11, 1) + inner
    whole += struct.pack("<4H", 0, 0xDF11, 0x0483, 0x011A) + b"UFD\x10"
    return whole + struct.pack("<I", crc_dfu(whole))


def test_written_by_the_book() -> None:
    assert write_dfu((DfuTarget(TWO, 0, "ST..."),)) == by_the_book(TWO)


def test_read_by_the_book() -> None:
    found = read_dfu(by_the_book(TWO))
    assert found.targets == (DfuTarget(TWO, 0, "ST..."),)
    assert (found.vendor, found.product, found.device, found.crc_ok) == (0x0483, 0xDF11, 0, True)
    assert [segment.address for segment in found.memory] == [0x08000000, 0x08020000]


@given(st.lists(st.tuples(st.integers(0, 0xFFFFFF00), st.binary(max_size=64)), max_size=5), st.integers(0, 255))
def test_round_trip(parts: list[tuple[int, bytes]], setting: int) -> None:
    elements = tuple(DfuElement(*part) for part in parts)
    found = read_dfu(
        write_dfu((DfuTarget(elements, setting), DfuTarget((), 1, "second")), vendor=1, product=2, device=3)
    )
    assert (found.vendor, found.product, found.device) == (1, 2, 3)
    assert found.targets[0].setting == setting
    assert found.targets[1].name == "second"
    for ours, theirs in zip(elements, found.targets[0].elements):
        assert theirs.data == ours.data + bytes(-len(ours.data) % 8)


def test_a_wrong_crc_is_told_not_raised() -> None:
    data = bytearray(by_the_book(TWO))
    data[300] ^= 1
    assert read_dfu(bytes(data)).crc_ok is False


def resealed(data: bytes, at: int, new: bytes) -> bytes:
    changed = data[:at] + new + data[at + len(new) :]
    return changed[:-4] + struct.pack("<I", crc_dfu(changed[:-4]))


@pytest.mark.parametrize(
    ("at", "new", "said"),
    [
        (5, b"\x02", "version 2"),
        (6, b"\xff\xff\xff\xff", "should hold 4294967295 bytes"),
        (10, b"\xff", "cut short"),
        (11, b"Xarget", "target 0 .*damaged"),
        (11 + 266, b"\xff\xff\xff\xff", "target 0 .*cut short"),
        (11 + 270, b"\xff\xff\xff\xff", "4294967295 elements"),
        (11 + 270, b"\x01\0\0\0", "longer than its elements"),
        (11 + 278, b"\xff\xff\xff\xff", "element 0 .*cut short"),
    ],
)
def test_headers_that_lie(at: int, new: bytes, said: str) -> None:
    with pytest.raises(ImageError, match=said):
        read_dfu(resealed(by_the_book(TWO), at, new))


def test_a_cut_file() -> None:
    data = by_the_book(TWO)
    with pytest.raises(ImageError, match="no suffix"):
        read_dfu(data[:-5])
    with pytest.raises(ImageError, match="should hold"):
        read_dfu(data[:-40] + data[-16:])


@pytest.mark.rig
def test_dfu_suffix_agrees(usb_tools: UsbTools, tmp_path: Path) -> None:
    file = tmp_path / "ours.dfu"
    for number, targets in enumerate(((DfuTarget(TWO),), (DfuTarget(TWO, 1), DfuTarget((), 2, "second")))):
        file.write_bytes(write_dfu(targets, vendor=0x0483, product=0xDF11, device=number))
        said = usb_tools.run("dfu-suffix", "--check", file).stdout
        assert "Vendor ID:\t0x0483" in said
        assert "Product ID:\t0xDF11" in said
        assert f"BCD device:\t0x{number:04X}" in said


@pytest.mark.rig
@pytest.mark.parametrize("content", [b"content of a firmware", bytes(range(256)) * 33 + b"x"])
def test_dfu_suffix_writes_the_same(usb_tools: UsbTools, tmp_path: Path, content: bytes) -> None:
    plain = tmp_path / "plain.bin"
    plain.write_bytes(content)
    usb_tools.run("dfu-suffix", "-v", "1234", "-p", "5678", "-d", "9", "-a", plain)
    theirs = plain.read_bytes()
    assert theirs == add_suffix(content, vendor=0x1234, product=0x5678, device=9)
    found = read_suffix(theirs)
    assert found is not None
    assert (found.vendor, found.product, found.device, found.crc_ok) == (0x1234, 0x5678, 9, True)
    usb_tools.run("dfu-suffix", "--delete", plain)
    assert plain.read_bytes() == content


@pytest.mark.rig
def test_dfu_suffix_sees_the_same_damage(usb_tools: UsbTools, tmp_path: Path) -> None:
    file = tmp_path / "bad.dfu"
    whole = write_dfu((DfuTarget(TWO),))
    damaged = bytearray(whole)
    damaged[300] ^= 1
    assert read_dfu(bytes(damaged)).crc_ok is False
    for bad in (bytes(damaged), whole[:-7]):
        file.write_bytes(bad)
        assert usb_tools.run("dfu-suffix", "--check", file, code=None).returncode != 0
    with pytest.raises(ImageError):
        read_dfu(whole[:-7])


def test_a_plain_suffix() -> None:
    found = read_suffix(add_suffix(b"content", vendor=0x2341, product=0x0070, device=0xFFFF))
    assert found is not None
    assert (found.vendor, found.product, found.version, found.crc_ok) == (0x2341, 0x0070, 0x0100, True)
    assert read_suffix(b"content") is None
    assert read_suffix(b"content that is long enough") is None
