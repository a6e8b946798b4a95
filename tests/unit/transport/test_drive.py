"""The loops over operations: time, errors, and a real Ctrl-C at every place where it can come."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

import pytest

from upytool.errors import ConnectionLostError, OperationInterrupted
from upytool.protocol.ops import Interrupted, Op, Pause, Recv, Send
from upytool.transport.drive import drive, drive_async

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to itself")


class Script:
    """A transport whose reads are scripted: bytes, an exception, or a function."""

    name, interrupts, survives_reset = "script", True, True

    def __init__(self, *reads: bytes | Exception | Callable[[], bytes]) -> None:
        self.reads = list(reads)
        self.sent: list[bytes] = []
        self.timeouts: list[float | None] = []

    def read(self, timeout: float | None) -> bytes:
        self.timeouts.append(timeout)
        step = self.reads.pop(0) if self.reads else b""
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, bytes) else step()

    def write(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        return

    def fileno(self) -> int | None:
        return None


def test_requests_are_answered() -> None:
    times = iter([1.0, 2.0, 3.0])
    slept: list[float] = []
    script = Script(b"data")

    def op() -> Op[tuple[object, ...]]:
        sent = yield Send(b"go")
        got = yield Recv(0.5)
        paused = yield Pause(0.25)
        return sent, got, paused

    result = drive(op(), script, clock=lambda: next(times), sleep=slept.append)
    assert result == (1.0, (b"data", 2.0), 3.0)
    assert script.sent == [b"go"]
    assert script.timeouts == [0.5]
    assert slept == [0.25]


def test_a_pause_of_nothing_does_not_sleep() -> None:
    slept: list[float] = []

    def op() -> Op[None]:
        yield Pause(0)

    drive(op(), Script(), sleep=slept.append)
    assert slept == []


def test_an_error_of_the_transport_goes_into_the_operation() -> None:
    seen: list[str] = []

    def op() -> Op[str]:
        try:
            yield Recv(1)
        except ConnectionLostError as error:
            seen.append(error.message)
            yield Send(b"last words")
        return "done"

    script = Script(ConnectionLostError("gone"))
    assert drive(op(), script) == "done"
    assert seen == ["gone"]
    assert script.sent == [b"last words"]


def test_an_error_that_the_operation_lets_out_comes_out() -> None:
    def op() -> Op[None]:
        yield Recv(1)

    with pytest.raises(ConnectionLostError, match="gone"):
        drive(op(), Script(ConnectionLostError("gone")))


def test_the_operation_is_closed_whatever_happens() -> None:
    closed: list[bool] = []

    def op() -> Op[None]:
        try:
            yield Recv(1)
        finally:
            closed.append(True)

    with pytest.raises(ZeroDivisionError):
        drive(op(), Script(b"x"), clock=lambda: 1 / 0)
    assert closed == [True]


def _interrupt_soon(delay: float = 0.15) -> threading.Timer:
    timer = threading.Timer(delay, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    return timer


@posix_only
def test_ctrl_c_in_a_wait_goes_into_the_operation() -> None:
    def sleep_in_read() -> bytes:
        time.sleep(5)
        return b"never"

    def op() -> Op[str]:
        try:
            yield Recv(100)
        except Interrupted:
            yield Send(b"\x03")
            answer, _ = yield Recv(1)
            return bytes(answer).decode()
        return "not interrupted"

    script = Script(sleep_in_read, b"stopped")
    timer = _interrupt_soon()
    start = time.monotonic()
    assert drive(op(), script) == "stopped"
    assert time.monotonic() - start < 90
    assert script.sent == [b"\x03"]
    timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix_only
def test_ctrl_c_that_the_operation_does_not_answer_is_an_error_of_ours() -> None:
    def op() -> Op[None]:
        yield Pause(100)

    timer = _interrupt_soon()
    with pytest.raises(OperationInterrupted):
        drive(op(), Script())
    timer.join()


@posix_only
def test_ctrl_c_between_two_waits_loses_no_thought() -> None:
    """It comes while the operation computes: that part runs on, the next wait is interrupted."""
    steps: list[str] = []

    def op() -> Op[None]:
        yield Recv(0)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        steps.append("computed")
        try:
            yield Recv(0)
        except Interrupted:
            steps.append("interrupted")

    drive(op(), Script(b"a", b"b"))
    assert steps == ["computed", "interrupted"]


@posix_only
def test_ctrl_c_after_the_last_wait_is_not_lost() -> None:
    def op() -> Op[str]:
        yield Recv(0)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return "done"

    with pytest.raises(KeyboardInterrupt):
        drive(op(), Script(b"a"))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix_only
def test_a_second_ctrl_c_stops_the_cleaning_up() -> None:
    def op() -> Op[None]:
        try:
            yield Pause(100)
        except Interrupted:
            yield Pause(100)

    timers = [_interrupt_soon(0.1), _interrupt_soon(0.4)]
    start = time.monotonic()
    with pytest.raises(OperationInterrupted):
        drive(op(), Script())
    assert time.monotonic() - start < 90
    for timer in timers:
        timer.join()


def test_outside_the_main_thread_signals_are_left_alone() -> None:
    results: list[object] = []

    def op() -> Op[str]:
        yield Recv(0)
        return "done"

    thread = threading.Thread(target=lambda: results.append(drive(op(), Script(b"x"))))
    thread.start()
    thread.join(5)
    assert results == ["done"]


@posix_only
def test_a_handler_of_the_program_is_left_alone() -> None:
    seen: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: seen.append(number))
    try:

        def op() -> Op[str]:
            yield Pause(0.3)
            return "done"

        timer = _interrupt_soon(0.1)
        assert drive(op(), Script()) == "done"
        timer.join()
        assert seen == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, previous)


class AsyncScript:
    """The same for asyncio."""

    name, interrupts, survives_reset = "script", True, True

    def __init__(self, inner: Script, delay: float = 0.0) -> None:
        self.inner, self.delay = inner, delay

    async def read(self, timeout: float | None) -> bytes:
        if self.delay:
            await asyncio.sleep(self.delay)
        return self.inner.read(timeout)

    async def write(self, data: bytes) -> None:
        self.inner.write(data)

    async def close(self) -> None:
        return


def test_async_requests_are_answered() -> None:
    script = Script(b"data", ConnectionLostError("gone"))

    def op() -> Op[bytes]:
        yield Send(b"go")
        data, _ = yield Recv(1)
        yield Pause(0.01)
        try:
            yield Recv(1)
        except ConnectionLostError:
            yield Send(b"bye")
        return bytes(data)

    assert asyncio.run(drive_async(op(), AsyncScript(script))) == b"data"
    assert script.sent == [b"go", b"bye"]


def test_a_cancelled_task_is_an_interrupted_operation() -> None:
    script = Script()

    def op() -> Op[None]:
        try:
            yield Recv(10)
        except Interrupted:
            yield Send(b"\x03")
            raise

    async def main() -> None:
        task = asyncio.create_task(drive_async(op(), AsyncScript(script, delay=10)))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert script.sent == [b"\x03"]
