"""Progress and notices as values, and who receives them.

The library never prints: it tells a `Reporter` what happens. The command line's reporters draw bars, write
plain lines or JSON lines; `NULL` throws everything away; a test records.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol

_ids = count(1)


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """Something with a length begins. `total` is in `unit`s; None where the length is not known."""

    task: int
    label: str
    total: int | None
    unit: Literal["bytes", "files", "steps"] = "bytes"


@dataclass(frozen=True, slots=True)
class TaskAdvanced:
    """`done` units are behind us, counted from the start of the task."""

    task: int
    done: int


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """The task ended; `note` says how when that is worth a word ("unchanged")."""

    task: int
    ok: bool = True
    note: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """One sentence for the user. `detail` shows with -v, `debug` with -vv."""

    level: Literal["debug", "detail", "info", "warning"]
    message: str


@dataclass(frozen=True, slots=True)
class DeviceOutput:
    """Bytes that a program on the board printed, as they arrive."""

    data: bytes


Event = TaskStarted | TaskAdvanced | TaskFinished | Notice | DeviceOutput


class Reporter(Protocol):
    """Receives events. It must not raise and must return quickly."""

    def emit(self, event: Event) -> None: ...


class _Null:
    def emit(self, event: Event) -> None:
        return


NULL: Reporter = _Null()


class Task:
    """A started task of a reporter: `advance` it, then `finish` it (a `with` block does so).

    Args:
        reporter: receives the events.
        label: what is under way, `main.py` for instance.
        total: its length in `unit`s, None where not known.
    """

    __slots__ = ("_reporter", "_open", "id", "done")

    def __init__(
        self,
        reporter: Reporter,
        label: str,
        total: int | None,
        unit: Literal["bytes", "files", "steps"] = "bytes",
    ) -> None:
        self._reporter, self._open = reporter, True
        self.id, self.done = next(_ids), 0
        reporter.emit(TaskStarted(self.id, label, total, unit))

    def advance(self, amount: int) -> None:
        """`amount` more units are done."""
        self.done += amount
        self._reporter.emit(TaskAdvanced(self.id, self.done))

    def finish(self, ok: bool = True, note: str = "") -> None:
        """End the task; a second call does nothing."""
        if self._open:
            self._open = False
            self._reporter.emit(TaskFinished(self.id, ok, note))

    def __enter__(self) -> Task:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish(ok=kind is None)


def notice(
    reporter: Reporter, message: str, level: Literal["debug", "detail", "info", "warning"] = "info"
) -> None:
    """Send one Notice."""
    reporter.emit(Notice(level, message))
