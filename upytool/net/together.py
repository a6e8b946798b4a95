"""Work that waits for the network, side by side on a few threads.

One answer for each request, in the order of the requests, whatever came first. Where some fail, the error of the
first of them in that order is raised, as if they had been asked one by one; the others are given up. Nobody waits for
a thread after an error or Ctrl-C: what it reads ends by itself (net.wire), and it ends with the process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from .budget import BUDGET

T = TypeVar("T")
R = TypeVar("R")

WORKERS = 16
GRACE = 0.5  # seconds that requests before one that failed get to fail as well


def together(work: Callable[[T], R], items: Sequence[T], done: Callable[[int], object] = lambda _: None) -> list[R]:
    """Call `work` for each item, at most `WORKERS` of them at a time.

    Args:
        work: is called on several threads; `net.budget.BUDGET.stop` of its thread is set when it is given up.
        items: one for each call.
        done: is told, on the thread of the caller, how many more are done.

    Returns:
        What `work` returned, in the order of `items`.

    Raises:
        Whatever `work` raises: for the first item of those that failed.
    """
    return _Run(work, items).results(done)


def alone(work: Callable[[T], R], items: Sequence[T], done: Callable[[int], object]) -> list[R]:
    """The same, one by one on the thread of the caller."""
    found = []
    for item in items:
        found.append(work(item))
        done(1)
    return found


class _Run(Generic[T, R]):
    """The state of one call; all of it is changed under `_changed`."""

    def __init__(self, work: Callable[[T], R], items: Sequence[T]) -> None:
        self._work, self._items = work, items
        self._changed = threading.Condition()
        self._next, self._end = 0, len(items)
        self._found: dict[int, R] = {}
        self._errors: dict[int, BaseException] = {}
        self._open: dict[int, threading.Event] = {}

    def results(self, done: Callable[[int], object]) -> list[R]:
        threads = 0
        if self._end > 1:
            for _ in range(min(WORKERS, self._end)):
                try:
                    threading.Thread(target=self._serve, daemon=True).start()
                except (RuntimeError, MemoryError):  # the system has no more threads: fewer will do, or this one alone
                    break
                threads += 1
        if not threads:
            return alone(self._work, self._items, done)
        try:
            self._wait(done)
        finally:
            with self._changed:
                self._end = 0
                for stop in self._open.values():
                    stop.set()
        if self._errors:
            raise self._errors[min(self._errors)]
        return [self._found[index] for index in range(len(self._items))]

    def _wait(self, done: Callable[[int], object]) -> None:
        """Until all is done, or the first error is known."""
        told, patience = 0, 0.0
        while True:
            with self._changed:
                # With a limit: Windows sees no Ctrl-C while it waits for a lock.
                if len(self._found) == told and self._waiting():
                    self._changed.wait(0.1)
                more, waiting = len(self._found) - told, self._waiting()
                if self._errors and not patience:
                    patience = time.monotonic() + GRACE
            if more:
                told += more
                done(more)
            if not waiting or (patience and time.monotonic() > patience):
                return

    def _waiting(self) -> bool:
        return self._next < self._end or any(index < self._end for index in self._open)

    def _serve(self) -> None:
        while True:
            with self._changed:
                if self._next >= self._end:
                    return
                index, stop = self._next, threading.Event()
                self._next += 1
                self._open[index] = stop
            BUDGET.stop = stop
            try:
                found, error = self._work(self._items[index]), None
            except BaseException as problem:
                found, error = None, problem
            with self._changed:
                del self._open[index]
                if error is None:
                    self._found[index] = found  # type: ignore[assignment]
                elif not stop.is_set():
                    self._errors[index] = error
                    self._end = min(self._end, index)
                    for later, event in self._open.items():
                        if later > index:
                            event.set()
                self._changed.notify()
