"""A wire between a client and a board: throttled like a UART, slow like a USB bridge, faulty on demand.

The client opens the slave of a new pty; the wire relays to the board's port (a path, or any open file
descriptor). Throttling is a serial line: one byte leaves every 10/baud seconds per direction, after the one
before it, and arrives `latency` seconds later. At most 4096 bytes wait before the line, as in a kernel's tty
buffer; the sender then blocks.

Faults are counted in bytes: `Fault("drop", "up", 100)` loses the byte with index 100 (the 101st) on its way
up, that is from the client to the board; "down" is from the board to the client.

As a thread: `with Wire(board.port, baud=115200, latency=0.001) as wire: open(wire.port)`. As a process of its
own, so that a benchmark and the wire share no interpreter lock: `WireProcess(...)`, or on a shell `python -m
tests.rigs.wire --to PATH --baud 115200 --latency 0.001`, which prints the port's path.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import threading
import time
import tty
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

BUFFER = 4096
# While bytes are on the line, look at most this often: exact for a burst's last byte, cheap in between.
QUANTUM = 0.0005

Direction = Literal["up", "down"]
Kind = Literal["drop", "corrupt", "duplicate", "delay", "split", "mute", "vanish"]
KINDS: tuple[Kind, ...] = ("drop", "corrupt", "duplicate", "delay", "split", "mute", "vanish")


@dataclass(frozen=True)
class Fault:
    """What happens to the byte with index `at` (0 is the first) of one direction.

    drop: lost. corrupt: XOR with `value` (default 0x20). duplicate: comes twice. delay: it and all after it
    come `value` seconds later (default 1). split: it and all after it are delivered one by one, `value`
    seconds apart at least (default 0.001). mute: it and all after it are swallowed. vanish: the bytes before
    it are delivered, then the client's port hangs up, as when the plug is pulled.
    """

    kind: Kind
    direction: Direction
    at: int
    value: float | None = None

    @classmethod
    def parse(cls, text: str) -> Fault:
        """From "kind:direction:at[:value]", the form of the command line."""
        kind, direction, at, *value = text.split(":")
        if kind not in KINDS or direction not in ("up", "down"):
            raise ValueError(f"not a fault: {text}")
        return cls(kind, "up" if direction == "up" else "down", int(at), float(value[0]) if value else None)

    def __str__(self) -> str:
        return f"{self.kind}:{self.direction}:{self.at}" + ("" if self.value is None else f":{self.value}")


class Vanished(Exception):
    """A vanish fault was reached."""


class _Line:
    """One direction: bytes taken from `source` at their time, given to `sink` at theirs."""

    def __init__(self, source: int, sink: int, baud: int | None, latency: float, faults: Sequence[Fault]) -> None:
        self.source, self.sink = source, sink
        self.per_byte = 10.0 / baud if baud else 0.0
        self.latency = latency
        self.faults = sorted(faults, key=lambda fault: fault.at)
        self.entered = 0  # bytes taken from the sender
        self.delivered = 0  # bytes given to the receiver
        self.queue: deque[tuple[float, bytes]] = deque()  # (time when the chunk's first byte left the line, chunk)
        self.queued = 0
        self.free_at = 0.0  # when the line has sent all it has
        self.mute = self.gone = False
        self.apart = 0.0
        self.next_single = 0.0
        self.blocked = False

    def take(self, now: float) -> None:
        """Read what the sender has, as far as the buffer has room."""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self.source, BUFFER - self.queued)
            if not data:
                raise OSError("the far end closed")
            while data and not self.gone:
                data = self._enter(data, now)

    def _enter(self, data: bytes, now: float) -> bytes:
        """Put the bytes up to the next fault on the line, or the byte the fault is for; return the rest."""
        if not self.faults or self.faults[0].at >= self.entered + len(data):
            self._put(data, now)
            return b""
        before = self.faults[0].at - self.entered
        if before > 0:
            self._put(data[:before], now)
            return data[before:]
        fault = self.faults.pop(0)
        byte = data[:1]
        match fault.kind:
            case "drop":
                self.entered += 1
                return data[1:]
            case "corrupt":
                self._put(bytes([byte[0] ^ (0x20 if fault.value is None else int(fault.value))]), now)
                return data[1:]
            case "duplicate":
                self._put(byte, now)
                self._put(byte, now)
                self.entered -= 1
                return data[1:]
            case "delay":
                self.free_at = max(self.free_at, now) + (1.0 if fault.value is None else fault.value)
            case "split":
                self.apart = 0.001 if fault.value is None else fault.value
            case "mute":
                self.mute = True
            case "vanish":
                self.gone = True
        return data

    def _put(self, data: bytes, now: float) -> None:
        self.entered += len(data)
        if self.mute:
            return
        start = max(self.free_at, now)
        self.free_at = start + len(data) * self.per_byte
        self.queue.append((start, data))
        self.queued += len(data)

    def give(self, now: float) -> None:
        """Write every byte whose time has come."""
        out: list[bytes] = []
        while self.queue:
            start, chunk = self.queue[0]
            ready = now - self.latency - start
            if self.apart:
                count = 1 if ready >= self.per_byte and now >= self.next_single and not out else 0
            elif self.per_byte:
                count = min(len(chunk), int(ready / self.per_byte + 1e-6)) if ready > 0 else 0
            else:
                count = len(chunk) if ready >= 0 else 0
            if count <= 0:
                break
            out.append(chunk[:count])
            if count == len(chunk):
                self.queue.popleft()
            else:
                self.queue[0] = (start + count * self.per_byte, chunk[count:])
                break
        self.blocked = False
        if out:
            self._write(b"".join(out), now)

    def _write(self, data: bytes, now: float) -> None:
        try:
            sent = os.write(self.sink, data)
        except BlockingIOError:
            sent = 0
        self.delivered += sent
        self.queued -= sent
        if sent and self.apart:
            self.next_single = now + self.apart
        if sent < len(data):  # the receiver is slow: keep the rest, which is due already
            self.blocked = True
            self.queue.appendleft((now - self.latency - (len(data) - sent) * self.per_byte, data[sent:]))

    def next_time(self, now: float) -> float | None:
        """When something of the queue is due, None if nothing is on the line or the receiver is full."""
        if not self.queue or self.blocked:
            return None
        start, chunk = self.queue[0]
        if self.apart:
            return max(start + self.latency + self.per_byte, self.next_single)
        if not self.per_byte:
            return start + self.latency
        first = start + self.latency + self.per_byte
        last = start + self.latency + len(chunk) * self.per_byte
        return max(first, min(now + QUANTUM, last))


class Wire:
    """The wire as a thread here. Attributes: port, up and down (bytes delivered), vanished (an Event)."""

    def __init__(
        self,
        to: str | Path | int,
        *,
        baud: int | None = None,
        latency: float = 0.0,
        faults: Sequence[Fault] = (),
    ) -> None:
        self._own_board = not isinstance(to, int)
        self._board = os.open(to, os.O_RDWR | os.O_NOCTTY) if not isinstance(to, int) else to
        if os.isatty(self._board):
            tty.setraw(self._board)
            termios.tcflush(self._board, termios.TCIFLUSH)
        os.set_blocking(self._board, False)
        self._client, self._held = pty.openpty()
        tty.setraw(self._held)
        os.set_blocking(self._client, False)
        self.port = os.ttyname(self._held)
        self._up = _Line(self._client, self._board, baud, latency, [f for f in faults if f.direction == "up"])
        self._down = _Line(self._board, self._client, baud, latency, [f for f in faults if f.direction == "down"])
        self.vanished = threading.Event()
        self._stop_read, self._stop_write = os.pipe()
        self._open = True
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    @property
    def up(self) -> int:
        """Bytes delivered to the board."""
        return self._up.delivered

    @property
    def down(self) -> int:
        """Bytes delivered to the client's port."""
        return self._down.delivered

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take the wire away; the client's port hangs up."""
        if self._thread.is_alive():
            os.write(self._stop_write, b"x")
            self._thread.join(5)
        self._hang_up()
        for descriptor in (self._stop_read, self._stop_write):
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def run(self) -> None:
        """Relay in this thread until the stop pipe, the far end or a vanish fault ends it."""
        self._run()

    def _hang_up(self) -> None:
        if self._open:
            self._open = False
            os.close(self._client)
            os.close(self._held)
            if self._own_board:
                os.close(self._board)

    def _let_client_read(self) -> None:
        """Wait, at most 0.5 s, until the client has read what was delivered: a hang-up discards the rest."""
        start = time.monotonic()
        while time.monotonic() - start < 0.5:
            waiting = fcntl.ioctl(self._held, termios.FIONREAD, b"\0\0\0\0")
            # The kernel moves bytes from one end to the other in its own time: an early 0 says nothing.
            if not int.from_bytes(waiting, sys.byteorder) and time.monotonic() - start > 0.05:
                return
            time.sleep(0.001)

    def _run(self) -> None:
        try:
            self._relay()
        except Vanished:
            self._let_client_read()
            self._hang_up()
            self.vanished.set()
        except OSError:
            self._hang_up()  # the board's side closed: the client sees a hang-up too

    def _relay(self) -> None:
        lines = (self._up, self._down)
        clock = time.monotonic
        while True:
            now = clock()
            readers = [
                self._stop_read,
                *(line.source for line in lines if line.queued < BUFFER and not line.gone),
            ]
            writers = [line.sink for line in lines if line.blocked]
            due = [at for line in lines if (at := line.next_time(now)) is not None]
            wait = max(0.0, min(due) - now) if due else None
            readable, writable, _ = select.select(readers, writers, [], wait)
            if self._stop_read in readable:
                return
            now = clock()
            for line in lines:
                if line.source in readable:
                    line.take(now)
                if line.queue and (not line.blocked or line.sink in writable):
                    line.give(now)
                if line.gone and not line.queue:
                    raise Vanished


class WireProcess:
    """The wire as a process of its own, for benches. Attributes: port; after close also up and down."""

    def __init__(
        self, to: str | Path, *, baud: int | None = None, latency: float = 0.0, faults: Sequence[Fault] = ()
    ) -> None:
        command = [sys.executable, "-m", "tests.rigs.wire", "--to", str(to), "--latency", str(latency)]
        if baud:
            command += ["--baud", str(baud)]
        for fault in faults:
            command += ["--fault", str(fault)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self._process.stdout is not None
        self.port = self._process.stdout.readline().strip()
        self.up = self.down = 0
        if not self.port:
            self.close()
            raise OSError(f"the wire to {to} did not start")

    def __enter__(self) -> WireProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process and read its byte counts."""
        if self._process.returncode is None:
            try:
                text, _ = self._process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                text, _ = self._process.communicate()
            if text:
                counts = json.loads(text)
                self.up, self.down = counts["up"], counts["down"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the port's path, relay until stdin ends or Ctrl-C, print the byte counts as JSON."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.wire")
    parser.add_argument("--to", required=True, help="the board's port")
    parser.add_argument("--baud", type=int, help="bits per second; unthrottled without it")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds each way")
    parser.add_argument("--fault", type=Fault.parse, action="append", default=[], help="kind:up|down:at[:value]")
    given = parser.parse_args(arguments)
    with (
        contextlib.suppress(KeyboardInterrupt),
        Wire(given.to, baud=given.baud, latency=given.latency, faults=given.fault) as wire,
    ):
        print(wire.port, flush=True)
        try:
            while os.read(0, 1024):
                pass
        finally:
            time.sleep(0.1)  # the relay counts a byte after it has delivered it
            print(json.dumps({"up": wire.up, "down": wire.down, "vanished": wire.vanished.is_set()}), flush=True)


if __name__ == "__main__":
    main()
