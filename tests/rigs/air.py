"""The air between a WebREPL client and a board: far away, cut on demand, lost.

    with Air(board.port, up=0.02, down=0.02) as air: connect(air.url)
    with Air(board.port, cuts=[Cut("down", frames=3)]) as air: ...

A relay of TCP connections, for the rig and the model alike. It hands the board's segments on as they come, so that
Nagle's algorithm and the delayed ACK show at the client as they do without it. With a delay it also plays the board's
Nagle over that distance: a board sends the header of a frame and its payload apart, and what does not fill a segment
waits for the ACK of what went before, which takes a round trip.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

SEGMENT = 1460  # bytes of a full TCP segment on Ethernet or Wi-Fi
HELD = 1 << 20  # bytes on their way in one direction before the sender has to wait


@dataclass(frozen=True)
class Cut:
    """Where a connection breaks: behind so many frames, or so many bytes, of one direction; the handshake not counted.

    how: "reset" (both ends are told so), "close" (both see an orderly end), "lost" (out of range: neither hears of the
    other again; both connections stay open until `Air.forget`, or until an end gives up).
    """

    direction: Literal["up", "down"]
    frames: int | None = None
    bytes: int | None = None
    how: Literal["reset", "close", "lost"] = "reset"

    def __post_init__(self) -> None:
        if (self.frames is None) == (self.bytes is None):
            raise ValueError("a cut is behind frames or behind bytes")


class _Counter:
    """The frames of one direction, by their headers; the HTTP head before them does not count."""

    def __init__(self) -> None:
        self.frames = self.bytes = 0
        self._head = bytearray()
        self._handshake = True
        self._body = 0

    @property
    def between_frames(self) -> bool:
        return not (self._handshake or self._body or self._head)

    def take(self, data: bytes, cut: Cut | None) -> tuple[int, bool]:
        """Count `data`; returns how many bytes of it pass, and whether the cut is reached behind them."""
        at = 0
        while not self._reached(cut, at < len(data)):
            if at == len(data):
                return at, False
            step = min(self._body, len(data) - at) or 1
            if cut is not None and cut.bytes is not None and not self._handshake:
                step = min(step, cut.bytes - self.bytes)
            self._pass(data[at : at + step])
            at += step
        return at, True

    def _reached(self, cut: Cut | None, more: bool) -> bool:
        # A cut at 0 waits for what it keeps back: the handshake is to come through.
        if cut is None or self._handshake or not (self.bytes or more):
            return False
        if cut.bytes is not None:
            return self.bytes >= cut.bytes
        return cut.frames is not None and self.frames >= cut.frames and self.between_frames

    def _pass(self, part: bytes) -> None:
        if self._handshake:
            self._head = self._head[-3:] + part
            if self._head == b"\r\n\r\n":
                self._handshake = False
                self._head.clear()
            return
        self.bytes += len(part)
        if self._body:
            self._body -= len(part)
        else:
            self._head += part
            size = _frame_size(self._head)
            if size is None:
                return
            self._head.clear()
            self._body = size
        if not self._body:
            self.frames += 1


def _frame_size(head: bytearray) -> int | None:
    """The payload's size by a complete frame header; None while it is not complete."""
    if len(head) < 2:
        return None
    short, mask = head[1] & 0x7F, 4 if head[1] & 0x80 else 0
    extra = {126: 2, 127: 8}.get(short, 0)
    if len(head) < 2 + extra + mask:
        return None
    return int.from_bytes(head[2 : 2 + extra], "big") if extra else short


class _Way:
    """One direction of a connection: bytes taken from `source`, given to `sink` `delay` seconds later.

    round_trip: seconds after which a part of a segment may follow the one before it; 0 lets it follow at once.
    """

    def __init__(self, source: socket.socket, sink: socket.socket, delay: float, round_trip: float) -> None:
        self.source, self.sink, self.delay, self.round_trip = source, sink, delay, round_trip
        self.counter = _Counter()
        self.gathering = bytearray()  # what the sender's TCP holds back
        self.free_at = 0.0  # when it may send a part of a segment
        self.queue: deque[tuple[float, bytes]] = deque()
        self.held = 0
        self.ended = False
        self.blocked = False

    def push(self, data: bytes, now: float, *, frame: bool) -> None:
        """Take what the sender wrote; `frame`: it begins with the header of a frame."""
        if not data:
            return
        self.held += len(data)
        if not self.round_trip:
            self.queue.append((now + self.delay, data))
            return
        if frame and not self.gathering and now >= self.free_at:
            header = 4 if data[1:2] == b"\x7e" else 2  # a server's are not masked
            self.gathering += data[:header]
            self.send(now)
            data = data[header:]
        self.gathering += data
        self.send(now)

    def send(self, now: float) -> None:
        while len(self.gathering) >= SEGMENT or (self.gathering and now >= self.free_at):
            self.queue.append((now + self.delay, bytes(self.gathering[:SEGMENT])))
            del self.gathering[:SEGMENT]
            self.free_at = now + self.round_trip

    def deliver(self, now: float) -> None:
        """Write what has arrived. Raises: OSError."""
        self.blocked = False
        while self.queue and self.queue[0][0] <= now:
            due, data = self.queue.popleft()
            try:
                written = self.sink.send(data)
            except BlockingIOError:
                written = 0
            self.held -= written
            if written < len(data):
                self.queue.appendleft((due, data[written:]))
                self.blocked = True
                return

    def next_time(self) -> float | None:
        """When there is something to do without anyone sending."""
        times = [self.queue[0][0]] if self.queue and not self.blocked else []
        if self.gathering:
            times.append(self.free_at)
        return min(times, default=None)


class _Pair:
    """A client and the board, joined."""

    def __init__(self, client: socket.socket, board: socket.socket, up: float, down: float, cut: Cut | None) -> None:
        self.client, self.board, self.cut = client, board, cut
        self.up = _Way(client, board, up, 0.0)
        self.down = _Way(board, client, down, up + down)
        self.breaking = self.lost = False  # the cut is reached; what passed before it has been delivered, too
        for end in (client, board):
            end.setblocking(False)
        board.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # the client's own choice shows already

    def close(self, *, reset: bool) -> None:
        for end in (self.board, self.client):  # who hears of it may come again at once, and is to find a free board
            if reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()


class Air:
    """The relay, in a thread of its own. Attributes: url, connections (how many there were), cut (how many of them).

    Args:
        to: ws:// URL of the board.
        up: seconds from the client to the board; `down` the other way.
        cuts: the first connection suffers the first of them, the second the next (None: none), and so on.
    """

    def __init__(self, to: str, *, up: float = 0.0, down: float = 0.0, cuts: Sequence[Cut | None] = ()) -> None:
        parts = urlsplit(to)
        assert parts.hostname is not None
        self._to = (parts.hostname, parts.port or 8266)
        self._delays = (up, down)
        self._cuts = deque(cuts)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake_read, self._wake_write = socket.socketpair()
        self._pairs: list[_Pair] = []
        self._last: _Pair | None = None
        self._forgetting = self._stopping = False
        self.connections = self.cut = 0
        self._thread = threading.Thread(target=self._main, name="air", daemon=True)

    def __enter__(self) -> Air:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._wake_write.send(b"\0")
        self._thread.join(10)
        for end in (self._listener, self._wake_read, self._wake_write):
            end.close()

    def forget(self) -> None:
        """Reset the connections that were lost, as either end's TCP does at last."""
        self._forgetting = True
        self._wake_write.send(b"\0")

    def passed(self, direction: Literal["up", "down"]) -> tuple[int, int]:
        """(frames, bytes) behind the handshake of the newest connection."""
        if self._last is None:
            return 0, 0
        counter = (self._last.up if direction == "up" else self._last.down).counter
        return counter.frames, counter.bytes

    def _main(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            for pair in self._pairs:
                pair.close(reset=False)

    def _turn(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._wake_read, selectors.EVENT_READ)
            times = []
            for pair in self._pairs:
                if pair.lost:
                    continue
                for way, other in ((pair.up, pair.down), (pair.down, pair.up)):
                    open_to = way.held < HELD and not way.ended and not pair.breaking
                    events = selectors.EVENT_READ if open_to else 0
                    events |= selectors.EVENT_WRITE if other.blocked else 0
                    if events:
                        selector.register(way.source, events)
                    if (at := way.next_time()) is not None:
                        times.append(at)
            wait = max(0.0, min(times) - time.monotonic()) if times else None
            ready = {key.fileobj for key, events in selector.select(wait) if events & selectors.EVENT_READ}
        if self._wake_read in ready:
            self._wake_read.recv(64)
        if self._forgetting:
            self._forgetting = False
            for pair in [pair for pair in self._pairs if pair.lost]:
                self._drop(pair, reset=True)
        for pair in [pair for pair in self._pairs if not pair.lost]:
            try:
                self._relay(pair, ready)
            except OSError:
                self._drop(pair, reset=True)
        if self._listener in ready:
            self._connect()

    def _relay(self, pair: _Pair, ready: Container[object]) -> None:
        now = time.monotonic()
        for way, name in ((pair.up, "up"), (pair.down, "down")):
            if way.source in ready and not pair.breaking:
                if way is pair.down and hasattr(socket, "TCP_QUICKACK"):
                    way.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                data = way.source.recv(65536)
                cut = pair.cut if pair.cut is not None and pair.cut.direction == name else None
                frame = way.counter.between_frames
                passing, pair.breaking = way.counter.take(data, cut)
                self.cut += pair.breaking
                way.ended = way.ended or not data
                way.push(data[:passing], now, frame=frame)
            way.send(now)
            way.deliver(now)
        if pair.breaking:
            assert pair.cut is not None
            if not (pair.up if pair.cut.direction == "up" else pair.down).held:
                pair.lost = True
                if pair.cut.how != "lost":
                    self._drop(pair, reset=pair.cut.how == "reset")
        elif any(way.ended and not way.held for way in (pair.up, pair.down)):
            self._drop(pair, reset=False)

    def _connect(self) -> None:
        client, _ = self._listener.accept()
        cut = self._cuts.popleft() if self._cuts else None
        self.connections += 1
        try:
            board = socket.create_connection(self._to, 10)
        except OSError:
            client.close()
            return
        self._last = _Pair(client, board, *self._delays, cut)
        self._pairs.append(self._last)

    def _drop(self, pair: _Pair, *, reset: bool) -> None:
        pair.close(reset=reset)
        self._pairs.remove(pair)
