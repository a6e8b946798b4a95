"""Directories for work in progress: gone at the end, and by the next run where this one is killed.

The one way in the package to make one. Its maker holds a file in it: locked on POSIX; on Windows an open file cannot be
removed. What nobody holds any more, the next run that works in the same place removes.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .whole_file import abandoned, new_name

_HELD = ".held"
_swept: set[str] = set()


@contextlib.contextmanager
def scratch_directory(place: str | os.PathLike[str] | None = None) -> Iterator[Path]:
    """Make an empty directory for this user alone; it is removed with all that is in it at the end of the block.

    Args:
        place: the directory to make it in, where its content is renamed to a place nearby; None takes the system's for
            temporary files.

    Raises: OSError.
    """
    parent = os.path.abspath(place if place is not None else tempfile.gettempdir())
    sweep_directories(parent)
    path = Path(parent, new_name())
    os.mkdir(path, 0o700)
    try:
        with open(path / _HELD, "wb") as held:
            _lock(held.fileno())
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def sweep_directories(parent: str) -> None:
    """Remove the directories that killed runs of this user left in `parent`: once in a process."""
    if parent in _swept:
        return
    _swept.add(parent)
    for path, mode in abandoned(parent):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(mode) and _let_go(path):
                shutil.rmtree(path, ignore_errors=True)


def _let_go(path: str) -> bool:
    """Whether nobody holds a directory any more; a file system that cannot lock never says so."""
    held = os.path.join(path, _HELD)
    try:
        if os.name == "nt":
            os.unlink(held)
            return True
        handle = os.open(held, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return True  # killed before it was made, or halfway through the removal
    try:
        return _lock(handle)
    finally:
        os.close(handle)


def _lock(handle: int) -> bool:
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
