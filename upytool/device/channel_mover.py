"""Content over the board's own file channel (protocol.webrepl), with the promises of the stream.

Over WebREPL at most 256 bytes may be on their way to a program on the board; the file channel has TCP's flow control,
and the board writes what comes itself. So contents go that way: to temporary names, many files without a pause; then
one program on the board compares their digests and gives them their names (ondevice/channel_done.py). What comes from
the board is compared in the same way, before it counts as there.

Law 1: the transfer program never runs meanwhile: board and channel would be in the same file system at once.
Law 2: an operation of the channel that does not come to its end leaves the connection in the middle of a file; it is
made again before anything else is said, and the temporary names are removed.
Law 3: where anything but the connection fails, the other mover does it: it knows how to say why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from ..errors import (
    ConnectionLostError,
    DeviceTimeoutError,
    OperationInterrupted,
    ProtocolError,
    RemoteError,
    StreamError,
)
from ..protocol.ops import Interrupted, Op
from ..protocol.webrepl import NAME_BYTES, Channel
from .answers import sensible
from .mover import Done, GetItem, Mover, Progress, PutItem, Space, Survey, ignore, read_chunks
from .ondevice import argument, function, snippet
from .session import Session

Item = TypeVar("Item", PutItem, GetItem)

FILES = 32
BYTES = 1 << 18
FEW = 512  # bytes in all that a program on the board receives as quickly
TRIES = 3
DIGEST = 8
LIMIT = 120.0  # seconds for the board to read a batch again


class ChannelMover:
    """A Mover. Args: other: for all that is not content, and what the channel cannot carry."""

    def __init__(self, session: Session, other: Mover) -> None:
        self._session, self._other = session, other
        self._able = True

    def close(self) -> Op[None]:
        yield from self._other.close()

    def survey(self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = ()) -> Op[Survey]:
        found = yield from self._other.survey(asked, scans)
        self._able = found.hash_kind == "sha256"
        return found

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        if not self._able or sum(sizes) <= FEW:
            return (yield from self._other.space(path, sizes))
        yield from self._other.close()
        answer = yield from self._session.call("text_space", path, again=True)
        with sensible():
            block, free, _ = answer
            return Space(int(block), int(free))

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        todo = list(items)
        if not self._able or sum(item.size for item in todo) <= FEW:
            yield from self._other.put(folders, todo, progress, done)
            return
        if folders:
            yield from self._other.put(folders, ())
        yield from self._other.close()
        left: list[PutItem] = []
        there = yield from self._folders(todo)
        for batch in _batches(todo):
            temps = [_temp(item.path, number) for number, item in enumerate(batch)]
            if any(not _fits(item, temp, there) for item, temp in zip(batch, temps)):
                left += batch
                continue
            placed = yield from self._put(batch, temps, progress)
            for item, good in zip(batch, placed):
                if good:
                    done(item.path)
                else:
                    progress(-item.size)
                    left.append(item)
        if left:
            yield from self._other.put((), left, progress, done)

    def _folders(self, items: Iterable[PutItem]) -> Op[set[str]]:
        """The folders of `items` that exist: what the board cannot open ends the connection without a word."""
        folders = sorted({_folder(item.path) for item in items})
        answer = yield from self._session.call("fs_stat", *(path.rstrip("/") or "/" for path in folders), again=True)
        with sensible():
            return {path for path, found in zip(folders, answer[1:], strict=True) if not isinstance(found, int)}

    def _put(self, batch: Sequence[PutItem], temps: Sequence[str], progress: Progress) -> Op[list[bool]]:
        """Which of `batch` are in their places; nothing is left of the others."""
        sums = [hashlib.sha256() for _ in batch]

        def content(number: int) -> Iterator[bytes]:
            for data in read_chunks(batch[number]):
                sums[number].update(data)
                progress(len(data))
                yield data

        files = [(_name(temp), batch[number].size, content(number)) for number, temp in enumerate(temps)]
        try:
            yield from Channel().put(files)
            return (yield from self._settle(batch, temps, [check.digest()[:DIGEST] for check in sums]))
        except BaseException as error:
            if isinstance(error, GeneratorExit):
                raise
            # What was in its place before the connection ended is written once more: the same content.
            yield from self._session.reconnect()
            yield from self._settle(batch, temps, [b""] * len(batch))
            if isinstance(error, Interrupted):
                raise OperationInterrupted() from None
            if not isinstance(error, (ConnectionLostError, ProtocolError, RemoteError)):
                raise
            return [False] * len(batch)

    def _settle(self, batch: Sequence[PutItem], temps: Sequence[str], digests: Sequence[bytes]) -> Op[list[bool]]:
        parts = "\n".join(function("server_put", name) for name in ("settle", "replace")).replace("\n", "\n ")
        source = snippet("channel_done").replace(" REPLACE", " " + parts)
        items = argument([(temp, item.path, item.size, sum_) for temp, item, sum_ in zip(temps, batch, digests)])
        answer = yield from self._session.call_source(f"{source}\nprint('\\x1e'+repr(run({items})))", limit=LIMIT)
        with sensible():
            return [error == 0 for _, error in zip(batch, answer, strict=True)]

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]:
        todo = list(items)
        if not self._able or sum(item.size for item in todo) <= FEW:
            yield from self._other.get(todo, progress, done)
            return
        yield from self._other.close()
        for batch in _batches(todo):
            if any(len(_name(item.path)) > NAME_BYTES for item in batch):
                yield from self._other.get(batch, progress, done)
                yield from self._other.close()
                continue
            try:
                yield from self._get(batch, progress, done)
            except BaseException:
                for item in batch:
                    item.sink.drop()
                raise

    def _get(self, batch: list[GetItem], progress: Progress, done: Done) -> Op[None]:
        sums = []
        for item in batch:
            copied = _Copied(item, progress)
            yield from self._whole(copied)
            sums.append(copied.check.hexdigest())
        paths = [item.path for item in batch]
        answer = yield from self._session.call("fs_hash", "sha256", *paths, limit=LIMIT, again=True)
        with sensible():
            there = [str(digest) for digest in answer]
        if there != sums:
            raise StreamError("a file changed while it was copied from the board", hint="try again")
        while batch:
            item = batch.pop(0)
            item.sink.done()
            done(item.path)

    def _whole(self, copied: _Copied) -> Op[None]:
        """Bring one file, through losses of the connection."""
        failures = 0
        while True:
            before = copied.count
            try:
                yield from Channel().get(_name(copied.item.path), copied.item.size, copied.again())
                return
            except Interrupted:
                yield from self._session.reconnect()
                raise OperationInterrupted() from None
            except (ConnectionLostError, DeviceTimeoutError):
                yield from self._session.reconnect()
                failures = 1 if copied.count > before else failures + 1
                if failures == TRIES:
                    raise
            except StreamError:
                yield from self._session.reconnect()
                raise


class _Copied:
    """What has come of one file, and its digest."""

    def __init__(self, item: GetItem, progress: Progress) -> None:
        self.item, self._progress = item, progress
        self.check = hashlib.sha256()
        self.count = self._skip = 0

    def again(self) -> _Copied:
        """From the file's first byte on; what has come before is passed over."""
        self._skip = self.count
        return self

    def __call__(self, data: bytes) -> None:
        passed = min(self._skip, len(data))
        self._skip -= passed
        data = data[passed:]
        if data:
            self.check.update(data)
            self.item.sink.write(data)
            self.count += len(data)
            self._progress(len(data))


def _batches(items: Sequence[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        if batch and (len(batch) == FILES or size + item.size > BYTES):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += item.size
    if batch:
        yield batch


def _name(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1] or "./"


def _temp(path: str, number: int) -> str:
    folder = path[: path.rfind("/") + 1]
    return f"{folder}~upytool.tmp" if not number else f"{folder}~upytool.{number}"


def _fits(item: PutItem, temp: str, folders: Collection[str]) -> bool:
    """Whether the channel can carry this one."""
    return not item.in_place and len(_name(temp)) <= NAME_BYTES and _folder(item.path) in folders
