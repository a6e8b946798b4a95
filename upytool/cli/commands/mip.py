"""`upytool mip`: packages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ...errors import DifferencesFound, UsageError
from ...events import notice
from ..app import App, pass_app
from ..group import define_group
from ..package_source import package_fetcher
from ..package_views import installed_in, show_plan, source_lines
from ..params import LocalPath, RemotePath
from ..ui.text import plural, rows

if TYPE_CHECKING:
    from ...packages.hosts import Hosts
    from ...packages.sources import Source

Option = Callable[[Any], Any]
target_option: Option = click.option(
    "--target",
    "-t",
    type=RemotePath(),
    help="Directory on the board; the first usable .../lib of sys.path if not given.",
)
index_option: Option = click.option(
    "--index",
    "-i",
    multiple=True,
    metavar="URL",
    help="Package index, or a directory with one; may be given again.",
)
mpy_option: Option = click.option(
    "--mpy/--no-mpy",
    "-m",
    default=None,
    help="Install .mpy files where the board loads them (the default), or sources.",
)
dry_option: Option = click.option("--dry-run", "-n", is_flag=True, help="Show what would be done, and do nothing.")


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
@click.argument("packages", nargs=-1, help="NAME[@VERSION], github:USER/REPO[/PATH][@REF], URL or local path.")
@target_option
@index_option
@mpy_option
@click.option("--requirement", "-r", type=LocalPath(), multiple=True, help="A list of packages, or an upytool.toml.")
@click.option("--locked", is_flag=True, help="Install what the lock says, nothing else.")
@click.option("--lock", "lock_file", type=LocalPath(), help="The lock; mip.lock beside the project file if not given.")
@click.option("--deps/--no-deps", default=True, help="Also what the packages need (the default).")
@click.option("--optimize", "-O", type=click.IntRange(0, 3), default=0, help="mpy-cross's optimization level.")
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
    from ...packages.apply import apply
    from ...packages.installer import InstallOptions, plan_install
    from ...packages.lockfile import read_lock
    from ...secret import redact

    with package_fetcher(app) as (fetcher, hosts):
        if locked and (packages or requirement):
            raise UsageError("--locked installs what the lock says, and no other packages")
        sources = [] if locked else _sources(app, packages, requirement, hosts)
        device = app.device()
        options = InstallOptions(target, _indexes(app, index), mpy is not False, optimize, deps, force)
        lock = _lock_path(app, lock_file)
        plan = plan_install(
            device,
            sources,
            fetcher,
            hosts,
            options,
            fixed=(lambda abi: read_lock(lock, abi)) if locked else None,
            write=not dry_run,
            reporter=app.reporter,
        )
        if not dry_run:
            apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run, [redact(each) for each in (*packages, *requirement)])


@command.command("uninstall", examples=[("upytool mip uninstall aioble", "remove its files")])
@click.argument("packages", nargs=-1, required=True, help="Names of installed packages.")
@target_option
@click.option("--unused", is_flag=True, help="Also what nothing needs any more.")
@click.option("--force", is_flag=True, help="Also changed files, and packages that others need.")
@dry_option
@pass_app
def uninstall(
    app: App, packages: tuple[str, ...], target: str | None, unused: bool, force: bool, dry_run: bool
) -> None:
    """Remove packages.

    Files go that no other package owns and that nobody changed.
    """
    from ...packages.apply import apply
    from ...packages.uninstall import plan_uninstall

    device = app.device()
    plan = plan_uninstall(
        device, packages, target=target, unused=unused, force=force, write=not dry_run, reporter=app.reporter
    )
    if not dry_run:
        apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run)


@command.command("upgrade", examples=[("upytool mip upgrade", "bring everything up to date")])
@click.argument("packages", nargs=-1, help="Names of installed packages; all that were asked for if none.")
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
    from ...packages.apply import apply
    from ...packages.inspect import upgrades
    from ...packages.installer import InstallOptions, plan_install

    with package_fetcher(app) as (fetcher, hosts):
        device = app.device()
        seen, sources, notes = upgrades(
            device, packages, hosts, target=target, write=not dry_run, reporter=app.reporter
        )
        for note in notes:
            app.warn(note)
        options = InstallOptions(seen.target, _indexes(app, index), mpy is not False)
        plan = plan_install(device, sources, fetcher, hosts, options, seen=seen, reporter=app.reporter)
        if not dry_run:
            apply(device, plan, app.reporter)
    show_plan(app, plan, dry_run)


@command.command("list", examples=[("upytool mip list", "names, versions, sources")])
@target_option
@pass_app
def list_(app: App, target: str | None) -> None:
    """List the installed packages."""
    from ...packages.inspect import places

    found = installed_in(places(app.device(), target))
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
    from ...packages.inspect import places
    from ...packages.inspect import tree as grow

    roots = [branch for place in places(app.device(), target) for branch in grow(place.record)]
    app.emit(
        [branch.data() for branch in roots],
        [line for branch in roots for line in branch.lines()],
    )


@command.command("check", examples=[("upytool mip check", "is all of it as it was installed?")])
@target_option
@pass_app
def check(app: App, target: str | None) -> None:
    """Is all as it was installed?

    Compares the board's files with the records; the exit code is 1 where something differs.
    """
    from ...packages.inspect import check as compare

    problems = compare(app.device(), target)
    app.emit([each.data() for each in problems], [each.message for each in problems])
    if problems:
        raise DifferencesFound(
            f"{plural(len(problems), 'problem')} found",
            hint="`upytool mip install NAME` puts a package right.",
        )
    app.note("All packages are as they were installed")


@command.command("outdated", examples=[("upytool mip outdated", "is there something newer?")])
@target_option
@index_option
@pass_app
def outdated(app: App, target: str | None, index: tuple[str, ...]) -> None:
    """List the packages that have changed at their source."""
    from ...packages.inspect import outdated as compare

    with package_fetcher(app) as (fetcher, hosts):
        found, notes = compare(app.device(), fetcher, hosts, _indexes(app, index), target=target)
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
@click.argument("terms", nargs=-1, required=True, help="Words that all occur.")
@index_option
@pass_app
def search(app: App, terms: tuple[str, ...], index: tuple[str, ...]) -> None:
    """Search the package index."""
    from ...packages.index import PackageIndex
    from ...packages.index import search as match

    with package_fetcher(app) as (fetcher, _):
        entries = [entry for base in _indexes(app, index) for entry in PackageIndex(base).entries(fetcher)]
    found = match(entries, list(terms))
    body = [(each.name, each.version, each.description) for each in found]
    app.emit([each.data() for each in found], lambda style: rows(style, ["name", "version", "description"], body))
    if not found:
        app.note(f"No package has {' and '.join(terms)} in its name or description")


@command.command("show", examples=[("upytool mip show aioble --no-mpy", "its files and what it needs")])
@click.argument("packages", nargs=-1, required=True, help="As for install.")
@index_option
@mpy_option
@pass_app
def show(app: App, packages: tuple[str, ...], index: tuple[str, ...], mpy: bool | None) -> None:
    """Show a package as its source has it.

    Needs no board.
    """
    from ...packages.installer import context_for
    from ...packages.resolver import resolve
    from ...packages.sources import parse_source

    abi = "py" if mpy is False else "6"
    with package_fetcher(app) as (fetcher, hosts):
        context = context_for(fetcher, hosts, _indexes(app, index), abi)
        made = [
            (parse_source(text, hosts), resolve([parse_source(text, hosts)], context, deps=False).packages[0])
            for text in packages
        ]
        needs = {each.key: [dep.text() for dep in source.load(context).deps] for source, each in made}
    data = [
        {
            "name": each.name,
            "version": each.version,
            "source": each.source,
            "deps": needs[each.key],
            "files": [{"path": file.path, "from": file.location} for file in each.files],
        }
        for _, each in made
    ]
    app.emit(data, lambda style: [line for each in data for line in source_lines(each, style)])


@command.command("lock", examples=[("upytool mip lock", "write mip.lock for [packages] of upytool.toml")])
@click.argument("packages", nargs=-1, help="As for install.")
@index_option
@mpy_option
@click.option("--requirement", "-r", type=LocalPath(), multiple=True, help="A list of packages, or an upytool.toml.")
@click.option("--lock", "lock_file", type=LocalPath(), help="The lock; mip.lock beside the project file if not given.")
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
    from ...packages.installer import context_for, index_abi
    from ...packages.lockfile import locked, write_lock
    from ...packages.resolver import resolve

    with package_fetcher(app) as (fetcher, hosts):
        sources = _sources(app, packages, requirement, hosts)
        abi = index_abi(app.device(), mpy is not False)
        made = locked(resolve(sources, context_for(fetcher, hosts, _indexes(app, index), abi)), fetcher)
    path = _lock_path(app, lock_file)
    write_lock(path, made, abi)
    body = [(each.name, each.version or "-", each.source) for each in made.packages]
    app.emit(
        {"lock": str(path), "packages": [{"name": a, "version": b, "source": c} for a, b, c in body]},
        lambda style: [] if app.settings.verbosity < 0 else rows(style, ["name", "version", "source"], body),
    )
    app.note(f"Wrote {path.name}; `upytool mip install --locked` installs from it")


def _indexes(app: App, given: tuple[str, ...]) -> tuple[str, ...]:
    return given or tuple(app.settings.index.split())


def _sources(app: App, packages: tuple[str, ...], lists: tuple[str, ...], hosts: Hosts) -> list[Source]:
    from pathlib import Path

    from ...packages.requirements import read_requirements
    from ...packages.sources import parse_source

    found = [parse_source(each, hosts) for each in packages]
    for each in lists:
        found += read_requirements(Path(each), hosts, pipes=True, tell=lambda text: notice(app.reporter, text, "wait"))
    if not packages and not lists and app.settings.project_file:
        found += read_requirements(Path(app.settings.project_file), hosts)
    if not found:
        raise UsageError(
            "there is nothing to install",
            hint="name packages, or list them in [packages] of upytool.toml: `upytool mip install --help`",
        )
    return found


def _lock_path(app: App, given: str | None) -> Any:
    from pathlib import Path

    from ...config.paths import inside_project, working_dir
    from ...packages.lockfile import NAME

    if given:
        return Path(given)
    project = app.settings.project_file
    # A project may come with a link of that name, which leads anywhere.
    return Path(inside_project(Path(project).parent if project else working_dir(), NAME, "the lock"))
