"""The files of a board: `board.fs`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..events import Task
from ..place import Place
from .fs_ops import FsOps
from .fs_types import Agree, Entry, Mount, Removed, Stat, agreed
from .local import CallSink, FileSink
from .remote_path import RemotePath

if TYPE_CHECKING:
    from typing import BinaryIO

    from .backup import BackupResult
    from .copy import CopyResult
    from .device import Device
    from .diff import DiffResult

__all__ = ["Entry", "Mount", "RemoteFS", "RemotePath", "Removed", "Stat"]


class RemoteFS:
    """The files of one board.

    Paths are texts, absolute or relative to the board's working directory. A file is written under another name,
    compared on the board and renamed: whatever goes wrong, it is the old or the new one.

    Errors of every method: RemoteOSError (also an OSError, with the board's number) and what the connection raises.
    """

    def __init__(self, device: Device) -> None:
        self._device = device
        self.ops = FsOps(device.session)

    def path(self, path: str = "/") -> RemotePath:
        """A path of this board as an object like pathlib's."""
        return RemotePath(self, path)

    # -- looking --------------------------------------------------------------------------------

    def stat(self, path: str) -> Stat:
        """Kind, size and time of a path."""
        return self._device.drive(self.ops.stat(path))

    def exists(self, path: str) -> bool:
        return self._device.drive(self.ops.exists(path))

    def is_dir(self, path: str) -> bool:
        found = self._device.drive(self.ops.stats([path]))[0]
        return isinstance(found, Stat) and found.is_dir

    def is_file(self, path: str) -> bool:
        found = self._device.drive(self.ops.stats([path]))[0]
        return isinstance(found, Stat) and not found.is_dir

    def ls(self, path: str = "") -> list[Entry]:
        """The entries of a folder, by name; of a file the file itself."""
        return self._device.drive(self.ops.ls(path))

    def walk(self, path: str = "") -> list[Entry]:
        """All below a folder; each `name` is a path that begins with `path`. One round trip."""
        return self._device.drive(self.ops.walk(path))

    def df(self) -> list[Mount]:
        """The mounted file systems and their space."""
        return self._device.drive(self.ops.df())

    def hash(self, paths: Sequence[str] | str, algo: str = "sha256") -> dict[str, str | None]:
        """Hexadecimal digests by path, None for what is not a file. Errors: RemoteError without `algo`."""
        return self._device.drive(self.ops.hash([paths] if isinstance(paths, str) else paths, algo))

    def getcwd(self) -> str:
        return self._device.drive(self.ops.getcwd())

    def chdir(self, path: str) -> str:
        """Change the working directory; returns it as an absolute path."""
        return self._device.drive(self.ops.chdir(path))

    # -- changing -------------------------------------------------------------------------------

    def mkdir(self, path: str, parents: bool = False, exist_ok: bool = False) -> None:
        self._device.drive(self.ops.mkdir(path, parents, exist_ok))

    def rmdir(self, path: str) -> None:
        """Remove an empty folder."""
        self._device.drive(self.ops.rmdir(path))

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._device.drive(self.ops.remove(path))

    def rmtree(self, path: str, *, root: bool = False) -> list[Removed]:
        """Remove a file, or a folder with all below; a mount point and the working directory stay.

        `root=True` allows `/`. The paths returned begin with `path`.
        """
        return self._device.drive(self.ops.rmtree(path, root=root))

    def rename(self, source: str, target: str) -> None:
        """Rename as the board's file system does it."""
        self._device.drive(self.ops.rename(source, target))

    def move(self, source: str, target: str) -> str:
        """`mv`: into `target` where it is a folder, also between file systems; returns the new path."""
        return self._device.drive(self.ops.move(source, target))

    def touch(self, path: str) -> None:
        """Make an empty file where there is none."""
        self._device.drive(self.ops.touch(path))

    # -- content --------------------------------------------------------------------------------

    def read_bytes(self, path: str) -> bytes:
        """The content of a file, byte for byte."""
        parts: list[bytes] = []
        self._device.drive(self.ops.fetch(path, CallSink(parts.append)))
        return b"".join(parts)

    def read_to(self, path: str, sink: Callable[[bytes], object]) -> int:
        """Give a file's content to `sink` as it comes; returns its size."""
        return self._device.drive(self.ops.fetch(path, CallSink(sink)))

    def read_text(self, path: str) -> str:
        return self.read_bytes(path).decode("utf-8")

    def write_bytes(self, path: str, data: bytes, *, in_place: bool = False) -> None:
        """Replace a file's content as a whole. `in_place` overwrites the old file at once: no net, half the space."""
        self._device.drive(self.ops.store(path, data, in_place=in_place))

    def write_text(self, path: str, text: str) -> None:
        self.write_bytes(path, text.encode("utf-8"))

    def put_many(self, items: Sequence[tuple[str, bytes]], folders: Sequence[str] = (), *, look: bool = True) -> None:
        """Write many files, (path, content) each, by one program on the board.

        Each file is the old or the new one. A failure leaves those before it new.

        Args:
            folders: made before, where they do not exist; each lies in one that exists, or in one before it.
            look: see first that there is room, and no folder in the way of a file; False where you know.
        """
        self._device.drive(self.ops.store_many(items, folders, look=look))

    def get_many(self, paths: Sequence[str]) -> dict[str, bytes]:
        """Read many files by one program on the board: path -> content."""
        return self._device.drive(self.ops.fetch_many(paths))

    def get(self, remote: str, local: str | Path | BinaryIO) -> int:
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
            return self._device.drive(self.ops.fetch(remote, sink, task.advance))

    def put(self, local: str | Path, remote: str, *, in_place: bool = False) -> int:
        """Copy a local file to the board (into a folder under its own name). Returns the bytes copied."""
        path = Path(local)
        if remote.endswith("/") or self.is_dir(remote or "."):
            remote = f"{remote.rstrip('/')}/{path.name}" if remote else path.name
        with Task(self._device.reporter, path.name, None) as task:
            return self._device.drive(self.ops.store(remote, path, in_place=in_place, progress=task.advance))

    # -- trees ----------------------------------------------------------------------------------

    def copy(
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
        return self._device.drive(copy(self.ops, places, Place.parse(dest), options, self._device.reporter))

    def sync(
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
        return self._device.drive(work)

    # -- archives -------------------------------------------------------------------------------

    def backup(self, local: str | Path = "", path: str = "/") -> BackupResult:
        """Save what is below `path` on the board in an archive; see docs/guides/backup.md.

        Args:
            local: the file, which is replaced where it exists; `.zip` and `.tar.gz` say what it is, else it is a tar.
                '' or a folder: a name is made of the board's and the time.

        It appears when it is complete and agrees with the board's own digests. Folders of this computer that are
        mounted on the board are left out, and /rom unless `path` names it.

        Errors: also LocalFileError, StreamError, UsageError.
        """
        from .backup import backup

        return self._device.drive(backup(self.ops, str(local), path, reporter=self._device.reporter))

    def restore(
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
        return self._device.drive(work)

    def diff(
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
        return self._device.drive(work)
