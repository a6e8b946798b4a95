"""The contract between what is said on a wire and what moves the bytes.

An operation is a generator. It yields one of three requests and is answered:

    Send(data)      -> now                  the bytes are on their way
    Recv(timeout)   -> (data, now)          what arrived; b"" when nothing did within `timeout` seconds
    Pause(seconds)  -> now                  that much time has passed

`now` is the driver's monotonic clock in seconds, so that operations keep deadlines without a clock of their
own and a test runs them without sleeping. A driver (`transport.drive`) is the only place with a loop over them.

When the user presses Ctrl-C while a driver waits, it throws `Interrupted` into the operation, which may stop
the board's program and bring the connection back in step before it lets the exception (or a better one) out.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Send:
    # Plain classes: these are made by the thousand in a transfer, and a frozen dataclass takes twice the time.
    __slots__ = __match_args__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Recv:
    __slots__ = __match_args__ = ("timeout",)

    def __init__(self, timeout: float | None) -> None:
        self.timeout = timeout


class Pause:
    __slots__ = __match_args__ = ("seconds",)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds


Request = Send | Recv | Pause
Op = Generator[Request, Any, T]


class Interrupted(BaseException):
    """Ctrl-C on this computer while an operation was waiting; a BaseException so that no `except Exception` eats it."""
