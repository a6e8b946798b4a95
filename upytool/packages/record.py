"""The record of what is installed, kept on the board as `<target>/.upytool.json`.

    {"v": 1, "packages": {NAME: {
        "source": what the user would type, "version": ..., "requested": true, "deps": [names],
        "abi": the .mpy version its .mpy files need ("6.3 armv7em", "6"; "" for sources alone),
        "digest": first 16 hex digits over its source files before compiling, to tell a newer one,
        "files": {path below the target: first 16 hex digits of its SHA-256}}}}

64 bits of each digest tell an unmodified file; the board's flash is small. A record that cannot be read is an
error with a way out, never an empty one: it says who owns which file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from upytool import documents, limits
from upytool.errors import PackageError
from upytool.inner_path import PackagePath
from upytool.words import Said

from .manifest import package_path

DIGITS = 16
_HEX = re.compile(r"[0-9a-f]{1,64}")


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package; `files` maps paths below the target to digests' first digits."""

    name: str
    source: str
    version: str | None = None
    requested: bool = True
    deps: tuple[str, ...] = ()
    files: Mapping[PackagePath, str] = field(default_factory=dict)
    abi: str = ""
    digest: str = ""

    def data(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "source": self.source,
            "version": self.version,
            "requested": self.requested,
            "deps": list(self.deps),
            "abi": self.abi,
            "digest": self.digest,
            "files": dict(self.files),
        }


@dataclass(frozen=True, slots=True)
class Record:
    """All packages of one target folder."""

    packages: Mapping[str, Installed] = field(default_factory=dict)

    def owned(self, fold: Callable[[str], str]) -> dict[str, list[str]]:
        """Each file, as `fold` spells its path, with the names of the packages that it belongs to."""
        found: dict[str, list[str]] = {}
        for package in self.packages.values():
            for path in package.files:
                found.setdefault(fold(path), []).append(package.name)
        return found

    def needed_by(self, name: str) -> list[str]:
        """The names of the packages that name this one as a dependency."""
        return [each.name for each in self.packages.values() if name in each.deps and each.name != name]

    def changed(self, put: Iterable[Installed] = (), drop: Iterable[str] = ()) -> Record:
        """A record with these added or replaced, and those left away."""
        gone = set(drop)
        packages = {name: each for name, each in self.packages.items() if name not in gone}
        packages.update((each.name, each) for each in put)
        return Record(packages)

    def unused(self) -> list[str]:
        """Packages that nobody asked for and that no requested one needs (any more)."""
        keep: set[str] = set()
        todo = [each.name for each in self.packages.values() if each.requested]
        while todo:
            name = todo.pop()
            if name not in keep and name in self.packages:
                keep.add(name)
                todo += self.packages[name].deps
        return [name for name in self.packages if name not in keep]

    def to_bytes(self) -> bytes:
        """The file's content."""
        packages = {name: self.packages[name].data() for name in sorted(self.packages)}
        return json.dumps({"v": 1, "packages": packages}, separators=(",", ":")).encode()


def parse_record(text: bytes | None, where: str) -> Record:
    """Read a record; None gives an empty one.

    Raises:
        PackageError: it is damaged, or of a newer upytool.
    """
    if text is None:
        return Record()
    try:
        raw = documents.parse_json(text, where, error=PackageError)
        newer = raw["v"] != 1
        listed = {} if newer else raw["packages"]
        if len(listed) > limits.PACKAGES:
            raise ValueError(f"it has more than {limits.PACKAGES} packages")
        packages = {name: _installed(name, each) for name, each in listed.items()}
    except (PackageError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise PackageError(
            "package.record-damaged",
            path=where,
            cause=Said("package.field-missing", field=str(error)) if isinstance(error, LookupError) else error,
        ) from None
    if newer:
        raise PackageError("package.newer-record", path=where)
    return Record(packages)


def _installed(name: str, raw: Any) -> Installed:
    """One package. Raises: ValueError, LookupError, TypeError, AttributeError."""
    version = raw["version"]
    return Installed(
        name,
        _word(raw["source"]),
        None if version is None else _word(version),
        bool(raw["requested"]),
        tuple(_word(dep) for dep in raw["deps"]),
        {stored_path(path): _digits(digest) for path, digest in raw["files"].items()},
        _word(raw["abi"]),
        _word(raw["digest"]),
    )


def stored_path(text: object) -> PackagePath:
    """A path as a record or a lock holds it: in its plain form. Raises: ValueError."""
    try:
        path = package_path(_word(text))
        problem = "" if path == text else "it is not in its plain form"
    except ValueError as error:
        problem = str(error)
    if problem:
        raise ValueError(f"{text!r} is not a path below the target: {problem}")
    return path


def _digits(value: object) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ValueError(f"{value!r} is not a digest")
    return value


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    return value
