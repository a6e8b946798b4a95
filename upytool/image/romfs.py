"""ROMFS: MicroPython's read-only file system, in place of where it lies in flash.

Records inside records: kind, length, payload; both numbers base 128, big-endian, bit 7 for "more", leading
80 allowed. The outer kind is 14A6B1 (bytes D2 CD 31) and the whole has an even size. 1 padding, 2 data, 3
pointer (length, offset from the start of the outer payload), 4 directory, 5 file (both: name length, name,
records). Source: MicroPython `extmod/vfs_rom.c`; its driver trusts what it reads, so that an image is
checked here before it goes to a board.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import ImageError

MAGIC = b"\xd2\xcd\x31"
UNUSED, PADDING, DATA, POINTER, DIRECTORY, FILE = range(6)
MAX_DEPTH, MAX_PATH, MAX_ENTRIES = 64, 512, 65536  # far more than a board can use; they bound the work
_WORTH_SHARING = 16  # a pointer costs up to 10 bytes


@dataclass(frozen=True, slots=True)
class RomfsEntry:
    """A file or a directory.

    Attributes:
        path: from the root, without a leading slash.
        offset: where the data lies in the image; 0 for directories.
        shared: whether the data is behind a pointer.
    """

    path: str
    directory: bool
    size: int = 0
    offset: int = 0
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Romfs:
    """A read image; `size` is its own, `raw` may be longer (a whole partition)."""

    raw: bytes
    size: int
    entries: tuple[RomfsEntry, ...]

    def find(self, path: str) -> RomfsEntry | None:
        wanted = path.strip("/")
        return next((entry for entry in self.entries if entry.path == wanted), None)

    def read(self, entry: RomfsEntry) -> bytes:
        return self.raw[entry.offset : entry.offset + entry.size]

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Path and content of every file."""
        return ((entry.path, self.read(entry)) for entry in self.entries if not entry.directory)


def is_romfs(data: bytes) -> bool:
    return data[:3] == MAGIC


def image_size(data: bytes) -> int:
    """The size of the image at the start of `data` (which may be only its first bytes).

    Raises: ImageError when there is none.
    """
    if not is_romfs(data):
        raise ImageError("image.no-romfs")
    length, at = _number(data, 3, len(data))
    return at + length


def read_romfs(data: bytes) -> Romfs:
    """Read and check an image at the start of `data`.

    Raises: ImageError when a record does not fit into the one around it, a pointer leads outside, a name is
        unusable or used twice, or directories nest deeper than 64.
    """
    size = image_size(data)
    if size > len(data):
        raise ImageError("image.romfs-truncated", actual=len(data), size=size)
    if size % 2:
        raise ImageError("image.romfs-odd-size", size=size)
    _, start = _number(data, 3, size)
    entries: dict[str, RomfsEntry] = {}
    work: list[tuple[int, int, str, int]] = [(start, size, "", 0)]
    while work:
        at, end, prefix, depth = work.pop()
        nested: list[tuple[int, int, str, int]] = []
        while at < end:
            kind, body, stop = _record(data, at, end)
            if kind in (DIRECTORY, FILE):
                length, name_at = _number(data, body, stop)
                if not 0 < length <= stop - name_at:
                    raise ImageError("image.romfs-damaged-name", path=prefix)
                name = _name(data[name_at : name_at + length])
                path = prefix + name
                if len(path) > MAX_PATH or len(entries) >= MAX_ENTRIES:
                    raise ImageError("image.romfs-too-many-entries", limit=MAX_ENTRIES)
                if path in entries:
                    raise ImageError("image.romfs-duplicate", path=path)
                if kind == FILE:
                    offset, count, shared = _content(data, name_at + length, stop, start, size, path)
                    entries[path] = RomfsEntry(path, False, count, offset, shared)
                else:
                    if depth >= MAX_DEPTH:
                        raise ImageError("image.romfs-too-deep", limit=MAX_DEPTH)
                    entries[path] = RomfsEntry(path, True)
                    nested.append((name_at + length, stop, path + "/", depth + 1))
            at = stop
        work.extend(reversed(nested))
    return Romfs(data, size, tuple(entries.values()))


def _number(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = 0
    while at < end:
        byte = data[at]
        at += 1
        value = value << 7 | byte & 0x7F
        if value >> 32:
            break
        if not byte & 0x80:
            return value, at
    raise ImageError("image.romfs-endless-number")


def _record(data: bytes, at: int, end: int) -> tuple[int, int, int]:
    kind, body = _number(data, at, end)
    length, body = _number(data, body, end)
    if kind == UNUSED or length > end - body:
        raise ImageError("image.romfs-damaged", offset=at)
    return kind, body, body + length


def _content(data: bytes, at: int, end: int, start: int, size: int, path: str) -> tuple[int, int, bool]:
    while at < end:
        kind, body, stop = _record(data, at, end)
        if kind == DATA:
            return body, stop - body, False
        if kind == POINTER:
            length, body = _number(data, body, stop)
            offset, _ = _number(data, body, stop)
            if start + offset + length > size:
                raise ImageError("image.romfs-points-outside", path=path)
            return start + offset, length, True
        at = stop
    raise ImageError("image.romfs-no-data", path=path)


def _name(raw: bytes) -> str:
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        raise ImageError("image.romfs-name-not-utf8", name=raw[:40]) from None
    if "/" in name or "\0" in name or name in (".", ".."):
        raise ImageError("image.romfs-bad-name", name=name[:40])
    return name


def build_romfs(
    files: Mapping[str, bytes],
    *,
    directories: Iterable[str] = (),
    align: int | Callable[[str], int] = 1,
    share: bool = True,
) -> bytes:
    """Make an image; the same input gives the same bytes.

    Args:
        files: content by path (slashes; a leading one is dropped).
        directories: further directories, for empty ones.
        align: where the data of a file begins, counted from the image's start: a power of two, or a
            function from the path to one. 1 for anywhere.
        share: store identical contents once.

    Raises: ImageError for unusable or contradicting paths.
    """
    tree: _Tree = {}
    for path in directories:
        _place(tree, path, None)
    for path in sorted(files):
        _place(tree, path, files[path])
    blob, places = _blob(files, align if callable(align) else lambda path: align, share)
    payload = blob + _directory(tree, "", places)
    width = _HEADER - len(MAGIC) if blob else 0
    length = _encode(len(payload)).rjust(width, b"\x80") if blob else _encode(len(payload))
    if (len(MAGIC) + len(length) + len(payload)) % 2:
        if blob:  # the header's size is settled: add an empty padding record of three bytes
            payload += _encode(PADDING) + b"\x80\x00"
            length = _encode(len(payload)).rjust(width, b"\x80")
        else:
            length = b"\x80" + length
    return MAGIC + length + payload


_Tree = dict[str, "bytes | _Tree"]
_HEADER = 8  # with data at fixed places the header has a fixed size, too


def _place(tree: _Tree, path: str, content: bytes | None) -> None:
    parts = path.strip("/").split("/")
    if any(not part or part in (".", "..") or "\0" in part for part in parts) or not _fits(path, parts):
        raise ImageError("image.romfs-path", path=path)
    for part in parts if content is None else parts[:-1]:
        below = tree.setdefault(part, {})
        if isinstance(below, bytes):
            raise ImageError("image.romfs-file-and-directory", path=path)
        tree = below
    if content is not None:
        if parts[-1] in tree:
            raise ImageError("image.romfs-path-twice", path=path)
        tree[parts[-1]] = bytes(content)


def _fits(path: str, parts: list[str]) -> bool:
    return len(parts) <= MAX_DEPTH and len(path.strip("/")) <= MAX_PATH


def _blob(
    files: Mapping[str, bytes], align: Callable[[str], int], share: bool
) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Shared or aligned data: in one padding record at the front, which lookups skip; files point to it."""
    groups: dict[bytes, list[str]] = {}
    alone: list[tuple[bytes, list[str]]] = []
    for path in sorted(files):
        if share and len(files[path]) >= _WORTH_SHARING:
            groups.setdefault(bytes(files[path]), []).append(path)
        else:
            alone.append((bytes(files[path]), [path]))
    wanted = []
    for content, paths in [*groups.items(), *alone]:
        step = max(align(path) for path in paths)
        if step < 1 or step & (step - 1):
            raise ImageError("image.romfs-alignment", step=step)
        if content and (len(paths) > 1 or step > 1):
            wanted.append((step, content, paths))
    if not wanted:
        return b"", {}
    wanted.sort(key=lambda each: (-each[0], each[2]))
    head = len(_encode(PADDING)) + 5  # its length as a number of five bytes, so that offsets are known
    body = bytearray()
    places: dict[str, tuple[int, int]] = {}
    for step, content, paths in wanted:
        body += b"\0" * (-(_HEADER + head + len(body)) % step)
        for path in paths:
            places[path.strip("/")] = (len(content), head + len(body))
        body += content
    return _encode(PADDING) + _encode(len(body)).rjust(5, b"\x80") + bytes(body), places


def _directory(tree: _Tree, prefix: str, places: dict[str, tuple[int, int]]) -> bytes:
    out = []
    for name in sorted(tree):
        node = tree[name]
        raw = name.encode()
        head = _encode(len(raw)) + raw
        if isinstance(node, bytes):
            place = places.get(prefix + name)
            if place is None:
                inner = _pack(DATA, node)
            else:
                inner = _pack(POINTER, _encode(place[0]) + _encode(place[1]))
            out.append(_pack(FILE, head + inner))
        else:
            out.append(_pack(DIRECTORY, head + _directory(node, prefix + name + "/", places)))
    return b"".join(out)


def _pack(kind: int, payload: bytes) -> bytes:
    return _encode(kind) + _encode(len(payload)) + payload


def _encode(value: int) -> bytes:
    out = [value & 0x7F]
    while value := value >> 7:
        out.append(value & 0x7F | 0x80)
    return bytes(reversed(out))
