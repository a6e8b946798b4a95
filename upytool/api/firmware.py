"""Firmware: which is published, getting it, and what is in a firmware file or on a board.

    from upytool.api import firmware

    release = firmware.resolve("RPI_PICO", version="latest")
    got = firmware.download(release, output="fw/")
    print(got.path, got.sha256, firmware.inspect(got.path).version)

What was downloaded is kept in the cache with its checksum, and found again without the network.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..events import NULL, Reporter

if TYPE_CHECKING:
    from ..image.inspect import Inspection as Inspection
    from ..releases.download import Download as Download
    from ..releases.resolve import Release as Release
    from ..releases.source import ReleaseSource
    from ..releases.store import Stored as Stored
    from .opened_image import Target

__all__ = [
    "FirmwareSettings",
    "cache_folder",
    "cached",
    "clean_cache",
    "download",
    "forget",
    "inspect",
    "releases",
    "resolve",
]


@dataclass(frozen=True, slots=True)
class FirmwareSettings:
    """Where firmware comes from.

    Attributes:
        url: the server of official firmware.
        offline: take nothing but what is in the cache or on this computer.
        cache: the directory that keeps downloads; None: upytool's own.
    """

    url: str = "https://micropython.org"
    offline: bool = False
    cache: Path | None = None


DEFAULTS = FirmwareSettings()


# -- published ----------------------------------------------------------------------------------------


def releases(
    board: str, *, newest: bool = False, settings: FirmwareSettings = DEFAULTS, reporter: Reporter = NULL
) -> list[Release]:
    """List the firmware files of a board, the newest first; what the server does not say, the cache may.

    Args:
        board: by any of its names, or BOARD-VARIANT.
        newest: only the newest release of each variant and file format, and a preview where it is newer.

    Raises: UsageError where there is no such board.
    """
    from ..releases.resolve import find_board, list_releases

    with _source(settings, reporter) as source:
        name, variant = find_board(board)
        found = [each for each in list_releases(name, source) if not variant or each.variant == variant]
    return _newest(found) if newest else found


def resolve(
    what: str,
    *,
    variant: str = "",
    version: str = "",
    kind: str = "",
    settings: FirmwareSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> Release:
    """Find the one firmware file that is meant; nothing is downloaded but the server's list.

    Args:
        what: BOARD, BOARD-VARIANT or another name of a board, each with @VERSION if wanted; an address; a file.
        variant: of the board.
        version: `latest` (also ""), `preview`, `1.28`, `1.28.0`, or a date (YYYYMMDD).
        kind: the file format: `uf2`, `bin` ...; "" for what suits the board.

    Raises: UsageError where there is none (the hint lists what there is); LocalFileError, NetworkError, OfflineError.
    """
    from ..releases.resolve import find_release

    with _source(settings, reporter) as source:
        return find_release(what, source, variant=variant, version=version, kind=kind)


def download(
    release: Release | str,
    *,
    sha256: str = "",
    output: str | os.PathLike[str] = "",
    settings: FirmwareSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> Download:
    """Get a firmware file into the cache, look into it, and copy it.

    Args:
        release: what `resolve` found, or words for that.
        sha256: the checksum that it must have; also accepts an address that gives something else than last time.
        output: a file or directory for a copy; "": the cache alone.

    Raises: ImageError for what is not firmware or is damaged; NetworkError; OfflineError; UsageError; LocalFileError.
    """
    from ..releases.download import fetch
    from ..releases.resolve import find_release

    with _source(settings, reporter) as source:
        found = find_release(release, source) if isinstance(release, str) else release
        return fetch(found, source, sha256=sha256, output=os.fspath(output))


# -- looking into it ----------------------------------------------------------------------------------


def inspect(source: Target, *, reporter: Reporter = NULL) -> Inspection:
    """Say all that firmware tells about itself; damage is in the answer (`Inspection.require_valid` raises it).

    Args:
        source: a firmware file, or what opens a board in its bootloader (as in `upytool.api.images`).

    Raises: ImageError for what is not firmware; FlashError where a bootloader cannot read; what the opener raises.
    """
    from ..image.base import FirmwareImage
    from ..image.inspect import inspect as look

    if not callable(source):
        return look(FirmwareImage.read(source))
    from ..flashers.layout import firmware_on_chip

    with source() as flash:
        return look(firmware_on_chip(flash.loader, reporter=reporter))


# -- the cache ----------------------------------------------------------------------------------------


def cached(settings: FirmwareSettings = DEFAULTS) -> list[Stored]:
    """List what was downloaded and is still here, the newest first."""
    return [each for each in _source(settings).store.entries() if each.path is not None]


def cache_folder(settings: FirmwareSettings = DEFAULTS) -> Path:
    """Return the directory that keeps downloads."""
    return _source(settings).store.folder


def clean_cache(settings: FirmwareSettings = DEFAULTS) -> tuple[int, int]:
    """Remove all downloads, but not their checksums. Returns how many files and bytes. Raises: LocalFileError."""
    return _source(settings).store.clean()


def forget(url: str, settings: FirmwareSettings = DEFAULTS) -> None:
    """Forget what an address gave, so that it may give something else. Raises: UsageError where nothing is known."""
    if not _source(settings).store.forget(url):
        raise UsageError("usage.unknown-address", url=url)


def _source(settings: FirmwareSettings, reporter: Reporter = NULL) -> ReleaseSource:
    from ..releases.source import ReleaseSource

    folder = settings.cache / "firmware" if settings.cache else None
    return ReleaseSource(settings.url, offline=settings.offline, reporter=reporter, folder=folder)


def _newest(found: list[Release]) -> list[Release]:
    """The newest release of each variant and kind, and the newest preview where it is newer."""
    first: dict[tuple[str, str, bool], Release] = {}
    for each in found:
        first.setdefault((each.variant, each.ext, each.order[0].preview), each)
    finals = {key: each for key, each in first.items() if not key[2]}
    return [
        each
        for (variant, ext, preview), each in first.items()
        if not preview or (variant, ext, False) not in finals or each.order > finals[variant, ext, False].order
    ]
