"""The transfer program on the board, started and spoken to.

Written laws:

1. One program does a whole copy. Firmware of ours has it frozen (device.frozen); else it goes over as one literal:
   as bytecode (device.precompiled) where the board loads it, else as text; packed where the board has `deflate`.
2. A board that cannot run it (no stdin.buffer, no select, no memory) says so once; `device.text_transfer` serves it.
   `open` tries once, by one way; what follows is decided in `device.retry` alone.
3. Whatever ends the stream, the program has ended too, or the REPL's state is BROKEN and `enter` ends it.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Protocol

from ..errors import (
    BoardResetError,
    DeviceTimeoutError,
    OperationInterrupted,
    RemoteOSError,
    StreamError,
    UsageError,
)
from ..events import notice
from ..protocol.ops import Interrupted, Op, Pause, Send
from ..protocol.pace import announced
from ..protocol.raw_repl import CTRL_C, ReplState
from ..protocol.transfer import ERROR, HELLO, STOP, Message, StreamDamaged, StreamLink, checksum_of
from ..protocol.units import Packer, plain_unit, worth_packing
from .answers import parse_answer
from .fs_errors import hint_for
from .ondevice import literal, shielded, snippet
from .retry import Capabilities, NoStreamError, StartFailed, Way, unable
from .session import Session

LITERAL_WBITS = 12
LEAST_WBITS = 11  # as in ondevice/server.py
# Content that is this often as long as the window packs nearly as well as with one of its own length: 100 kB of Python
# need 4 % more bytes with half the window, 10 % with a quarter.
WINDOWS = 4
REACTION = 0.8  # seconds in which a program reacts to a Ctrl-C that reaches it
STOP_PATIENCE = 2.0
LEAST = 1.0  # seconds that a try gets, however little is left
# What stdin's buffer holds on ports where that is more than raw paste's two windows, by sys.platform (stdin_ringbuf in
# ports/*/mphalport.c, MicroPython 1.26). Others: esp32 and a UART of stm32 260, esp8266 256; samd's 128 are behind USB,
# which holds back.
BUFFERS = dict.fromkeys(("rp2", "mimxrt", "nrf52", "renesas-ra", "alif"), 512)
PLAIN_WINDOW = 64  # without raw paste nothing says how long the board's input ring is: half of the smallest known


class Hash(Protocol):
    def update(self, data: bytes | memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class SumHash:
    """The check of boards without sha256: CRC-32, or a plain sum, over the whole content."""

    def __init__(self, kind: str) -> None:
        self._kind, self._value = kind, 0

    def update(self, data: bytes | memoryview, /) -> None:
        self._value = checksum_of(data, self._value, self._kind)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "little")


def new_hash(kind: str) -> Hash:
    """`sha256`, `crc32` or `sum`."""
    return hashlib.sha256() if kind == "sha256" else SumHash(kind)


class Server:
    """The program, running. All methods that talk are operations.

    Attributes:
        unit: the most bytes of a unit.
        widest: the most bits of a window for unpacking; 0 where it unpacks nothing.
        hash_kind: how the board checks content: `sha256`, `crc32` or `sum`.
        can_rename: False where the board has no os.rename.
        packer: cuts content into units.
    """

    def __init__(self, session: Session, can: Capabilities) -> None:
        self._session, self._can = session, can
        self._repl = session.repl
        self._parts: set[str] = set()
        self._bytecode = False
        self.unit, self.widest, self.hash_kind, self.can_rename = 1024, 0, "sum", True
        self.packer = Packer(1024, 0)
        self.link = StreamLink(self._repl.inbox, 64)

    def open(self, failures: int = 0) -> Op[None]:
        """Try once to start it, by the best way that was not ruled out; device.retry decides what follows.

        Args:
            failures: how many tries have failed before: each gets more time.

        Errors: NoStreamError: not by this way; StartFailed.
        """
        way = self._way()
        program, size, parts = _sent(way, self._can.packed)
        pace = self._session.pace
        try:
            yield from self._session.ready(within=max(LEAST, pace.left((yield Pause(0)))))
            yield from announced(self._start(program, size, failures), self._repl.tell, _STARTING % pace.silence)
        except (DeviceTimeoutError, StreamError) as reason:
            words = yield from self._last_words()
            if unable(way, words):
                if way == "frozen":
                    self._session.frozen = False
                elif way == "bytecode" and self._can.packed and "'deflate'" in words:
                    way = "packed"
                elif way == "bytecode" and not words.startswith("MemoryError"):
                    self._session.bytecode = False
                raise NoStreamError(way, words) from reason
            raise StartFailed(way, words, reason) from reason
        self._parts.update(parts)
        self._bytecode = way == "bytecode"
        if way == "frozen":
            self._session.frozen = True

    def _way(self) -> Way:
        frozen = self._session.frozen
        if (self._session.ask_frozen if frozen is None else frozen) and self._can.allows("frozen"):
            return "frozen"
        if self._session.bytecode and self._can.allows("bytecode") and self._repl.paste is not False:
            return "bytecode"
        if self._can.packed and self._repl.paste is not False:
            return "packed"
        return "text"

    def _start(self, program: bytes, size: int, failures: int) -> Op[None]:
        pace = self._session.pace
        now = yield Pause(0)
        patience = min(pace.hand_over(failures), max(LEAST, pace.left(now)))
        yield from self._session.hand_over(program, patience)
        window = self._can.window or self._session.window or PLAIN_WINDOW
        self.link = StreamLink(self._repl.inbox, window, self._repl.interceptor, self._session.pace)
        # The hand-over has just shown how fast the board is.
        now = yield Pause(0)
        patience = min(pace.budget(size, failures), max(LEAST, pace.left(now)))
        self._greet((yield from self.link.message(patience)))
        self.link.tell = self._repl.tell
        self._repl.answered(self.link.now, size)

    def _greet(self, hello: Message) -> None:
        try:
            unit, wbits, kind, checksum, rename, platform = parse_answer(hello.payload.decode())
            if hello.kind != HELLO or not (isinstance(unit, int) and 256 <= unit < 1 << 16):
                raise ValueError
            if kind not in ("sha256", "crc32", "sum") or wbits not in (0, *range(9, 16)):
                raise ValueError
        except (ValueError, TypeError) as error:
            raise StreamDamaged("protocol.damaged.greeting") from error
        self.unit, self.widest, self.hash_kind, self.can_rename = unit, wbits, kind, bool(rename)
        self.link.checksum = checksum
        if not self._can.window and self._repl.paste and self._session.in_flight is None:
            self.link.window_of(max(self.link.window, BUFFERS.get(platform, 0)))
        self.packer = Packer(unit, min(wbits, LEAST_WBITS))

    def _last_words(self) -> Op[str]:
        """The last line of the error that ended the program, '' when it did not end by itself."""
        if self._repl.state is not ReplState.RUNNING:
            return ""
        if self._repl.inbox.data[:1] != b"\x04":
            return (yield from self.stop())
        try:
            error = yield from self._repl.finish(_ignore, 3.0)
        except (DeviceTimeoutError, OperationInterrupted):
            self._repl.state = ReplState.BROKEN
            return ""
        return _last_line(error)

    # -- talking --------------------------------------------------------------------------------

    def load(self, *parts: str) -> Op[None]:
        """Give the program more functions, once each: `put`, `get`, `check`."""
        for part in parts:
            if part not in self._parts:
                self._parts.add(part)
                if self._bytecode:
                    yield from self._import(f"server_{part}")
                    continue
                for piece in pieces(snippet(f"server_{part}"), self.unit):
                    yield from self.say(piece)

    def _import(self, name: str) -> Op[None]:
        from .precompiled import bytecode

        data = bytecode(name)
        yield from self.say(f"part({len(data)},{checksum_of(data, 0, self.link.checksum)})")
        self.packer.begin(data)
        for unit in (*self.packer.add(data), *self.packer.finish()):
            yield from self.link.write(unit)

    def widen(self, sample: bytes, content: int) -> Op[None]:
        """Before `content` bytes that begin with `sample`: where these shrink, the board gets a fitting window."""
        bits = min(self.widest, ((content - 1) // WINDOWS).bit_length())
        if bits > self.packer.wbits and worth_packing(sample):
            yield from self.say(f"inflate=deflate.DeflateIO(come,deflate.RAW,{bits});rest=b''")
            self.packer = Packer(self.unit, bits)

    def say(self, command: str, *, flush: bool = False) -> Op[None]:
        """Have `command` executed, at most `unit` bytes; what it answers is to be taken with `answer`."""
        data = command.encode("utf-8", "surrogateescape")
        if len(data) > self.unit:
            raise UsageError("usage.command-too-long")
        self.packer.begin(data if len(data) > 150 else b"")
        for piece in (*self.packer.add(data), *self.packer.finish()):
            yield from self.link.write(piece)
        if flush:
            yield from self.link.write(b"", flush=True)

    def answer(self, path: str = "", more: float = 0.0) -> Op[Message]:
        """The next message. Errors: RemoteOSError for `path`; StreamDamaged.

        Args:
            more: seconds that its work may take in silence, beyond those that any may.
        """
        message = yield from self.link.message(self._session.pace.silence + more)
        if message.kind == ERROR:
            raise remote_error(message.payload, path)
        return message

    # -- ending ---------------------------------------------------------------------------------

    def close(self) -> Op[None]:
        """End the program; the raw prompt is back."""
        try:
            yield from self.link.write(plain_unit(b""), flush=True)
            error = yield from self._repl.finish(_ignore, 1.5, stop=False)
        except (StreamError, DeviceTimeoutError, OperationInterrupted):
            # Its end may have come together with its last confirmation: then there is nothing to stop.
            yield from self._last_words()
            return
        except BoardResetError:
            return  # as below; a lost byte of its end looks like a reset
        if error:
            # Everything was answered for and compared by now: what the program says at its end changes nothing.
            said = error.decode("utf-8", "replace").strip()[-80:]
            notice(self._session.reporter, f"the transfer program ended with {said!r}", "debug")

    def stop(self) -> Op[str]:
        """Break the program off; it removes what it had begun. Returns its last words."""
        if self._repl.state is not ReplState.RUNNING:
            return ""
        # After one Ctrl-C the program still reads what is under way, which must not reach the REPL. Where it does not
        # reach a program that runs, a whole frame of them does.
        strokes = ((CTRL_C, REACTION), (STOP, STOP_PATIENCE)) if self._repl.can_interrupt else ((STOP, STOP_PATIENCE),)
        try:
            for stroke, patience in strokes:
                yield Send(stroke)
                try:
                    return _last_line((yield from self._repl.finish(_ignore, patience, stop=False)))
                except DeviceTimeoutError:
                    continue
        except BoardResetError:
            return ""
        except Interrupted:
            self._repl.state = ReplState.BROKEN
            raise
        self._repl.state = ReplState.BROKEN
        return ""


def pieces(source: str, limit: int) -> Iterator[str]:
    """A part's text cut before its functions, so that each piece is a command of at most `limit` bytes."""
    piece = ""
    for function in source.split("\ndef "):
        text = function if not piece and function.startswith("def ") else "def " + function
        if piece and len(piece) + len(text) + 1 > limit:
            yield piece
            piece = text
        else:
            piece = f"{piece}\n{text}" if piece else text
    yield piece


def remote_error(payload: bytes, path: str) -> RemoteOSError:
    """The error for an ERROR message."""
    text = payload.decode("utf-8", "replace")
    try:
        number = int(text)
    except ValueError:
        number = 5
    return RemoteOSError(number, path, hint=hint_for(number))


def _last_line(error: bytes) -> str:
    lines = error.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def _ignore(_: bytes) -> None:
    return


_STARTING = "starting the transfer on the board (up to %g s, Ctrl-C stops)"
_TURBO = "globals().get('_turbo')or[0]"  # the list in which device.turbo counts the time without a sign of life
_START = f"exec(%s,{{'T':{_TURBO}}})"
# What the program and its parts import, and the builtins of its start; a test compares.
MODULES = ("binascii", "deflate", "gc", "hashlib", "io", "micropython", "os", "select", "sys", "vfs")
_USED = ("exec", "globals", "sum")


def _sent(way: Way, packed: bool) -> tuple[bytes, int, Iterable[str]]:
    """What is sent to start the program, how many bytes the board compiles for it, and the parts that it has."""
    if way == "frozen":
        from .frozen import PARTS, PROGRAM

        return PROGRAM, len(PROGRAM), PARTS
    if way == "bytecode":
        from . import precompiled

        program = precompiled.program("server", f"m.run(m,d['l'],{_TURBO})", packed=packed, modules=frozenset(MODULES))
        return program, len(program) // 3, precompiled.BUILT_IN
    return _program(way == "packed"), len(snippet("server")), ()


@cache
def _program(packed: bool) -> bytes:
    """The server as one statement that leaves no name in the board's `__main__`, and does not run when damaged.

    Packed it is a zlib stream, whose Adler-32 the board's DeflateIO checks; as text its bytes are summed up.
    """
    data = snippet("server").encode()
    if packed:
        deflate = zlib.compressobj(9, zlib.DEFLATED, LITERAL_WBITS, 9)
        data = deflate.compress(data) + deflate.flush()
        start = "import deflate,io\n" + _START % "deflate.DeflateIO(io.BytesIO(%s),2).read()"
    else:
        start = "s=%s\n" + _START % f"s if sum(s)=={sum(data)} else '1/0'"
    before, _, after = shielded(start, _USED, MODULES).encode().partition(b"%s")
    return before + literal(data) + after
