"""The start of a ROMFS application by the frozen main.py, on real MicroPython with ROM partitions."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator

import pytest

from tests.rigs.frozen import qemu_board
from tests.rigs.qemu import Qemu
from upytool.device.connect import connect
from upytool.device.romfs import deploy
from upytool.image.romfs import build_romfs
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module

pytestmark = pytest.mark.rig
# Real ports mount /rom before boot.py; this rig runs its start inside mp_init, just before the mount.
MOUNT = b"""import vfs,sys
vfs.mount(vfs.VfsRom(memoryview(vfs.rom_ioctl(2, 0))), '/rom')
sys.path.append('/rom')
"""


@pytest.fixture(scope="module")
def whole() -> Iterator[Qemu]:
    with qemu_board(fs="lfs", rom="ranges") as board:
        yield board


@pytest.fixture
def board(whole: Qemu) -> Qemu:
    whole.blank()
    return whole


def rom(board: Qemu, files: dict[str, bytes]) -> None:
    """Put an image into the first partition, through the frozen transfer program."""
    with connect(board.port) as device:
        device.session.frozen = True
        device.drive(deploy(device.fs.ops, build_romfs(files)))
        assert device.session.frozen is True
        device.fs.write_bytes("/boot.py", MOUNT)


def start(board: Qemu) -> str:
    """What the board says from a soft reset at the friendly prompt up to the next prompt."""
    said, end = b"", time.monotonic() + 15
    line = os.open(board.port, os.O_RDWR | os.O_NOCTTY)
    try:
        os.write(line, b"\r\x02\x04")
        while not (b"soft reboot" in said and said.endswith(b">>> ")):
            assert time.monotonic() < end, said
            if select.select([line], [], [], 0.1)[0]:
                said += os.read(line, 4096)
    finally:
        os.close(line)
    return said.partition(b"soft reboot")[2].decode()


def test_nothing_to_start(board: Qemu) -> None:
    assert "Error" not in start(board)


def test_main_py_of_the_rom_partition_runs(board: Qemu) -> None:
    rom(board, {"main.py": b"import app\nhere = __name__\nprint('rom', here, app.x)\n", "app.py": b"x = 7\n"})
    assert "rom __main__ 7\r\n" in start(board)


def test_the_file_system_wins(board: Qemu) -> None:
    rom(board, {"main.py": b"print('rom')\n"})
    with connect(board.port) as device:
        device.fs.write_bytes("/main.py", b"print('file')\n")
    said = start(board)
    assert "file\r\n" in said
    assert "rom\r\n" not in said
    with connect(board.port) as device:
        device.fs.remove("/main.py")
        device.fs.mkdir("/main.py")  # a folder of that name is not a program
    assert "rom\r\n" in start(board)


def test_a_compiled_main_is_imported(board: Qemu) -> None:
    data = Cross(Abi(6, 3, "")).compile(Module(b"print('compiled', __name__)\n", "main.py"))
    rom(board, {"main.mpy": data})
    assert "compiled /rom/main\r\n" in start(board)


def test_its_errors_are_its_own(board: Qemu) -> None:
    rom(board, {"main.py": b"def f():\n    1/0\nf()\n"})
    said = start(board)
    assert 'File "/rom/main.py", line 2, in f' in said
    assert "ZeroDivisionError" in said
