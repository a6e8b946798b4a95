"""Getting a release: whole, looked into, and the same as last time, before it counts as here."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import documents, limits
from ..errors import ImageError, LocalFileError, NetworkError, OfflineError, UsageError
from ..image.base import FirmwareImage
from ..whole_file import write_whole
from ..words import Said
from .archive import ZIP, check_archive
from .names import version
from .resolve import Release
from .source import ReleaseSource
from .store import Stored

_FORMATS = {"uf2": ("uf2",), "dfu": ("dfuse", "dfu"), "hex": ("hex",), "bin": ("esp", "bin"), "app-bin": ("esp",)}


@dataclass(frozen=True)
class Download:
    """A firmware file on this computer.

    Attributes:
        cached: nothing had to be fetched.
        image: its content, None for an archive.
        warnings: what is odd about it, a sentence each.
    """

    release: Release
    path: Path
    sha256: str
    size: int
    cached: bool
    image: FirmwareImage | None = None
    warnings: tuple[str, ...] = ()

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            **self.release.data(),
            "path": str(self.path),
            "sha256": self.sha256,
            "size": self.size,
            "cached": self.cached,
            "warnings": list(self.warnings),
        }


def fetch(release: Release, source: ReleaseSource, *, sha256: str = "", output: str = "") -> Download:
    """Get a release into the cache and, if wanted, a copy to `output`.

    Args:
        sha256: what its checksum has to be, hexadecimal; also the way to accept an address that gives something
            else than last time.
        output: a file or directory for the copy.

    Raises:
        ImageError: what came is not firmware, damaged, or of another format than its name says.
        NetworkError: it can't be fetched, or the address gives something else than last time.
        OfflineError, UsageError (sha256 is none), LocalFileError (a local file does not have that checksum).
    """
    wanted = sha256.strip().lower()
    if wanted and not re.fullmatch(r"[0-9a-f]{64}", wanted):
        raise UsageError("usage.not-a-sha256", text=sha256)
    if release.provenance == "file":
        found = _local(release, wanted)
    else:
        found = _published(release, source, wanted)
    if output:
        found = _copy(found, output)
    return found


def _local(release: Release, wanted: str) -> Download:
    path = release.path or Path(release.url)
    data = documents.read_bytes(path, error=LocalFileError, limit=limits.FIRMWARE_BYTES)
    digest = hashlib.sha256(data).hexdigest()
    if wanted and digest != wanted:
        raise LocalFileError("local-file.wrong-sha256", path=path, sha256=digest, wanted=wanted)
    image = None
    if data[:4] == ZIP:
        check_archive(data, release.name)
    else:
        image = FirmwareImage.read(str(path))
        image.require_valid()
    return Download(release, path, digest, len(data), True, image)


def _published(release: Release, source: ReleaseSource, wanted: str) -> Download:
    known = source.store.find(release.url)
    if known is not None and (not wanted or wanted == known.sha256):
        # An official name means one content for ever; of other addresses only the server can tell.
        data = source.store.read(known) if release.version or source.offline or wanted else None
        if data is not None:
            return _done(release, known, data, cached=True)
    if source.offline:
        raise OfflineError("offline.firmware", name=release.name)

    def check(data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        _look(release, data)  # first: a login page is told as such, not as a changed file
        if wanted and digest != wanted:
            raise NetworkError("network.wrong-sha256", url=release.url, sha256=digest, wanted=wanted)
        if not wanted and known is not None and digest != known.sha256:
            raise NetworkError(
                "network.changed-file", url=release.url, day=known.time[:10], before=known.sha256, sha256=digest
            )

    data = source.fetcher.find(release.url, keep=False, label=release.name, check=check)
    if data is None:
        page = source.page_url(release.board) if release.board else release.url
        note = "releases.guessed-look-at" if release.provenance == "snapshot" else "releases.look-at"
        raise NetworkError("network.not-on-server", name=release.name, hint=Said(note, page=page))
    return _done(release, source.store.put(release.url, release.name, data), data, cached=False)


def _done(release: Release, stored: Stored, data: bytes, cached: bool) -> Download:
    assert stored.path is not None
    image = _look(release, data)
    if image is not None:
        image = FirmwareImage.read(str(stored.path))
    return Download(release, stored.path, stored.sha256, len(data), cached, image, tuple(_doubts(release, image)))


def _look(release: Release, data: bytes) -> FirmwareImage | None:
    """Is it what its name says? Raises ImageError."""
    if data[:4] == ZIP and release.ext == "zip":
        check_archive(data, release.name)
        return None
    image = FirmwareImage.read(data, name=release.name)
    try:
        image.require_valid()
    except ImageError as error:
        raise ImageError("image.damaged-download", name=release.name, cause=error) from None
    formats = _FORMATS.get(release.ext)
    if formats is not None and image.format not in formats:
        raise ImageError("image.other-format", name=release.name, ext=release.ext, found=image.format_name)
    return image


def _doubts(release: Release, image: FirmwareImage | None) -> list[str]:
    """What the firmware says of itself against its file's name."""
    if image is None or not release.board:
        return []
    found = []
    identity = image.identity
    if identity.build and identity.build != release.build:
        found.append(f"{release.name} is named for {release.build}, but the firmware calls itself {identity.build}")
    inside, outside = version(identity.version), version(release.version)
    if inside is not None and outside is not None and inside.release != outside.release:
        found.append(f"{release.name} is named {release.version}, but the firmware says {identity.version}")
    return found


def _copy(found: Download, output: str) -> Download:
    target = Path(output)
    if output.endswith(("/", os.sep)) or target.is_dir():
        target = target / found.release.name
    try:
        if not (target.exists() and target.samefile(found.path)):
            write_whole(target, found.path.read_bytes(), parents=True)
    except OSError as error:
        raise LocalFileError("local-file.cannot-write", path=target, reason=error.strerror or error) from error
    return Download(found.release, target, found.sha256, found.size, found.cached, found.image, found.warnings)
