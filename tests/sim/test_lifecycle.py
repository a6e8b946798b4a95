"""Start, list, reset, stop: the background server and its registry."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from upytool.errors import AmbiguousDeviceError, NoDeviceError, SimulatorError, UsageError
from upytool.sim import list_running, registry, reset, resolve, start, stop
from upytool.sim.registry import SimInfo


def talk(port: str, data: bytes, mark: bytes, seconds: float = 10.0) -> bytes:
    """Open the port as any tool does, send, read up to `mark`, close."""
    import serial

    with serial.serial_for_url(port, 115200, timeout=0.1) as line:
        line.write(data)
        seen, deadline = b"", time.monotonic() + seconds
        while mark not in seen:
            assert time.monotonic() < deadline, seen
            seen += line.read(max(1, line.in_waiting))
    return seen


@pytest.fixture(params=["pty", "tcp"])
def board(request: Any, state: Path) -> SimInfo:
    if request.param == "pty" and sys.platform == "win32":
        pytest.skip("no pty on Windows")
    return start("wasm", fresh=True, tcp=request.param == "tcp")


def test_clients_come_and_go(board: SimInfo) -> None:
    talk(board.port, b"\rx = 6\r", b"x = 6\r\n>>> ")
    assert b"42\r\n" in talk(board.port, b"\r7*x\r", b"42\r\n>>> ")


def test_ctrl_c_while_it_starts_leaves_no_board(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = state / "wasm.lock"

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if registry._held(lock):  # the server works in the background by now
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(registry, "time", SimpleNamespace(monotonic=time.monotonic, sleep=sleep))
        with pytest.raises(KeyboardInterrupt):
            start("wasm")
    assert not registry._held(lock)


def test_start_twice_is_the_same_board(board: SimInfo) -> None:
    assert start("wasm") == board
    assert list_running() == [board]


def test_reset_ends_a_program_that_swallows_ctrl_c(board: SimInfo) -> None:
    loop = b"\r\x05while True:\r  try:\r    while True: pass\r  except KeyboardInterrupt: print('no')\r\x04"
    talk(board.port, loop, b"\r\n")
    time.sleep(0.2)
    reset("wasm")
    assert b"MicroPython v" in talk(board.port, b"", b">>> ")


def test_stop_leaves_only_the_flash(board: SimInfo, state: Path) -> None:
    talk(board.port, b"\rwith open('kept', 'w') as f: f.write('x')\r\r", b"1\r\n>>> ")
    stop("wasm")
    assert list_running() == []
    assert sorted(path.name for path in state.iterdir()) == ["wasm", "wasm.lock", "wasm.log"]
    with pytest.raises(NoDeviceError):
        stop("wasm")
    again = start("wasm")
    assert b"'kept'" in talk(again.port, b"\rimport os;os.listdir()\r", b"]\r\n>>> ")
    stop("wasm")
    fresh = start("wasm", fresh=True)
    assert b"[]" in talk(fresh.port, b"\rimport os;os.listdir()\r", b"]\r\n>>> ")


def test_several_boards_and_their_selectors(state: Path) -> None:
    with pytest.raises(NoDeviceError) as none:
        resolve("sim")
    assert "upytool sim start" in none.value.hint
    first = start("wasm", name="one")
    assert resolve("sim") == resolve("sim:wasm") == resolve("sim:one") == first.port
    second = start("wasm", name="two")
    with pytest.raises(AmbiguousDeviceError):
        resolve("sim")
    assert resolve("sim:two") == second.port != first.port
    talk(first.port, b"\rwho = 'first'\r", b"'\r\n>>> ")
    talk(second.port, b"\rwho\r", b"NameError")
    start("wasm")
    assert resolve("sim") == resolve("sim:wasm")
    with pytest.raises(NoDeviceError):
        resolve("sim:three")
    assert [info.name for info in list_running()] == ["one", "two", "wasm"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [9, 15])
def test_a_killed_server_is_noticed(state: Path, number: int) -> None:
    board = start("wasm")
    talk(board.port, b"\rwith open('kept', 'w') as f: f.write('x')\r\r", b"1\r\n>>> ")
    os.kill(board.pid, signal.Signals(number))
    deadline = time.monotonic() + 5
    while list_running():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not (state / "wasm.json").exists()
    assert not (state / "wasm.tty").is_symlink()
    again = start("wasm")
    assert again.pid != board.pid
    assert b"'kept'" in talk(again.port, b"\rimport os;os.listdir()\r", b"]\r\n>>> ")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_server_is_no_child_and_leaves_no_zombie(state: Path) -> None:
    board = start("wasm")
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    assert str(board.pid) not in children
    stop("wasm")
    assert not Path(f"/proc/{board.pid}").exists() or "Z" not in Path(f"/proc/{board.pid}/stat").read_text()


def test_what_cannot_start_says_why(state: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        start("wasm", name="no/slash")
    with pytest.raises(UsageError, match="has no BOOTSEL button"):
        start("wasm", bootsel=True)
    with pytest.raises(SimulatorError) as caught:
        start("wasm", flash_size=1000)
    assert caught.value.code == "sim.not-started"
    assert "1000" in str(caught.value.fields["reason"])
    bad = tmp_path / "bad.uf2"
    bad.write_bytes(bytes(1024))
    with pytest.raises(SimulatorError, match="not a UF2 file"):
        start("pico", image=bad)
    state.joinpath("wasm").mkdir(exist_ok=True)
    state.joinpath("wasm", "flash.img").write_bytes(b"\x55" * 65536)
    with pytest.raises(SimulatorError, match="no readable file system"):
        start("wasm")
    assert list_running() == []


def test_the_state_file_is_private(board: SimInfo, state: Path) -> None:
    assert "token" not in board.data()
    if sys.platform != "win32":
        assert (state / "wasm.json").stat().st_mode & 0o077 == 0


def test_importing_the_api_is_light() -> None:
    code = "import sys, upytool.sim.registry\nprint({'wasmtime', 'platformdirs', 'filelock'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "set()"
