"""`upytool build`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...config.paths import working_dir
from ...errors import DifferencesFound, UsageError
from ..app import App, pass_app
from ..group import define
from ..params import LocalPath
from ..ui.text import plural, rows, size, wrapped

if TYPE_CHECKING:
    from ...build.base import BuildReport, SourceOptions
    from ...project.build_table import BuildTable
    from ...project.pipeline import Built, Services


_VERSION = re.compile(r"latest|preview|v?\d+\.\d+(\.\d+)?(-preview)?|\d{8}", re.IGNORECASE)


@define(
    "build",
    examples=[
        ("upytool build", "the firmware that [build] of upytool.toml describes"),
        ("upytool build src --board RPI_PICO --entry app:main", "without a project file"),
        ("upytool build + flash", "and put it on the board"),
        ("upytool build report", "what each module costs"),
        ("upytool build --from source --source ../micropython", "frozen, by MicroPython's own build"),
        ("upytool build --verify", "build again and compare with the lock"),
    ],
)
@click.argument("modules", type=LocalPath(directories=True), nargs=-1,
                help="Modules and directories of them; [build]'s if left out. `report` first: only sizes.")  # fmt: skip
@click.option("--from", "kind", type=click.Choice(["image", "source"]), help="Into official firmware, or from source.")
@click.option("--board", metavar="BOARD", help="For this board: RPI_PICO, ESP32_GENERIC-SPIRAM, pico w ...")
@click.option("--version", "version", metavar="VERSION", help="Of MicroPython: latest, preview, 1.27 ...")
@click.option("--firmware", metavar="FILE|VERSION|URL", help="Build into this firmware.")
@click.option("--data", multiple=True, type=LocalPath(directories=True), metavar="PATH",
              help="Files that go in as they are.")  # fmt: skip
@click.option("--entry", metavar="MODULE[:CALL]", help="What a start runs.")
@click.option("--filesystem", type=click.Choice(["auto", "romfs", "littlefs", "fat"]), help="Where modules go.")
@click.option("--region", metavar="START,SIZE", help="Where the file system is, if nobody else knows.")
@click.option("--flash-size", metavar="SIZE", help="An Espressif board's, where its firmware is made for less: 8MB.")
@click.option("--safe-boot", is_flag=True, help="Add a boot.py with which a bad main.py can't lock you out.")
@click.option("--optimize", "-O", type=click.IntRange(0, 3), metavar="N", help="mpy-cross's level.")
@click.option("--output", "-o", type=LocalPath(), metavar="FILE", help="The file to write.")
@click.option("--source", metavar="DIRECTORY|GIT", help="The MicroPython tree for --from source.")
@click.option("--manifest", type=LocalPath(), help="A manifest.py that is frozen as well (--from source).")
@click.option("--container", type=click.Choice(["auto", "none", "docker", "podman"]),
              help="Compile in a container (--from source); auto: where compilers are missing.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(0), default=0, metavar="N",
              help="Compilers at once (one for each processor core).")  # fmt: skip
@click.option("--clean", is_flag=True, help="Begin with an empty build directory (--from source).")
@click.option("--check", is_flag=True, help="Start the result in the emulator, where there is one, and run the entry.")
@click.option("--locked", is_flag=True, help="Take exactly what upytool.lock pins.")
@click.option("--update", is_flag=True, help="Take the newest firmware and packages that the project allows.")
@click.option("--verify", is_flag=True, help="Build again and compare with upytool.lock; writes nothing.")
@pass_app
def command(app: App, /, modules: tuple[str, ...], **options: Any) -> None:
    """Make firmware with your modules in it: one file to flash.

    Without a compiler, the modules go into official firmware as .mpy files: into its ROMFS where it has one, else
    into the file system of its first start. From source they are frozen into it.
    """
    only_report = modules[:1] == ("report",) and not os.path.exists("report")
    table = _table(app, modules[1:] if only_report else modules, options)
    options["container"] = options["container"] or table.container or "auto"
    with _services(app) as services:
        if options["verify"]:
            _verify(app, table, services, options)
            return
        built = _build(table, services, options, scratch=only_report)
    if only_report:
        for note in built.result.report.notes:
            app.note(note)
        app.emit(_report_data(built.result.report), lambda style: _report_lines(built.result.report, style))
        return
    result = built.result
    seen = None
    if options["check"]:
        from ..boot_check import boot_check

        seen = boot_check(result.output, reporter=app.reporter)
    data = {
        "output": str(result.output),
        "bytes": result.bytes,
        "sha256": result.sha256,
        "unchanged": result.unchanged,
        "keeps_files": result.keeps_files,
        "lock": str(built.lock) if built.lock else None,
        "seconds": round(result.seconds, 3),
        "check": {"version": seen.version, "said": seen.said, "runs_on": seen.runs_on} if seen is not None else None,
        "report": _report_data(result.report),
    }
    app.emit(data, lambda style: _summary(result.report, style))
    for note in result.report.notes:
        app.note(note)
    if not result.keeps_files and not _starts(result.report):
        app.note("no main.py goes in, so nothing starts by itself: --entry MODULE[:CALL] makes one")
    base = built.recipe.firmware
    if base is not None and base.suffix and result.output.suffix.lower() != base.suffix.lower():
        app.warn(f"{_shown(result.output)} holds what a {base.suffix} file holds, whatever its name says")
    what = "is up to date" if result.unchanged else "is written"
    ours = built.lock is not None and Path.cwd().is_relative_to(built.recipe.root)
    named = "" if ours and result.output.resolve().is_relative_to(built.recipe.root) else f" {_shown(result.output)}"
    app.note(f"{_shown(result.output)} {what}: {size(result.bytes)}, sha256 {result.sha256[:12]}")
    for line in seen.words if seen is not None else ():
        app.note(line)
    app.note(f"next: `upytool flash{named}`")


def _starts(report: BuildReport) -> bool:
    return any(each.target.partition(".")[0] in ("main", "boot") for each in report.modules)


def _table(app: App, modules: tuple[str, ...], options: dict[str, Any]) -> BuildTable:
    """The project's table with what the command line says in its place."""
    from ...project.build_table import load_build_table, parse_flash_size

    file = app.settings.project_file
    table = load_build_table(Path(file) if file else None)
    changed: dict[str, Any] = {}
    for name in ("kind", "board", "version", "entry", "filesystem", "source", "optimize"):
        if options[name] is not None:
            changed[name] = options[name]
    if options["flash_size"] is not None:
        if parse_flash_size(options["flash_size"]) is None:
            raise UsageError(f"{options['flash_size']!r} is no size of a flash", hint="write --flash-size 4MB")
        changed["flash_size"] = options["flash_size"]
    if options["safe_boot"]:
        changed["safe_boot"] = True
    if (options["source"] or options["manifest"]) and options["kind"] is None and not table.kind:
        changed["kind"] = "source"
    kind = str(changed.get("kind") or table.kind)
    if options["board"] is not None:
        changed["board"], changed["variant"] = _board(options["board"], kind)
        if table.firmware and options["firmware"] is None:
            changed["firmware"] = ""
    elif table.board:
        changed["board"], own = _board(table.board, kind)
        changed["variant"] = table.variant or own
    here = os.path.relpath(working_dir(), table.root)
    for each in (*modules, *options["data"]):
        if not os.path.exists(each):
            raise UsageError(f"there is no {each}", hint="name files and directories that are there")
    typed = {"modules": modules, "manifest": options["manifest"], "source": options["source"]}
    changed["anywhere"] = tuple(key for key, value in typed.items() if value)
    if modules:
        changed["modules"] = tuple(os.path.normpath(os.path.join(here, each)) for each in modules)
    if options["data"]:
        changed["data"] = tuple(os.path.normpath(os.path.join(here, each)) for each in options["data"])
    firmware = options["firmware"]
    if firmware is not None and _VERSION.fullmatch(firmware) and not os.path.exists(firmware):
        if options["version"] is not None:
            raise UsageError(f"--firmware {firmware} and --version say the same", hint="leave one of them out")
        changed["version"], firmware = firmware, None
    elif firmware is not None and options["version"] is not None:
        raise UsageError("--version has no meaning with --firmware FILE", hint="the file has its version")
    if firmware is not None:
        changed["firmware"] = firmware if "://" in firmware else os.path.abspath(firmware)
    elif "version" in changed and table.firmware:
        changed["firmware"] = ""
    if options["manifest"] is not None:
        changed["manifest"] = os.path.abspath(options["manifest"])
    if options["source"] is not None and "://" not in options["source"]:
        changed["source"] = os.path.abspath(options["source"])
    made = replace(table, **changed)
    if made.kind == "source" and made.manifest and not os.path.isfile(made.root / made.manifest):
        raise UsageError(f"there is no manifest {made.manifest}", hint="mend the path, or leave it out")
    return made


def _board(name: str, kind: str) -> tuple[str, str]:
    """MicroPython's names for what a user calls a board. A source tree may have boards that no release has."""
    from ...boards.catalogue import get
    from ...releases.resolve import find_board

    if kind == "source" and get(name.partition("-")[0]) is None:
        board, _, variant = name.partition("-")
        return board, variant
    return find_board(name)


def _build(table: BuildTable, services: Services, options: dict[str, Any], *, scratch: bool = False) -> Built:
    from ...api.images import parse_region
    from ...project.pipeline import build_project

    output = Path(options["output"]) if options["output"] else None
    region = parse_region(options["region"]) if options["region"] is not None else None
    if not scratch:
        return build_project(
            table, services, locked=options["locked"], update=options["update"], output=output, region=region,
            source_options=_source_options(services, options),
        )  # fmt: skip
    from ...scratch import scratch_directory

    with scratch_directory() as folder:
        return build_project(
            table, services, locked=options["locked"], update=options["update"], output=folder / "firmware",
            region=region, write_lockfile=False, source_options=_source_options(services, options),
        )  # fmt: skip


def _verify(app: App, table: BuildTable, services: Services, options: dict[str, Any]) -> None:
    from ...project.build_lock import changes, lock_path, read_lock

    path = lock_path(table)
    lock = read_lock(path)
    if lock is None:
        raise UsageError(f"there is no {path.name} to compare with", hint="`upytool build` makes it")
    built = _build(table, services, {**options, "locked": True}, scratch=True)
    found = changes(lock.pins, built.result.pins)
    same = lock.output.get("sha256") == built.result.sha256
    data = {"same": same, "sha256": built.result.sha256, "locked": lock.output.get("sha256"), "changes": found}
    app.emit(data, found)
    if not same:
        raise DifferencesFound(
            f"this build gives {built.result.sha256[:12]}, {path.name} has {str(lock.output.get('sha256'))[:12]}",
            hint="what differs is listed above" if found else "the same inputs gave other bytes: please report this",
        )
    app.note(f"The same bytes again: sha256 {built.result.sha256[:12]}")


@contextmanager
def _services(app: App) -> Iterator[Services]:
    from ...api.packages import open_sources
    from ...config.paths import cache_dir
    from ...project.pipeline import Services
    from ...releases.source import ReleaseSource
    from ..package_source import package_settings

    settings = app.settings
    with (
        open_sources(package_settings(app), app.reporter) as (fetcher, hosts),
        ReleaseSource(settings.firmware_url, offline=settings.offline, reporter=app.reporter) as releases,
    ):
        yield Services(fetcher, hosts, tuple(settings.index.split()), releases, Path(cache_dir()), app.reporter)


def _source_options(services: Services, options: dict[str, Any]) -> SourceOptions:
    from ...build.base import SourceOptions

    return SourceOptions(
        container=options["container"], jobs=options["jobs"], clean=options["clean"], offline=services.releases.offline
    )


def _report_data(report: BuildReport) -> dict[str, Any]:
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


def _summary(report: BuildReport, style: Any) -> list[str]:
    """A few lines after a build; the whole table is `build report`."""
    packages = sorted({each.package for each in report.modules if each.package})
    own = plural(len(report.modules), "file")
    if packages:
        own += f" with {plural(len(packages), 'package')} ({', '.join(packages)})"
    abi = report.abi.text if report.abi else "-"
    version = report.version.removeprefix("v")
    lines = [f"{style.strong(report.board or 'firmware')} {version}, {own}, .mpy {abi}"]
    return [*lines, *_regions(report, style)]


def _report_lines(report: BuildReport, style: Any) -> list[str]:
    from ...build.sizes import loaded

    body = [
        (
            each.target,
            size(each.source),
            size(each.stored) if each.target.endswith(".mpy") else None,
            size(each.flash),
            each.ram,
            each.package or each.origin,
        )
        for each in report.modules
    ]
    titles = ["file", "source", "compiled", "in flash", "in RAM", "from"]
    lines = list(rows(style, titles, body, align="lrrrll"))
    whole = loaded(report.modules)
    if whole:
        lines += ["", f"Importing all of it loads about {size(whole)} into RAM"]
    lines += ["", *_regions(report, style)]
    if report.what_if:
        lines += ["", "otherwise:", *(line for each in report.what_if for line in wrapped(style, each, "  "))]
    return lines


def _regions(report: BuildReport, style: Any) -> list[str]:
    body = [
        (each.name, f"{each.start:#x}", size(each.size), size(each.used), size(each.free)) for each in report.regions
    ]
    return list(rows(style, ["region", "start", "size", "used", "free"], body, align="llrrr"))


def _shown(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
