"""The only loops over operations: `drive` for threads, `drive_async` for asyncio."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ..errors import OperationInterrupted
from ..protocol.ops import Interrupted, Op, Pause, Reconnect, Recv, Request, Send, Work
from .base import AsyncFileChannel, AsyncReconnecting, AsyncTransport, FileChannel, Reconnecting, Transport
from .turns import turn, turn_async

T = TypeVar("T")
WORK_ENDS = 1.0  # seconds that a cancelled task gives work in a thread to let go of its files


class _Interrupts:
    """Ctrl-C while an operation runs: raised only where the driver waits, remembered elsewhere.

    An operation between two waits holds half of a thought (bytes taken from a buffer, not yet judged); a
    KeyboardInterrupt there would lose it.
    """

    def __init__(self) -> None:
        self.waiting = False
        self.pending = False
        self._previous: Any = None
        self._installed = False

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            previous = signal.getsignal(signal.SIGINT)
            if previous is signal.default_int_handler:
                self._previous, self._installed = previous, True
                signal.signal(signal.SIGINT, self._on_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, self._previous)
        if self.pending and kind is None:
            # It came after the last wait: the operation is complete, but whoever drives on has to stop.
            raise KeyboardInterrupt

    def _on_signal(self, *_: object) -> None:
        self.pending = True
        if self.waiting:
            raise KeyboardInterrupt

    def check(self) -> None:
        if self.pending:
            raise KeyboardInterrupt


def drive(
    op: Op[T],
    transport: Transport,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run `op` over `transport` when no other thread's operation is on it; returns its result.

    Errors: whatever the operation raises; OperationInterrupted for Ctrl-C that it does not answer itself; UsageError
    when it is called from within an operation on this transport.
    """
    try:
        with turn(transport):
            return drive_now(op, transport, clock, sleep)
    finally:
        op.close()


def drive_now(
    op: Op[T],
    transport: Transport,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """`drive` for a transport's own operations, which may come in the middle of another one."""
    with _Interrupts() as interrupts:
        step: Callable[[Any], Request] = op.send
        answer: Any = None
        try:
            while True:
                request = step(answer)
                try:
                    interrupts.waiting = True
                    interrupts.check()
                    answer = perform(request, transport, clock, sleep)
                    interrupts.waiting = False
                    step = op.send
                except KeyboardInterrupt:
                    interrupts.waiting = interrupts.pending = False
                    step, answer = op.throw, Interrupted()
                except BaseException as error:
                    # A lost connection is the operation's to know: it may have promises to keep. So is a signal that
                    # ends the process, where it comes amid the operation's own work.
                    interrupts.waiting = False
                    if not isinstance(error, Exception) and not isinstance(request, Work):
                        raise
                    step, answer = op.throw, error
        except StopIteration as done:
            result: T = done.value
            return result
        except Interrupted:
            raise OperationInterrupted() from None
        finally:
            op.close()


def perform(
    request: Request,
    transport: Transport,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Any:
    """Do what one request asks for; returns its answer."""
    match request:
        case Recv(timeout):
            read = cast(FileChannel, transport).read_frame if request.files else transport.read
            return read(timeout), clock()
        case Send(data):
            write = cast(FileChannel, transport).write_frame if request.files else transport.write
            write(data)
        case Pause(seconds) if seconds > 0:
            sleep(seconds)
        case Reconnect():
            cast(Reconnecting, transport).reconnect()
        case Work(call):
            return call()
    return clock()


async def drive_async(op: Op[T], transport: AsyncTransport, clock: Callable[[], float] = time.monotonic) -> T:
    """Run `op` over an asyncio transport when no other task's operation is on it.

    A cancelled task stops the operation as Ctrl-C would.
    """
    try:
        async with turn_async(transport):
            return await _drive_async(op, transport, clock)
    finally:
        op.close()


async def _drive_async(op: Op[T], transport: AsyncTransport, clock: Callable[[], float]) -> T:
    import asyncio

    step: Callable[[Any], Request] = op.send
    answer: Any = None
    cancelled: asyncio.CancelledError | None = None
    try:
        while True:
            request = step(answer)
            try:
                match request:
                    case Recv(timeout):
                        read = cast(AsyncFileChannel, transport).read_frame if request.files else transport.read
                        answer = (await read(timeout), clock())
                    case Send(data):
                        write = cast(AsyncFileChannel, transport).write_frame if request.files else transport.write
                        await write(data)
                        answer = clock()
                    case Pause(seconds):
                        if seconds > 0:
                            await asyncio.sleep(seconds)
                        answer = clock()
                    case Reconnect():
                        await cast(AsyncReconnecting, transport).reconnect()
                        answer = clock()
                    case Work(call):
                        answer = await _in_thread(call)
                step = op.send
            except asyncio.CancelledError as error:
                cancelled = error
                step, answer = op.throw, Interrupted()
            except Exception as error:
                step, answer = op.throw, error
    except StopIteration as done:
        if cancelled is not None:
            raise cancelled from None
        result: T = done.value
        return result
    except (Interrupted, OperationInterrupted) as error:
        if cancelled is not None:
            raise cancelled from error
        raise OperationInterrupted() from error
    finally:
        op.close()


async def _in_thread(call: Callable[[], Any]) -> Any:
    """Its result; the event loop goes on meanwhile. A thread cannot be stopped, so a cancelled task waits a little."""
    import asyncio

    working = asyncio.ensure_future(asyncio.to_thread(call))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        working.add_done_callback(_heard)
        await asyncio.wait({working}, timeout=WORK_ENDS)
        raise


def _heard(working: Any) -> None:
    """Nobody waits for it any more: what it raised is not news."""
    if not working.cancelled():
        working.exception()
