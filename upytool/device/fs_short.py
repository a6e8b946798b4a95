"""The small file operations by one short program each (device.oneshot): the cheapest way, where the board can go it.

Each tells whether it could; what could not is for the longer programs of device.fs_ops.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import limits
from ..errors import (
    ENOENT,
    BoardResetError,
    ConnectionLostError,
    DeviceTimeoutError,
    RemoteError,
    RemoteException,
    RemoteOSError,
    StreamError,
)
from ..protocol.ops import Op
from .answers import is_directory, sensible
from .fs_errors import named
from .fs_types import Entry, Mount
from .ondevice import INTERNED
from .oneshot import Code, Unfit
from .session import Session

_DIRECTORY = 0x4000
FEW = 12  # files whose sizes are asked for one by one at less than what the longer program costs


class ShortFs:
    """Errors of all of them: RemoteOSError for the path."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def mkdir(self, path: str) -> Op[bool]:
        """Make a directory; False where that has to be done in another way."""
        return (yield from self._run("mkdir", path, changes=True))[0]

    def remove(self, path: str) -> Op[bool]:
        """Remove a file; False where that has to be done in another way, after a look at what it is."""
        data = path.encode("utf-8", "surrogateescape")
        short = len(data) <= INTERNED
        try:
            # A short path costs less as bytes; a file system of the user's, in Python, that looks for texts has none
            # of that name, or cannot look.
            return (yield from self._run("rm", path, changes=True, PATH=data if short else path))[0]
        except RemoteOSError as error:
            if error.errno == ENOENT and not short:
                raise
        except RemoteException as error:
            if error.kind != "TypeError":
                raise
        return False

    def is_directory(self, path: str) -> Op[bool]:
        """Whether a path is a directory; False where that has to be asked in another way."""
        looked, state = yield from self._run("stat", path)
        try:
            return bool(looked and state) and is_directory(state[0], sure=self._session.sure)
        except (TypeError, LookupError, ValueError):
            return False

    def digests(self, paths: Sequence[str]) -> Op[list[str | None] | None]:
        """SHA-256 digests as hexadecimal text, None for what is not a file; None where it is asked otherwise."""
        done, found = yield from self._run("hash", "", PATHS=tuple(paths))
        if not done:
            return None
        with sensible():
            return [bytes(each).hex() if each else None for _, each in zip(paths, found, strict=True)]

    def entries(self, path: str) -> Op[list[Entry] | None]:
        """What is in a directory; None where that has to be asked in another way."""
        _, answer = yield from self._run("ls", path, PATH=path or Code())
        if answer is None:
            return None
        with sensible():
            files = [str(item[0]) for item in answer if not item[1] & _DIRECTORY]
            sizes = {str(item[0]): int(item[3]) for item in answer if len(item) > 3}
            if missing := [name for name in files if name not in sizes]:  # some file systems tell no size
                if len(missing) > FEW:
                    return None
                found = yield from self._sizes(path, missing)
                if found is None:
                    return None
                sizes.update(zip(missing, found, strict=True))
            folders = [Entry(str(item[0]), "dir", 0) for item in answer if item[1] & _DIRECTORY]
            return [*folders, *(Entry(name, "file", sizes[name]) for name in files)]

    def _sizes(self, path: str, names: Sequence[str]) -> Op[list[int] | None]:
        folder = path.rstrip("/") + "/" if path else ""
        try:
            found = yield from self._session.one("sizes", PATHS=tuple(folder + name for name in names))
        except (RemoteOSError, RemoteError, StreamError, DeviceTimeoutError):  # one is gone, say
            return None
        with sensible():
            return [int(size) for size in found]

    def mounts(self) -> Op[list[Mount]]:
        """The mounted file systems that tell what is free, sorted; none where that has to be asked in another way."""
        _, answer = yield from self._run("df", "")
        with sensible():
            known = sorted((path, kind, *state) for path, kind, state in answer or () if state)
            return [mount(item[0], item[3] or item[2], item[4], item[5], item[1]) for item in known]

    def _run(self, name: str, path: str, *, changes: bool = False, **values: object) -> Op[tuple[bool, Any]]:
        """Whether it was done, and the program's answer.

        Args:
            changes: it changes something, so it is not done again in another way unless it certainly did not run: a
                second `mkdir` or `rm` would report what the first one did as an error.
            values: what stands in it; PATH is `path` unless it is among them.

        Errors: RemoteOSError for `path`; with `changes` whatever left it open whether it ran.
        """
        try:
            with named(path):
                given: dict[str, Any] = {"PATH": path, **values}
                return True, (yield from self._session.one(name, path, limit=limits.BOARD_LONG_SECONDS, **given))
        except (RemoteOSError, BoardResetError):
            raise
        except Unfit:
            return False, None
        except (RemoteError, StreamError, DeviceTimeoutError, ConnectionLostError) as error:
            if changes or (isinstance(error, ConnectionLostError) and not self._session.can_reconnect):
                raise
            return False, None


def mount(path: Any, block: Any, count: Any, free: Any, kind: Any) -> Mount:
    """A Mount from what os.statvfs says."""
    size, blocks, left = int(block), int(count), int(free)
    return Mount(str(path), size * blocks, size * (blocks - left), size * left, str(kind), size)
