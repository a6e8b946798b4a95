"""Paths of a board: as text, and as one that behaves like one of pathlib's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .fs_types import Stat

if TYPE_CHECKING:
    from .fs import RemoteFS


def parent_of(path: str) -> str:
    """The folder of a path of the board, '' for the working directory."""
    cut = path.rstrip("/").rfind("/")
    return path[:cut] or "/" if cut >= 0 else ""


def within(path: str, top: str) -> bool:
    """Whether `path` is `top` or below it; both absolute."""
    return path == top or path.startswith(top.rstrip("/") + "/")


class RemotePath:
    """One path of one board; made by `board.fs.path("/lib")`. Methods and errors are those of RemoteFS."""

    __slots__ = ("_fs", "_path")

    def __init__(self, fs: RemoteFS, path: str | PurePosixPath) -> None:
        self._fs, self._path = fs, PurePosixPath(path)

    def __truediv__(self, other: str | PurePosixPath) -> RemotePath:
        return RemotePath(self._fs, self._path / other)

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RemotePath) and other._fs is self._fs and other._path == self._path

    def __hash__(self) -> int:
        return hash((id(self._fs), self._path))

    def __fspath__(self) -> str:
        raise TypeError("a path of a board is not a path of this computer: use read_bytes or board.fs.get")

    @property
    def name(self) -> str:
        return self._path.name

    @property
    def stem(self) -> str:
        return self._path.stem

    @property
    def suffix(self) -> str:
        return self._path.suffix

    @property
    def parts(self) -> tuple[str, ...]:
        return self._path.parts

    @property
    def parent(self) -> RemotePath:
        return RemotePath(self._fs, self._path.parent)

    def with_name(self, name: str) -> RemotePath:
        return RemotePath(self._fs, self._path.with_name(name))

    def with_suffix(self, suffix: str) -> RemotePath:
        return RemotePath(self._fs, self._path.with_suffix(suffix))

    def stat(self) -> Stat:
        return self._fs.stat(str(self))

    def exists(self) -> bool:
        return self._fs.exists(str(self))

    def is_dir(self) -> bool:
        return self._fs.is_dir(str(self))

    def is_file(self) -> bool:
        return self._fs.is_file(str(self))

    def iterdir(self) -> Iterator[RemotePath]:
        """The entries of the folder."""
        for entry in self._fs.ls(str(self)):
            yield self / entry.name

    def read_bytes(self) -> bytes:
        return self._fs.read_bytes(str(self))

    def read_text(self) -> str:
        return self._fs.read_text(str(self))

    def write_bytes(self, data: bytes) -> None:
        self._fs.write_bytes(str(self), data)

    def write_text(self, text: str) -> None:
        self._fs.write_text(str(self), text)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        self._fs.mkdir(str(self), parents, exist_ok)

    def rmdir(self) -> None:
        self._fs.rmdir(str(self))

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            self._fs.remove(str(self))
        except OSError as error:
            if not (missing_ok and error.errno == 2):
                raise

    def rename(self, target: str | RemotePath) -> RemotePath:
        self._fs.rename(str(self), str(target))
        return RemotePath(self._fs, str(target))

    def touch(self) -> None:
        self._fs.touch(str(self))
