"""A conversation with one board: the raw REPL, what is known of the board, and the soft-reset policy.

Every method that talks is an operation, so that `device.Device` and `aio.AsyncDevice` share this one text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .. import limits
from ..errors import (
    BoardResetError,
    ConnectionLostError,
    DeviceTimeoutError,
    DisturbedError,
    OperationInterrupted,
    RemoteError,
    StreamError,
)
from ..events import NULL, DeviceOutput, Reporter, notice
from ..protocol.ops import Op, Pause, Reconnect, Send
from ..protocol.pace import announced
from ..protocol.raw_repl import CTRL_C, ENTER_TIMEOUT, RawRepl, ReplState
from ..transport.base import FileChannel, Reconnecting, Windowed
from .answers import Collected, parse_disturbed, sensible
from .ondevice import argument, joined, shielded, snippet
from .program import Program, is_error, prepare, raise_program_error, raise_snippet_error, rewrite_traceback

if TYPE_CHECKING:
    from ..protocol.mount_server import Volume
    from ..transport.base import AsyncTransport, Transport
    from .carrier import Carrier
    from .info import BoardInfo

OutputSink = Callable[[bytes], None]
RESULT_MARK = b"\x1e"
SNIPPET_LIMIT = limits.BOARD_SECONDS


class Session:
    """One board.

    Attributes:
        repl: the raw-REPL machine.
        pace: how fast the board is, and how long it is waited for.
        reporter: receives output and notices.
        reset_pending: a soft reset is due before the next program of the user's (mpremote's auto soft reset);
            file operations leave it pending.
        print: where a program's output goes; the reporter unless set.
        host_mounts: where on the board folders of this computer are mounted, and these.
        places: board path -> local path of what came from this computer, for tracebacks.
        board: what was asked of the board, None until then.
        sign: a statement that each program of ours begins with; device.turbo's sign of life.
        frozen: whether the board has the transfer program as modules (device.frozen); None while nobody knows.
        bytecode: False once the board refused a program of ours as bytecode (device.precompiled).
        short: whether the board takes short programs of ours (device.oneshot); False once it was found to lack them.
        in_flight: bytes that may be on their way to the board at once, where its transport knows; None: it does not.
        unfit: those that it cannot run.
        sure: the link itself repeats what was damaged, as USB does to a chip's own port: content needs no checksum.
        has_files: whether the board has a file channel of its own (transport.base.FileChannel).
        carrier: takes programs over that channel (device.carrier); None where there is none.
        can_reconnect: whether the connection can be made again (transport.base.Reconnecting).
        ask_frozen: whether finding out is worth a try, because the answer is kept for the next connection.
    """

    def __init__(self, reporter: Reporter = NULL, *, reset_pending: bool = False) -> None:
        self.repl = RawRepl()
        self.repl.tell = lambda text: notice(reporter, text, "wait")
        self.pace = self.repl.pace
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
        self.bytecode = True
        self.short = True
        self.unfit: set[tuple[str, ...]] = set()
        self.sure = False
        self.in_flight: int | None = None
        self.has_files = self.can_reconnect = False
        self.carrier: Carrier | None = None
        self.on_soft_reset: list[Callable[[], Op[None]]] = []

    def know(self, other: Session) -> None:
        """Take over what another session of the same board knows of it."""
        self.frozen, self.ask_frozen, self.bytecode = other.frozen, other.ask_frozen, other.bytecode
        self.sure = other.sure

    def attach(self, transport: Transport | AsyncTransport) -> None:
        """Take over what the transport knows of the way to the board."""
        transport = getattr(transport, "blocking", transport)  # the one behind an asyncio face
        self.repl.can_interrupt = transport.interrupts
        self.repl.may_be_rom = transport.survives_reset
        self.sure = getattr(transport, "sure", False)
        if isinstance(transport, Windowed):
            self.in_flight = transport.in_flight
            self.repl.in_flight = self.in_flight
            # The 04 that ends a program goes with its last bytes.
            self.repl.chunk = self.in_flight - 1
        self.has_files = isinstance(transport, FileChannel)
        if self.has_files:
            from .carrier import Carrier

            self.carrier = Carrier(self)
        self.can_reconnect = isinstance(transport, Reconnecting)

    @property
    def window(self) -> int:
        """Bytes that may be on their way to a program: what raw paste or the transport allows, 0 where neither says."""
        granted = 2 * self.repl.window
        return min(granted or self.in_flight, self.in_flight) if self.in_flight else granted

    # -- the state of the far end -----------------------------------------------------------------

    def ready(self, *, fresh: bool = False, within: float | None = None) -> Op[None]:
        """The raw prompt; with `fresh` also the soft reset that is due. `within` seconds where those are fewer."""
        if self.repl.state is not ReplState.RAW:
            try:
                yield from self.repl.enter(min(self.enter_timeout, self.enter_timeout if within is None else within))
            except ConnectionLostError:
                if not self.can_reconnect:
                    raise
                yield from self.reconnect()
        if fresh and self.reset_pending:
            yield from self.soft_reset()

    def soft_reset(self, *, show_boot: bool = False) -> Op[None]:
        """A fresh interpreter; what was mounted over the wire is mounted again."""
        yield from self.ready()
        try:
            yield from self.repl.soft_reset(self.print if show_boot else None)
        except ConnectionLostError:
            if not self.can_reconnect:
                raise
            yield from self.reconnect()
        self.reset_pending = False
        for again in list(self.on_soft_reset):
            yield from again()

    def reconnect(self) -> Op[None]:
        """Make the connection again, and be at the raw prompt. Errors: ConnectionLostError; RawReplError."""
        notice(self.reporter, "the connection ended, connecting again", "info")
        self.repl.inbox.clear()
        self.repl.state = ReplState.UNKNOWN
        yield Reconnect()
        yield from self.repl.enter(self.enter_timeout)

    def leave(self) -> Op[None]:
        """The friendly prompt."""
        yield from self.repl.leave()

    def _start(self, source: bytes, *, short: bool = False, marked: bool = False) -> Op[None]:
        text = "sending the program to the board (Ctrl-C stops)"
        yield from announced(self.hand_over(source, short=short, marked=marked), self.repl.tell, text)

    def hand_over(
        self, source: bytes, timeout: float | None = None, *, short: bool = False, marked: bool = False
    ) -> Op[None]:
        """`RawRepl.start`, by the quickest way that the board has."""
        if self.carrier is not None:
            if self.carrier.carries(len(source)) and (yield from self.carrier.start(source, patience=timeout)):
                return
            short = True
        yield from self.repl.start(source, timeout, short=short, marked=marked)

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
        yield from self._start(program.source, short=True)
        if not follow:
            self.repl.state = ReplState.UNKNOWN
            return
        yield from self._finish(program, on_output or self.print, limit)

    def exec(self, source: bytes | str, *, limit: float | None = None) -> Op[bytes]:
        """Run a program of the user's; returns its output, also in the error's `output`."""
        yield from self.ready(fresh=True)
        program = prepare(source)
        said = Collected(limits.OUTPUT_BYTES)
        yield from self._start(program.source, short=True)
        error = yield from self._follow(program, said, limit)
        raise_program_error(error, program, self.places, bytes(said.data))
        return bytes(said.data)

    def _finish(self, program: Program, sink: OutputSink, limit: float | None) -> Op[None]:
        error = yield from self._follow(program, sink, limit)
        raise_program_error(error, program, self.places)

    def _follow(self, program: Program, sink: OutputSink, limit: float | None) -> Op[bytes]:
        """`RawRepl.follow`; the traceback of an interrupted program names the user's file and lines too."""
        try:
            error = yield from self._heard(self.repl.follow(sink, limit, program.mark, plain=program.plain))
            if is_error(error):
                return error
            sink(error)
            return b""
        except ConnectionLostError:
            # Nobody knows what became of it; the next one gets a new connection, where there can be one.
            self.repl.state = ReplState.UNKNOWN
            raise
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

    def call(
        self, name: str, *args: object, path: str = "", limit: float = SNIPPET_LIMIT, again: bool = False
    ) -> Op[Any]:
        """Run `run(*args)` of ondevice/NAME.py on the board; arguments and result are Python literals.

        Args:
            path: the board path to name in a RemoteOSError.
            again: it changes nothing on the board, so that it may run once more where other output broke its answer.

        Errors: RemoteOSError, RemoteError, RemoteException, DeviceTimeoutError, DisturbedError.
        """
        text = ",".join(map(argument, args))
        source = f"{snippet(name)}\nprint('\\x1e'+repr(run({text})))"
        return (yield from self.call_source(source, path, limit, again=again))

    def call_source(self, source: str, path: str = "", limit: float = SNIPPET_LIMIT, *, again: bool = False) -> Op[Any]:
        """Run our own `source`, which prints a 1e and a literal; returns the literal.

        Its names are gone afterwards: what the board's `__main__` holds belongs to the user. Arguments and errors are
        as of `call`.
        """
        return (yield from self.call_program(self.shield(source), path, limit, again=again))

    def shield(self, source: str) -> bytes:
        """The complete program for our own `source`."""
        return shielded(joined(f"{self.sign}\n{source}" if self.sign else source)).encode()

    def call_program(
        self, program: bytes, path: str = "", limit: float = SNIPPET_LIMIT, *, again: bool = False
    ) -> Op[Any]:
        """`call_source` for a program that is complete and shielded."""
        try:
            return (yield from self._ask(program, path, limit))
        except DisturbedError as error:
            if not again:
                raise
            from .retry import asked_again

            return (yield from asked_again(lambda: self._ask(program, path, limit), self.reporter, error))
        except ConnectionLostError:
            if not (again and self.can_reconnect):
                raise
            yield from self.reconnect()
            return (yield from self._ask(program, path, limit))

    def _ask(self, program: bytes, path: str, limit: float) -> Op[Any]:
        yield from self.ready()
        yield from self._start(program, marked=True)
        return (yield from self.answer(path, limit))

    def answer(self, path: str = "", limit: float = SNIPPET_LIMIT) -> Op[Any]:
        """What a program of ours that runs prints; arguments and errors are as of `call`."""
        said = Collected(limits.ANSWER_BYTES)
        error = yield from self._heard(self.repl.finish(said, limit))
        _, mark, literal = bytes(said.data).rpartition(RESULT_MARK)
        try:
            if mark:
                # The answer is the last thing that a program of ours does: with a whole one, it went well.
                return parse_disturbed(literal.decode("utf-8", "replace"))
        except ValueError as problem:
            if not is_error(error):
                raise DisturbedError("protocol.disturbed.answer", answer=literal[:60]) from problem
        if is_error(error):
            raise_snippet_error(error, path)
        raise DisturbedError("protocol.disturbed.no-answer")

    def one(
        self,
        name: str,
        path: str = "",
        *,
        first: Sequence[str] = (),
        limit: float | None = None,
        said: bytearray | None = None,
        **values: object,
    ) -> Op[Any]:
        """Run the short program ondevice/one_NAME.py; returns what it answers, None where that is nothing.

        Args:
            path: the board path to name in a RemoteOSError.
            first: others, which are the beginning of this.
            limit: seconds it may take; None: what fits the board's pace, for what takes it no time.
            said: takes what it prints.
            values: what stands in its text for these names.

        Errors: as `call`; Unfit where this is not a board or no moment for it.
        """
        from . import oneshot

        parts = (*first, name)
        if not self.short or self.sign or parts in self.unfit:
            raise oneshot.Unfit("protocol.no-short-program.none-now")
        yield from self.ready()
        text = oneshot.program(*parts, **values)
        begun = yield Pause(0)
        output = Collected(limits.ANSWER_BYTES)
        try:
            yield from self._start(text, short=True, marked=True)
            patience = self.pace.budget(len(text)) if limit is None else limit
            error = yield from self._heard(self.repl.finish(output, patience))
        except DeviceTimeoutError:
            self.pace.mute_since = begun
            raise
        self.pace.mute_since = None
        if said is not None:
            said += output.data
        if error and oneshot.leaves_a_name(text):
            yield from self._start(oneshot.TIDY, short=True)
            yield from self.repl.finish(Collected(limits.ANSWER_BYTES), SNIPPET_LIMIT)
        try:
            return oneshot.answer_of(error, path)
        except oneshot.Unfit as unfit:
            self.short = not unfit.any
            self.unfit.add(parts)
            raise

    def info(self) -> Op[BoardInfo]:
        """What the board is; asked once."""
        if self.board is None:
            from .info import BoardInfo

            answer = yield from self.call("probe", again=True)
            if not isinstance(answer, dict):
                raise RemoteError("remote.unidentified")
            with sensible():
                self.board = BoardInfo.from_probe(answer)
            # What the board says now is newer than what was remembered of it.
            self.frozen = self.board.has_transfer
            self.bytecode = self.bytecode and self.board.takes_bytecode
        return self.board
