"""How long a board is waited for: a slow one until it is done, a mute one within one bound, lost bytes not at all."""

from __future__ import annotations

import pytest

from tests.fakes.slow_board import SlowBoard, SlowWire
from tests.fakes.virtual import Clock
from upytool.device.fs_ops import FsOps
from upytool.device.retry import TRIES
from upytool.device.session import Session
from upytool.errors import DeviceTimeoutError, UpytoolError
from upytool.events import Notice
from upytool.protocol.pace import COMPILING, QUICK, TELLING, Pace
from upytool.testing import Recorder
from upytool.transport.drive import drive

DATA = b"content\n" * 40
SERVER = 3400  # bytes of source that are compiled when a transfer starts


class Bench:
    """A session with a slow board, on a virtual clock."""

    def __init__(self, faults: frozenset[int] = frozenset(), *, short: bool = False, **board: float) -> None:
        self.clock, self.told = Clock(), Recorder()
        self.board = SlowBoard(self.clock, **board)  # type: ignore[arg-type]
        self.wire = SlowWire(self.board, self.clock, faults)
        self.session = Session(self.told)
        self.session.short = short
        self.session.bytecode = False  # The model is not MicroPython: it runs text.

    def store(self) -> None:
        """One small copy."""
        drive(FsOps(self.session).store("/f", DATA), self.wire, self.clock, self.clock.sleep)

    def fails(self) -> tuple[UpytoolError, float]:
        """The error of a copy, and the seconds it took to come."""
        begun = self.clock.now
        with pytest.raises(UpytoolError) as caught:
            self.store()
        return caught.value, self.clock.now - begun

    @property
    def waits(self) -> list[str]:
        return [event.message for event in self.told.of(Notice) if event.level == "wait"]


@pytest.mark.parametrize("times", [1, 20, 80, 100])
def test_a_slow_board_is_waited_for(times: float) -> None:
    bench = Bench(times=times)
    bench.store()
    assert bench.board.files["/f"] == DATA
    # One that does not unpack, one that runs: nothing was broken off and begun again.
    assert bench.board.starts == 2
    slow = COMPILING * SERVER * times
    assert (slow > QUICK) is (times > 40), "the model is slower than any fixed limit of before"
    if slow > TELLING:
        assert bench.waits
        assert "starting the transfer" in " ".join(bench.waits)
    else:
        assert not bench.waits


def test_a_board_that_becomes_slow_is_waited_for() -> None:
    bench = Bench()
    bench.store()
    bench.board.times = 60
    bench.store()
    assert bench.board.files["/f"] == DATA


@pytest.mark.parametrize("silence", [30.0, 8.0, 100.0])
@pytest.mark.parametrize("mute_after", [0, 1, 2])
@pytest.mark.parametrize("short", [False, True])
def test_a_mute_board_is_given_up_within_the_bound(short: bool, mute_after: int, silence: float) -> None:
    bench = Bench(mute_after=mute_after, short=short)
    bench.session.pace.silence = silence
    error, took = bench.fails()
    # What it takes to stop what may run there comes on top.
    assert took < silence + 5
    assert error.exit_code == 5
    assert error.hint
    assert "cable" not in str(error)
    assert bench.waits


def test_who_hears_but_never_starts_is_told_of_with_tries_and_seconds() -> None:
    bench = Bench(times=1000)
    error, took = bench.fails()
    assert isinstance(error, DeviceTimeoutError)
    assert took < bench.session.pace.silence + 15
    assert f"{took:.0f} s" in str(error) or f"{took - 1:.0f} s" in str(error)


@pytest.mark.parametrize("lost", range(3, 16))
def test_lost_answers_of_a_quick_board_are_not_waited_for_long(lost: int) -> None:
    bench = Bench(frozenset({lost}))
    bench.store()
    assert bench.board.files["/f"] == DATA
    assert bench.clock.now < 2.2 * 10 + 5


def test_a_line_that_breaks_every_time_is_given_up_after_some_tries() -> None:
    bench = Bench(frozenset(range(20, 3000)))
    _, took = bench.fails()
    assert took < bench.session.pace.silence + 5
    assert bench.board.starts <= 2 * (TRIES + 1)


# -- the numbers ------------------------------------------------------------------------------------


def test_the_pace_is_that_of_the_last_answers() -> None:
    pace = Pace()
    quick = pace.budget(SERVER)
    pace.learn(3.0, read=3000)
    slow = pace.budget(SERVER)
    assert quick == QUICK < slow <= pace.silence
    for _ in range(10):
        pace.learn(0.01, read=3000)
    assert pace.budget(SERVER) == quick
    assert [pace.budget(SERVER, tries) for tries in range(4)] == [QUICK, 2 * QUICK, 4 * QUICK, pace.silence]


def test_one_more_try_fits_where_bytes_may_have_been_lost() -> None:
    pace = Pace()
    pace.learn(100.0, read=10)
    pace.heard = 5.0
    assert pace.budget(SERVER) == pace.silence
    assert pace.left(5.0 + pace.hand_over()) > 1
    assert pace.left(99.0) == 0
