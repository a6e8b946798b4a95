"""A folder made equal to another: local to board, or with `pull` board to local.

Everything of a copy, and with `delete` what the source does not have goes. Kept are what `keep` names, what is ignored
here, our own notes on the board (`.upytool/`, the list of packages), and whatever is mounted below the folder.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from ..errors import LocalFileError, RemoteOSError, UsageError
from ..events import NULL, Reporter
from ..protocol.ops import Op, on_host
from .copy import CopyOptions, CopyResult, Destination, Targets, targets
from .copy_local import local_destination
from .copy_ops import _Copy
from .fs_ops import FsOps
from .fs_types import Agree, agreed
from .ignore import ignore_for
from .mover import Mover
from .tree import IgnoreRule, Tree, board_tree, local_tree

OWN = ".upytool"


def sync(
    fs: FsOps,
    local: str,
    remote: str,
    options: CopyOptions,
    *,
    delete: bool = False,
    keep: Sequence[str] = (),
    pull: bool = False,
    reporter: Reporter = NULL,
    agree: Agree = agreed,
) -> Op[CopyResult]:
    """Make the contents of `remote` (a folder of the board) those of `local`, or the reverse with `pull`.

    Args:
        delete: remove what the source does not have, except what `keep` (patterns) or an ignore rule names.
        agree: is asked before all that is there goes, or what the board starts with (`CopyPlan.question`).

    Two round trips, then content. Errors: UsageError, LocalFileError, RemoteOSError.
    """
    far = remote.rstrip("/")
    if not far:
        far = "/" if remote.startswith("/") else (yield from fs.getcwd())
    rule, tree = yield from on_host(_here, local, options, pull)
    foreign: frozenset[str] = frozenset()
    if delete and not pull:
        mounts = yield from fs.df()
        inside = far.rstrip("/") + "/"
        paths = {mount.path.rstrip("/") for mount in mounts} | fs.protected
        foreign = frozenset(path[len(inside) :] for path in paths if path.startswith(inside))

    def work(mover: Mover) -> Op[CopyResult]:
        run = _Copy(fs, mover, options._replace(recursive=True), reporter, agree)
        if tree is None:
            return (yield from _pull(run, local, far, delete, keep, rule))
        return (yield from _push(run, replace(tree, contents=True), far, delete, keep, rule, foreign))

    return (yield from fs.moving(work, list(tree.files.values()) if tree else ()))


def _here(local: str, options: CopyOptions, pull: bool) -> tuple[IgnoreRule, Tree | None]:
    """The rules of the local folder, and what it holds where that is the source. Errors: LocalFileError, UsageError."""
    if not pull and not os.path.isdir(local):
        local_tree(local, recursive=True)  # where there is nothing, that is what is wrong
        raise LocalFileError("local-file.sync-source", path=local)
    rule = ignore_for(Path(local), options.ignore, defaults=options.default_ignores)
    return rule, None if pull else local_tree(local, recursive=True, ignore=lambda folder: rule)


def _push(
    run: _Copy,
    tree: Tree,
    far: str,
    delete: bool,
    keep: Sequence[str],
    rule: IgnoreRule,
    foreign: Collection[str],
) -> Op[CopyResult]:
    survey = yield from run.mover.survey([(far, -1)], [far] if delete else ())
    kind = survey.statuses[0].kind
    if kind == "file":
        raise UsageError("usage.sync-target", path=far)
    to = Destination(far, kind, False, True)
    wanted = with_parents(targets([tree], to), far)
    wanted, shadows = yield from run.prepared(wanted, to)
    extra = {}
    if delete:
        there = board_tree(far, "dir", 0, survey.listing, recursive=True)
        extra = extras(there, wanted, to, keep, rule, foreign)
    shadows = [path for path in shadows if path not in extra]
    plan, there_now = yield from run.plan(wanted, to, shadows, extra)
    return (yield from run.finish(plan, there_now, to))


def _pull(run: _Copy, local: str, far: str, delete: bool, keep: Sequence[str], rule: IgnoreRule) -> Op[CopyResult]:
    survey = yield from run.mover.survey([(far, -1)], [far])
    kind = survey.statuses[0].kind
    if kind == "none":
        raise RemoteOSError(2, far)
    if kind == "file":
        raise UsageError("usage.sync-target", path=far)
    tree = replace(board_tree(far, "dir", 0, survey.listing, recursive=True), contents=True)
    tree = without(tree, rule)
    to = yield from on_host(local_destination, local)
    wanted = targets([tree], to)
    extra: Mapping[str, int] = {}
    if delete and to.kind == "dir":
        here = yield from on_host(local_tree, local, recursive=True, ignore=lambda folder: rule, follow=False)
        extra = extras(here, wanted, to, keep, rule)
    plan, there = yield from run.plan(wanted, to, extra=extra)
    return (yield from run.finish(plan, there, to))


def without(tree: Tree, rule: IgnoreRule) -> Tree:
    """A board's folder without what the ignore rules leave out."""
    out: set[str] = set()
    for path in tree.dirs:
        if path.rpartition("/")[0] in out or rule(path, True):
            out.add(path)
    files = {
        path: size for path, size in tree.files.items() if path.rpartition("/")[0] not in out and not rule(path, False)
    }
    return replace(tree, dirs=tuple(path for path in tree.dirs if path not in out), files=files)


def with_parents(wanted: Targets, far: str) -> Targets:
    """With the folders above the destination, which `sync` makes."""
    parts = far.strip("/").split("/")
    start = "/" if far.startswith("/") else ""
    above = [start + "/".join(parts[:count]) for count in range(1, len(parts))]
    return wanted._replace(dirs=tuple(dict.fromkeys([*above, *wanted.dirs])))


def extras(
    there: Tree,
    wanted: Targets,
    to: Destination,
    keep: Sequence[str],
    rule: IgnoreRule,
    foreign: Collection[str] = (),
) -> dict[str, int]:
    """What is at the destination, but not in the source: path -> size (-1 a folder). Pure.

    A folder goes only when all below it goes. `foreign` are paths where something else is mounted.
    """
    own = {item.path for item in wanted.files} | set(wanted.dirs)
    patterns = [pattern.strip("/") for pattern in keep]
    kept: set[str] = set()

    def keeps(path: str, is_dir: bool) -> bool:
        parent, _, name = path.rpartition("/")
        if parent in kept or path in foreign or path.split("/")[0] == OWN or rule(path, is_dir):
            return True
        return any(fnmatchcase(path, pattern) or fnmatchcase(name, pattern) for pattern in patterns)

    out: dict[str, int] = {}
    for path in there.dirs:  # parents come first: what is below a kept folder is kept
        if keeps(path, True):
            kept.add(path)
    for path, size in there.files.items():
        if keeps(path, False):
            kept.add(path)
        elif to.join(path) not in own:
            out[to.join(path)] = size
    for path in there.dirs:
        full = to.join(path)
        if full not in own and path not in kept and not any(name.startswith(path + "/") for name in kept):
            out[full] = -1
    return out
