"""The file operations of a board, as operations: RemoteFS and AsyncRemoteFS drive the same text.

Paths are the board's: absolute, or relative to its working directory. Each small operation is one program; what moves
file content goes through a Mover (device.transfer).
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import limits
from ..errors import (
    EISDIR,
    ENOENT,
    ENOTDIR,
    RemoteError,
    RemoteException,
    RemoteOSError,
    UpytoolError,
    UsageError,
)
from ..protocol.ops import Op, on_host
from ..words import Said
from .answers import sensible
from .fs_errors import creating, named, refused
from .fs_short import ShortFs, mount
from .fs_types import Entry, Mount, Removed, Stat
from .local import CallSink, local_size, opener
from .mover import GetItem, Mover, Progress, PutItem, Sink, check_space, fill, finish, ignore
from .ondevice import argument, snippet
from .remote_path import parent_of
from .retry import Capabilities
from .session import SNIPPET_LIMIT, Session

T = TypeVar("T")

LONG = limits.BOARD_LONG_SECONDS


class FsOps:
    """The operations on one board's files.

    Attributes:
        can: what was learnt of the board's ways to transfer.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.can = Capabilities()
        self._short = ShortFs(session)

    @property
    def protected(self) -> frozenset[str]:
        """Mount points of this computer's folders, which nothing here deletes below."""
        return frozenset(("/remote", *self.session.host_mounts))

    def mover(self, sizes: Sequence[int] = ()) -> Mover:
        """A way to move files, the cheapest for `sizes` as far as they are known; to be closed."""
        from .small_mover import SmallMover, are_small

        if self.session.host_mounts:
            from .mount_mover import MountMover

            return MountMover(self.session, self._large_mover())
        if self.session.has_files or are_small(sizes):
            return SmallMover(self.session, self._large_mover)
        return self._large_mover()

    def _large_mover(self) -> Mover:
        from .transfer import StreamMover

        stream = StreamMover(self.session, self.can)
        if not self.session.has_files:
            return stream
        from .channel_mover import ChannelMover

        return ChannelMover(self.session, stream)

    def moving(self, work: Callable[[Mover], Op[T]], sizes: Sequence[int] = ()) -> Op[T]:
        """Do `work` with a mover, of files of `sizes` as far as they are known."""
        mover = self.mover(sizes)
        try:
            result = yield from work(mover)
        except UpytoolError:
            # What failed on our side leaves the program on the board running, and its prompt away.
            with contextlib.suppress(UpytoolError):
                yield from mover.close()
            raise
        yield from mover.close()
        return result

    # -- one program each -----------------------------------------------------------------------

    def _call(
        self, name: str, *args: object, path: str = "", limit: float = SNIPPET_LIMIT, again: bool = False
    ) -> Op[Any]:
        with named(path):
            return (yield from self.session.call(name, *args, path=path, limit=limit, again=again))

    def stats(self, paths: Sequence[str]) -> Op[list[Stat | int]]:
        """For each path its Stat, or the board's error number."""
        return (yield from self._stats(paths))[1]

    def _stats(self, paths: Sequence[str]) -> Op[tuple[str, list[Stat | int]]]:
        """The working directory, and the same."""
        answer = yield from self._call("fs_stat", *paths, again=True)
        with sensible():
            cwd, *items = answer
            if len(items) != len(paths):
                raise ValueError
            return str(cwd), [
                item if isinstance(item, int) else Stat("dir" if item[0] & 0x4000 else "file", item[1], item[2])
                for item in items
            ]

    def stat(self, path: str) -> Op[Stat]:
        found = (yield from self.stats([path]))[0]
        if isinstance(found, int):
            raise RemoteOSError(found, path)
        return found

    def exists(self, path: str) -> Op[bool]:
        return isinstance((yield from self.stats([path]))[0], Stat)

    def getcwd(self) -> Op[str]:
        return (yield from self._stats([]))[0]

    def _do(self, what: str, path: str, other: str | None = None) -> Op[str]:
        return str((yield from self._call("fs_do", what, path, other, path=path)))

    def _make(self, what: str, path: str) -> Op[None]:
        with creating():
            if what == "mkdir" and (yield from self._short.mkdir(path)):
                return
            yield from self._do(what, path)

    def chdir(self, path: str) -> Op[str]:
        try:
            return (yield from self._do("chdir", path))
        except RemoteOSError as error:
            # VfsLfs and VfsFat say ENOENT of a file as well.
            if error.errno == ENOENT and (yield from self.exists(path)):
                raise RemoteOSError(ENOTDIR, path) from error
            raise

    def mkdir(self, path: str, parents: bool = False, exist_ok: bool = False) -> Op[None]:
        try:
            yield from self._make("mkdirs" if parents else "mkdir", path)
        except RemoteOSError as error:
            if not (exist_ok and error.errno == 17 and (yield from self.stat(path)).is_dir):
                raise

    def rmdir(self, path: str) -> Op[None]:
        yield from self._do("rmdir", path)

    def remove(self, path: str) -> Op[None]:
        if (yield from self._short.remove(path)):
            return
        if (yield from self._short.is_directory(path)):
            raise RemoteOSError(EISDIR, path)
        yield from self._do("remove", path)

    def touch(self, path: str) -> Op[None]:
        yield from self._make("touch", path)

    def rename(self, source: str, target: str) -> Op[None]:
        yield from self._do("rename", source, target)

    def move(self, source: str, target: str) -> Op[str]:
        """`mv`: into `target` where it is a folder; between file systems a copy, then a removal.

        Returns the new path. Errors: RemoteOSError (17 where a folder would have to be merged into another); UsageError
        for a folder that would go into itself, which FAT does not refuse and loses.
        """
        cwd, (what, where) = yield from self._stats([source, target])
        if isinstance(what, int):
            raise RemoteOSError(what, source)
        if isinstance(where, Stat) and where.is_dir:
            target = f"{target.rstrip('/')}/{source.rstrip('/').rpartition('/')[2]}"
        here, there = (posixpath.normpath(posixpath.join(cwd or "/", path)) for path in (source, target))
        if here == there:
            return target
        if what.is_dir and there.startswith(here.rstrip("/") + "/"):
            raise UsageError("usage.into-itself", path=source)
        try:
            yield from self.rename(source, target)
        except RemoteOSError as error:
            if error.errno == ENOENT:
                with creating():  # the source exists, so it is the target's directory that does not
                    raise RemoteOSError(ENOENT, target) from error
            # vfs_rename (extmod/vfs.c) answers EPERM for two mounts (63 where the compiler's numbers are WASI's), and
            # some file systems refuse to replace a file.
            if error.errno not in (1, 17, 18, 63):
                raise
            if what.is_dir and (yield from self.exists(target)):
                raise RemoteOSError(17, target, hint=Said("device.in-the-way")) from error
            yield from self.copy_on_board(source, target)
            yield from self.rmtree(source)
        return target

    def copy_on_board(self, source: str, target: str) -> Op[int]:
        """Copy a file or folder within the board; no content passes the wire. Returns the bytes copied."""
        total = 0
        found = yield from self.stat(source)
        if not found.is_dir:
            with creating():
                size = yield from self._call("fs_copy", source, target, path=target, limit=LONG)
            return _size(size)
        yield from self.mkdir(target, exist_ok=True)
        for entry in sorted((yield from self.walk(source)), key=lambda entry: entry.name):
            there = target.rstrip("/") + "/" + entry.name[len(source.rstrip("/")) + 1 :]
            if entry.is_dir:
                yield from self.mkdir(there, exist_ok=True)
            else:
                size = yield from self._call("fs_copy", entry.name, there, path=there, limit=LONG)
                total += _size(size)
        return total

    def _listing(self, path: str, deep: bool) -> Op[list[Entry]]:
        source = f"{snippet('fs_list')}\nrun({argument(path)},{int(deep)})"
        answer = yield from self.session.call_source(source, path, LONG, again=True)
        with sensible():
            return [Entry(str(name), "dir" if size < 0 else "file", max(0, size)) for name, size in answer]

    def ls(self, path: str = "") -> Op[list[Entry]]:
        """The entries of a folder, sorted by name; a file gives itself."""
        try:
            entries = yield from self._short.entries(path)
            if entries is None:
                entries = yield from self._listing(path, False)
        except RemoteOSError as error:
            found = (yield from self.stats([path]))[0]
            if not isinstance(found, Stat) or found.is_dir:
                raise refused(error.errno, path or ".") from error
            return [Entry(path, found.kind, found.size)]
        return sorted(entries, key=lambda entry: entry.name)

    def walk(self, path: str = "") -> Op[list[Entry]]:
        """All entries below a folder, their names being paths that begin with `path`."""
        return sorted((yield from self._listing(path, True)), key=lambda entry: entry.name.split("/"))

    def rmtree(self, path: str, *, root: bool = False) -> Op[list[Removed]]:
        """Remove a file, or a folder with all below. `root` allows the whole file system.

        The working directory ('' or '.') is emptied and stays. Returned paths begin with `path`.

        Errors: RemoteOSError; UsageError for the root, and below a folder of this computer.
        """
        source = f"{snippet('fs_rmtree')}\nrun({argument(path)},{int(root)},{argument(sorted(self.protected))})"
        try:
            answer = yield from self.session.call_source(source, path, LONG)
        except RemoteOSError as error:
            if error.errno == 1:
                raise UsageError("usage.in-mount", path=path) from error
            if error.errno == 16:
                raise UsageError("usage.root", path=path or "/") from error
            raise refused(error.errno, path) from error
        with sensible():
            return [Removed(str(name), bool(how), how == 2) for name, how in answer]

    def df(self) -> Op[list[Mount]]:
        mounts = yield from self._short.mounts()
        if not mounts:  # firmware without os.mount or os.statvfs: the longer program says why
            answer = yield from self._call("fs_df", again=True)
            with sensible():
                mounts = [mount(*item) for item in answer]
        return mounts

    def hash(self, paths: Sequence[str], algo: str = "sha256") -> Op[dict[str, str | None]]:
        """Hexadecimal digests of files by any algorithm of the board's hashlib; None for what is not a file."""
        out: dict[str, str | None] = {}
        for at in range(0, len(paths), 40):
            part = list(paths[at : at + 40])
            if algo == "sha256" and not self.session.host_mounts:
                found = yield from self._short.digests(part)
                if found is not None:
                    out.update(zip(part, found))
                    continue
            try:
                answer = yield from self._call("fs_hash", algo, *part, limit=LONG, again=True)
            except RemoteException as error:
                if error.kind in ("AttributeError", "ImportError"):
                    raise RemoteError("remote.no-hash", algorithm=algo) from error
                raise
            with sensible():
                out.update(zip(part, answer, strict=True))
        return out

    # -- content --------------------------------------------------------------------------------

    def fetch(self, path: str, sink: Sink, progress: Progress = ignore) -> Op[int]:
        """A file's content into `sink`; returns its size."""

        from .small_mover import SmallMover

        def work(mover: Mover) -> Op[int]:
            if isinstance(mover, SmallMover):
                try:
                    data = yield from mover.head(path)
                except RemoteOSError as error:
                    if error.errno == ENOENT:
                        raise
                    data = None  # a directory, for instance: looking tells which
                if data is not None:
                    try:
                        yield from fill(sink, data)
                        yield from finish(sink)
                    except BaseException:
                        sink.drop()
                        raise
                    progress(len(data))
                    return len(data)
            survey = yield from mover.survey([(path, -1)], spelling=False)
            found = survey.statuses[0]
            if found.kind == "none":
                # The survey tells what is there, not why something is not; opening it does.
                yield from mover.get([GetItem(path, 0, CallSink(ignore))])
            if found.kind != "file":
                raise RemoteOSError(21 if found.kind == "dir" else 2, path or ".")
            yield from mover.get([GetItem(path, found.size, sink)], progress)
            return found.size

        return (yield from self.moving(work))

    def store(self, path: str, source: Path | bytes, *, in_place: bool = False, progress: Progress = ignore) -> Op[int]:
        """Content into a file of the board; returns its size. A failure keeps the old file."""
        size = len(source) if isinstance(source, bytes) else (yield from on_host(local_size, source))
        item = PutItem(path, size, opener(source), in_place)

        def work(mover: Mover) -> Op[None]:
            survey = yield from mover.survey([(path, -1)], spelling=False)
            if survey.statuses[0].kind == "dir":
                raise RemoteOSError(21, path)
            space = yield from mover.space(parent_of(path) or ".", [size])
            check_space(space, [(path, size, survey.statuses[0], in_place)])
            yield from mover.put([], [item], progress)

        yield from self.moving(work, [size])
        return size

    def store_many(
        self, items: Sequence[tuple[str, bytes]], made: Sequence[str] = (), *, look: bool = True
    ) -> Op[None]:
        """Content into many files by one program, after the folders `made`; each is the old or the new one.

        With `look` it is seen first that there is room, and no folder in the way. A failure leaves the files before it
        new. Errors: RemoteOSError with the path that the board refused.
        """
        puts = [PutItem(path, len(data), opener(data)) for path, data in items]
        folders = {parent_of(path) for path, _ in items}
        sizes = [item.size for item in puts]

        def work(mover: Mover) -> Op[None]:
            if look:
                survey = yield from mover.survey([(item.path, -1) for item in puts], spelling=False)
                for item, status in zip(puts, survey.statuses, strict=True):
                    if status.kind == "dir":
                        raise RemoteOSError(21, item.path)
                # One file system is asked for its space: that of all of them, where they lie in one folder.
                if len(folders) == 1:
                    space = yield from mover.space(next(iter(folders)) or ".", sizes)
                    writes = zip(puts, survey.statuses, strict=True)
                    check_space(space, [(item.path, item.size, old, False) for item, old in writes])
            yield from mover.put(made, puts)

        if puts or made:
            yield from self.moving(work, sizes)

    def fetch_many(self, paths: Sequence[str]) -> Op[dict[str, bytes]]:
        """The contents of many files by one program. Errors: RemoteOSError with the path."""
        parts: dict[str, list[bytes]] = {path: [] for path in paths}

        def work(mover: Mover) -> Op[None]:
            survey = yield from mover.survey([(path, -1) for path in parts], spelling=False)
            for (path, chunks), status in zip(parts.items(), survey.statuses, strict=True):
                chunks.clear()
                if status.kind != "file":
                    raise RemoteOSError(21 if status.kind == "dir" else 2, path)
            yield from mover.get(
                [
                    GetItem(path, status.size, CallSink(chunks.append))
                    for (path, chunks), status in zip(parts.items(), survey.statuses, strict=True)
                ]
            )

        if parts:
            yield from self.moving(work)
        return {path: b"".join(chunks) for path, chunks in parts.items()}


def _size(answer: object) -> int:
    with sensible():
        return int(str(answer))
