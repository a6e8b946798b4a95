"""The slow way to move files, for boards whose stdin and stdout carry text only, or that lack `select` or memory.

Every step is a small program of its own and content travels as hexadecimal text, so it needs nothing but files. It
keeps the promises of the fast way: temporary name, comparison of the content on the board, then the rename.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence

from .. import limits
from ..errors import OperationInterrupted, RemoteOSError, StreamError, UpytoolError
from ..protocol.ops import Interrupted, Op, on_host
from .answers import sensible
from .fs_errors import creating
from .mover import DIGEST, Done, GetItem, Progress, PutItem, Space, Status, Survey, fill, finish, ignore, read_chunks
from .ondevice import argument, snippet
from .session import Session
from .stream import new_hash

PIECE = 384
LIMIT = limits.BOARD_LONG_SECONDS
_KINDS = {0: "none", 1: "file", 2: "dir"}


class TextMover:
    """A Mover by small programs."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kind = ""
        self._can_rename: bool | None = None

    def close(self) -> Op[None]:
        """Nothing runs on the board."""
        yield from ()

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]:
        statuses: list[Status] = []
        for at in range(0, len(asked) or 1, 20):
            part = asked[at : at + 20]
            paths, sizes = [path for path, _ in part], [size for _, size in part]
            answer = yield from self._session.call("text_check", paths, sizes, limit=LIMIT, again=True)
            with sensible():
                self._kind, found = answer
                width = DIGEST if self._kind == "sha256" else 4
                statuses.extend(
                    Status(_KINDS[kind], size, bytes.fromhex(digest)[:width], str(spelt))
                    for kind, size, digest, spelt in found
                )
        if len(statuses) != len(asked):
            raise StreamError("protocol.stream.answer-length")
        listing: dict[str, int] = {}
        for folder in scans:
            with contextlib.suppress(RemoteOSError):
                source = f"{snippet('fs_list')}\nrun({argument(folder.rstrip('/') or '/')},1)"
                answer = yield from self._session.call_source(source, folder, LIMIT, again=True)
                with sensible():
                    listing.update((str(name), int(size)) for name, size in answer)
        return Survey(statuses, listing, self._kind)

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        answer = yield from self._session.call("text_space", path, again=True)
        with sensible():
            block, free, self._can_rename = answer
            return Space(int(block), int(free))

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        if not self._kind:
            yield from self.survey([])
        if self._can_rename is None:
            yield from self.space("", ())
        for folder in folders:
            try:
                with creating():
                    yield from self._session.call("fs_do", "mkdir", folder, path=folder)
            except RemoteOSError:
                if (yield from self._look(folder, -1)).kind != "dir":
                    raise
        for item in items:
            with creating():
                yield from self._put_one(item, progress)
            done(item.path)

    def _look(self, path: str, size: int) -> Op[Status]:
        answer = yield from self._session.call("text_check", [path], [size], limit=LIMIT, again=True)
        with sensible():
            kind, length, digest, _ = answer[1][0]
            return Status(_KINDS[kind], length, bytes.fromhex(digest))

    def _put_one(self, item: PutItem, progress: Progress) -> Op[None]:
        in_place = item.in_place or not self._can_rename
        temp = item.path if in_place else item.path[: item.path.rfind("/") + 1] + "~upytool.tmp"
        try:
            check, size = new_hash(self._kind), 0
            chunks = read_chunks(item)
            while (data := (yield from on_host(next, chunks, None))) is not None:
                check.update(data)
                for at in range(0, max(1, len(data)), PIECE):
                    piece = data[at : at + PIECE]
                    first = not size and not at
                    yield from self._session.call("text_put", temp, first, piece.hex(), path=item.path)
                    progress(len(piece))
                size += len(data)
            there = yield from self._look(temp, size)
            if there.size != size or there.digest != check.digest():
                raise StreamError("protocol.stream.upload-damaged", path=item.path)
            if not in_place:
                yield from self._session.call("text_done", temp, item.path, path=item.path)
        except BaseException as error:
            if not in_place and isinstance(error, (UpytoolError, Interrupted)):
                with contextlib.suppress(UpytoolError):
                    yield from self._session.call("fs_do", "remove", temp)
            if isinstance(error, Interrupted):
                raise OperationInterrupted() from None
            raise

    def get(
        self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore, start: int = 0
    ) -> Op[None]:
        """As `Mover.get`; the first item's sink has `start` bytes already."""
        for item in items:
            try:
                at, start = start, 0
                while at < item.size:
                    text = yield from self._session.call("text_get", item.path, at, PIECE, path=item.path, again=True)
                    with sensible():
                        data = bytes.fromhex(text)
                    if not data or len(data) > min(PIECE, item.size - at):
                        raise StreamError("protocol.stream.file-changed-while-read", path=item.path)
                    yield from fill(item.sink, data)
                    at += len(data)
                    progress(len(data))
                yield from finish(item.sink)
            except BaseException:
                item.sink.drop()
                raise
            done(item.path)
