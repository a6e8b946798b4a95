"""LittleFS v1, which SAMD21 boards and two of stm32's have: a reader and a builder of ours.

A directory is a chain of metadata pairs: revision, size (bit 31: the tail is the same directory's next pair),
tail, entries, CRC-32. An entry: type, length of its data, of attributes, of the name; then those. Files are
stored as in v2. All directories hang on one thread of tails that begins at blocks 0 and 1. Source: littlefs
v1.7 SPEC.md, lfs.c (lfs_dir_fetch, lfs_format, lfs_mount).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import ImageError
from .blocks import BlockSource, BytesBlocks
from .lfs2_reader import MAGIC, crc32, ctz_chain, ctz_read, pointers, read_superblock
from .tree import MAX_DEPTH, MAX_ENTRIES, BuiltFs, Entry, FileTree, Kind, NoRoomError, Usage, shown, with_parents

VERSION = 0x10001  # of the disk format
_FILE, _DIRECTORY, _SUPERBLOCK, _MOVED = 0x11, 0x22, 0x2E, 0x80
_HEAD = struct.Struct("<IIII")
_NOTHING = 0xFFFFFFFF
_CONTINUED = 0x80000000


@dataclass(frozen=True, slots=True)
class _Pair:
    numbers: tuple[int, int]
    revision: int
    tail: tuple[int, int]
    continued: bool
    body: bytes

    def entries(self) -> Iterator[tuple[int, bytes, bytes]]:
        """(type, data, name)."""
        at = 0
        while at + 4 <= len(self.body):
            kind, data, attributes, name = self.body[at : at + 4]
            end = at + 4 + data + attributes + name
            if end > len(self.body):
                raise ImageError("image.littlefs-endless-entry")
            yield kind, self.body[at + 4 : at + 4 + data], self.body[end - name : end]
            at = end


class Lfs1Tree(FileTree):
    """A LittleFS v1, opened. Raises ImageError for one that is damaged. Any change makes all of it anew."""

    kind: Kind = "littlefs1"

    def __init__(self, source: BlockSource) -> None:
        found = read_superblock(source)
        if found is None or found.v != 1:
            raise ImageError("image.no-littlefs1")
        if found.size > source.size:
            raise ImageError("image.littlefs-too-large", size=found.size, room=source.size)
        self._source, self.superblock = source, found
        self.block_size = found.block_size
        self._new: tuple[dict[str, bytes], list[str]] | None = None
        self._places: dict[str, tuple[int, int]] = {}  # path -> head and size
        self._folders: list[str] = []
        self._used: set[int] = set()
        self._walk()

    def _fetch(self, numbers: tuple[int, int]) -> _Pair:
        best: _Pair | None = None
        for number in numbers:
            if number >= self.superblock.block_count:
                raise ImageError("image.littlefs-no-block", block=number)
            block = self._source.read(number * self.block_size, self.block_size)
            revision, size = struct.unpack_from("<II", block)
            length = size & ~_CONTINUED
            if not 20 <= length <= self.block_size or crc32(block[:length]) != 0:
                continue
            if best is None or 0 < (revision - best.revision) & _NOTHING < 0x80000000:
                _, _, one, two = _HEAD.unpack_from(block)
                body = block[16 : length - 4]
                best = _Pair(numbers, revision, (one, two), bool(size & _CONTINUED), body)
        if best is None:
            raise ImageError("image.littlefs-no-valid-block", one=numbers[0], other=numbers[1])
        return best

    def _walk(self) -> None:
        first = self._fetch((0, 1))
        root = next((data for kind, data, name in first.entries() if kind == _SUPERBLOCK and name == MAGIC), b"")
        if len(root) < 20:
            raise ImageError("image.littlefs-superblock")
        self._used = {0, 1}
        work = [("", struct.unpack_from("<II", root))]
        while work:
            prefix, numbers = work.pop()
            while True:
                if self._used & set(numbers):
                    raise ImageError("image.littlefs-shared-directory", path=shown(prefix))
                self._used |= set(numbers)
                pair = self._fetch((numbers[0], numbers[1]))
                for kind, data, raw in pair.entries():
                    self._entry(prefix, kind & ~_MOVED, data, raw, work)
                if not pair.continued:
                    break
                numbers = pair.tail

    def _entry(self, prefix: str, kind: int, data: bytes, raw: bytes, work: list[tuple[str, tuple[int, ...]]]) -> None:
        path = prefix + raw.decode("utf-8", "surrogateescape")
        if not raw or b"/" in raw or b"\0" in raw or raw in (b".", b"..") or len(data) < 8:
            raise ImageError("image.littlefs-bad-entry", path=path[:60])
        if len(self._places) + len(self._folders) >= MAX_ENTRIES or path.count("/") > MAX_DEPTH:
            raise ImageError("image.littlefs-too-many-entries")
        if path in self._places:
            if kind == _FILE and self._places[path] == struct.unpack_from("<II", data):
                return  # a move that was cut off: both names lead to the same data
            raise ImageError("image.littlefs-duplicate", path=shown(path))
        if kind == _FILE:
            self._places[path] = struct.unpack_from("<II", data)
        elif kind == _DIRECTORY:
            self._folders.append(path)
            work.append((path + "/", struct.unpack_from("<II", data)))

    def _list(self) -> list[Entry]:
        files = [Entry(path, False, size) for path, (_, size) in self._places.items()]
        return files + [Entry(path, True) for path in self._folders]

    def _chain(self, path: str) -> list[int]:
        head, size = self._places[path]
        return ctz_chain(self._source, self.block_size, self.superblock.block_count, head, size)

    def _read(self, path: str) -> bytes:
        if self._new is not None:
            return self._new[0][path]
        return ctz_read(self._source, self.block_size, self._chain(path), self._places[path][1])

    def _changeable(self) -> tuple[dict[str, bytes], list[str]]:
        if self._new is None:
            self._new = ({path: self._read(path) for path in self._places}, list(self._folders))
        return self._new

    def _write(self, path: str, data: bytes) -> None:
        self._changeable()[0][path] = data

    def _remove(self, path: str, directory: bool) -> None:
        files, folders = self._changeable()
        if directory:
            folders.remove(path)
        else:
            del files[path]

    def _mkdir(self, path: str) -> None:
        self._changeable()[1].append(path)

    def _rename(self, old: str, new: str) -> None:
        files, folders = self._changeable()
        for path in [path for path in files if path == old or path.startswith(old + "/")]:
            files[new + path[len(old) :]] = files.pop(path)
        folders[:] = [new + path[len(old) :] if path == old or path.startswith(old + "/") else path for path in folders]

    def _built(self) -> BuiltFs:
        files, folders = self._changeable()
        return build_lfs1(files, folders, self.superblock.size, self.block_size)

    def usage(self) -> Usage:
        return Usage(self.block_size, self.superblock.block_count, len(self.used_blocks()))

    def steps(self) -> list[tuple[int, bytes]]:
        if self._new is None:
            return []
        blocks = self._built().blocks
        return [
            (offset, data)
            for offset, data in sorted(blocks.items(), reverse=True)  # the superblock last
            if data != self._source.read(offset, len(data))
        ]

    def used_blocks(self) -> list[int]:
        if self._new is not None:
            return sorted(self._built().blocks)
        used = set(self._used)
        for path in self._places:
            used.update(self._chain(path))
        return [number * self.block_size for number in sorted(used)]

    def _reopened(self) -> FileTree:
        return Lfs1Tree(BytesBlocks(self._built().to_bytes()))


def build_lfs1(files: Mapping[str, bytes], folders: list[str], size: int, block_size: int) -> BuiltFs:
    """Make a LittleFS v1 out of whole contents; the same input gives the same bytes. Raises ImageError."""
    folders, names = with_parents(files, tuple(folders))
    return _Builder(size // block_size, block_size).build({name: files[name] for name in names}, folders)


class _Builder:
    def __init__(self, block_count: int, block_size: int) -> None:
        self.block_count, self.block_size = block_count, block_size
        self.blocks: dict[int, bytes] = {}
        self.next = 0

    def take(self, count: int) -> int:
        first, self.next = self.next, self.next + count
        if self.next > self.block_count:
            raise NoRoomError("image.no-room.littlefs", size=self.block_count * self.block_size)
        return first

    def build(self, files: Mapping[str, bytes], folders: list[str]) -> BuiltFs:
        self.take(2)
        inside: dict[str, list[tuple[bytes, bool, str]]] = {path: [] for path in ["", *folders]}
        for path in [*folders, *files]:
            above, _, name = path.rpartition("/")
            raw = name.encode("utf-8", "surrogateescape")
            if len(raw) > 255:
                raise ImageError("image.littlefs-name-too-long", name=shown(name))
            inside[above].append((raw, path in files, path))
        # A directory's entries have a known size, so that all pairs are given out before any is written.
        parts: dict[str, list[list[tuple[bytes, bool, str]]]] = {}
        starts: dict[str, list[int]] = {}
        for path, entries in inside.items():
            parts[path] = self._split(sorted(entries))
            starts[path] = [self.take(2) for _ in parts[path]]
        thread = [start for path in inside for start in starts[path]]
        after = dict(zip(thread, [*thread[1:], None]))
        for path in inside:
            for index, (start, entries) in enumerate(zip(starts[path], parts[path])):
                body = b""
                for raw, is_file, full in entries:
                    kind, data = _DIRECTORY, b""
                    if is_file:
                        kind, data = _FILE, struct.pack("<II", *self._file(files[full]))
                    else:
                        data = struct.pack("<II", starts[full][0], starts[full][0] + 1)
                    body += bytes((kind, len(data), 0, len(raw))) + data + raw
                self._pair(start, body, after[start], index + 1 < len(parts[path]))
        root = starts[""][0]
        data = struct.pack("<IIIII", root, root + 1, self.block_size, self.block_count, VERSION)
        self._pair(0, bytes((_SUPERBLOCK, len(data), 0, len(MAGIC))) + data + MAGIC, root, False)
        return BuiltFs(
            "littlefs1",
            self.block_count * self.block_size,
            self.block_size,
            {number * self.block_size: data for number, data in sorted(self.blocks.items())},
        )

    def _split(self, entries: list[tuple[bytes, bool, str]]) -> list[list[tuple[bytes, bool, str]]]:
        out: list[list[tuple[bytes, bool, str]]] = [[]]
        room = self.block_size - 20
        for entry in entries:
            cost = 12 + len(entry[0])
            if cost > room:
                out.append([])
                room = self.block_size - 20
            if cost > room:
                raise ImageError("image.littlefs-name-in-block", name=shown(entry[2]))
            out[-1].append(entry)
            room -= cost
        return out

    def _pair(self, number: int, body: bytes, after: int | None, continued: bool) -> None:
        tail = (_NOTHING, _NOTHING) if after is None else (after, after + 1)
        for place, revision in ((number, 2), (number + 1, 1)):
            head = _HEAD.pack(revision, len(body) + 20 | (_CONTINUED if continued else 0), *tail)
            block = head + body
            self.blocks[place] = (block + struct.pack("<I", crc32(block))).ljust(self.block_size, b"\xff")

    def _file(self, data: bytes) -> tuple[int, int]:
        """Write a file's blocks: (its last block, its size)."""
        chain: list[int] = []
        at = 0
        while at < len(data):
            links = [chain[len(chain) - (1 << power)] for power in range(pointers(len(chain)))]
            head = struct.pack(f"<{len(links)}I", *links)
            part = data[at : at + self.block_size - len(head)]
            chain.append(self.take(1))
            self.blocks[chain[-1]] = (head + part).ljust(self.block_size, b"\xff")
            at += len(part)
        return (chain[-1], len(data)) if chain else (_NOTHING, 0)
