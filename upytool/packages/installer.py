"""Make an InstallPlan; `apply` carries it out.

    look at the board -> resolve -> hash what is there (one round trip) -> fetch and verify what is missing
    -> compile for this board -> owners, shadows, space

Not a byte is written to the board before every file is here, verified and compiled.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from upytool.errors import PackageError
from upytool.events import NULL, Reporter
from upytool.inner_path import PackagePath
from upytool.mpy.abi import Abi, refusal

from . import board as boards
from .apply import PLAIN, recover
from .compile import Compiler, never_compiled
from .content import Fitted, fetch, source_digest
from .download import Fetcher
from .hosts import Hosts
from .index import DEFAULT_INDEX, SOURCES, PackageIndex
from .names import check_cases, check_names
from .plan import InstallPlan, PlannedFile, PlannedPackage, Removal
from .record import DIGITS, Installed, Record, parse_record
from .resolver import Resolution, ResolvedPackage, resolve
from .sources import Context, Source, SourceFile, parse_dependency
from .survey import Survey, survey

BLOCK = 512  # where the board does not tell its own


@dataclass(frozen=True, slots=True)
class InstallOptions:
    """How to install.

    Attributes:
        target: the folder on the board; None for the board's own choice.
        indexes: addresses of package indexes, asked in this order.
        mpy: take and make .mpy files where the board loads them.
        optimize: mpy-cross's -O level.
        deps: install what the packages need, too.
        force: write files although they belong to another package or were changed by hand.
    """

    target: str | None = None
    indexes: tuple[str, ...] = (DEFAULT_INDEX,)
    mpy: bool = True
    optimize: int = 0
    deps: bool = True
    force: bool = False


def context_for(fetcher: Fetcher, hosts: Hosts, indexes: Sequence[str], abi: str) -> Context:
    """What sources work with, from the settings."""
    made = tuple(PackageIndex(each) for each in indexes) or (PackageIndex(DEFAULT_INDEX),)
    return Context(fetcher, made, hosts, abi, lambda text, version: parse_dependency(text, version, hosts))


def index_abi(board: boards.Board, mpy: bool) -> str:
    """The .mpy version as an index names it: "6", or "py" for sources."""
    abi = Abi.of(boards.mpy_of(board)) if mpy else None
    return str(abi.version) if abi else SOURCES


def plan_install(
    board: boards.Board,
    requirements: Sequence[Source],
    fetcher: Fetcher,
    hosts: Hosts,
    options: InstallOptions,
    *,
    fixed: Callable[[str], Resolution] | None = None,
    seen: Survey | None = None,
    write: bool = True,
    reporter: Reporter = NULL,
) -> InstallPlan:
    """Everything but the writing.

    Args:
        board: where to.
        requirements: what the user asks for.
        fixed: what to install instead of resolving `requirements` (from a lock), for the board's .mpy version as an
            index names it.
        seen: the target, where `surveyed` has just looked at it.
        write: False changes nothing on the board (a dry run); True finishes an earlier install that was cut off.

    Raises:
        PackageError, NetworkError, OfflineError, RemoteOSError.
    """
    if fixed is not None or any(getattr(source, "remote", False) for source in requirements):
        fetcher.prepare()
    seen = seen or surveyed(board, options.target, write=write, reporter=reporter)
    abi = Abi.of(seen.mpy, seen.small_int_bits) if options.mpy else None
    named = str(abi.version) if abi else SOURCES
    if fixed is not None:
        resolution = fixed(named)
    else:
        resolution = resolve(requirements, context_for(fetcher, hosts, options.indexes, named), deps=options.deps)
    return _Planner(board, seen, resolution, fetcher, options, abi).plan()


def surveyed(board: boards.Board, target: str | None, *, write: bool, reporter: Reporter) -> Survey:
    """Look at the target folder; an install that was cut off in its last step is finished first."""
    seen = survey(board, target, write=write)
    if write and (seen.journal is not None or seen.waiting is not None):
        recover(board, seen, reporter)
        seen = survey(board, target, write=write)
    return seen


class _Planner:
    def __init__(
        self,
        board: boards.Board,
        seen: Survey,
        resolution: Resolution,
        fetcher: Fetcher,
        options: InstallOptions,
        abi: Abi | None,
    ) -> None:
        self.board, self.seen, self.fetcher, self.options, self.abi = board, seen, fetcher, options, abi
        self.loads = Abi.of(seen.mpy, seen.small_int_bits)
        self.resolution = resolution
        self.resolved = {package.name: package for package in resolution.packages}
        self.compiler = Compiler(abi, options.optimize) if abi else None
        self.record = parse_record(seen.record, seen.target + boards.RECORD)
        self.notes = list(resolution.notes)
        self.here: dict[str, str | None] = {}
        self.owners = self.record.owned(self._fold)

    def plan(self) -> InstallPlan:
        fitted = {package.name: self._fit(package) for package in self.resolution.packages}
        check_names({name: [path for _, path, _ in files] for name, files in fitted.items()}, self.seen)
        self._look(fitted)
        contents = fetch([each for files in fitted.values() for each in files], self.here, self.fetcher)
        packages = [self._planned(each, fitted[each.name], contents) for each in self.resolution.packages]
        self._check_owners(packages)
        installed = [self._installed(each, contents) for each in packages]
        record = self.record.changed(put=installed)
        removals = self._removals(packages, record)
        draft = InstallPlan(self.seen.target, tuple(packages))
        if not self.options.force:
            check_cases(self.board, draft, self.seen, self.owners)
        needed, staged = self._space(draft)
        writes = draft.writes()
        in_doubt = any(each.action == "new" and self.seen.may_hold(each.path) for each in writes)
        names = [each.path.rpartition("/")[2] for each in writes]
        return InstallPlan(
            self.seen.target,
            tuple(packages),
            tuple(removals),
            record,
            record != self.record,
            tuple(dict.fromkeys(self.notes)),
            needed,
            self.seen.free,
            self.seen.block,
            staged=staged,
            stale_stage=self.seen.staged,
            missing=self.seen.missing,
            in_doubt=in_doubt,
            adds_only=(
                staged
                and not (in_doubt or removals)
                and all(each.action == "new" for each in writes)
                and all(map(PLAIN.fullmatch, names))
                # FAT renames nothing to a name that is taken.
                and (self.seen.record is None or self.seen.folds is False)
            ),
        )

    def _fit(self, package: ResolvedPackage) -> list[Fitted]:
        """Each file with its path on the board, and whether it is to be compiled."""
        found = []
        for file in package.files:
            to_compile = (
                file.compilable
                and self.compiler is not None
                and not self.compiler.unusable
                and not never_compiled(file.path)
            )
            path = file.path[:-3] + ".mpy" if to_compile else file.path
            found.append((file, f"{self.seen.target}/{path}", to_compile))
            if file.compilable and self.compiler is not None and self.compiler.unusable:
                self.notes.append(f"sources are installed as they are: {self.compiler.unusable}")
        return found

    def _look(self, fitted: dict[str, list[Fitted]]) -> None:
        """One round trip: what is on the board at every path that matters."""
        wanted: dict[str, None] = {}
        for files in fitted.values():
            for file, path, _ in files:
                wanted[path] = None
                wanted[f"{self.seen.target}/{file.path}"] = None
                wanted.update(dict.fromkeys(shadows(path)))
        for name in fitted:
            if name in self.record.packages:
                before = self.record.packages[name].files
                wanted.update((f"{self.seen.target}/{each}", None) for each in before)
        self.here = boards.digests(self.board, [path for path in wanted if self.seen.may_hold(path)])

    def _planned(
        self,
        package: ResolvedPackage,
        files: list[Fitted],
        contents: dict[SourceFile, bytes],
    ) -> PlannedPackage:
        made = []
        for file, path, to_compile in files:
            data = contents.get(file)
            if data is None:
                made.append(PlannedFile(path, "unchanged", 0, self.here.get(path) or ""))
                continue
            compiled = False
            if to_compile and self.compiler is not None:
                source_path = f"{self.seen.target}/{file.path}"
                result = self.compiler.compile(data, source_path)
                if result.data is None:
                    path = source_path
                    self.notes.append(f"{source_path} is installed as a source: {result.reason}")
                else:
                    data, compiled = result.data, True
            elif path.endswith(".mpy") and (why := refusal(self.loads, data[:16])):
                self.notes.append(f"the board will not import {path}: {why}")
            made.append(self._file(path, data, compiled))
        before = self.record.packages.get(package.name)
        if before is not None and not _same_place(before.source, package.source):
            self.notes.append(f"{package.name} from {before.source} is replaced by {package.source}")
        return PlannedPackage(
            package.name,
            package.version,
            package.source,
            package.requested or bool(before and before.requested),
            tuple(made),
            before.version if before else None,
            before is not None,
        )

    def _file(self, path: str, data: bytes, compiled: bool) -> PlannedFile:
        digest = hashlib.sha256(data).hexdigest()
        there = self.here.get(path)
        action: Literal["new", "changed", "unchanged"] = "changed" if there else "new"
        if there == digest:
            return PlannedFile(path, "unchanged", len(data), digest, None, compiled)
        return PlannedFile(path, action, len(data), digest, data, compiled)

    def _check_owners(self, packages: Sequence[PlannedPackage]) -> None:
        """A file of another package that stays is not ours to write; nor is one that was changed by hand."""
        names = {package.name for package in packages}
        for package in packages:
            for file in package.files:
                if file.action != "changed":
                    continue
                owners = self.owners.get(self._fold(self._below(file.path)), [])
                others = [owner for owner in owners if owner not in names]
                if others and not self.options.force:
                    raise PackageError("package.belongs", path=file.path, owner=others[0], name=package.name)
                if owners and not others:
                    recorded = self.record.packages[owners[0]].files.get(PackagePath(self._below(file.path)))
                    if recorded and not (self.here.get(file.path) or "").startswith(recorded):
                        self.notes.append(f"{file.path} was changed on the board; it is replaced")

    def _installed(self, package: PlannedPackage, contents: dict[SourceFile, bytes]) -> Installed:
        resolved = self.resolved[package.name]
        abi = ""
        if any(file.path.endswith(".mpy") for file in package.files) and self.abi:
            abi = self.abi.text if any(file.compiled for file in package.files) else str(self.abi.version)
        return Installed(
            package.name,
            package.source,
            package.version,
            package.requested,
            resolved.deps,
            {PackagePath(self._below(file.path)): file.sha256[:DIGITS] for file in package.files},
            abi,
            source_digest(resolved.files, contents, self.here, self.seen.target),
        )

    def _removals(self, packages: Sequence[PlannedPackage], record: Record) -> list[Removal]:
        found: dict[str, str] = {}
        owned = record.owned(self._fold)
        for package in packages:
            before = self.record.packages.get(package.name)
            for path, digest in (before.files if before else {}).items():
                whole = f"{self.seen.target}/{path}"
                there = self.here.get(whole)
                if there is None or self._fold(path) in owned:
                    continue
                if there.startswith(digest) or self.options.force:
                    found[whole] = f"not in {package.name} {package.version or ''}".strip() + " any more"
                else:
                    self.notes.append(f"{whole} was changed on the board: it stays, without its package")
            for file in package.files:
                for shadow in shadows(file.path):
                    self._shadow(shadow, file.path, owned, found)
        return [Removal(path, reason) for path, reason in found.items()]

    def _shadow(self, shadow: str, path: str, owned: Mapping[str, list[str]], found: dict[str, str]) -> None:
        if self.here.get(shadow) is None or shadow in found:
            return
        owners = owned.get(self._fold(self._below(shadow)), [])
        if owners and not self.options.force:
            raise PackageError("package.shadowed", shadow=shadow, owner=owners[0], path=path)
        if shadow.endswith(".py") and path.endswith(".mpy") and shadow[:-3] == path[:-4]:
            found[shadow] = f"it would be imported in place of {path.rpartition('/')[2]}"
        elif not shadow.endswith(".mpy") or "/__init__." in shadow:
            self.notes.append(f"{shadow} is imported in place of {path}; remove it if it is an old one")

    def _space(self, draft: InstallPlan) -> tuple[int, bool]:
        """Bytes needed, and whether old and new files fit at once.

        Raises:
            PackageError: not even one after the other fits.
        """
        block = self.seen.block or BLOCK

        def room(size: int) -> int:
            # LittleFS keeps a file of up to an eighth of a block in its folder's block.
            return -(-size // block) * block if size > block // 8 else 0

        writes = draft.writes()
        needed = sum(room(each.size) for each in writes)
        free = self.seen.free
        # A folder takes two blocks of LittleFS; the record and the journal take one each.
        folders = {each.path.rpartition("/")[0] for each in writes if each.action == "new"}
        if free is None or not writes or needed + (4 + 2 * len(folders)) * block <= free:
            return needed, True
        left = free - 4 * block
        old = boards.sizes(self.board, [each.path for each in writes])
        for each, before in zip(writes, old, strict=True):
            left -= room(each.size)
            if left < 0:
                raise PackageError("package.no-space", needed=needed, target=self.seen.target or "/", free=free)
            left += room(before)
        return needed, False

    def _below(self, path: str) -> str:
        return path[len(self.seen.target) + 1 :]

    def _fold(self, path: str) -> str:
        return self.seen.fold(path)


def shadows(path: str) -> list[str]:
    """Paths in the same folder that MicroPython imports in place of `path`, or that a change leaves useless.

    It looks for a folder first, then for .py, then for .mpy (py/builtinimport.c).
    """
    stem, _, ending = path.rpartition(".")
    if ending not in ("py", "mpy"):
        return []
    found = [f"{stem}/__init__.py", f"{stem}/__init__.mpy"]
    return [f"{stem}.py", *found] if ending == "mpy" else found


def _same_place(before: str, now: str) -> bool:
    return before.partition("@")[0] == now.partition("@")[0]
