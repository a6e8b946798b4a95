"""Build: firmware with modules of your own in it, one file to flash.

    from pathlib import Path
    from upytool.api import build

    built = build.build(wish=build.BuildWish(modules=("src",), board="RPI_PICO", entry="app:main"))
    print(built.result.output, built.result.sha256)

Without a compiler, modules go into official firmware as .mpy files: into its ROMFS where it has one, else into the file
system of its first start. From source they are frozen into it. A project file says the same in its table [build].
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ..errors import UsageError
from ..events import NULL, Reporter
from .packages import PackageSettings, open_sources

if TYPE_CHECKING:
    from ..builder.base import BuildReport as BuildReport
    from ..builder.base import SourceOptions
    from ..project.build_table import BuildTable
    from ..project.pipeline import Built as Built
    from ..project.pipeline import Services
    from .boot_check import BootSeen as BootSeen

Container = Literal["auto", "none", "docker", "podman"]
_VERSION = re.compile(r"latest|preview|v?\d+\.\d+(\.\d+)?(-preview)?|\d{8}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BuildWish:
    """What to build; None and () leave the project's word, or else the default.

    Attributes:
        modules: modules and directories of them, relative to the working directory.
        kind: into official firmware (`image`) or from source.
        board: RPI_PICO, ESP32_GENERIC-SPIRAM, `pico w` ...
        version: of MicroPython: `latest`, `preview`, `1.27` ...
        firmware: build into this file, version or URL.
        data: files that go in as they are.
        entry: what a start runs, MODULE[:CALL].
        filesystem: where modules go: `auto`, `romfs`, `littlefs`, `fat`.
        region: (start, size) in bytes of the file system, where nobody else knows.
        flash_size: an Espressif board's, where its firmware is made for less: `8MB`.
        safe_boot: add a boot.py with which a bad main.py can lock nobody out.
        optimize: mpy-cross's level.
        output: the file to write.
        source: the MicroPython tree for a build from source, or its git address.
        manifest: a manifest.py that is frozen as well.
        container: compile in `docker` or `podman`; `auto` where compilers are missing, or `none`.
        jobs: compilers at once; 0: one for each processor core.
        clean: begin with an empty build directory.
    """

    modules: tuple[str, ...] = ()
    kind: Literal["image", "source"] | None = None
    board: str | None = None
    version: str | None = None
    firmware: str | None = None
    data: tuple[str, ...] = ()
    entry: str | None = None
    filesystem: str | None = None
    region: tuple[int, int] | None = None
    flash_size: str | None = None
    safe_boot: bool = False
    optimize: int | None = None
    output: str | None = None
    source: str | None = None
    manifest: str | None = None
    container: Container | None = None
    jobs: int = 0
    clean: bool = False


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Where firmware and packages come from.

    Attributes:
        packages: for packages, and whether the network may be used.
        firmware_url: the server of official firmware.
    """

    packages: PackageSettings = field(default_factory=PackageSettings)
    firmware_url: str = "https://micropython.org"


@dataclass(frozen=True)
class Firmware:
    """A finished build; `check` is what was seen of its start, where that was asked for."""

    built: Built
    check: BootSeen | None = None

    @property
    def starts(self) -> bool:
        """Whether something of it runs at a start."""
        return any(each.target.partition(".")[0] in ("main", "boot") for each in self.built.result.report.modules)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        result, seen = self.built.result, self.check
        return {
            "output": str(result.output),
            "bytes": result.bytes,
            "sha256": result.sha256,
            "unchanged": result.unchanged,
            "keeps_files": result.keeps_files,
            "lock": str(self.built.lock) if self.built.lock else None,
            "seconds": round(result.seconds, 3),
            "check": {"version": seen.version, "said": seen.said, "runs_on": seen.runs_on} if seen else None,
            "report": report_data(result.report),
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """A build made again: its SHA-256, that of the lock, and which inputs differ."""

    lock: Path
    sha256: str
    locked: str | None
    changes: tuple[str, ...]

    @property
    def same(self) -> bool:
        return self.sha256 == self.locked

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"same": self.same, "sha256": self.sha256, "locked": self.locked, "changes": list(self.changes)}


def build(
    project: Path | None = None,
    wish: BuildWish | None = None,
    *,
    locked: bool = False,
    update: bool = False,
    check: bool = False,
    settings: BuildSettings | None = None,
    reporter: Reporter = NULL,
) -> Firmware:
    """Build firmware.

    Args:
        project: the project file; None: what `wish` says is all.
        locked: take exactly what the project's lock pins; fail where the project asks for something else by now.
        update: take the newest firmware and packages that the project allows.
        check: start the result in the emulator (RP2040 alone), and run its entry.

    Errors: BuildError (CompileError with file and line), ImageError, UsageError, ConfigError, PackageError,
    NetworkError, OfflineError, LocalFileError.
    """
    wish = wish or BuildWish()
    table = build_table(project, wish)
    with _services(settings or BuildSettings(), reporter) as services:
        output = Path(wish.output) if wish.output else None
        built = _run(table, services, wish, locked=locked, update=update, output=output)
    seen = None
    if check:
        from .boot_check import boot_check

        seen = boot_check(built.result.output, reporter=reporter)
    return Firmware(built, seen)


def report(
    project: Path | None = None,
    wish: BuildWish | None = None,
    *,
    locked: bool = False,
    update: bool = False,
    settings: BuildSettings | None = None,
    reporter: Reporter = NULL,
) -> BuildReport:
    """Say what each module costs; nothing is kept. Arguments and errors are those of `build`."""
    wish = wish or BuildWish()
    table = build_table(project, wish)
    with _services(settings or BuildSettings(), reporter) as services:
        return _scratch(table, services, wish, locked=locked, update=update).result.report


def verify(
    project: Path | None = None,
    wish: BuildWish | None = None,
    *,
    settings: BuildSettings | None = None,
    reporter: Reporter = NULL,
) -> Comparison:
    """Build what the lock pins once more, and compare; nothing is kept.

    Errors: as `build`; UsageError where there is no lock.
    """
    from ..project.build_lock import changes, lock_path, read_lock

    wish = wish or BuildWish()
    table = build_table(project, wish)
    path = lock_path(table)
    lock = read_lock(path)
    if lock is None:
        raise UsageError("usage.no-lock-to-compare", name=path.name)
    with _services(settings or BuildSettings(), reporter) as services:
        result = _scratch(table, services, wish, locked=True).result
    locked = lock.output.get("sha256")
    found = tuple(changes(lock.pins, result.pins))
    return Comparison(path, result.sha256, None if locked is None else str(locked), found)


def build_table(project: Path | None, wish: BuildWish) -> BuildTable:
    """The project's table [build] with the wish in its place. Errors: UsageError, ConfigError."""
    from ..config.paths import working_dir
    from ..project.build_table import load_build_table, parse_flash_size

    table = load_build_table(project)
    changed: dict[str, Any] = {}
    for name in ("kind", "board", "version", "entry", "filesystem", "source", "optimize"):
        if getattr(wish, name) is not None:
            changed[name] = getattr(wish, name)
    if wish.flash_size is not None:
        if parse_flash_size(wish.flash_size) is None:
            raise UsageError("usage.flash-size", size=wish.flash_size)
        changed["flash_size"] = wish.flash_size
    if wish.safe_boot:
        changed["safe_boot"] = True
    if (wish.source or wish.manifest) and wish.kind is None and not table.kind:
        changed["kind"] = "source"
    kind = str(changed.get("kind") or table.kind)
    if wish.board is not None:
        changed["board"], changed["variant"] = _board(wish.board, kind)
        if table.firmware and wish.firmware is None:
            changed["firmware"] = ""
    elif table.board:
        changed["board"], own = _board(table.board, kind)
        changed["variant"] = table.variant or own
    here = os.path.relpath(working_dir(), table.root)
    for each in (*wish.modules, *wish.data):
        if not os.path.exists(each):
            raise UsageError("usage.path-missing", path=each)
    typed = {"modules": wish.modules, "manifest": wish.manifest, "source": wish.source}
    changed["anywhere"] = tuple(key for key, value in typed.items() if value)
    if wish.modules:
        changed["modules"] = tuple(os.path.normpath(os.path.join(here, each)) for each in wish.modules)
    if wish.data:
        changed["data"] = tuple(os.path.normpath(os.path.join(here, each)) for each in wish.data)
    firmware = wish.firmware
    if firmware is not None and _VERSION.fullmatch(firmware) and not os.path.exists(firmware):
        if wish.version is not None:
            raise UsageError("usage.version-twice", version=firmware)
        changed["version"], firmware = firmware, None
    elif firmware is not None and wish.version is not None:
        raise UsageError("usage.version-of-file")
    if firmware is not None:
        changed["firmware"] = firmware if "://" in firmware else os.path.abspath(firmware)
    elif "version" in changed and table.firmware:
        changed["firmware"] = ""
    if wish.manifest is not None:
        changed["manifest"] = os.path.abspath(wish.manifest)
    if wish.source is not None and "://" not in wish.source:
        changed["source"] = os.path.abspath(wish.source)
    made = replace(table, **changed)
    if made.kind == "source" and made.manifest and not os.path.isfile(made.root / made.manifest):
        raise UsageError("usage.no-manifest", path=made.manifest)
    return made


def _board(name: str, kind: str) -> tuple[str, str]:
    """MicroPython's names for what a user calls a board. A source tree may have boards that no release has."""
    from ..boards.catalogue import get
    from ..releases.resolve import find_board

    if kind == "source" and get(name.partition("-")[0]) is None:
        board, _, variant = name.partition("-")
        return board, variant
    return find_board(name)


def _run(
    table: BuildTable,
    services: Services,
    wish: BuildWish,
    *,
    locked: bool = False,
    update: bool = False,
    output: Path | None = None,
    write_lockfile: bool = True,
) -> Built:
    from ..project.pipeline import build_project

    return build_project(
        table,
        services,
        locked=locked,
        update=update,
        output=output,
        region=wish.region,
        write_lockfile=write_lockfile,
        source_options=_source_options(table, services, wish),
    )


def _scratch(
    table: BuildTable, services: Services, wish: BuildWish, *, locked: bool = False, update: bool = False
) -> Built:
    from ..scratch import scratch_directory

    with scratch_directory() as folder:
        output = folder / "firmware"
        return _run(table, services, wish, locked=locked, update=update, output=output, write_lockfile=False)


def _source_options(table: BuildTable, services: Services, wish: BuildWish) -> SourceOptions:
    from ..builder.base import SourceOptions

    container = cast("Container", wish.container or table.container or "auto")
    return SourceOptions(container=container, jobs=wish.jobs, clean=wish.clean, offline=services.releases.offline)


@contextmanager
def _services(settings: BuildSettings, reporter: Reporter) -> Iterator[Services]:
    from ..config.paths import cache_dir
    from ..project.pipeline import Services
    from ..releases.source import ReleaseSource

    packages = settings.packages
    with (
        open_sources(packages, reporter) as (fetcher, hosts),
        ReleaseSource(settings.firmware_url, offline=packages.offline, reporter=reporter) as releases,
    ):
        yield Services(fetcher, hosts, packages.indexes, releases, packages.cache or Path(cache_dir()), reporter)


def loaded(report: BuildReport) -> int:
    """Bytes of RAM that importing all modules of a build takes; 0 where nobody knows."""
    from ..builder.sizes import loaded as of_modules

    return of_modules(report.modules)


def report_data(report: BuildReport) -> dict[str, Any]:
    """What each module costs, as a JSON value."""
    return {
        "kind": report.kind,
        "board": report.board,
        "version": report.version.removeprefix("v"),
        "mpy": report.abi.text if report.abi else None,
        "modules": [
            {
                "file": each.target, "from": each.origin, "package": each.package or None, "source": each.source,
                "stored": None if each.placement == "frozen" else each.stored, "flash": each.flash,
                "placement": each.placement, "ram": each.ram,
            }
            for each in report.modules
        ],
        "regions": [
            {"name": each.name, "start": each.start, "size": each.size, "used": each.used, "free": each.free}
            for each in report.regions
        ],
        "what_if": list(report.what_if),
        "notes": list(report.notes),
    }  # fmt: skip
