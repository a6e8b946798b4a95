"""dfu-util's words, and what is said where it is missing. The program itself runs in tests/flash/test_dfu_mboot.py."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from tests.fakes.dfu_bench import OPTIONS, Bench, f4_image
from tests.fakes.st_dfu_model import StRom
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import FlashError, PortMissingError, PortPermissionError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.dfu_util import DfuUtilFlasher, DfuUtilLoader, Listed, parse_list, reason

LIST = """dfu-util 0.11

Copyright 2005-2009 Weston Schmidt, Harald Welte and OpenMoko Inc.

Found Runtime: [1d6b:0001] ver=0100, devnum=3, cfg=1, intf=2, path="1-4", alt=0, name="x", serial="y"
Found DFU: [0483:df11] ver=2200, devnum=12, cfg=1, intf=0, path="1-2.3", alt=3, name="@Device Feature/0xFFFF0000/01*004 e", serial="3276366F3033"
Found DFU: [0483:df11] ver=2200, devnum=12, cfg=1, intf=0, path="1-2.3", alt=0, name="@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", serial="3276366F3033"
Found DFU: [2341:0070] ver=0100, devnum=13, cfg=1, intf=0, path="1-1", alt=0, name="UNUSED", serial="a"b"
"""  # noqa: E501
posix = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a shell script")
DEVICE = UsbDevice(0x0483, 0xDF11, "1-2.3", "3276366F3033", "STM32 BOOTLOADER")


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A program of this name that a test wrote (a stand-in, POSIX shell)."""
    file = folder / "dfu-util"
    file.write_text("#!/bin/sh\n" + script)
    file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_list() -> None:
    found = parse_list(LIST)
    assert [(each.pid, each.alternate) for each in found] == [(0xDF11, 3), (0xDF11, 0), (0x0070, 0)]
    assert found[1] == Listed(
        0x0483, 0xDF11, "1-2.3", 0, "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg", "3276366F3033"
    )
    assert parse_list("") == []
    assert parse_list(LIST.replace("\n", "\r\n")) == found


def test_reason_is_the_last_word_that_is_no_warning() -> None:
    said = "dfu-util: Warning: Invalid DFU suffix signature\ndfu-util: A valid DFU suffix\ndfu-util: Cannot do it!\n"
    assert reason(said) == "cannot do it"
    assert reason("") == "no word why"


def test_without_the_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    target = FlashTarget("bootloader", "usb:1-2.3", "1-2.3", usb=DEVICE)
    assert "not installed" in DfuUtilFlasher().declines(target, None)
    with pytest.raises(FlashError, match="not installed") as caught:
        DfuUtilFlasher().open(target, OPTIONS)
    assert "apt install dfu-util" in caught.value.hint


@posix
def test_simulated_boards_and_layouts_are_declined(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(tmp_path, monkeypatch, "exit 0\n")
    target = Bench.of(StRom()).target
    assert "simulated" in DfuUtilFlasher().declines(target, f4_image())
    with pytest.raises(FlashError, match="no memory layout"):
        DfuUtilFlasher().open(target, FlashOptions(layout="@F/0x08000000/1*1Kg"))


@posix
def test_it_finds_the_device_by_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(LIST)
    program(tmp_path, monkeypatch, f'[ "$1" = -l ] && cat {tmp_path}/list || {{ echo "$@" >> {tmp_path}/calls; }}\n')
    loader = DfuUtilLoader(DEVICE)
    assert loader.layout.describe() == "0x08000000 to 0x080fffff"
    loader.leave()
    assert (tmp_path / "calls").read_text() == "-d 0483:df11 -p 1-2.3 -a 0 -s 0x08000000:leave\n"
    with pytest.raises(PortMissingError):
        DfuUtilLoader(dataclasses.replace(DEVICE, location="1-9"))


@posix
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("dfu-util: Cannot open DFU device 0483:df11 found on devnum 3 (LIBUSB_ERROR_ACCESS)", PortPermissionError),
        ("dfu-util: No DFU capable USB device available", PortMissingError),
        ("dfu-util: ERASE_PAGE not correctly executed", FlashError),
    ],
)
def test_its_failures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, expected: type[Exception]) -> None:
    (tmp_path / "list").write_text(LIST)
    program(tmp_path, monkeypatch, f'[ "$1" = -l ] && cat {tmp_path}/list || {{ echo "{said}" >&2; exit 74; }}\n')
    loader = DfuUtilLoader(DEVICE)
    with pytest.raises(expected) as caught:
        loader.read(0x08000000, 64)
    assert getattr(caught.value, "hint", "")
