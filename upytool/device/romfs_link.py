"""Two ways to read, erase and write a ROM partition: through the transfer program, and by small text programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .. import limits
from ..errors import StreamError
from ..protocol.ops import Op
from ..protocol.transfer import DATA, StreamDamaged
from ..protocol.units import plain_unit
from .answers import parse_answer, sensible, too_long
from .fs_ops import FsOps
from .retry import NoStreamError
from .session import Session
from .stream import Server

SEGMENT = 16384
LONG = limits.BOARD_SECONDS
DIGEST = 10  # bytes of a unit's SHA-256 (ondevice/server_romfs.py)
PIECE = 1024  # of text: what goes over in one program
_SLOW = 8192  # bytes a second: slower flash than that erases, and slower boards than that digest, none


class Link(Protocol):
    """A way to one partition. Ends are exclusive; all methods are operations."""

    def sums(self, unit: int, total: int) -> Op[tuple[str, list[bytes]]]:
        """The kind of digest, and one (10 bytes at most) for each unit of the first `total` bytes."""
        ...

    def get(self, at: int, count: int, take: Callable[[bytes], None]) -> Op[None]: ...

    def begin(self) -> Op[None]:
        """Unmount /rom."""
        ...

    def erase(self, at: int, end: int, step: int, blank: bool) -> Op[int]:
        """Prepare a range by units of `step`, or with 0 all up to `end` at once; returns the least one can write.

        `blank` writes over the first bytes, for memory that keeps its content when it is prepared.
        """
        ...

    def put(self, at: int, data: bytes, page: int) -> Op[None]:
        """Write whole pages to what was erased."""
        ...

    def finish(self) -> Op[None]: ...

    def close(self) -> Op[None]: ...

    def stop(self) -> Op[str]:
        """Break off; returns the board's last words."""
        ...


def link_for(fs: FsOps, number: int) -> Link:
    """The fast way, unless the board was found unable. Its methods may raise NoStreamError: then ask again."""
    return StreamRom(fs, number) if fs.can.stream else TextRom(fs.session, number)


class StreamRom:
    """Through the transfer program (device.stream), which is started when first needed."""

    def __init__(self, fs: FsOps, number: int) -> None:
        self._session, self._can, self._number = fs.session, fs.can, number
        self._server: Server | None = None

    def _opened(self) -> Op[Server]:
        if self._server is None:
            server = Server(self._session, self._can)
            yield from server.open()
            self._server = server
            yield from server.say("import vfs")
            yield from server.load("romfs")
        return self._server

    def _say(self, command: str, more: float = 0.0) -> Op[bytes]:
        server = yield from self._opened()
        yield from server.say(command, flush=True)
        return (yield from server.answer(more=more)).payload

    def sums(self, unit: int, total: int) -> Op[tuple[str, list[bytes]]]:
        server = yield from self._opened()
        yield from server.say(f"rom_sums({self._number},{unit},{total})", flush=True)
        found = bytearray()
        while (answer := (yield from server.answer())).kind == DATA:
            found += answer.payload
            if len(found) > limits.ANSWER_BYTES:
                raise too_long(limits.ANSWER_BYTES)
        width = DIGEST if server.hash_kind == "sha256" else 4
        digests = [bytes(found[at : at + width]) for at in range(0, len(found), width)]
        return server.hash_kind, _as_many(digests, unit, total)

    def get(self, at: int, count: int, take: Callable[[bytes], None]) -> Op[None]:
        server = yield from self._opened()
        for start in range(at, at + count, SEGMENT):
            size = min(SEGMENT, at + count - start)
            yield from server.say(f"rom_get({self._number},{start},{size})", flush=True)
            while (answer := (yield from server.answer())).kind == DATA and size >= len(answer.payload):
                take(answer.payload)
                size -= len(answer.payload)
            if size or answer.kind == DATA:
                raise StreamDamaged("protocol.damaged.answer-length")

    def begin(self) -> Op[None]:
        yield from self._say("rom_begin()")

    def erase(self, at: int, end: int, step: int, blank: bool) -> Op[int]:
        command = f"rom_erase({self._number},{at},{end},{step},{int(blank)})"
        answer = yield from self._say(command, 0 if step else end / _SLOW)
        try:
            return int(parse_answer(answer.decode()))
        except (ValueError, TypeError) as error:
            raise StreamDamaged("protocol.damaged.unexpected") from error

    def put(self, at: int, data: bytes, page: int) -> Op[None]:
        server = yield from self._opened()
        if server.unit % page:
            raise NoStreamError("text", f"the board takes {server.unit} bytes at a time, its flash {page}")
        yield from server.widen(data, len(data))
        yield from server.say(f"rom_put({self._number},{at})")
        server.packer.begin(data)
        for unit in (*server.packer.add(data), *server.packer.finish()):
            yield from server.link.write(unit)
        yield from server.link.write(plain_unit(b""), flush=True)
        yield from server.answer()

    def finish(self) -> Op[None]:
        yield from self._say(f"rom_end({self._number})")

    def close(self) -> Op[None]:
        server, self._server = self._server, None
        if server is not None:
            yield from server.close()

    def stop(self) -> Op[str]:
        server, self._server = self._server, None
        return (yield from server.stop()) if server is not None else ""


class TextRom:
    """One small program a step, content as hexadecimal text."""

    def __init__(self, session: Session, number: int) -> None:
        self._session, self._number = session, number

    def _call(self, what: str, *args: object, limit: float = LONG, again: bool = False) -> Op[object]:
        args = (what, self._number, *args) if args else (what, self._number, 0, 0)
        return (yield from self._session.call("romfs_text", *args, limit=limit, again=again))

    def sums(self, unit: int, total: int) -> Op[tuple[str, list[bytes]]]:
        kind, found = "sha256", list[bytes]()
        step = max(unit, SEGMENT // unit * unit)
        for at in range(0, total, step):
            end = min(at + step, total)
            kind, some = yield from self._session.call(
                "romfs_sums", self._number, unit, at, end, limit=LONG + (end - at) / _SLOW, again=True
            )
            with sensible():
                found += [bytes.fromhex(text) for text in some]
        return kind, _as_many(found, unit, total)

    def get(self, at: int, count: int, take: Callable[[bytes], None]) -> Op[None]:
        for start in range(at, at + count, PIECE):
            end = min(start + PIECE, at + count)
            answer = yield from self._call("get", start, end, again=True)
            with sensible():
                data = bytes.fromhex(str(answer))
                if len(data) != end - start:
                    raise ValueError
            take(data)

    def begin(self) -> Op[None]:
        yield from self._call("begin")

    def erase(self, at: int, end: int, step: int, blank: bool) -> Op[int]:
        word: object = 1
        for start in range(at, end, step or end):
            limit = LONG + (0 if step else end / _SLOW)
            word = yield from self._call("erase", start, end, step, int(blank and not start), limit=limit)
        if not isinstance(word, int):
            raise StreamError("protocol.stream.unexpected")
        return word

    def put(self, at: int, data: bytes, page: int) -> Op[None]:
        step = max(page, PIECE // page * page)
        for start in range(0, len(data), step):
            yield from self._call("put", at + start, data[start : start + step].hex())

    def finish(self) -> Op[None]:
        yield from self._call("end")

    def close(self) -> Op[None]:
        yield from ()

    def stop(self) -> Op[str]:
        yield from ()
        return ""


def _as_many(digests: list[bytes], unit: int, total: int) -> list[bytes]:
    if len(digests) != -(-total // unit):
        raise StreamDamaged("protocol.damaged.answer-length")
    return digests
