"""The values of DFU and DfuSe: what stands in the documents, byte by byte."""

from __future__ import annotations

import pytest

from upytool.protocol import dfu
from upytool.protocol.dfu import State, Status


def test_status_is_six_bytes_with_the_time_in_milliseconds() -> None:
    status = Status.parse(bytes((0, 0x10, 0x27, 0, 4, 0)))
    assert status == Status(0, 10.0, State.DNBUSY, 0)
    assert Status.parse(bytes((0, 1, 2, 3, 2, 9))) == Status(0, 0x030201 / 1000, State.IDLE, 9)


@pytest.mark.parametrize("size", [0, 1, 5, 7, 64])
def test_status_of_another_size_is_none(size: int) -> None:
    assert Status.parse(b"\0" * size) is None


def test_failed_by_status_or_by_state() -> None:
    assert Status(0x0B, 0, State.UPLOAD_IDLE).failed  # mboot for encrypted firmware
    assert Status(0, 0, State.ERROR).failed  # mboot after a failed write
    assert not Status(0, 0, State.DNLOAD_IDLE).failed


def test_every_status_has_a_sentence() -> None:
    for code in range(16):
        sentence = Status(code, 0, State.ERROR).sentence
        assert len(sentence) > 15
        assert not sentence.endswith(".")
    assert "read-protected" in Status(0x0B, 0, 10).sentence
    assert "0x42" in Status(0x42, 0, 10).sentence


@pytest.mark.parametrize(
    ("extra", "size", "version", "upload"),
    [
        (b"\x09\x21\x0b\xff\x00\x00\x08\x1a\x01", 2048, 0x011A, True),  # ST's ROM, mboot
        (b"\x07\x21\x01\x00\x10\x40\x00", 64, 0x0100, False),  # DFU 1.0: no version
        (b"\x03\x24\x00\x09\x21\x0b\xff\x00\x00\x04\x10\x01", 1024, 0x0110, True),  # behind another descriptor
    ],
)
def test_functional_descriptor(extra: bytes, size: int, version: int, upload: bool) -> None:
    found = dfu.functional(extra)
    assert found is not None
    assert (found.transfer_size, found.version, found.can_upload) == (size, version, upload)


@pytest.mark.parametrize("extra", [b"", b"\x00\x21", b"\x09\x21\x0b", b"\x02\x24\x01", b"\x05\x21\x00\x00\x00"])
def test_no_functional_descriptor(extra: bytes) -> None:
    assert dfu.functional(extra) is None


@pytest.mark.parametrize(("claimed", "block"), [(2048, 2048), (64, 64), (0, 1024), (65535, 4096)])
def test_block_is_what_device_and_host_can_do(claimed: int, block: int) -> None:
    found = dfu.functional(b"\x09\x21\x0b\xff\x00" + claimed.to_bytes(2, "little") + b"\x1a\x01")
    assert found is not None
    assert found.block == block


def test_commands() -> None:
    assert dfu.set_pointer(0x08000000) == b"\x21\x00\x00\x00\x08"
    assert dfu.erase_page(0x90012345) == b"\x41\x45\x23\x01\x90"
    assert dfu.MASS_ERASE == b"\x41"


def test_nothing_here_lifts_the_read_protection() -> None:
    values = [value for value in vars(dfu).values() if isinstance(value, bytes)]
    assert all(not value.startswith(b"\x92") for value in values)
