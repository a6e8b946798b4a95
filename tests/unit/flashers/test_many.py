"""Several boards at the same time."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.loader_model import ModelBoard, ModelDoors, image, program
from upytool.errors import FlashError, OperationInterrupted
from upytool.events import NULL, Event, Notice, Reporter, TaskStarted, notice
from upytool.flashers import chain, many
from upytool.flashers.base import FlashPlan, FlashResult, FlashTarget
from upytool.flashers.many import Outcome, run_all

NEW = image("1.28.0")


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def targets(count: int) -> list[FlashTarget]:
    return [FlashTarget("bootloader", f"usb:1-{n}", f"1-{n}") for n in range(count)]


def done(target: FlashTarget) -> FlashResult:
    return FlashResult(FlashPlan(target, None, "", "", "", "", (), "changed", "kept"))


def test_boards_side_by_side() -> None:
    """Each waits for all the others: one after the other would hang."""
    together = threading.Barrier(5, timeout=10)

    def work(target: FlashTarget, reporter: Reporter) -> FlashResult:
        together.wait()
        return done(target)

    there = targets(5)
    outcomes = run_all(there, work, reporter=NULL)
    assert [each.target for each in outcomes] == there
    assert all(each.ok for each in outcomes)


def test_one_that_fails_does_not_stop_the_others() -> None:
    boards = {f"1-{n}": ModelBoard(state="bootloader").load(program()) for n in range(3)}

    def cut(step: str, done: int) -> None:
        if step == "program" and done:
            raise FlashError("the cable", state="half")

    boards["1-1"].fault = cut

    def work(target: FlashTarget, reporter: Reporter) -> FlashResult:
        doors = ModelDoors(boards[target.location])
        plan = chain.plan(target, NEW, flashers=doors.flashers)
        return chain.apply(plan, doors=doors, reporter=reporter)

    outcomes = run_all(targets(3), work, reporter=NULL)
    assert [each.ok for each in outcomes] == [True, False, True]
    assert str(outcomes[1].error) == "the cable"


def test_a_bug_with_one_board_is_its_outcome() -> None:
    def work(target: FlashTarget, reporter: Reporter) -> FlashResult:
        raise ZeroDivisionError("oops")

    assert "ZeroDivisionError: oops" in str(run_all(targets(1), work, reporter=NULL)[0].error)


def test_events_say_which_board() -> None:
    recorder = Recorder()

    def work(target: FlashTarget, reporter: Reporter) -> FlashResult:
        notice(reporter, "hello")
        reporter.emit(TaskStarted(1, "writing", 5))
        return done(target)

    run_all(targets(1), work, reporter=recorder)
    assert recorder.events == [Notice("info", "usb:1-0: hello"), TaskStarted(1, "usb:1-0: writing", 5)]


def test_ctrl_c_finishes_what_was_begun_and_begins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, pressed = threading.Event(), threading.Event()
    recorder = Recorder()

    def work(target: FlashTarget, reporter: Reporter) -> FlashResult:
        begun.set()
        assert pressed.wait(10)
        return done(target)

    presses = iter((True,))
    join = threading.Thread.join

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        if next(presses, False):
            begun.wait(10)
            threading.Timer(0.05, pressed.set).start()
            raise KeyboardInterrupt
        join(self, timeout)

    monkeypatch.setattr(many.threading.Thread, "join", interrupted)
    outcomes: list[Outcome] = run_all(targets(2), work, reporter=recorder, at_once=1)
    assert sorted(each.ok for each in outcomes) == [False, True]
    assert any(isinstance(each.error, OperationInterrupted) for each in outcomes)
    assert "Ctrl-C again" in str(recorder.events[0])
