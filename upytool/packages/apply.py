"""Carry out an InstallPlan: all of it or nothing.

The files go to the board in one stream and wait in `<target>/.upytool-stage` under numbers, each compared there. Then
one program on the board writes a journal that says where each belongs, moves them into place, replaces the record,
and removes what goes. Before the journal, a failure takes everything back. After it, the work can be finished at any
time: the next install or uninstall does so when the board lost power or the cable was pulled in between.

An install of a few small new files is cheaper than that: `small`.
"""

from __future__ import annotations

import contextlib
import posixpath
import re

from upytool import documents
from upytool.device.answers import parse_answer
from upytool.errors import ConnectionLostError, PackageError, UpytoolError
from upytool.events import NULL, Reporter, Task, notice
from upytool.words import Said

from . import board as boards
from . import small
from .manifest import package_path
from .plan import InstallPlan
from .record import parse_record
from .survey import Survey

JOURNAL = "/journal"
# Names that every file system takes; any other is tried before the journal is written.
PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,59}")


def apply(board: boards.Board, plan: InstallPlan, reporter: Reporter = NULL) -> None:
    """Do what the plan says.

    Raises:
        UpytoolError: the board refused, or went away; then the packages are as they were before.
    """
    target = plan.target
    stage = target + boards.STAGE
    writes = plan.writes()
    if plan.stale_stage:
        boards.sweep(board, target)
    if plan.empty or (small.fits(plan) and _at_once(board, plan, reporter)):
        return
    if not writes and plan.free is not None and plan.free < 4 * (plan.block or 512):
        _remove_only(board, plan)
        return
    folders = sorted({posixpath.dirname(file.path) or "/" for file in writes} | {stage})
    names = sorted({name for file in writes if not PLAIN.fullmatch(name := posixpath.basename(file.path))})
    asks = bool(names) or plan.in_doubt or not plan.staged
    ready = boards.Prepared(list(plan.missing), [])
    if asks:
        ready = boards.prepare(board, folders, [file.path for file in writes], names, stage)
    created: list[str] = []
    try:
        if ready.blocked:
            raise PackageError("package.is-directory", path=ready.blocked[0])
        with Task(reporter, f"installing to {target or '/'}", len(writes), "files") as task:
            if plan.staged:
                items = [(f"{stage}/{number}", file.data or b"") for number, file in enumerate(writes)]
            else:
                notice(reporter, "there is no room for old and new files at once: each is replaced alone")
                items = [(file.path, file.data or b"") for file in writes]
                created = [file.path for file in writes if file.action == "new"]
            # What replaces nothing comes first: it can be taken back.
            places = sorted(enumerate(writes), key=lambda each: each[1].action != "new") if plan.staged else []
            moves = [(f"{stage}/{number}", file.path) for number, file in places]
            new = [file.path for _, file in places if file.action == "new"]
            removes = [removal.path for removal in plan.removals]
            if plan.record.packages:
                moves.append((f"{stage}/record", target + boards.RECORD))
                items.append((f"{stage}/record", plan.record.to_bytes()))
            else:
                removes.append(target + boards.RECORD)
            if items:
                boards.put(board, items, () if asks else (*plan.missing, stage))
            task.advance(len(writes))
    except BaseException as error:
        _undo(board, created, ready.made, stage, error)
        raise
    needed = [] if asks else _folders_of(new, target)
    try:
        boards.commit(board, moves, len(new), removes, _folders_of(removes, target)[::-1], needed, stage)
    except boards.CommitRefused as error:
        if error.undone:
            _undo(board, created, ready.made, stage, error)
        else:
            error.advise(Said("package.files-wait"))
        raise


def _at_once(board: boards.Board, plan: InstallPlan, reporter: Reporter) -> bool:
    """Do a small plan by one program; False where the board is as before, and the long way has to do it."""
    if not isinstance(board, boards.RunsShort):
        return False
    moves = small.moves_of(plan)
    folders = [*plan.missing, *_folders_of([path for _, path, _ in moves[:-1]], plan.target)]
    try:
        with Task(reporter, f"installing to {plan.target or '/'}", len(moves) - 1, "files") as task:
            small.install(board, moves, folders)
            task.advance(len(moves) - 1)
    except boards.FAILED:
        # It may have got through all the same, and only its answer was lost.
        return boards.withdraw(board, moves, folders) == moves[-1][2]
    except BaseException as error:
        taken_back = False
        if not isinstance(error, ConnectionLostError):
            with contextlib.suppress(UpytoolError):
                boards.withdraw(board, moves, folders)
                taken_back = True
        if not taken_back and isinstance(error, UpytoolError):
            error.advise(Said("package.next-finishes"))
        raise
    return True


def _remove_only(board: boards.Board, plan: InstallPlan) -> None:
    """Uninstall where the file system is too full for a journal: remove first, then say so in the record."""
    removes = [removal.path for removal in plan.removals]
    last = [] if plan.record.packages else [plan.target + boards.RECORD]
    stage = plan.target + boards.STAGE
    empty = _folders_of(removes, plan.target)[::-1]
    boards.commit(board, [], 0, removes + last, empty, [], stage, journal=False)
    if plan.record.packages:
        boards.put(board, [(plan.target + boards.RECORD, plan.record.to_bytes())])


def recover(board: boards.Board, seen: Survey, reporter: Reporter = NULL) -> None:
    """Finish an install whose files were all on the board when it was cut off.

    Its journal is the literal that ondevice `commit` wrote, or JSON of an earlier upytool; of a small one the record
    that waits. One that is not a record was cut off itself: there is nothing to finish.

    Where the board refuses that, the install is given up: the record still says what was installed before.

    Raises:
        PackageError: its journal is damaged.
    """
    stage = seen.target + boards.STAGE
    if seen.journal is None:
        _recover_small(board, seen, reporter)
        return
    try:
        written = seen.journal
        if written.startswith(b"{"):
            raw = documents.parse_json(written, stage + JOURNAL, error=PackageError)
            if raw["v"] != 1:
                raise ValueError("another version")
            steps = [raw["moves"], raw.get("new", 0), raw["removes"], raw["folders"], []]
        else:
            steps = parse_answer(written.decode())
        moves = [(_staged(source, stage), _below(path, seen.target)) for source, path in steps[0]]
        new = int(steps[1])
        removes, empty, needed = ([_below(path, seen.target) for path in each] for each in steps[2:])
    except (PackageError, ValueError, LookupError, TypeError, AttributeError):
        raise PackageError("package.journal-unreadable", stage=stage, path=f"{stage}{JOURNAL}") from None
    _finish(board, seen, reporter, moves, max(0, new), removes, empty, needed)


def _recover_small(board: boards.Board, seen: Survey, reporter: Reporter) -> None:
    waiting = seen.target + boards.WAITING
    try:
        record = parse_record(seen.waiting, waiting)
    except PackageError:
        return
    names = [(f"{seen.target}{boards.PART}{number}", path) for number, path in enumerate(small.parts(record))]
    moves = [(part, f"{seen.target}/{path}") for number, (part, path) in enumerate(names) if number in seen.waits]
    needed = _folders_of([path for _, path in moves], seen.target)
    moves.append((waiting, seen.target + boards.RECORD))
    _finish(board, seen, reporter, moves, len(moves) - 1, [], [], needed, journal=False)


def _finish(
    board: boards.Board,
    seen: Survey,
    reporter: Reporter,
    moves: list[tuple[str, str]],
    new: int,
    removes: list[str],
    empty: list[str],
    needed: list[str],
    *,
    journal: bool = True,
) -> None:
    notice(reporter, "an earlier install was cut off in its last step; it is finished now")
    stage = seen.target + boards.STAGE
    try:
        boards.commit(board, moves, new, removes, empty, needed, stage, journal=journal)
    except boards.CommitRefused as error:
        notice(reporter, f"the earlier install cannot be finished and is given up: {error.message}", "warning")
        boards.sweep(board, seen.target)


def _staged(source: object, stage: str) -> str:
    """A journal's source, if it lies in the stage. Raises: ValueError."""
    name = str(source).removeprefix(stage + "/")
    if source != f"{stage}/{name}" or not (name == "record" or name.isdecimal()):
        raise ValueError(f"{source!r} is not a staged file")
    return str(source)


def _below(path: object, target: str) -> str:
    """A journal's path, if it lies below the target. Raises: ValueError."""
    inner = str(path).removeprefix(target + "/")
    if path != f"{target}/{inner}" or (str(path) != target + boards.RECORD and package_path(inner) != inner):
        raise ValueError(f"{path!r} is not below {target or '/'}")
    return str(path)


def _undo(board: boards.Board, created: list[str], folders: list[str], stage: str, error: BaseException) -> None:
    """Take back what is on the board already; say so where the board is gone."""
    if not isinstance(error, ConnectionLostError):
        try:
            boards.run(board, "undo", created, sorted(folders, key=len, reverse=True), stage)
            return
        except UpytoolError:
            pass
    if isinstance(error, UpytoolError):
        error.advise(Said("package.run-again") if created else Said("package.left-in-stage", path=stage))


def _folders_of(paths: list[str], target: str) -> list[str]:
    """The folders of these files below the target, whole paths; each comes after the one that it is in."""
    found = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while len(folder) > len(target) and folder != "/":
            found.add(folder)
            folder = posixpath.dirname(folder)
    return sorted(found)
