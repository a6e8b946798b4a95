"""Progress and notices as values, and who receives them.

The library never prints: it tells a `Reporter` what happens. The command line's reporters draw bars, write
plain lines or JSON lines; `NULL` throws everything away; a test records.
"""

from __future__ import annotations

from itertools import count
from typing import Literal, Protocol

_ids = count(1)

Unit = Literal["bytes", "files", "steps"]
# `wait`: what is waited for just now. It depends on how fast things are, so it is for eyes and not for logs.
Level = Literal["debug", "detail", "wait", "info", "warning"]


class _Value:
    """Equality and repr by slots. Dataclasses would do, but making five costs 5 % of a short command."""

    __slots__: tuple[str, ...] = ()

    def _fields(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def as_dict(self) -> dict[str, object]:
        """The event's values by name."""
        return dict(zip(self.__slots__, self._fields()))

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._fields()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__slots__)
        return f"{type(self).__name__}({shown})"


class TaskStarted(_Value):
    """Something with a length begins. `total` is in `unit`s; None where the length is not known."""

    __slots__ = __match_args__ = ("task", "label", "total", "unit")

    def __init__(self, task: int, label: str, total: int | None, unit: Unit = "bytes") -> None:
        self.task, self.label, self.total, self.unit = task, label, total, unit


class TaskAdvanced(_Value):
    """`done` units are behind us, counted from the start of the task."""

    __slots__ = __match_args__ = ("task", "done")

    def __init__(self, task: int, done: int) -> None:
        self.task, self.done = task, done


class TaskFinished(_Value):
    """The task ended; `note` says how when that is worth a word ("unchanged")."""

    __slots__ = __match_args__ = ("task", "ok", "note")

    def __init__(self, task: int, ok: bool = True, note: str = "") -> None:
        self.task, self.ok, self.note = task, ok, note


class Notice(_Value):
    """One sentence for the user. `detail` shows with -v, `debug` with -vv."""

    __slots__ = __match_args__ = ("level", "message")

    def __init__(self, level: Level, message: str) -> None:
        self.level, self.message = level, message


class DeviceOutput(_Value):
    """Bytes that a program on the board printed, as they arrive."""

    __slots__ = __match_args__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


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
        unit: Unit = "bytes",
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


def notice(reporter: Reporter, message: str, level: Level = "info") -> None:
    """Send one Notice."""
    reporter.emit(Notice(level, message))
