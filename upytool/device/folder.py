"""A folder of this computer as a volume for a board: nothing outside of it can be reached.

Paths of the board are made normal first (`..` stops at the top, as in a chroot). Where a symbolic link
would then lead out of the folder the answer is EACCES, unless unsafe links were allowed. Only regular files
are opened.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MAX_OPEN = 64  # descriptors of this process; a file that was not used for longer is opened again when needed
MAX_HANDLES = 4096  # files that a board may have open; beyond that the one unused for longest is closed

_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_NONBLOCK = getattr(os, "O_NONBLOCK", 0)
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

# (file, path as the board sees it) -> the .mpy, or None to serve the source
Compile = Callable[[Path, str], "bytes | None"]


@dataclass(slots=True)
class _File:
    path: str
    flags: int
    fd: int | None
    content: bytes | None = None  # of a file that exists only as an answer (a .mpy made on the fly)


def _refuse(number: int, path: str = "") -> OSError:
    return OSError(number, os.strerror(number), path)


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
            raise _refuse(errno.ENOTDIR if os.path.exists(self.root) else errno.ENOENT, str(root))
        self.read_only, self.unsafe_links, self.compile = read_only, unsafe_links, compile
        self._files: OrderedDict[int, _File] = OrderedDict()
        self._next = 1
        self._compiled: dict[str, tuple[tuple[int, int], bytes | None]] = {}

    # -- paths ------------------------------------------------------------------------------------------

    def locate(self, path: str, *, follow: bool = True) -> str:
        """The local path of a path of the board.

        Args:
            follow: False leaves a link at the end of the path alone (to remove or rename it).

        Errors: OSError with EINVAL (no such name on this computer), EACCES (it leads out of the folder).
        """
        parts = _normal(path)
        place = os.path.join(self.root, *parts)
        if self.unsafe_links:
            return place
        real = os.path.realpath(place if follow else os.path.dirname(place)) if parts else self.root
        if real != self.root and not real.startswith(self.root.rstrip(os.sep) + os.sep):
            raise _refuse(errno.EACCES, path)
        if follow or not parts:
            return real
        return os.path.join(real, parts[-1])

    def _change(self, path: str, *, follow: bool = False) -> str:
        if self.read_only:
            raise _refuse(errno.EROFS, path)
        if not _normal(path):
            raise _refuse(errno.EBUSY, path)  # the top itself
        return self.locate(path, follow=follow)

    # -- the Volume -------------------------------------------------------------------------------------

    def stat(self, path: str) -> tuple[bool, int, float]:
        made = self._made(path)
        if made is not None:
            return False, len(made), os.stat(self.locate(_source_of(path))).st_mtime
        found = os.stat(self.locate(path))
        folder = stat.S_ISDIR(found.st_mode)
        if not folder and path.endswith(".py") and self._made(path[:-3] + ".mpy") is not None:
            # Import looks for foo.py before foo.mpy. Opening foo.py goes on to give the source.
            raise _refuse(errno.ENOENT, path)
        return folder, 0 if folder else found.st_size, found.st_mtime

    def entries(self, path: str) -> list[tuple[str, bool, int]]:
        out = []
        with os.scandir(self.locate(path)) as found:
            for entry in found:
                try:
                    if entry.is_symlink():
                        self.locate(f"{path}/{entry.name}")
                    folder = entry.is_dir()
                    out.append((entry.name, folder, 0 if folder else entry.stat().st_size))
                except OSError:
                    continue  # a link to nowhere or out of the folder, or gone meanwhile
        return out

    def directory(self, path: str) -> str:
        if not os.path.isdir(place := self.locate(path)):
            raise _refuse(errno.ENOTDIR if os.path.exists(place) else errno.ENOENT, path)
        return "/" + "/".join(_normal(path))

    def open(self, path: str, mode: str) -> tuple[int, int]:
        flags = _MODES.get(mode.replace("b", "").replace("t", ""))
        if flags is None:
            raise _refuse(errno.EINVAL, path)
        made = self._made(path) if flags == os.O_RDONLY else None
        if made is not None:
            return self._keep(_File("", flags, None, made)), 0
        place = self._change(path, follow=True) if flags != os.O_RDONLY else self.locate(path)
        if os.path.isdir(place):
            raise _refuse(errno.EISDIR, path)
        fd = _open_regular(place, flags)
        end = os.lseek(fd, 0, os.SEEK_END) if flags & os.O_APPEND else 0
        return self._keep(_File(place, flags & ~_ONCE, fd)), end

    def read(self, handle: int, offset: int, count: int) -> bytes:
        file = self._file(handle)
        if file.content is not None:
            return file.content[offset : offset + count]
        if file.flags & (os.O_WRONLY | os.O_RDWR) == os.O_WRONLY:
            raise _refuse(errno.EBADF)
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
            raise _refuse(errno.EEXIST, path)
        os.mkdir(self._change(path))

    def rmdir(self, path: str) -> None:
        os.rmdir(self._change(path))

    def remove(self, path: str) -> None:
        place = self._change(path)
        if os.path.isdir(place) and not os.path.islink(place):
            raise _refuse(errno.EISDIR, path)
        self._let_go(place)
        os.remove(place)

    def rename(self, old: str, new: str) -> None:
        source, target = self._change(old), self._change(new)
        self._let_go(source)
        self._let_go(target)
        os.replace(source, target)
        for file in self._files.values():
            if file.path == source:
                file.path = target

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
            raise _refuse(errno.EBADF)
        self._files.move_to_end(handle)
        return file

    def _descriptor(self, file: _File) -> int:
        if file.fd is None:
            file.fd = _open_regular(file.path, file.flags)
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
            raise _refuse(errno.EBADF)
        return self._descriptor(file)

    def _let_go(self, place: str) -> None:
        """Windows removes and renames no open file."""
        if sys.platform == "win32":
            for file in self._files.values():
                if file.path == place and file.fd is not None:
                    os.close(file.fd)
                    file.fd = None

    # -- .mpy on the fly --------------------------------------------------------------------------------

    def _made(self, path: str) -> bytes | None:
        """The .mpy made from the .py beside `path`; None where there is none, or a real .mpy."""
        if self.compile is None or not path.endswith(".mpy"):
            return None
        parts = _normal(_source_of(path))
        if not parts or parts[-1] in ("main.py", "boot.py"):
            return None  # boards start these by their names
        try:
            place = self.locate("/".join(parts))
            found = os.stat(place)
        except OSError:
            return None
        if not stat.S_ISREG(found.st_mode) or os.path.exists(place[:-3] + ".mpy"):
            return None
        stamp = (found.st_mtime_ns, found.st_size)
        kept = self._compiled.get(place)
        if kept is None or kept[0] != stamp:
            kept = self._compiled[place] = (stamp, self.compile(Path(place), "/".join(parts)))
        return kept[1]


def _source_of(path: str) -> str:
    return path[:-4] + ".py"


def _normal(path: str) -> list[str]:
    """The parts of a board's path, without `.`, `..` and empty ones."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            if "\0" in part or (sys.platform == "win32" and not _windows_name(part)):
                raise _refuse(errno.EINVAL, path)
            parts.append(part)
    return parts


def _windows_name(part: str) -> bool:
    """Whether Windows takes it for a plain name of this folder (no drive, stream, device or trailing dot)."""
    plain = not set(part) & set('\\:<>"|?*') and part[-1] not in ". "
    return plain and part.partition(".")[0].upper() not in _WINDOWS_NAMES


def _open_regular(place: str, flags: int) -> int:
    fd = os.open(place, flags | _BINARY | _NONBLOCK, 0o666)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise _refuse(errno.EACCES, place)
    return fd
