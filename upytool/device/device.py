"""A connected, running board."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ConnectionLostError, UpytoolError, UsageError
from ..events import NULL, Reporter
from ..protocol.ops import Op
from ..protocol.raw_repl import CTRL_C
from ..transport.base import Transport
from ..transport.drive import drive
from ..transport.turns import in_use
from .answers import literal_or_text
from .ondevice import shielded
from .session import SNIPPET_LIMIT, OutputSink, Session

if TYPE_CHECKING:
    from ..discovery.ports import SerialPort
    from .fs import RemoteFS
    from .info import BoardInfo

T = TypeVar("T")


class Device:
    """A board at the end of an open transport. `upytool.connect()` makes one; use it in a `with` block.

    Args:
        transport: the open pipe; the device closes it.
        reporter: receives progress, notices and the output of programs.
        fresh: True makes the first program of yours start in a fresh interpreter (a soft reset, boot.py runs,
            main.py does not); file operations need none and do none.
    """

    def __init__(self, transport: Transport, *, reporter: Reporter = NULL, fresh: bool = False) -> None:
        self.transport = transport
        self.reporter = reporter
        self.session = Session(reporter, reset_pending=fresh and transport.survives_reset)
        self.session.attach(transport)
        # What is known of the serial port, where it is one (turbo.why_not asks).
        self.port: SerialPort | None = None
        self.on_close: list[Callable[[Any], None]] = []  # each gets this device
        self._fs: RemoteFS | None = None
        self._closed = False

    def drive(self, op: Op[T]) -> T:
        """Run an operation on this board (how every method here works; for operations of your own).

        Threads take turns. Errors: UsageError after `close`, and from within an operation on this board.
        """
        if self._closed:
            op.close()
            raise UsageError("usage.device-closed", name=self.name)
        return drive(op, self.transport)

    @property
    def name(self) -> str:
        """The port's path or the URL."""
        return self.transport.name

    @property
    def info(self) -> BoardInfo:
        """What the board is; asked once."""
        return self.drive(self.session.info())

    @property
    def fs(self) -> RemoteFS:
        """The board's files."""
        if self._fs is None:
            from .fs import RemoteFS

            self._fs = RemoteFS(self)
        return self._fs

    def exec(self, source: bytes | str, *, timeout: float | None = None) -> str:
        """Run a program; returns what it printed.

        Args:
            source: MicroPython source text.
            timeout: seconds it may take; None for ever.

        Errors: RemoteException (with .traceback and .output), RemoteExit, TimeLimitError.
        """
        return self.exec_bytes(source, timeout=timeout).decode("utf-8", "replace").replace("\r\n", "\n")

    def exec_bytes(self, source: bytes | str, *, timeout: float | None = None) -> bytes:
        """The same; the output byte for byte as the board sent it."""
        return self.drive(self.session.exec(source, limit=timeout))

    def run(
        self,
        source: bytes | str,
        *,
        filename: str = "<stdin>",
        on_output: OutputSink | None = None,
        timeout: float | None = None,
        follow: bool = True,
    ) -> None:
        """Run a program; its output goes to `on_output` (or as events to the reporter) while it runs.

        Args:
            filename: what its tracebacks are to call it.
            follow: False returns as soon as the board has the program.

        Errors: RemoteException, RemoteExit, TimeLimitError, OperationInterrupted (Ctrl-C stops the program).
        """
        self.drive(self.session.run(source, filename=filename, on_output=on_output, limit=timeout, follow=follow))

    def eval(self, expression: str, *, timeout: float | None = None) -> Any:
        """The value of an expression where it is a literal (numbers, text, tuples ...), else its `repr`."""
        text = self.drive(self.session.eval(expression, limit=timeout))
        return literal_or_text(text)

    def call(
        self, snippet: str, *args: object, path: str = "", timeout: float = SNIPPET_LIMIT, again: bool = False
    ) -> Any:
        """Run `run(*args)` of upytool/ondevice/SNIPPET.py; literals in, a literal out.

        Args:
            again: it changes nothing on the board, so that it may run once more where other output broke its answer.
        """
        return self.drive(self.session.call(snippet, *args, path=path, limit=timeout, again=again))

    def ask(self, source: str, *, timeout: float = SNIPPET_LIMIT, again: bool = False) -> Any:
        """Run a program of ours, shielded from the user's names and files; returns the literal that it prints.

        A 1e stands before the literal. The soft reset that is due happens first, as before a program of the user's.

        Args:
            again: as of `call`.

        Errors: as `call`.
        """
        return self.drive(self._ask(source, timeout, again))

    def _ask(self, source: str, limit: float, again: bool) -> Op[Any]:
        yield from self.session.ready(fresh=True)
        return (yield from self.session.call_source(source, limit=limit, again=again))

    @property
    def sure(self) -> bool:
        """Whether the link itself repeats what was damaged, as USB does to a chip's own port."""
        return self.session.sure

    def one(self, *names: str, said: bytearray | None = None, **values: Any) -> Any:
        """Run a short program of ours, which takes the board next to nothing: device.oneshot.

        Args:
            names: of the parts that it is made of, ondevice/one_NAME.py.
            said: takes what it prints.
            values: what stands in its text for these names.

        Errors: as `call`; Unfit (a StreamError) where this is not a board or no moment for it.
        """
        return self.drive(self._one(names, said, values))

    def _one(self, names: tuple[str, ...], said: bytearray | None, values: dict[str, Any]) -> Op[Any]:
        from .oneshot import Unfit

        if self.session.host_mounts:
            raise Unfit("protocol.no-short-program.mounted")
        yield from self.session.ready(fresh=True)
        return (yield from self.session.one(names[-1], first=names[:-1], said=said, **values))

    def soft_reset(self) -> None:
        """A fresh interpreter: boot.py runs, main.py does not."""
        self.drive(self.session.soft_reset())

    def reset(self) -> None:
        """A hard reset (`machine.reset()`). The board starts main.py; on native USB its port goes away."""
        self._start_and_leave("import machine,time\ntime.sleep_ms(100)\nmachine.reset()")

    def bootloader(self) -> None:
        """Into the bootloader (`machine.bootloader()`); the port goes away."""
        self._start_and_leave("import machine,time\ntime.sleep_ms(100)\nmachine.bootloader()")

    def _start_and_leave(self, source: str) -> None:
        with contextlib.suppress(ConnectionLostError):
            self.drive(self._launch(source))

    def _launch(self, source: str) -> Op[None]:
        from ..protocol.raw_repl import ReplState

        yield from self.session.ready()
        yield from self.session.hand_over(shielded(source).encode())
        self.session.repl.state = ReplState.UNKNOWN

    def interrupt(self) -> None:
        """Stop what runs; the board waits at its raw prompt then.

        What another thread does on this connection meanwhile ends as the board's KeyboardInterrupt makes it end.
        """
        if in_use(self.transport):
            self.transport.write(CTRL_C)
        else:
            self.drive(self.session.ready())

    def close(self, *, leave: bool = True) -> None:
        """Back to the friendly prompt, and close the transport. Never raises.

        What another thread does on this connection meanwhile fails with ConnectionLostError; it is not waited for.
        """
        if self._closed:
            return
        for hook in self.on_close:
            hook(self)
        try:
            if leave and not in_use(self.transport):
                with contextlib.suppress(UpytoolError):
                    self.drive(self.session.leave())
        finally:
            self._closed = True
            self.transport.close()

    def disown(self) -> Transport:
        """Give the open transport away: it is the caller's, and this device is closed."""
        self._closed = True
        return self.transport

    @property
    def closed(self) -> bool:
        return self._closed

    def on_output(self, sink: Callable[[bytes], None]) -> None:
        """Send programs' output to `sink` instead of the reporter."""
        self.session.print = sink

    def __enter__(self) -> Device:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Bound here: when the interpreter ends nothing can be imported any more.
    def __del__(self, warn: Callable[..., None] = warnings.warn) -> None:
        if not getattr(self, "_closed", True):
            warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"
