"""Files that lie in a mounted folder are moved here, where they are; the board moves the others.

While the transfer program runs the wire carries its frames, so no request to a mounted folder should come: paths in
one never go to it, and what it lists leaves mount points out. (One that comes all the same, because a thread of the
board's asks for example, is answered: protocol/transfer.py.)
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from .. import limits
from ..errors import RemoteOSError, StreamError
from ..protocol.mount_server import Volume, board_errno
from ..protocol.ops import Op, Pause, on_host
from ..whole_file import new_name
from .answers import sensible
from .fs_errors import refused
from .mover import (
    CHUNK,
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
from .ondevice import snippet
from .session import Session
from .stream import new_hash

BLOCK = 4096
LIMIT = limits.BOARD_LONG_SECONDS


class MountMover:
    """A Mover for a board with mounted folders. Args: board: the mover of the board's own files."""

    def __init__(self, session: Session, board: Mover) -> None:
        self._session, self._board = session, board
        self._cwd = ""

    def close(self) -> Op[None]:
        yield from self._board.close()

    def _look_around(self, paths: Iterable[str]) -> Op[None]:
        """Learn the working directory, where one of `paths` depends on it."""
        if not self._cwd and not all(path.startswith("/") for path in paths):
            yield from self._board.close()
            answer = yield from self._session.call("fs_stat", again=True)
            with sensible():
                self._cwd = str(answer[0])

    def _absolute(self, path: str) -> str:
        # Not made normal: the board looks for a mount point in a path as it is written (extmod/vfs.c).
        return path if path.startswith("/") else self._cwd.rstrip("/") + "/" + path

    def _here(self, path: str) -> tuple[Volume, str] | None:
        """The folder that a path lies in, and the path there."""
        whole = self._absolute(path)
        for point, volume in self._session.host_mounts.items():
            if whole == point or whole.startswith(point + "/"):
                return volume, whole[len(point) :] or "/"
        return None

    # -- looking --------------------------------------------------------------------------------

    def survey(
        self, asked: Sequence[tuple[str, int]], scans: Sequence[str] = (), *, spelling: bool = True
    ) -> Op[Survey]:
        yield from self._look_around([*(path for path, _ in asked), *scans])
        listing: dict[str, int] = {}
        far = []
        for folder in scans:
            around = posixpath.normpath(self._absolute(folder)).rstrip("/") + "/"
            points = [point for point in self._session.host_mounts if point.startswith(around)]
            if self._here(folder):
                listing.update((yield from self._scan(folder)))
            elif points:
                skip = tuple(f"{folder.rstrip('/')}/{point[len(around) :]}" for point in points)
                listing.update((yield from self._scan_around(folder or "/", skip)))
            else:
                far.append(folder)
        other = [(path, size) for path, size in asked if not self._here(path)]
        found = Survey([], {}, "sha256")
        if other or far:
            found = yield from self._board.survey(other, far, spelling=spelling)
        listing.update(found.listing)
        theirs = iter(found.statuses)
        statuses = []
        for path, size in asked:
            here = self._here(path)
            statuses.append((yield from _status(*here, size, found.hash_kind)) if here else next(theirs))
        return Survey(statuses, listing, found.hash_kind)

    def space(self, path: str, sizes: Sequence[int]) -> Op[Space]:
        yield from self._look_around([path])
        here = self._here(path)
        if here is None:
            return (yield from self._board.space(path, sizes))
        return Space(BLOCK, here[0].space()[1] // BLOCK)

    def _scan(self, folder: str) -> Op[dict[str, int]]:
        listing: dict[str, int] = {}
        todo = [folder.rstrip("/")]
        while todo:
            yield Pause(0)
            path = todo.pop()
            here = self._here(path or folder)
            if here is None:
                continue
            with _refusals(path or folder):
                for name, is_dir, size in here[0].entries(here[1]):
                    listing[f"{path}/{name}"] = -1 if is_dir else size
                    if is_dir:
                        todo.append(f"{path}/{name}")
        return listing

    def _scan_around(self, folder: str, skip: tuple[str, ...]) -> Op[dict[str, int]]:
        """What is below a folder of the board, without the mounted ones in it."""
        yield from self._board.close()
        source = f"{snippet('fs_tree')}\nrun({folder!r},{skip!r})"
        answer = yield from self._session.call_source(source, folder, LIMIT, again=True)
        listing: dict[str, int] = {}
        with sensible():
            for path, size, number in answer:
                if size == -2:
                    raise refused(number, path)
                if path != folder:
                    listing[str(path)] = int(size)
        return listing

    # -- moving ---------------------------------------------------------------------------------

    def put(
        self, folders: Sequence[str], items: Iterable[PutItem], progress: Progress = ignore, done: Done = ignore
    ) -> Op[None]:
        items = list(items)
        yield from self._look_around([*folders, *(item.path for item in items)])
        for folder in folders:
            here = self._here(folder)
            if here:
                with _refusals(folder):
                    _make(*here)
        their_folders = [folder for folder in folders if not self._here(folder)]
        theirs = [item for item in items if not self._here(item.path)]
        if their_folders or theirs:
            yield from self._board.put(their_folders, theirs, progress, done)
        for item in items:
            here = self._here(item.path)
            if here:
                yield from _store(*here, item, progress)
                done(item.path)

    def get(self, items: Iterable[GetItem], progress: Progress = ignore, done: Done = ignore) -> Op[None]:
        items = list(items)
        yield from self._look_around([item.path for item in items])
        theirs = [item for item in items if not self._here(item.path)]
        if theirs:
            yield from self._board.get(theirs, progress, done)
        for item in items:
            here = self._here(item.path)
            if here:
                yield from _fetch(*here, item, progress)
                done(item.path)


@contextmanager
def _refusals(path: str) -> Iterator[None]:
    """What this computer refuses, as the board would say it."""
    try:
        yield
    except RemoteOSError:
        raise
    except OSError as error:
        raise refused(board_errno(error), path) from error


@contextmanager
def _opened(volume: Volume, path: str, mode: str) -> Iterator[int]:
    handle, _ = volume.open(path, mode)
    try:
        yield handle
    finally:
        volume.close(handle)


def _status(volume: Volume, path: str, expected: int, kind: str) -> Op[Status]:
    try:
        with _opened(volume, path, "r") as handle:
            size = volume.size(handle)
            if size != expected:
                return Status("file", size)
            check, at = new_hash(kind), 0
            while data := volume.read(handle, at, CHUNK):
                check.update(data)
                at += len(data)
                yield Pause(0)
            return Status("file", size, check.digest()[: DIGEST if kind == "sha256" else 4])
    except OSError as error:
        return Status("dir" if board_errno(error) == 21 else "none")


def _make(volume: Volume, path: str) -> None:
    try:
        volume.mkdir(path)
    except FileExistsError:
        if not volume.stat(path)[0]:
            raise NotADirectoryError(20, "not a directory") from None


def _store(volume: Volume, path: str, item: PutItem, progress: Progress) -> Op[None]:
    """The old file or the new one, unless it is written in place."""
    temporary = path if item.in_place else path[: path.rfind("/") + 1] + new_name()
    try:
        with _refusals(item.path), _opened(volume, temporary, "w" if item.in_place else "x") as handle:
            at = 0
            chunks = read_chunks(item)
            while (data := (yield from on_host(next, chunks, None))) is not None:
                volume.write(handle, at, data)
                at += len(data)
                progress(len(data))
                yield Pause(0)
        if not item.in_place:
            with _refusals(item.path):
                volume.rename(temporary, path)
    except BaseException:
        if not item.in_place:
            with contextlib.suppress(OSError):
                volume.remove(temporary)
        raise


def _fetch(volume: Volume, path: str, item: GetItem, progress: Progress) -> Op[None]:
    try:
        with _refusals(item.path), _opened(volume, path, "r") as handle:
            at = 0
            while at < item.size and (data := volume.read(handle, at, min(CHUNK, item.size - at))):
                yield from fill(item.sink, data)
                at += len(data)
                progress(len(data))
                yield Pause(0)
        if at < item.size:
            raise StreamError("protocol.stream.file-changed-while-read", path=item.path)
        yield from finish(item.sink)
    except BaseException:
        item.sink.drop()
        raise
