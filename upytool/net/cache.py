"""The download cache: content by its SHA-256, and which URL gave which content.

    <folder>/blobs/ab/ab12...   the content, named by the SHA-256 of itself
    <folder>/urls/cd/cd34...    {"url", "sha256", "size", "etag"}: named by the SHA-256 of the URL

Both kinds are written beside their place and renamed into it, so a reader finds a whole file or none, and two
upytools may share the folder. A blob is hashed whenever it is read: a damaged one counts as missing.
"""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from upytool import documents, limits
from upytool.errors import PackageError
from upytool.whole_file import write_whole


@dataclass(frozen=True, slots=True)
class UrlEntry:
    """What a URL gave last time."""

    url: str
    sha256: str
    size: int
    etag: str | None = None


class DownloadCache:
    """A folder of downloads; it is made when first written to.

    URLs are the text of an `Address`: what was secret in one is not in it.

    Args:
        folder: where; the caller takes it from the settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def blob(self, sha256: str) -> bytes | None:
        """The content with this digest, None where it is not here or damaged."""
        path = self._blob_path(sha256)
        try:
            data = documents.read_bytes(path, error=PackageError, limit=limits.FIRMWARE_BYTES)
        except PackageError:
            return None
        if hashlib.sha256(data).hexdigest() != sha256:
            with suppress(OSError):  # a cache that may only be read
                path.unlink()
            return None
        return data

    def entry(self, url: str) -> UrlEntry | None:
        """What `url` gave last time, None where it is not known."""
        try:
            raw = documents.read_json(self._url_path(url), error=PackageError)
            sha256, size, etag = raw["sha256"], raw["size"], raw.get("etag")
            known = raw["url"] == url and re.fullmatch("[0-9a-f]{64}", sha256) and isinstance(size, int)
        except (PackageError, LookupError, TypeError, AttributeError):
            return None
        # An ETag goes back to the server as a header: one with a line break in it would be two.
        etag = etag if isinstance(etag, str) and etag.isascii() and etag.isprintable() else None
        return UrlEntry(url, sha256, size, etag) if known else None

    def get(self, url: str) -> bytes | None:
        """The content that `url` gave last time."""
        known = self.entry(url)
        return None if known is None else self.blob(known.sha256)

    def put(self, url: str, data: bytes, etag: str | None = None) -> UrlEntry:
        """Keep what `url` gave.

        Raises:
            PackageError: the folder cannot be written.
        """
        made = UrlEntry(url, hashlib.sha256(data).hexdigest(), len(data), etag)
        text = {"url": url, "sha256": made.sha256, "size": made.size, "etag": etag}
        try:
            if self.blob(made.sha256) is None:
                write_whole(self._blob_path(made.sha256), data, parents=True)
            if self.entry(url) != made:
                write_whole(self._url_path(url), json.dumps(text).encode(), parents=True)
        except OSError as error:
            raise PackageError("package.cache", path=self.folder, reason=error.strerror or error) from error
        return made

    def _blob_path(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256

    def _url_path(self, url: str) -> Path:
        name = hashlib.sha256(url.encode()).hexdigest()
        return self.folder / "urls" / name[:2] / name
