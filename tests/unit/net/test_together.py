"""Work side by side: answers in order, the first error, and an end at once."""

from __future__ import annotations

import threading
import time

import pytest

from upytool.errors import NetworkError
from upytool.net import together as rooms
from upytool.net.budget import BUDGET
from upytool.net.together import WORKERS, together


def test_answers_have_the_order_of_the_requests() -> None:
    told: list[int] = []
    main = threading.get_ident()

    def done(count: int) -> None:
        assert threading.get_ident() == main
        told.append(count)

    def work(number: int) -> int:
        time.sleep(0.002 * (number % 7))
        return number * number

    assert together(work, range(100), done) == [number * number for number in range(100)]
    assert sum(told) == 100
    assert together(work, []) == []


def test_there_are_only_so_many_at_a_time() -> None:
    lock, now, most = threading.Lock(), 0, 0
    full = threading.Event()

    def work(_: int) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
            if now == WORKERS:
                full.set()
        assert full.wait(10), "they are not side by side"
        time.sleep(0.01)
        with lock:
            now -= 1

    together(work, range(3 * WORKERS))
    assert most == WORKERS


def test_the_first_error_in_order_is_raised() -> None:
    second = threading.Event()

    def work(number: int) -> None:
        if number == 3:
            second.wait(10)
            raise NetworkError("three")
        if number == 7:
            second.set()
            raise NetworkError("seven")

    with pytest.raises(NetworkError, match="three"):
        together(work, range(30))


def test_an_error_gives_the_others_up() -> None:
    """Those that are under way are told; none is begun any more; nobody waits for one that does not listen."""
    begun: list[int] = []
    deaf, given_up, another = threading.Event(), threading.Event(), threading.Event()

    def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            deaf.wait(60)
        elif number == 1:
            another.wait(10)
            raise NetworkError("one")
        else:
            another.set()
            if BUDGET.stop.wait(60):
                given_up.set()

    with pytest.raises(NetworkError, match="one"):
        together(work, range(1000))
    assert given_up.wait(10)
    assert len(begun) <= 2 * WORKERS
    deaf.set()


def test_ctrl_c_waits_for_nobody() -> None:
    stopped = threading.Event()

    def work(number: int) -> int:
        if number and BUDGET.stop.wait(60):
            stopped.set()
        return number

    def done(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        together(work, range(4), done)
    assert stopped.wait(10)


@pytest.mark.parametrize("allowed", [0, 1, 3])
def test_a_system_without_more_threads(monkeypatch: pytest.MonkeyPatch, allowed: int) -> None:
    real = threading.Thread.start
    left = [allowed]

    def start(thread: threading.Thread) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise RuntimeError("can't start new thread")
        real(thread)

    monkeypatch.setattr(rooms.threading.Thread, "start", start)
    assert together(lambda number: number + 1, range(20)) == list(range(1, 21))

    def fail(number: int) -> int:
        if number == 5:
            raise NetworkError("five")
        return number

    left[0] = allowed
    with pytest.raises(NetworkError, match="five"):
        together(fail, range(20))
