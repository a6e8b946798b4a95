"""Events as progress bars: bytes, rate and time left, on a terminal.

rich costs as much to import as a whole start, so it is loaded when a task turns out to last, never before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...events import TaskAdvanced, TaskFinished, TaskStarted
from .guard import one_line
from .plain_reporter import PlainReporter

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# How long a task must have been running before it gets a bar, and the time between two refreshes.
PATIENCE = 0.4
REFRESH = 0.1


class RichReporter(PlainReporter):
    """Bars on stderr; everything else as PlainReporter does it.

    A task that had a bar gets no line at its end: whoever watched it has seen the figures, and the command says
    what it did.
    """

    _progress: Progress | None = None
    _last = 0.0

    def advanced(self, event: TaskAdvanced) -> None:
        if not self.progress or self.verbosity < 0:
            return
        started, since = self.tasks[event.task]
        now = self.clock()
        bars: dict[int, TaskID] = self.__dict__.setdefault("_bars", {})
        if self._progress is None and now - since < PATIENCE:
            return
        progress = self._progress or self._open()
        bar = bars.get(event.task)
        if bar is None:
            bar = bars[event.task] = progress.add_task(
                one_line(started.label), total=started.total, completed=event.done, amount=""
            )
            # The rate counts from the task's own start, not from the moment the bar appeared.
            progress.tasks[-1].start_time = progress.get_time() - (now - since)
        if now - self._last >= REFRESH:
            self._last = now
            progress.update(bar, completed=event.done, amount=_amount(started, event.done, now - since))
            progress.refresh()

    def finished(self, started: TaskStarted, event: TaskFinished, done: int, elapsed: float) -> None:
        bars: dict[int, TaskID] = self.__dict__.setdefault("_bars", {})
        bar = bars.pop(event.task, None)
        if bar is not None and self._progress is not None:
            self._progress.remove_task(bar)
            if not bars:
                self.clear()
            return
        super().finished(started, event, done, elapsed)

    def clear(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self.__dict__.setdefault("_bars", {}).clear()

    def _open(self) -> Progress:
        import sys

        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        style = self.streams.err_style
        console = Console(
            file=sys.stderr,
            force_terminal=True,
            no_color=not style.colour,
            width=style.width,
            legacy_windows=False if style.unicode else None,
        )
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f}%", markup=False),
            TextColumn("{task.fields[amount]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            # No thread: the bar is drawn between two pieces of work, and costs the transfer nothing else.
            auto_refresh=False,
            transient=True,
        )
        self._progress.start()
        return self._progress


def _amount(started: TaskStarted, done: int, elapsed: float) -> str:
    from .text import size

    if started.unit == "bytes":
        of = f"/{size(started.total)}" if started.total else ""
        return f"{size(done)}{of} {size(done / elapsed if elapsed else 0)}/s"
    return f"{done}/{started.total} {started.unit}" if started.total else f"{done} {started.unit}"
