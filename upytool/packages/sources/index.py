"""NAME[@VERSION]: a package of an index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from upytool.errors import NetworkError, OfflineError, PackageError
from upytool.net.address import Address
from upytool.packages.index import SOURCES, PackageIndex, suggest
from upytool.packages.manifest import parse_manifest
from upytool.words import Said

from .base import Context, Loaded, Source, load_manifest


@dataclass(frozen=True, slots=True)
class IndexSource:
    """A package by its name in an index."""

    package: str
    version: str | None = None
    remote: ClassVar[bool] = True

    @property
    def key(self) -> str:
        return f"index:{self.package}"

    @property
    def name(self) -> str:
        return self.package

    def at(self, version: str | None) -> IndexSource:
        return IndexSource(self.package, version)

    def text(self) -> str:
        return f"{self.package}@{self.version}" if self.version else self.package

    def load(self, context: Context) -> Loaded:
        missing: OfflineError | None = None
        for index in context.indexes:
            for abi in dict.fromkeys((context.abi, SOURCES)):
                location = index.manifest_location(self.package, self.version, abi)
                try:
                    data = context.fetcher.find(location)
                except OfflineError as error:
                    missing = missing or error
                    continue
                if data is not None:
                    if abi != context.abi:
                        context.notes.append(
                            f"{index.base} has no build of {self.package} for .mpy version {context.abi}: "
                            "its sources are used"
                        )
                    return self._loaded(context, index, abi, location, data)
        if missing is not None:
            raise missing
        raise self._unknown(context)

    def _loaded(self, context: Context, index: PackageIndex, abi: str, location: str, data: bytes) -> Loaded:
        def relative(spec: str, _: str | None) -> Source:
            raise PackageError("package.deps-name", url=location, name=spec)

        return load_manifest(
            parse_manifest(data, location),
            context,
            location,
            absolute=lambda url: context.hosts.locate(url, location),
            beside=lambda url: (
                location.beside(url.lstrip("/"))
                if isinstance(location, Address)
                else f"{location.rpartition('/')[0]}/{url.lstrip('/')}"
            ),
            relative=relative,
            index=index,
            abi=abi,
        )

    def _unknown(self, context: Context) -> PackageError:
        where = [str(index.base) for index in context.indexes]
        known: list[str] = []
        versions: list[str] = []
        for index in context.indexes:
            try:
                entries = index.entries(context.fetcher)
            except PackageError:
                continue
            known += [entry.name for entry in entries]
            for entry in entries:
                if entry.name == self.package:
                    versions += entry.versions.get(context.abi) or entry.versions.get(SOURCES) or ()
        if self.package in known and self.version:
            shown = list(dict.fromkeys(versions))
            return NetworkError(
                "network.no-version",
                indexes=where,
                name=self.package,
                version=self.version,
                hint=Said("package.has-versions", versions=shown) if shown else Said("package.newest-only"),
            )
        error = NetworkError("network.no-package", indexes=where, name=self.package)
        near = suggest(self.package, known)
        return error.advise(Said("package.similar", names=near), first=True) if near else error
