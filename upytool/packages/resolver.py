"""From what the user asks for to the list of packages that it takes.

The graph may have circles: a package is read once, whoever asks for it. Versions: what the user asks for goes
before what packages ask for; a package that wants "the newest" is content with any version; two different
versions asked for by packages are a conflict, which is reported with who wants what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from upytool import limits
from upytool.errors import PackageError, UpytoolError
from upytool.events import Task
from upytool.words import Said

from .sources import Context, Loaded, Source, SourceFile


@dataclass(frozen=True, slots=True)
class ResolvedPackage:
    """One package of a resolution.

    Attributes:
        name: short, and different for each package of the resolution.
        key: the source's identity.
        source: as the user would type it, with the version that was asked for.
        version: what its package.json says, else the ref that was asked for.
        wanted: the version or ref that was asked for, None for the newest.
        requested: the user asked for it (and not only another package).
        deps: names of other packages of the resolution.
        files: where its files are and go.
        abi: the .mpy version of its index files, "py" for sources.
    """

    name: str
    key: str
    source: str
    version: str | None
    wanted: str | None
    requested: bool
    deps: tuple[str, ...]
    files: tuple[SourceFile, ...]
    abi: str = "py"


@dataclass(frozen=True, slots=True)
class Resolution:
    """Packages in the order of installing: what others need comes first, as far as circles allow."""

    packages: tuple[ResolvedPackage, ...]
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Node:
    source: Source
    loaded: Loaded
    requested: bool


class _Again(Exception):
    """A version got fixed after the package was read: start over with it."""


def resolve(requirements: Sequence[Source], context: Context, *, deps: bool = True) -> Resolution:
    """Read the packages and all that they need.

    Args:
        requirements: what the user asks for.
        context: what sources work with.
        deps: False leaves the dependencies away.

    Raises:
        PackageError: a package is missing or wrong, or versions conflict.
    """
    asked: dict[str, Source] = {}
    for source in requirements:
        before = asked.setdefault(source.key, source)
        if before.version != source.version:
            if before.version is not None and source.version is not None:
                raise PackageError(
                    "package.two-versions", name=source.name, first=before.version, second=source.version
                )
            asked[source.key] = source if before.version is None else before
    pins: dict[str, tuple[str, str]] = {}
    loaded: dict[tuple[str, str | None], Loaded] = {}
    with context.fetcher.bounded(), Task(context.fetcher.reporter, "reading package.json files", None, "files") as task:
        while True:
            notes_before = len(context.notes)
            try:
                nodes = _walk(asked, pins, loaded, context, deps, task)
                break
            except _Again:
                del context.notes[notes_before:]
    return Resolution(_ordered(nodes, deps), tuple(dict.fromkeys(context.notes)))


def _walk(
    asked: dict[str, Source],
    pins: dict[str, tuple[str, str]],
    loaded: dict[tuple[str, str | None], Loaded],
    context: Context,
    with_deps: bool,
    task: Task,
) -> dict[str, _Node]:
    """Level by level from `asked`. `pins`: key -> version and who wants it; grows, then `_Again`."""
    nodes: dict[str, _Node] = {}
    files = named = 0
    level: list[tuple[Source, str]] = [(source, "") for source in asked.values()]
    while level:
        chosen: dict[str, tuple[Source, str]] = {}
        for source, wanter in level:
            each = _chosen(source, wanter, asked, pins, context, source.key in nodes or source.key in chosen)
            if source.key not in nodes:
                chosen.setdefault(source.key, (each, wanter))
            if len(nodes) + len(chosen) > limits.PACKAGES:
                raise PackageError("package.too-many", limit=limits.PACKAGES)
        _load(list(chosen.values()), loaded, context, task)
        level = []
        for key, (each, _) in chosen.items():
            seen = loaded[key, each.version]
            nodes[key] = _Node(each, seen, key in asked)
            files += len(seen.files)
            if files > limits.PACKAGE_FILES:
                raise PackageError("package.too-many-files", limit=limits.PACKAGE_FILES)
            if with_deps:
                level += [(dep, each.name) for dep in seen.deps]
                named += len(seen.deps)
                if named > limits.PACKAGE_ENTRIES:
                    raise PackageError("package.too-many-deps", limit=limits.PACKAGE_ENTRIES)
    return nodes


def _chosen(
    source: Source,
    wanter: str,
    asked: dict[str, Source],
    pins: dict[str, tuple[str, str]],
    context: Context,
    read: bool,
) -> Source:
    """A package that `wanter` names, at the version that is taken; `read`: it was chosen before."""
    key = source.key
    if key not in asked:
        if source.version is not None:
            return _pin(source, wanter, pins, read)
        return source.at(pins[key][0]) if key in pins else source
    chosen = asked[key]
    if wanter and source.version not in (None, chosen.version):
        if chosen.version is None:
            chosen = _pin(source, wanter, pins, read)
        else:
            context.notes.append(
                f"{wanter} wants {source.name} {source.version}; {chosen.version} is installed, as you asked"
            )
    return chosen.at(pins[key][0]) if key in pins and chosen.version is None else chosen


def _load(
    chosen: Sequence[tuple[Source, str]],
    loaded: dict[tuple[str, str | None], Loaded],
    context: Context,
    task: Task,
) -> None:
    """Read the descriptions of one level into `loaded`, those that come over the network side by side."""
    todo = [(source, wanter) for source, wanter in chosen if (source.key, source.version) not in loaded]

    def read(each: tuple[Source, str]) -> tuple[Loaded, list[str]]:
        source, wanter = each
        own = replace(context, notes=[])
        try:
            return source.load(own), own.notes
        except UpytoolError as error:
            if wanter:
                error.advise(Said("package.needed-by", name=wanter), first=True)
            raise

    # A source of a plug-in need not be made for threads.
    remote = [each for each in todo if getattr(each[0], "remote", False)]
    came = context.fetcher.together(read, remote, task.advance) if remote else []
    found = {each[0].key: got for each, got in zip(remote, came, strict=True)}
    for each in todo:
        source = each[0]
        if source.key not in found:
            found[source.key] = read(each)
            task.advance(1)
        loaded[source.key, source.version], notes = found[source.key]
        context.notes += notes


def _pin(source: Source, wanter: str, pins: dict[str, tuple[str, str]], read: bool) -> Source:
    version = source.version
    assert version is not None
    before = pins.get(source.key)
    if before is None:
        pins[source.key] = (version, wanter)
        if read:
            raise _Again
    elif before[0] != version:
        raise PackageError(
            "package.conflict",
            first=before[1],
            name=source.name,
            first_version=before[0],
            wanter=wanter,
            version=version,
        )
    return source


def _ordered(nodes: dict[str, _Node], with_deps: bool) -> tuple[ResolvedPackage, ...]:
    names = _names(nodes)
    order: list[str] = []
    state: dict[str, int] = {}
    for start in nodes:
        stack = [(start, False)]
        while stack:
            key, done = stack.pop()
            if done:
                order.append(key)
            elif key not in state:
                state[key] = 1
                stack.append((key, True))
                if with_deps:
                    stack += [(dep.key, False) for dep in reversed(nodes[key].loaded.deps) if dep.key not in state]
    made = []
    for key in order:
        node = nodes[key]
        deps = dict.fromkeys(dep.key for dep in node.loaded.deps) if with_deps else {}
        made.append(
            ResolvedPackage(
                name=names[key],
                key=key,
                source=node.source.text(),
                version=node.loaded.version or node.source.version,
                wanted=node.source.version,
                requested=node.requested,
                deps=tuple(names[each] for each in deps if each != key),
                files=node.loaded.files,
                abi=node.loaded.abi,
            )
        )
    _check_files(made)
    return tuple(made)


def _names(nodes: dict[str, _Node]) -> dict[str, str]:
    """Short names; where two packages share one, the index's keeps it and others get their whole text."""
    taken: dict[str, list[str]] = {}
    for key, node in nodes.items():
        taken.setdefault(node.source.name, []).append(key)
    names = {}
    for name, keys in taken.items():
        keys.sort(key=lambda each: not each.startswith("index:"))
        for number, key in enumerate(keys):
            source = nodes[key].source
            names[key] = name if number == 0 else source.at(None).text()
    return names


def _check_files(packages: Sequence[ResolvedPackage]) -> None:
    """Two packages may both bring a file only when it is the same one."""
    seen: dict[str, tuple[SourceFile, str]] = {}
    for package in packages:
        for file in package.files:
            before, owner = seen.setdefault(file.path, (file, package.name))
            same = before.location == file.location or (before.digest and before.digest == file.digest)
            if not same:
                raise PackageError("package.same-file", owner=owner, name=package.name, path=file.path)


def renamed(package: ResolvedPackage, name: str) -> ResolvedPackage:
    """The same package under another name."""
    return replace(package, name=name)
