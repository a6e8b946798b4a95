"""The file operations of a board, as operations: RemoteFS and AsyncRemoteFS drive the same text.

Paths are the board's: absolute, or relative to its working directory. Each small operation is one program; what moves
file content goes through a Mover (device.transfer).
"""

from __future__ import annotations

import contextlib
import posixpath
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .. import limits
from ..errors import (
    EISDIR,
    ENOENT,
    ENOTDIR,
    BoardResetError,
    DeviceTimeoutError,
    RemoteError,
    RemoteException,
    RemoteOSError,
    StreamError,
    UpytoolError,
    UsageError,
)
from ..protocol.ops import Op
from .answers import sensible
from .fs_types import Entry, Mount, Removed, Stat
from .local import CallSink, local_size, opener
from .ondevice import INTERNED, argument, snippet
from .oneshot import Code, Unfit
from .retry import Capabilities
from .session import SNIPPET_LIMIT, Session
from .small_mover import ALL_BYTES, SmallMover
from .stream import creating, hint_for
from .transfer import GetItem, Mover, Progress, PutItem, Sink, Status, StreamMover, Survey, ignore

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

    @property
    def protected(self) -> frozenset[str]:
        """Mount points of this computer's folders, which nothing here deletes below."""
        return frozenset(("/remote", *self.session.host_mounts))

    def mover(self) -> Mover:
        """A way to move files; to be closed."""
        if self.session.host_mounts:
            from .mount_mover import MountMover

            return MountMover(self.session, self._large_mover())
        return SmallMover(self.session, self._large_mover)

    def _large_mover(self) -> Mover:
        return StreamMover(self.session, self.can)

    def moving(self, work: Callable[[Mover], Op[T]]) -> Op[T]:
        """Do `work` with a mover."""
        mover = self.mover()
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
        try:
            return (yield from self.session.call(name, *args, path=path, limit=limit, again=again))
        except RemoteOSError as error:
            raise RemoteOSError(error.errno or 5, path, hint=error.hint or hint_for(error.errno or 5)) from error

    def _one(self, name: str, path: str, *, changes: bool = False, **values: object) -> Op[tuple[bool, Any]]:
        """Do it by a short program: (whether that was possible, its answer).

        Args:
            changes: it changes something, so it is not done again in another way unless it certainly did not run: a
                second `mkdir` or `rm` would report what the first one did as an error.
            values: what stands in it; PATH is `path` unless it is among them.

        Errors: RemoteOSError for `path`; with `changes` whatever left it open whether it ran.
        """
        try:
            given: dict[str, Any] = {"PATH": path, **values}
            return True, (yield from self.session.one(name, path, limit=LONG, **given))
        except RemoteOSError as error:
            raise RemoteOSError(error.errno or 5, path, hint=error.hint or hint_for(error.errno or 5)) from error
        except BoardResetError:
            raise
        except Unfit:
            return False, None
        except (RemoteError, StreamError, DeviceTimeoutError):
            if changes:
                raise
            return False, None

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
            if what == "mkdir":
                done, _ = yield from self._one("mkdir", path, changes=True)
                if done:
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
        data = path.encode("utf-8", "surrogateescape")
        short = len(data) <= INTERNED
        try:
            # A short path costs less as bytes; a file system of the user's, in Python, that looks for texts has none
            # of that name, or cannot look.
            done, _ = yield from self._one("rm", path, changes=True, PATH=data if short else path)
        except RemoteOSError as error:
            if error.errno == ENOENT and not short:
                raise
            done = False
        except RemoteException as error:
            if error.kind != "TypeError":
                raise
            done = False
        if done:
            return
        looked, state = yield from self._one("stat", path)
        if looked and state and state[0] & 0x4000:
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
            raise UsageError(f":{source} cannot go into itself", hint="name a place outside of it")
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
                raise RemoteOSError(17, target, hint="remove or rename it first") from error
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

    def _entries(self, path: str) -> Op[list[Entry]]:
        """What is in one folder."""
        done, answer = yield from self._one("ls", path, PATH=path or Code())
        if done and answer is not None:
            with sensible():
                # Some file systems tell no size: the longer program asks for each.
                if all(item[1] & 0x4000 or len(item) > 3 for item in answer):
                    return [
                        Entry(str(item[0]), "dir", 0) if item[1] & 0x4000 else Entry(str(item[0]), "file", int(item[3]))
                        for item in answer
                    ]
        return (yield from self._listing(path, False))

    def _listing(self, path: str, deep: bool) -> Op[list[Entry]]:
        source = f"{snippet('fs_list')}\nrun({argument(path)},{int(deep)})"
        answer = yield from self.session.call_source(source, path, LONG, again=True)
        with sensible():
            return [Entry(str(name), "dir" if size < 0 else "file", max(0, size)) for name, size in answer]

    def ls(self, path: str = "") -> Op[list[Entry]]:
        """The entries of a folder, sorted by name; a file gives itself."""
        try:
            entries = yield from self._entries(path)
        except RemoteOSError as error:
            found = (yield from self.stats([path]))[0]
            if not isinstance(found, Stat) or found.is_dir:
                raise RemoteOSError(error.errno or 5, path or ".", hint=hint_for(error.errno or 5)) from error
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
                raise UsageError(
                    f"{path} lies in a directory of this computer that is mounted on the board",
                    hint="unmount it first, or delete the files here",
                ) from error
            if error.errno == 16:
                raise UsageError(
                    f"{path or '/'} is the whole file system of the board", hint="`upytool wipe` removes all files"
                ) from error
            raise RemoteOSError(error.errno or 5, path, hint=hint_for(error.errno or 5)) from error
        with sensible():
            return [Removed(str(name), bool(how), how == 2) for name, how in answer]

    def df(self) -> Op[list[Mount]]:
        done, told = yield from self._one("df", "")
        answer: Any = []
        if done and told:
            with sensible():
                known = sorted((path, kind, *state) for path, kind, state in told if state)
                answer = [(item[0], item[3] or item[2], item[4], item[5], item[1]) for item in known]
        if not answer:  # firmware without os.mount or os.statvfs: the longer program says why
            answer = yield from self._call("fs_df", again=True)
        with sensible():
            return [
                Mount(str(path), block * count, block * (count - free), block * free, str(kind), block)
                for path, block, count, free, kind in ((p, int(b), int(c), int(f), k) for p, b, c, f, k in answer)
            ]

    def hash(self, paths: Sequence[str], algo: str = "sha256") -> Op[dict[str, str | None]]:
        """Hexadecimal digests of files by any algorithm of the board's hashlib; None for what is no file."""
        out: dict[str, str | None] = {}
        for at in range(0, len(paths), 40):
            part = list(paths[at : at + 40])
            if algo == "sha256" and not self.session.host_mounts:
                done, found = yield from self._one("hash", "", PATHS=tuple(part))
                if done:
                    with sensible():
                        out.update(
                            (path, bytes(each).hex() if each else None) for path, each in zip(part, found, strict=True)
                        )
                    continue
            try:
                answer = yield from self._call("fs_hash", algo, *part, limit=LONG, again=True)
            except RemoteException as error:
                if error.kind in ("AttributeError", "ImportError"):
                    raise RemoteError(
                        f"the board's hashlib has no {algo}", hint="copy the file here and hash it: `upytool cp`"
                    ) from error
                raise
            with sensible():
                out.update(zip(part, answer, strict=True))
        return out

    def touch_all(self, paths: Iterable[str]) -> Op[None]:
        for path in paths:
            yield from self.touch(path)

    # -- content --------------------------------------------------------------------------------

    def fetch(self, path: str, sink: Sink, progress: Progress = ignore) -> Op[int]:
        """A file's content into `sink`; returns its size."""

        def work(mover: Mover) -> Op[int]:
            if isinstance(mover, SmallMover):
                try:
                    data = yield from mover.head(path)
                except RemoteOSError as error:
                    if error.errno == ENOENT:
                        raise
                    data = None  # a directory, for instance: looking tells which
                if data is not None:
                    sink.write(data)
                    sink.done()
                    progress(len(data))
                    return len(data)
            survey = yield from mover.survey([(path, -1)])
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
        size = len(source) if isinstance(source, bytes) else local_size(source)
        item = PutItem(path, size, opener(source), in_place)

        def work(mover: Mover) -> Op[None]:
            survey = yield from mover.survey([(path, -1)], space=parent_of(path) if size > ALL_BYTES else None)
            if survey.statuses[0].kind == "dir":
                raise RemoteOSError(21, path)
            check_space(survey, [(path, size, survey.statuses[0], in_place)])
            yield from mover.put([], [item], progress)

        yield from self.moving(work)
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
        # One file system is asked for its space: that of all of them, where they lie in one folder.
        large = sum(item.size for item in puts) > ALL_BYTES
        space = folders.pop() or "." if large and len(folders) == 1 else None

        def work(mover: Mover) -> Op[None]:
            if look:
                survey = yield from mover.survey([(item.path, -1) for item in puts], space=space)
                for item, status in zip(puts, survey.statuses, strict=True):
                    if status.kind == "dir":
                        raise RemoteOSError(21, item.path)
                writes = zip(puts, survey.statuses, strict=True)
                check_space(survey, [(item.path, item.size, old, False) for item, old in writes])
            yield from mover.put(made, puts)

        if puts or made:
            yield from self.moving(work)

    def fetch_many(self, paths: Sequence[str]) -> Op[dict[str, bytes]]:
        """The contents of many files by one program. Errors: RemoteOSError with the path."""
        parts: dict[str, list[bytes]] = {path: [] for path in paths}

        def work(mover: Mover) -> Op[None]:
            survey = yield from mover.survey([(path, -1) for path in parts])
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


def parent_of(path: str) -> str:
    """The folder of a path of the board, '' for the working directory."""
    cut = path.rstrip("/").rfind("/")
    return path[:cut] or "/" if cut >= 0 else ""


def check_space(survey: Survey, writes: Iterable[tuple[str, int, Status, bool]]) -> None:
    """Refuse before the first byte what cannot fit: (path, size, what is there, in place) in the order of writing.

    Whole blocks are counted, and both copies while an old file is replaced; a file of at most an eighth of a block
    counts nothing, for LittleFS may keep it in its folder's block. Errors: RemoteOSError (28, no space) with the path.
    """
    if not survey.block:
        return

    def blocks(size: int) -> int:
        return 0 if size <= survey.block // 8 else -(-size // survey.block)

    free = survey.free
    for path, size, old, in_place in writes:
        had = blocks(old.size) if old.kind == "file" else 0
        if in_place:
            free += had
        if blocks(size) > free:
            alone = had and not in_place and blocks(size) <= free + had
            raise RemoteOSError(
                28,
                path,
                hint=(
                    "not enough space to keep the old file until the new one is complete; `--in-place` overwrites it "
                    "directly (not crash-safe)"
                    if alone
                    else f"it needs {blocks(size) * survey.block:,} bytes, {free * survey.block:,} bytes are free"
                ),
            )
        free -= blocks(size)
        if not in_place:
            free += had
