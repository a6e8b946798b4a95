"""`import upytool` as its users write it, on real MicroPython."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import upytool
from upytool.errors import OperationInterrupted, RemoteException, RemoteExit, RemoteOSError
from upytool.events import TaskFinished, TaskStarted
from upytool.testing import Recorder


def test_connect_exec_eval_and_files(simulated: str, tmp_path: Path) -> None:
    local = tmp_path / "main.py"
    local.write_text("print('hi')\n")
    recorder = Recorder()
    with upytool.connect(simulated, reporter=recorder) as board:
        assert board.info.platform == "wasm"
        assert board.exec("print(1 + 1)") == "2\n"
        assert board.eval("[n * n for n in range(4)]") == [0, 1, 4, 9]
        board.fs.put(local, "/main.py")
        assert board.fs.read_text("/main.py") == "print('hi')\n"
        path = upytool.RemotePath(board.fs, "/") / "main.py"
        assert path.exists()
        assert path.read_bytes() == local.read_bytes()
        board.fs.remove("/main.py")
    assert recorder.of(TaskStarted)
    assert all(event.ok for event in recorder.of(TaskFinished))


def test_errors_are_values(simulated: str) -> None:
    with upytool.connect(simulated) as board:
        with pytest.raises(RemoteException) as caught:
            board.exec("print('a'); 1/0")
        assert caught.value.kind == "ZeroDivisionError"
        assert caught.value.output.strip() == b"a"
        with pytest.raises(RemoteExit) as left:
            board.exec("import sys; sys.exit(3)")
        assert left.value.exit_code == 3
        with pytest.raises(OSError) as refused:
            board.fs.read_bytes("/nope")
        assert isinstance(refused.value, RemoteOSError)
        assert refused.value.errno == 2
        assert isinstance(refused.value, upytool.UpytoolError)


def test_fresh_means_a_fresh_interpreter_for_the_first_program_only(simulated: str) -> None:
    with upytool.connect(simulated) as board:
        board.exec("left = 1")
    with upytool.connect(simulated, fresh=True) as board:
        board.fs.ls("/")
        assert board.session.reset_pending
        assert board.eval("'left' in globals()") is False
        board.exec("left = 2")
        assert board.eval("left") == 2


def test_the_same_for_asyncio(simulated: str, tmp_path: Path) -> None:
    async def work() -> None:
        async with await upytool.aconnect(simulated) as board:
            assert (await board.info()).implementation == "micropython"
            assert await board.exec("print(3)") == "3\n"
            assert await board.eval("(1, 2)") == (1, 2)
            await board.fs.write_bytes("/a.bin", b"\x00\x04\x03" * 500)
            assert await board.fs.read_bytes("/a.bin") == b"\x00\x04\x03" * 500
            said = bytearray()
            await board.run("for n in range(3): print(n)", on_output=said.extend)
            assert said.split() == [b"0", b"1", b"2"]
            with pytest.raises(RemoteOSError):
                await board.fs.remove("/nope")
            await board.fs.remove("/a.bin")

    asyncio.run(work())


def test_cancelling_a_task_stops_the_boards_program(simulated: str) -> None:
    async def work() -> None:
        async with await upytool.aconnect(simulated) as board:
            task = asyncio.create_task(board.run("import time\nwhile True: time.sleep(0.01)"))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await board.exec("print('alive')") == "alive\n"

    asyncio.run(work())


def test_ctrl_c_in_a_script_of_the_users(simulated: str) -> None:
    script = textwrap.dedent(f"""
        import os, signal, threading, upytool
        with upytool.connect({simulated!r}) as board:
            threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()
            try:
                board.run("while True: pass")
            except upytool.UpytoolError as error:
                print(error.code, "KeyboardInterrupt" in error.traceback, board.exec("print(5)"))
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["interrupted", "True", "5"], done.stderr
    assert OperationInterrupted.exit_code == 130


def test_the_pytest_fixture(simulated: str, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_sum(board):\n    assert board.eval('1 + 1') == 2\n")
    run = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(
        [*run, "--upytool-device", simulated], capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False
    )
    assert "1 passed" in done.stdout, done.stdout
    without = subprocess.run(run, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False)
    assert "1 skipped" in without.stdout, without.stdout


def test_the_public_names_are_there() -> None:
    for name in upytool.__all__:
        assert getattr(upytool, name) is not None
    with pytest.raises(AttributeError):
        _ = upytool.nonsense  # type: ignore[attr-defined]


def test_importing_it_costs_next_to_nothing() -> None:
    code = "import sys, upytool; print(sorted(m for m in sys.modules if m.startswith(('upytool', 'click', 'serial'))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "['upytool']"
