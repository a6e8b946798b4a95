"""What a command is given: settings, the board, and ways to say something. All of it is made when first used.

One App serves a whole command line. The board it opened stays open from command to command, until
`disconnect`, the next `connect`, or the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from ..config.load import Settings
from ..errors import AmbiguousDeviceError, Interrupted
from ..events import Notice, Reporter, notice
from .ui.plain_reporter import PlainReporter
from .ui.streams import Streams
from .ui.style import Style
from .ui.text import Answer, Result

if TYPE_CHECKING:
    from ..api.connect import Device, Reopener
    from .ui.json import Document

__all__ = ["Answer", "App", "pass_app"]


class App:
    """Args: the settings of the run, and the streams (made from the settings where None).

    Attributes:
        acted: whether a command has done something; a line of mere preparations ends in the REPL.
        echoes: whether file commands say in a log what they do.
        resumed: `resume` was said for this board.
        document: gathers what --json prints; None without it.
    """

    def __init__(self, settings: Settings, streams: Streams | None = None) -> None:
        self.settings = settings
        self.streams = streams or Streams(settings.color)
        self.acted = False
        self.echoes = True
        self.resumed = False
        self.document: Document | None = None
        if settings.json:
            from .ui.json import Document

            self.document = Document()
            self.streams.sink = self.document.output
        self._reporter: PlainReporter | None = None
        self._device: Device | None = None
        self._selector: str | None = None
        self._fresh = settings.reset

    # -- the board --------------------------------------------------------------------------------

    @property
    def selector(self) -> str | None:
        """The board that was chosen, by `connect` or by -d and its layers; None for the only one there is."""
        return self._selector or self.settings.device

    def device(self) -> Device:
        """The board of this moment, opened when first asked for. Do not close it: later commands use it.

        The soft reset that is due is in it, and happens before the first program (Device.run, exec, eval).

        Raises:
            DeviceSelectionError, TransportError.
        """
        if self._device is None or self._device.closed:
            self._device = self._open(self.selector)
        return self._device

    @property
    def mpremote(self) -> bool:
        """Whether the line was written for mpremote: it has `resume` or `--no-verbose`.

        It keeps mpremote's meaning where upytool would ask or refuse; docs/guides/from-mpremote.md lists these places.
        """
        return self.resumed or not self.echoes

    @property
    def connected(self) -> bool:
        """Whether a board is open now."""
        return self._device is not None and not self._device.closed

    def connect(self, selector: str) -> Device:
        """Let go of the board and open another; "auto" is the only one there is."""
        self.disconnect()
        self._selector = None if selector == "auto" else selector
        self._device = self._open(self._selector)
        return self._device

    def disconnect(self) -> None:
        """Let go of the board; the next one gets its soft reset again (unless --no-reset)."""
        device, self._device = self._device, None
        self._selector = None
        if device is not None:
            # Only after a connection: `resume connect a0` keeps its meaning, as with mpremote.
            self._fresh, self.resumed = self.settings.reset, False
            device.close()

    @contextmanager
    def turbo(self, baud: int | None) -> Iterator[None]:
        """The board's UART at up to `baud` within the block, where it has one; None leaves it alone."""
        if baud is None:
            yield
            return
        from ..api.connect import turbo

        with turbo(self.device(), baud, reporter=self.reporter):
            yield

    def reopener(self) -> Reopener:
        """What opens the board again after it went away."""
        from ..api.connect import Reopener

        settings = self.settings
        return Reopener(
            self.device().name,
            baud=settings.baud,
            dtr=settings.dtr,
            rts=settings.rts,
            aliases=settings.devices,
            ask=self.ask_password,
        )

    def let_go(self) -> None:
        """The board restarts and its port may go away: close it without a word, and open it again when it is
        needed next (its selector stays)."""
        device, self._device = self._device, None
        if device is not None:
            self._fresh = self.settings.reset
            device.close(leave=False)

    def resume(self) -> None:
        """No soft reset for this board: what earlier runs left in its memory stays."""
        self.resumed = True
        self._fresh = False
        if self._device is not None:
            self._device.session.reset_pending = False

    def _open(self, selector: str | None) -> Device:
        from ..api.connect import connect, lines

        settings = self.settings

        def attempt(chosen: str | None) -> Device:
            return connect(
                chosen,
                baud=settings.baud,
                lines=lines(dtr=settings.dtr, rts=settings.rts),
                wait=settings.wait,
                fresh=self._fresh,
                reporter=self.reporter,
                aliases=settings.devices,
                ask=self.ask_password,
            )

        try:
            device = attempt(selector)
        except AmbiguousDeviceError as error:
            picked = self._pick(error)
            if picked is None:
                raise
            device = attempt(picked)
        if settings.timeout:
            device.session.pace.silence = max(1.0, settings.timeout)
        # Done once for a connection: `resume` or a finished program's state must not be reset away later.
        self._fresh = False
        return device

    def _pick(self, error: AmbiguousDeviceError) -> str | None:
        """Let the user choose between several boards, where a user is there."""
        choices = list(getattr(error, "choices", ()))
        if not choices or self.settings.json:
            return None
        from .ui.prompt import choose

        number = choose(str(error), choices, self.streams, no_input=self.settings.no_input)
        return None if number is None else str(choices[number])

    # -- saying something -------------------------------------------------------------------------

    @property
    def style(self) -> Style:
        """The look of stdout."""
        return self.streams.style

    @property
    def reporter(self) -> Reporter:
        """Hand it to the library: progress, notices and device output go to the right place."""
        return self._sink

    @property
    def _sink(self) -> PlainReporter:
        if self._reporter is None:
            self._reporter = self._make_reporter()
            for warning in self.settings.warnings:
                notice(self._reporter, warning, "warning")
        return self._reporter

    def _make_reporter(self) -> PlainReporter:
        settings, streams = self.settings, self.streams
        progress = not settings.no_progress
        if settings.json_events:
            from .ui.plain_reporter import JsonReporter

            return JsonReporter(streams, settings.verbosity, progress=progress)
        person = streams.err_tty and not os.environ.get("CI") and os.environ.get("TERM") != "dumb"
        # With -v the lines themselves tell the progress; a bar would flicker between them.
        if person and progress and settings.verbosity == 0:
            from .ui.rich_reporter import RichReporter

            return RichReporter(streams, 0)
        return PlainReporter(streams, settings.verbosity, progress=progress)

    def emit(self, result: Result | Any, text: Any = None) -> None:
        """Print a result: its text, or with --json put its data into the document.

        Args:
            result: a Result, or plain data, of which `text` is then the text (a string, lines, or a function
                from Style to either).
        """
        self._sink.clear()
        if not isinstance(result, Result):
            result = Answer(result, text)
        if self.document is not None:
            self.document.result(result.data())
            return
        shown = result.text(self.style)
        # A line of a list is one line, whatever the names in it hold.
        text_out = shown if isinstance(shown, str) else "\n".join(line.replace("\n", "\\n") for line in shown)
        if text_out:
            self.streams.write(text_out if text_out.endswith("\n") else text_out + "\n")

    def out(self, data: bytes) -> None:
        """Bytes to stdout, exactly: what a program on the board prints, what `cat` reads."""
        if self._reporter is not None:
            self._reporter.clear()
        self.streams.out(data)

    def note(self, message: str) -> None:
        """A sentence for the user on stderr, not shown with -q or --json: "Copied 3 files"."""
        if not self.settings.json:
            self._sink.emit(Notice("info", message))

    def echo(self, words: str, *, several: bool = False) -> None:
        """Say on stderr what is done now, as mpremote does: in a log always, on a terminal where there are
        several to tell apart, or with -v."""
        settings = self.settings
        if settings.json or settings.verbosity < 0 or not self.echoes:
            return
        if several or settings.verbosity > 0 or not self.streams.err_tty:
            self._sink.emit(Notice("info", words.replace("\n", "\\n")))

    def detail(self, message: str) -> None:
        """The same, shown with -v."""
        self._sink.emit(Notice("detail", message))

    def warn(self, message: str) -> None:
        """A warning, on stderr and in the JSON document."""
        self._sink.emit(Notice("warning", message))

    def confirm(self, question: str) -> bool:
        """Ask before something is lost. --yes answers yes. Raises UsageError where nobody can be asked."""
        if self.settings.yes:
            return True
        from .ui.prompt import confirm

        self._sink.clear()
        return confirm(question, self.streams, no_input=self.settings.no_input or self.settings.json)

    def ask_password(self, question: str) -> str | None:
        """A password, typed without echo; None where nobody can be asked."""
        from .ui.prompt import password

        self._sink.clear()
        return password(question, self.streams, no_input=self.settings.no_input or self.settings.json)

    def require(self, question: str) -> None:
        """`confirm`, where no is the end of the command."""
        if not self.confirm(question):
            raise click.Abort

    def remember_listing(self, path: str, entries: Iterable[tuple[str, bool]]) -> None:
        """Keep a directory of the board for the completion of `:path`.

        Args:
            path: the directory, absolute.
            entries: names and whether each is a directory.
        """
        from .listings import remember_listing

        remember_listing(self._remembered_board(), path, entries)

    def remember_change(self, written: Iterable[str], removed: Iterable[str]) -> None:
        """Keep what a command did to files of the board, for the same purpose."""
        from .listings import remember_change

        remember_change(self._remembered_board(), written, removed)

    def _remembered_board(self) -> str:
        """The name under which listings of the open board are kept, noted for each way to say it."""
        from .listings import names_of, remember_board

        device = self.device()
        port = device.port
        names = [*names_of(self.selector, self.settings.devices), device.name]
        if port is not None and port.has_unique_serial:
            names.append(f"id:{port.serial_number}")
        board = (port.key if port is not None else "") or device.name
        remember_board(names, board)
        return board

    @property
    def warnings(self) -> list[str]:
        """Every warning so far."""
        return self._sink.warnings

    def close(self) -> None:
        """The line is over: take bars off the screen, let go of the board. Ctrl-C drops it at once."""
        device, self._device = self._device, None
        if self._reporter is not None:
            self._reporter.close()
        if device is not None:
            try:
                device.close()
            except (KeyboardInterrupt, Interrupted):
                # The second Ctrl-C: no more politeness.
                device.transport.close()
                raise


pass_app = click.make_pass_decorator(App)
