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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from upytool.errors import PackageError

from .manifest import safe_path

DIGITS = 16


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed package; `files` maps paths below the target to digests' first digits."""

    name: str
    source: str
    version: str | None = None
    requested: bool = True
    deps: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
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

    def owners(self, path: str) -> list[str]:
        """The names of the packages that a file belongs to."""
        return [each.name for each in self.packages.values() if path in each.files]

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
        raw = json.loads(text)
        if raw["v"] != 1:
            raise PackageError(
                f"{where} was written by a newer upytool", hint="update this one: pip install -U upytool"
            )
        packages = {}
        for name, each in raw["packages"].items():
            files = {str(path): str(digest) for path, digest in each["files"].items()}
            if any(safe_path(path) != path for path in files):
                raise ValueError("a path leaves the directory")
            version = each["version"]
            packages[name] = Installed(
                str(name),
                str(each["source"]),
                None if version is None else str(version),
                bool(each["requested"]),
                tuple(str(dep) for dep in each["deps"]),
                files,
                str(each["abi"]),
                str(each["digest"]),
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PackageError(
            f"{where}, the record of what is installed, is damaged: {error}",
            hint=f"remove it with `upytool rm :{where}` and install the packages again",
        ) from None
    return Record(packages)
