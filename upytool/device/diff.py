"""What differs between a folder here, a folder of the board, or a backup: by content, in one question to the board.

The left side is the old one, the right side the new one, as with Unix's diff: what only the right one has is added.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import LocalFileError, RemoteOSError, StreamError, UsageError
from ..protocol.ops import Op, on_host
from ..words import Said
from .backup import choose
from .backup_file import Reader, SavedFile
from .fs_ops import FsOps
from .hashes import local_digest
from .ignore import Ignore, ignore_for
from .local import CallSink, read_local
from .mover import GetItem, Mover, Status
from .remote_path import within
from .scene import look
from .sync import without
from .tree import IgnoreRule, Tree, board_tree, join, local_tree

How = Literal["added", "removed", "changed"]
SHOWN = 256 * 1024


@dataclass(frozen=True, slots=True)
class Difference:
    """One path below both sides ('' for the one file that was compared; a trailing `/` for a folder without files).

    Sizes in bytes, None where it is missing.
    """

    how: How
    path: str
    left: int | None
    right: int | None

    def data(self) -> dict[str, object]:
        return {"how": self.how, "path": self.path, "left": self.left, "right": self.right}


@dataclass(frozen=True, slots=True)
class DiffResult:
    """The differences, sorted by path; none where both sides are equal.

    Attributes:
        left, right: the names of the sides.
        same: how many files are equal.
        texts: path -> lines of a unified diff, where asked for and both files are text.
    """

    left: str
    right: str
    differences: Sequence[Difference]
    same: int = 0
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        return not self.differences

    def data(self) -> dict[str, object]:
        return {
            "left": self.left,
            "right": self.right,
            "equal": self.equal,
            "same": self.same,
            "differences": [difference.data() for difference in self.differences],
            "texts": {path: "\n".join(lines) + "\n" for path, lines in self.texts.items()},
        }


class _Local:
    """A file or folder of this computer; files and folders below it by their relative path."""

    def __init__(self, path: str, ignore: Sequence[str], defaults: bool) -> None:
        self.rule: IgnoreRule = lambda path, is_dir: False
        if os.path.isdir(path):
            self.rule = ignore_for(Path(path), ignore, defaults=defaults)
        self.tree = local_tree(path, recursive=True, ignore=lambda folder: self.rule)
        self.files: Mapping[str, int] = self.tree.files
        self.dirs: Sequence[str] = self.tree.dirs

    def digest(self, path: str, kind: str) -> bytes:
        return local_digest(Path(self.tree.path_of(path)), kind)

    def read(self, path: str) -> bytes:
        return read_local(self.tree.path_of(path))


class _Saved:
    """The part of a backup at and below `top`, in the same way."""

    def __init__(self, reader: Reader, top: str, source: str) -> None:
        self._reader = reader
        chosen = choose(reader.backup, top, source)
        cut = len(top.rstrip("/")) + 1
        self._found: dict[str, SavedFile] = {p[cut:]: file for p, file in chosen.items() if file is not None}
        self.files: Mapping[str, int] = {path: file.size for path, file in self._found.items()}
        self.dirs: Sequence[str] = [path[cut:] for path, file in chosen.items() if file is None and path != top]
        self.rule: IgnoreRule = lambda path, is_dir: False

    def digest(self, path: str, kind: str) -> bytes:
        return self._reader.digest(self._found[path], kind)

    def read(self, path: str) -> bytes:
        with self._reader.open(self._found[path].path) as file:
            return file.read()


def diff(
    fs: FsOps,
    left: str,
    right: str = "",
    *,
    ignore: Sequence[str] = (),
    default_ignores: bool = True,
    text: bool = False,
) -> Op[DiffResult]:
    """Compare two sides, of which at least one is on the board (`:path`).

    Args:
        left, right: a local file or folder, a path of the board with its colon, or a backup. `right` may be left out
            beside a backup: it is what was saved.
        ignore, default_ignores: as for `sync`, for both sides, where one is a local folder.
        text: with a unified diff of text files that changed.

    Errors: UsageError, LocalFileError, RemoteOSError.
    """
    with contextlib.ExitStack() as opened:
        if left.startswith(":") and right.startswith(":"):
            return (yield from _two_of_the_board(fs, left, right, Ignore(ignore, defaults=False), text))
        swapped = left.startswith(":")
        here_name, there_name = (right, left) if swapped else (left, right)
        here: _Local | _Saved
        if not here_name or (there_name and not there_name.startswith(":")):
            raise UsageError("usage.diff-sides")
        if not there_name or _is_backup(here_name, there_name):
            if not there_name and os.path.isdir(here_name):
                raise UsageError("usage.diff-one-side", path=here_name)
            try:
                reader = opened.enter_context((yield from on_host(Reader, Path(here_name))))
            except LocalFileError as error:
                if not there_name and os.path.isfile(here_name):
                    error.advise(Said("device.compare-board", path=here_name), first=True)
                raise
            root = (yield from _root(fs, there_name)) if there_name else reader.backup.root
            there_name = there_name or f":{root}"
            here = _Saved(reader, root, here_name)
            saved = {str(mount["path"]) for mount in reader.backup.mounts}
        else:
            root = yield from _root(fs, there_name)
            here, saved = (yield from on_host(_Local, here_name, ignore, default_ignores)), set()
        names = (there_name, here_name) if swapped else (here_name, there_name)
        far: Mapping[str, int] | None = None
        if root == "/" or isinstance(here, _Saved):
            far = yield from _listing(fs, root, saved)

        def work(mover: Mover) -> Op[DiffResult]:
            return (yield from _Compare(mover, names, swapped, text).run(here, root, far))

        return (yield from fs.moving(work))


def _is_backup(path: str, other: str) -> bool:
    """A name that only an archive has; unless the other side is such a file too."""
    ends = (".tar", ".tar.gz", ".tgz", ".zip")
    return os.path.isfile(path) and path.lower().endswith(ends) and not other.lower().endswith(ends)


def _root(fs: FsOps, path: str) -> Op[str]:
    path = path.removeprefix(":")
    root = path.rstrip("/") or path[:1]
    if root in ("", "."):
        return (yield from fs.getcwd())
    return root


def _listing(fs: FsOps, root: str, saved: set[str]) -> Op[dict[str, int]]:
    """All below `root` without foreign file systems, path -> size (-1 a folder)."""
    mounts = yield from fs.df()
    skip = {mount.path for mount in mounts if saved and mount.path not in saved}
    try:
        scene = yield from look(fs, root, mounts, skip)
    except RemoteOSError as error:
        if error.errno == 2:
            return {}
        raise
    found = dict.fromkeys(scene.folders, -1)
    found.update((path, size) for path, (size, _) in scene.files.items())
    return {path: size for path, size in found.items() if path != root or size >= 0}


@dataclass(slots=True)
class _Far:
    """Files on the board, as far as known."""

    root: str
    files: Mapping[str, int]

    def path(self, name: str) -> str:
        return join(self.root, name) if name else self.root


class _Compare:
    """One comparison with the board."""

    def __init__(self, mover: Mover, names: tuple[str, str], swapped: bool, text: bool) -> None:
        self.mover, self.names, self.swapped, self.text = mover, names, swapped, text

    def run(self, here: _Local | _Saved, root: str, listing: Mapping[str, int] | None) -> Op[DiffResult]:
        """`listing` None: the board is asked what is below `root` together with everything else."""
        single = list(here.files) == [""]
        scans = [root] if listing is None and not single else []
        asked = [(join(root, name) if name else root, size) for name, size in here.files.items()]
        survey = yield from self.mover.survey([(root, -1), *asked], scans)
        kind, states = survey.statuses[0].kind, survey.statuses[1:]
        if single and kind == "dir" and isinstance(here, _Local):
            root = join(root, here.tree.name)
            survey = yield from self.mover.survey([(root, here.files[""])])
            kind, states = survey.statuses[0].kind, survey.statuses
        if kind == "none" and isinstance(here, _Local):
            raise RemoteOSError(2, root)
        if kind == "file" and not single:
            raise UsageError("usage.diff-file-and-directory", path=root)
        far: Mapping[str, int] = {}
        dirs: Sequence[str] = ()
        if not single and kind == "dir":
            found = survey.listing if listing is None else listing
            tree = without(board_tree(root, "dir", 0, found, recursive=True), here.rule)
            far, dirs = tree.files, tree.dirs
        there = _Far(root, {**far, **{n: s.size for n, s in zip(here.files, states, strict=True) if s.kind == "file"}})
        differs: dict[str, Difference] = {}
        doubtful = []
        for name, state in zip(here.files, states, strict=True):
            size = here.files[name]
            if state.kind != "file":
                differs[name] = self._difference(name, size, None)
            elif state.size != size or not (yield from self._agrees(here, name, survey.hash_kind, state.digest)):
                differs[name] = self._difference(name, size, state.size)
            elif survey.hash_kind == "sum":
                doubtful.append(name)
        if doubtful:
            digests = yield from _digests(self.mover, [(there.path(name), here.files[name]) for name in doubtful])
            for name, digest in zip(doubtful, digests, strict=True):
                if not (yield from self._agrees(here, name, "sha256", digest)):
                    differs[name] = self._difference(name, here.files[name], here.files[name])
        for name, size in far.items():
            if name not in here.files:
                differs[name] = self._difference(name, None, size)
        for name in _bare(here.dirs, here.files, dirs):
            differs[name + "/"] = self._difference(name + "/", 0, None)
        for name in _bare(dirs, far, here.dirs):
            differs[name + "/"] = self._difference(name + "/", None, 0)
        texts = {}
        if self.text:
            for name in _showable(differs):
                theirs = yield from _content(self.mover, there.path(name), there.files[name])
                texts[name] = self._unified(name, (yield from on_host(here.read, name)), theirs)
        same = sum(name not in differs for name in here.files)
        return DiffResult(*self.names, _sorted(differs), same, {name: lines for name, lines in texts.items() if lines})

    def _agrees(self, here: _Local | _Saved, name: str, kind: str, digest: bytes) -> Op[bool]:
        return (yield from on_host(here.digest, name, kind))[: len(digest)] == digest

    def _difference(self, name: str, here: int | None, there: int | None) -> Difference:
        left, right = (there, here) if self.swapped else (here, there)
        return _difference(name, left, right)

    def _unified(self, name: str, here: bytes, there: bytes) -> list[str]:
        return unified(*self.names, name, *((there, here) if self.swapped else (here, there)))


def _two_of_the_board(fs: FsOps, left: str, right: str, rule: IgnoreRule, text: bool) -> Op[DiffResult]:
    roots = []
    for path in (left, right):
        roots.append((yield from _root(fs, path)))

    def work(mover: Mover) -> Op[DiffResult]:
        first = yield from mover.survey([(root, -1) for root in roots], roots)
        trees: list[Tree] = []
        for root, state in zip(roots, first.statuses, strict=True):
            if state.kind == "none":
                raise RemoteOSError(2, root)
            trees.append(without(board_tree(root, state.kind, state.size, first.listing, recursive=True), rule))
        one, two = trees
        if one.kind != two.kind:
            raise UsageError("usage.diff-kinds", left=left, right=right)
        differs = {
            name: _difference(name, one.files.get(name), two.files.get(name))
            for name in {**one.files, **two.files}
            if one.files.get(name) != two.files.get(name)
        }
        pairs = [name for name in one.files if name not in differs]
        asked = [(tree.path_of(name), tree.files[name]) for name in pairs for tree in trees]
        digests: list[bytes]
        survey = yield from mover.survey(asked)
        if survey.hash_kind == "sum":
            digests = yield from _digests(mover, asked)
        else:
            digests = [_known(state) for state in survey.statuses]
        for number, name in enumerate(pairs):
            if digests[2 * number] != digests[2 * number + 1]:
                differs[name] = _difference(name, one.files[name], two.files[name])
        for name in _bare(one.dirs, one.files, two.dirs):
            differs[name + "/"] = _difference(name + "/", 0, None)
        for name in _bare(two.dirs, two.files, one.dirs):
            differs[name + "/"] = _difference(name + "/", None, 0)
        texts = {}
        if text:
            for name in _showable(differs):
                both = []
                for tree in trees:
                    both.append((yield from _content(mover, tree.path_of(name), tree.files[name])))
                texts[name] = unified(left, right, name, *both)
        same = sum(name not in differs for name in pairs)
        return DiffResult(left, right, _sorted(differs), same, {name: lines for name, lines in texts.items() if lines})

    return (yield from fs.moving(work))


def _known(state: Status) -> bytes:
    if not state.digest:
        raise StreamError("protocol.stream.changed-while-compared")
    return state.digest


def _difference(name: str, left: int | None, right: int | None) -> Difference:
    how: How = "added" if left is None else "removed" if right is None else "changed"
    return Difference(how, name, left, right)


def _sorted(differs: Mapping[str, Difference]) -> list[Difference]:
    return sorted(differs.values(), key=lambda difference: difference.path.split("/"))


def _bare(dirs: Sequence[str], files: Mapping[str, int], others: Sequence[str]) -> Iterator[str]:
    """Folders that the other side lacks and that no file speaks for."""
    for path in set(dirs) - set(others):
        below = (*files, *(other for other in dirs if other != path))
        if not any(within("/" + name, "/" + path) for name in below):
            yield path


def _showable(differs: Mapping[str, Difference]) -> Iterator[str]:
    for name, difference in sorted(differs.items()):
        if max(difference.left or 0, difference.right or 0) <= SHOWN and difference.how == "changed":
            yield name


def _content(mover: Mover, path: str, size: int) -> Op[bytes]:
    parts: list[bytes] = []
    yield from mover.get([GetItem(path, size, CallSink(parts.append))])
    return b"".join(parts)


def _digests(mover: Mover, asked: Sequence[tuple[str, int]]) -> Op[list[bytes]]:
    """SHA-256 of files whose board cannot make one: they come over and are not kept."""
    checks = [hashlib.sha256() for _ in asked]
    items = [GetItem(path, size, CallSink(check.update)) for (path, size), check in zip(asked, checks, strict=True)]
    yield from mover.get(items)
    return [check.digest() for check in checks]


def unified(left: str, right: str, name: str, old: bytes, new: bytes) -> list[str]:
    """The lines of a unified diff; none where one of the two is not text."""
    from difflib import unified_diff

    if b"\0" in old or b"\0" in new:
        return []
    try:
        lines = [data.decode("utf-8").splitlines() for data in (old, new)]
    except UnicodeDecodeError:
        return []
    titles = [side + ("/" if name and not side.endswith("/") else "") + name for side in (left, right)]
    found = list(unified_diff(lines[0], lines[1], titles[0], titles[1], lineterm=""))
    return found or [f"--- {titles[0]}", f"+++ {titles[1]}", "only line ends differ"]
