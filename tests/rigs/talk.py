"""A minimal raw-REPL speaker for the rigs' own tests, independent of the product that the rigs test."""

from __future__ import annotations

import os
import select
import time
from types import TracebackType


class Talk:
    """An open port. Every wait is bounded; what does not come raises TimeoutError with what did."""

    def __init__(self, port: str) -> None:
        self.descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY)

    def __enter__(self) -> Talk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)

    def send(self, data: bytes) -> None:
        """Write all bytes."""
        while data:
            data = data[os.write(self.descriptor, data) :]

    def until(self, end: bytes, timeout: float = 10.0) -> bytes:
        """Read up to and including `end`."""
        seen = b""
        last = time.monotonic() + timeout
        while not seen.endswith(end):
            left = last - time.monotonic()
            if left <= 0 or not select.select([self.descriptor], [], [], left)[0]:
                raise TimeoutError(f"no {end!r} within {timeout} s, only {seen[-500:]!r}")
            seen += os.read(self.descriptor, 1 if end else 4096)
        return seen

    def raw(self) -> None:
        """Enter the raw REPL."""
        self.send(b"\r\x03\x01")
        self.until(b"raw REPL; CTRL-B to exit\r\n>")

    def execute(self, source: str, timeout: float = 10.0) -> tuple[str, str]:
        """(output, traceback) of source, sent in plain raw mode, line ends as \\n."""
        self.send(source.encode() + b"\x04")
        self.until(b"OK", timeout)
        return self.result(timeout)

    def paste(self, source: str, timeout: float = 10.0) -> tuple[str, str]:
        """(output, traceback) of source, sent by raw paste with its flow control."""
        self.send(b"\x05A\x01")
        self.until(b"R\x01", timeout)
        window = int.from_bytes(self.until_count(2, timeout), "little")
        room, data = 0, source.encode()
        while data:
            while room == 0:
                answer = self.until_count(1, timeout)
                if answer == b"\x04":
                    self.send(b"\x04")
                    return self.result(timeout)
                room += window
            self.send(data[:room])
            room, data = max(0, room - len(data)), data[room:]
        self.send(b"\x04")
        self.until(b"\x04", timeout)
        return self.result(timeout)

    def until_count(self, count: int, timeout: float = 10.0) -> bytes:
        """Read exactly `count` bytes."""
        seen = b""
        while len(seen) < count:
            if not select.select([self.descriptor], [], [], timeout)[0]:
                raise TimeoutError(f"{count} bytes did not come, only {seen!r}")
            seen += os.read(self.descriptor, count - len(seen))
        return seen

    def result(self, timeout: float = 10.0) -> tuple[str, str]:
        """Read the output and the traceback that follow an execution, up to the prompt."""
        output = self.until(b"\x04", timeout)[:-1]
        trace = self.until(b"\x04>", timeout)[:-2]
        return (output.replace(b"\r\n", b"\n").decode(), trace.replace(b"\r\n", b"\n").decode())
