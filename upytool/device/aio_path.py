"""Paths of a board: as text, and as one that behaves like one of pathlib's, for asyncio.

Made from remote_path.py by tests/architecture/async_face.py, which a test runs again: change that file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from .fs_types import Stat

if TYPE_CHECKING:
    from .aio_fs import AsyncRemoteFS


class AsyncRemotePath:
    """One path of one board; made by `board.fs.path("/lib")`. Methods and errors are those of RemoteFS."""

    __slots__ = ("_fs", "_path")

    def __init__(self, fs: AsyncRemoteFS, path: str | PurePosixPath) -> None:
        self._fs, self._path = fs, PurePosixPath(path)

    def __truediv__(self, other: str | PurePosixPath) -> AsyncRemotePath:
        return AsyncRemotePath(self._fs, self._path / other)

    def __str__(self) -> str:
        return str(self._path)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncRemotePath) and other._fs is self._fs and other._path == self._path

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
    def parent(self) -> AsyncRemotePath:
        return AsyncRemotePath(self._fs, self._path.parent)

    def with_name(self, name: str) -> AsyncRemotePath:
        return AsyncRemotePath(self._fs, self._path.with_name(name))

    def with_suffix(self, suffix: str) -> AsyncRemotePath:
        return AsyncRemotePath(self._fs, self._path.with_suffix(suffix))

    async def stat(self) -> Stat:
        return await self._fs.stat(str(self))

    async def exists(self) -> bool:
        return await self._fs.exists(str(self))

    async def is_dir(self) -> bool:
        return await self._fs.is_dir(str(self))

    async def is_file(self) -> bool:
        return await self._fs.is_file(str(self))

    async def iterdir(self) -> AsyncIterator[AsyncRemotePath]:
        """The entries of the folder."""
        for entry in await self._fs.ls(str(self)):
            yield self / entry.name

    async def read_bytes(self) -> bytes:
        return await self._fs.read_bytes(str(self))

    async def read_text(self) -> str:
        return await self._fs.read_text(str(self))

    async def write_bytes(self, data: bytes) -> None:
        await self._fs.write_bytes(str(self), data)

    async def write_text(self, text: str) -> None:
        await self._fs.write_text(str(self), text)

    async def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        await self._fs.mkdir(str(self), parents, exist_ok)

    async def rmdir(self) -> None:
        await self._fs.rmdir(str(self))

    async def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        try:
            await self._fs.remove(str(self))
        except OSError as error:
            if not (missing_ok and error.errno == 2):
                raise

    async def rename(self, target: str | AsyncRemotePath) -> AsyncRemotePath:
        await self._fs.rename(str(self), str(target))
        return AsyncRemotePath(self._fs, str(target))

    async def touch(self) -> None:
        await self._fs.touch(str(self))
