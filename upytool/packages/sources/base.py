"""What a source of packages is, and what loading one gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from upytool.errors import PackageError
from upytool.packages.download import Fetcher
from upytool.packages.index import PackageIndex
from upytool.packages.manifest import PackageManifest

# One letter before a colon is a Windows drive.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:")
INDEX_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a package, before any compiling.

    Attributes:
        path: where it goes, below the target folder.
        location: the URL, or the path of this computer, that it comes from.
        digest: the first hex digits (or all) of its SHA-256 that source or lock promise, "" for none.
        compilable: it is a .py that may become a .mpy for the board.
    """

    path: str
    location: str
    digest: str = ""
    compilable: bool = False

    @property
    def immutable(self) -> bool:
        """The location names the content: an index's `file/xx/xxxxxxxx`."""
        name = self.location.rpartition("/")[2]
        return len(name) >= 8 and self.digest.startswith(name)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A package as its source gives it.

    `origin` is where its description was read (URL or path); `abi` the .mpy version of its index files
    ("6"), "py" for sources.
    """

    version: str | None
    files: tuple[SourceFile, ...]
    deps: tuple[Source, ...]
    origin: str
    abi: str = "py"


@dataclass(slots=True)
class Context:
    """What sources work with.

    Attributes:
        fetcher: gets the files.
        indexes: asked in this order.
        abi: the board's .mpy version as an index names it, "py" for sources.
        parse: makes a source of an absolute text (a name, URL or host) and a version.
        notes: sentences for the user, as they come up.
    """

    fetcher: Fetcher
    indexes: tuple[PackageIndex, ...]
    abi: str
    parse: Callable[[str, str | None], Source]
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """Where one package comes from. Two sources with the same `key` are the same package."""

    @property
    def key(self) -> str:
        """What makes it the same package, whatever version."""

    @property
    def name(self) -> str:
        """A short name for lists."""

    @property
    def version(self) -> str | None:
        """The version or git ref that is asked for; None for the newest."""

    def at(self, version: str | None) -> Source:
        """The same package at another version."""

    def text(self) -> str:
        """As the user would type it."""

    def file_location(self) -> str:
        """The address of the one file that it names; used for the absolute `urls` of a package.json."""

    def load(self, context: Context) -> Loaded:
        """Read its description (not its files).

        Raises:
            PackageError: there is none, or it is wrong.
        """


def is_absolute(text: str) -> bool:
    """Does it name its place completely (a URL, a host, an index name), whatever package.json holds it?"""
    return bool(_ABSOLUTE.match(text))


def is_index_name(text: str) -> bool:
    """Could an index have a package of this name?"""
    return bool(INDEX_NAME.fullmatch(text)) and not text.endswith((".py", ".mpy", ".json"))


def is_single_file(path: str) -> bool:
    """A file to install as it is, and no package.json?"""
    return path.endswith((".py", ".mpy"))


def load_manifest(
    manifest: PackageManifest,
    *,
    origin: str,
    hashed: Callable[[str], str],
    beside: Callable[[str], str],
    absolute: Callable[[str], Source],
    dependency: Callable[[str, str | None], Source],
    abi: str = "py",
    compile_hashed: bool = False,
) -> Loaded:
    """A manifest's entries as files with locations and dependencies with sources.

    Args:
        hashed: the location of a `hashes` entry, by its digest.
        beside: the location of a relative URL.
        absolute: the source of an absolute URL.
        dependency: the source of a dependency and its version.
    """
    files = [
        SourceFile(each.path, hashed(each.digest), each.digest, compile_hashed and each.path.endswith(".py"))
        for each in manifest.hashes
    ]
    for each in manifest.urls:
        if is_absolute(each.url):
            location = absolute(each.url).file_location()
        else:
            location = beside(each.url)
        files.append(SourceFile(each.path, location, compilable=each.path.endswith(".py")))
    deps = tuple(dependency(each.spec, each.version) for each in manifest.deps)
    return Loaded(manifest.version, tuple(files), deps, origin, abi)


def no_relative(origin: str) -> Callable[[str], str]:
    """For sources that have no place beside them."""

    def refuse(text: str) -> str:
        raise PackageError(f"{origin} names {text!r}, which has no place relative to it")

    return refuse
