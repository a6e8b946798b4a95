"""Digests of local files, a piece at a time."""

from __future__ import annotations

from pathlib import Path

from .local import local_error, open_local
from .stream import new_hash

PIECE = 1 << 18


def local_digest(source: Path | bytes, kind: str = "sha256") -> bytes:
    """The digest of a file or of bytes as a board would give it: `sha256` or `crc32`. Errors: LocalFileError."""
    check = new_hash(kind)
    if isinstance(source, bytes):
        check.update(source)
        return check.digest()
    try:
        with open_local(source) as file:
            while data := file.read(PIECE):
                check.update(data)
    except OSError as error:
        raise local_error(error, source) from error
    return check.digest()


def equal_files(one: Path, other: Path) -> bool:
    """Whether two local files hold the same bytes. Errors: LocalFileError."""
    try:
        if one.stat().st_size != other.stat().st_size:
            return False
        with open_local(one) as left, open_local(other) as right:
            while True:
                data = left.read(PIECE)
                if data != right.read(PIECE):
                    return False
                if not data:
                    return True
    except OSError as error:
        raise local_error(error, one) from error
