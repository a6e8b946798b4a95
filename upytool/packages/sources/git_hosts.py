"""github:, gitlab:, codeberg: and the user's own hosts: a file, a package.json, or the folder of one."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, replace
from typing import ClassVar

from upytool.packages.download import not_found
from upytool.packages.hosts import RepoPath
from upytool.packages.manifest import parse_manifest

from .base import Context, Loaded, Source, SourceFile, file_path, is_single_file, load_manifest


@dataclass(frozen=True, slots=True)
class GitSource:
    """A place in a repository; `place.path` ends in .py, .mpy or .json."""

    place: RepoPath
    remote: ClassVar[bool] = True

    @classmethod
    def parse(cls, place: RepoPath) -> GitSource:
        """The source at `place`: a folder means its package.json."""
        if not is_single_file(place.path) and not place.path.endswith(".json"):
            place = replace(place, path=posixpath.join(place.path, "package.json"))
        return cls(place)

    @property
    def version(self) -> str | None:
        return self.place.ref

    @property
    def key(self) -> str:
        return f"{self.place.host.name}:{self.place.repo.lower()}//{self.place.path}"

    @property
    def name(self) -> str:
        folder, file = posixpath.split(self.place.path)
        if file != "package.json":
            return file.rpartition(".")[0]
        return posixpath.basename(folder or self.place.repo) or self.place.host.name

    def at(self, version: str | None) -> GitSource:
        return self if self.place.host.kind == "http" else GitSource(replace(self.place, ref=version))

    def text(self) -> str:
        shown = self.place.path
        if posixpath.basename(shown) == "package.json":
            shown = posixpath.dirname(shown)
        return replace(self.place, path=shown).text()

    def load(self, context: Context) -> Loaded:
        location = self.place.location()
        path = self.place.path
        if is_single_file(path):
            file = SourceFile(file_path(posixpath.basename(path), location), location, compilable=path.endswith(".py"))
            return Loaded(None, (file,), (), location)
        data = context.fetcher.find(location)
        if data is None:
            raise not_found(location)

        def relative(spec: str, version: str | None) -> Source:
            place = self.place.beside(spec, location)
            return GitSource.parse(replace(place, ref=version or place.ref))

        return load_manifest(
            parse_manifest(data, location),
            context,
            location,
            absolute=lambda url: context.hosts.locate(url, location, self.place),
            beside=lambda url: self.place.beside(url, location).location(),
            relative=relative,
        )
