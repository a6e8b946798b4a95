"""Connections that more than one thread or task uses, and waits above the table of `select`."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import threading

import pytest

from upytool.device.device import Device
from upytool.errors import ConnectionLostError, UsageError
from upytool.protocol.ops import Op, Pause, Recv, Send
from upytool.transport.drive import drive, drive_async
from upytool.transport.ready import readable, writable
from upytool.transport.socket import SocketTransport
from upytool.transport.threaded import ThreadedTransport


class Echo:
    """A MODEL of a far end that answers each Send, once, with the same bytes."""

    name, interrupts, survives_reset = "echo", True, True

    def __init__(self) -> None:
        self.waiting: list[bytes] = []
        self.more = threading.Event()

    def read(self, timeout: float | None) -> bytes:
        self.more.wait(timeout)
        self.more.clear()
        return self.waiting.pop(0) if self.waiting else b""

    def write(self, data: bytes) -> None:
        self.waiting.append(data)
        self.more.set()

    def close(self) -> None:
        return

    def fileno(self) -> None:
        return None


def ask(word: bytes) -> Op[bytes]:
    yield Send(word)
    yield Pause(0.001)
    data, _ = yield Recv(5.0)
    return bytes(data)


def test_threads_take_turns() -> None:
    wire, wrong = Echo(), []

    def many(number: int) -> None:
        for round_ in range(50):
            word = b"%d/%d" % (number, round_)
            if drive(ask(word), wire) != word:
                wrong.append(word)

    threads = [threading.Thread(target=many, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert not any(thread.is_alive() for thread in threads)


def test_tasks_take_turns() -> None:
    async def work() -> list[bool]:
        wire = ThreadedTransport(Echo())
        words = [b"%d" % number for number in range(40)]
        try:
            return [a == b for a, b in zip(await asyncio.gather(*(drive_async(ask(w), wire) for w in words)), words)]
        finally:
            await wire.close()

    assert all(asyncio.run(work()))


def test_calling_back_from_within_is_an_error_and_not_a_wait() -> None:
    wire = Echo()

    def outer() -> Op[None]:
        yield Pause(0)
        drive(ask(b"x"), wire)

    with pytest.raises(UsageError):
        drive(outer(), wire)
    assert drive(ask(b"y"), wire) == b"y"


def test_calling_back_from_within_a_task_is_an_error_too() -> None:
    async def work() -> None:
        wire = ThreadedTransport(Echo())
        with pytest.raises(UsageError):
            async with asyncio.timeout(5):
                await drive_async(outer(wire), wire)
        await wire.close()

    def outer(wire: ThreadedTransport) -> Op[None]:
        yield Pause(0)
        inner = drive_async(ask(b"x"), wire)
        try:
            inner.send(None)
        finally:
            inner.close()

    asyncio.run(work())


def test_a_turn_ends_with_its_operation_however_that_ends() -> None:
    wire = Echo()

    def failing() -> Op[None]:
        yield Pause(0)
        raise ValueError

    for _ in range(2):
        with pytest.raises(ValueError):
            drive(failing(), wire)
    assert drive(ask(b"z"), wire) == b"z"


def test_what_a_cancelled_read_brings_belongs_to_the_next() -> None:
    async def work() -> bytes:
        inner = Echo()
        wire = ThreadedTransport(inner)
        reading = asyncio.ensure_future(wire.read(10))
        await asyncio.sleep(0.05)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        inner.write(b"kept")
        try:
            return await wire.read(5)
        finally:
            await wire.close()

    assert asyncio.run(work()) == b"kept"


@pytest.mark.skipif(os.name != "posix", reason="descriptors have no numbers there")
def test_descriptors_beyond_the_table_of_select() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip("this user may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            wire = SocketTransport(f"socket://127.0.0.1:{server.getsockname()[1]}")
            far, _ = server.accept()
            with far:
                assert (wire.fileno() or 0) >= 1024
                assert wire.read(0.01) == b""
                far.sendall(b"hello")
                assert wire.read(5) == b"hello"
                wire.write(b"there")
                assert list(readable((far,), 5)) == [far]
                assert writable(far, 5)
            wire.close()
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Endless:
    """A transport whose reads bring nothing until it is closed; with slots, as a plug-in's may be."""

    __slots__ = ("closed", "name", "interrupts", "survives_reset", "sent", "begun")

    def __init__(self) -> None:
        self.closed, self.begun = threading.Event(), threading.Event()
        self.name, self.interrupts, self.survives_reset = "endless", True, True
        self.sent = b""

    def read(self, timeout: float | None) -> bytes:
        self.begun.set()
        if self.closed.wait(20):
            raise ConnectionLostError("closed")
        return b""

    def write(self, data: bytes) -> None:
        self.sent += data

    def close(self) -> None:
        self.closed.set()

    def fileno(self) -> int | None:
        return None


def test_another_thread_can_stop_and_close_what_never_ends() -> None:
    pipe = Endless()
    board = Device(pipe)
    ended: list[BaseException] = []

    def work() -> None:
        try:
            board.drive(ask(b"x"))
        except ConnectionLostError as error:
            ended.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    assert pipe.begun.wait(20)
    board.interrupt()
    assert pipe.sent.endswith(b"\x03")
    board.close()
    thread.join(20)
    assert not thread.is_alive()
    assert len(ended) == 1
