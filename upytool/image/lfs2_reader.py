"""A reader of LittleFS v2 in plain Python that reads no more than it must, and trusts nothing.

It needs no mount, writes nothing, and looks at metadata alone until a file is read: on a board in its boot
loader that is a few kB. Every chain is bounded by the number of blocks.

A metadata pair is two blocks, of which the newer valid one counts. A block is a revision and a log of commits;
a commit is tags, each XORed with the one before, and a CRC-32. A tag: 1 bit validity, 11 bits type, 10 bits id
(the place in the directory), 10 bits length. Files of some size are chains of blocks that point backwards.
Source: littlefs SPEC.md, lfs.c (lfs_dir_fetchmatch, lfs_ctz_index, lfs_mount); MicroPython extmod/vfs_lfsx.c.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..errors import ImageError
from .blocks import BlockSource
from .tree import MAX_DEPTH, MAX_ENTRIES, shown

MAGIC = b"littlefs"
BLOCK_SIZES = tuple(sorted({1 << power for power in range(7, 19)} | {1536}))  # SAMD's is not a power of two
MAX_BLOCKS, MAX_BLOCK = 1 << 20, 1 << 18
ATTR_MTIME = 1

_FILE, _DIRECTORY, _SUPERBLOCK = 0x001, 0x002, 0x0FF
_DIRSTRUCT, _INLINE, _CTZ = 0x200, 0x201, 0x202
_CREATE, _DELETE, _SOFT, _HARD, _MOVE = 0x401, 0x4FF, 0x600, 0x601, 0x7FF
_NONE = 0x3FF  # the id of no entry; as a length: deleted
_PAIR = struct.Struct("<II")


@dataclass(frozen=True, slots=True)
class Superblock:
    """What the file system says of itself. `v` is 1 or 2; `version` as on the disk (0x20001 is 2.1)."""

    v: int
    block_size: int
    block_count: int
    version: int
    name_max: int = 255

    @property
    def size(self) -> int:
        return self.block_size * self.block_count

    @property
    def version_text(self) -> str:
        return f"{self.version >> 16}.{self.version & 0xFFFF}"


def read_superblock(source: BlockSource) -> Superblock | None:
    """Find a LittleFS by the superblock in its first two blocks; None where there is none."""
    for at in (0, *BLOCK_SIZES):
        if at + 64 > source.size:
            break
        head = source.read(at, 64)
        found: Superblock | None = None
        if head[8:16] == MAGIC:
            found = _superblock2(source, at)
        elif head[40:48] == MAGIC and head[16] == 0x2E:
            size, count, version = struct.unpack_from("<III", head, 28)
            found = _plausible(Superblock(1, size, count, version))
        if found is not None and at in (0, found.block_size):
            return found
    return None


def _plausible(found: Superblock) -> Superblock | None:
    good = 104 <= found.block_size <= MAX_BLOCK and 2 <= found.block_count <= MAX_BLOCKS
    return found if good and found.version >> 16 == found.v else None


def _superblock2(source: BlockSource, at: int) -> Superblock | None:
    """The superblock in the block at `at`, or a newer one in the other block.

    It may stand anywhere in the block, whose size only it tells; but a log ends where its checksums do.
    """
    for length in (at,) if at else (512, 4096, MAX_BLOCK):
        found = _described(_parse(source.read(at, min(length, source.size - at)), 0))
        if found is None:
            continue
        size = found.block_size
        halves = [_parse(source.read(number * size, size), number) for number in (0, 1)]
        best = _newer(halves)
        return (_described(best) if best is not None else None) or found
    return None


def _described(metadata: Metadata | None) -> Superblock | None:
    if metadata is None or not metadata.nodes:
        return None
    node = metadata.nodes[0]
    if node.type != _SUPERBLOCK or node.name != MAGIC or len(node.data) < 24:
        return None
    version, size, count, names = struct.unpack_from("<IIII", node.data)
    return _plausible(Superblock(2, size, count, version, names))


def _newer(halves: list[Metadata | None]) -> Metadata | None:
    one, two = halves
    if one is None or two is None:
        return one or two
    return two if 0 < (two.revision - one.revision) & 0xFFFFFFFF < 0x80000000 else one


@dataclass(slots=True)
class Node:
    """An entry of a directory. `data` is an inline file's content, or what leads to the rest."""

    name: bytes = b""
    type: int = 0
    struct: int = 0
    data: bytes = b""
    attributes: dict[int, bytes] = field(default_factory=dict)

    @property
    def directory(self) -> bool:
        return self.type == _DIRECTORY

    @property
    def size(self) -> int:
        if self.directory:
            return 0
        return _PAIR.unpack(self.data)[1] if self.struct == _CTZ else len(self.data)


@dataclass(slots=True)
class Metadata:
    """A metadata pair as its newer valid block says; `pair` has that block first."""

    pair: tuple[int, int]
    revision: int
    nodes: list[Node]
    tail: tuple[int, int] | None
    split: bool
    move: bytes


class Lfs2Reader:
    """Args: source: begins with block 0. Raises ImageError where there is no readable LittleFS v2."""

    def __init__(self, source: BlockSource) -> None:
        found = read_superblock(source)
        if found is None or found.v != 2:
            raise ImageError("image.no-littlefs2")
        if found.size > source.size:
            raise ImageError(
                "image.littlefs-too-many-blocks", count=found.block_count, size=found.block_size, room=source.size
            )
        self.source, self.block_size, self.block_count = source, found.block_size, found.block_count
        self._fetched: dict[tuple[int, int], Metadata] = {}
        self.chain: list[Metadata] = []  # every metadata pair, in the order of the list that threads them
        self.root = (0, 1)
        self.superblock = found
        moved = bytes(12)
        for metadata in self._thread():
            self.chain.append(metadata)
            moved = bytes(one ^ two for one, two in zip(moved, metadata.move))
            for node in metadata.nodes:
                if node.type == _SUPERBLOCK:
                    self.root = metadata.pair
                    self._superblock(node)
        self._hide_moved(moved)
        self.entries: dict[str, Node] = {}
        self._walk()

    def _superblock(self, node: Node) -> None:
        if node.name != MAGIC or len(node.data) < 24:
            raise ImageError("image.littlefs-superblock")
        version, size, count, names = struct.unpack_from("<IIII", node.data)
        if version >> 16 != 2 or size != self.block_size or size * count > self.source.size or count < 2:
            raise ImageError("image.littlefs-superblocks-differ")
        self.superblock = Superblock(2, size, count, version, names)
        self.block_count = count

    def _hide_moved(self, state: bytes) -> None:
        """An entry whose move to another directory was cut off counts as moved already."""
        tag, one, two = struct.unpack("<III", state)
        if (tag & 0x70000000) >> 20 != 0x400:  # the type of a pending move is that of a deletion
            return
        for metadata in self.chain:
            number = tag >> 10 & 0x3FF
            if set(metadata.pair) == {one, two} and number < len(metadata.nodes):
                del metadata.nodes[number]

    # -- metadata ---------------------------------------------------------------------------------------------

    def _thread(self) -> Iterator[Metadata]:
        seen: set[int] = set()
        pair: tuple[int, int] | None = (0, 1)
        while pair is not None:
            if seen & set(pair):
                raise ImageError("image.littlefs-directories-loop")
            seen |= set(pair)
            metadata = self.fetch(pair)
            yield metadata
            pair = metadata.tail

    def fetch(self, pair: tuple[int, int]) -> Metadata:
        """The present state of a metadata pair."""
        key = (min(pair), max(pair))
        if key in self._fetched:
            return self._fetched[key]
        if key[0] == key[1] or key[1] >= max(self.block_count, 2):
            raise ImageError("image.littlefs-no-pair", one=pair[0], other=pair[1])
        halves = [_parse(self.source.read(number * self.block_size, self.block_size), number) for number in pair]
        best = _newer(halves)
        if best is None:
            raise ImageError("image.littlefs-no-valid-block", one=pair[0], other=pair[1])
        mine = best.pair[0]
        best.pair = (mine, pair[1] if mine == pair[0] else pair[0])
        self._fetched[key] = best
        return best

    def directory(self, pair: tuple[int, int]) -> Iterator[Node]:
        """The entries of a directory, over all its pairs."""
        for _ in range(self.block_count):
            metadata = self.fetch(pair)
            yield from (node for node in metadata.nodes if node.type in (_FILE, _DIRECTORY))
            if not metadata.split or metadata.tail is None:
                return
            pair = metadata.tail
        raise ImageError("image.littlefs-endless-directory")

    def _walk(self) -> None:
        work: list[tuple[str, tuple[int, int]]] = [("", self.root)]
        seen = {frozenset(self.root)}
        while work:
            prefix, pair = work.pop()
            for node in self.directory(pair):
                path = prefix + _name(node.name)
                if path in self.entries:
                    raise ImageError("image.littlefs-duplicate", path=shown(path))
                if len(self.entries) >= MAX_ENTRIES or path.count("/") > MAX_DEPTH:
                    raise ImageError("image.littlefs-too-many-entries")
                self.entries[path] = node
                if not node.directory:
                    _check_struct(node, path)
                    continue
                if node.struct != _DIRSTRUCT or len(node.data) != 8:
                    raise ImageError("image.littlefs-directory-nowhere", path=shown(path))
                below = _PAIR.unpack(node.data)
                if frozenset(below) in seen:
                    raise ImageError("image.littlefs-directory-in-itself", path=shown(path))
                seen.add(frozenset(below))
                work.append((path + "/", below))

    # -- files ------------------------------------------------------------------------------------------------

    def chain_of(self, node: Node) -> list[int]:
        """Numbers of a file's blocks, first to last; reads the first bytes of each."""
        if node.struct != _CTZ:
            return []
        head, size = _PAIR.unpack(node.data)
        return ctz_chain(self.source, self.block_size, self.block_count, head, size)

    def read(self, node: Node) -> bytes:
        """A file's content."""
        if node.struct != _CTZ:
            return node.data
        return ctz_read(self.source, self.block_size, self.chain_of(node), node.size)

    def used(self) -> set[int]:
        """Numbers of all blocks in use, both halves of each pair."""
        out = {number for metadata in self.chain for number in metadata.pair}
        for path, node in self.entries.items():
            mine = self.chain_of(node)
            if out.intersection(mine):
                raise ImageError("image.littlefs-shared-block", path=shown(path))
            out.update(mine)
        return out


def ctz_chain(source: BlockSource, block_size: int, block_count: int, head: int, size: int) -> list[int]:
    """The blocks of a file of `size` bytes whose last block is `head`. v1 and v2 store files alike."""
    if size == 0:
        return []
    if size > block_size * block_count:
        raise ImageError("image.littlefs-file-too-large")
    index, out = _ctz_index(block_size, size - 1), []
    for number in range(index, -1, -1):
        if head >= block_count:
            raise ImageError("image.littlefs-file-outside")
        out.append(head)
        if number:
            head = int.from_bytes(source.read(head * block_size, 4), "little")
    if len(set(out)) < len(out):
        raise ImageError("image.littlefs-file-loop")
    return out[::-1]


def ctz_read(source: BlockSource, block_size: int, chain: list[int], size: int) -> bytes:
    out = bytearray()
    for index, number in enumerate(chain):
        skip = pointers(index) * 4
        take = min(block_size - skip, size - len(out))
        out += source.read(number * block_size + skip, take)
    return bytes(out)


def pointers(index: int) -> int:
    """How many pointers the block of this index begins with."""
    return (index & -index).bit_length() if index else 0


def _ctz_index(block_size: int, offset: int) -> int:
    """Which block of a file holds a byte."""
    plain = block_size - 8
    guess = offset // plain
    if not guess:
        return 0
    return (offset - 4 * ((guess - 1).bit_count() + 2)) // plain


def _name(raw: bytes) -> str:
    name = raw.decode("utf-8", "surrogateescape")
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ImageError("image.littlefs-bad-name", name=name[:40])
    return name


def _check_struct(node: Node, path: str) -> None:
    if node.struct not in (_INLINE, _CTZ) or (node.struct == _CTZ and len(node.data) != 8):
        raise ImageError("image.littlefs-no-content", path=shown(path))


def crc32(data: bytes, start: int = 0xFFFFFFFF) -> int:
    """The CRC-32 of LittleFS: zlib's, without the inversions."""
    return zlib.crc32(data, start ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


def _parse(block: bytes, number: int) -> Metadata | None:
    """One half of a pair, up to its last valid commit; None where there is none."""
    at, last, crc = 4, 0xFFFFFFFF, crc32(block[:4])
    tags: list[tuple[int, int, int, bytes]] = []
    valid = -1  # how many of the tags belong to complete commits
    while at + 4 <= len(block):
        raw = block[at : at + 4]
        tag = int.from_bytes(raw, "big") ^ last
        size = 0 if tag & 0x3FF == _NONE else tag & 0x3FF
        if tag >> 31 or at + 4 + size > len(block):
            break
        data = block[at + 4 : at + 4 + size]
        kind, last = tag >> 20 & 0x7FF, tag
        if kind & 0x780 == 0x500:
            if size < 4 or crc32(raw, crc) != int.from_bytes(data[:4], "little"):
                break
            valid = len(tags)
            last ^= (kind & 1) << 31
            crc = 0xFFFFFFFF
        else:
            crc = crc32(data, crc32(raw, crc))
            tags.append((kind, tag >> 10 & 0x3FF, tag & 0x3FF, data))
        at += 4 + size
    if valid < 0:
        return None
    state = _State()
    for kind, place, length, data in tags[:valid]:
        state.apply(kind, place, length, data)
    revision = int.from_bytes(block[:4], "little")
    return Metadata((number, number), revision, state.nodes, state.tail, state.split, state.move)


class _State:
    """What the tags up to here say."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.tail: tuple[int, int] | None = None
        self.split = False
        self.move = bytes(12)

    def apply(self, kind: int, place: int, length: int, data: bytes) -> None:
        if kind == _CREATE:
            self.nodes.insert(place, Node())
        elif kind == _DELETE:
            del self.nodes[place : place + 1]
        elif kind in (_SOFT, _HARD) and len(data) == 8:
            pair = _PAIR.unpack(data)
            self.tail = None if 0xFFFFFFFF in pair else pair
            self.split = kind == _HARD
        elif kind == _MOVE and len(data) == 12:
            self.move = data
        elif kind < 0x400 and place != _NONE:
            while len(self.nodes) <= place:
                self.nodes.append(Node())
            node = self.nodes[place]
            if kind & 0x700 == 0:
                node.name, node.type = data, kind
            elif kind & 0x700 == 0x200:
                node.struct, node.data = kind, data
            elif kind & 0x700 == 0x300:
                if length == _NONE:
                    node.attributes.pop(kind & 0xFF, None)
                else:
                    node.attributes[kind & 0xFF] = data
