"""PackageManifest: mip's `package.json`, read strictly.

Its fields (docs/reference/packages.rst of MicroPython; micropython-lib's `tools/build.py` writes an index):

    v        1, the format's number
    version  a text
    hashes   [[path on the board, first hex digits of the file's SHA-256], ...]: files of a package index
    urls     [[path on the board, URL], ...]: files from anywhere, relative ones beside the package.json
    deps     [[name or URL, version], ...]: other packages that it needs

Unknown fields are left alone, as mip itself does. Everything wrong is one PackageError that names the field.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from upytool import documents, limits
from upytool.errors import PackageError
from upytool.inner_path import PackagePath
from upytool.words import Said

FORMAT = 1
_HEX = re.compile(r"[0-9a-f]{8,64}")


@dataclass(frozen=True, slots=True)
class HashedFile:
    """A file of a package index: `path` below the target folder, `digest` its SHA-256's first hex digits."""

    path: PackagePath
    digest: str


@dataclass(frozen=True, slots=True)
class UrlFile:
    """A file from `url` (absolute, or relative to the package.json), to `path` below the target folder."""

    path: PackagePath
    url: str


@dataclass(frozen=True, slots=True)
class Dependency:
    """Another package, as the manifest names it; `version` is None for "latest"."""

    spec: str
    version: str | None


@dataclass(frozen=True, slots=True)
class PackageManifest:
    """What one package.json says."""

    version: str | None = None
    hashes: tuple[HashedFile, ...] = ()
    urls: tuple[UrlFile, ...] = ()
    deps: tuple[Dependency, ...] = ()

    def data(self) -> dict[str, Any]:
        """The manifest as JSON values: what `parse_manifest` reads back."""
        made: dict[str, Any] = {"v": FORMAT}
        if self.version is not None:
            made["version"] = self.version
        if self.hashes:
            made["hashes"] = [[each.path, each.digest] for each in self.hashes]
        if self.urls:
            made["urls"] = [[each.path, each.url] for each in self.urls]
        if self.deps:
            made["deps"] = [[each.spec, each.version or "latest"] for each in self.deps]
        return made


def parse_manifest(text: bytes | str, origin: str) -> PackageManifest:
    """Read a package.json.

    Args:
        text: the file's content.
        origin: where it came from (URL or path), for the messages.

    Raises:
        PackageError: not JSON, or a field has a wrong form; the message names the field.
    """
    try:
        raw = documents.parse_json(text, origin, error=PackageError)
    except PackageError as error:
        raise error.advise(Said("package.open-address")) from None
    return manifest_from(raw, origin)


def manifest_from(raw: Any, origin: str) -> PackageManifest:
    """As `parse_manifest`, from values that are parsed already."""
    if not isinstance(raw, dict):
        raise _wrong(origin, "the file", "an object", raw)
    number = raw.get("v", FORMAT)
    if isinstance(number, bool) or not isinstance(number, int):
        raise _wrong(origin, "v", "a number", number)
    if number != FORMAT:
        raise PackageError("package.manifest-version", origin=origin, version=number, supported=FORMAT)
    version = raw.get("version")
    if isinstance(version, (int, float)) and not isinstance(version, bool):
        version = str(version)
    if version is not None and (not isinstance(version, str) or not version.isprintable()):
        raise _wrong(origin, "version", "a text", version)
    hashes: dict[str, HashedFile] = {}
    for where, path, digest in _pairs(raw, "hashes", origin):
        digest = _text(digest, origin, f"{where}[1]").lower()
        if not _HEX.fullmatch(digest):
            raise _wrong(origin, f"{where}[1]", "8 to 64 hex digits", digest)
        entry = HashedFile(_target(path, origin, f"{where}[0]"), digest)
        _once(hashes, entry.path, entry, origin, where)
    urls: dict[str, UrlFile] = {}
    for where, path, url in _pairs(raw, "urls", origin):
        url = _text(url, origin, f"{where}[1]")
        if not url or "\\" in url or not url.isprintable():
            raise _wrong(origin, f"{where}[1]", 'a URL or a path with "/"', url)
        file = UrlFile(_target(path, origin, f"{where}[0]"), url)
        if file.path in hashes:
            raise PackageError("package.in-hashes", origin=origin, where=where, path=file.path)
        _once(urls, file.path, file, origin, where)
    deps: dict[Dependency, None] = {}
    for where, spec, wanted in _pairs(raw, "deps", origin):
        spec = _text(spec, origin, f"{where}[0]")
        if not spec or not spec.isprintable():
            raise _wrong(origin, f"{where}[0]", "a package's name or URL", spec)
        if wanted is not None:
            wanted = _text(wanted, origin, f"{where}[1]")
        deps[Dependency(spec, None if wanted in (None, "", "latest") else wanted)] = None
    return PackageManifest(version, tuple(hashes.values()), tuple(urls.values()), tuple(deps))


def package_path(text: str) -> PackagePath:
    """The path below the target that a package's file has. Raises: ValueError, with one clause."""
    path = PackagePath.below(text)
    # Without regard to case, which FAT does not keep apart.
    if any(part.startswith(".upytool") for part in path.casefold().split("/")):
        raise ValueError("upytool keeps this name for itself")
    return path


def _target(value: Any, origin: str, where: str) -> PackagePath:
    text = _text(value, origin, where)
    try:
        return package_path(text)
    except ValueError as problem:
        raise PackageError("package.path", origin=origin, where=where, path=_shown(text), reason=problem) from None


def _text(value: Any, origin: str, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(origin, where, "a text", value)
    return value


def _pairs(raw: dict[str, Any], field: str, origin: str) -> list[tuple[str, Any, Any]]:
    value = raw.get(field)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _wrong(origin, field, "a list", value)
    if len(value) > limits.PACKAGE_ENTRIES:
        raise PackageError("package.too-many-entries", origin=origin, field=field, limit=limits.PACKAGE_ENTRIES)
    found = []
    for number, entry in enumerate(value):
        if not isinstance(entry, list) or len(entry) != 2:
            raise _wrong(origin, f"{field}[{number}]", "a list of two", entry)
        found.append((f"{field}[{number}]", entry[0], entry[1]))
    return found


def _once(seen: dict[str, Any], path: str, entry: object, origin: str, where: str) -> None:
    if seen.setdefault(path, entry) != entry:
        raise PackageError("package.twice", origin=origin, where=where, path=path)


def _wrong(origin: str, where: str, wanted: str, got: object) -> PackageError:
    return PackageError("package.wrong-value", origin=origin, where=where, expected=wanted, found=_shown(got))


def _shown(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."
