"""The firmware files on this computer, and what every address gave.

    <cache>/files/<first 16 digits of the SHA-256>/NAME    a file as it was published
    <record>                                               JSON: address to SHA-256, size, time, name

A file is written beside its place and renamed into it. Nothing is thrown away unasked: of a board's previews the
server keeps only the last few, so the copy here may be the only one. The record is not in the cache's folder: it
is what tells that an address gives something else than last time, also after the cache was emptied.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import documents, limits
from ..errors import ConfigError, LocalFileError
from ..inner_path import LocalName
from ..whole_file import write_whole
from .names import FileName, parse

LOCK_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Stored:
    """What an address gave. `path` is None where the file is not here any more."""

    url: str
    name: str
    sha256: str
    size: int
    time: str
    path: Path | None = None

    @property
    def parts(self) -> FileName | None:
        """The name taken apart."""
        return parse(self.name)

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "name": self.name,
            "url": self.url,
            "sha256": self.sha256,
            "size": self.size,
            "time": self.time,
            "path": str(self.path) if self.path else None,
        }


class FirmwareStore:
    """Args: the folder of the files, and the record's file; both are made when first written to."""

    def __init__(self, folder: Path, record: Path) -> None:
        self.folder, self.record = folder, record

    def entries(self) -> list[Stored]:
        """Everything the record knows, the newest first."""
        found = [self._stored(url, raw) for url, raw in self._read().items()]
        known = [each for each in found if each is not None]
        return sorted(known, key=lambda each: (each.time, each.name), reverse=True)

    def find(self, url: str) -> Stored | None:
        """What this address gave last time."""
        raw = self._read().get(url)
        return None if raw is None else self._stored(url, raw)

    def read(self, stored: Stored) -> bytes | None:
        """The file's content, None where it is not here or was changed (then it counts as missing)."""
        if stored.path is None:
            return None
        try:
            data = documents.read_bytes(stored.path, limit=limits.FIRMWARE_BYTES)
        except ConfigError:
            return None
        return data if hashlib.sha256(data).hexdigest() == stored.sha256 else None

    def put(self, url: str, name: str, data: bytes) -> Stored:
        """Keep a file and what its address gave.

        Raises: LocalFileError.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self.folder / "files" / digest[:16] / name
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        made = Stored(url, name, digest, len(data), now, path)
        try:
            write_whole(path, data, parents=True)
            with self._locked():
                record = self._read()
                record[url] = {"name": name, "sha256": digest, "size": len(data), "time": now}
                self._write(record)
        except OSError as error:
            raise _unwritable(self.folder, error) from error
        return made

    def forget(self, url: str) -> bool:
        """Forget what an address gave (its file stays); whether it was known."""
        try:
            with self._locked():
                record = self._read()
                known = record.pop(url, None) is not None
                if known:
                    self._write(record)
        except OSError as error:
            raise _unwritable(self.record.parent, error) from error
        return known

    def clean(self) -> tuple[int, int]:
        """Remove all files; the record stays. Returns how many, and their bytes."""
        count = size = 0
        for path in sorted((self.folder / "files").glob("*/*")):
            try:
                bytes_there = path.stat().st_size
                path.unlink()
            except OSError as error:
                raise _unwritable(self.folder, error) from error
            count, size = count + 1, size + bytes_there
        for folder in sorted((self.folder / "files").glob("*")):
            try:
                folder.rmdir()
            except OSError:
                pass  # another upytool has just put something there
        return count, size

    def _stored(self, url: str, raw: Any) -> Stored | None:
        try:
            name, digest = str(raw["name"]), str(raw["sha256"])
            path = self.folder / "files" / digest[:16] / name
            LocalName(name)
            return Stored(url, name, digest, int(raw["size"]), str(raw["time"]), path if path.is_file() else None)
        except (LookupError, TypeError, ValueError, OSError):
            return None

    def _read(self) -> dict[str, Any]:
        try:
            files = documents.read_json(self.record)["files"]
        except (ConfigError, LookupError, TypeError):
            return {}
        return files if isinstance(files, dict) else {}

    def _write(self, record: dict[str, Any]) -> None:
        text = json.dumps({"version": 1, "files": dict(sorted(record.items()))}, indent=1)
        write_whole(self.record, text.encode(), parents=True)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.record.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(f"{self.record}.lock", timeout=LOCK_SECONDS):
                yield
        except Timeout:
            raise LocalFileError("local-file.locked", path=self.record) from None


def _unwritable(folder: Path, error: OSError) -> LocalFileError:
    return LocalFileError("local-file.cache-not-writable", path=folder, reason=error.strerror or error)
