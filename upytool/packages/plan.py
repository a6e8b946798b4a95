"""An install as a value: what would be written, removed and kept. Made by `installer`, applied by `apply`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from .record import Record

Action = Literal["new", "changed", "unchanged"]


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """One file of a package.

    Attributes:
        path: its whole path on the board.
        action: what the run does with it.
        size: bytes; 0 where an unchanged file was not fetched.
        sha256: of the content.
        data: the content, None for unchanged files.
        compiled: it was a .py and is a .mpy now.
    """

    path: str
    action: Action
    size: int
    sha256: str
    data: bytes | None = field(default=None, repr=False)
    compiled: bool = False

    def to_data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "path": self.path,
            "action": self.action,
            "size": self.size,
            "sha256": self.sha256,
            "compiled": self.compiled,
        }


@dataclass(frozen=True, slots=True)
class PlannedPackage:
    """One package of the plan; `before` is the version that is on the board now."""

    name: str
    version: str | None
    source: str
    requested: bool
    files: tuple[PlannedFile, ...]
    before: str | None = None
    installed: bool = False

    def label(self, version: str | None) -> str:
        """Name and version."""
        return f"{self.name} {version}" if version else self.name

    def to_data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        return {
            "name": self.name,
            "version": self.version,
            "source": self.source,
            "requested": self.requested,
            "before": self.before,
            "installed": self.installed,
            "files": [each.to_data() for each in self.files],
        }


@dataclass(frozen=True, slots=True)
class Removal:
    """A file that goes, and why ("stale", "shadows foo.mpy", "not in 1.1 any more", "uninstalled")."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class InstallPlan:
    """What an install or uninstall does; nothing of it has happened yet.

    Attributes:
        target: the folder, "" for the root.
        packages: in the order of installing.
        removals: files that go.
        record: what the record says afterwards.
        notes: sentences for the user.
        needed: bytes that the new and changed files take, in whole blocks.
        free: bytes free on the board, None where it does not tell.
        block: bytes of a block there, 0 where it does not tell.
        staged: all files wait beside their places and take them at once in the end; False where the room is
            too small for old and new at the same time, and each file is replaced on its own.
        removing: it is an uninstall.
        stale_stage: an earlier install left files behind that go first.
        missing: the target and folders above it that do not exist, in the order of making.
        in_doubt: where a file is to be new, something else may lie.
        adds_only: it adds files, and replaces nothing but the record, which a rename can replace there.
    """

    target: str
    packages: tuple[PlannedPackage, ...] = ()
    removals: tuple[Removal, ...] = ()
    record: Record = field(default_factory=Record)
    record_changes: bool = True
    notes: tuple[str, ...] = ()
    needed: int = 0
    free: int | None = None
    block: int = 0
    staged: bool = True
    removing: bool = False
    stale_stage: bool = False
    missing: tuple[str, ...] = ()
    in_doubt: bool = False
    adds_only: bool = False

    def files(self) -> Iterator[PlannedFile]:
        """Every file once, whichever packages bring it."""
        seen = set()
        for package in self.packages:
            for file in package.files:
                if file.path not in seen:
                    seen.add(file.path)
                    yield file

    def writes(self) -> list[PlannedFile]:
        """The files that are written."""
        return [each for each in self.files() if each.action != "unchanged"]

    @property
    def empty(self) -> bool:
        """Is there nothing to do?"""
        return not (self.writes() or self.removals or self.record_changes)

    def data(self) -> dict[str, Any]:
        """As `--json` prints it."""
        writes = self.writes()
        return {
            "target": self.target or "/",
            "packages": [each.to_data() for each in self.packages],
            "removed": [{"path": each.path, "reason": each.reason} for each in self.removals],
            "written": len(writes),
            "unchanged": sum(1 for each in self.files()) - len(writes),
            "bytes": sum(each.size for each in writes),
            "needed": self.needed,
            "free": self.free,
        }

    def lines(self, dry_run: bool = False) -> list[str]:
        """For a person: what is done, or with `dry_run` every file of it."""
        found = []
        for package in self.packages:
            if self.removing:
                found.append(f"{package.label(package.before)}: {'would be removed' if dry_run else 'removed'}")
                continue
            writes = [file for file in package.files if file.action != "unchanged"]
            same = len(package.files) - len(writes)
            parts = [f"{_files(len(writes))}, {sum(file.size for file in writes)} bytes"] if writes else []
            parts += [f"{_files(same)} unchanged"] if same else []
            changed = package.before and package.before != package.version
            was = f" (was {package.before})" if changed else ""
            found.append(f"{package.label(package.version)}{was}: {', '.join(parts) or 'no files'}")
            if dry_run:
                found += [f"  {file.action:9}  {file.path}" for file in package.files]
        if dry_run or not self.removing:
            found += [f"  {'remove':9}  {each.path} ({each.reason})" for each in self.removals]
        if self.writes():
            found.append(f"{'Would go' if dry_run else 'Installed'} to {self.target or '/'}")
        return found

    def log(self, asked: Iterable[str]) -> list[str]:
        """For a log, in mpremote's words; a file has the name that its package gives it, also where it was compiled.

        Args:
            asked: the packages as the user named them.
        """
        found = [f"Install {words}" for words in asked]
        for package in self.packages:
            if package.version and not package.source.endswith(".json"):
                found.append(f"Installing {package.name} ({package.version}) to {self.target or '/'}")
            for file in package.files:
                path = file.path.removesuffix(".mpy") + ".py" if file.compiled else file.path
                found.append(f"{'Exists' if file.action == 'unchanged' else 'Installing'}: {path}")
        return [*found, "Done"]


def _files(number: int) -> str:
    return f"{number} file{'' if number == 1 else 's'}"
