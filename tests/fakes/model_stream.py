"""A MODEL of a UART board whose programs read the wire while they run, as the transfer program does.

A program runs in a thread of its own, and only while the board is being fed: bytes come in, it goes on until it wants
more. Real are the program itself, the turbo snippet and everything on the host's side; the file system is a dictionary.
"""

from __future__ import annotations

import binascii
import gc
import hashlib
import io
import threading
import traceback
from types import SimpleNamespace
from typing import Any

from tests.fakes.model_uart import UartBoard, UartWire
from tests.fakes.virtual import Clock


class BytesIO(io.BytesIO):
    """With MicroPython's second argument of readinto."""

    def readinto(self, buffer: Any, count: int = -1) -> int:  # type: ignore[override]
        return super().readinto(memoryview(buffer)[: count if count >= 0 else None])


class File(BytesIO):
    """A file that is there when it is closed."""

    def __init__(self, files: dict[str, bytes], path: str, mode: str) -> None:
        if "r" in mode and path not in files:
            raise OSError(2)
        super().__init__(files[path] if "r" in mode else b"")
        self._files, self._path, self._mode = files, path, mode

    def close(self) -> None:
        if "w" in self._mode and not self.closed:
            self._files[self._path] = self.getvalue()
        super().close()


class Program:
    """A program that runs; `go_on` gives it bytes and returns when it wants more, or has ended."""

    def __init__(self, board: StreamBoard, source: bytes) -> None:
        self.board, self.source = board, source
        self.input, self.output, self.error = bytearray(), bytearray(), b""
        self.stop = self.ended = False
        self._its_turn, self._our_turn = threading.Semaphore(0), threading.Semaphore(0)
        threading.Thread(target=self._main, daemon=True).start()

    def go_on(self, data: bytes = b"") -> bytes:
        self.stop = self.stop or b"\x03" in data
        self.input += data
        self._its_turn.release()
        assert self._our_turn.acquire(timeout=20), "the program hangs"
        said = bytes(self.output)
        self.output.clear()
        return said + (b"\x04" + self.error + b"\x04>" if self.ended else b"")

    def _main(self) -> None:
        self._its_turn.acquire()
        names = self.board.names(self)
        try:
            if not self.source.isascii():
                # A packed program: bytes in a literal that only MicroPython takes.
                raise ImportError("no module named 'deflate'")
            exec(compile(self.source.decode(), "<stdin>", "exec"), names)
        except BaseException as problem:
            last = traceback.format_exception_only(problem)[-1].strip()
            self.error = f"Traceback (most recent call last):\r\n{last}\r\n".encode()
        self.ended = True
        self._our_turn.release()

    def need(self, count: int) -> None:
        """Wait until so many bytes are there."""
        while len(self.input) < count or self.stop:
            if self.stop:
                self.stop = False
                raise KeyboardInterrupt
            self._our_turn.release()
            self._its_turn.acquire()

    def read(self, count: int) -> bytes:
        self.need(count)
        data = bytes(self.input[:count])
        del self.input[:count]
        return data

    def readinto(self, buffer: Any, count: int = -1) -> int:
        count = len(buffer) if count < 0 else count
        memoryview(buffer)[:count] = self.read(count)
        return count

    def poll(self, milliseconds: int) -> list[int]:
        # A short question is about what is there; a long one waits for ever: no byte is late here.
        if not self.input and milliseconds >= 1000:
            self.need(1)
        return [1] if self.input else []

    def write(self, data: bytes) -> None:
        """Out it goes, and takes its time."""
        self.output += data
        self.board.passes(len(data) * 10 / self.board.rate)


class StreamBoard(UartBoard):
    """The board. Attributes: `files`."""

    def __init__(self, clock: Clock, **options: Any) -> None:
        super().__init__(clock, **options)
        self.virtual = clock
        self.files: dict[str, bytes] = {}
        self.program: Program | None = None

    def passes(self, seconds: float) -> None:
        """Time passes, and timers are heard."""
        end = self.virtual.now + seconds
        while self.virtual.now < end:
            self.virtual.now = min(end, self.virtual.now + 0.05)
            self.run_timers()

    def feed(self, data: bytes) -> bytes:
        out = bytearray()
        for at in range(len(data)):
            if self.program is not None:
                return bytes(out) + self._advance(data[at:])
            out += super().feed(data[at : at + 1])
        return bytes(out)

    def _execute(self) -> bytes:
        source = bytes(self.line)
        self.line.clear()
        self.programs.append(source)
        self.program = Program(self, source)
        return self._advance(b"")

    def _advance(self, data: bytes) -> bytes:
        assert self.program is not None
        said = self.program.go_on(data)
        if self.program.ended:
            self.program, self.mode = None, "raw"
        return said

    def names(self, program: Program) -> dict[str, Any]:
        """The board's `__main__`, with this program's standard input and output."""
        stream = SimpleNamespace(
            buffer=SimpleNamespace(read=program.read, readinto=program.readinto, write=program.write)
        )
        poll = SimpleNamespace(register=lambda *_: None, poll=program.poll)
        self.modules.update(
            sys=SimpleNamespace(**{**vars(self.modules["sys"]), "stdin": stream, "stdout": stream}),
            select=SimpleNamespace(poll=lambda: poll),
            io=SimpleNamespace(BytesIO=BytesIO),
            os=SimpleNamespace(stat=self._stat, rename=self._rename, remove=self._remove, mkdir=self._mkdir),
            gc=gc,
            binascii=binascii,
            hashlib=hashlib,
        )
        self.modules["builtins"].open = lambda path, mode: File(self.files, path, mode)
        self.modules["builtins"].print = lambda *words: program.write(" ".join(map(str, words)).encode() + b"\r\n")
        return self._globals

    def _stat(self, path: str) -> tuple[int, ...]:
        if path not in self.files:
            raise OSError(2)
        return (0x8000, 0, 0, 0, 0, 0, len(self.files[path]), 0, 0, 0)

    def _rename(self, old: str, new: str) -> None:
        self.files[new] = self.files.pop(old)

    def _remove(self, path: str) -> None:
        self._stat(path)
        del self.files[path]

    def _mkdir(self, path: str) -> None:
        raise OSError(1)


class StreamWire(UartWire):
    """A wire to a StreamBoard on which bytes take their time."""

    def write(self, data: bytes) -> None:
        board = self.uart
        assert isinstance(board, StreamBoard)
        board.passes(len(data) * 10 / self.baud)
        super().write(data)
