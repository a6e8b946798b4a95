"""A few small files by short programs (device.oneshot), with the promises of the stream.

The transfer program pays from some kilobytes on: to start it costs an RP2040 80 to 250 ms and up to 60 kB of heap,
where a program that looks at a file, reads or writes it takes 4 to 25 ms. The choice is made here, once:
`are_small` where all is known before, else `SmallMover` does what is small, and hands everything to the other mover
from the first thing on that is not.

- A file goes over inside of one program: names and content are compared with their digest before anything is touched,
  unless the link itself is sure (`Session.sure`). Then it is written to the temporary name, measured and renamed, as by
  ondevice/server_put.py. A tool that is killed leaves it begun nowhere: the board has the whole program or runs none.
- A file that comes back brings a checksum, unless the link is sure. There, what the board refuses is asked for once
  only: elsewhere a name may have been damaged on the way.
- Whatever else goes wrong, the other mover does the work from the start.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from ..errors import (
    ENOENT,
    ConnectionLostError,
    DeviceTimeoutError,
    OperationInterrupted,
    RemoteError,
    RemoteOSError,
    StreamError,
)
from ..protocol.ops import Interrupted, Op, on_host
from .answers import is_directory, sensible, unpacked
from .fs_errors import EIO, creating, refused
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
from .ondevice import argument
from .oneshot import Code, Unfit
from .session import Session

T = TypeVar("T")

FILES = 4
FILE_BYTES = 2048
ALL_BYTES = 4096
HEAD = 512  # of a file whose size nobody knows yet
TEMP = "~upytool.tmp"
NEW = ".upynew"


def are_small(sizes: Sequence[int]) -> bool:
    """The choice: whether files of these sizes go by short programs."""
    return len(sizes) <= FILES and sum(sizes) <= ALL_BYTES and all(size <= FILE_BYTES for size in sizes)


class _Broken(Exception):
    """What was to be done by short programs was not done, or nobody knows whether."""


class SmallMover:
    """A Mover. Args: other: makes the mover for what is not small."""

    def __init__(self, session: Session, other: Callable[[], Mover]) -> None:
        self._session, self._make = session, other
        self._other: Mover | None = None
        self._there: set[str] = set()  # what the last survey found

    def close(self) -> Op[None]:
        other, self._other = self._other, None
        if other is not None:
            yield from other.close()

    def _large(self) -> Mover:
        if self._other is None:
            self._other = self._make()
        return self._other

    def _fits(self, sizes: Sequence[int]) -> bool:
        return self._other is None and self._session.short and are_small(sizes)

    def _try(self, work: Callable[[], Op[T]], path: str = "") -> Op[T]:
        """Do `work`, which may be done again. Errors: RemoteOSError; _Broken.

        Args:
            path: what it reads, where that may not be there; to look at it costs less than to do the work again.
        """
        refused = None
        while True:
            try:
                return (yield from work())
            except RemoteOSError as error:
                if self._session.sure or (refused is not None and refused == error.errno):
                    raise
                if refused is not None or error.errno == EIO:
                    raise _Broken from error
                refused = error.errno
                if path and refused == ENOENT and (yield from self._is_missing(path)):
                    raise
            except ConnectionLostError as error:
                if not self._session.can_reconnect:
                    raise
                raise _Broken from error
            except (RemoteError, StreamError, DeviceTimeoutError) as error:
                # A lost byte of a program's end looks like a reset; after either the work is done from the start.
                raise _Broken from error

    def _is_missing(self, path: str) -> Op[bool]:
        """Whether the board refuses the path again: a name that the line had altered would be there now."""
        try:
            yield from self._session.one("gone", path, PATH=path)
        except (RemoteOSError, RemoteError, StreamError, DeviceTimeoutError):
            return False
        return True

    # -- looking --------------------------------------------------------------------------------

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]:
        # Where large files go over a channel of their own, nothing speaks for the transfer program.
        sizes = [0 if self._session.has_files else max(0, size) for _, size in asked]
        if not scans and self._fits(sizes):
            try:
                statuses = yield from self._try(lambda: self._look(asked, spelling))
            except _Broken:
                pass
            else:
                pairs = zip(asked, statuses, strict=True)
                self._there.update(path for (path, _), found in pairs if found.kind != "none")
                return Survey(statuses, hash_kind="sha256")
        return (yield from self._large().survey(asked, scans, spelling=spelling))

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        """Of what goes by short programs it is not looked up: that costs more than to write a small file."""
        if self._fits(sizes):
            return Space()
        return (yield from self._large().space(path, sizes))

    def _look(self, asked: Sequence[tuple[str, int]], spelling: bool) -> Op[list[Status]]:
        found: list[Any] = []
        if len(asked) == 1:
            try:
                found = [(yield from self._session.one("stat", asked[0][0], PATH=asked[0][0]))]
            except RemoteOSError as error:
                if error.errno not in (2, 20):
                    raise StreamError("protocol.stream.no-look") from error
                found = [0]
        elif asked:
            found = yield from self._session.one("stats", PATHS=tuple(path for path, _ in asked))
        out = []
        with sensible():
            for (path, size), state in zip(asked, found, strict=True):
                if not state:
                    out.append(Status("none"))
                    continue
                spelt = (yield from self._spelling(path)) if spelling else ""
                if is_directory(state[0], sure=self._session.sure):
                    out.append(Status("dir", spelt=spelt))
                elif state[6] != size:
                    out.append(Status("file", int(state[6]), spelt=spelt))
                else:
                    digest = yield from self._session.one("sum", path, PATH=path, SIZE=size + 1, KEEP=DIGEST)
                    out.append(Status("file", size, bytes(digest), spelt))
        return out

    def _spelling(self, path: str) -> Op[str]:
        """The name that is there, where the file system takes `a` and `A` for one and it is another; else ''.

        Errors: Unfit where the board's small letters are not ours: there the other mover looks closer.
        """
        cut = path.rfind("/") + 1
        folder, name = path[:cut], path[cut:]
        other = name.upper() if name != name.upper() else name.lower()
        if other == name:
            return ""
        try:
            yield from self._session.one("stat", PATH=folder + other)
        except RemoteOSError:
            return ""
        small = Code(argument(name.lower()))  # a value to compare with: nothing may be added to it
        answer = yield from self._session.one("spelt", PATH=folder.rstrip("/") or folder, NAME=small)
        with sensible():
            found = [str(each) for each in answer]
        if not found:
            raise Unfit("protocol.no-short-program.spelling")
        return "" if name in found else found[0]

    # -- to the board ---------------------------------------------------------------------------

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        """As StreamMover's."""
        todo = list(items)
        if not folders and self._fits([item.size for item in todo]) and not any(item.in_place for item in todo):
            while todo:
                item = todo[0]
                data = yield from on_host(lambda item: b"".join(read_chunks(item)), item)
                if len(data) > FILE_BYTES:  # it grew
                    break
                try:
                    with creating():
                        yield from self._put(item.path, data)
                except _Broken:
                    break
                progress(len(data))
                done(item.path)
                todo.pop(0)
        if todo or folders:
            yield from self._large().put(folders, todo, progress, done)

    def _put(self, path: str, data: bytes) -> Op[None]:
        temp = path[: path.rfind("/") + 1] + TEMP
        name = "over" if path in self._there else "put"

        def write() -> Op[None]:
            values: dict[str, Any] = {"SIZE": len(data)}
            if self._session.sure:
                first = "given"
                values.update(TEMP=temp, PATH=path, NEW=path + NEW, CONTENT=data)
            else:
                first, names = "check", f"{temp}\n{path}".encode("utf-8", "surrogateescape")
                values.update(NAMES=names, DATA=data, SUM=hashlib.sha256(names + data).digest()[:8])
                values.update(NEW=Code(f'p+"{NEW}"'), CONTENT=Code("d"))
            refused = yield from self._session.one(name, path, first=(first,), **values)
            if refused:
                raise StreamError("protocol.stream.altered")

        try:
            yield from self._try(write)
        except RemoteOSError as error:
            yield from self._drop(temp)
            raise refused(error.errno, path) from error
        except (Interrupted, OperationInterrupted):
            yield from self._drop(temp)
            raise

    def _drop(self, temp: str) -> Op[None]:
        """Remove the temporary file, which may not be there."""
        try:
            yield from self._session.one("drop", PATH=temp)
        except (RemoteOSError, RemoteError, StreamError, DeviceTimeoutError):
            return

    # -- from the board -------------------------------------------------------------------------

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]:
        """As StreamMover's."""
        todo = list(items)
        if self._fits([item.size for item in todo]):
            while todo:
                item = todo[0]
                try:
                    data = yield from self._get(item.path, item.size + 1)
                except _Broken:
                    break
                if len(data) != item.size:
                    break
                try:
                    yield from fill(item.sink, data)
                    progress(len(data))
                    yield from finish(item.sink)
                except BaseException:
                    item.sink.drop()
                    raise
                done(item.path)
                todo.pop(0)
        if todo:
            yield from self._large().get(todo, progress, done)

    def head(self, path: str) -> Op[bytes | None]:
        """The content of a file of at most HEAD bytes; None where that was not to be had so."""
        if not self._fits([]):
            return None
        try:
            data = yield from self._get(path, HEAD + 1)
        except _Broken:
            return None
        return data if len(data) <= HEAD else None

    def _get(self, path: str, size: int) -> Op[bytes]:
        def read() -> Op[bytes]:
            if self._session.sure and size <= HEAD + 1:
                said = yield from self._session.one("cat", path, PATH=path, SIZE=size)
                with sensible():
                    return bytes(said)
            text = bytearray()
            checksum = yield from self._session.one("get", path, said=text, PATH=path, SIZE=size)
            return unpacked(text, checksum)

        return (yield from self._try(read, path))
