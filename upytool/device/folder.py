"""A folder of this computer as a volume for a board: nothing outside of it can be reached.

Paths of the board are made normal first (`..` stops at the top, as in a chroot). Where a symbolic link
would then lead out of the folder the answer is EACCES, unless unsafe links were allowed. Only regular files
are opened. beneath.py sees to it that what was looked at is what is used, whoever changes names meanwhile.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from .. import limits
from .beneath import Beneath, Place, refuse

# Descriptors of this process; a file that was not used for longer is opened again when needed.
MAX_OPEN = limits.MOUNT_DESCRIPTORS
MAX_HANDLES = limits.MOUNT_FILES  # files that a board may have open; beyond that the one unused for longest is closed

_MODES = {
    "r": os.O_RDONLY,
    "r+": os.O_RDWR,
    "w": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "w+": os.O_RDWR | os.O_CREAT | os.O_TRUNC,
    "a": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "a+": os.O_RDWR | os.O_CREAT | os.O_APPEND,
    "x": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "x+": os.O_RDWR | os.O_CREAT | os.O_EXCL,
}
_ONCE = os.O_CREAT | os.O_TRUNC | os.O_EXCL
_NUMBERED = {f"{kind}{number}" for kind in ("COM", "LPT") for number in range(1, 10)}
_WINDOWS_NAMES = {"CON", "PRN", "AUX", "NUL"} | _NUMBERED

# (source, path as the board sees it) -> the .mpy, or None to serve the source
Compile = Callable[[bytes, str], "bytes | None"]


@dataclass(slots=True)
class _File:
    """A file that the board has open.

    Attributes:
        real: its names from the top on.
        fd: None while it is given up.
        same: what it is, so that another file that got its name meanwhile is not taken for it.
        content: of a file that exists only as an answer (a .mpy made on the fly).
    """

    real: tuple[str, ...]
    flags: int
    fd: int | None
    same: tuple[int, int] = (0, 0)
    content: bytes | None = None


class Folder:
    """A Volume (protocol/mount_server.py).

    Args:
        root: the folder; errors: OSError when it is none.
        read_only: every change is refused with EROFS.
        unsafe_links: follow symbolic links that lead out of the folder.
        compile: makes .mpy files of .py files while they are asked for; None serves what is there.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        read_only: bool = False,
        unsafe_links: bool = False,
        compile: Compile | None = None,
    ) -> None:
        self.root = os.path.realpath(root)
        if not os.path.isdir(self.root):
            raise refuse(errno.ENOTDIR if os.path.exists(self.root) else errno.ENOENT, str(root))
        self.read_only, self.compile = read_only, compile
        self._beneath = Beneath(self.root, loose=unsafe_links)
        self._files: OrderedDict[int, _File] = OrderedDict()
        self._next = 1
        self._compiled: dict[tuple[str, ...], tuple[tuple[int, int], bytes | None]] = {}

    # -- paths ------------------------------------------------------------------------------------------

    def _find(self, path: str) -> AbstractContextManager[Place]:
        return self._beneath.find(_normal(path))

    def _change(self, path: str, *, follow: bool = False) -> AbstractContextManager[Place]:
        """The place, to change what is there; a link at its end is itself meant unless `follow`."""
        if self.read_only:
            raise refuse(errno.EROFS, path)
        parts = _normal(path)
        if not parts:
            raise refuse(errno.EBUSY, path)  # the top itself
        return self._beneath.find(parts, follow=follow)

    # -- the Volume -------------------------------------------------------------------------------------

    def stat(self, path: str) -> tuple[bool, int, float]:
        made = self._made(path)
        if made is not None:
            return False, len(made[0]), made[1]
        with self._find(path) as place:
            found = place.stat()
        folder = stat.S_ISDIR(found.st_mode)
        if not folder and path.endswith(".py") and self._made(path[:-3] + ".mpy") is not None:
            # Import looks for foo.py before foo.mpy. Opening foo.py goes on to give the source.
            raise refuse(errno.ENOENT, path)
        return folder, 0 if folder else found.st_size, found.st_mtime

    def entries(self, path: str) -> list[tuple[str, bool, int]]:
        out = []
        with self._find(path) as place, place.entries() as found:
            for entry in found:
                try:
                    if entry.is_symlink():
                        with self._beneath.find([*place.real, entry.name]) as there:
                            seen = there.stat()
                    else:
                        seen = entry.stat(follow_symlinks=False)
                    folder = stat.S_ISDIR(seen.st_mode)
                    out.append((entry.name, folder, 0 if folder else seen.st_size))
                except OSError:
                    continue  # a link to nowhere or out of the folder, or gone meanwhile
        return out

    def directory(self, path: str) -> str:
        with self._find(path) as place:
            if not stat.S_ISDIR(place.stat().st_mode):
                raise refuse(errno.ENOTDIR, path)
        return "/" + "/".join(_normal(path))

    def open(self, path: str, mode: str) -> tuple[int, int]:
        flags = _MODES.get(mode.replace("b", "").replace("t", ""))
        if flags is None:
            raise refuse(errno.EINVAL, path)
        made = self._made(path) if flags == os.O_RDONLY else None
        if made is not None:
            return self._keep(_File((), flags, None, content=made[0])), 0
        reads = flags == os.O_RDONLY
        with self._find(path) if reads else self._change(path, follow=not flags & os.O_EXCL) as place:
            fd = place.open(flags)
            real = place.real
        end = os.lseek(fd, 0, os.SEEK_END) if flags & os.O_APPEND else 0
        return self._keep(_File(real, flags & ~_ONCE, fd, _same(fd))), end

    def read(self, handle: int, offset: int, count: int) -> bytes:
        file = self._file(handle)
        if file.content is not None:
            return file.content[offset : offset + count]
        if file.flags & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY:
            raise refuse(errno.EBADF)
        fd = self._descriptor(file)
        os.lseek(fd, offset, os.SEEK_SET)
        out = os.read(fd, count)
        while out and len(out) < count and (more := os.read(fd, count - len(out))):
            out += more
        return out

    def write(self, handle: int, offset: int, data: bytes) -> None:
        fd = self._writable(handle)
        if not self._file(handle).flags & os.O_APPEND:
            os.lseek(fd, offset, os.SEEK_SET)
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def truncate(self, handle: int, size: int) -> None:
        os.truncate(self._writable(handle), size)

    def size(self, handle: int) -> int:
        file = self._file(handle)
        return len(file.content) if file.content is not None else os.fstat(self._descriptor(file)).st_size

    def close(self, handle: int) -> None:
        file = self._files.pop(handle, None)
        if file is not None and file.fd is not None:
            os.close(file.fd)

    def close_all(self) -> None:
        for handle in list(self._files):
            self.close(handle)

    def mkdir(self, path: str) -> None:
        if not _normal(path):
            raise refuse(errno.EEXIST, path)
        with self._change(path) as place:
            place.mkdir()

    def rmdir(self, path: str) -> None:
        with self._change(path) as place:
            place.rmdir()

    def remove(self, path: str) -> None:
        with self._change(path) as place:
            if stat.S_ISDIR(place.stat(itself=True).st_mode):
                raise refuse(errno.EISDIR, path)
            self._let_go(place)
            place.remove()

    def rename(self, old: str, new: str) -> None:
        with self._change(old) as source, self._change(new) as target:
            self._let_go(source)
            self._let_go(target)
            source.rename(target)
            for file in self._within(source):
                file.real = target.real + file.real[len(source.real) :]

    def space(self) -> tuple[int, int, bool]:
        usage = shutil.disk_usage(self.root)
        return usage.total, usage.free, self.read_only

    # -- open files -------------------------------------------------------------------------------------

    @property
    def open_files(self) -> int:
        """How many files the board has open."""
        return len(self._files)

    def _keep(self, file: _File) -> int:
        while self._next in self._files or not self._next:
            self._next = (self._next + 1) & 0xFFFF
        handle, self._next = self._next, (self._next + 1) & 0xFFFF
        self._files[handle] = file
        if len(self._files) > MAX_HANDLES:
            self.close(next(iter(self._files)))
        self._limit_descriptors(file)
        return handle

    def _file(self, handle: int) -> _File:
        file = self._files.get(handle)
        if file is None:
            raise refuse(errno.EBADF)
        self._files.move_to_end(handle)
        return file

    def _descriptor(self, file: _File) -> int:
        if file.fd is None:
            with self._beneath.find(file.real) as place:
                fd = place.open(file.flags)
            if _same(fd) != file.same:
                os.close(fd)
                raise refuse(errno.EIO)  # its name is another file's now
            file.fd = fd
            self._limit_descriptors(file)
        return file.fd

    def _limit_descriptors(self, keep: _File) -> None:
        holders = [file for file in self._files.values() if file.fd is not None]
        for file in holders[: max(0, len(holders) - MAX_OPEN)]:
            if file is not keep and file.fd is not None:
                os.close(file.fd)
                file.fd = None

    def _writable(self, handle: int) -> int:
        file = self._file(handle)
        if file.content is not None or not file.flags & (os.O_WRONLY | os.O_RDWR):
            raise refuse(errno.EBADF)
        return self._descriptor(file)

    def _within(self, place: Place) -> list[_File]:
        """The open files that are `place`, or lie in it."""
        names = [os.path.normcase(name) for name in place.real]
        return [file for file in self._files.values() if [*map(os.path.normcase, file.real[: len(names)])] == names]

    def _let_go(self, place: Place) -> None:
        """Windows removes and renames no open file."""
        if sys.platform == "win32":
            for file in self._within(place):
                if file.fd is not None:
                    os.close(file.fd)
                    file.fd = None

    # -- .mpy on the fly --------------------------------------------------------------------------------

    def _made(self, path: str) -> tuple[bytes, float] | None:
        """The .mpy made from the .py beside `path`, and that one's time; None where there is none, or a real .mpy."""
        if self.compile is None or not path.endswith(".mpy"):
            return None
        parts = _normal(path[:-4] + ".py")
        if not parts or parts[-1] in ("main.py", "boot.py"):
            return None  # boards start these by their names
        try:
            with self._find(path) as real:
                real.stat()
            return None
        except OSError:
            pass
        try:
            with self._beneath.find(parts) as place:
                found = place.stat()
                stamp = (found.st_mtime_ns, found.st_size)
                kept = self._compiled.get(place.real)
                if kept is None or kept[0] != stamp:
                    with open(place.open(os.O_RDONLY), "rb") as source:
                        made = self.compile(source.read(), "/".join(parts))
                    kept = self._compiled[place.real] = (stamp, made)
        except OSError:
            return None
        return None if kept[1] is None else (kept[1], found.st_mtime)


def _same(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _normal(path: str) -> list[str]:
    """The parts of a board's path, without `.`, `..` and empty ones."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            if "\0" in part or (sys.platform == "win32" and not _windows_name(part)):
                raise refuse(errno.EINVAL, path)
            parts.append(part)
    return parts


def _windows_name(part: str) -> bool:
    """Whether Windows takes it for a plain name of this folder (no drive, stream, device or trailing dot)."""
    plain = not set(part) & set('\\:<>"|?*') and part[-1] not in ". "
    return plain and part.partition(".")[0].upper() not in _WINDOWS_NAMES
