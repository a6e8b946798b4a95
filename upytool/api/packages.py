"""Packages: install, remove and compare them, look them up, and lock them. MicroPython's `mip`, and more.

    from upytool.api import packages

    with upytool.connect() as board:
        packages.install(board, ["aioble", "github:user/repo@v2"])
        print(packages.installed(board))

A plan is made before anything is written to the board (`plan_install`, `plan_uninstall`, `plan_upgrade`); `apply` does
what it says, all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..events import NULL, Reporter, notice
from ..packages.apply import apply
from ..packages.index import DEFAULT_INDEX
from ..packages.uninstall import plan_uninstall

if TYPE_CHECKING:
    from ..packages.board import Board
    from ..packages.download import Fetcher
    from ..packages.hosts import Hosts
    from ..packages.index import IndexEntry
    from ..packages.inspect import Branch, Outdated, Problem
    from ..packages.plan import InstallPlan as InstallPlan
    from ..packages.record import Installed
    from ..packages.resolver import Resolution, ResolvedPackage
    from ..packages.sources import Source as Source

__all__ = [
    "InstallWish",
    "Lock",
    "PackageInfo",
    "PackageSettings",
    "apply",
    "check",
    "install",
    "installed",
    "lock",
    "open_sources",
    "outdated",
    "parse",
    "plan_install",
    "plan_uninstall",
    "plan_upgrade",
    "search",
    "show",
    "tree",
]
LOCK_NAME = "mip.lock"


@dataclass(frozen=True, slots=True)
class PackageSettings:
    """Where packages come from.

    Attributes:
        indexes: addresses of package indexes, or directories with one, asked in this order.
        cache: the directory that keeps downloads; None: upytool's own.
        offline: take nothing but what is in the cache or on this computer.
        hosts: more git hosts, name -> {"kind", "url", "token-env"}, as in [mip.hosts] of the user's config.
        environ: where tokens of git hosts are looked up: GITHUB_TOKEN, UPYTOOL_TOKEN_NAME ...
    """

    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    cache: Path | None = None
    offline: bool = False
    hosts: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)


DEFAULTS = PackageSettings()


@dataclass(frozen=True, slots=True)
class InstallWish:
    """How to install.

    Attributes:
        target: the directory on the board; None: the first usable .../lib of its sys.path.
        mpy: take and make .mpy files where the board loads them.
        optimize: mpy-cross's -O level, 0 to 3.
        deps: install what the packages need, too.
        force: replace files that belong to other packages or were changed by hand.
    """

    target: str | None = None
    mpy: bool = True
    optimize: int = 0
    deps: bool = True
    force: bool = False


@contextmanager
def open_sources(settings: PackageSettings = DEFAULTS, reporter: Reporter = NULL) -> Iterator[tuple[Fetcher, Hosts]]:
    """What downloads packages, and the git hosts that it knows; closed at the end of the block."""
    from ..config.paths import cache_dir
    from ..packages.cache import PackageCache
    from ..packages.download import Fetcher
    from ..packages.hosts import hosts_from

    hosts = hosts_from(settings.hosts, settings.environ)
    cache = PackageCache((settings.cache or Path(cache_dir())) / "packages")
    with Fetcher(cache, offline=settings.offline, credentials=hosts.credentials, reporter=reporter) as made:
        yield made, hosts


def parse(
    packages: Sequence[str] = (),
    *,
    lists: Sequence[Path] = (),
    settings: PackageSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> list[Source]:
    """Read what is to be installed, without asking any source; what comes out goes where names do.

    Args:
        packages: NAME[@VERSION], github:USER/REPO[/PATH][@REF], a URL or a path of this computer.
        lists: files that name more of them, one a line, or a project file with a table [packages].

    Errors: UsageError where one is wrong or there are none, ConfigError for a line of a list, LocalFileError.
    """
    from ..packages.hosts import hosts_from

    return _parsed(packages, lists, hosts_from(settings.hosts, settings.environ), reporter)


def _parsed(
    packages: Sequence[str | Source], lists: Sequence[Path], hosts: Hosts, reporter: Reporter = NULL
) -> list[Source]:
    from ..packages.requirements import read_requirements
    from ..packages.sources import parse_source

    found = [parse_source(each, hosts) if isinstance(each, str) else each for each in packages]
    for path in lists:
        found += read_requirements(path, hosts, pipes=True, tell=lambda text: notice(reporter, text, "wait"))
    if not found:
        raise UsageError("usage.nothing-to-install")
    return found


# -- changing -----------------------------------------------------------------------------------------


def plan_install(
    board: Board,
    packages: Sequence[str | Source] = (),
    *,
    lock_file: Path | None = None,
    wish: InstallWish | None = None,
    settings: PackageSettings = DEFAULTS,
    write: bool = True,
    reporter: Reporter = NULL,
) -> InstallPlan:
    """Download, check and compile packages for a board, and say what an install would write.

    Args:
        packages: as for `parse`, or what that made of them.
        lock_file: install exactly what this lock says, in place of the others.
        write: False changes nothing on the board (a dry run); True finishes an earlier install that was cut off.

    Errors: UsageError for a wrong name, PackageError, NetworkError, OfflineError, LocalFileError, RemoteOSError.
    """
    from ..packages.installer import InstallOptions
    from ..packages.installer import plan_install as plan
    from ..packages.lockfile import read_lock

    wish = wish or InstallWish()
    options = InstallOptions(wish.target, settings.indexes, wish.mpy, wish.optimize, wish.deps, wish.force)
    fixed: Callable[[str], Resolution] | None = partial(read_lock, lock_file) if lock_file is not None else None
    with open_sources(settings, reporter) as (fetcher, hosts):
        sources = [] if fixed else _parsed(packages, (), hosts)
        return plan(board, sources, fetcher, hosts, options, fixed=fixed, write=write, reporter=reporter)


def install(
    board: Board,
    packages: Sequence[str | Source] = (),
    *,
    lock_file: Path | None = None,
    wish: InstallWish | None = None,
    settings: PackageSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> InstallPlan:
    """Install packages; returns what was done. Arguments and errors are those of `plan_install`."""
    plan = plan_install(board, packages, lock_file=lock_file, wish=wish, settings=settings, reporter=reporter)
    apply(board, plan, reporter)
    return plan


def plan_upgrade(
    board: Board,
    names: Sequence[str] = (),
    *,
    target: str | None = None,
    mpy: bool = True,
    settings: PackageSettings = DEFAULTS,
    write: bool = True,
    reporter: Reporter = NULL,
) -> InstallPlan:
    """Say what an install of the newest version of installed packages would write.

    Args:
        names: of installed packages; all that were asked for if none.

    Errors: as `plan_install`.
    """
    from ..packages.inspect import upgrades
    from ..packages.installer import InstallOptions
    from ..packages.installer import plan_install as plan

    with open_sources(settings, reporter) as (fetcher, hosts):
        seen, sources, notes = upgrades(board, names, hosts, target=target, write=write, reporter=reporter)
        options = InstallOptions(seen.target, settings.indexes, mpy)
        made = plan(board, sources, fetcher, hosts, options, seen=seen, reporter=reporter)
    return replace(made, notes=(*notes, *made.notes))


# -- looking ------------------------------------------------------------------------------------------


def installed(board: Board, target: str | None = None) -> list[tuple[str, Installed]]:
    """Each package that was installed on a board, with the directory that it is in.

    Args:
        target: look in this directory alone; None: in all of the board's sys.path.
    """
    from ..packages.inspect import places

    return [(place.path, each) for place in places(board, target) for each in place.record.packages.values()]


def tree(board: Board, target: str | None = None) -> list[Branch]:
    """The installed packages with what they need."""
    from ..packages.inspect import places
    from ..packages.inspect import tree as grow

    return [branch for place in places(board, target) for branch in grow(place.record)]


def check(board: Board, target: str | None = None) -> list[Problem]:
    """Compare a board's files with the records; returns what is not as it was installed."""
    from ..packages.inspect import check as compare

    return compare(board, target)


def outdated(
    board: Board, target: str | None = None, *, settings: PackageSettings = DEFAULTS, reporter: Reporter = NULL
) -> tuple[list[Outdated], list[str]]:
    """The packages that have changed at their source, and sentences on those that could not be asked."""
    from ..packages.inspect import outdated as compare

    with open_sources(settings, reporter) as (fetcher, hosts):
        return compare(board, fetcher, hosts, settings.indexes, target=target)


def search(
    terms: Sequence[str], *, settings: PackageSettings = DEFAULTS, reporter: Reporter = NULL
) -> list[IndexEntry]:
    """The packages of the indexes that have all terms in their name or description, best first."""
    from ..packages.index import PackageIndex
    from ..packages.index import search as match

    with open_sources(settings, reporter) as (fetcher, _):
        return match([entry for base in settings.indexes for entry in PackageIndex(base).entries(fetcher)], list(terms))


@dataclass(frozen=True, slots=True)
class PackageInfo:
    """A package as its source has it: `deps` as written there, `files` as (path, where it comes from)."""

    name: str
    version: str | None
    source: str
    deps: tuple[str, ...]
    files: tuple[tuple[str, str], ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "deps": list(self.deps),
            "files": [{"path": path, "from": location} for path, location in self.files],
        }


def show(
    packages: Sequence[str], *, mpy: bool = True, settings: PackageSettings = DEFAULTS, reporter: Reporter = NULL
) -> list[PackageInfo]:
    """Packages as their sources have them; needs no board.

    Args:
        packages: as for `parse`.
        mpy: with the .mpy files of MicroPython's format 6, where the index has some.
    """
    from ..packages.index import SOURCES
    from ..packages.installer import context_for
    from ..packages.resolver import resolve
    from ..packages.sources import parse_source

    found = []
    with open_sources(settings, reporter) as (fetcher, hosts):
        context = context_for(fetcher, hosts, settings.indexes, "6" if mpy else SOURCES)
        for text in packages:
            source = parse_source(text, hosts)
            each: ResolvedPackage = resolve([source], context, deps=False).packages[0]
            deps = tuple(dep.text() for dep in source.load(context).deps)
            files = tuple((str(file.path), str(file.location)) for file in each.files)
            found.append(PackageInfo(each.name, each.version, each.source, deps, files))
    return found


# -- locking ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that was written: its file, and (name, version, source) of its packages."""

    path: Path
    packages: tuple[tuple[str, str, str], ...]

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        names = ("name", "version", "source")
        return {"lock": str(self.path), "packages": [dict(zip(names, each, strict=True)) for each in self.packages]}


def lock(
    board: Board,
    path: Path,
    packages: Sequence[str | Source],
    *,
    mpy: bool = True,
    settings: PackageSettings = DEFAULTS,
    reporter: Reporter = NULL,
) -> Lock:
    """Write the lock `path`: exactly the files that an install would bring to this board now, with whole digests.

    Errors: as `plan_install`.
    """
    from ..packages.installer import context_for, index_abi
    from ..packages.lockfile import locked, write_lock
    from ..packages.resolver import resolve

    with open_sources(settings, reporter) as (fetcher, hosts):
        sources = _parsed(packages, (), hosts)
        abi = index_abi(board, mpy)
        made = locked(resolve(sources, context_for(fetcher, hosts, settings.indexes, abi)), fetcher)
    write_lock(path, made, abi)
    return Lock(path, tuple((each.name, each.version or "-", each.source) for each in made.packages))
