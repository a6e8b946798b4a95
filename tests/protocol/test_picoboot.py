"""PICOBOOT's bytes, against the layouts of pico-sdk's boot/picoboot.h, written out by hand."""

from __future__ import annotations

import struct

import pytest

from upytool.errors import ProtocolError
from upytool.protocol import picoboot as p


@pytest.mark.parametrize(
    ("command", "number", "size", "length", "args"),
    [
        (p.exclusive(p.EXCLUSIVE), 0x01, 1, 0, b"\x01"),
        (p.exclusive(p.EXCLUSIVE_AND_EJECT), 0x01, 1, 0, b"\x02"),
        (p.reboot(500), 0x02, 12, 0, struct.pack("<III", 0, 0x20042000, 500)),
        (p.erase(0x10001000, 0x2000), 0x03, 8, 0, struct.pack("<II", 0x10001000, 0x2000)),
        (p.read(0x10000100, 512), 0x84, 8, 512, struct.pack("<II", 0x10000100, 512)),
        (p.write(0x10000000, 4096), 0x05, 8, 4096, struct.pack("<II", 0x10000000, 4096)),
        (p.exit_xip(), 0x06, 0, 0, b""),
        (p.execute(0x20020000), 0x08, 4, 0, struct.pack("<I", 0x20020000)),
        (p.reboot2(p.FLASH_UPDATE, 100, 0x10100000), 0x0A, 16, 0, struct.pack("<IIII", 4, 100, 0x10100000, 0)),
        (p.get_info(p.INFO_SYS, 5), 0x8B, 16, 256, bytes((1, 0, 0, 0, 5)) + bytes(11)),
    ],
)
def test_commands(command: p.Command, number: int, size: int, length: int, args: bytes) -> None:
    raw = command.encode(0x12345678)
    assert len(raw) == 32
    assert raw[:16] == struct.pack("<IIBBHI", 0x431FD10B, 0x12345678, number, size, 0, length)
    assert raw[16:] == args.ljust(16, b"\0")
    assert command.is_in == bool(number & 0x80)
    assert command.name


def test_tokens_stay_in_32_bits() -> None:
    assert p.exit_xip().encode((1 << 32) + 7)[4:8] == b"\x07\0\0\0"


def test_status() -> None:
    found = p.decode_status(struct.pack("<IIBB6x", 9, 5, 0x84, 1))
    assert found == p.Status(9, 5, 0x84, True)
    assert found.sentence == "wants an aligned address"
    assert "99" in p.Status(0, 99, 0, False).sentence
    for length in (0, 15, 17):
        with pytest.raises(ProtocolError, match="status"):
            p.decode_status(bytes(length))


def test_every_status_has_words() -> None:
    assert sorted(p.CODES) == list(range(18))
    assert len(set(p.CODES.values())) == 18
    assert not any(words.endswith(".") for words in p.CODES.values())


def words(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values).ljust(256, b"\0")


def test_system() -> None:
    found = p.decode_system(words(5, 5, 1, 0x11223344, 0x55667788, 0x0301))
    assert found == p.SystemInfo(1, "5566778811223344", "riscv")
    assert p.decode_system(words(2, 4, 0x0300)) == p.SystemInfo(None, "", "arm")
    assert p.decode_system(words(1, 0)) == p.SystemInfo(None, "")


def test_partition_table() -> None:
    assert p.decode_table(words(4, 0x11, 0, 0x03FFE000, 0)) == (False, ())
    present, rows = p.decode_table(words(8, 0x11, 0x102, 0, 0, 2 | 255 << 13, 0, 256 | 511 << 13 | 0xFC000000, 0))
    assert present
    assert [(each.number, each.start, each.size) for each in rows] == [
        (0, 0x10002000, 254 << 12),
        (1, 0x10100000, 1 << 20),
    ]
    assert rows[1].permissions == 0x3F
    # fewer rows than it says: what is there
    assert len(p.decode_table(words(6, 0x11, 0x102, 0, 0, 2 | 255 << 13, 0))[1]) == 1


def test_target() -> None:
    found = p.decode_target(words(3, 1, 256 | 511 << 13, 0))
    assert found is not None
    assert (found.number, found.start, found.size) == (1, 0x10100000, 1 << 20)
    absolute = p.decode_target(words(3, 0xFF, 0x1FFF << 13, 0))
    assert absolute is not None
    assert (absolute.number, absolute.start) == (None, 0x10000000)
    assert p.decode_target(words(3, 0xFFFFFFFF, 0, 0)) is None


@pytest.mark.parametrize("raw", [b"", b"\1\0\0\0", bytes(7), words(0, 1), words(64, 1)])
@pytest.mark.parametrize("decode", [p.decode_system, p.decode_table, p.decode_target])
def test_nonsense_is_a_typed_error(decode: object, raw: bytes) -> None:
    with pytest.raises(ProtocolError, match="the boot ROM"):
        decode(raw)  # type: ignore[operator]
