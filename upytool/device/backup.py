"""The whole file system of a board in one archive: backup, restore, and what differs.

An archive is a tar (`.tar`, `.tar.gz`) or a zip (`.zip`) that any tool opens: the files under their paths, with their
times, and `upytool-backup.json`: what board it was, and each file's size and SHA-256. It appears under its name when it
is complete. A restore compares every file of the archive with that list before the board is touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, Protocol

from ..errors import LocalFileError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..protocol.ops import Op
from .copy import CopyPlan
from .copy_ops import CopyOptions, CopyResult
from .fs_ops import FsOps
from .fs_types import Stat
from .info import BoardInfo
from .local import local_error
from .sync import sync
from .transfer import GetItem, Mover

MANIFEST = "upytool-backup.json"
SPOOL = 1 << 20
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class SavedFile:
    """One file of a backup: bytes, seconds since 1970 (0: unknown), hexadecimal SHA-256."""

    size: int
    mtime: int
    sha256: str


@dataclass(frozen=True, slots=True)
class BackupInfo:
    """What a backup holds.

    Attributes:
        root: the folder of the board that was saved.
        created: seconds since 1970.
        board: implementation, version, machine, build, unique_id.
        files: path below the root -> SavedFile.
        dirs: paths of the folders below the root.
    """

    root: str
    created: int
    board: Mapping[str, str]
    files: Mapping[str, SavedFile]
    dirs: tuple[str, ...]

    def data(self) -> dict[str, object]:
        return {
            "format": 1,
            "root": self.root,
            "created": self.created,
            "board": dict(self.board),
            "dirs": list(self.dirs),
            "files": {path: asdict(file) for path, file in self.files.items()},
        }


class _Archive(Protocol):
    def add(self, path: str, file: BinaryIO, size: int, mtime: int) -> None: ...

    def close(self) -> None: ...


class _Tar:
    def __init__(self, path: str, gz: bool) -> None:
        self._tar = tarfile.open(path, "w:gz" if gz else "w", format=tarfile.PAX_FORMAT)

    def add(self, path: str, file: BinaryIO, size: int, mtime: int) -> None:
        info = tarfile.TarInfo(path)
        info.size, info.mtime = size, mtime
        self._tar.addfile(info, file)

    def close(self) -> None:
        self._tar.close()


class _Zip:
    def __init__(self, path: str) -> None:
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED)

    def add(self, path: str, file: BinaryIO, size: int, mtime: int) -> None:
        stamp = max(time.gmtime(mtime)[:6], ZIP_EPOCH)
        with self._zip.open(zipfile.ZipInfo(path, stamp), "w") as out:
            while data := file.read(1 << 16):
                out.write(data)

    def close(self) -> None:
        self._zip.close()


class _Sink:
    """A file from the board on its way into the archive: at most 1 MB of it in memory."""

    def __init__(self, archive: _Archive, path: str, mtime: int, found: dict[str, SavedFile]) -> None:
        self._archive, self._path, self._mtime, self._found = archive, path, mtime, found
        self._file: Any = None
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes) -> None:
        if self._file is None:
            self._file = tempfile.SpooledTemporaryFile(SPOOL)
        self._file.write(data)
        self._hash.update(data)
        self._size += len(data)

    def done(self) -> None:
        self.write(b"")
        self._file.seek(0)
        self._archive.add(self._path, self._file, self._size, self._mtime)
        self._found[self._path] = SavedFile(self._size, self._mtime, self._hash.hexdigest())
        self.drop()

    def drop(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def backup(fs: FsOps, target: str, root: str = "/", *, reporter: Reporter = NULL) -> Op[BackupInfo]:
    """Save all files below `root` (what is mounted from this computer or from ROM excepted) to the archive `target`.

    Errors: UsageError for an ending that is no archive's; LocalFileError; RemoteOSError.
    """
    _kind(target)
    root = root.removeprefix(":").rstrip("/") or "/"
    mounts = yield from fs.df()
    foreign = {mount.path.rstrip("/") for mount in mounts if "Rom" in mount.kind} | fs.protected
    listing = yield from fs.walk(root)
    prefix = root.rstrip("/") + "/"
    entries = [
        entry
        for entry in listing
        if not any(entry.name == path or entry.name.startswith(path + "/") for path in foreign if path)
    ]
    files = {entry.name: entry.size for entry in entries if not entry.is_dir}
    times: dict[str, int] = {}
    for part in _parts(list(files), 40):
        for path, state in zip(part, (yield from fs.stats(part)), strict=True):
            times[path] = state.mtime if isinstance(state, Stat) else 0
    board = _board((yield from fs.session.info()))
    dirs = tuple(entry.name[len(prefix) :] for entry in entries if entry.is_dir)
    temp = _temporary(Path(target))
    try:
        archive = _create(target, temp)
        saved: dict[str, SavedFile] = {}
        with contextlib.closing(archive), Task(reporter, target, sum(files.values())) as task:
            items = [
                GetItem(path, size, _Sink(archive, path[len(prefix) :], times[path], saved))
                for path, size in files.items()
            ]

            def work(mover: Mover) -> Op[None]:
                yield from mover.get(items, task.advance)

            yield from fs.moving(work)
            info = BackupInfo(root, int(time.time()), board, saved, dirs)
            text = json.dumps(info.data(), indent=1, ensure_ascii=False).encode()
            with tempfile.SpooledTemporaryFile(SPOOL) as file:
                file.write(text)
                file.seek(0)
                archive.add(MANIFEST, file, len(text), info.created)  # type: ignore[arg-type]
        os.replace(temp, target)
    except OSError as error:
        raise local_error(error, target) from error
    finally:
        with contextlib.suppress(OSError):
            os.unlink(temp)
    return info


def restore(
    fs: FsOps,
    source: str,
    root: str = "",
    *,
    delete: bool = False,
    dry_run: bool = False,
    in_place: bool = False,
    reporter: Reporter = NULL,
) -> Op[CopyResult]:
    """Bring the files of a backup back, to where they were or below `root`; `delete` removes what it does not have.

    Errors: LocalFileError for an archive that is damaged (the board is not touched then); those of sync.
    """
    with tempfile.TemporaryDirectory(prefix="upytool-") as folder:
        info = unpack(source, Path(folder))
        board = _board((yield from fs.session.info()))
        if info.board.get("unique_id") and info.board["unique_id"] != board["unique_id"]:
            notice(reporter, f"this backup is of another board ({info.board.get('machine', '')})", "warning")
        options = CopyOptions(recursive=True, dry_run=dry_run, in_place=in_place, default_ignores=False)
        target = root.removeprefix(":") or info.root
        return (
            yield from sync(fs, folder, f":{target}", options, delete=delete, reporter=reporter, own_ignores=False)
        )


@dataclass(frozen=True, slots=True)
class Difference:
    """One path: `changed`, `board` (only there) or `local` (only here)."""

    path: str
    how: str
    size: int

    def data(self) -> dict[str, object]:
        return {"path": self.path, "how": self.how, "size": self.size}


def diff(fs: FsOps, other: str, root: str = "/", *, reporter: Reporter = NULL) -> Op[list[Difference]]:
    """What differs between the board below `root` and `other`, a local folder or a backup. Contents are compared.

    Errors: LocalFileError, RemoteOSError.
    """
    if Path(other).is_dir():
        options = CopyOptions(recursive=True, dry_run=True)
        result = yield from sync(fs, other, f":{root}", options, delete=True, reporter=reporter, check=False)
        return _differences(result.plan)
    with tempfile.TemporaryDirectory(prefix="upytool-") as folder:
        unpack(other, Path(folder))
        options = CopyOptions(recursive=True, dry_run=True, default_ignores=False)
        result = yield from sync(
            fs, folder, f":{root}", options, delete=True, reporter=reporter, check=False, own_ignores=False
        )
    return _differences(result.plan)


def _differences(plan: CopyPlan) -> list[Difference]:
    how = {"new": "local", "changed": "changed", "extra": "board"}
    return [
        Difference(action.path, how[action.why], action.size) for action in plan.actions if action.why in how
    ]


def read_info(source: str) -> BackupInfo:
    """What a backup holds. Errors: LocalFileError."""
    with tempfile.TemporaryDirectory(prefix="upytool-") as folder:
        return unpack(source, Path(folder))


def unpack(source: str, folder: Path) -> BackupInfo:
    """Unpack a backup into an empty folder and compare every file with its list. Errors: LocalFileError."""
    try:
        if _kind(source) == "zip":
            with zipfile.ZipFile(source) as archive:
                for name in archive.namelist():
                    _check_name(name, source)
                archive.extractall(folder)
        else:
            with tarfile.open(source) as tar:
                tar.extractall(folder, filter="data")
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        (folder / MANIFEST).unlink()
        info = _info(json.loads(text))
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, ValueError, KeyError, TypeError) as error:
        raise LocalFileError(f"{source} is no backup of upytool, or it is damaged: {error}") from error
    except OSError as error:
        raise local_error(error, source) from error
    for path in info.dirs:
        _check_name(path, source)
        (folder / path).mkdir(parents=True, exist_ok=True)
    for path, saved in info.files.items():
        _check_name(path, source)
        if _sha256(folder / path) != saved.sha256:
            raise LocalFileError(
                f"{source} is damaged: {path} differs from what was saved", hint="use another backup"
            )
    return info


def _check_name(name: str, source: str) -> None:
    if name.startswith("/") or ".." in PurePosixPath(name).parts:
        raise LocalFileError(f"{source} holds the path {name!r}, which leads out of it", hint="do not trust it")


def _info(data: Any) -> BackupInfo:
    files = {str(path): SavedFile(int(f["size"]), int(f["mtime"]), str(f["sha256"])) for path, f in data["files"].items()}
    board = {str(key): str(value) for key, value in data["board"].items()}
    return BackupInfo(str(data["root"]), int(data["created"]), board, files, tuple(map(str, data["dirs"])))


def _board(info: BoardInfo) -> dict[str, str]:
    return {
        "implementation": info.implementation,
        "version": info.version_text,
        "machine": info.machine,
        "build": info.build,
        "unique_id": info.unique_id,
    }


def _kind(path: str) -> str:
    for ending, kind in ((".tar", "tar"), (".tar.gz", "gz"), (".tgz", "gz"), (".zip", "zip")):
        if path.lower().endswith(ending):
            return kind
    raise UsageError(f"{path} does not say what archive it is", hint="end it in .tar, .tar.gz or .zip")


def _create(target: str, temp: str) -> _Archive:
    kind = _kind(target)
    return _Zip(temp) if kind == "zip" else _Tar(temp, kind == "gz")


def _temporary(target: Path) -> str:
    try:
        number, name = tempfile.mkstemp(prefix=".upytool-", dir=target.parent)
    except OSError as error:
        raise local_error(error, target) from error
    os.close(number)
    return name


def _sha256(path: Path) -> str:
    from .hashes import local_digest

    return local_digest(path).hex()


def _parts(items: Sequence[str], count: int) -> list[Sequence[str]]:
    return [items[at : at + count] for at in range(0, len(items), count)]


__all__ = ["BackupInfo", "Difference", "SavedFile", "backup", "diff", "read_info", "restore", "unpack"]
