"""A firmware archive, looked into: whole, of a sane size, with names that stay inside. Nothing of it is unpacked."""

from __future__ import annotations

from .. import limits
from ..errors import ImageError
from ..inner_path import InnerPath

ZIP = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_BYTES = 22
# A record of the directory: 46 bytes and a name; with comments and extra fields few need more than this.
_ENTRY_BYTES = 512


def check_archive(data: bytes, name: str) -> None:
    """Read every file of an archive once.

    Args:
        data: the archive.
        name: what the user knows it by.

    Raises:
        ImageError: it is damaged, or holds more than an archive of firmware does.
    """
    import io
    import zipfile
    import zlib

    try:
        # zipfile makes an object of every entry before it can be asked for their number.
        if _directory_bytes(data) > limits.ARCHIVE_ENTRIES * _ENTRY_BYTES:
            raise ImageError("image.archive-many-entries", name=name, limit=limits.ARCHIVE_ENTRIES)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            if len(entries) > limits.ARCHIVE_ENTRIES:
                raise ImageError("image.archive-many-entries", name=name, limit=limits.ARCHIVE_ENTRIES)
            if sum(entry.file_size for entry in entries) > limits.ARCHIVE_BYTES:
                raise ImageError("image.archive-large", name=name, limit=limits.ARCHIVE_BYTES)
            for entry in entries:
                problem = InnerPath.problem(entry.filename.removesuffix("/"))
                if problem:
                    raise ImageError("image.archive-path", name=name, entry=entry.filename[:60], reason=problem)
                # What makes such archives uses these two; an LZMA stream names the memory that it wants, up to 4 GB.
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ImageError("image.archive-compression", name=name, entry=entry.filename[:60])
                # Small files may pack well; zipfile reads no more of an entry than its size says.
                if entry.file_size > (1 << 20) and entry.file_size > entry.compress_size * limits.ARCHIVE_RATIO:
                    raise ImageError("image.archive-bomb", name=name, entry=entry.filename[:60], size=entry.file_size)
            bad = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, RuntimeError, NotImplementedError, EOFError) as error:
        raise ImageError("image.archive-damaged", name=name, cause=error) from None
    if bad is not None:
        raise ImageError("image.archive-damaged", name=name, cause=f"{bad} is broken")


def _directory_bytes(data: bytes) -> int:
    """The size of the archive's directory, as its end record says it; 0 where there is none."""
    at = len(data) - _END_BYTES  # without a comment, as zipfile looks first
    if at < 0 or data[at : at + 4] != _END or data[-2:] != b"\0\0":
        at = data.rfind(_END, max(0, len(data) - _END_BYTES - 0xFFFF))
    return int.from_bytes(data[at + 12 : at + 16], "little") if at >= 0 else 0
