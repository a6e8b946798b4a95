"""The requests of a mounted folder: taken out of the board's output, carried out, answered.

A request's payload is a sequence number, an operation, the number of the volume, and arguments; an answer's
is the sequence number, an errno (0: it went well) and the result. Every request names all it needs (a path,
or a handle and an offset), so that one that is sent again does no harm; the last answer is kept for it
anyhow.

    s  path                         -> kind u8 (1: directory), size u64, mtime u32
    l  n u8, last name, path        -> entries: n u8, kind u8, size u32, name; sorted, those after `last name`
    c  path                         -> the same path, normal, with a / at its end (it is a directory)
    o  n u8, mode, path             -> handle u16, position u64, then as for r
    r  handle u16, offset u64       -> end u8 (1: this is the last byte of the file), bytes, as many as fit
    w  handle u16, offset u64, bytes
    t  handle u16, size u64            truncate
    z  handle u16                   -> size u64
    x  handle u16                      close; not answered
    m d u  path                        mkdir, rmdir, remove
    n  n u16, old path, new path       rename
    v                               -> block size u32, blocks u32, free u32, read-only u8
    k  bytes                           (no volume) keys that the board read while it looked for an answer:
                                       they go back to it. Not answered.

Numbers are little-endian, paths UTF-8.
"""

from __future__ import annotations

import errno
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable
from struct import error as StructError
from struct import pack, unpack_from
from typing import Protocol

from .mount import CHECK, HEADER, FrameFinder, encode, escape

_LISTINGS = 16
_PREFIX = 2  # sequence number and errno

# py/mperrno.h: a board's numbers are Linux's, whatever this computer's are.
_NUMBERS = {
    "EPERM": 1, "ENOENT": 2, "EIO": 5, "EBADF": 9, "ENOMEM": 12, "EACCES": 13, "EBUSY": 16, "EEXIST": 17,
    "EXDEV": 18, "ENODEV": 19, "ENOTDIR": 20, "EISDIR": 21, "EINVAL": 22, "ENFILE": 23, "EMFILE": 24,
    "EFBIG": 27, "ENOSPC": 28, "ESPIPE": 29, "EROFS": 30, "ENAMETOOLONG": 36, "ENOTEMPTY": 39, "ELOOP": 40,
    "ETIMEDOUT": 110, "EDQUOT": 122,
}  # fmt: skip
EIO, EINVAL = 5, 22


class Volume(Protocol):
    """What is mounted. Paths are absolute within it, `/` being its top; methods raise OSError."""

    def stat(self, path: str) -> tuple[bool, int, float]:
        """(is a directory, size, mtime in Unix seconds)"""
        ...

    def entries(self, path: str) -> list[tuple[str, bool, int]]:
        """(name, is a directory, size), in any order."""
        ...

    def directory(self, path: str) -> str:
        """The normal form of a path that is a directory."""
        ...

    def open(self, path: str, mode: str) -> tuple[int, int]:
        """(handle, position to start at)"""
        ...

    def read(self, handle: int, offset: int, count: int) -> bytes: ...

    def write(self, handle: int, offset: int, data: bytes) -> None: ...

    def truncate(self, handle: int, size: int) -> None: ...

    def size(self, handle: int) -> int: ...

    def close(self, handle: int) -> None: ...

    def close_all(self) -> None: ...

    def mkdir(self, path: str) -> None: ...

    def rmdir(self, path: str) -> None: ...

    def remove(self, path: str) -> None: ...

    def rename(self, old: str, new: str) -> None: ...

    def space(self) -> tuple[int, int, bool]:
        """(bytes in all, bytes free, is read-only)"""
        ...


def board_errno(error: BaseException) -> int:
    """The number that a board knows for `error`."""
    if isinstance(error, OSError):
        return _NUMBERS.get(errno.errorcode.get(error.errno or 0, ""), EIO)
    return EINVAL if isinstance(error, (ValueError, StructError)) else EIO


class MountServer:
    """An interceptor for RawRepl (and for the console) that serves volumes to one board.

    Args:
        seed: the number that the frames of this board are checked with, below 2**23.
        limit: the most bytes of one answer, so that it fits the board's input buffer.
        on_problem: told of errors that are no file errors; the board gets EIO for them.

    Attributes:
        volumes: number -> what is mounted.
        epoch: Unix seconds of the board's time 0.
    """

    def __init__(self, seed: int, limit: int, on_problem: Callable[[BaseException], None] = lambda error: None) -> None:
        self.seed, self.limit, self.epoch = seed, limit, 0
        self.volumes: dict[int, Volume] = {}
        self.finder = FrameFinder(seed)
        self.requests = 0
        self._on_problem = on_problem
        self._last: tuple[bytes, bytes] = (b"", b"")
        self._listings: OrderedDict[tuple[int, str], list[tuple[bytes, bool, int]]] = OrderedDict()

    # -- as an interceptor --------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a request may be under way; keys had better wait."""
        return self.finder.holding

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """`data` arrived (b"": nothing did for a while); returns (the program's output, what to send)."""
        if not data:
            return self.finder.flush(), b""
        output, payloads = self.finder.feed(data)
        reply = b"".join([self.answer(payload) for payload in payloads]) if payloads else b""
        return output, reply

    def forget(self) -> None:
        """The board was reset: its files are closed, half a request will never be finished."""
        self._last = (b"", b"")
        self._listings.clear()
        self.finder.flush()
        for volume in self.volumes.values():
            volume.close_all()

    # -- requests -------------------------------------------------------------------------------------

    def answer(self, payload: bytes) -> bytes:
        """The bytes that answer one request."""
        self.requests += 1
        if payload[1:2] == b"k":
            return payload[2:]
        if payload == self._last[0]:
            return self._last[1]
        result, number = b"", 0
        try:
            result = self._perform(payload)
        except Exception as error:
            number = board_errno(error)
            if number == EIO and not isinstance(error, OSError):
                self._on_problem(error)
        if payload[1:2] == b"x":
            return b""
        reply = encode(payload[:1] + bytes((number,)) + result, self.seed + 1, self.finder.check)
        self._last = (payload, reply)
        return reply

    def _perform(self, payload: bytes) -> bytes:
        operation, number = payload[1:2], payload[2]
        volume = self.volumes.get(number)
        if volume is None:
            raise OSError(errno.ENODEV, "no such volume")
        rest = payload[3:]
        method = _OPERATIONS.get(operation)
        if method is not None:
            return method(self, volume, rest)
        path = str(rest, "utf-8")
        match operation:
            case b"s":
                folder, size, mtime = volume.stat(path)
                return pack("<BQI", folder, size, min(max(0, int(mtime) - self.epoch), 0xFFFFFFFF))
            case b"c":
                path = volume.directory(path)
                return (path if path.endswith("/") else path + "/").encode()
            case b"m":
                volume.mkdir(path)
            case b"d":
                volume.rmdir(path)
            case b"u":
                volume.remove(path)
            case b"v":
                total, free, read_only = volume.space()
                blocks, left = (min(count >> 12, 0xFFFFFFFF) for count in (total, free))
                return pack("<IIIB", 4096, blocks, left, read_only)
            case _:
                raise ValueError("no such operation")
        return b""

    def _list(self, volume: Volume, rest: bytes) -> bytes:
        count = rest[0]
        after, path = rest[1 : 1 + count], str(rest[1 + count :], "utf-8")
        key = (id(volume), path)
        entries = self._listings.get(key) if after else None
        if entries is None:
            entries = sorted(_named(volume.entries(path)))
            self._listings[key] = entries
            while len(self._listings) > _LISTINGS:
                self._listings.popitem(last=False)
        out = bytearray()
        for name, folder, size in entries[bisect_right(entries, after, key=lambda entry: entry[0]) :]:
            item = pack("<BBI", len(name), folder, min(size, 0xFFFFFFFF)) + name
            if out and not self._fits(bytes(out) + item):
                break
            out += item
        return bytes(out)

    def _open(self, volume: Volume, rest: bytes) -> bytes:
        count = rest[0]
        mode, path = str(rest[1 : 1 + count], "ascii"), str(rest[1 + count :], "utf-8")
        handle, position = volume.open(path, mode)
        head = pack("<HQ", handle, position)
        # The first bytes come along: a small module is read in one round trip.
        return head + (self._block(volume, handle, position, head) if "r" in mode else b"\0")

    def _read(self, volume: Volume, rest: bytes) -> bytes:
        handle, offset = unpack_from("<HQ", rest)
        return self._block(volume, handle, offset, b"")

    def _block(self, volume: Volume, handle: int, offset: int, head: bytes) -> bytes:
        """The end flag, and as many bytes from `offset` as fit into one answer behind `head`."""
        room = self.limit - HEADER - _PREFIX - 2 * CHECK - len(head) - 1
        data = volume.read(handle, offset, room + 1)
        part = data[:room]
        while len(part) > 1 and not self._fits(head + b"\0" + part):
            over = len(escape(part)) - room
            part = part[: max(1, len(part) - max(1, over // 2))]
        return bytes((len(part) == len(data),)) + part

    def _fits(self, result: bytes) -> bool:
        # The check may be all escapes, and so may the two bytes of the prefix.
        return HEADER + 2 * (_PREFIX + CHECK) + len(escape(result)) <= self.limit

    def _write(self, volume: Volume, rest: bytes) -> bytes:
        handle, offset = unpack_from("<HQ", rest)
        volume.write(handle, offset, rest[10:])
        return b""

    def _truncate(self, volume: Volume, rest: bytes) -> bytes:
        volume.truncate(*unpack_from("<HQ", rest))
        return b""

    def _size(self, volume: Volume, rest: bytes) -> bytes:
        return pack("<Q", volume.size(*unpack_from("<H", rest)))

    def _close(self, volume: Volume, rest: bytes) -> bytes:
        volume.close(*unpack_from("<H", rest))
        return b""

    def _rename(self, volume: Volume, rest: bytes) -> bytes:
        (count,) = unpack_from("<H", rest)
        volume.rename(str(rest[2 : 2 + count], "utf-8"), str(rest[2 + count :], "utf-8"))
        return b""


def _named(entries: list[tuple[str, bool, int]]) -> list[tuple[bytes, bool, int]]:
    """Only names that a board can say: UTF-8, up to 255 bytes."""
    out = []
    for name, folder, size in entries:
        try:
            data = name.encode()
        except UnicodeEncodeError:
            continue
        if 0 < len(data) <= 255:
            out.append((data, folder, size))
    return out


_Operation = Callable[[MountServer, Volume, bytes], bytes]
_OPERATIONS: dict[bytes, _Operation] = {
    b"l": MountServer._list,
    b"o": MountServer._open,
    b"r": MountServer._read,
    b"w": MountServer._write,
    b"t": MountServer._truncate,
    b"z": MountServer._size,
    b"x": MountServer._close,
    b"n": MountServer._rename,
}
