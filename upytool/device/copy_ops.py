"""A copy from beginning to end: look, plan, apply. The plan is `device.copy`, pure; this does the rest.

With the board as destination a copy costs two round trips and the content: one asks what the destination is, one asks
what is there already; then everything streams.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..errors import RemoteOSError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..place import Place
from ..protocol.ops import Op, on_host
from .copy import Action, CopyOptions, CopyPlan, CopyResult, Destination, Targets, plan_copy, targets
from .copy_local import copy_locally, delete_local, local_destination, local_source, local_statuses, make_local
from .fs_ops import FsOps
from .fs_types import Agree, agreed
from .hashes import local_digest
from .local import FileSink, open_local, opener, replace_local
from .mover import GetItem, Mover, PutItem, Status, check_space
from .remote_path import within
from .spelling import board_twins, check_spelt, local_twins
from .tree import Tree, board_tree


def copy(
    fs: FsOps, sources: Sequence[Place], dest: Place, options: CopyOptions, reporter: Reporter = NULL
) -> Op[CopyResult]:
    """Copy `sources` to `dest`.

    Errors: UsageError, LocalFileError, RemoteOSError.
    """
    if not sources:
        raise UsageError("usage.nothing-to-copy")
    if not dest.remote and not any(source.remote for source in sources):
        return (yield from on_host(copy_locally, [source.path for source in sources], dest.path, options, reporter))
    here = {}
    for source in sources:
        if not source.remote:
            here[source] = yield from on_host(local_source, source.path, options)
    cwd = ""
    if options.recursive and any(source.is_cwd for source in sources):
        cwd = yield from fs.getcwd()

    def work(mover: Mover) -> Op[CopyResult]:
        return (yield from _Copy(fs, mover, options, reporter).run(sources, dest, cwd, here))

    return (yield from fs.moving(work, [size for tree in here.values() for size in tree.files.values()]))


class _Copy:
    """One copy with a board on at least one side."""

    def __init__(
        self, fs: FsOps, mover: Mover, options: CopyOptions, reporter: Reporter, agree: Agree = agreed
    ) -> None:
        self.fs, self.mover, self.options, self.reporter, self.agree = fs, mover, options, reporter, agree
        self.delete_first = False
        self._known: dict[tuple[str, int], Status] = {}  # what the first look found out
        self._hash_kind = "sum"

    def run(self, sources: Sequence[Place], dest: Place, cwd: str, here: Mapping[Place, Tree]) -> Op[CopyResult]:
        trees, to = yield from self._look(sources, dest, cwd, here)
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
        yield from on_host(_warn_of_marks, plan, self.reporter)
        if not self.options.dry_run:
            question = plan.question(to.shown)
            if question:
                # The program on the board does not wait for a person.
                yield from self.mover.close()
                yield from on_host(self.agree, question)
            yield from self.apply(plan, there)
        return CopyResult(plan, self.options.dry_run)

    def _look(
        self, sources: Sequence[Place], dest: Place, cwd: str, here: Mapping[Place, Tree]
    ) -> Op[tuple[list[Tree], Destination]]:
        """The first round trip: what are the destination and the sources on the board?

        One file is likely to go to the very destination, which is compared with it at once.
        """
        options = self.options
        only = here.get(sources[0]) if len(sources) == 1 and not options.force else None
        size = only.files[""] if only is not None and only.kind == "file" else -1
        far = [cwd or "" if source.is_cwd else source.path for source in sources if source.remote]
        asked = [(path.rstrip("/") or "/", -1) for path in far]
        if dest.remote:
            asked.append((dest.path.rstrip("/") or ("/" if dest.path else "."), size))
        # '.' is not a path for every file system of a board; its own folder always exists.
        wanted = [(path, size) for path, size in asked if path != "."]
        scans = [path for path, _ in asked[: len(far)]] if options.recursive else []
        survey = yield from self.mover.survey(wanted, scans, spelling=dest.remote)
        self._known, self._hash_kind = dict(zip(wanted, survey.statuses, strict=True)), survey.hash_kind
        statuses = iter(survey.statuses)
        trees = []
        for source in sources:
            if source in here:
                trees.append(here[source])
                continue
            status = next(statuses)
            path = far[sum(tree.remote for tree in trees)]
            if status.kind == "none":
                raise RemoteOSError(2, path)
            tree = board_tree(path, status.kind, status.size, survey.listing, recursive=options.recursive)
            trees.append(tree)
        if not dest.remote:
            return trees, (yield from on_host(local_destination, dest.path))
        path = asked[-1][0]
        kind = "dir" if path == "." else next(statuses).kind
        inside = len(dest.path) > 1 and dest.path.endswith("/")
        return trees, Destination("" if path == "." else path, kind, inside, True)

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
            unasked = [each for each in asked if each not in self._known]
            if unasked:
                survey = yield from self.mover.survey(unasked)
                self._known.update(zip(unasked, survey.statuses, strict=True))
                self._hash_kind = survey.hash_kind
            there = {path: self._known[path, size] for path, size in asked}
            for item in wanted.files:
                digest = there[item.path].digest
                if digest and self._hash_kind != "sum" and not item.tree.remote:
                    content = item.content if item.content is not None else Path(item.source)
                    if (yield from on_host(local_digest, content, self._hash_kind))[: len(digest)] == digest:
                        unchanged.add(item.path)
        else:
            yield from on_host(local_twins, names, to.path)
            there = yield from on_host(local_statuses, wanted, to)
            sizes = {item.path: there[item.path].size for item in wanted.files}
            asked = [(item.source, sizes[item.path]) for item in wanted.files if sizes[item.path] >= 0]
            if asked and not self.options.force:
                survey = yield from self.mover.survey(asked, spelling=False)
                states = dict(zip((path for path, _ in asked), survey.statuses, strict=True))
                for item in wanted.files:
                    digest = states[item.source].digest if item.source in states else b""
                    if not digest or survey.hash_kind == "sum":
                        continue
                    if (yield from on_host(local_digest, Path(item.path), survey.hash_kind))[: len(digest)] == digest:
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
                    yield from on_host(make_local, action.path)
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
                    yield from on_host(replace_local, Path(item.source), Path(item.path))
                    task.advance(item.size)
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
                yield from on_host(delete_local, Path(path))

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
    more = tuple(Action("delete", f":{path}", size, "shadowed") for path, size in gone.items())
    return CopyPlan(plan.actions + more, plan.targets)
