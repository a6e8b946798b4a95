"""Application slots of an ESP32 through its running MicroPython: what they are, new content, which one starts.

Facts: MicroPython's esp32.Partition (ports/esp32/esp32_partition.c); ESP-IDF "Over The Air Updates" (`otadata`).

Written laws:

1. Only the slot that does not run is written. The program on the board looks itself (ondevice/slot_open.py).
2. Filling a slot is comparing and writing until nothing differs: the board digests its flash, piece by piece, and only
   what differs is sent. Whatever broke off, a reset of the board too, goes on where the comparison says.
3. For writing, a slot is a directory and a piece is a file, so that each way of moving files is one of writing flash:
   the board's own file channel where there is one, else the transfer program.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from ..errors import (
    ConnectionLostError,
    DeviceTimeoutError,
    FlashError,
    RemoteOSError,
    StreamError,
    UpytoolError,
)
from ..events import NULL, Reporter, Task
from ..protocol.ops import Interrupted, Op
from ..protocol.raw_repl import ReplState
from ..protocol.webrepl import Channel
from .answers import sensible
from .fs_ops import FsOps
from .mover import PutItem
from .ondevice import argument, shielded, snippet
from .retry import Retry
from .session import Session
from .transfer import StreamMover

PLACE = "/~slot"
PIECE = 32768  # compared and sent at a time; eight blocks, so that none is erased twice
BATCH = 8  # pieces of one question
DIGEST = 32
EBUSY = 16
TRIES = 4
HEAD = 288  # bytes of an application up to the end of its descriptor (esp_app_desc_t)

Act = Literal["start", "keep"]


@dataclass(frozen=True, slots=True)
class SlotRow:
    """A row of the board's partition table; address and size in bytes of flash."""

    type: int
    subtype: int
    address: int
    size: int
    label: str
    encrypted: bool


@dataclass(frozen=True, slots=True)
class Slots:
    """What a board says of its slots.

    Attributes:
        rows: the partition table.
        running: the slot that runs; `next` the one for an update, None where there is none beside it.
        boot: address of the slot that the next reset starts.
        head: the first HEAD bytes of the application that runs.
        otadata: both records of the partition that chooses the slot, 32 bytes each.
        flash_size: bytes, 0 where not known.
        signed: a signature (Secure Boot v2) follows the application that runs.
    """

    rows: tuple[SlotRow, ...]
    running: SlotRow
    next: SlotRow | None
    boot: int
    head: bytes = field(repr=False)
    otadata: bytes = field(repr=False)
    flash_size: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """What `fill` did: bytes that were written, and bytes that were there already."""

    written: int
    unchanged: int


def query(session: Session) -> Op[Slots | None]:
    """The slots of the board; None for one that is not an ESP32."""
    answer = yield from session.call("slots", again=True)
    if answer is None:
        return None
    with sensible():
        infos, running, following, boot, head, otadata, flash_size, signed = answer
        rows = tuple(
            SlotRow(int(kind), int(subtype), int(address), int(size), str(label), bool(encrypted))
            for kind, subtype, address, size, label, encrypted in infos
        )
        by_address = {row.address: row for row in reversed(rows)}
        if len(head) != HEAD or len(otadata) != 64:
            raise ValueError
        return Slots(
            rows,
            by_address[running],
            by_address[following] if following not in (-1, running) else None,
            int(boot),
            head,
            otadata,
            int(flash_size),
            bool(signed),
        )


def differing(
    session: Session,
    row: SlotRow,
    data: bytes,
    *,
    hasty: bool = False,
    advance: Callable[[int], None] = lambda count: None,
) -> Op[list[int]]:
    """Where the pieces begin in which a slot is not `data`.

    Args:
        hasty: what begins with a batch of other pieces is taken for other from there on.
    """
    if len(data) > row.size:  # the board cannot read on behind its slot, and what is larger is not in it
        return list(range(0, len(data), PIECE))
    found: list[int] = []
    for at in range(0, len(data), PIECE * BATCH):
        end = min(at + PIECE * BATCH, len(data))
        answer = yield from session.call("slot_sums", row.address, PIECE, at, end, again=True)
        starts = range(at, end, PIECE)
        with sensible():
            if len(answer) != DIGEST * len(starts):
                raise ValueError
            digests = [answer[k : k + DIGEST] for k in range(0, len(answer), DIGEST)]
        pairs = zip(starts, digests, strict=True)
        found += [start for start, digest in pairs if sha256(data[start : min(start + PIECE, end)]).digest() != digest]
        advance(end - at)
        if hasty and not at and len(found) == len(starts):
            return list(range(0, len(data), PIECE))
    return found


def fill(
    fs: FsOps,
    row: SlotRow,
    data: bytes,
    *,
    whole: bool = False,
    begun: Callable[[], None] = lambda: None,
    reporter: Reporter = NULL,
) -> Op[Filled]:
    """Make the slot for an update begin with `data`, proven by reading it back on the board.

    Args:
        row: the one that `query` gives as `next`; the next reset must not start it (`act`, "keep").
        whole: write also what is there already.
        begun: is called before the first byte is written.

    Errors: FlashError where the flash does not keep what is written; ConnectionLostError, ProtocolError, RemoteError.
    """
    work = _Filling(fs, row, data, whole, begun, reporter)
    try:
        yield from Retry(fs.session, fs.can, "flash").steadily(work.attempt, _nothing, lambda: -work.fewest)
    except UpytoolError as error:
        if work.opened and not isinstance(error, ConnectionLostError):
            yield from drop(fs.session)
        raise
    yield from drop(fs.session)
    return Filled(work.written, max(0, len(data) - work.written))


def act(session: Session, what: Act, row: SlotRow) -> Op[str]:
    """Decide which slot starts; returns why the board refuses, "" where it does not. Doing it twice is doing it once.

    Args:
        what: "start": the next reset starts `row`, whose image ESP-IDF checks first; "keep": the next reset starts
            `row`, which runs and is good, so that none goes back to the other one.
    """
    return str((yield from session.call("slot_do", what, row.address, PLACE, again=True)))


def restart(session: Session, row: SlotRow) -> Op[None]:
    """Reset the board unless `row` runs already; its connection may end with that, now or later."""
    call = f"run('restart',{row.address},{argument(PLACE)})"
    with contextlib.suppress(ConnectionLostError):
        yield from session.ready()
        yield from session.hand_over(shielded(f"{snippet('slot_do')}\n{call}").encode())
        session.repl.state = ReplState.UNKNOWN


def drop(session: Session) -> Op[None]:
    """Leave nothing of ours in the board's memory; one that does not answer loses it at its next reset."""
    try:
        yield from session.call("slot_do", "drop", 0, PLACE)
    except UpytoolError:
        return


def _nothing() -> Op[str]:
    yield from ()
    return ""


class _Filling:
    """One application on its way into one slot."""

    def __init__(
        self,
        fs: FsOps,
        row: SlotRow,
        data: bytes,
        whole: bool,
        begun: Callable[[], None],
        reporter: Reporter,
    ) -> None:
        self._fs, self._row, self._data = fs, row, data
        self._whole, self._begun, self._reporter = whole, begun, reporter
        self._refused: RemoteOSError | None = None
        self.fewest = 1 << 30
        self.written = 0
        self.opened = False

    def attempt(self) -> Op[None]:
        for number in range(TRIES + 1):
            differ = yield from self._compare(hasty=not self.opened)
            self.fewest = min(self.fewest, len(differ))
            if not differ:
                return
            if number < TRIES:
                yield from self._open()
                yield from self._write(differ)
        raise self._refused or FlashError("flash.slot-verify", label=self._row.label, offset=differ[0])

    def _open(self) -> Op[None]:
        try:
            yield from self._fs.session.call("slot_open", PLACE, self._row.address, self._row.size)
        except RemoteOSError as error:
            if error.errno != EBUSY:
                raise
            raise FlashError("flash.slot-busy", label=self._row.label) from error
        self.opened = True
        self._begun()

    def _compare(self, *, hasty: bool) -> Op[list[int]]:
        if hasty and self._whole:
            return list(range(0, len(self._data), PIECE))
        with Task(self._reporter, "verifying" if self.opened else "comparing", len(self._data)) as task:
            return (yield from differing(self._fs.session, self._row, self._data, hasty=hasty, advance=task.advance))

    def _piece(self, at: int) -> tuple[str, bytes]:
        data = self._data[at : at + PIECE]
        return f"{PLACE}/{at}-{len(data)}", data

    def _write(self, differ: list[int]) -> Op[None]:
        pieces = [self._piece(at) for at in differ]
        with Task(self._reporter, f"writing {self._row.label}", sum(len(data) for _, data in pieces)) as task:
            way = self._by_channel if self._fs.session.has_files else self._by_stream
            yield from way(pieces, task)

    def _by_channel(self, pieces: list[tuple[str, bytes]], task: Task) -> Op[None]:
        """Piece by piece, each confirmed: what a socket takes at once would be no progress of the board's."""
        for name, data in pieces:
            try:
                yield from Channel().put([(name.encode(), len(data), (data,))])
            except Interrupted:
                yield from self._fs.session.reconnect()  # in the middle of a file nothing else can be said
                raise
            except (StreamError, DeviceTimeoutError) as error:
                raise ConnectionLostError("transport.lost.transfer", cause=error, hint=error.hints) from error
            self.written += len(data)
            task.advance(len(data))

    def _by_stream(self, pieces: list[tuple[str, bytes]], task: Task) -> Op[None]:
        def opener(data: bytes) -> Callable[[], io.BytesIO]:
            return lambda: io.BytesIO(data)

        def done(name: str) -> None:
            self.written += sizes[name]

        sizes = {name: len(data) for name, data in pieces}
        items = [PutItem(name, len(data), opener(data), in_place=True) for name, data in pieces]
        mover = StreamMover(self._fs.session, self._fs.can)
        try:
            yield from mover.put((), items, task.advance, done)
        except RemoteOSError as error:
            self._refused = error  # a board that was reset meanwhile has no such directory: it is opened again
        yield from mover.close()
