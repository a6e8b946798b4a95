"""http(s) addresses: a .py, a .mpy, a package.json, or the folder of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from upytool.errors import PackageError, UsageError
from upytool.packages.download import not_found
from upytool.packages.manifest import parse_manifest

from .base import (
    Context,
    Loaded,
    Source,
    SourceFile,
    is_absolute,
    is_index_name,
    is_single_file,
    load_manifest,
    no_relative,
)

_FILE_WITH_REF = re.compile(r"\.(py|mpy|json)@[^/]*$")


@dataclass(frozen=True, slots=True)
class HttpSource:
    """An address of the web. It has no versions: an "@" in it belongs to it."""

    url: str
    version: str | None = None

    def __post_init__(self) -> None:
        if _FILE_WITH_REF.search(urlsplit(self.url).path):
            raise UsageError(
                f"{self.url} names a version, but a plain address has only one",
                hint="Versions go with index packages (NAME@VERSION) and git hosts (github:USER/REPO@REF).",
            )
        path = urlsplit(self.url).path
        if not path.endswith(".json") and not is_single_file(path):
            parts = urlsplit(self.url)
            folder = parts.path.rstrip("/") + "/package.json"
            object.__setattr__(self, "url", urlunsplit(parts._replace(path=folder)))
        object.__setattr__(self, "version", None)

    @property
    def key(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        parts = [unquote(each) for each in urlsplit(self.url).path.split("/") if each]
        stem, _, suffix = parts[-1].rpartition(".")
        if suffix != "json" or stem != "package":
            return stem
        return parts[-2] if len(parts) > 1 else (urlsplit(self.url).hostname or self.url)

    def at(self, version: str | None) -> HttpSource:
        return self

    def text(self) -> str:
        return self.url

    def file_location(self) -> str:
        return self.url

    def load(self, context: Context) -> Loaded:
        path = urlsplit(self.url).path
        if is_single_file(path):
            file = SourceFile(unquote(path.rpartition("/")[2]), self.url, compilable=path.endswith(".py"))
            return Loaded(None, (file,), (), self.url)
        data = context.fetcher.find(self.url)
        if data is None:
            raise not_found(self.url)

        def beside(url: str) -> str:
            return urljoin(self.url.partition("?")[0], url.lstrip("/"))

        def dependency(spec: str, version: str | None) -> Source:
            if is_absolute(spec) or is_index_name(spec):
                return context.parse(spec, version)
            return HttpSource(beside(spec))

        return load_manifest(
            parse_manifest(data, self.url),
            origin=self.url,
            hashed=_own_hashes(context, self.url),
            beside=beside,
            absolute=lambda url: _file(context, url),
            dependency=dependency,
        )


def _file(context: Context, url: str) -> Source:
    """The source of an absolute `urls` entry: http(s) as it stands, any ending; or a path of a git host."""
    if url.lower().startswith(("http://", "https://")):
        return ExactFile(url)
    return context.parse(url, None)


@dataclass(frozen=True, slots=True)
class ExactFile:
    """The address of one file, whatever it ends with (data files of a package.json)."""

    url: str
    version: str | None = None

    @property
    def key(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    def at(self, version: str | None) -> ExactFile:
        return self

    def text(self) -> str:
        return self.url

    def file_location(self) -> str:
        return self.url

    def load(self, context: Context) -> Loaded:
        raise PackageError(f"{self.url} is a file of a package and no package")


def _own_hashes(context: Context, origin: str) -> object:
    return no_relative(origin)
