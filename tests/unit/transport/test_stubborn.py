"""Boards that give no prompt: the prompt after all, or advice, within 15 s. The boards are models."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.virtual import Clock, VirtualWire
from upytool.errors import RawReplError
from upytool.protocol.raw_repl import RawRepl, ReplState
from upytool.testing import ModelBoard
from upytool.transport.drive import drive
from upytool.transport.serial import SerialTransport

from .conftest import Pair

LIMIT = 15.0


class Silent:
    """A MODEL of a far end that never answers."""

    def feed(self, data: bytes) -> bytes:
        return b""


class Echo:
    """A MODEL of a far end that sends back what it gets."""

    def feed(self, data: bytes) -> bytes:
        return data


class Swallows:
    """A MODEL of `while True: try: ... except KeyboardInterrupt: print(...)`."""

    def feed(self, data: bytes) -> bytes:
        return b"KeyboardInterrupt, but I go on\r\n" * data.count(3)


class Booting(ModelBoard):
    """A MODEL of a board that hears nothing until it has started."""

    def __init__(self, clock: Clock, until: float) -> None:
        super().__init__()
        self.clock, self.until = clock, until

    def feed(self, data: bytes) -> bytes:
        return super().feed(data) if self.clock.now >= self.until else b""


def _enter(wire: VirtualWire, clock: Clock) -> RawRepl:
    repl = RawRepl()
    drive(repl.enter(), wire, clock, clock.sleep)
    return repl


def _advice(wire: VirtualWire, clock: Clock) -> RawReplError:
    with pytest.raises(RawReplError) as caught:
        _enter(wire, clock)
    assert clock.now <= LIMIT
    assert caught.value.hint
    return caught.value


def test_a_mute_port() -> None:
    clock = Clock()
    error = _advice(VirtualWire(Silent(), clock), clock)
    assert "nothing answers" in error.message
    assert "rescue" in error.hint


def test_an_echo_is_no_board() -> None:
    clock = Clock()
    _advice(VirtualWire(Echo(), clock), clock)


@pytest.mark.parametrize("gap", [0.0002, 0.01, 0.3])
def test_a_board_that_prints_for_ever_and_never_listens(gap: float) -> None:
    clock = Clock()
    error = _advice(VirtualWire(Silent(), clock, chatter=(gap, b"temperature 21\r\n")), clock)
    assert error.code == "protocol.raw-repl.no-prompt-after"
    assert "temperature 21" in str(error.fields["last"])


def test_a_board_that_prints_for_ever_but_listens() -> None:
    clock = Clock()
    board = ModelBoard(running=True)
    wire = VirtualWire(board, clock, spoken=[(0.01 * n, b"temperature 21\r\n") for n in range(40)])
    assert _enter(wire, clock).state is ReplState.RAW
    assert clock.now < 3


def test_a_board_that_swallows_keyboard_interrupt() -> None:
    clock = Clock()
    error = _advice(VirtualWire(Swallows(), clock), clock)
    assert "catches KeyboardInterrupt" in error.message
    assert "upytool rescue" in error.hint


def test_a_board_that_swallows_it_a_few_times() -> None:
    clock = Clock()
    assert _enter(VirtualWire(ModelBoard(running=True, deaf=4), clock), clock).state is ReplState.RAW


LOGO = (
    b"\r\n  __  ___  raw REPL  >>> \r\n |  \\/  |>  CTRL-B to exit\r\n>\r\n"
    + bytes(range(128, 160))
    + b"\x1b[31mWelcome\x1b[0m\r\n>>> \r\n"
)


def test_a_board_that_is_still_booting_and_prints_a_logo() -> None:
    clock = Clock()
    wire = VirtualWire(Booting(clock, until=3.0), clock, spoken=[(0.1 * n, LOGO) for n in range(1, 30)])
    assert _enter(wire, clock).state is ReplState.RAW
    assert clock.now < 8


def test_a_boot_py_that_prints_a_logo() -> None:
    clock = Clock()
    board = ModelBoard(run=lambda source: (b"ran\r\n", b""), noise=LOGO)
    wire = VirtualWire(board, clock)
    repl = _enter(wire, clock)
    said = bytearray()
    drive(repl.soft_reset(said.extend), wire, clock, clock.sleep)
    assert LOGO in said
    assert board.soft_resets == 1
    out = bytearray()
    drive(repl.start(b"print('ran')"), wire, clock, clock.sleep)
    assert drive(repl.follow(out.extend), wire, clock, clock.sleep) == b""
    assert bytes(out) == b"ran\r\n"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"rst:0x1\r\nwaiting for download\r\n", "bootloader"),
        (b"invalid header: 0xffffffff\r\n", "finds no firmware"),
        (b"Guru Meditation Error: Core  0 panic'ed\r\n", "crashes and restarts"),
        (b"Adafruit CircuitPython 9.2\r\nPress any key to enter the REPL\r\n", "CircuitPython"),
        (b"\xf8\x80\xe0\x1c\xfe\xc0\x8e\xf0\x99", "not text"),
    ],
)
def test_what_it_says_is_explained(said: bytes, words: str) -> None:
    clock = Clock()
    assert words in _advice(VirtualWire(Silent(), clock, chatter=(0.5, said)), clock).message


class Deaf(Silent):
    """A MODEL of a program that prints without end."""

    mode = "running"


@contextmanager
def _flood(pair: Pair, board: Deaf | ModelBoard) -> Iterator[None]:
    """Behind the port: `board`, which prints as fast as the port takes it while its program runs."""
    over = threading.Event()

    def talk() -> None:
        said = b""
        while not over.is_set():
            try:
                said += board.feed(os.read(pair.master, 4096))
            except BlockingIOError:
                time.sleep(0.0005)
            if board.mode == "running" and not said:
                said = b"x = 1234567890\r\n" * 64
            try:
                said = said[os.write(pair.master, said) :] if said else b""
            except BlockingIOError:
                time.sleep(0.0005)

    talker = threading.Thread(target=talk)
    talker.start()
    try:
        yield
    finally:
        over.set()
        talker.join()


def test_a_real_flood_that_never_stops(pair: Pair) -> None:
    """More than a megabyte passes meanwhile; it is neither kept nor waited out."""
    transport = SerialTransport(pair.path)
    try:
        with _flood(pair, Deaf()), pytest.raises(RawReplError) as caught:
            drive(RawRepl().enter(timeout=3.0), transport)
        assert caught.value.code.startswith("protocol.raw-repl.no-prompt")
    finally:
        transport.close()


@pytest.mark.parametrize("deaf", [0, 3])
def test_a_real_flood_that_ctrl_c_stops(pair: Pair, deaf: int) -> None:
    transport = SerialTransport(pair.path)
    repl = RawRepl()
    try:
        with _flood(pair, ModelBoard(running=True, deaf=deaf)):
            drive(repl.enter(), transport)
        assert repl.state is ReplState.RAW
    finally:
        transport.close()
