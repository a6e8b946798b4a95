"""For tests of programs that use upytool, and of upytool itself: a transport from a script, a model of a board.

`ModelBoard` is a model, not MicroPython: it speaks the raw REPL's side of the wire and answers programs from a
function of yours. Real MicroPython is `upytool sim start`, or the `board` fixture of `upytool.pytest`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .errors import ConnectionLostError
from .events import Event
from .protocol.ops import Interrupted, Op, Pause, Recv, Send, Work

T = TypeVar("T")

Answer = tuple[bytes, bytes]
Runner = Callable[[bytes], Answer]


class Recorder:
    """A Reporter that keeps every event in `events`."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        """The events of one class, in order."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass
class ScriptDriver:
    """Runs an operation without a clock or a wire: bytes come from `feed`, time passes only when waited for.

    Args:
        feed: called with what the operation sent since the last call; returns chunks that arrive next.
        interrupt_at: throw `Interrupted` into the n-th wait (from 0).
    """

    feed: Callable[[bytes], Iterable[bytes]]
    now: float = 0.0
    interrupt_at: int | None = None
    sent: bytearray = field(default_factory=bytearray)
    waits: int = 0
    queue: list[bytes] = field(default_factory=list)

    def run(self, op: Op[T]) -> T:
        """The operation's result; raises what it raises."""
        queue = self.queue
        step: Callable[[Any], Any] = op.send
        answer: Any = None
        try:
            while True:
                request = step(answer)
                step = op.send
                match request:
                    case Send(data):
                        self.sent += data
                        queue.extend(chunk for chunk in self.feed(data) if chunk)
                        answer = self.now
                    case Pause(seconds):
                        self.now += seconds
                        answer = self.now
                    case Work(call):
                        try:
                            answer = call()
                        except Exception as error:
                            step, answer = op.throw, error
                    case Recv(timeout):
                        self.waits += 1
                        if self.interrupt_at is not None and self.waits > self.interrupt_at:
                            self.interrupt_at = None
                            step, answer = op.throw, Interrupted()
                        elif queue:
                            answer = (queue.pop(0), self.now)
                        elif timeout is None:
                            raise AssertionError("the operation waits for ever for bytes that never come")
                        else:
                            self.now += timeout
                            if self.now > 3600:
                                raise AssertionError("the operation waited for an hour")
                            answer = (b"", self.now)
        except StopIteration as done:
            result: T = done.value
            return result


class ModelBoard:
    """A MODEL of a board's REPL (pyexec.c as seen on the wire); programs are answered by `run`.

    Args:
        run: takes a program's source; returns (output, error text), both as they go over the wire.
        paste: whether it has raw paste: True, False (says no), or "old" (firmware that does not know the question).
        window: raw paste's window in bytes.
        noise: text that comes out at a soft reset before the banner (a logo in boot.py).
        running: a program runs at the start; `deaf` is the number of Ctrl-C that it swallows.
    """

    def __init__(
        self,
        run: Runner | None = None,
        *,
        paste: bool | str = True,
        window: int = 128,
        noise: bytes = b"",
        running: bool = False,
        deaf: int = 0,
    ) -> None:
        self.run = run or (lambda source: (b"", b""))
        self.paste, self.window, self.noise = paste, window, noise
        self.mode = "running" if running else "friendly"
        self.deaf = deaf
        self.line = bytearray()
        self.granted = 0
        self.programs: list[bytes] = []
        self.soft_resets = 0

    BANNER = b"raw REPL; CTRL-B to exit\r\n"

    def feed(self, data: bytes) -> bytes:
        """What the board answers to `data`."""
        out = bytearray()
        for byte in data:
            out += getattr(self, f"_{self.mode}")(byte)
        return bytes(out)

    def _friendly(self, byte: int) -> bytes:
        if byte == 1:
            self.mode, self.line = "raw", bytearray()
            return b"\r\n" + self.BANNER + b">"
        if byte == 2:
            return b"\r\nMicroPython model\r\n>>> "
        if byte == 4:
            return b"\r\nMPY: soft reboot\r\n" + self.noise + b"MicroPython model\r\n>>> "
        return b"\r\n>>> " if byte in (3, 13) else bytes([byte])

    def _running(self, byte: int) -> bytes:
        if byte != 3:
            return b""
        if self.deaf > 0:
            self.deaf -= 1
            return b"KeyboardInterrupt caught, going on\r\n"
        self.mode = "friendly"
        return b"Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n>>> "

    def _raw(self, byte: int) -> bytes:
        if byte == 1:
            if bytes(self.line) == b"\x05A" and self.paste != "old":
                self.line.clear()
                if self.paste:
                    self.mode, self.granted = "pasting", 2 * self.window
                    return b"R\x01" + self.window.to_bytes(2, "little") + b"\x01"
                return b"R\x00"
            self.line.clear()
            return self.BANNER + b">"
        if byte == 2:
            self.mode = "friendly"
            return b"\r\nMicroPython model\r\n>>> "
        if byte == 3:
            self.line.clear()
            return b""
        if byte == 4:
            if not self.line:
                self.soft_resets += 1
                return b"OK\r\nMPY: soft reboot\r\n" + self.noise + self.BANNER + b">"
            return b"OK" + self._execute()
        self.line.append(byte)
        return b""

    def _pasting(self, byte: int) -> bytes:
        if byte == 4:
            self.mode = "raw"
            return b"\x04" + self._execute()
        if byte == 3:
            self.mode = "raw"
            self.line.clear()
            return b"\x04\x04Traceback (most recent call last):\r\nKeyboardInterrupt: \r\n\x04>"
        self.line.append(byte)
        self.granted -= 1
        if self.granted < 0:
            raise AssertionError("more bytes came than the window grants")
        if len(self.line) % self.window == 0:
            self.granted += self.window
            return b"\x01"
        return b""

    def _execute(self) -> bytes:
        source = bytes(self.line)
        self.line.clear()
        self.programs.append(source)
        output, error = self.run(source)
        # A wrapped program (device.program) prints its mark when it ends.
        marks = re.findall(rb"stdout\.write\('([\x1c-\x1f]+)'\)", source)
        output += marks[-1] if marks else b""
        return output + b"\x04" + error + b"\x04>"


class ModelTransport:
    """A Transport to a ModelBoard; `cut` bytes sent or received later the connection is lost (None: never)."""

    interrupts = True
    survives_reset = True

    def __init__(self, board: ModelBoard, *, chunk: int = 65536, cut: int | None = None) -> None:
        self.name = "model"
        self.board, self.chunk, self.cut = board, chunk, cut
        self._out = bytearray()
        self.closed = False

    def _count(self, size: int) -> None:
        if self.cut is not None:
            self.cut -= size
            if self.cut < 0:
                raise ConnectionLostError("transport.lost.serial", name="model")

    def read(self, timeout: float | None) -> bytes:
        data = bytes(self._out[: self.chunk])
        del self._out[: self.chunk]
        self._count(len(data))
        return data

    def write(self, data: bytes) -> None:
        self._count(len(data))
        self._out += self.board.feed(data)

    def close(self) -> None:
        self.closed = True

    def fileno(self) -> int | None:
        return None
