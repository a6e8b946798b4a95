"""A conversation with one board: the raw REPL, what is known of the board, and the soft-reset policy.

Every method that talks is an operation, so that `device.Device` and `aio.AsyncDevice` share this one text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import limits
from ..errors import BoardResetError, OperationInterrupted, RemoteError, StreamError
from ..events import NULL, DeviceOutput, Reporter, notice
from ..protocol.ops import Op, Send
from ..protocol.raw_repl import CTRL_C, ENTER_TIMEOUT, RawRepl, ReplState
from .answers import Collected, parse_answer, sensible
from .ondevice import argument, shielded, snippet
from .program import Program, prepare, raise_program_error, raise_snippet_error, rewrite_traceback

if TYPE_CHECKING:
    from ..protocol.mount_server import Volume
    from .info import BoardInfo

OutputSink = Callable[[bytes], None]
RESULT_MARK = b"\x1e"
SNIPPET_LIMIT = limits.BOARD_SECONDS


class Session:
    """One board.

    Attributes:
        repl: the raw-REPL machine.
        reporter: receives output and notices.
        reset_pending: a soft reset is due before the next program of the user's (mpremote's auto soft reset);
            file operations leave it pending.
        print: where a program's output goes; the reporter unless set.
        host_mounts: where on the board folders of this computer are mounted, and these.
        places: board path -> local path of what came from this computer, for tracebacks.
        board: what was asked of the board, None until then.
        sign: a statement that each program of ours begins with; device.turbo's sign of life.
        frozen: whether the board has the transfer program as modules (device.frozen); None while nobody knows.
        short: whether the board takes short programs of ours (device.oneshot); False once it was found to lack them.
        sure: the link itself repeats what was damaged, as USB does to a chip's own port: content needs no checksum.
        ask_frozen: whether finding out is worth a try, because the answer is kept for the next connection.
    """

    def __init__(self, reporter: Reporter = NULL, *, reset_pending: bool = False) -> None:
        self.repl = RawRepl()
        self.repl.tell = lambda text: notice(reporter, text, "wait")
        self.reporter = reporter
        self.reset_pending = reset_pending
        self.print: OutputSink = lambda data: reporter.emit(DeviceOutput(data))
        self.enter_timeout = ENTER_TIMEOUT
        self.places: dict[str, str] = {}
        self.host_mounts: dict[str, Volume] = {}
        self.board: BoardInfo | None = None
        self.sign = ""
        self.frozen: bool | None = None
        self.ask_frozen = False
        self.short = True
        self.sure = False
        self.on_soft_reset: list[Callable[[], Op[None]]] = []

    # -- the state of the far end -----------------------------------------------------------------

    def ready(self, *, fresh: bool = False) -> Op[None]:
        """The raw prompt; with `fresh` also the soft reset that is due."""
        if self.repl.state is not ReplState.RAW:
            yield from self.repl.enter(self.enter_timeout)
        if fresh and self.reset_pending:
            yield from self.soft_reset()

    def soft_reset(self, *, show_boot: bool = False) -> Op[None]:
        """A fresh interpreter; what was mounted over the wire is mounted again."""
        yield from self.ready()
        yield from self.repl.soft_reset(self.print if show_boot else None)
        self.reset_pending = False
        for again in list(self.on_soft_reset):
            yield from again()

    def leave(self) -> Op[None]:
        """The friendly prompt."""
        yield from self.repl.leave()

    # -- programs of the user's -------------------------------------------------------------------

    def run(
        self,
        source: bytes | str,
        *,
        filename: str = "<stdin>",
        on_output: OutputSink | None = None,
        limit: float | None = None,
        follow: bool = True,
    ) -> Op[None]:
        """Run a program of the user's, passing its output on as it comes.

        Args:
            limit: seconds it may take, None for ever.
            follow: False returns as soon as the board has it.

        Errors: RemoteException, RemoteExit, BoardResetError, TimeLimitError, OperationInterrupted.
        """
        yield from self.ready(fresh=True)
        # A program that nobody follows prints no mark, which whoever looks later would see.
        program = prepare(source, filename, marked=follow)
        yield from self.repl.start(program.source, short=True)
        if not follow:
            self.repl.state = ReplState.UNKNOWN
            return
        yield from self._finish(program, on_output or self.print, limit)

    def exec(self, source: bytes | str, *, limit: float | None = None) -> Op[bytes]:
        """Run a program of the user's; returns its output, also in the error's `output`."""
        yield from self.ready(fresh=True)
        program = prepare(source)
        said = Collected(limits.OUTPUT_BYTES)
        yield from self.repl.start(program.source, short=True)
        error = yield from self._follow(program, said, limit)
        raise_program_error(error, program, self.places, bytes(said.data))
        return bytes(said.data)

    def _finish(self, program: Program, sink: OutputSink, limit: float | None) -> Op[None]:
        error = yield from self._follow(program, sink, limit)
        raise_program_error(error, program, self.places)

    def _follow(self, program: Program, sink: OutputSink, limit: float | None) -> Op[bytes]:
        """`RawRepl.follow`; the traceback of an interrupted program names the user's file and lines too."""
        try:
            return (yield from self._heard(self.repl.follow(sink, limit, program.mark, plain=program.plain)))
        except OperationInterrupted as stopped:
            stopped.traceback = rewrite_traceback(stopped.traceback, program, self.places)
            raise
        except BoardResetError:
            # The interpreter is a fresh one: what a soft reset would bring back is brought back.
            self.reset_pending = False
            for again in list(self.on_soft_reset):
                yield from again()
            raise

    def _heard(self, listening: Op[bytes]) -> Op[bytes]:
        """Run `listening`; a program that says more than its sink takes is stopped."""
        try:
            return (yield from listening)
        except StreamError:
            yield Send(CTRL_C)
            self.repl.state = ReplState.BROKEN
            raise

    def eval(self, expression: str, *, limit: float | None = None) -> Op[str]:
        """The `repr` of an expression of the user's, as text."""
        # The function's globals are the user's, its builtins are not: `print` may be anything by now.
        source = f"def _upy():from builtins import print as _upy_p,repr as _upy_r;_upy_p(_upy_r({expression}))\n"
        out = yield from self.exec(f"{source}try:_upy()\nfinally:del _upy", limit=limit)
        return out.decode("utf-8", "replace").replace("\r\n", "\n").removesuffix("\n")

    # -- programs of ours -------------------------------------------------------------------------

    def call(self, name: str, *args: object, path: str = "", limit: float = SNIPPET_LIMIT) -> Op[Any]:
        """Run `run(*args)` of ondevice/NAME.py on the board; arguments and result are Python literals.

        Args:
            path: the board path to name in a RemoteOSError.

        Errors: RemoteOSError, RemoteError, RemoteException, DeviceTimeoutError.
        """
        text = ",".join(map(argument, args))
        return (yield from self.call_source(f"{snippet(name)}\nprint('\\x1e'+repr(run({text})))", path, limit))

    def call_source(self, source: str, path: str = "", limit: float = SNIPPET_LIMIT) -> Op[Any]:
        """Run our own `source`, which prints a 1e and a literal; returns the literal.

        Its names are gone afterwards: what the board's `__main__` holds belongs to the user.
        """
        yield from self.ready()
        yield from self.repl.start(shielded(f"{self.sign}\n{source}" if self.sign else source).encode())
        said = Collected(limits.ANSWER_BYTES)
        error = yield from self._heard(self.repl.finish(said, limit))
        raise_snippet_error(error, path)
        _, mark, literal = bytes(said.data).rpartition(RESULT_MARK)
        if not mark:
            raise StreamError("the board gave no answer", hint="try again")
        try:
            return parse_answer(literal.decode("utf-8", "replace"))
        except ValueError as error_:
            raise StreamError(f"unexpected response from the board: {literal[:60]!r}", hint="try again") from error_

    def one(
        self,
        name: str,
        path: str = "",
        *,
        limit: float = SNIPPET_LIMIT,
        said: bytearray | None = None,
        **values: object,
    ) -> Op[Any]:
        """Run the short program ondevice/one_NAME.py; returns what it answers, None where that is nothing.

        Args:
            path: the board path to name in a RemoteOSError.
            said: takes what it prints.
            values: what stands in its text for these names.

        Errors: as `call`; Unfit where this is no board or no moment for it.
        """
        from . import oneshot

        if not self.short or self.sign:
            raise oneshot.Unfit("no short programs now", hint="a longer way is used")
        yield from self.ready()
        text = oneshot.program(name, **values)
        yield from self.repl.start(text, oneshot.START_TIMEOUT, short=True)
        output = Collected(limits.ANSWER_BYTES)
        error = yield from self._heard(self.repl.finish(output, limit))
        if said is not None:
            said += output.data
        if error and oneshot.leaves_a_name(text):
            yield from self.repl.start(oneshot.TIDY, short=True)
            yield from self.repl.finish(Collected(limits.ANSWER_BYTES), limit)
        try:
            return oneshot.answer_of(error, path)
        except oneshot.Unfit:
            self.short = False
            raise

    def info(self) -> Op[BoardInfo]:
        """What the board is; asked once."""
        if self.board is None:
            from .info import BoardInfo

            answer = yield from self.call("probe")
            if not isinstance(answer, dict):
                raise RemoteError("the board does not say what it is", hint="is it MicroPython?")
            with sensible():
                self.board = BoardInfo.from_probe(answer)
            # What the board says now is newer than what was remembered of it.
            self.frozen = self.board.has_transfer
        return self.board
