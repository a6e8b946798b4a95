"""The files of a board saved in one archive, and brought back: `backup` and `restore`.

A backup is compared with the board's own digests while it is made, and appears under its name when it is complete.
A restore reads the whole archive before it touches the board, plans, checks the space, and writes as every copy does:
each file is the old or the new one.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ..errors import RemoteOSError, StreamError, UsageError
from ..events import NULL, Reporter, Task, notice
from ..protocol.ops import Op, on_host
from .backup_file import FILES, Backup, Reader, SavedFile, Writer
from .copy import CopyPlan, CopyResult, Target, Targets, plan_copy
from .fs_ops import FsOps
from .fs_types import Agree, Mount, agreed
from .info import BoardInfo
from .mover import DIGEST, GetItem, Mover, PutItem, Space, Status, Survey, check_space
from .remote_path import within
from .scene import absolute, foreign, look, mount_of
from .spelling import board_twins, check_spelt
from .stream import new_hash
from .tree import Tree


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A backup that was made, and its file."""

    file: str
    backup: Backup

    def data(self) -> dict[str, object]:
        return {"file": self.file, "bytes": self.backup.bytes, **self.backup.data()}


# -- backup ---------------------------------------------------------------------------------------


def backup(fs: FsOps, target: str, root: str = "/", *, reporter: Reporter = NULL) -> Op[BackupResult]:
    """Save what is below `root` on the board in the archive `target`, which is replaced where it exists.

    Args:
        target: its ending chooses the kind: `.zip`, `.tar.gz`, else tar. '' or a folder: named after board and time.

    Folders of this computer are left out, and /rom unless `root` names it.

    Errors: LocalFileError; RemoteOSError; StreamError when a file differs from what the board says it is; UsageError.
    """
    info = yield from fs.session.info()
    path = Path(target or ".")
    if os.path.isdir(path):
        path /= default_name(info, datetime.now())
    root = yield from absolute(fs, root)
    scene = yield from look(fs, root)
    asked = [(name, size) for name, (size, _) in scene.files.items()]
    points = [mount.path for mount in scene.mounts]

    def work(mover: Mover) -> Op[Backup]:
        survey = yield from mover.survey(asked)
        saved: list[SavedFile] = []
        writer = yield from on_host(Writer, path)
        try:
            for folder in scene.folders:
                writer.begin(FILES + folder, 0, 0, folder=True)
            items = [
                GetItem(name, size, _Sink(writer, saved, name, scene.files[name], mount_of(name, points), survey, now))
                for (name, size), now in zip(asked, survey.statuses, strict=True)
            ]
            with Task(reporter, path.name, sum(size for _, size in asked)) as task:
                yield from mover.get(items, task.advance)
            made = Backup(
                root,
                datetime.now(UTC).isoformat(timespec="seconds"),
                board_data(info),
                [_mount_data(mount) for mount in scene.mounts if mount.path not in scene.skipped],
                scene.folders,
                saved,
            )
            yield from on_host(writer.finish, made)
        except BaseException:
            writer.drop()
            raise
        return made

    return BackupResult(str(path), (yield from fs.moving(work)))


class _Sink:
    """One file on its way into the archive; `done` finds what differs from the board's own digest."""

    blocks = True

    def __init__(
        self,
        writer: Writer,
        saved: list[SavedFile],
        path: str,
        known: tuple[int, int],
        mount: str,
        survey: Survey,
        status: Status,
    ) -> None:
        self._writer, self._saved, self._path, self._mount = writer, saved, path, mount
        self._size, self._mtime = known
        self._digest, self._begun = status.digest, False
        self._check, self._sha256 = new_hash(survey.hash_kind), hashlib.sha256()

    def write(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            self._writer.begin(FILES + self._path, self._size, self._mtime)
        self._writer.write(data)
        self._check.update(data)
        self._sha256.update(data)

    def done(self) -> None:
        self.write(b"")
        if not self._digest or self._check.digest()[: len(self._digest)] != self._digest:
            raise StreamError("protocol.stream.backup-altered", path=self._path)
        self._saved.append(SavedFile(self._path, self._size, self._mtime, self._sha256.hexdigest(), self._mount))

    def drop(self) -> None:
        return


def default_name(info: BoardInfo, now: datetime) -> str:
    """The name of a backup: board, the end of its id, the time."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", info.build or info.machine or info.platform).strip("-")[:40] or "board"
    return "-".join(filter(None, (name, info.unique_id[-6:], now.strftime("%Y%m%d-%H%M%S")))) + ".tar"


def board_data(info: BoardInfo) -> dict[str, str]:
    """What a backup says of its board."""
    return {
        "implementation": info.implementation,
        "version": info.version_text,
        "machine": info.machine,
        "build": info.build,
        "platform": info.platform,
        "unique_id": info.unique_id,
    }


def _mount_data(mount: Mount) -> dict[str, object]:
    return {"path": mount.path, "kind": mount.kind, "total": mount.total, "used": mount.used}


# -- restore --------------------------------------------------------------------------------------


def restore(
    fs: FsOps,
    source: str,
    root: str = "",
    *,
    delete: bool = False,
    dry_run: bool = False,
    in_place: bool = False,
    reporter: Reporter = NULL,
    agree: Agree = agreed,
) -> Op[CopyResult]:
    """Bring the files of a backup back to where they were.

    Args:
        root: only what is below this path of the board; '' is all of the backup.
        delete: remove what the backup does not have, on the file systems that were saved.
        dry_run: only make the plan.
        in_place: overwrite old files at once, where two copies do not fit.
        agree: is asked before all that is there goes, or what the board starts with (`CopyPlan.question`).

    Errors, all of them before anything is written: LocalFileError for an archive that is damaged or no backup;
    UsageError where a file system of the backup is not mounted; RemoteOSError 28 where it does not fit. After that
    RemoteOSError and what the connection raises; each file is the old or the new one then.
    """
    with (yield from on_host(Reader, Path(source))) as reader:
        info = yield from fs.session.info()
        stranger = other_board(reader.backup.board, board_data(info))
        if stranger:
            notice(reporter, f"{source} is the backup of another board: {stranger}", "warning")
        top = (yield from absolute(fs, root)) if root else reader.backup.root
        mounts = yield from fs.df()
        chosen = choose(reader.backup, top, source)
        _check_places(chosen, foreign(fs, mounts, top), mounts)
        extra: dict[str, int] = {}
        if delete:
            extra = yield from _extras(fs, reader.backup, chosen, top, mounts)

        def work(mover: Mover) -> Op[CopyResult]:
            plan, there = yield from _plan(fs, mover, reader, chosen, top, source, extra)
            first = _check_room(plan, there, mounts, in_place)
            if not dry_run:
                question = plan.question(top)
                if question:
                    yield from mover.close()
                    yield from on_host(agree, question)
                yield from _apply(fs, mover, reader, plan, chosen, first, in_place, reporter)
            return CopyResult(plan, dry_run)

        return (yield from fs.moving(work))


def other_board(saved: Mapping[str, str], now: Mapping[str, str]) -> str:
    """A word on the board of a backup when it is another one than `now`, else ''."""
    for key in ("unique_id", "build", "machine"):
        if saved.get(key) and now.get(key):
            if saved[key] == now[key]:
                return ""
            name = saved.get("machine") or saved.get("build") or "unknown"
            return f"{name}, id {saved['unique_id']}" if key == "unique_id" else name
    return ""


def choose(backup: Backup, top: str, source: str) -> dict[str, SavedFile | None]:
    """The folders (None) and files of a backup at and below `top`. Errors: UsageError where there is nothing."""
    chosen: dict[str, SavedFile | None] = {path: None for path in backup.folders if within(path, top)}
    chosen.update((file.path, file) for file in backup.files if within(file.path, top))
    if not chosen and top != backup.root:
        raise UsageError("usage.backup-empty", backup=source, top=top, root=backup.root)
    return chosen


def _check_places(chosen: Mapping[str, SavedFile | None], strange: Collection[str], mounts: Sequence[Mount]) -> None:
    """Refuse what would land on another file system than it came from, or on none."""
    points = {mount.path for mount in mounts}
    for file in filter(None, chosen.values()):
        if points and file.mount not in points:
            raise UsageError("usage.backup-mount", point=file.mount)
        if mount_of(file.path, points) in strange:
            raise UsageError("usage.backup-place", path=file.path)


def _extras(
    fs: FsOps, backup: Backup, chosen: Collection[str], top: str, mounts: Sequence[Mount]
) -> Op[dict[str, int]]:
    """What is there and not in the backup: path -> size, -1 a folder. Other file systems are not looked at."""
    saved = {str(mount["path"]) for mount in backup.mounts}
    skip = {mount.path for mount in mounts if saved and mount.path not in saved}
    try:
        scene = yield from look(fs, top, mounts, skip)
    except RemoteOSError as error:
        if error.errno == 2:
            return {}
        raise
    points = {mount.path for mount in mounts}
    extra = {path: size for path, (size, _) in scene.files.items() if path not in chosen}
    for path in scene.folders:
        if path not in chosen and not any(within(point, path) for point in points):
            extra[path] = -1
    return extra


def _plan(
    fs: FsOps,
    mover: Mover,
    reader: Reader,
    chosen: Mapping[str, SavedFile | None],
    top: str,
    source: str,
    extra: Mapping[str, int],
) -> Op[tuple[CopyPlan, dict[str, Status]]]:
    above = [top[: at.start()] for at in re.finditer("/", top) if at.start()]
    folders = [*above, *(path for path, file in chosen.items() if file is None)]
    files = [file for file in chosen.values() if file is not None]
    asked = [(path, -1) for path in folders] + [(file.path, file.size) for file in files]
    names = [*folders, *(file.path for file in files)]
    yield from board_twins(fs, mover, names, top)
    survey = yield from mover.survey(asked)
    there = {path: status for (path, _), status in zip(asked, survey.statuses, strict=True)}
    check_spelt(names, there)
    unchanged = set()
    for file in files:
        digest = there[file.path].digest
        if digest and survey.hash_kind != "sum":
            saved = yield from on_host(reader.digest, file, survey.hash_kind)
            if saved[:DIGEST] == digest:
                unchanged.add(file.path)
    tree = Tree(source, "dir", "", files={file.path.lstrip("/"): file.size for file in files})
    wanted = [Target(tree, file.path.lstrip("/"), file.path, file.size) for file in files]
    plan = plan_copy(Targets(tuple(folders), tuple(wanted)), there, unchanged, remote=True, extra=extra)
    return plan, there


def _check_room(plan: CopyPlan, there: Mapping[str, Status], mounts: Sequence[Mount], in_place: bool) -> bool:
    """Whether what goes has to go first, to make room. Errors: RemoteOSError 28."""
    points = [mount.path for mount in mounts]
    first = False
    for mount in mounts:
        writes = [
            (action.path[1:], action.size, there[action.path[1:]], in_place)
            for action in plan.of("write")
            if mount_of(action.path[1:], points) == mount.path
        ]
        if not mount.block or not writes:
            continue
        gain = sum(
            -(-action.size // mount.block)
            for action in plan.of("delete")
            if mount_of(action.path[1:], points) == mount.path
        )
        free = mount.free // mount.block
        try:
            check_space(Space(mount.block, free), writes)
        except RemoteOSError:
            check_space(Space(mount.block, free + gain), writes)
            first = True
    return first


def _apply(
    fs: FsOps,
    mover: Mover,
    reader: Reader,
    plan: CopyPlan,
    chosen: Mapping[str, SavedFile | None],
    delete_first: bool,
    in_place: bool,
    reporter: Reporter,
) -> Op[None]:
    writes = plan.of("write")
    gone = topmost(action.path[1:] for action in plan.of("delete", "rmdir"))
    with Task(reporter, f"{len(writes)} files", plan.bytes) as task:
        if gone and delete_first:
            yield from _remove(fs, mover, gone)
        folders = [action.path[1:] for action in plan.of("mkdir")]
        # In the order of the archive: a packed one is read from its beginning to its end.
        puts = [
            PutItem(path, action.size, partial(reader.open, path), in_place)
            for action in writes
            for path in [action.path[1:]]
            if chosen[path] is not None
        ]
        if folders or puts:
            yield from mover.put(folders, puts, task.advance)
        if gone and not delete_first:
            yield from _remove(fs, mover, gone)


def _remove(fs: FsOps, mover: Mover, paths: Iterable[str]) -> Op[None]:
    yield from mover.close()
    for path in paths:
        try:
            yield from fs.rmtree(path)
        except RemoteOSError as error:
            if error.errno != 2:
                raise


def topmost(paths: Iterable[str]) -> list[str]:
    """Without those that lie below another one."""
    found: list[str] = []
    for path in sorted(paths, key=lambda path: path.split("/")):
        if not found or not within(path, found[-1]):
            found.append(path)
    return found
