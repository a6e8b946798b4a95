"""The lock `mip.lock`: exactly which files an install brings, with whole digests.

`mip install --locked` installs from it alone: no index is asked for a newest version, and a file counts only
with the SHA-256 that the lock has, all 64 digits (an index promises 8). JSON, sorted, so that a diff tells
what changed.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from upytool import documents, limits
from upytool.errors import ConfigError, LocalFileError, PackageError, UsageError
from upytool.net.address import Address
from upytool.whole_file import write_whole
from upytool.words import Said

from .content import verified
from .download import Fetcher, is_url
from .index import SOURCES
from .record import stored_path
from .resolver import Resolution, ResolvedPackage
from .sources import SourceFile

NAME = "mip.lock"


def locked(resolution: Resolution, fetcher: Fetcher) -> Resolution:
    """The resolution with whole digests: every file is fetched and verified.

    Raises: as `Fetcher.fetch_all`.
    """
    wanted = {file.location: file.immutable for package in resolution.packages for file in package.files}
    contents = fetcher.fetch_all(wanted.items())
    packages = []
    for package in resolution.packages:
        files = tuple(
            replace(file, digest=sha256(verified(file, contents[file.location])).hexdigest()) for file in package.files
        )
        packages.append(replace(package, files=files))
    return Resolution(tuple(packages), resolution.notes)


def write_lock(path: Path, resolution: Resolution, abi: str) -> None:
    """Write a locked resolution, whole or not at all.

    Args:
        path: of the lock.
        abi: the .mpy version that it was made for ("6"), "py" for sources.

    Raises:
        LocalFileError: the file cannot be written.
    """
    by_name = sorted(resolution.packages, key=lambda each: each.name)
    packages = [package_data(each, path.parent) for each in by_name]
    order = [each.name for each in resolution.packages]
    text = json.dumps({"v": 1, "abi": abi, "order": order, "packages": packages}, indent=1) + "\n"
    try:
        write_whole(path, text.encode(), durable=True)
    except OSError as error:
        raise LocalFileError("local-file.lock", path=path, reason=error.strerror or error) from error


def read_lock(path: Path, abi: str) -> Resolution:
    """Read a lock for a board.

    Args:
        abi: what the board loads, as an index names it.

    Raises:
        LocalFileError: there is none.
        ConfigError: it is damaged.
        PackageError: it was made for boards that load other .mpy files.
    """
    try:
        data = documents.read_bytes(path, error=LocalFileError)
    except LocalFileError as error:
        raise error.advise(Said("package.lock-makes")) from None
    try:
        raw = documents.parse_json(data, str(path), error=ConfigError)
        newer = raw["v"] != 1
        listed = [] if newer else raw["packages"]
        if len(listed) > limits.PACKAGES:
            raise ValueError(f"it has more than {limits.PACKAGES} packages")
        by_name = {each["name"]: package_from(each, path.parent) for each in listed}
        packages = tuple(by_name[name] for name in ([] if newer else raw["order"]))
        if len(packages) != len(by_name):
            raise ValueError("order and packages differ")
        made_for = "" if newer else str(raw["abi"])
    except (ConfigError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(
            "config.lock-damaged",
            path=path,
            cause=Said("package.field-missing", field=str(error)) if isinstance(error, LookupError) else error,
        ) from None
    if newer:
        raise ConfigError("config.newer-lock", path=path)
    if made_for != abi and any(each.abi != SOURCES for each in packages):
        if abi == SOURCES:
            raise PackageError("package.lock-for-mpy", name=path.name, made_for=made_for)
        raise PackageError("package.lock-for-other-mpy", name=path.name, made_for=made_for, version=abi)
    return Resolution(packages)


def package_data(package: ResolvedPackage, base: Path) -> dict[str, Any]:
    """A package as a lock has it; local paths are relative to `base`."""
    return {
        "name": package.name,
        "source": package.source,
        "version": package.version,
        "wanted": package.wanted,
        "requested": package.requested,
        "deps": list(package.deps),
        "abi": package.abi,
        "files": [
            {
                "path": file.path,
                "from": file.location if is_url(file.location) else _relative(file.location, base),
                "sha256": file.digest,
                "compilable": file.compilable,
            }
            for file in package.files
        ],
    }


def package_from(raw: dict[str, Any], base: Path) -> ResolvedPackage:
    """The package that `package_data` wrote. Raises: KeyError, TypeError, ValueError when it is damaged."""
    files = []
    for each in raw["files"]:
        path, location, digest = stored_path(each["path"]), str(each["from"]), str(each["sha256"])
        if len(digest) != 64 or not all(digit in "0123456789abcdef" for digit in digest):
            raise ValueError(f"the digest of {path!r} is none")
        location = _address(location) if is_url(location) else str((base / location).resolve())
        files.append(SourceFile(path, location, digest, bool(each["compilable"])))
    version, wanted = raw["version"], raw["wanted"]
    return ResolvedPackage(
        str(raw["name"]),
        str(raw["source"]),
        str(raw["source"]),
        None if version is None else str(version),
        None if wanted is None else str(wanted),
        bool(raw["requested"]),
        tuple(str(dep) for dep in raw["deps"]),
        tuple(files),
        str(raw["abi"]),
    )


def _address(location: str) -> Address:
    """Raises: ValueError."""
    try:
        return Address.of(location)
    except UsageError as error:
        raise ValueError(str(error)) from None


def _relative(path: str, base: Path) -> str:
    try:
        return Path(os.path.relpath(path, base)).as_posix()
    except ValueError:  # another drive
        return Path(path).as_posix()
