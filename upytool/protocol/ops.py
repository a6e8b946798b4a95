"""The contract between what is said on a wire and what moves the bytes.

An operation is a generator. It yields one of these requests and is answered:

    Send(data)      -> now                  the bytes are on their way
    Recv(timeout)   -> (data, now)          what arrived; b"" when nothing did within `timeout` seconds
    Pause(seconds)  -> now                  that much time has passed
    Reconnect()     -> now                  the connection was made again; what was under way is lost
    Work(call)      -> what `call` returns  this computer has done something: read a file, compiled a module

A Send or Recv with `files` goes over the far end's second channel, where it has one (`transport.base.FileChannel`).

`now` is the driver's monotonic clock in seconds, so that operations keep deadlines without a clock of their
own and a test runs them without sleeping. A driver (`transport.drive`) is the only place with a loop over them.

Whatever may block this computer or take it a millisecond is Work: a driver calls it where Ctrl-C is alive, or in a
thread while an event loop goes on. Nothing else of an operation touches files or processes.

When the user presses Ctrl-C while a driver waits, it throws `Interrupted` into the operation, which may stop
the board's program and bring the connection back in step before it lets the exception (or a better one) out.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from ..errors import Interrupted as Interrupted

T = TypeVar("T")


class Send:
    # Plain classes: these are made by the thousand in a transfer, and a frozen dataclass takes twice the time.
    __slots__ = ("data", "files")
    __match_args__ = ("data",)

    def __init__(self, data: bytes, *, files: bool = False) -> None:
        self.data, self.files = data, files


class Recv:
    __slots__ = ("files", "timeout")
    __match_args__ = ("timeout",)

    def __init__(self, timeout: float | None, *, files: bool = False) -> None:
        self.timeout, self.files = timeout, files


class Pause:
    __slots__ = __match_args__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


class Reconnect:
    """Only for a far end that can be called again (`transport.base.Reconnecting`)."""

    __slots__ = ()


class Work:
    """`call` ends by itself; it may be abandoned, and what it raises is raised in the operation."""

    __slots__ = __match_args__ = ("call",)

    def __init__(self, call: Callable[[], Any]) -> None:
        self.call = call


Request = Send | Recv | Pause | Reconnect | Work
Op = Generator[Request, Any, T]


def on_host(call: Callable[..., T], *args: Any, **named: Any) -> Op[T]:
    """`call(*args, **named)` as Work. Errors: its own."""
    result: T = yield Work(lambda: call(*args, **named))
    return result
