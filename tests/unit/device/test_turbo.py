"""A raised baud rate and its way back, against a MODEL of a UART (tests/fakes/model_uart.py)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from tests.fakes.model_stream import StreamBoard, StreamWire
from tests.fakes.model_uart import UartBoard, UartWire
from tests.fakes.virtual import Clock
from upytool.device.fs_ops import FsOps
from upytool.device.local import CallSink
from upytool.device.session import Session
from upytool.device.turbo import PATIENCE, turbo, why_not
from upytool.errors import OperationInterrupted
from upytool.protocol.ops import Op
from upytool.protocol.raw_repl import RawRepl, ReplState
from upytool.testing import ModelBoard, ModelTransport
from upytool.transport.drive import drive


class Bench:
    """A board, its wire, a session."""

    def __init__(self, *, refuses: tuple[int, ...] = (), **board: Any) -> None:
        self.clock = Clock()
        self.board = UartBoard(self.clock, **board)
        self.wire = UartWire(self.board, self.clock, refuses=refuses)
        self.session = Session()
        self.drive(self.session.ready())

    def drive(self, op: Op[object]) -> object:
        return drive(op, self.wire, self.clock, self.clock.sleep)

    def turbo(self, baud: int = 921600):  # type: ignore[no-untyped-def]
        return turbo(self.session, self.wire, baud, clock=self.clock, sleep=self.clock.sleep)

    def says(self, text: str) -> object:
        return self.drive(self.session.call_source(f"print('\\x1e'+repr({text!r}))"))

    def let_pass(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while self.clock.now < end:
            self.clock.now += 0.05
            self.board.run_timers()

    @property
    def is_back(self) -> bool:
        return (self.board.rate, self.wire.baud) == (115200, 115200) and self.says("back") == "back"


def test_the_rate_goes_up_and_comes_back() -> None:
    bench = Bench()
    with bench.turbo() as rate:
        assert rate == 921600
        assert (bench.board.rate, bench.wire.baud) == (921600, 921600)
        assert bench.says("fast") == "fast"
    assert bench.board.rates == [115200, 921600, 115200]
    assert bench.is_back
    assert bench.session.repl.state is ReplState.RAW


@pytest.mark.parametrize(("top", "reached"), [(500_000, 460800), (300_000, 230400), (150_000, 115200)])
def test_a_wire_that_is_not_good_enough_gets_the_best_it_can(top: int, reached: int) -> None:
    bench = Bench(top=top)
    with bench.turbo() as rate:
        assert rate == reached
        assert bench.says("x") == "x"
    assert bench.is_back


def test_a_rate_that_this_computer_cannot_do() -> None:
    bench = Bench(refuses=(921600,))
    with bench.turbo() as rate:
        assert rate == 460800
    assert bench.is_back


@pytest.mark.parametrize(
    "facts",
    [{"platform": "rp2"}, {"platform": "pyboard", "repl_uart": False}, {"timers": ()}],
)
def test_a_board_that_cannot_go_back_by_itself_is_left_alone(facts: dict[str, Any]) -> None:
    bench = Bench(**facts)
    with bench.turbo() as rate:
        assert rate == 115200
    assert bench.board.rates == [115200]
    assert bench.is_back


@pytest.mark.parametrize("facts", [{"platform": "pyboard"}, {"platform": "esp8266", "timers": (-1,)}])
def test_other_ports(facts: dict[str, Any]) -> None:
    bench = Bench(**facts)
    with bench.turbo() as rate:
        assert rate == 921600
    assert bench.is_back


def test_an_error_in_the_block_comes_out_after_the_way_back() -> None:
    bench = Bench()
    with pytest.raises(ZeroDivisionError), bench.turbo():
        raise ZeroDivisionError
    assert bench.is_back


def test_an_interrupted_program_does_not_keep_the_rate() -> None:
    bench = Bench()

    def interrupted() -> None:
        # The board still runs a program when the block is left.
        bench.board.mode = "running"
        bench.session.repl.state = ReplState.BROKEN
        raise OperationInterrupted

    with pytest.raises(OperationInterrupted), bench.turbo():
        interrupted()
    assert bench.is_back


def test_a_board_that_went_back_by_itself_meanwhile() -> None:
    bench = Bench()
    with bench.turbo():
        bench.let_pass(PATIENCE + 1)
        assert bench.board.rate == 115200
    assert bench.is_back


def test_a_program_can_give_the_sign_itself() -> None:
    bench = Bench()
    with bench.turbo():
        for _ in range(3):
            bench.let_pass(PATIENCE - 1)
            bench.drive(bench.session.call_source("_turbo[0]=0\nprint('\\x1e1')"))
        assert bench.board.rate == 921600
    assert bench.is_back


def test_every_small_program_of_ours_gives_the_sign() -> None:
    bench = Bench()
    with bench.turbo():
        for _ in range(4):
            bench.let_pass(PATIENCE - 1)
            assert bench.says("still here") == "still here"
        assert bench.board.rate == 921600
    assert bench.is_back
    assert bench.session.sign == ""
    assert "_turbo" not in bench.board._globals


@pytest.mark.parametrize("size", [0, 1000, 180_000])
def test_a_copy_gives_the_sign_however_long_it_takes(size: int) -> None:
    """The transfer program itself, both ways, over a wire on which bytes take their time."""
    clock = Clock()
    board = StreamBoard(clock)
    wire = StreamWire(board, clock)
    session = Session()
    content = bytes(number * 7 % 256 for number in range(size))
    back = bytearray()

    def run(op: Op[object]) -> None:
        drive(op, wire, clock, clock.sleep)

    run(session.ready())
    fs = FsOps(session)
    with turbo(session, wire, 125_000, clock=clock, sleep=clock.sleep):
        start = clock.now
        run(fs.store("/f", content))
        middle = clock.now
        assert board.rate == 125_000
        run(fs.fetch("/f", CallSink(back.extend)))
        assert board.rate == 125_000
        if size > 100_000:
            assert min(middle - start, clock.now - middle) > 1.5 * PATIENCE
    assert board.files == {"/f": content}
    assert back == content
    assert board.rates == [115200, 125_000, 115200]


@pytest.mark.parametrize("mode", ["raw", "running"])
def test_after_a_kill_the_next_connect_finds_the_board(mode: str) -> None:
    """The process is gone without a word: the next one opens the port at 115200 and gets its prompt."""
    bench = Bench()
    context = bench.turbo()
    context.__enter__()
    bench.board.mode = mode
    del context  # nothing of the old process does anything any more
    wire = UartWire(bench.board, bench.clock)
    start = bench.clock.now
    drive(RawRepl().enter(), wire, bench.clock, bench.clock.sleep)
    assert bench.clock.now - start < 8
    assert bench.board.rate == 115200


def test_a_kill_at_any_moment_of_going_up_or_down() -> None:
    """Every write of the whole affair is once the last one that the host makes."""

    class Killed(BaseException):
        pass

    class Mortal(UartWire):
        lives = 10**9

        def write(self, data: bytes) -> None:
            self.lives -= 1
            if self.lives < 0:
                raise Killed
            super().write(data)

        def set_baud(self, baud: int) -> None:
            if self.lives < 0:
                raise Killed
            super().set_baud(baud)

    died = 0
    for lives in range(200):
        clock = Clock()
        board = UartBoard(clock)
        wire = Mortal(board, clock)
        session = Session()
        drive(session.ready(), wire, clock, clock.sleep)
        wire.lives = lives
        try:
            with turbo(session, wire, clock=clock, sleep=clock.sleep):
                pass
        except Killed:
            died += 1
        else:
            break
        fresh = UartWire(board, clock)
        drive(RawRepl().enter(), fresh, clock, clock.sleep)
        assert board.rate == 115200, lives
    assert died > 8


def test_where_it_makes_no_sense() -> None:
    wire = UartWire(UartBoard(Clock()), Clock())
    assert why_not(zoo.cp2102(), wire) == ""
    assert why_not(zoo.microbit(), wire) == ""
    assert "native USB" in why_not(zoo.pico(), wire)
    assert "native USB" in why_not(zoo.port("/dev/ttyACM0", "303a:1001"), wire)
    assert "USB-serial bridge" in why_not(None, wire)
    assert "no baud rate" in why_not(zoo.cp2102(), ModelTransport(ModelBoard()))


def test_a_transport_without_a_rate_is_left_alone() -> None:
    board = ModelBoard()
    with turbo(Session(), ModelTransport(board)) as rate:
        assert rate == 0
    assert board.programs == []


_VICTIM = """
import sys, time
from upytool.device.fs_ops import FsOps
from upytool.device.local import CallSink
from upytool.device.session import Session
from upytool.device.turbo import turbo
from upytool.transport.drive import drive
from upytool.transport.serial import SerialTransport
transport = SerialTransport(sys.argv[1])
session = Session()
drive(session.ready(), transport)
with turbo(session, transport) as rate:
    print(rate, flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal and SIGKILL")
def test_a_real_kill_over_a_real_port() -> None:
    """SerialTransport in another process, killed with the rate up; the model is behind a pseudo terminal."""
    import pty
    import time
    import tty

    from tests.fakes.model_uart import serve_on_pty
    from upytool.transport.serial import SerialTransport

    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    board = UartBoard(time.monotonic)
    over = threading.Event()
    server = threading.Thread(target=serve_on_pty, args=(master, board, over.is_set))
    server.start()
    root = Path(__file__).resolve().parents[3]
    victim = subprocess.Popen([sys.executable, "-c", _VICTIM, path], stdout=subprocess.PIPE, cwd=root)
    assert victim.stdout is not None
    try:
        assert victim.stdout.readline().strip() == b"921600"
        assert board.rate == 921600
        victim.send_signal(signal.SIGKILL)
        victim.wait(60)
        start = time.monotonic()
        transport = SerialTransport(path)
        try:
            drive(RawRepl().enter(), transport)
        finally:
            transport.close()
        assert time.monotonic() - start < 60
        assert board.rates == [115200, 921600, 115200]
    finally:
        victim.kill()
        victim.wait(60)
        victim.stdout.close()
        over.set()
        server.join(5)
        os.close(master)
        os.close(slave)


def test_other_programs_of_ours_do_not_take_the_way_back_away() -> None:
    bench = Bench()
    with bench.turbo():
        bench.drive(bench.session.call_source("def run(*a): raise ValueError\nprint('\\x1e1')"))
    assert bench.board.rates == [115200, 921600, 115200]


def test_the_probe_survives_the_wire_as_text() -> None:
    from upytool.device.turbo import PROBE

    assert eval(repr(PROBE)) == PROBE
    assert not any(ord(char) < 32 for char in PROBE)
