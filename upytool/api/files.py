"""Files: between this computer and a board, and what a project says of them.

    with upytool.connect() as board:
        board.fs.copy("main.py", ":")
        project = files.project_sync(Path("."))              # [sync] of upytool.toml
        board.fs.sync(project.local, project.remote, delete=project.delete)

Everything about the files of one board is a method of `board.fs` (upytool.device.fs).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ENOENT, ENOTDIR, RemoteError, RemoteOSError, UsageError
from ..events import NULL, Reporter
from ..place import Place

if TYPE_CHECKING:
    from ..device.copy import CopyResult as CopyResult
    from ..device.diff import Difference as Difference
    from ..device.diff import DiffResult as DiffResult
    from ..device.fs import Entry, RemoteFS
    from ..project.load import Project as Project

__all__ = ["Place", "TreeNode", "copy_here", "digest", "project_sync", "read_or_none", "tree", "tree_of"]


def copy_here(
    sources: Sequence[str],
    dest: str,
    *,
    recursive: bool = False,
    force: bool = False,
    dry_run: bool = False,
    ignore: Sequence[str] = (),
    default_ignores: bool = True,
    reporter: Reporter = NULL,
) -> CopyResult:
    """Copy from this computer to this computer; no board is needed.

    Arguments and errors are those of `RemoteFS.copy`.
    """
    from ..device.copy import CopyOptions
    from ..device.copy_local import copy_locally

    options = CopyOptions(recursive, force, dry_run, ignore=tuple(ignore), default_ignores=default_ignores)
    return copy_locally(sources, dest, options, reporter)


def project_sync(start: Path) -> Project:
    """The project of a directory, with its [sync]. Errors: ConfigError; UsageError where there is none."""
    from ..project.load import find_project

    project = find_project(start)
    if project is None or not project.has_sync:
        raise (UsageError("usage.no-sync-table", file=project.file) if project else UsageError("usage.no-project"))
    return project


# -- one board's files --------------------------------------------------------------------------------


def read_or_none(fs: RemoteFS, path: str) -> bytes | None:
    """Read a file that is about to be written; None where there is none yet.

    Raises: RemoteOSError, also where the directory is missing that it would be in.
    """
    try:
        return fs.read_bytes(path)
    except RemoteOSError as error:
        if error.errno != ENOENT:
            raise
        folder = path.rstrip("/").rpartition("/")[0]
        if folder and not fs.is_dir(folder):
            from ..device.fs_errors import creating

            with creating():
                raise
    return None


def digest(fs: RemoteFS, path: str, algorithm: str = "sha256") -> str | None:
    """Make the checksum of a file, on the board if its hashlib can, else by reading the file.

    Args:
        algorithm: as hashlib names it.

    Returns: hexadecimal digits; None where there is no such file.

    Raises: RemoteError where neither the board nor this computer knows the algorithm.
    """
    import hashlib

    try:
        return fs.hash(path, algorithm)[path]
    except RemoteError:
        if algorithm not in hashlib.algorithms_available or algorithm.startswith("shake"):
            raise
    here = hashlib.new(algorithm, usedforsecurity=False)
    fs.read_to(path, here.update)
    return here.hexdigest()


@dataclass
class TreeNode:
    """A file or directory of a board, with what is below it, by name; `size` in bytes."""

    name: str
    kind: str
    size: int = 0
    children: list[TreeNode] = field(default_factory=list)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        result: dict[str, Any] = {"name": self.name, "kind": self.kind, "size": self.size}
        if self.kind == "dir":
            result["children"] = [child.data() for child in self.children]
        return result


def tree(fs: RemoteFS, path: str = "") -> tuple[TreeNode, int]:
    """Read what is below a directory of a board in one round trip.

    Args:
        path: "": the working directory.

    Returns: the directory, and how many levels are below it.

    Raises: RemoteOSError where there is none.
    """
    if path in (".", "./"):
        path = ""  # Not every file system of a board knows its own directory as '.'.
    shown = path or fs.getcwd()
    if path and not fs.stat(path).is_dir:
        raise RemoteOSError(ENOTDIR, path)
    found = fs.walk(path)
    return tree_of(shown, path, found), max((entry.name.count("/") for entry in found), default=0)


def tree_of(shown: str, path: str, entries: Sequence[Entry]) -> TreeNode:
    """Make a tree of a walk's entries, whose names are paths that begin with `path`; its top is called `shown`."""
    root = TreeNode(shown, "dir")
    known = {path.rstrip("/"): root}
    for entry in sorted(entries, key=lambda entry: entry.name):
        above, _, name = entry.name.rpartition("/")
        node = TreeNode(name, entry.kind, entry.size)
        known.get(above, root).children.append(node)
        known[entry.name] = node
    return root
