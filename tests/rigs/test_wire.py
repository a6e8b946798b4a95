"""The wire: its time and bytes are right, and each fault happens at the byte it was set for."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pytest

from tests.rigs.wire import Fault, Wire, WireProcess


@dataclass
class Ends:
    """A wire's two ends as descriptors: the client's, and the master behind the board's port."""

    client: int
    board: int
    wire: Wire | WireProcess


@contextlib.contextmanager
def ends(
    kind: Callable[..., Wire] | Callable[..., WireProcess] = Wire,
    *,
    baud: int | None = None,
    latency: float = 0.0,
    faults: Sequence[Fault] = (),
) -> Iterator[Ends]:
    board, held = pty.openpty()
    tty.setraw(held)
    try:
        with kind(os.ttyname(held), baud=baud, latency=latency, faults=faults) as wire:
            client = os.open(wire.port, os.O_RDWR | os.O_NOCTTY)
            try:
                yield Ends(client, board, wire)
            finally:
                os.close(client)
    finally:
        os.close(board)
        os.close(held)


def read_for(descriptor: int, count: int, seconds: float = 5.0) -> bytes:
    """Up to count bytes, for at most the given time."""
    seen = b""
    last = time.monotonic() + seconds
    while len(seen) < count and (left := last - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            seen += os.read(descriptor, count - len(seen))
    return seen


@pytest.mark.parametrize("kind", [Wire, WireProcess])
@pytest.mark.parametrize("up", [True, False])
def test_throttle_is_the_line_rate(kind: Callable[..., Wire], up: bool) -> None:
    data = bytes(range(256)) * 8  # fits the buffers, so that one write gives it all
    with ends(kind, baud=19200, latency=0.001) as both:
        source, sink = (both.client, both.board) if up else (both.board, both.client)
        began = time.monotonic()
        os.write(source, data)
        assert read_for(sink, len(data)) == data
        took = time.monotonic() - began
    expected = len(data) * 10 / 19200 + 0.001
    assert took >= expected * 0.98  # a late scheduler may add, nothing may hurry
    assert took <= expected * 1.02 + 0.1
    assert (both.wire.up, both.wire.down) == ((2048, 0) if up else (0, 2048))


def test_latency_delays_a_single_byte_each_way() -> None:
    with ends(latency=0.05) as both:
        began = time.monotonic()
        os.write(both.client, b"a")
        assert read_for(both.board, 1) == b"a"
        os.write(both.board, b"b")
        assert read_for(both.client, 1) == b"b"
        assert 0.1 <= time.monotonic() - began < 0.3


def test_a_reader_who_waits_loses_nothing() -> None:
    data = os.urandom(400_000)  # more than all the kernel's buffers on the way
    with ends() as both:
        os.set_blocking(both.client, False)
        sent = 0
        last = time.monotonic() + 0.5
        while sent < len(data) and time.monotonic() < last:  # the buffers fill: nobody reads yet
            with contextlib.suppress(BlockingIOError):
                sent += os.write(both.client, data[sent:])
        assert sent < len(data)
        seen = b""
        while len(seen) < len(data):
            seen += read_for(both.board, 65536, 0.02)
            with contextlib.suppress(BlockingIOError):
                sent += os.write(both.client, data[sent:])
        assert seen == data


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("at", [0, 7, 99])
@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("drop", lambda data, at: data[:at] + data[at + 1 :]),
        ("corrupt", lambda data, at: data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1 :]),
        ("duplicate", lambda data, at: data[: at + 1] + data[at:]),
        ("mute", lambda data, at: data[:at]),
    ],
)
def test_fault_hits_the_named_byte(
    fault: str, expected: Callable[[bytes, int], bytes], direction: str, at: int
) -> None:
    data = bytes(range(100))
    with ends(faults=[Fault.parse(f"{fault}:{direction}:{at}")]) as both:
        source, sink = (both.client, both.board) if direction == "up" else (both.board, both.client)
        for part in (data[:5], data[5:60], data[60:]):  # a fault is counted over chunks
            os.write(source, part)
            time.sleep(0.005)
        assert read_for(sink, 200, 0.15) == expected(data, at)


def test_delay_holds_the_named_byte_and_what_follows() -> None:
    with ends(faults=[Fault("delay", "up", 3, 0.3)]) as both:
        began = time.monotonic()
        os.write(both.client, b"abcdef")
        assert read_for(both.board, 6, 0.2) == b"abc"
        assert read_for(both.board, 3) == b"def"
        assert time.monotonic() - began >= 0.3


def test_split_delivers_single_bytes() -> None:
    with ends(faults=[Fault("split", "down", 2, 0.005)]) as both:
        os.write(both.board, b"abcdefgh")
        time.sleep(0.001)
        chunks: list[bytes] = []
        while len(b"".join(chunks)) < 8:
            assert select.select([both.client], [], [], 2)[0]
            chunks.append(os.read(both.client, 100))
        assert b"".join(chunks) == b"abcdefgh"
        assert len(chunks) >= 6


@pytest.mark.parametrize("at", [0, 1, 50])
def test_vanish_delivers_what_came_before_and_hangs_up(at: int) -> None:
    with ends(faults=[Fault("vanish", "up", at)]) as both:
        assert isinstance(both.wire, Wire)
        os.write(both.client, bytes(100))
        assert both.wire.vanished.wait(2)
        assert both.wire.up == at
        assert read_for(both.board, 200, 0.1) == bytes(at)
        with pytest.raises(OSError, match=r"Errno 5"):
            os.write(both.client, b"x")


def test_faults_add_up_in_order() -> None:
    faults = [Fault("drop", "up", 4), Fault("corrupt", "up", 0, 1), Fault("drop", "up", 5)]
    with ends(faults=faults) as both:
        os.write(both.client, b"0123456789")
        assert read_for(both.board, 8) == b"11236789"


def test_the_process_reports_its_bytes_and_its_vanishing() -> None:
    with ends(WireProcess, faults=[Fault("vanish", "down", 10)]) as both:
        os.write(both.board, bytes(30))
        assert read_for(both.client, 10) == bytes(10)
    assert (both.wire.up, both.wire.down) == (0, 10)


def test_a_bad_fault_is_refused() -> None:
    with pytest.raises(ValueError, match="not a fault"):
        Fault.parse("melt:up:3")
