"""`upytool build`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import DifferencesFound
from ...words import Said
from ..app import App, pass_app
from ..group import define
from ..package_source import package_settings
from ..params import LocalPath
from ..ui.text import plural, rows, size, wrapped

if TYPE_CHECKING:
    from ...api.build import BuildReport, Comparison, Firmware


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
@click.argument(
    "modules",
    type=LocalPath(directories=True),
    nargs=-1,
    help="Modules and directories of modules (default: those of [build]). `report` first shows sizes only.",
)
@click.option(
    "--from", "kind", type=click.Choice(["image", "source"]), help="Build into official firmware, or from source."
)
@click.option("--board", metavar="BOARD", help="Board to build for: RPI_PICO, ESP32_GENERIC-SPIRAM, pico w ...")
@click.option("--version", "version", metavar="VERSION", help="MicroPython version: latest, preview, 1.27 ...")
@click.option("--firmware", metavar="FILE|VERSION|URL", help="Firmware to build into.")
@click.option("--data", multiple=True, type=LocalPath(directories=True), metavar="PATH",
              help="Files to include unchanged.")  # fmt: skip
@click.option("--entry", metavar="MODULE[:CALL]", help="Module to run at boot, as MODULE[:FUNCTION].")
@click.option(
    "--filesystem", type=click.Choice(["auto", "romfs", "littlefs", "fat"]), help="File system to put modules in."
)
@click.option("--region", metavar="START,SIZE", help="Region of the file system, where it cannot be detected.")
@click.option(
    "--flash-size", metavar="SIZE", help="Flash size of an Espressif board whose firmware is built for less: 8MB."
)
@click.option("--safe-boot", is_flag=True, help="Add a boot.py that keeps a bad main.py from locking you out.")
@click.option("--optimize", "-O", type=click.IntRange(0, 3), metavar="N", help="Optimization level of mpy-cross.")
@click.option("--output", "-o", type=LocalPath(), metavar="FILE", help="File to write.")
@click.option("--source", metavar="DIRECTORY|GIT", help="MicroPython source tree (--from source).")
@click.option("--manifest", type=LocalPath(), help="Additional manifest.py to freeze (--from source).")
@click.option("--container", type=click.Choice(["auto", "none", "docker", "podman"]),
              help="Compile in a container (--from source); auto: where compilers are missing.")  # fmt: skip
@click.option("--jobs", "-j", type=click.IntRange(0), default=0, metavar="N",
              help="Parallel compile jobs (default: one for each processor core).")  # fmt: skip
@click.option("--clean", is_flag=True, help="Start from an empty build directory (--from source).")
@click.option("--check", is_flag=True, help="Boot the result in the emulator, where one exists, and run the entry.")
@click.option("--locked", is_flag=True, help="Use exactly what upytool.lock pins.")
@click.option("--update", is_flag=True, help="Use the newest firmware and packages that the project allows.")
@click.option("--verify", is_flag=True, help="Build again and compare with upytool.lock; writes nothing.")
@pass_app
def command(app: App, /, modules: tuple[str, ...], **options: Any) -> None:
    """Make firmware with your modules in it: one file to flash.

    Without a compiler, the modules go into official firmware as .mpy files: into its ROMFS where it has one, else
    into the file system of its first start. From source they are frozen into it.
    """
    from ...api import build
    from ...api.images import parse_region

    only_report = modules[:1] == ("report",) and not os.path.exists("report")
    project = Path(app.settings.project_file) if app.settings.project_file else None
    locked, update, check, again = (options.pop(name) for name in ("locked", "update", "check", "verify"))
    options["region"] = None if options["region"] is None else parse_region(options["region"])
    wish = build.BuildWish(modules=modules[1:] if only_report else modules, **options)
    settings = build.BuildSettings(package_settings(app), app.settings.firmware_url)
    if again:
        _compare(app, build.verify(project, wish, settings=settings, reporter=app.reporter))
        return
    if only_report:
        found = build.report(project, wish, locked=locked, update=update, settings=settings, reporter=app.reporter)
        for note in found.notes:
            app.note(note)
        app.emit(build.report_data(found), lambda style: _report_lines(found, style))
        return
    _tell(
        app,
        build.build(project, wish, locked=locked, update=update, check=check, settings=settings, reporter=app.reporter),
    )


def _tell(app: App, firmware: Firmware) -> None:
    built, seen = firmware.built, firmware.check
    result = built.result
    app.emit(firmware.data(), lambda style: _summary(result.report, style))
    for note in result.report.notes:
        app.note(note)
    if not result.keeps_files and not firmware.starts:
        app.note("no main.py goes in, so nothing starts by itself: --entry MODULE[:CALL] makes one")
    base = built.recipe.firmware
    if base is not None and base.suffix and result.output.suffix.lower() != base.suffix.lower():
        app.warn(f"{_shown(result.output)} is a {base.suffix} file despite its extension")
    what = "is up to date" if result.unchanged else "is written"
    ours = built.lock is not None and Path.cwd().is_relative_to(built.recipe.root)
    named = "" if ours and result.output.resolve().is_relative_to(built.recipe.root) else f" {_shown(result.output)}"
    app.note(f"{_shown(result.output)} {what}: {size(result.bytes)}, sha256 {result.sha256[:12]}")
    for line in seen.words if seen is not None else ():
        app.note(line)
    app.note(f"next: `upytool flash{named}`")


def _compare(app: App, found: Comparison) -> None:
    app.emit(found.data(), found.changes)
    if not found.same:
        raise DifferencesFound(
            "differences.build",
            sha256=found.sha256,
            lock=found.lock.name,
            locked=str(found.locked),
            hint=Said("cli.differs-above" if found.changes else "cli.same-inputs"),
        )
    app.note(f"The same bytes again: sha256 {found.sha256[:12]}")


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
    from ...api.build import loaded

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
    whole = loaded(report)
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
