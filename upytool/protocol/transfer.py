"""The host's half of a transfer stream, without any I/O. docs/concepts/transfer.md draws the wire.

Written laws:

1. Down the wire to the board go frames: `n+3, link, body[n]`, the body being data and the low 16 bits of its CRC-32,
   which is seeded with the frame's number. The byte 03 occurs nowhere: each 03 of the body is replaced by the distance
   to the next one (plus 3), the first distance being `link`, 0 ending the chain. So Ctrl-C means Ctrl-C throughout.
2. At most `window` bytes of frames are unconfirmed. The board confirms each good frame with a 06 as soon as it is in
   its memory; a bad one makes it read on until the line is quiet and send 15 and the number it waits for, from which
   the host repeats. A board that says nothing may wait for bytes that were lost: 260 bytes that are no frame wake it.
3. From the board come messages: `02, kind, length (2), payload, CRC-32 (4)`, all little-endian, the CRC being seeded
   with the message's number, so that none can be missing. What is damaged there is a StreamDamaged; the owner starts
   the program again and repeats what was not confirmed.
4. Nothing grows or lasts without bound: a payload has at most 16 kB, messages that wait to be taken have
   `limits.ANSWER_BYTES`. Only what belongs to the stream is a sign of life, and even with one an answer is complete,
   and what was sent is confirmed, within `limits.ANSWER_SECONDS`.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from .. import limits
from ..errors import DeviceTimeoutError, StreamError
from .buffer import Inbox
from .ops import Op, Recv, Send
from .pace import TELLING, Pace
from .raw_repl import Interceptor

FRAME_DATA = 250
ACK, NAK, ALIVE, MESSAGE, END = 0x06, 0x15, 0x16, 0x02, 0x04
WAKE = b"\xff" * 260
STOP = b"\x03" * 260
ACK_TIMEOUT = 2.5
HELD_TIMEOUT = 0.3  # what may begin a request to a mounted folder is held back this long, like in raw_repl.py
WAKES = 3
PART = 2200  # bytes of source in the longest part of the board's program

HELLO, RESULT, ERROR, DATA, LISTING = KINDS = (72, 82, 69, 68, 76)
LONGEST = 16384


class StreamDamaged(StreamError):
    """The stream broke: bytes were lost, altered or added, or the board's program ended."""

    code = "protocol.damaged"


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the board: `kind` is HELLO, RESULT, ERROR, DATA or LISTING."""

    kind: int
    payload: bytes


def encode_frame(data: bytes | memoryview, number: int, checksum: str = "crc32") -> bytes:
    """`data` (1 to 250 bytes) as frame `number` (see law 1)."""
    body = bytearray(data)
    body += (checksum_of(data, number & 0xFFFF, checksum) & 0xFFFF).to_bytes(2, "little")
    link, before = 0, -1
    at = body.find(3)
    while at >= 0:
        if before < 0:
            link = at + 4
        else:
            body[before] = at - before + 3
        before = at
        at = body.find(3, at + 1)
    if before >= 0:
        body[before] = 0
    return bytes((len(body) + 3, link)) + body


def checksum_of(data: bytes | memoryview, start: int, kind: str) -> int:
    """CRC-32 continued from `start`; with kind `sum` the plain sum, for boards without binascii."""
    if kind == "sum":
        return sum(data) + start & 0xFFFFFFFF
    return zlib.crc32(data, start)


def _check_patience(start: float, now: float) -> None:
    """DeviceTimeoutError when a wait that began at `start` has lasted longer than any may."""
    if now - start > limits.ANSWER_SECONDS:
        raise DeviceTimeoutError("protocol.timeout.answer", seconds=limits.ANSWER_SECONDS)


class StreamLink:
    """A reliable byte pipe to the board's server, and its messages.

    Args:
        inbox: what has arrived and was not consumed.
        window: bytes that may be unconfirmed.
        interceptor: answers what the board asks of mounted folders, while the program starts or in the middle of it.
        pace: the board's; it hears of each sign of life.

    Attributes:
        tell: receives a sentence for the user about what is waited for.
    """

    def __init__(
        self, inbox: Inbox, window: int, interceptor: Interceptor | None = None, pace: Pace | None = None
    ) -> None:
        self.inbox = inbox
        self._pace = pace or Pace()
        self._interceptor = interceptor
        self.tell: Callable[[str], None] = lambda text: None
        self._tell_after = TELLING
        self._fresh = True
        self.now = 0.0
        self.checksum = "crc32"
        self.messages: deque[Message] = deque()
        self.resent = 0
        self._queued = 0  # bytes of payloads in `messages`
        self._since: float | None = None  # when the wait for the answer that is due began
        self._frame_data = 0
        self.window_of(window)
        self._out = bytearray()
        self._flying: deque[bytes] = deque()
        self._flying_bytes = 0
        self._sent = self._heard = 0
        self._repeat = False

    def window_of(self, size: int) -> None:
        """From now on `size` bytes may be unconfirmed, in two frames: while one is worked on, the other arrives."""
        # A ring buffer of that size holds one byte less (py/ringbuf.h), and what does not fit in a UART's is lost.
        self.window = size
        self._frame_data = max(16, min(FRAME_DATA, (size - 1) // 2 - 4))

    # -- to the board ---------------------------------------------------------------------------

    def write(self, data: bytes, *, flush: bool = False) -> Op[None]:
        """Queue `data`; full frames go out as the window allows. `flush` sends the rest too."""
        self._out += data
        while len(self._out) >= self._frame_data or (flush and self._out):
            yield from self._send_some(flush)

    def _send_some(self, flush: bool) -> Op[None]:
        batch = bytearray()
        at, data = 0, self._out
        while at < len(data) and (flush or len(data) - at >= self._frame_data):
            part = bytes(data[at : at + self._frame_data])
            if self._flying and self._flying_bytes + len(part) + 4 >= self.window:
                break
            frame = encode_frame(part, self._sent, self.checksum)
            self._sent += 1
            self._flying.append(frame)
            self._flying_bytes += len(frame)
            batch += frame
            at += len(part)
        del data[:at]
        if batch:
            yield Send(bytes(batch))
            yield from self.poll()
        else:
            yield from self._wait_for_ack()

    def _lives(self, patience: float = 1e9) -> Op[bool]:
        """Wait for a sign of life as long as the board may need for a piece of work; False when none came."""
        patience = min(patience, self._quiet)
        if (yield from self.receive(min(patience, self._tell_after))):
            return True
        if patience > self._tell_after:
            left, self._tell_after = patience - self._tell_after, 2 * self._tell_after
            self.tell(f"waiting for the board (up to {self._pace.silence:g} s, Ctrl-C stops)")
            return (yield from self.receive(left))
        return False

    @property
    def _quiet(self) -> float:
        """Seconds of silence after which bytes may have been lost: what the longest part takes to compile."""
        return min(max(ACK_TIMEOUT, self._pace.turn(PART)), self._pace.silence / (WAKES + 1))

    def _wait_for_ack(self) -> Op[None]:
        before, wakes, start = self._flying_bytes, 0, None
        while self._flying_bytes >= before and self._flying:
            alive = yield from self._lives()
            start = self.now if start is None else start
            _check_patience(start, self.now)
            if alive:
                continue
            self._check_partial()
            if wakes == WAKES:
                raise StreamDamaged("protocol.damaged.unconfirmed")
            wakes += 1
            yield Send(WAKE)

    # -- from the board -------------------------------------------------------------------------

    def poll(self) -> Op[None]:
        """Take what has arrived, without waiting."""
        data, self.now = yield Recv(0)
        if data:
            yield from self._arrived(data)

    def receive(self, timeout: float) -> Op[bool]:
        """Wait up to `timeout` seconds for a sign of life of the stream; False when none came."""
        data, self.now = yield from self._hear(timeout)
        end = self.now + timeout
        while data is not None:
            if (yield from self._arrived(data)):
                self._pace.heard = self.now
                return True
            if self.now >= end:
                break
            data, self.now = yield from self._hear(end - self.now)
        return False

    def _hear(self, timeout: float) -> Op[tuple[bytes | None, float]]:
        """What arrived, and when: b"" when bytes that the interceptor holds are to be let go, None for nothing."""
        held = self._interceptor is not None and self._interceptor.busy
        data, now = yield Recv(min(timeout, HELD_TIMEOUT) if held else timeout)
        return data or (b"" if held else None), now

    def message(self, patience: float) -> Op[Message]:
        """The next message.

        Errors: StreamDamaged after `patience` seconds without a sign of life; DeviceTimeoutError when the answer
        that it belongs to takes longer than `limits.ANSWER_SECONDS` in all.
        """
        if self._fresh:
            # What came with the confirmation of the program.
            self._fresh = False
            yield from self._arrived(self.inbox.take(len(self.inbox.data)))
        elif not self.messages:
            self._parse()
        waited, wakes = 0.0, 0
        while not self.messages:
            alive = yield from self._lives(patience)
            self._since = self.now if self._since is None else self._since
            _check_patience(self._since, self.now)
            if alive:
                waited, wakes = 0.0, 0
                continue
            self._check_partial()
            waited += min(self._quiet, patience)
            if waited >= patience or wakes == WAKES:
                raise StreamDamaged("protocol.damaged.silent")
            if self._flying:
                wakes += 1
                yield Send(WAKE)
        message = self.messages.popleft()
        self._queued -= len(message.payload)
        if message.kind not in (DATA, LISTING):
            self._since = None
        return message

    def _check_partial(self) -> None:
        """Silence in the middle of an answer: the rest of it was lost."""
        if self.inbox.data:
            raise StreamDamaged("protocol.damaged.answer-cut")

    def _arrived(self, data: bytes) -> Op[bool]:
        """Take `data`; returns whether there was a sign of life in it: of the stream, or of a mounted folder's."""
        reply = b""
        if self._interceptor is not None:
            data, reply = self._interceptor.feed(data)
            if reply:
                yield Send(reply)
        self.inbox.data += data
        alive = self._parse()
        if self._repeat:
            # A late second request would make us repeat twice: the board repeats its own until it is served.
            self._repeat = False
            self.resent += len(self._flying)
            if self._flying:
                yield Send(b"".join(self._flying))
        return alive or bool(reply)

    def _parse(self) -> bool:
        """Take what is complete; returns whether there was anything but noise."""
        data, at, end = self.inbox.data, 0, len(self.inbox.data)
        noise = 0
        while at < end:
            byte = data[at]
            if byte == ACK:
                if self._flying:
                    self._flying_bytes -= len(self._flying.popleft())
                at += 1
            elif byte == MESSAGE:
                if end - at < 4:
                    break
                size = data[at + 2] | data[at + 3] << 8
                if data[at + 1] not in KINDS or size > LONGEST:
                    at += 1
                    noise += 1
                    continue
                if end - at < size + 8:
                    break
                self._take_message(bytes(data[at : at + size + 8]))
                at += size + 8
            elif byte == NAK:
                if end - at < 3:
                    break
                self._go_back(data[at + 1] | data[at + 2] << 8)
                at += 3
            elif byte == END:
                if self.messages:
                    break  # what it said before is complete
                del data[:at]
                raise StreamDamaged("protocol.damaged.program-ended")
            else:
                noise += byte != ALIVE  # A background task of the board prints something.
                at += 1
        del data[:at]
        return at > noise or bool(data)

    def _take_message(self, raw: bytes) -> None:
        head, payload, tail = raw[:4], raw[4:-4], int.from_bytes(raw[-4:], "little")
        if not self._heard and tail == checksum_of(payload, checksum_of(head, 0, "sum"), "sum"):
            self.checksum = "sum"  # the first word of a board without binascii
        start = checksum_of(head, self._heard & 0xFFFF, self.checksum)
        if checksum_of(payload, start, self.checksum) != tail:
            raise StreamDamaged("protocol.damaged.answer-damaged")
        self._heard += 1
        self._queued += len(payload)
        if self._queued > limits.ANSWER_BYTES:
            raise StreamError("protocol.stream.unrequested", limit=limits.ANSWER_BYTES)
        self.messages.append(Message(head[1], payload))

    def _go_back(self, number: int) -> None:
        """The board waits for frame `number` (16 bits): all before it are confirmed, the rest goes out again."""
        first = self._sent - len(self._flying)
        ahead = (number - first) & 0xFFFF
        if ahead > len(self._flying):
            raise StreamDamaged("protocol.damaged.unsent-requested")
        for _ in range(ahead):
            self._flying_bytes -= len(self._flying.popleft())
        self._repeat = True
