"""A model of a board: files in memory, and the programs of ours run by this Python against them.

It is not a MicroPython: tests/packages runs the same things on a real one. It can do what a real one cannot
be asked for: fail at the n-th change, lose power in the middle of a program, be full, be read-only.
"""

from __future__ import annotations

import binascii
import builtins
import errno
import hashlib
import io
import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from upytool.device import oneshot
from upytool.device.answers import parse_answer
from upytool.device.ondevice import USERS_PATH
from upytool.errors import ConnectionLostError, RemoteOSError, UpytoolError

MPY_63 = 6 | 3 << 8
BLOCK = 512


class PowerCut(BaseException):
    """The board stops here; no program on it sees an exception."""


@dataclass
class ModelFiles:
    """The file system: plain semantics, `capacity` in bytes, counted in blocks."""

    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=lambda: {"/"})
    capacity: int = 1 << 20
    read_only: tuple[str, ...] = ()
    folds: bool = False
    refuses: str = ""
    changes: int = 0
    cut_at: int | None = None
    fail_at: int | None = None
    writes: list[str] = field(default_factory=list)

    def used(self) -> int:
        return sum(-(-len(data) // BLOCK) * BLOCK for data in self.files.values())

    def _change(self, path: str) -> None:
        self.changes += 1
        if self.cut_at is not None and self.changes >= self.cut_at:
            raise PowerCut
        if self.fail_at == self.changes:
            raise OSError(errno.EIO)
        if any(path == each or path.startswith(each + "/") for each in self.read_only):
            raise OSError(errno.EROFS)

    def _plain(self, path: str) -> str:
        """The path as it is kept: with `folds` as FAT does it, in the spelling of the first who made it."""
        path = posixpath.normpath("/" + path.partition("\0")[0].lstrip("/"))
        name = posixpath.basename(path)
        if len(name.encode()) > 255 or (self.refuses and self.refuses in name):
            raise OSError(errno.EINVAL)
        if self.folds:
            for each in (*self.files, *self.folders):
                if each.casefold() == path.casefold():
                    return each
        return path

    def stat(self, path: str) -> tuple[int, ...]:
        path = self._plain(path)
        if path in self.folders:
            return (0x4000, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        if path in self.files:
            return (0x8000, 0, 0, 0, 0, 0, len(self.files[path]), 0, 0, 0)
        raise OSError(errno.ENOENT)

    def mkdir(self, path: str) -> None:
        path = self._plain(path)
        if path in self.folders or path in self.files:
            raise OSError(errno.EEXIST)
        if posixpath.dirname(path) not in self.folders:
            raise OSError(errno.ENOENT)
        self._change(path)
        self.folders.add(path)

    def rmdir(self, path: str) -> None:
        path = self._plain(path)
        if path not in self.folders:
            raise OSError(errno.ENOENT)
        if any(posixpath.dirname(each) == path for each in (*self.files, *self.folders - {"/"})):
            raise OSError(errno.ENOTEMPTY)
        self._change(path)
        self.folders.remove(path)

    def remove(self, path: str) -> None:
        path = self._plain(path)
        if path not in self.files:
            raise OSError(errno.EISDIR if path in self.folders else errno.ENOENT)
        self._change(path)
        del self.files[path]

    def rename(self, source: str, path: str) -> None:
        source, path = self._plain(source), self._plain(path)
        if source not in self.files:
            raise OSError(errno.ENOENT)
        if path in self.folders:
            raise OSError(errno.EISDIR)
        if posixpath.dirname(path) not in self.folders:
            raise OSError(errno.ENOENT)
        self._change(path)
        self.files[path] = self.files.pop(source)

    def listdir(self, path: str) -> list[str]:
        path = self._plain(path)
        if path not in self.folders:
            raise OSError(errno.ENOTDIR if path in self.files else errno.ENOENT)
        return sorted(
            posixpath.basename(each) for each in (*self.files, *self.folders - {"/"}) if posixpath.dirname(each) == path
        )

    def statvfs(self, path: str) -> tuple[int, ...]:
        total, used = self.capacity // BLOCK, self.used() // BLOCK
        return (BLOCK, BLOCK, total, total - used, total - used, 0, 0, 0, 0, 255)

    def open(self, path: str, mode: str = "r") -> io.BytesIO:
        path = self._plain(path)
        if mode == "wb":
            self.write(path, b"")
            return _Written(self, path)
        assert mode == "rb"
        if path not in self.files:
            raise OSError(errno.ENOENT)
        return io.BytesIO(self.files[path])

    def write(self, path: str, data: bytes) -> None:
        path = self._plain(path)
        if posixpath.dirname(path) not in self.folders:
            raise OSError(errno.ENOENT)
        if path in self.folders:
            raise OSError(errno.EISDIR)
        self._change(path)
        before = self.files.get(path)
        self.files[path] = data
        if self.used() > self.capacity:
            del self.files[path]
            if before is not None:
                self.files[path] = before
            raise OSError(errno.ENOSPC)
        self.writes.append(path)

    def put(self, path: str, data: bytes | str = b"") -> None:
        """A file that is there from the beginning."""
        path = self._plain(path)
        folder = posixpath.dirname(path)
        while folder not in self.folders:
            self.folders.add(folder)
            folder = posixpath.dirname(folder)
        self.files[path] = data.encode() if isinstance(data, str) else data


class _Written(io.BytesIO):
    """A file that a program on the board writes; it is there as a whole when it is closed, and not before."""

    def __init__(self, storage: ModelFiles, path: str) -> None:
        super().__init__()
        self._storage, self._path = storage, path

    def close(self) -> None:
        if not self.closed and self.getvalue():
            data = self.getvalue()
            super().close()
            self._storage.write(self._path, data)
        super().close()


@dataclass
class ModelBoard:
    """A board as `packages.board.Board` wants one; `trips` counts the round trips."""

    mpy: int = MPY_63
    sys_path: tuple[str, ...] = ("", ".frozen", "/lib")
    storage: ModelFiles = field(default_factory=ModelFiles)
    trips: int = 0
    lost: bool = False

    @property
    def info(self) -> Any:
        return SimpleNamespace(mpy=self.mpy, small_int_bits=31)

    @property
    def fs(self) -> ModelBoard:
        return self

    @property
    def files(self) -> dict[str, bytes]:
        return self.storage.files

    def tree(self, top: str = "/lib") -> dict[str, bytes]:
        """The files below `top` that are not ours to keep books."""
        return {
            path: data
            for path, data in self.storage.files.items()
            if path.startswith(top.rstrip("/") + "/") and "/.upytool" not in path
        }

    def _trip(self) -> None:
        if self.lost:
            raise ConnectionLostError("the board went away")
        self.trips += 1

    def _cut(self) -> ConnectionLostError:
        self.lost = True
        return ConnectionLostError("the board went away")

    def power_up(self) -> None:
        """The board is back, with the files that it had."""
        self.lost, self.storage.cut_at, self.storage.fail_at = False, None, None

    def ask(self, source: str, *, timeout: float, again: bool = False) -> Any:
        """The program is not shielded here: this Python's modules are not to be moved about."""
        self._trip()
        out: list[str] = []

        system = SimpleNamespace(implementation=SimpleNamespace(_mpy=self.mpy), maxsize=(1 << 31) - 1)

        def load(name: str, *_: object) -> object:
            return {"os": self.storage, "sys": system}[name]

        space = vars(builtins) | {"__import__": load, "open": self.storage.open, "print": out.append}
        try:
            exec(compile(source, "<board>", "exec"), {"__builtins__": space, USERS_PATH: list(self.sys_path)})
        except PowerCut:
            raise self._cut() from None
        except OSError as error:
            raise RemoteOSError(error.args[0]) from None
        return parse_answer(out[-1].removeprefix("\x1e"))

    def hash(self, paths: Sequence[str], algo: str = "sha256") -> dict[str, str | None]:
        self._trip()
        found: dict[str, str | None] = {}
        for path in paths:
            try:
                data = self.storage.files.get(self.storage._plain(path))
            except OSError:
                data = None
            found[path] = None if data is None else hashlib.new(algo, data).hexdigest()
        return found

    def write_bytes(self, path: str, data: bytes) -> None:
        self.put_many([(path, data)])

    def put_many(self, items: list[tuple[str, bytes]], folders: Sequence[str] = (), *, look: bool = True) -> None:
        self._trip()
        for path in folders:
            try:
                if self.storage._plain(path) not in self.storage.folders:
                    self.storage.mkdir(path)
            except PowerCut:
                raise self._cut() from None
            except OSError as error:
                raise RemoteOSError(error.args[0], path) from None
        for path, data in items:
            try:
                self.storage.write(path, data)
            except PowerCut:
                raise self._cut() from None
            except OSError as error:
                raise RemoteOSError(error.args[0], path) from None


class _Digest:
    """MicroPython's sha256, which takes texts as well."""

    def __init__(self, data: bytes | str = b"") -> None:
        self._made = hashlib.sha256()
        self.update(data)

    def update(self, data: bytes | str) -> None:
        self._made.update(data.encode() if isinstance(data, str) else data)

    def digest(self) -> bytes:
        return self._made.digest()


@dataclass
class ShortModelBoard(ModelBoard):
    """The same, which takes short programs as well; `damage` alters them on their way."""

    sure: bool = False
    damage: Callable[[bytes], bytes] = field(default=lambda text: text)

    def one(self, *names: str, said: bytearray | None = None, **values: object) -> Any:
        self._trip()
        text = self.damage(oneshot.program(*names, **values))
        system = SimpleNamespace(
            implementation=SimpleNamespace(_mpy=self.mpy),
            maxsize=(1 << 31) - 1,
            path=list(self.sys_path),
            stdout=SimpleNamespace(write=bytearray() if said is None else said.extend),
        )
        modules = {
            "uos": self.storage,
            "uio": SimpleNamespace(open=self.storage.open),
            "usys": system,
            "ubinascii": binascii,
            "uhashlib": SimpleNamespace(sha256=_Digest),
        }
        source = "".join(chr(byte) if byte < 128 else f"\\x{byte:02x}" for byte in text)
        main = {"__builtins__": {"__import__": lambda name, *_: modules[name]}}
        text_of = ""
        try:
            exec(compile(source, "<board>", "exec"), main)
        except PowerCut:
            raise self._cut() from None
        except UpytoolError:
            raise
        except KeyError as answer:
            text_of = f"KeyError: {answer.args[0]}"
        except OSError as error:
            text_of = f"OSError: {error.args[0]}"
        except Exception as error:
            text_of = f"{type(error).__name__}: {error}"
        if text_of and oneshot.leaves_a_name(text):
            main.pop(oneshot.NAME, None)
        assert set(main) == {"__builtins__"}
        return oneshot.answer_of(text_of.encode(), "")
