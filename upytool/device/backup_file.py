"""The file of a backup: a tar or zip that any tool opens, written in one pass and checked as a whole before it is used.

    files/...               what was on the board, under its absolute path; folders, then files, sorted
    upytool-backup.json     the last member, the list: which board, when, and each file's size, time and SHA-256

So an archive that was cut off has no list, and what does not agree with the list is damage. Files are read out of the
archive one by one and never unpacked to disk: names that this computer could not hold do no harm.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import lzma
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import index
from pathlib import Path
from typing import IO, Any, BinaryIO

from .. import documents, limits
from ..errors import ConfigError, LocalFileError, UpytoolError
from ..inner_path import InnerPath
from ..whole_file import discard, open_beside, take_place
from ..words import Said
from .local import local_error, open_local, write_error
from .stream import new_hash

MANIFEST = "upytool-backup.json"
FILES = "files"
FORMAT = "upytool-backup"
VERSION = 1
PIECE = 1 << 16
# The first and the last year that a zip can say.
ZIP_TIMES = ((1980, 1, 1, 0, 0, 0), (2107, 12, 31, 23, 59, 58))


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file of a backup.

    Attributes:
        path: absolute, on the board.
        size: in bytes.
        mtime: seconds since 1970, 0 where unknown.
        sha256: hexadecimal.
        mount: the mount point of the file system that it was on.
    """

    path: str
    size: int
    mtime: int
    sha256: str
    mount: str

    def data(self) -> dict[str, object]:
        return {
            "path": self.path,
            "size": self.size,
            "mtime": self.mtime,
            "sha256": self.sha256,
            "mount": self.mount,
        }


@dataclass(frozen=True, slots=True)
class Backup:
    """What a backup holds: its list.

    Attributes:
        root: the path on the board that was saved, with all below it; `/` is everything.
        created: when, ISO 8601 with the zone UTC.
        board: what it was: implementation, version, machine, build, platform, unique_id (hexadecimal).
        mounts: the file systems that were saved: path, kind, total and used bytes.
        folders: absolute paths, parents first.
        files: sorted by path.
    """

    root: str
    created: str
    board: Mapping[str, str]
    mounts: Sequence[Mapping[str, object]]
    folders: Sequence[str]
    files: Sequence[SavedFile]

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)

    def data(self) -> dict[str, object]:
        return {
            "format": FORMAT,
            "version": VERSION,
            "created": self.created,
            "root": self.root,
            "board": dict(self.board),
            "mounts": [dict(mount) for mount in self.mounts],
            "folders": list(self.folders),
            "files": [file.data() for file in self.files],
        }


def kind_of(path: str) -> str:
    """`zip`, `gz` or `tar`, by the name."""
    low = path.lower()
    return "zip" if low.endswith(".zip") else "gz" if low.endswith((".tar.gz", ".tgz")) else "tar"


# -- writing --------------------------------------------------------------------------------------


class Writer:
    """A backup that is being written, beside its name until `finish`. Errors: LocalFileError."""

    def __init__(self, path: Path) -> None:
        self._kind = kind_of(path.name)
        self._path = Path(os.path.realpath(path)) if os.path.islink(path) else path  # a link stays a link
        self._open = contextlib.ExitStack()
        self._entry: IO[bytes] | None = None
        self._at = 0
        self._temp = ""
        if os.path.exists(path) and not os.path.isfile(path):
            raise LocalFileError("local-file.not-regular-there", path=path, hint=Said("device.name-another"))
        with self._told():
            file, self._temp = open_beside(self._path)
            self._file: BinaryIO = self._open.enter_context(file)
            self._out: Any = self._file
            if self._kind == "gz":
                # No name and no time in it: the same files give the same bytes.
                self._out = self._open.enter_context(gzip.GzipFile("", "wb", 9, self._file, mtime=0))
            elif self._kind == "zip":
                self._zip = self._open.enter_context(zipfile.ZipFile(self._file, "w", zipfile.ZIP_DEFLATED))

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.drop()
            raise write_error(error, self._path) from error

    def begin(self, name: str, size: int, mtime: int, *, folder: bool = False) -> None:
        """The next member; `size` bytes of content follow by `write`."""
        with self._told():
            self._end()
            if self._kind == "zip":
                stamp = min(max(time.gmtime(mtime)[:6], ZIP_TIMES[0]), ZIP_TIMES[1])
                entry = zipfile.ZipInfo(name + "/" * folder, stamp)
                entry.compress_type = zipfile.ZIP_STORED if folder else zipfile.ZIP_DEFLATED
                entry.create_system, entry.external_attr = 3, (0o40755 << 16 | 0x10) if folder else 0o100644 << 16
                self._entry = self._zip.open(entry, "w")
                return
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = size, mtime, 0o755 if folder else 0o644
            info.type = tarfile.DIRTYPE if folder else tarfile.REGTYPE
            self._put(info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))

    def write(self, data: bytes) -> None:
        """More of the member that was begun."""
        with self._told():
            if self._entry is not None:
                self._entry.write(data)
            else:
                self._put(data)

    def _put(self, data: bytes) -> None:
        self._out.write(data)
        self._at += len(data)

    def _end(self) -> None:
        """The member is complete: a tar goes on at the next block."""
        if self._entry is not None:
            self._entry.close()
            self._entry = None
        elif self._kind != "zip":
            self._put(bytes(-self._at % tarfile.BLOCKSIZE))

    def finish(self, backup: Backup) -> None:
        """Add the list; the file appears under its name."""
        text = json.dumps(backup.data(), indent=1, ensure_ascii=True).encode()
        # What `Reader` would refuse (a list past the limits) is found out now, while the board still has the files.
        documents.parse_json(text, MANIFEST, error=LocalFileError, surrogates=True)
        self.begin(MANIFEST, len(text), 0)
        self.write(text)
        with self._told():
            self._end()
            if self._kind != "zip":
                self._put(bytes(2 * tarfile.BLOCKSIZE))
                self._put(bytes(-self._at % tarfile.RECORDSIZE))
            self._open.close()
            take_place(self._temp, self._path)
            self._temp = ""

    def drop(self) -> None:
        """Take away what was begun."""
        temp, self._temp = self._temp, ""
        with contextlib.suppress(OSError, ValueError):
            if self._entry is not None:
                self._entry.close()
        with contextlib.suppress(OSError, ValueError):
            self._open.close()
        if temp:
            with contextlib.suppress(OSError):
                discard(temp)


# -- reading --------------------------------------------------------------------------------------

# What the archive modules raise for damage: TarError and BadZipFile by name, the rest from below them.
_PACKING = {"gz": b"\x1f\x8b", "bz2": b"BZh", "xz": b"\xfd7zXZ\0"}
_DAMAGE = (
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
)


class Reader:
    """A backup that was found complete and whole; use it in a `with` block.

    Every file was read once and agrees with the list. Errors: LocalFileError.

    Attributes:
        backup: the list.
        crc32: path -> CRC-32, for boards without SHA-256.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open = contextlib.ExitStack()
        self.crc32: dict[str, int] = {}
        self._members: dict[str, Any] = {}
        try:
            self._enter()
            self.backup = self._check()
        except LocalFileError:
            self.close()
            raise
        except _DAMAGE as error:
            self.close()
            raise self._damaged(str(error).rstrip(".")) from error
        except OSError as error:
            self.close()
            # gzip calls damage an OSError without a number.
            raise (local_error(error, path) if error.errno else self._damaged(str(error))) from error

    def _damaged(self, what: str | Said | UpytoolError) -> LocalFileError:
        return LocalFileError("local-file.backup-damaged", path=self._path, cause=what)

    def _enter(self) -> None:
        file = self._open.enter_context(open_local(self._path))
        if zipfile.is_zipfile(file):
            file.seek(0)
            self._zip = self._open.enter_context(zipfile.ZipFile(file))
            self._read: Callable[[Any], IO[bytes] | None] = self._zip.open
            for member in self._zip.infolist():
                self._add(member.filename.rstrip("/"), member, member.is_dir())
            return
        file.seek(0)
        head = file.read(6)
        file.seek(0)
        # Told by its first bytes: tarfile tries one way after the other, and LZMA takes minutes for a file of zeros.
        packing = next((name for name, magic in _PACKING.items() if head.startswith(magic)), "")
        try:
            tar = self._open.enter_context(tarfile.open(fileobj=file, mode=f"r:{packing}"))  # type: ignore[call-overload]  # noqa: SIM115
        except tarfile.ReadError:
            # Python's message lists what each way of packing found wrong.
            raise self._damaged(Said("device.backup-no-archive")) from None
        self._read = tar.extractfile
        for info in tar:
            if not (info.isreg() or info.isdir()):
                raise self._unsafe(info.name)
            self._add(info.name.rstrip("/"), info, info.isdir())
        # To the very end: a packed one has its checksum there.
        while tar.fileobj is not None and tar.fileobj.read(PIECE):
            pass

    def _unsafe(self, name: str) -> LocalFileError:
        return LocalFileError("local-file.backup-unsafe", path=self._path, name=name, directory=FILES)

    def _add(self, name: str, member: Any, folder: bool) -> None:
        top, _, path = name.partition("/")
        whole = name == MANIFEST or (top == FILES and not InnerPath.problem(path))
        if not whole or name in self._members:
            raise self._unsafe(name)
        if len(self._members) >= limits.BACKUP_ENTRIES:
            raise self._damaged(Said("device.backup-members", limit=limits.BACKUP_ENTRIES))
        self._members[name] = None if folder else member

    def _check(self) -> Backup:
        with self._member(MANIFEST) as file:
            listed = bytearray()
            while data := file.read(PIECE):
                listed += data
                if len(listed) > limits.DOCUMENT_BYTES:
                    raise self._damaged(Said("device.backup-long-list"))
        try:
            backup = _parsed(documents.parse_json(bytes(listed), MANIFEST, surrogates=True))
        except ConfigError as error:
            raise self._damaged(error) from None
        names = {MANIFEST} | {FILES + path for path in backup.folders}
        for saved in backup.files:
            names.add(FILES + saved.path)
            check, crc, size = hashlib.sha256(), 0, 0
            with self._member(FILES + saved.path) as file:
                # No further than its list says: an archive may unpack to more than a disk holds.
                while size <= saved.size and (data := file.read(PIECE)):
                    check.update(data)
                    crc = zlib.crc32(data, crc)
                    size += len(data)
            if size != saved.size or check.hexdigest() != saved.sha256:
                raise self._damaged(Said("device.backup-differs", path=saved.path))
            self.crc32[saved.path] = crc
        if names != set(self._members):
            raise self._damaged(Said("device.backup-other-files"))
        return backup

    @contextlib.contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        member = self._members.get(name)
        found = None if member is None else self._read(member)
        if found is None:
            raise self._damaged(
                Said("device.backup-cut") if name == MANIFEST else Said("device.backup-lacks", name=name)
            )
        with found:
            yield found

    def open(self, path: str) -> BinaryIO:
        """A file of the backup by its path on the board; read one at a time."""
        found = self._read(self._members[FILES + path])
        assert found is not None
        return found  # type: ignore[return-value]

    def digest(self, saved: SavedFile, kind: str) -> bytes:
        """A file's digest as a board would give it; `sum` reads it again."""
        if kind == "sha256":
            return bytes.fromhex(saved.sha256)
        if kind == "crc32":
            return self.crc32[saved.path].to_bytes(4, "little")
        check = new_hash(kind)
        with self.open(saved.path) as file:
            while data := file.read(PIECE):
                check.update(data)
        return check.digest()

    def close(self) -> None:
        self._open.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _path(value: Any) -> str:
    """An absolute path of the list, which stays where it says. Errors: ValueError."""
    if not isinstance(value, str) or value[:1] != "/":
        raise ValueError(f"its list names {value!r}")
    try:
        return "/" + InnerPath(value[1:])
    except ValueError as error:
        raise ValueError(f"its list names {value!r}: {error}") from None


def _parsed(data: Any) -> Backup:
    """The list. Errors: ValueError, LookupError, TypeError, AttributeError, OverflowError."""
    if data["format"] != FORMAT:
        raise ValueError("its list is of another kind")
    if data["version"] != VERSION:
        raise ValueError(f"it was made by a newer upytool (its version is {data['version']})")
    files = [
        SavedFile(_path(f["path"]), index(f["size"]), index(f["mtime"]), str(f["sha256"]), str(f["mount"]))
        for f in data["files"]
    ]
    folders = [_path(path) for path in data["folders"]]
    root = data["root"] if data["root"] == "/" else _path(data["root"])
    mounts = [{**mount, "path": str(mount["path"])} for mount in data["mounts"]]
    board = {str(key): str(value) for key, value in data["board"].items()}
    return Backup(root, str(data["created"]), board, mounts, folders, files)
