"""Files to and from a board in one stream: survey, put, get (the host's plan of work over `device.stream`).

A stream that breaks is started again (device.retry) and goes on with what was not confirmed: an upload with the whole
file (the old one stands until the new one is complete), a download at the byte it had reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .. import limits
from ..errors import StreamError
from ..protocol.ops import Op, on_host
from ..protocol.transfer import DATA, LISTING, RESULT, Message, StreamDamaged
from ..protocol.units import plain_unit
from ..words import Said
from .answers import parse_answer, sensible
from .fs_errors import creating
from .mover import DIGEST, Done, GetItem, Progress, PutItem, Space, Status, Survey, fill, finish, ignore, read_chunks
from .ondevice import argument
from .retry import Capabilities, Retry
from .session import Session
from .stream import Server, new_hash

if TYPE_CHECKING:
    from .text_transfer import TextMover

T = TypeVar("T")

SEGMENT = 65536
AHEAD = 3


class StreamMover:
    """All of it through one program on the board, which is started when first needed and ended by `close`.

    Where the board cannot run it, the rest of the work is done by small programs (device.text_transfer).
    """

    def __init__(self, session: Session, can: Capabilities) -> None:
        self._session, self._can = session, can
        self._server: Server | None = None
        self._small: TextMover | None = None
        self._steps = 0

    def close(self) -> Op[None]:
        """End the program on the board."""
        server, self._server = self._server, None
        if server is not None:
            yield from server.close()

    def _break_off(self) -> Op[str]:
        server, self._server = self._server, None
        if server is None:
            return ""
        return (yield from server.stop())

    def _steadily(self, work: Callable[[Server], Op[T]], small: Callable[[TextMover], Op[T]]) -> Op[T]:
        """Do `work`, or `small` where the board cannot run the transfer program, as often as `Retry` says."""
        retry = Retry(self._session, self._can, "file system", Said("device.old-content"))

        def attempt() -> Op[T]:
            if not self._can.stream:
                return (yield from small(self._text()))
            if self._server is None:
                server = Server(self._session, self._can)
                yield from server.open(retry.failures)
                self._server = server
            return (yield from work(self._server))

        return (yield from retry.steadily(attempt, self._break_off, lambda: self._steps))

    def _text(self) -> TextMover:
        if self._small is None:
            from .text_transfer import TextMover

            self._small = TextMover(self._session)
        return self._small

    # -- survey ---------------------------------------------------------------------------------

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]:
        """In one round trip."""
        return (
            yield from self._steadily(
                lambda server: self._survey(server, asked, scans),
                lambda small: small.survey(asked, scans),
            )
        )

    def _survey(self, server: Server, asked: Sequence[tuple[str, int]], scans: Sequence[str]) -> Op[Survey]:
        link = server.link
        yield from server.load("check", *(["scan"] if scans else []))
        for folder in scans:
            yield from server.say(f"scan({argument(folder)})")
        batches = list(check_batches(asked, min(server.unit - 60, 2000)))
        for batch in batches:
            yield from server.say(batch.command)
        yield from link.write(b"", flush=True)
        listed = Listed()
        for folder in scans:
            while True:
                answer = yield from server.answer(folder)
                if answer.kind != LISTING:
                    break
                with sensible():
                    listed.add(*literal(answer))
        statuses: list[Status] = []
        width = DIGEST if server.hash_kind == "sha256" else 4
        for batch in batches:
            answer = yield from server.answer()
            statuses.extend(read_statuses(answer.payload, batch.sizes, width))
        if len(statuses) != len(asked):
            raise StreamDamaged("protocol.damaged.answer-length")
        self._steps += 1
        return Survey(statuses, listed.paths, server.hash_kind)

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        """Whatever the sizes are."""
        return (
            yield from self._steadily(
                lambda server: self._space(server, path),
                lambda small: small.space(path, sizes),
            )
        )

    def _space(self, server: Server, path: str) -> Op[Space]:
        yield from server.load("put")  # it is next
        yield from server.say(f"space({argument(path)})", flush=True)
        answer = yield from server.answer(path)
        with sensible():
            block, free = map(int, literal(answer))
            return Space(block, free)

    # -- to the board ---------------------------------------------------------------------------

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        """In one stream."""
        todo = deque(items)
        yield from self._steadily(
            lambda server: self._put(server, folders, todo, progress, done),
            lambda small: small.put(folders, _each(todo), progress, done),
        )

    def _put(
        self, server: Server, folders: Sequence[str], todo: deque[PutItem], progress: Progress, done: Done
    ) -> Op[None]:
        """`todo` loses each item when the board has confirmed it."""
        link = server.link
        yield from server.load("put")
        waiting: deque[str] = deque()
        counted: deque[int] = deque()
        try:
            for folder in folders:
                yield from server.say(f"mkdirs({argument(folder)})")
                waiting.append(folder)
            skip = len(waiting)
            content = sum(item.size for item in todo)
            for item in list(todo):
                counted.append(0)
                yield from self._put_one(server, item, content, len(waiting), counted, progress)
                waiting.append(item.path)
                while link.messages:
                    skip = yield from self._confirm(server, waiting, skip, todo, counted, done)
            yield from link.write(b"", flush=True)
            while waiting:
                skip = yield from self._confirm(server, waiting, skip, todo, counted, done)
        except StreamDamaged:
            progress(-sum(counted))
            raise

    def _confirm(
        self,
        server: Server,
        waiting: deque[str],
        folders: int,
        todo: deque[PutItem],
        counted: deque[int],
        done: Done,
    ) -> Op[int]:
        """Take one answer; returns how many folders are still to be answered."""
        with creating():
            yield from server.answer(waiting[0])
        path = waiting.popleft()
        if folders:
            return folders - 1
        todo.popleft()
        counted.popleft()
        self._steps += 1
        done(path)
        return 0

    def _put_one(
        self, server: Server, item: PutItem, content: int, before: int, counted: deque[int], progress: Progress
    ) -> Op[None]:
        """Send one file. `content` bytes go over in all; `before` of what was sent is still to be answered."""
        link, in_place = server.link, item.in_place or not server.can_rename
        check = new_hash(server.hash_kind)
        chunks, begun = read_chunks(item), False
        while (data := (yield from on_host(next, chunks, None))) is not None:
            check.update(data)
            if not begun:
                begun = True
                yield from server.widen(data, content)
                yield from server.say(f"put({argument(item.path)},1)" if in_place else f"put({argument(item.path)})")
                server.packer.begin(data)
            for unit in server.packer.add(data):
                yield from link.write(unit)
            counted[-1] += len(data)
            progress(len(data))
            if len(link.messages) > before:
                break  # it was refused: the board reads on to the end, which may as well be here
        for unit in server.packer.finish():
            yield from link.write(unit)
        yield from link.write(plain_unit(b"") + plain_unit(check.digest()))

    # -- from the board -------------------------------------------------------------------------

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]:
        """In one stream."""
        todo = deque(items)
        at = [0]
        try:
            yield from self._steadily(
                lambda server: self._get(server, todo, at, progress, done),
                lambda small: small.get(_each(todo), progress, done, at[0]),
            )
        except BaseException:
            if todo:
                todo[0].sink.drop()
            raise

    def _get(self, server: Server, todo: deque[GetItem], at: list[int], progress: Progress, done: Done) -> Op[None]:
        """`at` is how much of the first item has come; it is asked for from there on."""
        yield from server.load("get")
        segments = _segments(todo, at[0])
        asked: deque[tuple[GetItem, int]] = deque()
        more = True
        while more or asked:
            while more and len(asked) < AHEAD:
                segment = next(segments, None)
                if segment is None:
                    more = False
                    break
                item, start, count, last = segment
                yield from server.say(f"get({argument(item.path)},{start},{count})", flush=True)
                asked.append((item, last))
            if asked:
                item, end = asked.popleft()
                yield from self._take_segment(server, item, at, item.size if end >= 0 else at[0] + SEGMENT, progress)
                if end >= 0:
                    if at[0] != end:
                        raise StreamError("protocol.stream.file-cut", path=item.path, size=at[0], expected=end)
                    yield from finish(item.sink)
                    todo.popleft()
                    at[0] = 0
                    done(item.path)

    def _take_segment(self, server: Server, item: GetItem, at: list[int], up_to: int, progress: Progress) -> Op[None]:
        """What was asked for of one file; a board that sends more than that is not believed at all."""
        while True:
            answer = yield from server.answer(item.path)
            if answer.kind == RESULT:
                return
            if answer.kind != DATA:
                raise StreamDamaged("protocol.damaged.out-of-step")
            if at[0] + len(answer.payload) > up_to:
                raise StreamError("protocol.stream.too-much", path=item.path)
            yield from fill(item.sink, answer.payload)
            at[0] += len(answer.payload)
            self._steps += 1
            progress(len(answer.payload))


def _each(todo: deque[T]) -> Iterator[T]:
    """The items, each of which leaves `todo` when the next one is asked for."""
    while todo:
        yield todo[0]
        todo.popleft()


class Listed:
    """What a board lists: path -> size (-1 a folder), with a limit on entries and on the characters of their paths."""

    def __init__(self) -> None:
        self.paths: dict[str, int] = {}
        self._left = limits.LISTING_CHARACTERS

    def add(self, folder: str, entries: Sequence[tuple[str, int]]) -> None:
        """Names and sizes in a folder. Errors: StreamError, before they are kept, when it is more than any may."""
        self._left -= sum(len(folder) + 1 + len(name) for name, _ in entries)
        if self._left < 0 or len(self.paths) + len(entries) > limits.LISTING_ENTRIES:
            raise StreamError("protocol.stream.too-many-files", limit=limits.LISTING_ENTRIES)
        self.paths.update((f"{folder}/{name}", int(size)) for name, size in entries)


def literal(message: Message) -> Any:
    """The Python literal that a message holds. Errors: StreamDamaged."""
    try:
        return parse_answer(message.payload.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        raise StreamDamaged("protocol.damaged.unexpected") from error


def _segments(todo: Iterable[GetItem], start: int) -> Iterator[tuple[GetItem, int, int, int]]:
    """(item, start, count, the file's size at its last segment, else -1)."""
    for item in list(todo):
        while True:
            last = item.size - start <= SEGMENT
            yield item, start, min(SEGMENT, max(0, item.size - start)), item.size if last else -1
            if last:
                break
            start += SEGMENT
        start = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    command: str
    sizes: list[int]


def check_batches(asked: Sequence[tuple[str, int]], limit: int) -> Iterator[_Batch]:
    """`check` commands of at most `limit` bytes, each for paths of one folder, in the order asked."""
    base, used = "", 0
    names: list[str] = []
    sizes: list[int] = []
    for path, size in asked:
        cut = path.rfind("/") + 1
        cost = len(repr(path[cut:]).encode("utf-8", "surrogateescape")) + len(str(size)) + 4
        if names and (path[:cut] != base or used + cost > limit or len(names) == 200):
            yield _batch(base, names, sizes)
            names, sizes, used = [], [], 0
        if not names:
            base, used = path[:cut], cut + 40
        names.append(path[cut:])
        sizes.append(size)
        used += cost
    if names:
        yield _batch(base, names, sizes)


def _batch(base: str, names: list[str], sizes: list[int]) -> _Batch:
    # No name holds a slash, and a text of all of them is seldom so short that the board would keep it.
    text = argument("/".join(names))
    number = ",".join(str(size) for size in sizes)
    return _Batch(f"check({argument(base)},{text}.split('/'),[{number}],{DIGEST})", sizes)


def read_statuses(data: bytes, sizes: Sequence[int], width: int) -> Iterator[Status]:
    at = 0
    for expected in sizes:
        kind = data[at] if at < len(data) else 9
        at += 1
        spelt = ""
        if kind == 4 and at < len(data):
            end = at + 1 + data[at]
            spelt = data[at + 1 : end].decode("utf-8", "replace")
            kind, at = data[end] if end < len(data) else 9, end + 1
        if kind == 0:
            yield Status("none")
        elif kind == 2:
            yield Status("dir", spelt=spelt)
        elif kind == 1:
            yield Status("file", int.from_bytes(data[at : at + 4], "little"), spelt=spelt)
            at += 4
        elif kind == 3:
            yield Status("file", expected, data[at : at + width], spelt)
            at += width
        else:
            raise StreamDamaged("protocol.damaged.unexpected")
