"""The files of a board: `board.fs`, for asyncio.

Made from fs.py by tests/architecture/async_face.py, which a test runs again: change that file.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..events import Task
from ..place import Place
from .aio_path import AsyncRemotePath
from .fs_ops import FsOps
from .fs_types import Agree, Entry, Mount, Removed, Stat, agreed
from .local import CallSink, FileSink

if TYPE_CHECKING:
    from typing import BinaryIO

    from .aio_device import AsyncDevice
    from .backup import BackupResult
    from .copy import CopyResult
    from .diff import DiffResult


class AsyncRemoteFS:
    """The files of one board.

    Paths are texts, absolute or relative to the board's working directory. A file is written under another name,
    compared on the board and renamed: whatever goes wrong, it is the old or the new one.

    Errors of every method: RemoteOSError (also an OSError, with the board's number) and what the connection raises.
    """

    def __init__(self, device: AsyncDevice) -> None:
        self._device = device
        self.ops = FsOps(device.session)

    def path(self, path: str = "/") -> AsyncRemotePath:
        """A path of this board as an object like pathlib's."""
        return AsyncRemotePath(self, path)

    # -- looking --------------------------------------------------------------------------------

    async def stat(self, path: str) -> Stat:
        """Kind, size and time of a path."""
        return await self._device.drive(self.ops.stat(path))

    async def exists(self, path: str) -> bool:
        return await self._device.drive(self.ops.exists(path))

    async def is_dir(self, path: str) -> bool:
        found = (await self._device.drive(self.ops.stats([path])))[0]
        return isinstance(found, Stat) and found.is_dir

    async def is_file(self, path: str) -> bool:
        found = (await self._device.drive(self.ops.stats([path])))[0]
        return isinstance(found, Stat) and not found.is_dir

    async def ls(self, path: str = "") -> list[Entry]:
        """The entries of a folder, by name; of a file the file itself."""
        return await self._device.drive(self.ops.ls(path))

    async def walk(self, path: str = "") -> list[Entry]:
        """All below a folder; each `name` is a path that begins with `path`. One round trip."""
        return await self._device.drive(self.ops.walk(path))

    async def df(self) -> list[Mount]:
        """The mounted file systems and their space."""
        return await self._device.drive(self.ops.df())

    async def hash(self, paths: Sequence[str] | str, algo: str = "sha256") -> dict[str, str | None]:
        """Hexadecimal digests by path, None for what is not a file. Errors: RemoteError without `algo`."""
        return await self._device.drive(self.ops.hash([paths] if isinstance(paths, str) else paths, algo))

    async def getcwd(self) -> str:
        return await self._device.drive(self.ops.getcwd())

    async def chdir(self, path: str) -> str:
        """Change the working directory; returns it as an absolute path."""
        return await self._device.drive(self.ops.chdir(path))

    # -- changing -------------------------------------------------------------------------------

    async def mkdir(self, path: str, parents: bool = False, exist_ok: bool = False) -> None:
        await self._device.drive(self.ops.mkdir(path, parents, exist_ok))

    async def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        await self._device.drive(self.ops.rmdir(path))

    async def remove(self, path: str) -> None:
        """Remove a file."""
        await self._device.drive(self.ops.remove(path))

    async def rmtree(self, path: str, *, root: bool = False) -> list[Removed]:
        """Remove a file, or a folder with all below; a mount point and the working directory stay.

        `root=True` allows `/`. The paths returned begin with `path`.
        """
        return await self._device.drive(self.ops.rmtree(path, root=root))

    async def rename(self, source: str, target: str) -> None:
        """Rename as the board's file system does it."""
        await self._device.drive(self.ops.rename(source, target))

    async def move(self, source: str, target: str) -> str:
        """`mv`: into `target` where it is a folder, also between file systems; returns the new path."""
        return await self._device.drive(self.ops.move(source, target))

    async def touch(self, path: str) -> None:
        """Make an empty file where there is none."""
        await self._device.drive(self.ops.touch(path))

    # -- content --------------------------------------------------------------------------------

    async def read_bytes(self, path: str) -> bytes:
        """The content of a file, byte for byte."""
        parts: list[bytes] = []
        await self._device.drive(self.ops.fetch(path, CallSink(parts.append)))
        return b"".join(parts)

    async def read_to(self, path: str, sink: Callable[[bytes], object]) -> int:
        """Give a file's content to `sink` as it comes; returns its size."""
        return await self._device.drive(self.ops.fetch(path, CallSink(sink)))

    async def read_text(self, path: str) -> str:
        return (await self.read_bytes(path)).decode("utf-8")

    async def write_bytes(self, path: str, data: bytes, *, in_place: bool = False) -> None:
        """Replace a file's content as a whole. `in_place` overwrites the old file at once: no net, half the space."""
        await self._device.drive(self.ops.store(path, data, in_place=in_place))

    async def write_text(self, path: str, text: str) -> None:
        await self.write_bytes(path, text.encode("utf-8"))

    async def put_many(
        self, items: Sequence[tuple[str, bytes]], folders: Sequence[str] = (), *, look: bool = True
    ) -> None:
        """Write many files, (path, content) each, by one program on the board.

        Each file is the old or the new one. A failure leaves those before it new.

        Args:
            folders: made before, where they do not exist; each lies in one that exists, or in one before it.
            look: see first that there is room, and no folder in the way of a file; False where you know.
        """
        await self._device.drive(self.ops.store_many(items, folders, look=look))

    async def get_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Read many files by one program on the board: path -> content."""
        return await self._device.drive(self.ops.fetch_many(paths))

    async def get(self, remote: str, local: str | Path | BinaryIO) -> int:
        """Fetch a file to a local path (a folder takes it under its own name) or an open binary file.

        Returns the bytes fetched. Errors: also LocalFileError.
        """
        if isinstance(local, (str, Path)):
            path = Path(local)
            if os.path.isdir(path):
                path = path / remote.rstrip("/").rpartition("/")[2]
            sink: FileSink | CallSink = FileSink(path)
        else:
            sink = CallSink(local.write)
        with Task(self._device.reporter, remote, None) as task:
            return await self._device.drive(self.ops.fetch(remote, sink, task.advance))

    async def put(self, local: str | Path, remote: str, *, in_place: bool = False) -> int:
        """Copy a local file to the board (into a folder under its own name). Returns the bytes copied."""
        path = Path(local)
        if remote.endswith("/") or await self.is_dir(remote or "."):
            remote = f"{remote.rstrip('/')}/{path.name}" if remote else path.name
        with Task(self._device.reporter, path.name, None) as task:
            return await self._device.drive(self.ops.store(remote, path, in_place=in_place, progress=task.advance))

    # -- trees ----------------------------------------------------------------------------------

    async def copy(
        self,
        sources: Sequence[str | Place] | str | Place,
        dest: str | Place,
        *,
        recursive: bool = False,
        force: bool = False,
        dry_run: bool = False,
        in_place: bool = False,
        mpy: bool = False,
        ignore: Sequence[str] = (),
        default_ignores: bool = True,
    ) -> CopyResult:
        """`cp`: what begins with `:` is on the board, everything else here; see docs/guides/files.md.

        Args:
            sources: files, and with `recursive` folders; a trailing `/` means a folder's contents.
            dest: a folder that exists takes the sources in; any other name is the new name.
            force: write also what is unchanged.
            dry_run: only make the plan.
            in_place: overwrite old files at once, where two copies do not fit.
            mpy: compile .py files (never main.py and boot.py) for this board on the way.
            ignore: patterns of files to leave out, after the defaults and `.upytoolignore`.

        Errors: UsageError, LocalFileError.
        """
        from .copy import CopyOptions
        from .copy_ops import copy

        options = CopyOptions(recursive, force, dry_run, in_place, mpy, tuple(ignore), default_ignores)
        many = [sources] if isinstance(sources, (str, Place)) else sources
        places = [Place.parse(each) for each in many]
        return await self._device.drive(copy(self.ops, places, Place.parse(dest), options, self._device.reporter))

    async def sync(
        self,
        local: str | Path,
        remote: str | Place,
        *,
        delete: bool = False,
        keep: Sequence[str] = (),
        pull: bool = False,
        force: bool = False,
        dry_run: bool = False,
        in_place: bool = False,
        mpy: bool = False,
        ignore: Sequence[str] = (),
        default_ignores: bool = True,
        agree: Agree = agreed,
    ) -> CopyResult:
        """Make a folder of the board equal to a local one; with `pull` the other way round.

        Args:
            delete: remove what the source does not have, but nothing that `keep` or an ignore rule names.
            keep: patterns of paths below the folder that stay.
            agree: is called with a question before all that is there goes, or what the board starts with; it raises to
                stop.

        The other arguments, and errors, are those of `copy`.
        """
        from .copy import CopyOptions
        from .sync import sync

        options = CopyOptions(True, force, dry_run, in_place, mpy, tuple(ignore), default_ignores)
        work = sync(
            self.ops,
            str(local),
            Place.parse(remote).path,
            options,
            delete=delete,
            keep=keep,
            pull=pull,
            reporter=self._device.reporter,
            agree=agree,
        )
        return await self._device.drive(work)

    # -- archives -------------------------------------------------------------------------------

    async def backup(self, local: str | Path = "", path: str = "/") -> BackupResult:
        """Save what is below `path` on the board in an archive; see docs/guides/backup.md.

        Args:
            local: the file, which is replaced where it exists; `.zip` and `.tar.gz` say what it is, else it is a tar.
                '' or a folder: a name is made of the board's and the time.

        It appears when it is complete and agrees with the board's own digests. Folders of this computer that are
        mounted on the board are left out, and /rom unless `path` names it.

        Errors: also LocalFileError, StreamError, UsageError.
        """
        from .backup import backup

        return await self._device.drive(backup(self.ops, str(local), path, reporter=self._device.reporter))

    async def restore(
        self,
        local: str | Path,
        path: str = "",
        *,
        delete: bool = False,
        dry_run: bool = False,
        in_place: bool = False,
        agree: Agree = agreed,
    ) -> CopyResult:
        """Bring the files of a backup back to where they were.

        Args:
            path: only what is at and below this path of the board.
            delete: remove what the backup does not have.
            dry_run: only make the plan.
            in_place: overwrite old files at once, where two copies do not fit.
            agree: as for `sync`.

        Errors: also LocalFileError for an archive that is damaged or no backup, UsageError; before anything is written.
        """
        from .backup import restore

        work = restore(
            self.ops,
            str(local),
            path,
            delete=delete,
            dry_run=dry_run,
            in_place=in_place,
            reporter=self._device.reporter,
            agree=agree,
        )
        return await self._device.drive(work)

    async def diff(
        self,
        left: str | Path,
        right: str | Path = "",
        *,
        ignore: Sequence[str] = (),
        default_ignores: bool = True,
        text: bool = False,
    ) -> DiffResult:
        """Compare a local folder or file, a backup, or a path of the board (`:path`) with another, by content.

        Args:
            left, right: one of them is on the board; a backup alone is compared with what was saved.
            ignore, default_ignores: as for `sync`.
            text: also make unified diffs of text files that changed.

        Errors: also LocalFileError, UsageError.
        """
        from .diff import diff

        work = diff(self.ops, str(left), str(right), ignore=ignore, default_ignores=default_ignores, text=text)
        return await self._device.drive(work)
