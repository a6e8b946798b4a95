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
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    data: bytes


@dataclass(frozen=True, slots=True)
class Recv:
    timeout: float | None


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Request = Send | Recv | Pause
Op = Generator[Request, Any, T]


class Interrupted(BaseException):
    """Ctrl-C on this computer while an operation was waiting; a BaseException so that no `except Exception` eats it."""
