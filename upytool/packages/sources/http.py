"""http(s) addresses: a .py, a .mpy, a package.json, or the folder of one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import unquote, urlsplit

from upytool.errors import UsageError
from upytool.net.address import Address
from upytool.packages.download import not_found
from upytool.packages.manifest import parse_manifest

from .base import Context, Loaded, SourceFile, file_path, is_single_file, load_manifest

_FILE_WITH_REF = re.compile(r"\.(py|mpy|json)@[^/]*$")


@dataclass(frozen=True, slots=True)
class HttpSource:
    """An address of the web. It has no versions: an "@" in it belongs to it."""

    url: Address
    remote: ClassVar[bool] = True

    @classmethod
    def parse(cls, url: str) -> HttpSource:
        """The source of what a user or a package.json wrote.

        Raises:
            UsageError: a file's address with an "@version" behind it.
        """
        address = Address.of(url)
        parts = urlsplit(address)
        if _FILE_WITH_REF.search(parts.path):
            raise UsageError("usage.version-of-url", url=str(address))
        if not parts.path.endswith(".json") and not is_single_file(parts.path):
            address = address.below("package.json")
        return cls(address)

    @property
    def version(self) -> None:
        return None

    @property
    def key(self) -> str:
        return self.url

    @property
    def name(self) -> str:
        parts = [unquote(each) for each in urlsplit(self.url).path.split("/") if each]
        found = parts[-1].rpartition(".")[0]
        if parts[-1] == "package.json":
            found = parts[-2] if len(parts) > 1 else ""
        return found if found and found.isprintable() else (urlsplit(self.url).hostname or self.url)

    def at(self, version: str | None) -> HttpSource:
        return self

    def text(self) -> str:
        return self.url

    def load(self, context: Context) -> Loaded:
        path = urlsplit(self.url).path
        if is_single_file(path):
            file = SourceFile(
                file_path(unquote(path.rpartition("/")[2]), self.url), self.url, compilable=path.endswith(".py")
            )
            return Loaded(None, (file,), (), self.url)
        data = context.fetcher.find(self.url)
        if data is None:
            raise not_found(self.url)

        def beside(url: str) -> Address:
            return self.url.beside(url.lstrip("/"))

        return load_manifest(
            parse_manifest(data, self.url),
            context,
            self.url,
            absolute=lambda url: context.hosts.locate(url, self.url),
            beside=beside,
            relative=lambda spec, _: HttpSource.parse(beside(spec)),
        )
