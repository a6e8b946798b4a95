"""What moves files, whatever the way: what is asked of a board, told by it, and handed over.

The ways: one program for all of it (device.transfer), a short program each (device.small_mover), small programs that
speak text (device.text_transfer), and no program at all in a directory of this computer (device.mount_mover).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple, Protocol

from ..errors import LocalFileError, RemoteOSError
from ..protocol.ops import Op, on_host
from ..words import Said

CHUNK = 4096
DIGEST = 6  # bytes of a SHA-256 that travel to compare files: 48 bits, no accident makes two of them equal


class Status(NamedTuple):
    """What is at a path of the board: `kind` is `none`, `file` or `dir`; `digest` where the size is as expected.

    `spelt` is the name that is there where it is not the one asked for (FAT: `MAIN.PY` for `main.py`), else ''.
    """

    kind: str
    size: int = 0
    digest: bytes = b""
    spelt: str = ""


@dataclass(frozen=True, slots=True)
class Survey:
    """The answers of one round trip.

    Attributes:
        statuses: for each path asked about.
        listing: path -> size (-1 a folder) of all below the scanned folders.
        hash_kind: what the digests are (`sha256`, `crc32`, `sum`).
    """

    statuses: list[Status]
    listing: dict[str, int] = field(default_factory=dict)
    hash_kind: str = "sum"


class Space(NamedTuple):
    """What is free on a file system: the size of its blocks in bytes, and how many are free; zeros where unknown."""

    block: int = 0
    free: int = 0


class PutItem(NamedTuple):
    """A file for the board. `open` gives its content anew each time; `in_place` writes over the old file."""

    path: str
    size: int
    open: Callable[[], BinaryIO]
    in_place: bool = False


class Sink(Protocol):
    """Takes a file from the board: all bytes in order, then `done`; or `drop` when it will not be complete.

    Attributes:
        blocks: whether `write` and `done` wait for a disk; others are called where the operation's callbacks are.
    """

    blocks: bool

    def write(self, data: bytes) -> None: ...

    def done(self) -> None: ...

    def drop(self) -> None: ...


class GetItem(NamedTuple):
    """A file of the board, `size` bytes long, for `sink`."""

    path: str
    size: int
    sink: Sink


Progress = Callable[[int], None]
Done = Callable[[str], None]


def ignore(_: object) -> None:
    return


def fill(sink: Sink, data: bytes) -> Op[None]:
    """Give a sink the next bytes. Errors: its own."""
    if sink.blocks:
        yield from on_host(sink.write, data)
    else:
        sink.write(data)


def finish(sink: Sink) -> Op[None]:
    """Tell a sink that all has come. Errors: its own."""
    if sink.blocks:
        yield from on_host(sink.done)
    else:
        sink.done()


class Mover(Protocol):
    """A way to move files; `StreamMover` is the fast one.

    survey: the state of many paths, and what lies below folders.
        asked: (path, size to compare with or -1).
        scans: folders to list with all below.
        spelling: whether anybody wants to know `Status.spelt`, which may cost more.
    space: what is free where `path` is or will be, before files of `sizes` are put there. Space() where it is not
        worth the asking.
    put: make `folders`, then write `items`, without a pause between files.
        progress: is told how many bytes more were read for sending (less than 0: these are sent again).
        done: is told the path of each file that is in place.
        Errors: RemoteOSError with the path; LocalFileError. The file that failed keeps its old content; those before
        it are new.
    get: read `items` into their sinks. Errors: RemoteOSError, LocalFileError.
    """

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]: ...

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]: ...

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]: ...

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]: ...

    def close(self) -> Op[None]: ...


def read_chunks(item: PutItem) -> Iterator[bytes]:
    """The content of a local file in pieces of 4 kB, at least one (empty) piece. Errors: LocalFileError."""
    try:
        with item.open() as file:
            data = file.read(CHUNK)
            yield data
            while data:
                data = file.read(CHUNK)
                if data:
                    yield data
    except OSError as error:
        raise LocalFileError(
            "local-file.system", path=error.filename or item.path, reason=error.strerror or error
        ) from error


def check_space(space: Space, writes: Iterable[tuple[str, int, Status, bool]]) -> None:
    """Refuse before the first byte what cannot fit: (path, size, what is there, in place) in the order of writing.

    Whole blocks are counted, and both copies while an old file is replaced; a file of at most an eighth of a block
    counts nothing, for LittleFS may keep it in its folder's block. Errors: RemoteOSError (28, no space) with the path.
    """
    if not space.block:
        return

    def blocks(size: int) -> int:
        return 0 if size <= space.block // 8 else -(-size // space.block)

    free = space.free
    for path, size, old, in_place in writes:
        had = blocks(old.size) if old.kind == "file" else 0
        if in_place:
            free += had
        if blocks(size) > free:
            alone = had and not in_place and blocks(size) <= free + had
            raise RemoteOSError(
                28,
                path,
                hint=Said("device.in-place")
                if alone
                else Said("device.space", needed=blocks(size) * space.block, free=free * space.block),
            )
        free -= blocks(size)
        if not in_place:
            free += had
