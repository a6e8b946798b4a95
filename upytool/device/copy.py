"""What a copy would do, as a value: pure functions from listings to a CopyPlan (law 4 of the house).

The meaning of sources and destination is mpremote's `cp`, which is Unix's: into a folder that exists under the source's
own name, else to the name given; a trailing `/` of the destination says that it has to be a folder. Ours in addition: a
trailing `/` of a source folder means its contents.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from ..errors import LocalFileError, UsageError
from ..words import Said
from .mover import Status
from .tree import Tree, join

What = Literal["mkdir", "write", "skip", "delete", "rmdir"]
# What a board starts and connects with, beside the user's program: MicroPython's and CircuitPython's.
VITAL = frozenset(("boot.py", "webrepl_cfg.py", "settings.toml"))
_WORDS = {"mkdir": "make", "write": "write", "skip": "keep", "delete": "delete", "rmdir": "remove"}


class Destination(NamedTuple):
    """Where a copy goes.

    Attributes:
        path: without a trailing `/` (but `/` itself); '' is the board's working directory.
        kind: `none`, `file` or `dir`.
        must_be_dir: it was written with a trailing `/`.
        remote: it is on the board.
    """

    path: str
    kind: str
    must_be_dir: bool
    remote: bool

    def join(self, name: str) -> str:
        return join(self.path, name) if self.remote else os.path.join(self.path, *name.split("/"))

    @property
    def shown(self) -> str:
        return f":{self.path}" if self.remote else self.path


class Target(NamedTuple):
    """A file and where it is to go; `content` in place of the file's own where it was compiled."""

    tree: Tree
    relative: str
    path: str
    size: int
    content: bytes | None = None

    @property
    def source(self) -> str:
        return self.tree.path_of(self.relative)


class Targets(NamedTuple):
    """The folders to exist, parents first, and the files to be in them."""

    dirs: tuple[str, ...]
    files: tuple[Target, ...]

    @property
    def paths(self) -> list[str]:
        """Where the files go."""
        return [item.path for item in self.files]


class Action(NamedTuple):
    """One step. `why`: new, changed, forced, unchanged, extra, shadowed."""

    what: What
    path: str
    size: int = 0
    why: str = ""
    source: str = ""

    def line(self) -> str:
        """For people."""
        return f"{_WORDS[self.what]:7}{self.path}" + (f"  ({self.why})" if self.why else "")

    def data(self) -> dict[str, object]:
        return {
            "action": self.what,
            "path": self.path,
            "size": self.size,
            "why": self.why,
            "source": self.source,
        }


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What a copy or sync does, in order; board paths begin with `:`."""

    actions: tuple[Action, ...] = ()
    targets: Mapping[str, Target] = field(default_factory=dict, compare=False, repr=False)

    def of(self, *what: What) -> list[Action]:
        """The actions of these kinds."""
        return [action for action in self.actions if action.what in what]

    def question(self, place: str) -> str:
        """What to ask before this plan is applied; '' where nothing is to be asked.

        A deletion that was asked for needs no second yes, but two that nobody means do: of everything that was there,
        where the source is empty, or the board's root or a local directory has nothing in common with it; and of the
        files that a board starts and connects with, which are seldom in a project.

        Args:
            place: the destination, for the question.
        """
        gone = [action.path for action in self.of("delete") if action.why == "extra"]
        if not gone:
            return ""
        stays = any(action.why in ("unchanged", "changed", "forced") for action in self.actions)
        if not self.of("write", "skip") or (not stays and (place in ("/", ":/") or gone[0][:1] != ":")):
            return f"Delete everything in {place} ({len(gone)} file{'s' * (len(gone) != 1)})?"
        vital = [path for path in gone if path[:1] == ":" and path[1:].removeprefix("/flash").lstrip("/") in VITAL]
        return f"Delete {' and '.join(vital)} from the board?" if vital else ""

    @property
    def changes(self) -> bool:
        """Whether anything would be different afterwards."""
        return any(action.what != "skip" for action in self.actions)

    @property
    def bytes(self) -> int:
        """Bytes of content to be written."""
        return sum(action.size for action in self.of("write"))

    def data(self) -> dict[str, object]:
        return {
            "actions": [action.data() for action in self.actions],
            "write": len(self.of("write")),
            "unchanged": len(self.of("skip")),
            "delete": len(self.of("delete", "rmdir")),
            "bytes": self.bytes,
        }


def targets(trees: Sequence[Tree], to: Destination) -> Targets:
    """Where everything goes. Errors: UsageError when the destination does not suit."""
    if to.must_be_dir and to.kind == "file":
        raise UsageError("usage.destination-file", path=to.shown)
    if to.must_be_dir and to.kind == "none" and any(tree.kind == "file" for tree in trees):
        make = Said("device.make-directory" if to.remote else "device.make-local-directory", path=to.shown)
        raise UsageError("usage.no-destination", path=to.shown, hint=make)
    if len(trees) > 1 and to.kind != "dir":
        if to.kind == "none":
            raise UsageError("usage.no-directory-for-several", path=to.shown)
        raise UsageError("usage.file-for-several", path=to.shown)
    dirs: dict[str, None] = {}
    files: dict[str, Target] = {}
    for tree in trees:
        if tree.remote and not to.remote:
            _check_names(tree, to)
        if tree.kind == "file":
            path = to.join(tree.name) if to.kind == "dir" else to.path
            _add(files, Target(tree, "", path, tree.files[""]))
            continue
        if to.kind == "file":
            raise UsageError("usage.directory-onto-file", path=to.shown, source=tree.root)
        inside = to.kind == "dir" and not tree.contents
        prefix = f"{tree.name}/" if inside else ""
        if inside:
            dirs[to.join(tree.name)] = None
        elif to.kind == "none":
            dirs[to.path] = None
        dirs.update((to.join(prefix + name), None) for name in tree.dirs)
        for relative, size in tree.files.items():
            _add(files, Target(tree, relative, to.join(prefix + relative), size))
    return Targets(tuple(dirs), tuple(files.values()))


def _check_names(tree: Tree, to: Destination) -> None:
    """Names of a board must stay below the folder they are copied to. Errors: LocalFileError."""
    names = [path for path in (*tree.files, *tree.dirs) if path]
    if to.kind == "dir" and not tree.contents:
        names.append(tree.name)
    for path in names:
        bad = not {"", ".", ".."}.isdisjoint(path.split("/")) or "\0" in path
        if bad or (os.name == "nt" and not set('\\:*?"<>|').isdisjoint(path)):
            raise LocalFileError("local-file.name", path=path, hint=Said("device.rename-on-board"))


def _add(files: dict[str, Target], target: Target) -> None:
    other = files.setdefault(target.path, target)
    if other is not target:
        raise UsageError("usage.same-destination", first=other.source, second=target.source, path=target.path)


def _check_kind(kind: str, path: str) -> None:
    if kind == "link":
        raise LocalFileError("local-file.tree-through-link", path=path)
    if kind == "special":
        raise LocalFileError("local-file.not-regular-there", path=path, hint=Said("device.remove-or-elsewhere"))


def plan_copy(
    wanted: Targets,
    there: Mapping[str, Status],
    unchanged: Collection[str],
    *,
    remote: bool,
    force: bool = False,
    extra: Mapping[str, int] | None = None,
) -> CopyPlan:
    """The plan.

    Args:
        wanted: from `targets`.
        there: path -> what is there now (a path that is missing here does not exist).
        unchanged: target paths whose content is equal already.
        remote: the destination is on the board.
        force: write also what is unchanged.
        extra: path -> size (-1 a folder) of what is to be deleted.

    Errors: UsageError when a folder stands where a file is to go, or the reverse; LocalFileError for a link or special
    file in the way.
    """
    mark = ":" if remote else ""
    none = Status("none")
    actions: list[Action] = []
    for path in wanted.dirs:
        kind = there.get(path, none).kind
        _check_kind(kind, path)
        if kind == "file":
            raise UsageError("usage.file-in-the-way", path=mark + path)
        if kind == "none":
            actions.append(Action("mkdir", mark + path, why="new"))
    for target in wanted.files:
        state = there.get(target.path, none)
        source = target.source if not target.tree.remote else f":{target.source}"
        if target.path not in unchanged:
            _check_kind(state.kind, target.path)
        if state.kind == "dir":
            raise UsageError("usage.directory-in-the-way", path=mark + target.path)
        if state.kind == "none":
            actions.append(Action("write", mark + target.path, target.size, "new", source))
        elif force:
            actions.append(Action("write", mark + target.path, target.size, "forced", source))
        elif target.path in unchanged:
            actions.append(Action("skip", mark + target.path, target.size, "unchanged", source))
        else:
            actions.append(Action("write", mark + target.path, target.size, "changed", source))
    gone = extra or {}
    actions.extend(Action("delete", mark + path, size, "extra") for path, size in gone.items() if size >= 0)
    folders = sorted((path for path, size in gone.items() if size < 0), key=lambda path: -path.count("/"))
    actions.extend(Action("rmdir", mark + path, why="extra") for path in folders)
    return CopyPlan(tuple(actions), {mark + target.path: target for target in wanted.files})


class CopyOptions(NamedTuple):
    """How to copy.

    Attributes:
        recursive: folders too.
        force: write also what is unchanged.
        dry_run: plan only.
        in_place: overwrite old files at once, where there is no room for two copies.
        mpy: compile .py files for the board on the way.
        ignore: patterns in addition to the defaults and .upytoolignore.
        default_ignores: False copies dot files, __pycache__ and the like too.
    """

    recursive: bool = False
    force: bool = False
    dry_run: bool = False
    in_place: bool = False
    mpy: bool = False
    ignore: tuple[str, ...] = ()
    default_ignores: bool = True


class CopyResult(NamedTuple):
    """What was (or, after a dry run, would be) done."""

    plan: CopyPlan
    dry_run: bool = False

    def data(self) -> dict[str, object]:
        return {**self.plan.data(), "dry_run": self.dry_run}
