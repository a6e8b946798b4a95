"""The thread that runs asyncio for a transport: results, errors, limits, Ctrl-C, and an end."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Iterator

import pytest

from upytool.transport import loop_thread
from upytool.transport.loop_thread import LoopThread


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread("test loop")
    yield thread
    thread.close()
    thread._thread.join(30)
    assert not thread._thread.is_alive()


async def answer() -> int:
    await asyncio.sleep(0.01)
    return 42


async def fails() -> None:
    raise ValueError("no")


def test_results_and_errors(loop: LoopThread) -> None:
    assert loop.run(answer(), 5.0) == 42
    with pytest.raises(ValueError, match="no"):
        loop.run(fails(), 5.0)
    assert loop.run(answer(), 5.0) == 42


def test_a_limit_breaks_off_and_leaves_the_loop_alive(loop: LoopThread) -> None:
    ended = []

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)

    with pytest.raises(TimeoutError):
        loop.run(long(), 0.1)
    assert ended == [True]
    assert loop.run(answer(), 5.0) == 42


def test_work_that_does_not_let_itself_be_broken_off(loop: LoopThread, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_thread, "GRACE", 0.3)
    over = threading.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await asyncio.sleep(0.02)
            except asyncio.CancelledError:
                continue

    with pytest.raises(TimeoutError):
        loop.run(stubborn(), 0.1)
    over.set()


def test_a_timeout_of_the_work_is_its_own(loop: LoopThread) -> None:
    async def times_out() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        loop.run(times_out(), 30.0)


def test_it_tells_what_passed(loop: LoopThread) -> None:
    told: list[int] = []
    with pytest.raises(TimeoutError):
        loop.run(asyncio.sleep(60), 1.5, lambda passed: told.append(int(passed)))
    assert told[:1] == [1]


def test_ctrl_c_breaks_off(loop: LoopThread) -> None:
    ended = threading.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    def work() -> None:
        threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()
        loop.run(long(), 60.0)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert ended.wait(30)
    assert loop.run(answer(), 5.0) == 42


def test_close_ends_what_is_under_way() -> None:
    thread = LoopThread("test loop")
    ended = threading.Event()

    async def long() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def starts_it_at_its_end() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            later.append(asyncio.ensure_future(long()))
            await asyncio.sleep(0)

    later: list[asyncio.Future[None]] = []
    asyncio.run_coroutine_threadsafe(starts_it_at_its_end(), thread._loop)
    thread.run(answer(), 5.0)
    thread.close()
    assert ended.wait(30)
    assert all(each.done() for each in later)
    thread.close()
