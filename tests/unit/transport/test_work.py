"""Work of this computer inside an operation: Ctrl-C ends it, an event loop goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.device.boards import InProcess
from tests.unit.transport.test_drive import AsyncScript, Script
from upytool.device import compile as compiling
from upytool.device.aio_device import AsyncDevice
from upytool.device.device import Device
from upytool.device.local import FileSink
from upytool.errors import LocalFileError, OperationInterrupted
from upytool.protocol.ops import Interrupted, Op, Pause, Send, on_host
from upytool.protocol.pace import announced
from upytool.sim.wasm import WasmBoard
from upytool.transport.drive import drive, drive_async
from upytool.transport.threaded import ThreadedTransport

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to itself")
BOUND = 20.0


def result_of(call: Callable[[], object]) -> Op[object]:
    yield Send(b"before")
    found = yield from on_host(call)
    yield Pause(0)
    return found


def test_its_result_and_its_error_are_the_operations() -> None:
    def fail() -> None:
        raise LocalFileError("gone")

    assert drive(result_of(lambda: 7), Script()) == 7
    assert asyncio.run(drive_async(result_of(lambda: 7), AsyncScript(Script()))) == 7
    assert drive(announced(result_of(lambda: "text"), print, "waits"), Script()) == "text"
    with pytest.raises(LocalFileError):
        drive(result_of(fail), Script())
    with pytest.raises(LocalFileError):
        asyncio.run(drive_async(result_of(fail), AsyncScript(Script())))


def test_a_thread_does_it_and_the_loop_goes_on() -> None:
    loops_turn = threading.Event()

    async def main() -> object:
        asyncio.get_running_loop().call_soon(loops_turn.set)
        return await drive_async(result_of(lambda: loops_turn.wait(BOUND)), AsyncScript(Script()))

    assert asyncio.run(main()) is True


@posix_only
def test_ctrl_c_ends_what_blocks() -> None:
    script = Script()
    never = threading.Event()
    reading, writing = os.pipe()

    def block() -> bytes:
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        return os.read(reading, 1)

    def op() -> Op[None]:
        try:
            yield from on_host(block)
            never.set()
        except Interrupted:
            yield Send(b"\x03")
            raise

    with pytest.raises(OperationInterrupted):
        drive(op(), script)
    assert script.sent == [b"\x03"]
    assert not never.is_set()
    for number in (reading, writing):
        os.close(number)


def test_the_end_of_the_process_is_the_operations_to_know() -> None:
    """A signal's SystemExit, which comes amid work: what cleans up may still speak with the board."""
    script = Script()

    def op() -> Op[None]:
        try:
            yield from on_host(sys.exit, 143)
        except BaseException:
            yield Send(b"cleaned")
            raise

    with pytest.raises(SystemExit) as caught:
        drive(op(), script)
    assert (caught.value.code, script.sent) == (143, [b"cleaned"])


def test_a_cancelled_task_waits_until_the_file_is_let_go_of() -> None:
    script = Script()
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def write() -> None:
        begun.set()
        go_on.wait(BOUND)
        ended.append("written")
        raise LocalFileError("nobody hears it")

    def op() -> Op[None]:
        try:
            yield from on_host(write)
        except Interrupted:
            ended.append("stopped")
            raise

    async def main() -> None:
        task = asyncio.create_task(drive_async(op(), AsyncScript(script)))
        await asyncio.to_thread(begun.wait, BOUND)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == ["written", "stopped"]


def test_a_cancelled_task_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.transport.drive.WORK_ENDS", 0.05)
    begun, go_on = threading.Event(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(
            drive_async(result_of(lambda: (begun.set(), go_on.wait(BOUND))), AsyncScript(Script()))
        )
        await asyncio.to_thread(begun.wait, BOUND)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not go_on.is_set()
        go_on.set()

    asyncio.run(main())


def test_a_sync_that_compiles_lets_the_loop_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compilers, reading and hashing of a real copy: each of them waits here for the loop, which must come."""
    (tmp_path / "lib.py").write_text("x = 1\n")
    (tmp_path / "data.txt").write_text("text")
    waits = []

    def slow(name: str, real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **named: object) -> object:
            turned = threading.Event()
            loop.call_soon_threadsafe(turned.set)
            waits.append((name, turned.wait(BOUND)))
            return real(*args, **named)

        return call

    from upytool.device import copy_ops, sync

    loop: asyncio.AbstractEventLoop
    for module, name in (
        (compiling, "compile_module"),
        (sync, "local_tree"),
        (copy_ops, "local_digest"),
    ):
        monkeypatch.setattr(module, name, slow(name, getattr(module, name)))

    async def main() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        with WasmBoard(flash_size=1 << 20) as board:
            async with AsyncDevice(ThreadedTransport(InProcess(board))) as device:
                await device.fs.sync(tmp_path, "/app", mpy=True)
                await device.fs.sync(tmp_path, "/app", mpy=True)
                assert await device.eval("__import__('app.lib').lib.x") == 1

    asyncio.run(main())
    assert {name for name, _ in waits} == {"compile_module", "local_tree", "local_digest"}
    assert all(turned for _, turned in waits)


@posix_only
def test_ctrl_c_while_a_small_file_is_written_leaves_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"old")

    def interrupted(self: FileSink, data: bytes) -> None:
        FileSink._open(self)
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(BOUND)

    with WasmBoard(flash_size=1 << 20) as board, Device(InProcess(board)) as device:
        device.fs.write_bytes("/f", b"new")
        monkeypatch.setattr(FileSink, "write", interrupted)
        for get in (lambda: device.fs.get("/f", tmp_path / "f"), lambda: device.fs.copy(":/f", str(tmp_path))):
            with pytest.raises(OperationInterrupted):
                get()
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("f", b"old")]


@posix_only
def test_ctrl_c_leaves_a_question_of_a_sync(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("1")

    def ask(question: str) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        threading.Event().wait(BOUND)

    with WasmBoard(flash_size=1 << 20) as board, Device(InProcess(board)) as device:
        device.fs.write_bytes("/boot.py", b"# stays")
        with pytest.raises(OperationInterrupted):
            device.fs.sync(tmp_path, "/", delete=True, agree=ask)
        assert device.fs.read_bytes("/boot.py") == b"# stays"
