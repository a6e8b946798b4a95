"""The serial line between host and VM."""

from __future__ import annotations

import threading
import time

import pytest

from upytool.sim import console as module
from upytool.sim.console import Console, Interrupted, Stopped


def test_reads_end_after_a_stop_byte() -> None:
    console = Console()
    console.feed(b"print(1)\x04abc\x03")
    assert console.read_now(100, b"\x03\x04") == b"print(1)\x04"
    assert console.read_now(2, b"\x03\x04") == b"ab"
    assert console.read_now(100, b"\x03\x04") == b"c\x03"
    assert console.read_now(100) == b""


def test_ctrl_c_counts_only_while_it_is_armed() -> None:
    console, hits = Console(), []
    console.on_interrupt = lambda: hits.append(1)
    console.feed(b"a\x03b")
    assert console.read_now(9) == b"a\x03b"
    assert not hits
    console.set_interrupt_char(3)
    console.feed(b"lost")
    console.feed(b"x\x03kept")
    assert hits == [1]
    with pytest.raises(Interrupted):
        console.wait_input()
    assert console.read_now(9) == b"kept"


def test_waits_are_ended_by_stop() -> None:
    console = Console()
    threading.Timer(0.05, console.stop).start()
    begun = time.monotonic()
    with pytest.raises(Stopped):
        console.sleep(100)
    assert time.monotonic() - begun < 90


def test_output_nobody_reads_is_lost_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTPUT_LIMIT", 1000)
    monkeypatch.setattr(module, "STALL_SECONDS", 0.3)
    console = Console()
    console.write(b"a" * 1000)
    begun = time.monotonic()
    console.write(b"b" * 10)
    assert time.monotonic() - begun > 0.25
    monkeypatch.setattr(module, "STALL_SECONDS", 1000)
    console.write(b"c" * 10)  # at once: the reader is known to be away
    assert console.take_output() == b"a" * 1000
    console.write(b"d")
    assert console.take_output() == b"d"


def test_a_slow_reader_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTPUT_LIMIT", 1000)
    console, got = Console(), bytearray()

    def read() -> None:
        while len(got) < 20_000 and console.wait_output(5):
            time.sleep(0.002)
            got.extend(console.take_output(700))

    reader = threading.Thread(target=read)
    reader.start()
    for i in range(200):
        console.write(bytes([i]) * 100)
    reader.join(20)
    assert bytes(got) == b"".join(bytes([i]) * 100 for i in range(200))
