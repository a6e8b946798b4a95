"""Events as plain lines, or as JSON lines; rich bars are in `rich_reporter`."""

from __future__ import annotations

import time
from collections.abc import Callable

from ...events import DeviceOutput, Event, Notice, TaskAdvanced, TaskFinished, TaskStarted
from .streams import Streams
from .text import plural, seconds, size

_LEVELS = {"warning": -1, "info": 0, "wait": 0, "detail": 1, "debug": 2}


class PlainReporter:
    """Notices by verbosity, and with -v one line on stderr for each task that ended.

    Which lines there are depends on the work alone, never on how long it took: a log is compared with another.

    Args:
        streams: where to write.
        verbosity: -2 (errors alone) to 2 (debug).
        progress: whether tasks are reported at all.
        clock: seconds, monotonic.

    Attributes:
        warnings: the warnings so far, for the JSON document.
    """

    def __init__(
        self,
        streams: Streams,
        verbosity: int = 0,
        *,
        progress: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.streams, self.verbosity, self.progress = streams, verbosity, progress
        self.clock = clock
        self.warnings: list[str] = []
        self.tasks: dict[int, tuple[TaskStarted, float]] = {}
        self.done: dict[int, int] = {}

    def emit(self, event: Event) -> None:
        if isinstance(event, TaskAdvanced):
            if event.task in self.tasks:
                self.done[event.task] = event.done
                self.advanced(event)
        elif isinstance(event, DeviceOutput):
            self.clear()
            self.streams.out(event.data)
        elif isinstance(event, Notice):
            self.notice(event)
        elif isinstance(event, TaskStarted):
            self.tasks[event.task] = (event, self.clock())
            self.done[event.task] = 0
        elif isinstance(event, TaskFinished) and event.task in self.tasks:
            started, since = self.tasks.pop(event.task)
            self.finished(started, event, self.done.pop(event.task), self.clock() - since)

    def notice(self, event: Notice) -> None:
        if event.level == "warning":
            self.warnings.append(event.message)
        if _LEVELS[event.level] > self.verbosity:
            return
        if event.level == "wait" and not self.streams.err_tty and self.verbosity < 1:
            return
        self.clear()
        style = self.streams.err_style
        if event.level == "warning":
            self.streams.err(style.warning("warning:") + " " + event.message)
        elif event.level == "info":
            self.streams.err(event.message)
        else:
            self.streams.err(style.dim(event.message))

    def advanced(self, event: TaskAdvanced) -> None:
        """For bars; plain lines have nothing to do."""

    def finished(self, started: TaskStarted, event: TaskFinished, done: int, elapsed: float) -> None:
        if not self.progress or self.verbosity < 1 or not event.ok:
            return
        note = f", {event.note}" if event.note else ""
        if started.unit == "bytes":
            rate = f", {size(done / elapsed)}/s" if done and elapsed else ""
            self.streams.err(f"{started.label}: {size(done)} in {seconds(elapsed)}{rate}{note}")
        else:
            self.streams.err(f"{started.label}: {plural(done, started.unit[:-1])} in {seconds(elapsed)}{note}")

    def clear(self) -> None:
        """Take a bar off the screen before something else is written; plain lines have none."""

    def close(self) -> None:
        """The run is over."""
        self.clear()


class JsonReporter(PlainReporter):
    """Every event as a line of JSON on stderr (`--json-events`); what the board prints goes to stdout."""

    def emit(self, event: Event) -> None:
        import json

        if isinstance(event, DeviceOutput):
            self.streams.out(event.data)
            return
        if isinstance(event, Notice) and event.level == "warning":
            self.warnings.append(event.message)
        name = type(event).__name__
        kind = "".join("-" + c.lower() if c.isupper() else c for c in name).lstrip("-")
        self.streams.err(json.dumps({"event": kind, **event.as_dict()}))
