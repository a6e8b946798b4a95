"""From a user's words to one firmware file.

A wish is a file of this computer, an address, or a board with variant and version. For a board the server's page
is asked; where it can't be, the packaged list of releases gives the address (a release's file name holds its
date), and what was downloaded before is always there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from ..boards.catalogue import Board, get, split_name, suggest
from ..errors import LocalFileError, NetworkError, OfflineError, UsageError
from ..events import notice
from ..inner_path import LocalName
from ..net.address import Address
from ..words import Said
from .names import EXTENSIONS, FIRMWARE, FileName, Version, join, parse, version
from .source import ReleaseSource, snapshot

Provenance = Literal["file", "url", "page", "snapshot", "cache"]
_EXACT_ID = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+|[A-Z]+[0-9][A-Z0-9_]*", re.ASCII)
_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Release:
    """One firmware file that can be had.

    Attributes:
        url: its address; of a local file, its path.
        name: of the file.
        board, variant, version, date: as in the file's name ("1.27.0", "20251209"); "" where it does not say.
        ext: "uf2", "bin", ...
        sha256: what it gave last time, None where it was never fetched.
        provenance: who says that there is such a file: "file" and "url" (the user), "page" (the server),
            "snapshot" (the packaged list), "cache" (it is here).
        path: where it is on this computer, None for nowhere.
    """

    url: str
    name: str
    board: str = ""
    variant: str = ""
    version: str = ""
    date: str = ""
    ext: str = ""
    sha256: str | None = None
    provenance: Provenance = "page"
    path: Path | None = None

    @property
    def build(self) -> str:
        """BOARD or BOARD-VARIANT, as the firmware calls itself."""
        return f"{self.board}-{self.variant}" if self.variant else self.board

    @property
    def order(self) -> tuple[Version, str]:
        """For sorting, the newest last."""
        return version(self.version) or Version((0, 0, 0)), self.date

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "board": self.board or None,
            "variant": self.variant or None,
            "version": self.version or None,
            "date": f"{self.date[:4]}-{self.date[4:6]}-{self.date[6:]}" if self.date else None,
            "kind": self.ext or None,
            "name": self.name,
            "url": self.url,
            "sha256": self.sha256,
            "source": self.provenance,
            "path": str(self.path) if self.path else None,
        }


def find_release(spec: str, source: ReleaseSource, *, variant: str = "", version: str = "", kind: str = "") -> Release:
    """The one file that is meant.

    Args:
        spec: a path, an http(s) address, or a board: BOARD, BOARD-VARIANT, a product's name or a nickname, each
            with @VERSION if wanted.
        variant: of the board, exact but for its case.
        version: "latest" (the newest release; also ""), "preview" (the newest build for the next release), "1.28"
            (1.28.0, or the newest 1.28.N), "1.28.0", a preview's whole or shortened name, or a date (YYYYMMDD).
        kind: the file's extension; "" for the one that suits the board best.

    Raises:
        UsageError: no such board, variant, version or kind; the hint lists what there is.
        LocalFileError: no such file. NetworkError, OfflineError.
    """
    if spec.lower().startswith(("http://", "https://")):
        _no_wishes(spec, variant, version, kind)
        return _from_url(spec, source)
    if _is_file(spec):
        _no_wishes(spec, variant, version, kind)
        return _from_file(spec)
    spec, _, wanted = spec.partition("@")
    if wanted and version and wanted != version:
        raise UsageError("usage.two-versions", wanted=wanted, other=version)
    wanted = (wanted or version or "latest").strip()
    board_id, variant, known = _board(spec.strip(), variant)
    choice = _chooser(wanted)
    kinds = _kinds(kind, known)
    releases = list_releases(board_id, source)
    mine = [each for each in releases if each.variant == variant]
    if not mine:
        raise _nothing(board_id, variant, known, releases, source)
    fitting = [each for each in mine if each.ext in kinds]
    if not fitting:
        raise UsageError(
            "usage.no-firmware-kind",
            board=board_id,
            kind=kinds[0],
            known=list(dict.fromkeys(each.ext for each in mine)),
        )
    chosen = choice(fitting)
    if not chosen:
        raise _no_version(board_id, variant, wanted, fitting, source)
    best = max(chosen, key=lambda each: (each.order, -kinds.index(each.ext), each.path is not None))
    if wanted == "latest" and best.provenance in ("cache", "snapshot"):
        how = "without the network" if source.offline else "the server was of no help, so"
        notice(source.reporter, f"{how} the newest known release of {board_id} is {best.version}", "warning")
    return best


def find_board(spec: str) -> tuple[str, str]:
    """Board id and variant ("" for none) of a user's words; the id may be one that the catalogue does not know.

    Raises: UsageError.
    """
    found, variant, _ = _board(spec.strip(), "")
    return found, variant


def list_releases(board_id: str, source: ReleaseSource) -> list[Release]:
    """Every firmware file of a board that is known, the newest first.

    Raises: NetworkError, OfflineError: never; what can't be asked is left out.
    """
    found: dict[str, Release] = {}
    published = source.try_published(board_id)
    for url, parts in published or ():
        found[url] = _release(url, parts, "page")
    if published is None and not source.offline:
        for url, parts in _computed(board_id, source):
            found.setdefault(url, _release(url, parts, "snapshot"))
    for stored in source.store.entries():
        known = stored.parts
        if known is None or known.board != board_id or known.ext not in FIRMWARE:
            continue
        here = replace(
            found.get(stored.url) or _release(stored.url, known, "cache"), sha256=stored.sha256, path=stored.path
        )
        if stored.url in found or stored.path is not None:
            found[stored.url] = here
    if source.offline:  # only what is here can be had
        found = {url: replace(each, provenance="cache") for url, each in found.items() if each.path is not None}
    return sorted(found.values(), key=lambda each: (each.order, not each.variant, each.ext), reverse=True)


def _computed(board_id: str, source: ReleaseSource) -> list[tuple[Address, FileName]]:
    """The addresses of the packaged releases, for boards and versions that were there then."""
    board = get(board_id)
    if board is None:
        return []
    oldest = version(board.tags[0]) if board.tags else None
    found = []
    for release, date in snapshot().items():
        number = version(release)
        if number is None or (oldest is not None and number < oldest):
            continue
        for variant in ("", *board.variants):
            for ext in board.kinds:
                name = parse(join(board.id, variant, date, release, ext))
                if name is not None:
                    found.append((source.file_url(name.name), name))
    return found


def _release(url: str, parts: FileName, provenance: Provenance) -> Release:
    return Release(
        url, parts.name, parts.board, parts.variant, parts.version, parts.date, parts.ext, provenance=provenance
    )


def _is_file(spec: str) -> bool:
    """A path: it is there as a file, or looks like one and like no board."""
    if os.path.isfile(spec):
        return True
    # A version has dots too: only the extensions of firmware count.
    tail = spec.rpartition(".")[2].lower() if "." in spec else ""
    return "/" in spec or os.sep in spec or tail in EXTENSIONS


def _from_file(spec: str) -> Release:
    path = Path(spec)
    if not path.is_file():
        raise LocalFileError("local-file.firmware-directory" if path.is_dir() else "local-file.no-firmware", path=spec)
    parts = parse(path.name)
    ext = path.name.rpartition(".")[2].lower() if "." in path.name else ""
    found = _release(spec, parts, "file") if parts else Release(spec, path.name, ext=ext, provenance="file")
    return replace(found, path=path)


def _from_url(url: str, source: ReleaseSource) -> Release:
    from urllib.parse import unquote, urlsplit

    address = Address.of(url)
    try:
        name = LocalName(unquote(urlsplit(address).path.rpartition("/")[2]))
    except ValueError as error:
        raise UsageError("usage.address-without-name", address=address, cause=error) from None
    parts = parse(name)
    ext = name.rpartition(".")[2].lower() if "." in name else ""
    found = _release(address, parts, "url") if parts else Release(address, name, ext=ext, provenance="url")
    stored = source.store.find(address)
    if stored is None:
        return found
    return replace(found, sha256=stored.sha256, path=stored.path)


def _no_wishes(spec: str, variant: str, version: str, kind: str) -> None:
    for option, value in (("variant", variant), ("version", version), ("kind", kind)):
        if value:
            raise UsageError("usage.one-file", spec=spec, option=option)


def _board(spec: str, variant: str) -> tuple[str, str, Board | None]:
    """Board id, variant and the catalogue's entry. What is written like an id may be younger than the catalogue."""
    known: Board | None
    try:
        known, named = split_name(spec)
        found = known.id
    except UsageError:
        base, _, tail = spec.partition("-")
        known = get(base)
        if (known is None and not _EXACT_ID.fullmatch(base)) or (known is not None and not tail):
            raise
        if tail and not re.fullmatch(r"[A-Z0-9_]+", tail, re.ASCII):
            raise
        named, found = tail, base.upper()
    if named and variant and named != variant.upper():
        raise UsageError("usage.two-variants", variant=named, other=variant) from None
    return found, variant.upper() or named, known


def _kinds(kind: str, board: Board | None) -> list[str]:
    """Extensions, the best first."""
    wanted = kind.lower().lstrip(".")
    if wanted:
        if wanted not in FIRMWARE:
            raise UsageError("usage.unknown-firmware-kind", kind=kind, known=FIRMWARE)
        return [wanted]
    if board is None:
        return [each for each in FIRMWARE if each != "app-bin"]
    return [board.kind] if board.port in ("esp32", "esp8266") else list(board.kinds)


Choice = Callable[[list[Release]], list[Release]]


def _chooser(wanted: str) -> Choice:
    """What a version's words allow, out of a list."""
    lower = wanted.lower()
    if lower in ("latest", "stable", "release"):
        return lambda releases: _newest([each for each in releases if not each.order[0].preview])
    if lower in ("preview", "nightly", "unstable"):
        return lambda releases: _newest([each for each in releases if each.order[0].preview])
    day = _DATE.fullmatch(wanted)
    if day is not None:
        date = "".join(day.groups())
        return lambda releases: _newest([each for each in releases if each.date == date])
    number = version(lower)
    if number is None:
        raise UsageError("usage.not-a-version", text=wanted)
    if number.preview:
        return lambda releases: _newest([each for each in releases if _same_preview(number, each.order[0])])
    if lower.count(".") == 1:
        series = number.release[:2]
        return lambda releases: _newest(
            [each for each in releases if each.order[0].final == 1 and each.order[0].release[:2] == series]
        )
    return lambda releases: [each for each in releases if each.order[0] == number]


def _same_preview(wanted: Version, there: Version) -> bool:
    """1.29.0-preview is any of its builds; a number, and a commit as far as it is written, have to agree."""
    return (
        (wanted.release, wanted.final) == (there.release, there.final)
        and (not wanted.number or wanted.number == there.number)
        and (not wanted.commit or there.commit.startswith(wanted.commit) or wanted.commit.startswith(there.commit))
    )


def _newest(releases: list[Release]) -> list[Release]:
    newest = max((each.order for each in releases), default=None)
    return [each for each in releases if each.order == newest]


def _nothing(
    board_id: str, variant: str, known: Board | None, releases: list[Release], source: ReleaseSource
) -> Exception:
    if known is None and not releases:
        near = suggest(board_id)
        return UsageError(
            "usage.firmware-unknown-board",
            server=source.server,
            board=board_id,
            hint=Said("boards.did-you-mean", names=" or ".join(near))
            if near
            else Said("releases.look-at", page=source.page_url(board_id)),
        )
    variants = {each.variant for each in releases if each.variant}
    if known is not None:
        variants |= set(known.variants)
    if variant and variant not in variants:
        return UsageError(
            "usage.firmware-no-variant",
            board=board_id,
            variant=variant,
            hint=Said("releases.variants", known=sorted(variants)) if variants else Said("releases.no-variants"),
        )
    what = f"{board_id}-{variant}" if variant else board_id
    if source.offline:
        return OfflineError("offline.no-firmware", build=what)
    return NetworkError("network.no-firmware", server=source.server, build=what, page=source.page_url(board_id))


def _no_version(board_id: str, variant: str, wanted: str, releases: list[Release], source: ReleaseSource) -> Exception:
    what = f"{board_id}-{variant}" if variant else board_id
    listed = list(dict.fromkeys(each.version for each in releases))
    there = Said("releases.versions", known=[*listed[:6], *["..."] * (len(listed) > 6)])
    if source.offline:
        return OfflineError("offline.no-version", version=wanted, build=what, hint=there)
    if wanted == "latest":
        return UsageError("usage.no-release", build=what, version=listed[0])
    return UsageError("usage.no-version", version=wanted, build=what, hint=there)
