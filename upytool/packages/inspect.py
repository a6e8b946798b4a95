"""What is installed, and is it well: list, tree, check, outdated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from upytool import limits
from upytool.errors import PackageError, UsageError
from upytool.events import NULL, Reporter, Task
from upytool.mpy.abi import Abi
from upytool.words import Said

from . import board as boards
from .content import source_digest, verified
from .download import Fetcher
from .hosts import Hosts
from .index import SOURCES
from .installer import context_for, index_abi, shadows, surveyed
from .record import Installed, Record, parse_record
from .resolver import resolve
from .sources import Context, LocalSource, Source, parse_source
from .survey import Survey, plain_target


@dataclass(frozen=True, slots=True)
class Place:
    """A folder of the board with installed packages; `path` "" is the root."""

    path: str
    record: Record


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that `check` found. `kind`: missing, modified, dependency, abi, shadowed."""

    package: str
    kind: str
    path: str
    message: str

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {"package": self.package, "kind": self.kind, "path": self.path, "message": self.message}


@dataclass(frozen=True, slots=True)
class Outdated:
    """A package for which its source has another version now; versions are None where it names none."""

    name: str
    source: str
    installed: str | None
    newest: str | None
    target: str

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "name": self.name,
            "source": self.source,
            "installed": self.installed,
            "newest": self.newest,
            "target": self.target or "/",
        }


def places(board: boards.Board, target: str | None = None) -> list[Place]:
    """The folders with installed packages: all of sys.path, or the one that is named.

    Raises:
        PackageError: a record is damaged.
    """
    return _places(board, target)[1]


def _places(board: boards.Board, target: str | None) -> tuple[list[str], list[Place]]:
    folders = None if target is None else [plain_target(target) or "/"]
    sys_path, found = boards.records(board, folders)
    made = []
    for path, data in found:
        plain = "" if path == "/" else path
        made.append(Place(plain, parse_record(data, plain + boards.RECORD)))
    return sys_path, made


def check(board: boards.Board, target: str | None = None) -> list[Problem]:
    """Compare what is on the board with the records; one round trip for all digests."""
    sys_path, found = _places(board, target)
    owned: dict[str, tuple[str, str]] = {}
    suspects: dict[str, tuple[str, str]] = {}
    for place in found:
        earlier = _earlier(sys_path, place.path)
        for package in place.record.packages.values():
            for path, digest in package.files.items():
                whole = f"{place.path}/{path}"
                owned[whole] = (package.name, digest)
                for shadow in [*shadows(whole), *_elsewhere(path, earlier)]:
                    suspects.setdefault(shadow, (package.name, whole))
    here = boards.digests(board, [*owned, *(each for each in suspects if each not in owned)])
    problems = []
    for whole, (name, digest) in owned.items():
        there = here.get(whole)
        if there is None:
            problems.append(Problem(name, "missing", whole, f"{whole} of {name} is missing"))
        elif not there.startswith(digest):
            problems.append(Problem(name, "modified", whole, f"{whole} of {name} was changed"))
    for shadow, (name, whole) in suspects.items():
        if here.get(shadow) is not None and shadow not in owned:
            problems.append(Problem(name, "shadowed", whole, f"{shadow} is imported in place of {whole}"))
    abi = Abi.of(boards.mpy_of(board))
    for place in found:
        for package in place.record.packages.values():
            problems += _package_problems(package, place.record, abi)
    return problems


def _package_problems(package: Installed, record: Record, abi: Abi | None) -> list[Problem]:
    found = [
        Problem(package.name, "dependency", dep, f"{package.name} needs {dep}, which is not installed")
        for dep in package.deps
        if dep not in record.packages
    ]
    version = package.abi.partition(" ")[0].partition(".")[0]
    if version and (abi is None or version != str(abi.version)):
        takes = f"takes .mpy version {abi.version}" if abi else "takes no .mpy files"
        text = f"{package.name} was installed for .mpy version {version}, and the board {takes}"
        found.append(Problem(package.name, "abi", "", text))
    return found


def _earlier(sys_path: Sequence[str], target: str) -> list[str]:
    """Folders that are searched before `target`; frozen modules have no files."""
    found: list[str] = []
    for entry in sys_path:
        if entry.rstrip("/") == target and entry:
            return found
        if entry != ".frozen":
            found.append(entry.rstrip("/"))
    return []


def _elsewhere(path: str, folders: Sequence[str]) -> list[str]:
    """Files that would be imported in place of a package's top module, in other folders."""
    top = path.split("/")[0]
    stem = top.removesuffix(".mpy").removesuffix(".py")
    if "/" not in path and stem == top:
        return []
    prefixes = [f"{folder}/" if folder else "" for folder in folders]
    endings = (".py", ".mpy", "/__init__.py", "/__init__.mpy")
    return [f"{prefix}{stem}{ending}" for prefix in prefixes for ending in endings]


def outdated(
    board: boards.Board,
    fetcher: Fetcher,
    hosts: Hosts,
    indexes: Sequence[str],
    *,
    target: str | None = None,
    mpy: bool = True,
) -> tuple[list[Outdated], list[str]]:
    """Packages whose source has something else now, and sentences about those that could not be asked.

    Versions decide where both sides name one; else the contents do. Local sources count too.
    """
    found, notes = [], []
    everything: list[tuple[Place, Installed, Context]] = []
    abi = ""
    for place in places(board, target):
        for package in place.record.packages.values():
            uses_mpy = mpy and (bool(package.abi) or not package.files)
            if uses_mpy:
                abi = abi or index_abi(board, True)
            context = context_for(fetcher, hosts, indexes, abi if uses_mpy else SOURCES)
            everything.append((place, package, context))

    def problem(each: tuple[Place, Installed, Context]) -> str:
        """Why its package.json cannot be read; one that can is known then, and not asked for again below."""
        try:
            source = parse_source(each[1].source, hosts).at(None)
            if getattr(source, "remote", False):
                source.load(replace(each[2], notes=[]))
        except (PackageError, UsageError) as error:
            return error.message
        return ""

    with fetcher.bounded(), Task(fetcher.reporter, "reading package.json files", len(everything), "files") as task:
        problems = fetcher.together(problem, everything, task.advance)
    for (place, package, context), why in zip(everything, problems, strict=True):
        if why:
            notes.append(f"{package.name}: {why}")
            continue
        try:
            source = parse_source(package.source, hosts).at(None)
            newest = resolve([source], context, deps=False).packages[0]
            if package.version and newest.version and newest.version != newest.wanted:
                differs = package.version != newest.version
            else:
                data = fetcher.fetch_all((file.location, file.immutable) for file in newest.files)
                contents = {file: verified(file, data[file.location]) for file in newest.files}
                differs = source_digest(newest.files, contents, {}) != package.digest
        except (PackageError, UsageError) as error:
            notes.append(f"{package.name}: {error.message}")
            continue
        if differs:
            found.append(Outdated(package.name, package.source, package.version, newest.version, place.path))
    return found, notes


def upgrades(
    board: boards.Board,
    names: Sequence[str],
    hosts: Hosts,
    *,
    target: str | None = None,
    write: bool = True,
    reporter: Reporter = NULL,
) -> tuple[Survey, list[Source], list[str]]:
    """The folder, the newest of these installed packages (of all that were asked for if none is named), and notes.

    Packages of this computer's files have to be named: what a board says of where they came from must not make
    upytool send it any file.

    Raises:
        PackageError: one of them is not installed, or came from nowhere that can be asked.
    """
    seen = surveyed(board, target, write=write, reporter=reporter)
    record = parse_record(seen.record, seen.target + boards.RECORD)
    for name in names:
        if name not in record.packages:
            raise PackageError(
                "package.not-installed", name=name, target=seen.target or "/", hint=Said("package.see-list")
            )
    found: list[Source] = []
    notes = []
    for name in names or [each.name for each in record.packages.values() if each.requested]:
        try:
            source = parse_source(record.packages[name].source, hosts).at(None)
        except UsageError as error:
            raise PackageError("package.cannot-upgrade", name=name, cause=error, hint=error.hints) from None
        if isinstance(source, LocalSource) and not names:
            notes.append(f"{name} came from {source.text()}, a file of this computer: name it to install it again")
        else:
            found.append(source)
    return seen, found, notes


@dataclass(frozen=True, slots=True)
class Branch:
    """A package in a tree: `again` where its own branches are shown elsewhere already."""

    name: str
    version: str | None
    missing: bool
    again: bool
    branches: tuple[Branch, ...]

    def lines(self, first: str = "", rest: str = "") -> Iterator[str]:
        """The tree for a person; `first` stands before this line, `rest` before those below."""
        mark = " (missing)" if self.missing else " (see above)" if self.again else ""
        yield f"{first}{self.name} {self.version or ''}".rstrip() + mark
        for number, each in enumerate(self.branches):
            last = number == len(self.branches) - 1
            yield from each.lines(rest + ("└── " if last else "├── "), rest + ("    " if last else "│   "))

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "name": self.name,
            "version": self.version,
            "missing": self.missing,
            "again": self.again,
            "deps": [each.data() for each in self.branches],
        }


def tree(record: Record) -> list[Branch]:
    """The packages with what they need below them; roots are those that were asked for or that nothing needs.

    A circle ends where it comes back to a package above.
    """
    shown: set[str] = set()

    def grow(name: str, depth: int = 0) -> Branch:
        if depth > limits.PACKAGE_DEPTH:
            raise PackageError("package.too-deep", limit=limits.PACKAGE_DEPTH)
        package = record.packages.get(name)
        if package is None:
            return Branch(name, None, True, False, ())
        again = name in shown
        shown.add(name)
        deps = () if again else tuple(grow(each, depth + 1) for each in package.deps)
        return Branch(name, package.version, False, again and bool(package.deps), deps)

    roots = [each for each in record.packages if record.packages[each].requested or not record.needed_by(each)]
    made = [grow(name) for name in roots]
    made += [grow(name) for name in record.packages if name not in shown]
    return made
