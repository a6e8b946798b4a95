"""A copy from beginning to end: look, plan, apply. The plan is `device.copy`, pure; this does the rest.

With the board as destination a copy costs two round trips and the content: one asks what the destination is, one asks
what is there already; then everything streams.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LocalFileError, RemoteOSError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..protocol.ops import Op
from .copy import CopyPlan, Destination, Targets, plan_copy, targets
from .fs_ops import FsOps
from .fs_types import Agree, agreed
from .hashes import equal_files, local_digest
from .ignore import ignore_for
from .local import FileSink, check_named, local_error, open_local, opener, replace_local, write_error
from .mover import GetItem, Mover, PutItem, Status, check_space
from .remote_path import within
from .spelling import board_twins, check_spelt, local_spelling, local_twins
from .tree import Tree, board_tree, is_link, local_tree


@dataclass(frozen=True, slots=True)
class CopyOptions:
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


@dataclass(frozen=True, slots=True)
class CopyResult:
    """What was (or, after a dry run, would be) done."""

    plan: CopyPlan
    dry_run: bool = False

    def data(self) -> dict[str, object]:
        return {**self.plan.data(), "dry_run": self.dry_run}


def copy(
    fs: FsOps, sources: Sequence[str], dest: str, options: CopyOptions, reporter: Reporter = NULL
) -> Op[CopyResult]:
    """Copy `sources` to `dest`; what begins with `:` is on the board, as for mpremote.

    Errors: UsageError, LocalFileError, RemoteOSError.
    """
    if not sources:
        raise UsageError("there is nothing to copy", hint="name sources, then the destination")
    if not dest.startswith(":") and not any(source.startswith(":") for source in sources):
        return (yield from _copy_locally(sources, dest, options, reporter))
    cwd = ""
    if options.recursive and any(source in (":", ":.", ":./") for source in sources):
        cwd = yield from fs.getcwd()

    def work(mover: Mover) -> Op[CopyResult]:
        return (yield from _Copy(fs, mover, options, reporter).run(sources, dest, cwd))

    return (yield from fs.moving(work))


def _local(source: str, options: CopyOptions) -> Tree:
    rule = lambda folder: ignore_for(folder, options.ignore, defaults=options.default_ignores)
    return local_tree(source, recursive=options.recursive, ignore=rule)


def local_destination(dest: str) -> Destination:
    """A destination on this computer."""
    path = Path(check_named(dest))
    kind = "dir" if os.path.isdir(path) else "file" if os.path.exists(path) else "none"
    return Destination(str(path), kind, dest.endswith(("/", os.sep)), False)


class _Copy:
    """One copy with a board on at least one side."""

    def __init__(
        self, fs: FsOps, mover: Mover, options: CopyOptions, reporter: Reporter, agree: Agree = agreed
    ) -> None:
        self.fs, self.mover, self.options, self.reporter, self.agree = fs, mover, options, reporter, agree
        self.delete_first = False

    def run(self, sources: Sequence[str], dest: str, cwd: str) -> Op[CopyResult]:
        trees, to = yield from self._look(sources, dest, cwd)
        wanted = targets(trees, to)
        wanted, shadows = yield from self.prepared(wanted, to)
        plan, there = yield from self.plan(wanted, to, shadows)
        return (yield from self.finish(plan, there, to))

    def prepared(self, wanted: Targets, to: Destination) -> Op[tuple[Targets, list[str]]]:
        """With what is to be compiled compiled, and the board's .py files that would hide a .mpy file."""
        if not to.remote or not (self.options.mpy or any(item.path.endswith(".mpy") for item in wanted.files)):
            return wanted, []
        from .compile import prepare_modules

        return (
            yield from prepare_modules(self.fs, self.mover, wanted, compile_py=self.options.mpy, reporter=self.reporter)
        )

    def finish(self, plan: CopyPlan, there: Mapping[str, Status], to: Destination) -> Op[CopyResult]:
        """Apply the plan unless it was all that was wanted."""
        _warn_of_marks(plan, self.reporter)
        if not self.options.dry_run:
            question = plan.question(to.shown)
            if question:
                # The program on the board does not wait for a person.
                yield from self.mover.close()
                self.agree(question)
            yield from self.apply(plan, there)
        return CopyResult(plan, self.options.dry_run)

    def _look(self, sources: Sequence[str], dest: str, cwd: str) -> Op[tuple[list[Tree], Destination]]:
        """The first round trip: what are the destination and the sources on the board?"""
        options = self.options
        far = [cwd or "" if source in (":", ":.", ":./") else source[1:] for source in sources if source[:1] == ":"]
        asked = [(path.rstrip("/") or "/", -1) for path in far]
        if dest.startswith(":"):
            asked.append((dest[1:].rstrip("/") or ("/" if len(dest) > 1 else "."), -1))
        # '.' is no path for every file system of a board; its own folder always exists.
        survey = yield from self.mover.survey(
            [(path, size) for path, size in asked if path != "."],
            [path for path, _ in asked[: len(far)]] if options.recursive else (),
        )
        statuses = iter(survey.statuses)
        trees = []
        for source in sources:
            if not source.startswith(":"):
                trees.append(_local(source, options))
                continue
            status = next(statuses)
            path = far[sum(tree.remote for tree in trees)]
            if status.kind == "none":
                raise RemoteOSError(2, path)
            tree = board_tree(path, status.kind, status.size, survey.listing, recursive=options.recursive)
            trees.append(tree)
        if not dest.startswith(":"):
            return trees, local_destination(dest)
        path = asked[-1][0]
        kind = "dir" if path == "." else next(statuses).kind
        return trees, Destination("" if path == "." else path, kind, len(dest) > 2 and dest.endswith("/"), True)

    def plan(
        self,
        wanted: Targets,
        to: Destination,
        shadows: Sequence[str] = (),
        extra: Mapping[str, int] | None = None,
    ) -> Op[tuple[CopyPlan, Mapping[str, Status]]]:
        """The second round trip: what is there already? Then the plan, which is sure to fit."""
        there: dict[str, Status] = {}
        unchanged: set[str] = set()
        names = [*wanted.dirs, *wanted.paths]
        if to.remote:
            yield from board_twins(self.fs, self.mover, names, to.path)
            asked = [(path, -1) for path in wanted.dirs]
            asked += [(item.path, -1 if self.options.force else item.size) for item in wanted.files]
            asked += [(path, -1) for path in shadows]
            survey = yield from self.mover.survey(asked)
            there = dict(zip((path for path, _ in asked), survey.statuses, strict=True))
            for item in wanted.files:
                digest = there[item.path].digest
                if digest and survey.hash_kind != "sum" and not item.tree.remote:
                    content = item.content if item.content is not None else Path(item.source)
                    if local_digest(content, survey.hash_kind)[: len(digest)] == digest:
                        unchanged.add(item.path)
        else:
            local_twins(names, to.path)
            there = _local_statuses(wanted, to)
            sizes = {item.path: there[item.path].size for item in wanted.files}
            asked = [(item.source, sizes[item.path]) for item in wanted.files if sizes[item.path] >= 0]
            if asked and not self.options.force:
                survey = yield from self.mover.survey(asked)
                states = dict(zip((path for path, _ in asked), survey.statuses, strict=True))
                for item in wanted.files:
                    digest = states[item.source].digest if item.source in states else b""
                    if not digest or survey.hash_kind == "sum":
                        continue
                    if local_digest(Path(item.path), survey.hash_kind)[: len(digest)] == digest:
                        unchanged.add(item.path)
        # A destination that is a directory, and what is above it, may be spelt as the user likes.
        check_spelt((name for name in names if there[name].kind != "dir" or not within(to.path, name)), there)
        plan = plan_copy(wanted, there, unchanged, remote=to.remote, force=self.options.force, extra=extra)
        if to.remote:
            yield from self._check_space(plan, there, to, extra or {})
        gone = {path: there[path].size for path in shadows if there[path].kind == "file"}
        if gone and self.options.mpy:
            plan = _with_shadows(plan, gone)
        elif gone:
            for path in gone:
                text = f":{path} hides the .mpy file beside it: MicroPython imports the .py first"
                notice(self.reporter, text, "warning")
        return plan, there

    def _check_space(
        self, plan: CopyPlan, there: Mapping[str, Status], to: Destination, extra: Mapping[str, int]
    ) -> Op[None]:
        """See that what is to be written fits. Errors: RemoteOSError 28."""
        writes = [
            (action.path[1:], action.size, there.get(action.path[1:], Status("none")), self.options.in_place)
            for action in plan.of("write")
        ]
        if not writes:
            return
        space = yield from self.mover.space(to.path or ".", [size for _, size, _, _ in writes])
        try:
            check_space(space, writes)
        except RemoteOSError:
            if not extra:
                raise
            # What is to go anyway goes first, then.
            freed = sum(-(-size // space.block) for size in extra.values() if size > space.block // 8)
            check_space(space._replace(free=space.free + freed), writes)
            self.delete_first = True

    def apply(self, plan: CopyPlan, there: Mapping[str, Status]) -> Op[None]:
        """Do what the plan says."""
        writes = plan.of("write")
        label = writes[0].path if len(writes) == 1 else f"{len(writes)} files"
        with Task(self.reporter, label, plan.bytes) as task:
            to_board = [action.path[1:] for action in plan.of("mkdir") if action.path[:1] == ":"]
            puts, gets, copies = [], [], []
            for action in plan.of("mkdir"):
                if action.path[:1] != ":":
                    _make_local(action.path)
            for action in writes:
                item = plan.targets[action.path]
                remote = action.path[:1] == ":"
                if remote and item.tree.remote:
                    copies.append((item.source, item.path))
                elif remote:
                    source = item.content if item.content is not None else Path(item.source)
                    puts.append(PutItem(item.path, item.size, opener(source), self.options.in_place))
                elif item.tree.remote:
                    gets.append(GetItem(item.source, item.size, FileSink(Path(item.path))))
                else:
                    replace_local(Path(item.source), Path(item.path), task.advance)
            gone = plan.of("delete", "rmdir")
            if self.delete_first:
                yield from self.mover.close()
                yield from self._delete([action.path for action in gone])
                gone = []
            if puts or to_board:
                yield from self.mover.put(to_board, puts, task.advance, self._done)
            if gets:
                yield from self.mover.get(gets, task.advance, self._done)
            if copies or gone:
                yield from self.mover.close()
            for origin, path in copies:
                task.advance((yield from self.fs.copy_on_board(origin, path)))
            yield from self._delete([action.path for action in gone])

    def _delete(self, paths: Sequence[str]) -> Op[None]:
        for path in paths:
            if path[:1] == ":":
                try:
                    yield from self.fs.rmtree(path[1:])
                except RemoteOSError as error:
                    if error.errno != 2:
                        raise
            else:
                _delete_local(Path(path))

    def _done(self, path: str) -> None:
        notice(self.reporter, f"copied {path}", "debug")


def _warn_of_marks(plan: CopyPlan, reporter: Reporter) -> None:
    """MicroPython's compiler takes a byte order mark for a syntax error; editors on Windows write one."""
    for action in plan.of("write"):
        item = plan.targets[action.path]
        if action.path[:1] == ":" and action.path.endswith(".py") and item.content is None and not item.tree.remote:
            with open_local(item.source) as file:
                marked = file.read(3) == b"\xef\xbb\xbf"
            if marked:
                text = f"{item.source} begins with a byte order mark, a syntax error for MicroPython: save it without"
                notice(reporter, text, "warning")


def _with_shadows(plan: CopyPlan, gone: Mapping[str, int]) -> CopyPlan:
    from .copy import Action

    more = tuple(Action("delete", f":{path}", size, "shadowed") for path, size in gone.items())
    return CopyPlan(plan.actions + more, plan.targets)


def _local_statuses(wanted: Targets, to: Destination) -> dict[str, Status]:
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


def _make_local(path: str) -> None:
    try:
        os.mkdir(path)
    except (OSError, ValueError) as error:
        raise write_error(error, Path(path)) from error


def _delete_local(path: Path) -> None:
    try:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    except OSError as error:
        raise local_error(error, path) from error


def copy_locally(sources: Sequence[str], dest: str, options: CopyOptions, reporter: Reporter = NULL) -> CopyResult:
    """Copy from this computer to this computer; no board is needed. Errors: UsageError, LocalFileError."""
    op = _copy_locally(sources, dest, options, reporter)
    try:
        next(op)
    except StopIteration as done:
        result: CopyResult = done.value
        return result
    raise AssertionError("a local copy asked for a board")


def _copy_locally(sources: Sequence[str], dest: str, options: CopyOptions, reporter: Reporter) -> Op[CopyResult]:
    """mpremote copies from this computer to this computer as well.

    Here a source's trailing `/` means nothing, as for Unix's and mpremote's cp (their test_recursive_cp.sh).
    """
    yield from ()
    trees = [_local(source.rstrip("/" + os.sep) or source, options) for source in sources]
    to = local_destination(dest)
    wanted = targets(trees, to)
    names = [*wanted.dirs, *wanted.paths]
    local_twins(names, to.path)
    there = _local_statuses(wanted, to)
    check_spelt((name for name in names if there[name].kind != "dir" or name != to.path), there)
    unchanged = {
        item.path
        for item in wanted.files
        if there[item.path].kind in ("file", "link")
        and there[item.path].size == item.size
        and equal_files(Path(item.source), Path(item.path))
    }
    if any(item.path in unchanged and os.path.samefile(item.source, item.path) for item in wanted.files):
        raise LocalFileError(f"{dest} is the source itself", hint="choose another destination")
    plan = plan_copy(wanted, there, unchanged, remote=False, force=options.force)
    if not options.dry_run:
        with Task(reporter, "copying", plan.bytes) as task:
            for action in plan.of("mkdir"):
                _make_local(action.path)
            for action in plan.of("write"):
                replace_local(Path(plan.targets[action.path].source), Path(action.path), task.advance)
    return CopyResult(plan, options.dry_run)
