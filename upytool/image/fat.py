"""FAT12, FAT16 and (to be read) FAT32, as MicroPython's VfsFat has them: a reader and a writer of ours."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import ImageError
from .blocks import BlockSource, BytesBlocks, Overlay
from .fat_layout import (
    ARCHIVE,
    DIRECTORY,
    ENTRY,
    LONG,
    VOLUME,
    checksum,
    encode_name,
    from_disk,
    long_part,
    new_boot_sector,
    read_layout,
    short_text,
    stamp,
)
from .tree import (
    EPOCH,
    MAX_DEPTH,
    MAX_ENTRIES,
    BuiltFs,
    Entry,
    FileTree,
    Kind,
    NoRoomError,
    Usage,
    normal,
    shown,
    with_parents,
)  # fmt: skip

_MAX_DIRECTORY = 65536  # entries, by the specification


@dataclass(slots=True)
class _Node:
    """An entry. `slots` are the places of its 32-byte entries, the short one last."""

    cluster: int
    size: int
    attributes: int
    short: bytes
    slots: tuple[int, ...]

    @property
    def directory(self) -> bool:
        return bool(self.attributes & DIRECTORY)


class FatTree(FileTree):
    """A FAT file system, opened. Raises ImageError for one that is damaged.

    A change writes contents first, then the table, then the entry, then what is given free.
    """

    kind: Kind = "fat"

    def __init__(self, source: BlockSource) -> None:
        layout = read_layout(source)
        if layout is None:
            raise ImageError("image.no-fat")
        if layout.total > source.size:
            raise ImageError("image.fat-too-large", size=layout.total, room=source.size)
        self._layout = layout
        self.block_size = layout.sector
        self._disk = Overlay(source, layout.sector)
        self.epoch = EPOCH
        self._nodes: dict[str, _Node] = {}
        self._next = 2
        self._walk()

    # -- the table --------------------------------------------------------------------------------------------

    def _next_cluster(self, cluster: int) -> int:
        """What the table holds for a cluster."""
        bits, table = self._layout.bits, self._layout.reserved
        self._layout.at(cluster)
        if bits == 12:
            pair = struct.unpack("<H", self._disk.read(table + cluster * 3 // 2, 2))[0]
            return int(pair >> 4 if cluster & 1 else pair & 0xFFF)
        size = bits // 8
        return int.from_bytes(self._disk.read(table + cluster * size, size), "little") & self._layout.end_mark

    def _link(self, cluster: int, value: int) -> None:
        bits = self._layout.bits
        for number in range(self._layout.tables):
            table = self._layout.reserved + number * self._layout.table_size
            if bits == 12:
                at = table + cluster * 3 // 2
                pair = struct.unpack("<H", self._disk.read(at, 2))[0]
                pair = pair & 0xF | value << 4 if cluster & 1 else pair & 0xF000 | value
                self._disk.write(at, struct.pack("<H", pair))
            else:
                self._disk.write(table + cluster * 2, struct.pack("<H", value))

    def _chain(self, cluster: int, what: str) -> list[int]:
        out: list[int] = []
        seen: set[int] = set()
        while True:
            if cluster in seen:
                raise ImageError("image.fat-chain-loop", what=what)
            self._layout.at(cluster)
            seen.add(cluster)
            out.append(cluster)
            cluster = self._next_cluster(cluster)
            if cluster >= self._layout.end_mark - 7:
                return out
            if not 2 <= cluster < self._layout.clusters + 2:
                raise ImageError("image.fat-chain-truncated", what=what)

    def _free(self) -> Iterator[int]:
        """Free clusters, beginning where the last search ended."""
        first, count = self._next, self._layout.clusters
        for step in range(count):
            cluster = 2 + (first - 2 + step) % count
            if self._next_cluster(cluster) == 0:
                self._next = cluster
                yield cluster

    def _take(self, count: int, what: str) -> list[int]:
        found: list[int] = []
        for cluster in self._free():
            if len(found) == count:
                break
            found.append(cluster)
        if len(found) < count:
            over = (count - len(found)) * self._layout.cluster
            raise NoRoomError("image.no-room.fat", what=what, over=over)
        return found

    def _join(self, chain: list[int]) -> None:
        for cluster, following in zip(chain, [*chain[1:], self._layout.end_mark]):
            self._link(cluster, following)

    def _release(self, node: _Node, what: str) -> None:
        if node.cluster:
            for cluster in self._chain(node.cluster, what):
                self._link(cluster, 0)

    # -- directories ------------------------------------------------------------------------------------------

    def _slots(self, cluster: int | None) -> list[int]:
        """Places of a directory's entries; None for the root."""
        layout = self._layout
        if cluster is None and layout.bits != 32:
            return list(range(layout.root, layout.data, ENTRY))
        chain = self._chain(layout.root_cluster if cluster is None else cluster, "a directory")
        if len(chain) * layout.cluster // ENTRY > _MAX_DIRECTORY:
            raise ImageError("image.fat-directory-too-long")
        return [at for each in chain for at in range(layout.at(each), layout.at(each) + layout.cluster, ENTRY)]

    def _scan(self, slots: list[int]) -> Iterator[tuple[str, _Node]]:
        parts: list[bytes] = []
        places: list[int] = []
        check = -1
        for at in slots:
            raw = self._disk.read(at, ENTRY)
            if raw[0] == 0:
                return
            attributes = raw[11]
            if raw[0] == 0xE5:
                parts, places = [], []
            elif attributes & 0x3F == LONG:
                if raw[0] & 0x40:
                    parts, places, check = [], [], raw[13]
                number = raw[0] & 0x3F
                parts.insert(0, long_part(raw))
                places.append(at)
                if raw[13] != check or not 0 < number <= 20 or len(parts) > 20:
                    parts, places = [], []
            else:
                name = short_text(raw[:11], raw[12])
                if parts and check == checksum(raw[:11]):
                    name = from_disk(b"".join(parts)) or name
                else:
                    places = []
                high, low, size = *struct.unpack_from("<H", raw, 20), *struct.unpack_from("<HI", raw, 26)
                cluster = low | (high << 16 if self._layout.bits == 32 else 0)
                yield name, _Node(cluster, size, attributes, raw[:11], (*places, at))
                parts, places = [], []

    def _walk(self) -> None:
        work: list[tuple[str, int | None]] = [("", None)]
        names: set[str] = set()  # FAT tells no two names apart by their case
        seen: set[int] = {self._layout.root_cluster} if self._layout.bits == 32 else set()
        while work:
            prefix, cluster = work.pop()
            for name, node in self._scan(self._slots(cluster)):
                if node.attributes & VOLUME:
                    if not prefix:
                        self.label = node.short.decode("cp437").rstrip()
                    continue
                if name in (".", ".."):
                    continue
                path = prefix + name
                if not name or "/" in name or min(name) < " " or path.upper() in names:
                    raise ImageError("image.fat-bad-entry", path=path[:60])
                if len(self._nodes) >= MAX_ENTRIES or path.count("/") > MAX_DEPTH:
                    raise ImageError("image.fat-too-many-entries")
                self._nodes[path] = node
                names.add(path.upper())
                if node.directory:
                    self._layout.at(node.cluster)
                    if node.cluster in seen:
                        raise ImageError("image.fat-directory-in-itself", path=shown(path))
                    seen.add(node.cluster)
                    work.append((path + "/", node.cluster))
                elif node.size > self._layout.clusters * self._layout.cluster:
                    raise ImageError("image.fat-file-too-large", path=shown(path))

    def _parent(self, path: str) -> tuple[int | None, str]:
        above, _, name = path.rpartition("/")
        return (self._nodes[above].cluster if above else None), name

    def _add(self, path: str, attributes: int, cluster: int, size: int, avoid: tuple[int, ...] = ()) -> None:
        """Write a new entry, enlarging the directory if need be."""
        folder, name = self._parent(path)
        slots = self._slots(folder)
        taken = {node.short for _, node in self._scan(slots)}
        long, short, flags = encode_name(name, taken)
        wanted = len(long) + 1
        places: list[int] = []
        ended = False
        for at in slots:
            first = self._disk.read(at, 1)[0]
            ended = ended or first == 0
            places = [*places, at] if ended or first == 0xE5 else []
            if len(places) == wanted:
                break
        behind = slots.index(places[-1]) + 1 if ended and places else len(slots)
        if behind < len(slots) and self._disk.read(slots[behind], 1) != b"\0":
            self._disk.write(slots[behind], b"\0")  # what is behind the end may be anything, and is not to show up
        if len(places) < wanted:
            places += self._enlarge(folder, wanted - len(places), path)
        body = bytearray(ENTRY)
        body[:13] = short + bytes((attributes, flags))
        body[14:20] = stamp(self.epoch) + stamp(self.epoch)[2:]
        body[22:26] = stamp(self.epoch)
        struct.pack_into("<HI", body, 26, cluster & 0xFFFF, size)
        for at, raw in zip(places, [*long, bytes(body)]):
            self._disk.write(at, raw)
        self._nodes[path] = _Node(cluster, size, attributes, short, tuple(places[:wanted]))

    def _enlarge(self, folder: int | None, wanted: int, path: str) -> list[int]:
        if folder is None:
            raise ImageError("image.fat-root-full", path=shown(path))
        layout = self._layout
        more = self._take(-(-wanted * ENTRY // layout.cluster), path)
        for cluster in more:
            self._disk.write(layout.at(cluster), bytes(layout.cluster))
        chain = self._chain(folder, "a directory")
        self._join([chain[-1], *more])
        return [at for each in more for at in range(layout.at(each), layout.at(each) + layout.cluster, ENTRY)]

    def _writable(self) -> None:
        if self._layout.bits == 32:
            raise ImageError("image.fat32-read-only")
        if self._checked:
            return
        used: set[int] = set()
        for path, node in self._nodes.items():
            chain = self._chain(node.cluster, shown(path)) if node.cluster else []
            if used.intersection(chain) or (not node.directory and len(chain) * self._layout.cluster < node.size):
                raise ImageError("image.fat-not-owner", path=shown(path))
            used.update(chain)
        self._checked = True

    _checked = False

    # -- FileTree ---------------------------------------------------------------------------------------------

    def _list(self) -> list[Entry]:
        return [Entry(path, node.directory, 0 if node.directory else node.size) for path, node in self._nodes.items()]

    def _key(self, path: str) -> str:
        if path in self._entries:
            return path
        same = path.upper()
        return next((known for known in self._entries if known.upper() == same), path)

    def _read(self, path: str) -> bytes:
        node = self._nodes[path]
        if not node.size:
            return b""
        chain = self._chain(node.cluster, path)
        layout = self._layout
        if len(chain) * layout.cluster < node.size:
            raise ImageError("image.fat-file-truncated", path=shown(path))
        chain = chain[: -(-node.size // layout.cluster)]
        return b"".join(self._disk.read(layout.at(each), layout.cluster) for each in chain)[: node.size]

    def _write(self, path: str, data: bytes) -> None:
        self._writable()
        layout, old = self._layout, self._nodes.get(path)
        chain = self._take(-(-len(data) // layout.cluster), path)
        for index, cluster in enumerate(chain):
            part = data[index * layout.cluster : (index + 1) * layout.cluster]
            self._disk.write(layout.at(cluster), part.ljust(layout.cluster, b"\0"))
        self._join(chain)
        self._disk.sync()
        first = chain[0] if chain else 0
        if old is None:
            self._add(path, ARCHIVE, first, len(data))
        else:
            self._disk.write(old.slots[-1] + 22, stamp(self.epoch) + struct.pack("<HI", first, len(data)))
            self._nodes[path] = _Node(first, len(data), old.attributes, old.short, old.slots)
            self._disk.sync()
            self._release(old, path)
        self._disk.sync()

    def _remove(self, path: str, directory: bool) -> None:
        self._writable()
        node = self._nodes.pop(path)
        for at in node.slots:
            self._disk.write(at, b"\xe5")
        self._disk.sync()
        self._release(node, path)
        self._disk.sync()

    def _mkdir(self, path: str) -> None:
        self._writable()
        layout = self._layout
        above = self._parent(path)[0] or 0
        cluster = self._take(1, path)[0]
        dots = b""
        for name, target in ((b".", cluster), (b"..", above)):
            entry = bytearray(name.ljust(11) + bytes((DIRECTORY,)) + bytes(20))
            entry[22:26] = stamp(self.epoch)
            struct.pack_into("<H", entry, 26, target)
            dots += entry
        self._disk.write(layout.at(cluster), dots.ljust(layout.cluster, b"\0"))
        self._join([cluster])
        self._disk.sync()
        self._add(path, DIRECTORY, cluster, 0)
        self._disk.sync()

    def _rename(self, old: str, new: str) -> None:
        self._writable()
        node = self._nodes[old]
        # The old entry goes first within the same block: both then appear with one write.
        for at in node.slots:
            self._disk.write(at, b"\xe5")
        self._add(new, node.attributes, node.cluster, node.size)
        if node.directory:
            above = self._parent(new)[0] or 0
            self._disk.write(self._layout.at(node.cluster) + ENTRY + 26, struct.pack("<H", above))
        self._disk.sync()
        for path in [path for path in self._nodes if path == old or path.startswith(old + "/")]:
            moved = self._nodes.pop(path)
            if path != old:
                self._nodes[new + path[len(old) :]] = moved

    def set_label(self, label: str) -> None:
        """Name the volume, where it has no name yet: at most 11 characters."""
        self._writable()
        raw = label.upper().encode("cp437", "replace").ljust(11)
        if len(raw) > 11:
            raise ImageError("image.fat-label-too-long", label=label)
        at = next(at for at in self._slots(None) if self._disk.read(at, 1)[0] in (0, 0xE5))
        entry = bytearray(raw + bytes((VOLUME,)) + bytes(20))
        entry[22:26] = stamp(self.epoch)
        self._disk.write(at, bytes(entry))
        self._disk.sync()
        self.label = label.upper()

    def usage(self) -> Usage:
        layout = self._layout
        free = sum(1 for cluster in range(2, layout.clusters + 2) if self._next_cluster(cluster) == 0)
        return Usage(layout.cluster, layout.clusters, layout.clusters - free)

    def steps(self) -> list[tuple[int, bytes]]:
        return self._disk.steps()

    def used_blocks(self) -> list[int]:
        layout = self._layout
        used = list(range(0, layout.data, layout.sector))
        for cluster in range(2, layout.clusters + 2):
            if self._next_cluster(cluster):
                used += range(layout.at(cluster), layout.at(cluster) + layout.cluster, layout.sector)
        return used

    def _reopened(self) -> FileTree:
        return FatTree(self._disk)


def build_fat(
    files: Mapping[str, bytes],
    size: int,
    *,
    sector: int = 512,
    label: str = "",
    hidden: int = 0,
    directories: Iterable[str] = (),
    epoch: int = EPOCH,
) -> BuiltFs:
    """Make a FAT12 or FAT16 as MicroPython's own mkfs lays it out; the same input gives the same bytes.

    Args:
        size: bytes of the region; its start is the boot sector.
        sector: bytes of a sector, 512 to 4096.
        label: of the volume; stm32's firmware takes PYBFLASH.
        hidden: sectors before the volume; 0x100 for stm32, whose MBR is made up by the firmware.
        epoch: time of all files, seconds since 1970.

    Raises: ImageError when it does not fit, or a path cannot be.
    """
    folders, names = with_parents(files, tuple(directories))
    contents = {normal(path): data for path, data in files.items()}
    spelled: dict[str, str] = {}
    for name in (*folders, *names):
        before = spelled.setdefault(name.upper(), name)
        if before != name:
            raise ImageError("image.fat-same-name", path=shown(before), other=shown(name))
    boot, layout = new_boot_sector(size, sector, hidden, epoch)
    blank = Overlay(BytesBlocks(b"\xff" * size), sector)
    blank.write(0, boot)
    blank.write(sector, bytes(layout.data - sector))
    blank.write(sector, b"\xf8\xff\xff" if layout.bits == 12 else b"\xf8\xff\xff\xff")
    tree = FatTree(blank)
    tree.epoch = epoch
    if label:
        tree.set_label(label)
    for folder in folders:
        tree.mkdir(folder)
    for name in names:
        tree.write(name, contents[name])
    tree.check()
    used = tree.used_blocks()
    final = tree._disk
    built = BuiltFs("fat", size, sector, {at: final.read(at, sector) for at in used})
    again = FatTree(BytesBlocks(built.to_bytes()))
    if again.files() != {name: contents[name] for name in names} or again.label != label.upper():
        raise ImageError("image.fat-readback")
    return built
