"""ROMFS with the verbs of every file system; a change makes the whole image anew."""

from __future__ import annotations

from ..errors import ImageError
from .blocks import BlockSource, BytesBlocks
from .romfs import build_romfs, image_size, is_romfs, read_romfs
from .tree import Entry, FileTree, Kind, NoRoomError, Usage, shown


class RomfsTree(FileTree):
    """A ROMFS, opened; the rest of the region is free. Raises ImageError for a damaged one."""

    kind: Kind = "romfs"
    block_size = 4096

    def __init__(self, source: BlockSource) -> None:
        head = source.read(0, 16)
        if not is_romfs(head):
            raise ImageError("image.no-romfs-here")
        length = image_size(head)
        if length > source.size:
            raise ImageError("image.romfs-too-large", size=length, room=source.size)
        self._source = source
        self._image = read_romfs(source.read(0, length))
        self._files: dict[str, bytes] | None = None
        self._folders = [entry.path for entry in self._image.entries if entry.directory]

    def _list(self) -> list[Entry]:
        return [Entry(entry.path, entry.directory, entry.size) for entry in self._image.entries]

    def _read(self, path: str) -> bytes:
        if self._files is not None:
            return self._files[path]
        entry = self._image.find(path)
        if entry is None:
            raise ImageError("image.no-such-file", path=shown(path))
        return self._image.read(entry)

    def _changeable(self) -> dict[str, bytes]:
        if self._files is None:
            self._files = dict(self._image.files())
        return self._files

    def _write(self, path: str, data: bytes) -> None:
        self._changeable()[path] = data

    def _remove(self, path: str, directory: bool) -> None:
        files = self._changeable()
        if directory:
            self._folders.remove(path)
        else:
            del files[path]

    def _mkdir(self, path: str) -> None:
        self._changeable()
        self._folders.append(path)

    def _rename(self, old: str, new: str) -> None:
        files = self._changeable()
        for path in [path for path in files if path == old or path.startswith(old + "/")]:
            files[new + path[len(old) :]] = files.pop(path)
        self._folders = [
            new + path[len(old) :] if path == old or path.startswith(old + "/") else path for path in self._folders
        ]

    def _bytes(self) -> bytes:
        if self._files is None:
            return self._image.raw[: self._image.size]
        data = build_romfs(self._files, directories=self._folders)
        if len(data) > self._source.size:
            raise NoRoomError("image.no-room.romfs", size=self._source.size, over=len(data) - self._source.size)
        return data

    def usage(self) -> Usage:
        unit = self.block_size
        return Usage(unit, self._source.size // unit, -(-len(self._bytes()) // unit))

    def steps(self) -> list[tuple[int, bytes]]:
        """The first block, with the header, comes last."""
        if self._files is None:
            return []
        data, unit = self._bytes(), self.block_size
        blocks = [(at, data[at : at + unit].ljust(min(unit, self._source.size - at), b"\xff"))
                  for at in range(0, len(data), unit)]  # fmt: skip
        return [(at, block) for at, block in reversed(blocks) if block != self._source.read(at, len(block))]

    def used_blocks(self) -> list[int]:
        return list(range(0, len(self._bytes()), self.block_size))

    def _reopened(self) -> FileTree:
        return RomfsTree(BytesBlocks(self._bytes()))
