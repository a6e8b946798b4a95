"""Content over the board's own file channel (protocol.webrepl), with the promises of the stream.

Over WebREPL at most 255 bytes may be on their way to a program on the board; the file channel has TCP's flow control,
and the board writes what comes itself. So contents go that way: to temporary names, many files without a pause; then
one program on the board compares their digests and gives them their names (ondevice/channel_done.py). What comes from
the board is compared in the same way, before it counts as there. What is asked before is a program each, too: over the
channel that costs two round trips (device.carrier), where the transfer program wants some twenty.

Law 1: the transfer program never runs meanwhile: board and channel would be in the same file system at once.
Law 2: an operation of the channel that does not come to its end leaves the connection in the middle of a file; it is
made again before anything else is said, and the temporary names are removed.
Law 3: where anything but the connection fails, the other mover does it: it knows how to say why.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from .. import limits
from ..errors import (
    ConnectionLostError,
    DeviceTimeoutError,
    OperationInterrupted,
    ProtocolError,
    RemoteError,
    RemoteOSError,
    StreamError,
)
from ..protocol.ops import Interrupted, Op
from ..protocol.webrepl import NAME_BYTES, Channel, PutFile
from .answers import sensible
from .fs_errors import creating
from .mover import (
    DIGEST,
    Done,
    GetItem,
    Mover,
    Progress,
    PutItem,
    Space,
    Status,
    Survey,
    fill,
    finish,
    ignore,
    read_chunks,
)
from .ondevice import argument, function, snippet
from .session import Session
from .transfer import Listed, check_batches, read_statuses

FILES = 50
BYTES = 1 << 18
TRIES = 3  # in vain, of the same files
PROOF = 8  # bytes of a SHA-256 by which the board tells whether a file arrived as it was sent
LIMIT = limits.BOARD_LONG_SECONDS  # seconds for the board to read a batch again
QUESTIONS = 6000  # bytes of questions in a program, all of which is in the board's memory at once
LISTING = 76


class ChannelMover:
    """A Mover. Args: other: for what the channel cannot carry, and boards that cannot run what it needs."""

    def __init__(self, session: Session, other: Mover) -> None:
        self._session, self._other = session, other
        self._able = True
        self._room = BYTES

    def close(self) -> Op[None]:
        yield from self._other.close()

    # -- looking --------------------------------------------------------------------------------

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]:
        if self._able:
            try:
                return (yield from self._survey(asked, scans))
            except (RemoteError, StreamError, DeviceTimeoutError):
                self._able = False
        return (yield from self._other.survey(asked, scans, spelling=spelling))

    def _survey(self, asked: Sequence[tuple[str, int]], scans: Sequence[str]) -> Op[Survey]:
        yield from self._other.close()
        batches = list(check_batches(asked, 2000))
        lines = [f"scan({argument(folder)})" for folder in scans]
        lines += [batch.command for batch in batches]
        told: deque[tuple[int, object]] = deque()
        for part in look_programs(lines):
            path = scans[0] if scans else ""
            answer = yield from self._session.call_source(part, path, LIMIT, again=True)
            with sensible():
                told.extend((int(kind), data) for kind, data in answer)
        listed, statuses = Listed(), list[Status]()
        with sensible():
            for _ in scans:
                while told and told[0][0] == LISTING:
                    listed.add(*told.popleft()[1])  # type: ignore[misc]
                told.popleft()
            for batch in batches:
                statuses.extend(read_statuses(bytes.fromhex(str(told.popleft()[1])), batch.sizes, DIGEST))
        if len(statuses) != len(asked):
            raise StreamError("protocol.stream.answer-length")
        return Survey(statuses, listed.paths, "sha256")

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        if not self._able:
            return (yield from self._other.space(path, sizes))
        yield from self._other.close()
        try:
            state = yield from self._session.one("space", PATH=path)
            with sensible():
                block, free = int(state[1] or state[0]), int(state[3])
        except (ConnectionLostError, RemoteError, StreamError, RemoteOSError):  # no directory there yet, for instance
            answer = yield from self._session.call("text_space", path, again=True)
            with sensible():
                block, free = int(answer[0]), int(answer[1])
        self._room = block * free or BYTES
        return Space(block, free)

    # -- to the board ---------------------------------------------------------------------------

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        if not self._able:
            yield from self._other.put(folders, items, progress, done)
            return
        yield from self._other.close()
        todo, others = deque[PutItem](items), list[PutItem]()
        there = {"./", "/"}
        look = {_folder(item.path) for item in todo} - there
        if folders or look:
            there |= yield from self._ready(folders, look)
        for _ in range(len(todo)):
            item = todo.popleft()
            fits = not item.in_place and len(_name(_temp(item.path, 0))) <= NAME_BYTES and _folder(item.path) in there
            (todo if fits else others).append(item)
        again: set[str] = set()
        lost = 0
        while todo and lost < TRIES:
            placed = yield from self._put(self._batch(todo), progress)
            lost = 0 if placed else lost + 1
            for good in placed:
                item = todo.popleft()
                if good:
                    done(item.path)
                    continue
                progress(-item.size)
                # A board may lose a byte (see protocol.webrepl): that happens, but not twice.
                (others if item.path in again else todo).append(item)
                again.add(item.path)
        others += todo
        if others:
            yield from self._other.put((), others, progress, done)

    def _ready(self, make: Sequence[str], look: set[str]) -> Op[set[str]]:
        """Make directories; which of `look` are some. What the board cannot open ends the connection without a word."""
        found = sorted(look)
        program = ready_program(make, [path.rstrip("/") or "/" for path in found])
        answer = yield from self._session.call_source(program, again=True)
        with sensible():
            if isinstance(answer, tuple):
                path, error = str(answer[0]), int(answer[1])
                with creating():
                    raise RemoteOSError(error, path)
            return {path for path, is_there in zip(found, answer, strict=True) if is_there}

    def _batch(self, todo: deque[PutItem]) -> list[PutItem]:
        """The next files that go together: all of them are on the board twice for a moment."""
        batch: list[PutItem] = []
        left = min(BYTES, self._room)
        for item in todo:
            left -= item.size
            if batch and (len(batch) == FILES or left < 0):
                break
            batch.append(item)
        return batch

    def _put(self, batch: Sequence[PutItem], progress: Progress) -> Op[list[bool]]:
        """Which of `batch` are in their places, nothing being left of the others; [] where it did not come to that."""
        temps = [_temp(item.path, number) for number, item in enumerate(batch)]
        sums = [hashlib.sha256() for _ in batch]
        sent = 0

        def content(number: int) -> Iterator[bytes]:
            nonlocal sent
            for data in read_chunks(batch[number]):
                sums[number].update(data)
                sent += len(data)
                progress(len(data))
                yield data

        files = [(_name(temp), batch[number].size, content(number)) for number, temp in enumerate(temps)]

        def program() -> str:
            return settling_program(batch, temps, [check.digest()[:PROOF] for check in sums])

        try:
            answer = yield from self._deliver(files, program)
            with sensible():
                return [error == 0 for _, error in zip(batch, answer, strict=True)]
        except BaseException as error:
            if isinstance(error, GeneratorExit):
                raise
            # What was in its place before the connection ended is written once more: the same content.
            yield from self._session.reconnect()
            removing = settling_program(batch, temps, [b""] * len(batch))
            yield from self._session.call_source(removing, limit=LIMIT, again=True)
            if isinstance(error, Interrupted):
                raise OperationInterrupted() from None
            if not isinstance(error, (ConnectionLostError, ProtocolError, RemoteError)):
                raise
            progress(-sent)
            return []

    def _deliver(self, files: Sequence[PutFile], program: Callable[[], str]) -> Op[Any]:
        """Have the board write `files`, then run what `program` gives once they are sent; returns its answer."""
        session = self._session
        sent = False

        def sending() -> Iterator[PutFile]:
            nonlocal sent
            sent = True
            yield from files

        # The digests, which nobody knows yet, are as long as they get.
        size = len(session.shield(program())) + len(files) * len(repr(b"\xff" * PROOF))
        carrier = session.carrier
        if carrier is not None and carrier.carries(size):
            yield from session.ready()
            if (yield from carrier.start(lambda: session.shield(program()), size, files=sending())):
                return (yield from session.answer("", LIMIT))
        if not sent:
            yield from Channel().put(sending())
        return (yield from session.call_source(program(), limit=LIMIT))

    # -- from the board -------------------------------------------------------------------------

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]:
        todo, others = deque[GetItem](), list[GetItem]()
        for item in items:
            (todo if self._able and len(_name(item.path)) <= NAME_BYTES else others).append(item)
        batch: list[_Copied] = []
        try:
            if todo:
                yield from self._other.close()
            while todo:
                batch = [_Copied(todo.popleft(), progress) for _ in range(min(FILES, len(todo)))]
                yield from self._get(batch)
                while batch:
                    item = batch.pop(0).item
                    yield from finish(item.sink)
                    done(item.path)
        except BaseException:
            for copied in batch:
                copied.item.sink.drop()
            raise
        if others:
            yield from self._other.get(others, progress, done)

    def _get(self, batch: Sequence[_Copied]) -> Op[None]:
        """Bring these files, through losses of the connection, and compare them with those on the board."""
        failures, came = 0, 0
        while True:
            for copied in batch:
                copied.again()
            try:
                yield from Channel().get([(_name(copied.item.path), copied.item.size, copied) for copied in batch])
                break
            except Interrupted:
                yield from self._session.reconnect()
                raise OperationInterrupted() from None
            except (ConnectionLostError, DeviceTimeoutError):
                yield from self._session.reconnect()
                before, came = came, sum(copied.count for copied in batch)
                failures = 1 if came > before else failures + 1
                if failures == TRIES:
                    raise
            except BaseException:
                yield from self._session.reconnect()
                raise
        paths = [copied.item.path for copied in batch]
        answer = yield from self._session.call("fs_hash", "sha256", *paths, limit=LIMIT, again=True)
        with sensible():
            there = [str(digest) for digest in answer]
        if there != [copied.check.hexdigest() for copied in batch]:
            raise StreamError("protocol.stream.files-changed")


class _Copied:
    """What has come of one file, and its digest."""

    def __init__(self, item: GetItem, progress: Progress) -> None:
        self.item, self._progress = item, progress
        self.check = hashlib.sha256()
        self.count = self._skip = 0

    def again(self) -> None:
        """It comes from its first byte on; what has come before is passed over."""
        self._skip = self.count

    def __call__(self, data: bytes) -> Op[None]:
        passed = min(self._skip, len(data))
        self._skip -= passed
        data = data[passed:]
        if data:
            self.check.update(data)
            yield from fill(self.item.sink, data)
            self.count += len(data)
            self._progress(len(data))


def look_programs(lines: Sequence[str]) -> Iterator[str]:
    """Programs that ask all `lines`, in their order."""
    parts = [function("server_check", name) for name in ("digest", "spellings", "check")]
    source = snippet("channel_look").replace(" PARTS", _nested(*parts, function("server_scan", "scan")))
    part: list[str] = []
    for number, line in enumerate(lines):
        part.append(line)
        if number + 1 == len(lines) or sum(map(len, part)) + len(lines[number + 1]) > QUESTIONS:
            yield source.replace("QUESTIONS", "\n ".join(part)) + "\nrun()"
            part = []


def ready_program(make: Sequence[str], look: Sequence[str]) -> str:
    """The program that makes directories, and looks which there are."""
    source = snippet("channel_ready").replace(" PARTS", _nested(function("server_put", "mkdirs")))
    return f"{source}\nprint('\\x1e'+repr(run({argument(make)},{argument(look)})))"


def settling_program(batch: Sequence[PutItem], temps: Sequence[str], proofs: Sequence[bytes]) -> str:
    """The program that compares what came as `temps`, and gives it its names."""
    parts = _nested(*(function("server_put", name) for name in ("settle", "replace")))
    items = argument([(temp, item.path, item.size, proof) for temp, item, proof in zip(temps, batch, proofs)])
    return snippet("channel_done").replace(" PARTS", parts) + f"\nprint('\\x1e'+repr(run({items})))"


def _nested(*functions: str) -> str:
    """Functions for the body of another."""
    return "".join("\n" + text for text in functions).replace("\n", "\n ")[1:]


def _name(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")


def _folder(path: str) -> str:
    return path[: path.rfind("/") + 1] or "./"


def _temp(path: str, number: int) -> str:
    folder = path[: path.rfind("/") + 1]
    return f"{folder}~upytool.tmp" if not number else f"{folder}~upytool.{number}"
