"""This computer's side of a copy: its trees, what is at the targets, and copies that need no board."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from ..errors import LocalFileError
from ..events import NULL, Reporter, Task
from .copy import CopyOptions, CopyResult, Destination, Targets, plan_copy, targets
from .hashes import equal_files
from .ignore import ignore_for
from .local import check_named, local_error, replace_local, write_error
from .mover import Status
from .spelling import check_spelt, local_spelling, local_twins
from .tree import Tree, is_link, local_tree


def local_source(source: str, options: CopyOptions) -> Tree:
    """What a word of the user's names here. Errors: LocalFileError, UsageError."""
    rule = lambda folder: ignore_for(folder, options.ignore, defaults=options.default_ignores)
    return local_tree(source, recursive=options.recursive, ignore=rule)


def local_destination(dest: str) -> Destination:
    """A destination on this computer."""
    path = Path(check_named(dest))
    kind = "dir" if os.path.isdir(path) else "file" if os.path.exists(path) else "none"
    return Destination(str(path), kind, dest.endswith(("/", os.sep)), False)


def local_statuses(wanted: Targets, to: Destination) -> dict[str, Status]:
    """What is at the targets on this computer.

    A link counts as what it leads to only where the user named it, as the destination or by naming one file. Of a tree
    nothing is written through a link, which may lead anywhere.
    """
    there = {path: _local_status(path, path == to.path) for path in wanted.dirs}
    there.update((item.path, _local_status(item.path, not item.relative)) for item in wanted.files)
    listed: dict[str, frozenset[str]] = {}
    for path, status in there.items():
        if status.kind != "none":
            there[path] = status._replace(spelt=local_spelling(path, listed))
    return there


def _local_status(path: str, named: bool) -> Status:
    """Its kind, also `link` and `special`; the size is -1 where there is no content to compare."""
    link = not named and is_link(path)
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return Status("link" if link else "none", -1)
    size = state.st_size if stat.S_ISREG(state.st_mode) else -1
    if link:
        return Status("link", size)
    if stat.S_ISDIR(state.st_mode):
        return Status("dir", -1)
    return Status("file" if named or size >= 0 else "special", size)


def make_local(path: str) -> None:
    """Make a directory. Errors: LocalFileError."""
    try:
        os.mkdir(path)
    except (OSError, ValueError) as error:
        raise write_error(error, Path(path)) from error


def delete_local(path: Path) -> None:
    """Remove a file or an empty directory. Errors: LocalFileError."""
    try:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        raise local_error(error, path) from error


def copy_locally(sources: Sequence[str], dest: str, options: CopyOptions, reporter: Reporter = NULL) -> CopyResult:
    """Copy from this computer to this computer, as mpremote does as well; no board is needed.

    Here a source's trailing `/` means nothing, as for Unix's and mpremote's cp (their test_recursive_cp.sh).

    Errors: UsageError, LocalFileError.
    """
    trees = [local_source(source.rstrip("/" + os.sep) or source, options) for source in sources]
    to = local_destination(dest)
    wanted = targets(trees, to)
    names = [*wanted.dirs, *wanted.paths]
    local_twins(names, to.path)
    there = local_statuses(wanted, to)
    check_spelt((name for name in names if there[name].kind != "dir" or name != to.path), there)
    unchanged = {
        item.path
        for item in wanted.files
        if there[item.path].kind in ("file", "link")
        and there[item.path].size == item.size
        and equal_files(Path(item.source), Path(item.path))
    }
    if any(item.path in unchanged and os.path.samefile(item.source, item.path) for item in wanted.files):
        raise LocalFileError("local-file.copy-onto-itself", path=dest)
    plan = plan_copy(wanted, there, unchanged, remote=False, force=options.force)
    if not options.dry_run:
        with Task(reporter, "copying", plan.bytes) as task:
            for action in plan.of("mkdir"):
                make_local(action.path)
            for action in plan.of("write"):
                replace_local(Path(plan.targets[action.path].source), Path(action.path), task.advance)
    return CopyResult(plan, options.dry_run)
