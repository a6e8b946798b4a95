"""What is on a board: its mounted file systems, and all files and folders below a path with their times."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import UsageError
from ..protocol.ops import Op
from .answers import sensible
from .fs_errors import refused
from .fs_ops import LONG, FsOps
from .fs_types import Mount
from .ondevice import argument, snippet
from .remote_path import within

# The classes that serve a folder of the host: ours (ondevice/mount.py) and mpremote's (transport_serial.py).
HOST_KINDS = ("Volume", "RemoteFS")
SCRATCH = "~upytool.tmp"


@dataclass(frozen=True, slots=True)
class Scene:
    """What is below a path of the board.

    Attributes:
        mounts: all mounted file systems.
        skipped: the mount points among them that were left out.
        folders: absolute paths, parents first.
        files: path -> (size, seconds since 1970).
    """

    mounts: Sequence[Mount]
    skipped: frozenset[str]
    folders: Sequence[str]
    files: Mapping[str, tuple[int, int]]


def mount_of(path: str, mounts: Iterable[str]) -> str:
    """The mount point that a path lies on, `/` where none is known."""
    return max((point for point in mounts if within(path, point)), key=len, default="/")


def absolute(fs: FsOps, path: str) -> Op[str]:
    """A path of the board (a leading colon does no harm) from its root; '' is the working directory."""
    path = path.removeprefix(":")
    if not path.startswith("/"):
        path = posixpath.join((yield from fs.getcwd()), path)
    return posixpath.normpath("/" + path.strip("/"))


def foreign(fs: FsOps, mounts: Iterable[Mount], root: str) -> frozenset[str]:
    """The mount points that hold nothing of the board's own: folders of this computer, ROM unless `root` names it.

    Errors: UsageError when `root` is in a folder of this computer.
    """
    here = {mount.path for mount in mounts if mount.kind in HOST_KINDS or mount.path in fs.protected}
    rom = {mount.path for mount in mounts if "Rom" in mount.kind or mount.path == "/rom"}
    if any(within(root, path) for path in here):
        raise UsageError("usage.local-directory", path=root)
    return frozenset(here | {path for path in rom if not within(root, path)})


def _parts(entry: tuple[str, int, int]) -> list[str]:
    return entry[0].split("/")


def look(fs: FsOps, root: str, mounts: Sequence[Mount] | None = None, skip: Collection[str] = ()) -> Op[Scene]:
    """What is below `root` (absolute), without foreign mounts and what `skip` names. Two programs.

    Errors: RemoteOSError with the path that cannot be read.
    """
    if mounts is None:
        mounts = yield from fs.df()
    skipped = foreign(fs, mounts, root) | frozenset(skip)
    source = f"{snippet('fs_tree')}\nrun({argument(root)},{argument(sorted(skipped))})"
    answer = yield from fs.session.call_source(source, root, LONG, again=True)
    folders: list[str] = []
    files: dict[str, tuple[int, int]] = {}
    with sensible():
        entries = sorted(((str(path), int(size), int(time)) for path, size, time in answer), key=_parts)
    for path, size, mtime in entries:
        if size == -2:
            raise refused(mtime, path)
        if size >= 0 and path.rpartition("/")[2] != SCRATCH:
            files[path] = (size, mtime)
        elif size == -1 and path != "/":
            folders.append(path)
    return Scene(mounts, skipped, folders, files)
