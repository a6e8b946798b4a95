"""Writes files of this computer so that each is there whole or not at all: the one way in the package.

The new content is written beside its target, under a name that nobody can guess, opened so that no link is
followed and no file taken (O_EXCL), and takes the target's place in one step. A process that is killed in
between leaves that one file; the next run that writes in the same directory removes it.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from typing import BinaryIO

# Names of ours: `.upytool-`, 16 hexadecimal digits, `.part`.
_PREFIX, _SUFFIX, _DIGITS = ".upytool-", ".part", 16
# What a killed run left is removed by the next one: a file that nobody has locked, as its maker does while it is open,
# and that is older than a maker needs from closing it to renaming it (seconds). Windows removes no open file anyway.
# A directory is looked at once in a process, and no further than this many entries.
LEFT_AFTER = 60.0
LOOKED_AT = 10_000
_swept: set[str] = set()

# Windows: no inheritance by child processes, no newline translation.
_BINARY = getattr(os, "O_BINARY", 0)
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_FLAGS |= getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0) | _BINARY


def write_whole(
    path: str | os.PathLike[str], data: bytes, *, parents: bool = False, private: bool = False, durable: bool = False
) -> None:
    """Write a file. A link is kept, and what it points to is written.

    Args:
        path: the file. Its permissions are kept; a new one gets those of any new file.
        data: its content.
        parents: make the directories above it that are missing.
        private: a new file is for this user alone.
        durable: it must survive a power cut as well (fsync): what the user asked for, never a cache.

    Raises:
        OSError: and the file is as it was.
    """
    target = os.path.realpath(path)
    if os.path.exists(target) and not os.path.isfile(target):
        with open_special(target) as device:
            device.write(data)
        return
    if parents:
        os.makedirs(os.path.dirname(target), exist_ok=True)
    handle, temporary = open_beside(target)
    try:
        with handle:
            handle.write(data)
            if durable:
                handle.flush()
                os.fsync(handle.fileno())
        take_place(temporary, target, private=private)
    except BaseException:
        discard(temporary)
        raise


def open_special(path: str | os.PathLike[str]) -> BinaryIO:
    """Open /dev/null, a terminal, a FIFO, which are written to and never replaced; a directory refuses.

    A FIFO that nobody reads is an error (ENXIO) instead of a wait for a reader. Raises OSError.
    """
    number = os.open(path, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | _BINARY)
    if hasattr(os, "set_blocking"):
        os.set_blocking(number, True)
    return os.fdopen(number, "wb")


def open_beside(path: str | os.PathLike[str]) -> tuple[BinaryIO, str]:
    """Open a new file in the directory of `path`, for this user alone; returns it and its name.

    Hand the name to `take_place` when the content is complete, to `discard` otherwise. Raises OSError.
    """
    folder = os.path.dirname(os.path.abspath(path))
    sweep(folder)
    temporary = os.path.join(folder, new_name())
    file = open(os.open(temporary, _FLAGS, 0o600), "w+b")  # noqa: SIM115 (the caller closes it)
    _lock(file.fileno())
    return file, temporary


def new_name() -> str:
    """A name for a file that is being written, which nobody can guess and `sweep` knows."""
    return f"{_PREFIX}{os.urandom(_DIGITS // 2).hex()}{_SUFFIX}"


def take_place(temporary: str, path: str | os.PathLike[str], *, private: bool = False) -> None:
    """Put a complete file of `open_beside` in the place of `path`, with the permissions of the old one."""
    with contextlib.suppress(PermissionError, NotImplementedError):  # a share without permissions: it has one for all
        os.chmod(temporary, file_mode(path, private=private))
    os.replace(temporary, path)


def discard(temporary: str) -> None:
    """Remove a file of `open_beside`; one that is gone already is fine."""
    with contextlib.suppress(OSError):
        os.unlink(temporary)


def file_mode(path: str | os.PathLike[str], *, private: bool = False) -> int:
    """The permissions of a file, or those that a new one would get."""
    try:
        return os.stat(path).st_mode & 0o7777
    except OSError:
        if private:
            return 0o600
        # The umask cannot be read without setting it; threads of ours create no files meanwhile.
        mask = os.umask(0o022)
        os.umask(mask)
        return 0o666 & ~mask


def sweep(folder: str) -> None:
    """Remove what killed runs left in a directory: files of our names and of this user, a minute old."""
    if folder in _swept:
        return
    _swept.add(folder)
    for path, mode in abandoned(folder):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(mode) and not _held(path):
                discard(path)


def abandoned(folder: str) -> Iterator[tuple[str, int]]:
    """The path and mode of what may be left of killed runs: named by `new_name`, of this user, a minute old."""
    before = time.time() - LEFT_AFTER
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for _, entry in zip(range(LOOKED_AT), entries):
            if not _is_ours(entry.name):
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:  # removed meanwhile
                continue
            if status.st_mtime < before and (not hasattr(os, "getuid") or status.st_uid == os.getuid()):
                yield entry.path, status.st_mode


def _lock(handle: int) -> bool:
    """Hold an open file as long as it is open, against `sweep`; False where somebody else does."""
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks: its age has to do
    return True


def _held(path: str) -> bool:
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    try:
        return not _lock(handle)
    finally:
        os.close(handle)


def _is_ours(name: str) -> bool:
    digits = name[len(_PREFIX) : -len(_SUFFIX)]
    return (
        name.startswith(_PREFIX)
        and name.endswith(_SUFFIX)
        and len(digits) == _DIGITS
        and all(digit in "0123456789abcdef" for digit in digits)
    )
