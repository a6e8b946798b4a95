"""Names beneath a folder, walked one component at a time, so that nothing outside of it is ever touched.

A path that was checked and is then handed to the system may name something else by the time the system walks it. So
nothing is handed over but a single name in a folder that is held:

- Linux, macOS: each folder is opened relative to the one before it, never through a link (openat, O_NOFOLLOW), and the
  last name is used relative to that descriptor, without following it either. Names that change meanwhile change
  nothing that is held.
- Windows has no openat: each folder on the way is opened without sharing its deletion, which also forbids that it is
  renamed, and then seen to be no link. While these handles are open the path up to the last name cannot change.

Links that stay inside are followed here, by reading them.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

TURNS = 255  # links on one path, and each `..` in them

_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_FLAGS |= getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)


def refuse(number: int, path: str = "") -> OSError:
    """The OSError with this errno."""
    return OSError(number, os.strerror(number), path)


class Steps(Protocol):
    """A way down from the top; one folder (or all on the way) is held.

    Attributes:
        dir_fd: what `name` gives is relative to it; None: it is a whole path.
    """

    dir_fd: int | None

    def top(self) -> None:
        """Begin at the top again."""

    def link(self, name: str) -> str | None:
        """Where the link `name` leads, None when it is none."""

    def step(self, name: str) -> None:
        """Into the folder `name`, never through a link."""

    def name(self, name: str) -> str:
        """What the functions of `os` take for `name`, together with `dir_fd`."""

    def open(self, name: str, flags: int) -> int:
        """A descriptor of the file or folder `name` itself, never of what a link leads to."""

    def close(self) -> None: ...


class Place:
    """One name in a folder that is held; valid within `Beneath.find`.

    Attributes:
        real: the names from the top on; none of them was a link.
    """

    def __init__(self, steps: Steps, name: str, real: tuple[str, ...], *, loose: bool) -> None:
        self._steps, self._name, self._loose = steps, name, loose
        self._at = steps.name(name)
        self.real = real

    def stat(self, *, itself: bool = False) -> os.stat_result:
        """What is there; a link is EACCES unless `itself` is wanted."""
        follow = self._loose and not itself
        found = os.stat(self._at, dir_fd=self._steps.dir_fd, follow_symlinks=follow)
        if stat.S_ISLNK(found.st_mode) and not itself:
            raise refuse(errno.EACCES, self._name)
        return found

    def open(self, flags: int) -> int:
        """Open a regular file. Errors: OSError; EISDIR, EACCES for anything else, which is not opened at all."""
        try:
            self._must_be_a_file(self.stat())
        except FileNotFoundError:
            pass  # to be made, or the open below fails alike
        fd = self._steps.open(self._name, flags | _FLAGS)
        try:
            self._must_be_a_file(os.fstat(fd))
        except OSError:
            os.close(fd)
            raise
        return fd

    def _must_be_a_file(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise refuse(errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EACCES, self._name)

    @contextmanager
    def entries(self) -> Iterator[Iterator[os.DirEntry[str]]]:
        """The entries of a folder. Their links are not to be followed."""
        if sys.platform != "win32" and not self._loose:
            fd = self._steps.open(self._name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
            try:
                with os.scandir(fd) as found:
                    yield found
            finally:
                os.close(fd)
        else:
            if not self._loose:
                self._steps.step(self._name)
            with os.scandir(self._at) as found:
                yield found

    def mkdir(self) -> None:
        os.mkdir(self._at, dir_fd=self._steps.dir_fd)

    def rmdir(self) -> None:
        os.rmdir(self._at, dir_fd=self._steps.dir_fd)

    def remove(self) -> None:
        os.unlink(self._at, dir_fd=self._steps.dir_fd)

    def rename(self, target: Place) -> None:
        """Put it in the place of `target`."""
        os.replace(self._at, target._at, src_dir_fd=self._steps.dir_fd, dst_dir_fd=target._steps.dir_fd)


class Beneath:
    """What is beneath `root`, a real path.

    Args:
        loose: links that lead out are followed as well: the system walks the paths.
    """

    def __init__(self, root: str, *, loose: bool = False) -> None:
        self.root, self._loose = root, loose

    @contextmanager
    def find(self, parts: Sequence[str], *, follow: bool = True) -> Iterator[Place]:
        """The place that names lead to, which may be one where nothing is yet.

        Args:
            parts: names, without `..`.
            follow: False leaves a link at the end alone (to remove or rename it).

        Errors: OSError; EACCES where a link leads out.
        """
        steps: Steps = _Loose(self.root) if self._loose else _Strict(self.root)
        try:
            if self._loose:
                yield Place(steps, os.path.join("", *parts), tuple(parts), loose=True)
            else:
                yield self._walk(steps, list(parts), follow)
        finally:
            steps.close()

    def _walk(self, steps: Steps, todo: list[str], follow: bool) -> Place:
        steps.top()
        names: list[str] = []
        turns = 0
        while todo:
            part = todo.pop(0)
            if part in ("", os.curdir):
                continue
            if part == os.pardir:  # of a link
                above = os.path.dirname(self.root)
                todo = [*names[:-1], *todo] if names else self._inside(os.path.join(above, *todo))
            else:
                link = steps.link(part) if todo or follow else None
                if link is None:
                    if not todo:
                        return Place(steps, part, (*names, part), loose=False)
                    steps.step(part)
                    names.append(part)
                    continue
                whole = os.path.isabs(link)
                todo = self._inside(os.path.join(link, *todo)) if whole else [*names, *_split(link), *todo]
            turns += 1
            if turns > TURNS:
                raise refuse(errno.ELOOP)
            names = []
            steps.top()
        return Place(steps, os.curdir, tuple(names), loose=False)

    def _inside(self, path: str) -> list[str]:
        """The names below the top, of an absolute path that leads there. Errors: EACCES when it does not."""
        drive, names = os.path.splitdrive(path)[0], _split(path)
        for end in range(len(names) + 1):
            if os.path.realpath(os.path.join(drive + os.sep, *names[:end])) == self.root:
                return names[end:]
        raise refuse(errno.EACCES)


def _split(path: str) -> list[str]:
    return os.path.splitdrive(path)[1].replace(os.altsep or os.sep, os.sep).split(os.sep)


class _Loose:
    """No steps: whole paths, and links as the system follows them."""

    dir_fd: int | None = None

    def __init__(self, root: str) -> None:
        self._root = root

    def top(self) -> None: ...

    def link(self, name: str) -> str | None: ...

    def step(self, name: str) -> None: ...

    def name(self, name: str) -> str:
        return os.path.join(self._root, name) if name else self._root

    def open(self, name: str, flags: int) -> int:
        return os.open(self.name(name), flags, 0o666)

    def close(self) -> None: ...


if sys.platform == "win32":
    import _winapi

    _SURROGATE = 0x20000000  # of a reparse tag: it stands for another name (IsReparseTagNameSurrogate)
    _LIST = 0x1  # FILE_LIST_DIRECTORY, FILE_READ_DATA: with less, sharing is not looked at
    _SHARE = 0x3  # read and write: not delete, which is also rename
    _BACKUP_SEMANTICS, _OPEN_REPARSE_POINT = 0x02000000, 0x00200000

    class _Strict:
        """Held handles of all folders on the way; see the head of this file."""

        dir_fd: int | None = None

        def __init__(self, root: str) -> None:
            self._root = self._path = root
            self._held: list[int] = []

        def top(self) -> None:
            self.close()
            self._path = self._root

        def link(self, name: str) -> str | None:
            try:
                return os.readlink(self.name(name)).removeprefix("\\\\?\\")
            except ValueError:
                return None  # another kind of reparse point; `_hold` looks at it
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOENT):
                    return None
                raise

        def step(self, name: str) -> None:
            path = self.name(name)
            self._hold(path)
            if not os.path.isdir(path):
                raise refuse(errno.ENOTDIR, name)
            self._path = path

        def _hold(self, path: str) -> None:
            self._held.append(_winapi.CreateFile(path, _LIST, _SHARE, 0, 3, _BACKUP_SEMANTICS | _OPEN_REPARSE_POINT, 0))
            if os.lstat(path).st_reparse_tag & _SURROGATE:
                raise refuse(errno.EACCES, path)

        def name(self, name: str) -> str:
            return self._path if name == os.curdir else os.path.join(self._path, name)

        def open(self, name: str, flags: int) -> int:
            path = self.name(name)
            if flags & os.O_CREAT and not os.path.lexists(path):
                return os.open(path, flags | os.O_EXCL, 0o666)
            self._hold(path)
            return os.open(path, flags if flags & os.O_EXCL else flags & ~os.O_CREAT)

        def close(self) -> None:
            while self._held:
                _winapi.CloseHandle(self._held.pop())

else:
    _FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | getattr(os, "O_PATH", os.O_RDONLY)

    class _Strict:
        """One descriptor, of the folder that was reached."""

        def __init__(self, root: str) -> None:
            self._root = root
            self.dir_fd: int | None = None

        def top(self) -> None:
            self._hold(os.open(self._root, _FOLDER))

        def link(self, name: str) -> str | None:
            try:
                return os.readlink(name, dir_fd=self.dir_fd)
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.ENOENT):
                    return None
                raise

        def step(self, name: str) -> None:
            self._hold(os.open(name, _FOLDER, dir_fd=self.dir_fd))

        def _hold(self, fd: int) -> None:
            self.close()
            self.dir_fd = fd

        def name(self, name: str) -> str:
            return name

        def open(self, name: str, flags: int) -> int:
            return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=self.dir_fd)

        def close(self) -> None:
            if self.dir_fd is not None:
                os.close(self.dir_fd)
                self.dir_fd = None
