"""What a byte pipe can do.

A Transport moves bytes and knows nothing of what they mean. What only some have is a protocol class of its own
(`ModemLines`, `BaudRate`, `Windowed`), asked for with `isinstance`, never by the class of the transport.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

WRITE_TIMEOUT = 10.0


@runtime_checkable
class Transport(Protocol):
    """An open byte pipe.

    Attributes:
        name: what the user knows it by (`/dev/ttyACM0`, `socket://host:port`).
        interrupts: False where Ctrl-C does not reach a running program.
        survives_reset: False where a soft reset of the board closes the pipe (WebREPL).
    """

    name: str
    interrupts: bool
    survives_reset: bool

    def read(self, timeout: float | None) -> bytes:
        """All that has arrived; waits up to `timeout` seconds (None: for ever) for the first byte.

        Errors: ConnectionLostError.
        """
        ...

    def write(self, data: bytes) -> None:
        """Send all of `data`. Errors: ConnectionLostError, also when the far end takes nothing for 10 s."""
        ...

    def close(self) -> None:
        """Close it; never raises; a second call does nothing."""
        ...

    def fileno(self) -> int | None:
        """A descriptor that `select` takes, or None."""
        ...


class AsyncTransport(Protocol):
    """The same for asyncio."""

    name: str
    interrupts: bool
    survives_reset: bool

    async def read(self, timeout: float | None) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


@runtime_checkable
class ModemLines(Protocol):
    """DTR and RTS can be set."""

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None: ...


@runtime_checkable
class BaudRate(Protocol):
    """The rate of the line can be changed while it is open."""

    baud: int

    def set_baud(self, baud: int) -> None: ...


@runtime_checkable
class Windowed(Protocol):
    """What is sent beyond a number of bytes is lost at the far end without a sign.

    Attributes:
        in_flight: bytes that may be on their way to the board at once.
    """

    in_flight: int


@runtime_checkable
class FileChannel(Protocol):
    """A second channel beside the terminal, over which the board itself moves files (WebREPL's binary frames).

    A Send or Recv with `files` goes over it.
    """

    def read_frame(self, timeout: float | None) -> bytes:
        """What has arrived on it, as `Transport.read`."""
        ...

    def write_frame(self, data: bytes) -> None:
        """Send all of `data` on it, as `Transport.write`."""
        ...


class AsyncFileChannel(Protocol):
    """The same for asyncio."""

    async def read_frame(self, timeout: float | None) -> bytes: ...

    async def write_frame(self, data: bytes) -> None: ...


@runtime_checkable
class Reconnecting(Protocol):
    """The same far end can be called again after the connection was lost, or has to be dropped."""

    def reconnect(self, seconds: float = 30.0) -> None:
        """Make the connection again; 0 seconds: try once. Errors: ConnectionLostError when it did not succeed."""
        ...


class AsyncReconnecting(Protocol):
    """The same for asyncio."""

    async def reconnect(self) -> None: ...
