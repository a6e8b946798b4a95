"""Plan the removal of packages; `apply` carries it out."""

from __future__ import annotations

from collections.abc import Sequence

from upytool.errors import PackageError
from upytool.events import NULL, Reporter
from upytool.words import Said

from . import board as boards
from .index import suggest
from .installer import surveyed
from .plan import InstallPlan, PlannedPackage, Removal
from .record import parse_record


def plan_uninstall(
    board: boards.Board,
    names: Sequence[str],
    *,
    target: str | None = None,
    unused: bool = False,
    force: bool = False,
    write: bool = True,
    reporter: Reporter = NULL,
) -> InstallPlan:
    """What removing packages does.

    Args:
        names: of installed packages.
        unused: remove packages too that nothing needs any more.
        force: remove files that were changed on the board, and packages that others need.

    Raises:
        PackageError: not installed, or needed by another package.
    """
    seen = surveyed(board, target, write=write, reporter=reporter)
    record = parse_record(seen.record, seen.target + boards.RECORD)
    for name in names:
        if name not in record.packages:
            near = suggest(name, list(record.packages))
            raise PackageError(
                "package.not-installed",
                name=name,
                target=seen.target or "/",
                hint=Said("package.similar", names=near) if near else Said("package.see-list"),
            )
    gone = list(dict.fromkeys(names))
    if unused:
        was_unused = set(record.unused())
        after = record.changed(drop=gone)
        gone += [each for each in after.unused() if each not in was_unused or not names]
    rest = record.changed(drop=gone)
    for name in gone:
        needed = rest.needed_by(name)
        if needed and not force:
            raise PackageError("package.needed", name=name, others=needed)

    owned = rest.owned(seen.fold)
    files = {
        f"{seen.target}/{path}": digest
        for name in gone
        for path, digest in record.packages[name].files.items()
        if seen.fold(path) not in owned
    }
    here = boards.digests(board, list(files))
    removals, notes = [], []
    for path, digest in files.items():
        there = here.get(path)
        if there is None:
            continue
        if there.startswith(digest) or force:
            removals.append(Removal(path, "uninstalled"))
        else:
            notes.append(f"{path} was changed on the board and stays (--force removes it)")
    left = [each for each in rest.unused() if each not in record.unused()]
    if left:
        notes.append(f"no longer needed: {', '.join(left)} (`upytool mip uninstall {' '.join(left)}`)")
    packages = tuple(
        PlannedPackage(each.name, None, each.source, each.requested, (), each.version, True)
        for each in (record.packages[name] for name in gone)
    )
    return InstallPlan(
        seen.target,
        packages,
        tuple(removals),
        rest,
        bool(gone),
        tuple(notes),
        0,
        seen.free,
        seen.block,
        staged=True,
        removing=True,
        stale_stage=seen.staged,
    )
