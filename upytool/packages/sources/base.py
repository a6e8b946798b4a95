"""What a source of packages is, and what loading one gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from upytool import limits
from upytool.errors import PackageError, UsageError
from upytool.inner_path import PackagePath
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.index import PackageIndex
from upytool.packages.manifest import PackageManifest, package_path

# One letter before a colon is a Windows drive.
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+._-]+:")
_INDEX_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a package, before any compiling.

    Attributes:
        path: where it goes, below the target folder.
        location: the URL, or the path of this computer, that it comes from.
        digest: the first hex digits (or all) of its SHA-256 that source or lock promise, "" for none.
        compilable: it is a .py that may become a .mpy for the board.
    """

    path: PackagePath
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
        hosts: the git hosts and their tokens.
        abi: the board's .mpy version as an index names it, "py" for sources.
        parse: makes a source of an absolute text (a name, URL or host) and a version.
        notes: sentences for the user, as they come up.
    """

    fetcher: Fetcher
    indexes: tuple[PackageIndex, ...]
    hosts: Hosts
    abi: str
    parse: Callable[[str, str | None], Source]
    notes: list[str] = field(default_factory=list)


class Source(Protocol):
    """Where one package comes from. Two sources with the same `key` are the same package.

    One with an attribute `remote` that is true is loaded on a thread, side by side with others.
    """

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

    def load(self, context: Context) -> Loaded:
        """Read its description (not its files).

        Raises:
            PackageError: there is none, or it is wrong.
        """


def is_absolute(text: str) -> bool:
    """Does it name its place completely (a URL or a host), whatever package.json holds it?"""
    return bool(_ABSOLUTE.match(text))


def is_index_name(text: str) -> bool:
    """Could an index have a package of this name?"""
    return (
        len(text) <= limits.NAME_BYTES
        and bool(_INDEX_NAME.fullmatch(text))
        and not text.endswith((".py", ".mpy", ".json"))
    )


def is_single_file(path: str) -> bool:
    """A file to install as it is, and no package.json?"""
    return path.endswith((".py", ".mpy"))


def file_path(name: str, origin: str, *, single: bool = True) -> PackagePath:
    """The path below the target of a file that its source names.

    Args:
        name: the file's name, percent-decoded.
        origin: what the user knows the source by.
        single: it is one name; False where directories may stand before it.

    Raises:
        PackageError: there can be none.
    """
    try:
        path = package_path(name)
        if path == name and not (single and "/" in name):
            return path
        problem = "it holds '/'"
    except ValueError as error:
        problem = str(error)
    raise PackageError("package.name", origin=origin, name=name, reason=problem)


def load_manifest(
    manifest: PackageManifest,
    context: Context,
    origin: str,
    *,
    absolute: Callable[[str], str],
    beside: Callable[[str], str],
    relative: Callable[[str, str | None], Source],
    index: PackageIndex | None = None,
    abi: str = "py",
) -> Loaded:
    """A manifest's entries as files with locations and dependencies with sources.

    Args:
        absolute: the location of an absolute URL.
        beside: the location of a relative URL.
        relative: the source of a dependency that is a relative path, and its version.
        index: where `hashes` entries are; the first index where the package.json is none of an index.
        abi: the .mpy version of these entries.
    """
    index = index or context.indexes[0]
    compile_hashed = abi == "py" and context.abi != "py"
    files = [
        SourceFile(
            each.path,
            index.file_location(each.digest),
            each.digest,
            compile_hashed and each.path.endswith(".py"),
        )
        for each in manifest.hashes
    ]
    try:
        for entry in manifest.urls:
            location = absolute(entry.url) if is_absolute(entry.url) else beside(entry.url)
            files.append(SourceFile(entry.path, location, compilable=entry.path.endswith(".py")))
        deps = tuple(
            context.parse(each.spec, each.version)
            if is_absolute(each.spec) or is_index_name(each.spec)
            else relative(each.spec, each.version)
            for each in manifest.deps
        )
    except UsageError as error:  # the package's author wrote it, not the user
        raise PackageError("package.dependency", origin=origin, cause=error, hint=error.hints) from None
    return Loaded(manifest.version, tuple(files), deps, origin, abi)
