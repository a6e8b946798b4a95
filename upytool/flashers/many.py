"""Several boards side by side: a thread for each, one that fails does not stop the others.

They are told apart by their place on the bus from the first look to the last, so no board is mistaken for another
while they come and go. Ctrl-C lets those that are being written finish; a second one ends at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import OperationInterrupted, UpytoolError
from ..events import Event, Notice, Reporter, TaskStarted, notice
from .base import FlashResult, FlashTarget

MOST = 16
Work = Callable[[FlashTarget, Reporter], FlashResult]


@dataclass(frozen=True)
class Outcome:
    """How it went for one board: a result or an error."""

    target: FlashTarget
    result: FlashResult | None = None
    error: UpytoolError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None


class Labelled:
    """A reporter that says which board an event is about, and is safe to share between threads.

    Args:
        name: of the board.
        lock: one for all boards of a reporter.
    """

    def __init__(self, inner: Reporter, name: str, lock: threading.Lock) -> None:
        self._inner, self._name, self._lock = inner, name, lock

    def emit(self, event: Event) -> None:
        if isinstance(event, TaskStarted):
            event = TaskStarted(event.task, f"{self._name}: {event.label}", event.total, event.unit)
        elif isinstance(event, Notice):
            event = Notice(event.level, f"{self._name}: {event.message}")
        with self._lock:
            self._inner.emit(event)


def run_all(
    targets: Sequence[FlashTarget],
    work: Work,
    *,
    names: Sequence[str] = (),
    reporter: Reporter,
    at_once: int = MOST,
) -> list[Outcome]:
    """Do `work` for every target at the same time; an outcome for each, in the order of the targets.

    Args:
        work: flashes one board, with a reporter of its own; what it raises becomes the outcome's error.
        names: what to call each board in notices; its selector unless given.
        at_once: boards at the same time.

    Raises: KeyboardInterrupt for a second Ctrl-C.
    """
    lock = threading.Lock()
    stop = threading.Event()
    called = list(names) or [target.selector for target in targets]

    def one(target: FlashTarget, name: str) -> Outcome:
        if stop.is_set():
            return Outcome(target, error=OperationInterrupted("interrupted.not-begun"))
        try:
            return Outcome(target, work(target, Labelled(reporter, name, lock)))
        except UpytoolError as error:
            return Outcome(target, error=error)
        except Exception as error:  # a bug with one board must not lose what is known of the others
            return Outcome(target, error=UpytoolError("error.unexpected", kind=type(error).__name__, cause=error))

    outcomes: list[Outcome | None] = [None] * len(targets)
    turn = threading.Semaphore(max(1, at_once))

    def run(index: int) -> None:
        with turn:
            outcomes[index] = one(targets[index], called[index])

    # Daemons: whoever presses Ctrl-C twice does not want to wait for them.
    threads = [threading.Thread(target=run, args=(index,), daemon=True) for index in range(len(targets))]
    for thread in threads:
        thread.start()
    for thread in threads:
        _wait(thread, stop, lock, reporter)
    return [each for each in outcomes if each is not None]


def _wait(thread: threading.Thread, stop: threading.Event, lock: threading.Lock, reporter: Reporter) -> None:
    while thread.is_alive():
        try:
            thread.join(0.25)
        except KeyboardInterrupt:
            if stop.is_set():
                raise
            stop.set()
            with lock:
                notice(
                    reporter,
                    "stopping: boards that are being written are finished first; Ctrl-C again leaves them half-written",
                    "warning",
                )
