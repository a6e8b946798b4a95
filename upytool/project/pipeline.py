"""From a project to a finished build: firmware and packages fetched, the recipe made, built, locked.

What a lock pins is taken as long as the project asks for the same; a build that is to be repeated exactly asks for
nothing else (`locked`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ..builder.base import BuildResult, FsChoice, Recipe, SourceOptions
from ..errors import BuildError, ConfigError, UsageError
from ..events import NULL, Reporter, notice
from ..image.base import load_file
from .build_lock import BuildLock, lock_path, moved, read_lock, request_of, write_lock
from .build_table import BuildTable
from .recipe import PackageFiles, collect_items, fetch_packages, fetch_resolved, require_project

if TYPE_CHECKING:
    from ..packages.download import Fetcher
    from ..packages.hosts import Hosts
    from ..packages.resolver import Resolution
    from ..releases.source import ReleaseSource


@dataclass(frozen=True)
class Services:
    """What a build reaches beyond the project.

    Attributes:
        fetcher, hosts, indexes: for packages.
        releases: for official firmware.
        cache: folder for compiled modules and build folders.
    """

    fetcher: Fetcher
    hosts: Hosts
    indexes: tuple[str, ...]
    releases: ReleaseSource
    cache: Path
    reporter: Reporter = NULL


@dataclass(frozen=True)
class Built:
    """A build and its lock; `lock` is None where there is no project file to lock for."""

    result: BuildResult
    recipe: Recipe
    packages: Resolution | None
    lock: Path | None
    lock_changed: bool = False


def build_project(
    table: BuildTable,
    services: Services,
    *,
    locked: bool = False,
    update: bool = False,
    output: Path | None = None,
    region: tuple[int, int] | None = None,
    write_lockfile: bool = True,
    source_options: SourceOptions | None = None,
) -> Built:
    """Build.

    Args:
        locked: take exactly what the lock pins; fail where the project asks for something else by now.
        update: ignore the lock's firmware and packages, take the newest that the project allows.
        output: in place of the project's.
        region: (start, size) of the file system where nobody else knows.
        write_lockfile: False leaves the lock as it is.

    Raises: BuildError, ImageError, UsageError, ConfigError, PackageError, NetworkError, OfflineError.
    """
    require_project(table)
    path = lock_path(table)
    old = read_lock(path) if table.file is not None else None
    lock = None if update else old
    if locked and lock is None:
        raise UsageError("usage.no-lock", name=path.name)
    same = lock is not None and dict(lock.request) == request_of(table)
    if locked and not same:
        raise ConfigError("config.build-lock-stale", name=path.name)
    pinned = lock if same else None
    packages = _packages(table, services, pinned)
    items = collect_items(table, packages)
    recipe = Recipe(
        "source" if table.kind == "source" else "image",
        items,
        board=table.board.partition("-")[0].upper(),
        variant=(table.variant or table.board.partition("-")[2]).upper(),
        version=table.version,
        entry=table.entry,
        manifest=table.locate(table.manifest, "manifest") if table.manifest else None,
        c_modules=tuple(table.locate(each, "c_modules") for each in table.c_modules),
        filesystem=cast(FsChoice, table.filesystem),
        region=region,
        flash_size=table.flash_bytes,
        safe_boot=table.safe_boot,
        options=table.make,
        output=output or (table.locate(table.output, "output") if table.output else None),
        root=table.root,
    )
    if recipe.kind == "image":
        from ..builder.from_image import build_image

        recipe = _with_firmware(recipe, table, services, pinned, locked)
        result = build_image(recipe, cache=services.cache / "mpy", reporter=services.reporter)
    else:
        from ..builder.from_source import build_source

        # A tree outside of the project is read; what a project's file names is not written there.
        options = replace(source_options or SourceOptions(), keep_tree=not table.may_write("source", table.source))
        source = _pinned_source(table.source, pinned)
        result = build_source(recipe, source, options, cache=services.cache, reporter=services.reporter)
    advice = moved(old.pins, result.pins) if old is not None else ""
    if advice and (result.keeps_files or "lost" in advice):
        result = replace(result, report=replace(result.report, notes=(*result.report.notes, advice)))
    resolution = packages.resolution if packages is not None else None
    changed = False
    if table.file is not None and write_lockfile and not locked:
        changed = write_lock(path, table, resolution, result)
    return Built(result, recipe, resolution, path if table.file is not None else None, changed)


def _pinned_source(source: str, pinned: BuildLock | None) -> str:
    """The commit that a lock pins, where the source is fetched by git; a folder of the user is taken as it is."""
    pins = dict(pinned.pins.get("source") or {}) if pinned is not None else {}
    origin, commit = str(pins.get("origin", "")), str(pins.get("commit", ""))
    return f"git+{origin}#{commit}" if origin and commit else source


def _packages(table: BuildTable, services: Services, pinned: BuildLock | None) -> PackageFiles | None:
    if pinned is not None and pinned.packages is not None:
        return fetch_resolved(pinned.packages, services.fetcher)
    return fetch_packages(table, services.fetcher, services.hosts, services.indexes)


def _with_firmware(
    recipe: Recipe, table: BuildTable, services: Services, pinned: BuildLock | None, locked: bool
) -> Recipe:
    """The recipe with its base firmware: a local file as it is, else a release (the lock's where it pins one)."""
    pins = dict(pinned.pins.get("firmware") or {}) if pinned is not None else {}
    origin, digest = str(pins.get("origin", "")), str(pins.get("sha256", ""))
    local = table.local_firmware
    if local is not None:
        if not os.path.isfile(local):
            raise BuildError("build.no-firmware", path=local)
        if locked and digest and sha256(load_file(str(local))).hexdigest() != digest:
            raise ConfigError("config.build-lock-other-firmware", name=local.name, lock=lock_path(table).name)
        return replace(recipe, firmware=local)
    if not table.firmware and not table.board:
        raise UsageError("usage.which-board")
    from ..releases.download import fetch
    from ..releases.resolve import find_release

    if origin:
        release = find_release(origin, services.releases)
    elif table.firmware:
        release = find_release(table.firmware, services.releases)
    else:
        release = find_release(table.board, services.releases, variant=table.variant, version=table.version)
    got = fetch(release, services.releases, sha256=digest)
    for warning in got.warnings:
        notice(services.reporter, warning, "warning")
    return replace(recipe, firmware=got.path, firmware_origin=got.release.url)
