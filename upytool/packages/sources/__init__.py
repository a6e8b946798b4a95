"""Where packages come from: what the user types, made into a Source.

NAME[@VERSION]                            a package index
github:USER/REPO[/PATH][@REF]             a git host; gitlab:, codeberg:, the user's own prefixes
http(s)://.../package.json | x.py | x.mpy the web
./package.json | x.py | x.mpy | folder    this computer
"""

from __future__ import annotations

from pathlib import Path

from upytool.errors import UpytoolError, UsageError
from upytool.packages.download import is_url
from upytool.packages.hosts import Hosts
from upytool.secret import redact

from .base import Context, Loaded, Source, SourceFile, is_absolute, is_index_name
from .git_hosts import GitSource
from .http import HttpSource
from .index import IndexSource
from .local import LocalSource

__all__ = [
    "Context",
    "GitSource",
    "HttpSource",
    "IndexSource",
    "Loaded",
    "LocalSource",
    "Source",
    "SourceFile",
    "is_index_name",
    "parse_dependency",
    "parse_source",
]


def parse_source(text: str, hosts: Hosts, *, base: Path | None = None) -> Source:
    """The source that a user's text names.

    Args:
        text: one of the forms above.
        hosts: the known prefixes.
        base: local paths are relative to it; None for the current folder.

    Raises:
        UsageError: it has none of the forms.
    """
    if is_url(text):
        return HttpSource.parse(text)
    if hosts.match(text) is not None:
        return GitSource.parse(hosts.parse(text))
    name, at, version = text.partition("@")
    if is_index_name(name):
        if at and not (version and _is_version(version)):
            raise UsageError("usage.package-version", source=text, version=version, name=name)
        return IndexSource(name, None if version in ("", "latest") else version)
    if is_absolute(text) and not _exists(text, base):
        if (plugged := _from_plug_in(text)) is not None:
            return plugged
        raise UsageError("usage.package-protocol", source=redact(text))
    if not text.strip():
        raise UsageError("usage.package-name")
    return LocalSource.parse(text, base)


def parse_dependency(text: str, version: str | None, hosts: Hosts) -> Source:
    """The source of a `deps` entry: an index name, a URL or a host. Never a local path.

    A version that stands in the entry's second place counts where the text has none of its own.
    """
    if is_url(text):
        return HttpSource.parse(text)
    if hosts.match(text) is not None:
        source: Source = GitSource.parse(hosts.parse(text))
    else:
        name, _, own = text.partition("@")
        if not is_index_name(name):
            raise UsageError("usage.not-a-dependency", source=redact(text))
        for each in (own, version):
            if each and not _is_version(each):
                raise UsageError("usage.dependency-version", source=text, version=each)
        source = IndexSource(name, own or None)
    return source.at(version) if version and source.version is None else source


def _from_plug_in(text: str) -> Source | None:
    """The source of a plug-in: an entry point of `upytool.package_sources`, named like the prefix.

    Raises:
        UsageError: the plug-in is broken.
    """
    from importlib.metadata import entry_points

    for point in entry_points(group="upytool.package_sources", name=text.partition(":")[0]):
        try:
            source: Source = point.load()(text)
        except UpytoolError:
            raise
        except Exception as error:
            raise UsageError("usage.package-plugin", plugin=point.value, name=point.name, cause=error) from error
        return source
    return None


def _is_version(text: str) -> bool:
    return is_index_name(text.replace("+", "-"))


def _exists(text: str, base: Path | None) -> bool:
    try:
        return (base or Path()).joinpath(text).exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False
