"""`upytool mip`: packages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from ...errors import DifferencesFound, UsageError
from ..app import App, pass_app
from ..group import define_group
from ..package_source import package_settings
from ..package_views import show_plan, source_lines
from ..params import LocalPath, RemotePath
from ..ui.text import rows

if TYPE_CHECKING:
    from pathlib import Path

    from ...api.packages import PackageSettings, Source

Option = Callable[[Any], Any]
target_option: Option = click.option(
    "--target",
    "-t",
    type=RemotePath(),
    help="Target directory on the board (default: the first usable .../lib of sys.path).",
)
index_option: Option = click.option(
    "--index",
    "-i",
    multiple=True,
    metavar="URL",
    help="Package index URL, or a directory with one; repeatable.",
)
mpy_option: Option = click.option(
    "--mpy/--no-mpy",
    "-m",
    default=None,
    help="Install .mpy files where the board loads them (default), or sources.",
)
dry_option: Option = click.option("--dry-run", "-n", is_flag=True, help="Show the plan without changing anything.")


@define_group(
    "mip",
    examples=[
        ("upytool mip install aioble", "the newest from the package index"),
        ("upytool mip install umqtt.simple@1.3.4 github:user/repo@v2", "a version, a git tag"),
        ("upytool mip list", "what is installed?"),
        ("upytool mip search bluetooth", "what is there?"),
    ],
)
def command() -> None:
    """Install packages, from an index, git hosts, the web or this computer, and look after them."""


@command.command(
    "install",
    examples=[
        ("upytool mip install aioble", "from the package index"),
        (
            "upytool mip install github:user/repo/lib@main https://example.org/x.py",
            "from a git host, the web",
        ),
        ("upytool mip install ./driver.py", "a file of this computer, compiled for the board"),
        ("upytool mip install", "what [packages] of upytool.toml lists"),
        ("upytool mip install -r packages.txt --no-mpy", "what a list names, as sources"),
        ("upytool mip install --locked", "exactly what mip.lock says"),
    ],
)
@click.argument(
    "packages", nargs=-1, help="Packages: NAME[@VERSION], github:USER/REPO[/PATH][@REF], URL or local path."
)
@target_option
@index_option
@mpy_option
@click.option(
    "--requirement", "-r", type=LocalPath(), multiple=True, help="File that lists packages, or an upytool.toml."
)
@click.option("--locked", is_flag=True, help="Install exactly what the lock file pins.")
@click.option("--lock", "lock_file", type=LocalPath(), help="Lock file (default: mip.lock beside the project file).")
@click.option("--deps/--no-deps", default=True, help="Install dependencies too (default).")
@click.option("--optimize", "-O", type=click.IntRange(0, 3), default=0, help="Optimization level of mpy-cross.")
@click.option("--force", is_flag=True, help="Replace files that belong to other packages.")
@dry_option
@pass_app
def install(
    app: App,
    packages: tuple[str, ...],
    target: str | None,
    index: tuple[str, ...],
    mpy: bool | None,
    requirement: tuple[str, ...],
    locked: bool,
    lock_file: str | None,
    deps: bool,
    optimize: int,
    force: bool,
    dry_run: bool,
) -> None:
    """Install packages.

    Everything is downloaded, checked and compiled for this board before anything is written to it; then all
    of it takes effect at once. Files that are there already are left alone.
    """
    from ...api import packages as api
    from ...secret import redact

    if locked and (packages or requirement):
        raise UsageError("usage.locked-packages")
    settings = package_settings(app, index)
    sources = [] if locked else _sources(app, packages, requirement, settings)
    device = app.device()
    plan = api.plan_install(
        device,
        sources,
        lock_file=_lock_path(app, lock_file) if locked else None,
        wish=api.InstallWish(target, mpy is not False, optimize, deps, force),
        settings=settings,
        write=not dry_run,
        reporter=app.reporter,
    )
    if not dry_run:
        api.apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run, [redact(each) for each in (*packages, *requirement)])


@command.command("uninstall", examples=[("upytool mip uninstall aioble", "remove its files")])
@click.argument("packages", nargs=-1, required=True, help="Names of installed packages.")
@target_option
@click.option("--unused", is_flag=True, help="Remove packages that nothing needs any more too.")
@click.option("--force", is_flag=True, help="Remove changed files, and packages that others need, too.")
@dry_option
@pass_app
def uninstall(
    app: App, packages: tuple[str, ...], target: str | None, unused: bool, force: bool, dry_run: bool
) -> None:
    """Remove packages.

    Files go that no other package owns and that nobody changed.
    """
    from ...api import packages as api

    device = app.device()
    plan = api.plan_uninstall(
        device, packages, target=target, unused=unused, force=force, write=not dry_run, reporter=app.reporter
    )
    if not dry_run:
        api.apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run)


@command.command("upgrade", examples=[("upytool mip upgrade", "bring everything up to date")])
@click.argument("packages", nargs=-1, help="Installed packages (default: all that were installed by name).")
@target_option
@index_option
@mpy_option
@dry_option
@pass_app
def upgrade(
    app: App,
    packages: tuple[str, ...],
    target: str | None,
    index: tuple[str, ...],
    mpy: bool | None,
    dry_run: bool,
) -> None:
    """Install the newest version of what is installed."""
    from ...api import packages as api

    device = app.device()
    plan = api.plan_upgrade(
        device,
        packages,
        target=target,
        mpy=mpy is not False,
        settings=package_settings(app, index),
        write=not dry_run,
        reporter=app.reporter,
    )
    if not dry_run:
        api.apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run)


@command.command("list", examples=[("upytool mip list", "names, versions, sources")])
@target_option
@pass_app
def list_(app: App, target: str | None) -> None:
    """List the installed packages."""
    from ...api.packages import installed

    found = installed(app.device(), target)
    body = [
        (
            each.name,
            each.version or "-",
            "" if each.requested else "a dependency",
            each.source,
            where or "/",
        )
        for where, each in found
    ]
    app.emit(
        [{"name": each.name, "target": where or "/", **each.data()} for where, each in found],
        lambda style: rows(style, ["name", "version", "", "source", "in"], body),
    )
    if not found:
        app.note("No packages are installed (those put there by other tools are not known)")


@command.command("tree", examples=[("upytool mip tree", "what needs what")])
@target_option
@pass_app
def tree(app: App, target: str | None) -> None:
    """Show the installed packages with what they need."""
    from ...api import packages as api

    roots = api.tree(app.device(), target)
    app.emit(
        [branch.data() for branch in roots],
        [line for branch in roots for line in branch.lines()],
    )


@command.command("check", examples=[("upytool mip check", "check that installed files are unchanged")])
@target_option
@pass_app
def check(app: App, target: str | None) -> None:
    """Is all as it was installed?

    Compares the board's files with the records; the exit code is 1 where something differs.
    """
    from ...api import packages as api

    problems = api.check(app.device(), target)
    app.emit([each.data() for each in problems], [each.message for each in problems])
    if problems:
        raise DifferencesFound("differences.packages", count=len(problems))
    app.note("All packages are unchanged")


@command.command("outdated", examples=[("upytool mip outdated", "is there something newer?")])
@target_option
@index_option
@pass_app
def outdated(app: App, target: str | None, index: tuple[str, ...]) -> None:
    """List the packages that have changed at their source."""
    from ...api import packages as api

    found, notes = api.outdated(app.device(), target, settings=package_settings(app, index), reporter=app.reporter)
    for note in notes:
        app.warn(note)
    body = [(each.name, each.installed or "-", each.newest or "changed", each.source) for each in found]
    app.emit(
        [each.data() for each in found],
        lambda style: rows(style, ["name", "installed", "newest", "source"], body),
    )
    if not found:
        app.note("Everything is up to date")


@command.command("search", examples=[("upytool mip search mqtt", "by name and description")])
@click.argument("terms", nargs=-1, required=True, help="Words that must all occur.")
@index_option
@pass_app
def search(app: App, terms: tuple[str, ...], index: tuple[str, ...]) -> None:
    """Search the package index."""
    from ...api import packages as api

    found = api.search(terms, settings=package_settings(app, index), reporter=app.reporter)
    body = [(each.name, each.version, each.description) for each in found]
    app.emit([each.data() for each in found], lambda style: rows(style, ["name", "version", "description"], body))
    if not found:
        app.note(f"No package has {' and '.join(terms)} in its name or description")


@command.command("show", examples=[("upytool mip show aioble --no-mpy", "its files and what it needs")])
@click.argument("packages", nargs=-1, required=True, help="Packages, as for `mip install`.")
@index_option
@mpy_option
@pass_app
def show(app: App, packages: tuple[str, ...], index: tuple[str, ...], mpy: bool | None) -> None:
    """Show a package as its source has it.

    Needs no board.
    """
    from ...api import packages as api

    settings = package_settings(app, index)
    found = api.show(packages, mpy=mpy is not False, settings=settings, reporter=app.reporter)
    app.emit(
        [each.data() for each in found], lambda style: [line for each in found for line in source_lines(each, style)]
    )


@command.command("lock", examples=[("upytool mip lock", "write mip.lock for [packages] of upytool.toml")])
@click.argument("packages", nargs=-1, help="Packages, as for `mip install`.")
@index_option
@mpy_option
@click.option(
    "--requirement", "-r", type=LocalPath(), multiple=True, help="File that lists packages, or an upytool.toml."
)
@click.option("--lock", "lock_file", type=LocalPath(), help="Lock file (default: mip.lock beside the project file).")
@pass_app
def lock(
    app: App,
    packages: tuple[str, ...],
    index: tuple[str, ...],
    mpy: bool | None,
    requirement: tuple[str, ...],
    lock_file: str | None,
) -> None:
    """Write mip.lock, for installs that repeat.

    It holds exactly the files that an install would bring to this board now, with their whole digests.
    """
    from ...api import packages as api

    settings = package_settings(app, index)
    sources = _sources(app, packages, requirement, settings)
    made = api.lock(
        app.device(),
        _lock_path(app, lock_file),
        sources,
        mpy=mpy is not False,
        settings=settings,
        reporter=app.reporter,
    )
    app.emit(
        made.data(),
        lambda style: [] if app.settings.verbosity < 0 else rows(style, ["name", "version", "source"], made.packages),
    )
    app.note(f"Wrote {made.path.name}; `upytool mip install --locked` installs from it")


def _sources(
    app: App, packages: tuple[str, ...], lists: tuple[str, ...], settings: PackageSettings
) -> Sequence[Source]:
    """What the user named; without a word what the project's file lists."""
    from pathlib import Path

    from ...api.packages import parse

    if not packages and not lists and app.settings.project_file:
        lists = (app.settings.project_file,)
    return parse(packages, lists=[Path(each) for each in lists], settings=settings, reporter=app.reporter)


def _lock_path(app: App, given: str | None) -> Path:
    from pathlib import Path

    from ...api.packages import LOCK_NAME
    from ...config.paths import inside_project, working_dir

    if given:
        return Path(given)
    project = app.settings.project_file
    # A project may come with a link of that name, which leads anywhere.
    return Path(inside_project(Path(project).parent if project else working_dir(), LOCK_NAME, "the lock"))
