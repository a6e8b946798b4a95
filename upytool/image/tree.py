"""Files in a file system, whatever its kind: one set of verbs over LittleFS, FAT and ROMFS."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ImageError

if TYPE_CHECKING:
    from .memory import Memory

Kind = Literal["littlefs2", "littlefs1", "fat", "romfs"]
KIND_NAMES: dict[str, str] = {
    "littlefs2": "LittleFS v2",
    "littlefs1": "LittleFS v1",
    "fat": "FAT",
    "romfs": "ROMFS",
}
EPOCH = 946684800  # 2000-01-01, MicroPython's own zero on most boards, and not before FAT's 1980
MAX_ENTRIES, MAX_DEPTH, MAX_NAME = 65536, 64, 255  # they bound the work on damaged input


class NoRoomError(ImageError):
    """Files do not go into a file system. `over`: how many bytes are too many, 0 where nobody counted."""

    code = "image.no-room"

    @property
    def over(self) -> int:
        found = self.fields.get("over", 0)
        return found if isinstance(found, int) else 0


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """A file or a directory; `path` without a leading slash, `size` 0 for directories."""

    path: str
    directory: bool
    size: int = 0

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"path": self.path, "kind": "dir" if self.directory else "file", "size": self.size}


@dataclass(frozen=True, slots=True)
class Usage:
    """How full a file system is; `used` in blocks (FAT: clusters), as `os.statvfs` counts them."""

    block_size: int
    blocks: int
    used: int

    @property
    def total(self) -> int:
        return self.block_size * self.blocks

    @property
    def free(self) -> int:
        return self.block_size * max(0, self.blocks - self.used)


@dataclass(frozen=True)
class BuiltFs:
    """A new file system.

    Attributes:
        size: bytes of its region.
        blocks: whole blocks by offset: all that must be written. What lies elsewhere in the region does not
            matter, old content included.
    """

    kind: Kind
    size: int
    block_size: int
    blocks: Mapping[int, bytes]

    @property
    def written(self) -> int:
        return sum(len(data) for data in self.blocks.values())

    def to_bytes(self) -> bytes:
        """The whole region, FF where nothing is."""
        out = bytearray(b"\xff" * self.size)
        for offset, data in self.blocks.items():
            out[offset : offset + len(data)] = data
        return bytes(out)

    def memory(self, start: int) -> Memory:
        from .memory import Memory

        return Memory.of((start + offset, data) for offset, data in self.blocks.items())


def normal(path: str) -> str:
    """A path without slashes around it. Raises ImageError for ".." and the like; "" is the root."""
    parts = [part for part in path.split("/") if part]
    for part in parts:
        if part in (".", "..") or "\0" in part or len(part.encode("utf-8", "surrogateescape")) > MAX_NAME:
            raise ImageError("image.bad-path", path=path)
    if len(parts) > MAX_DEPTH:
        raise ImageError("image.path-too-deep", path=path, limit=MAX_DEPTH)
    return "/".join(parts)


def shown(path: str) -> str:
    """A name for a message: on one line, whatever is in it."""
    return path if path.isprintable() else path.encode("unicode_escape", "backslashreplace").decode()[:200]


def with_parents(files: Mapping[str, bytes], directories: tuple[str, ...] = ()) -> tuple[list[str], list[str]]:
    """(directories, files) of a tree to be made, sorted, parents first.

    Raises: ImageError when something is to be both a file and a directory, or a path is unusable.
    """
    names = {normal(path): path for path in files}
    if len(names) < len(files) or "" in names:
        raise ImageError("image.path-twice")
    folders = {normal(path) for path in directories} - {""}
    for path in [*names, *folders]:
        parts = path.split("/")[:-1]
        folders |= {"/".join(parts[:count]) for count in range(1, len(parts) + 1)}
    both = sorted(folders & set(names))
    if both:
        raise ImageError("image.file-and-directory", path=both[0])
    return sorted(folders), sorted(names)


_State = tuple[int, bytes] | None  # size and digest ("" for not compared) of a file; None for a directory


class FileTree(ABC):
    """An open file system. Nothing is written anywhere: changes are collected and read with `steps`.

    Paths may have a leading slash. Every method raises ImageError: what is damaged, what is not there, what
    does not fit.
    """

    kind: Kind
    block_size: int
    label: str = ""

    @abstractmethod
    def _list(self) -> list[Entry]:
        """All files and directories, as they were before any change."""

    @abstractmethod
    def _read(self, path: str) -> bytes: ...

    @abstractmethod
    def _write(self, path: str, data: bytes) -> None: ...

    @abstractmethod
    def _remove(self, path: str, directory: bool) -> None: ...

    @abstractmethod
    def _mkdir(self, path: str) -> None: ...

    @abstractmethod
    def _rename(self, old: str, new: str) -> None: ...

    @abstractmethod
    def usage(self) -> Usage: ...

    @abstractmethod
    def steps(self) -> list[tuple[int, bytes]]:
        """The changes: (offset, whole block), in an order in which each state between is the old or the new tree."""

    @abstractmethod
    def used_blocks(self) -> list[int]:
        """Offsets of the blocks that belong to it, both halves of every metadata pair among them."""

    @abstractmethod
    def _reopened(self) -> FileTree:
        """The changed file system, read again from its bytes."""

    # -- what everybody uses ------------------------------------------------------------------------------

    # Whether `check` also compares the contents that no change was made to: all of it is read for that.
    deep = True
    _model: dict[str, _State] | None = None  # the tree as it must be after the changes

    _known: dict[str, Entry] | None = None

    @property
    def _entries(self) -> dict[str, Entry]:
        if self._known is None:
            self._known = {entry.path: entry for entry in self._list()}
        return self._known

    def entries(self) -> tuple[Entry, ...]:
        """All files and directories, sorted by path."""
        return tuple(sorted(self._entries.values()))

    def find(self, path: str) -> Entry | None:
        """The entry of this path; None where there is none."""
        return self._entries.get(self._key(normal(path)))

    def _key(self, path: str) -> str:
        """The name under which an entry is known: FAT finds names without regard to case."""
        return path

    def read(self, path: str) -> bytes:
        entry = self._there(path)
        if entry.directory:
            raise ImageError("image.is-a-directory", path=shown(entry.path))
        return self._read(entry.path)

    def files(self) -> dict[str, bytes]:
        """Content of every file by path."""
        return {entry.path: self._read(entry.path) for entry in self.entries() if not entry.directory}

    def write(self, path: str, data: bytes) -> None:
        """Make or replace a file; missing directories above it are made."""
        name, model = normal(path), self._start()
        found = self.find(name)
        if not name or (found is not None and found.directory):
            raise ImageError("image.is-a-directory", path=shown(name) or "/")
        if found is not None and self._read(found.path) == data:
            return
        name = found.path if found is not None else self._parents(name)
        self._write(name, data)
        model[name] = (len(data), _digest(data))
        self._entries[name] = Entry(name, False, len(data))

    def mkdir(self, path: str, parents: bool = True) -> None:
        """Make a directory; one that is there is no error."""
        name, model = normal(path), self._start()
        found = self.find(name)
        if found is not None and not found.directory:
            raise ImageError("image.is-a-file", path=shown(name))
        if not name or found is not None:
            return
        above = name.rpartition("/")[0]
        if above and not parents:
            self._there(above)
        name = self._parents(name)
        self._mkdir(name)
        model[name] = None
        self._entries[name] = Entry(name, True)

    def remove(self, path: str, recursive: bool = False) -> None:
        """Remove a file, or a directory: an empty one, or with all that is in it."""
        model, entry = self._start(), self._there(path)
        inside = [each for each in self.entries() if each.path.startswith(entry.path + "/")]
        if inside and not recursive:
            raise ImageError("image.directory-not-empty", path=shown(entry.path))
        for each in [*reversed(inside), entry]:
            self._remove(each.path, each.directory)
            del model[each.path], self._entries[each.path]

    def rename(self, old: str, new: str) -> None:
        """Give another name; never over something that is there."""
        model, entry, target = self._start(), self._there(old), normal(new)
        there = self.find(target)
        if not target or target == entry.path or (there is not None and there.path != entry.path):
            raise ImageError("image.exists", path=shown(target) or "/")
        if target.startswith(entry.path + "/"):
            raise ImageError("image.moved-into-itself", path=shown(entry.path))
        target = self._parents(target)
        self._rename(entry.path, target)
        for path in list(model):
            if path == entry.path or path.startswith(entry.path + "/"):
                moved = target + path[len(entry.path) :]
                model[moved] = model.pop(path)
                old_entry = self._entries.pop(path)
                self._entries[moved] = Entry(moved, old_entry.directory, old_entry.size)

    def check(self) -> None:
        """Read the changed file system again from its bytes and compare it with what it must be.

        Raises: ImageError.
        """
        if self._model is None:
            return
        again = self._reopened()
        found = {entry.path: entry for entry in again.entries()}
        wrong = sorted(found.keys() ^ self._model.keys())
        if not wrong:
            wrong = [path for path, state in self._model.items() if not _agrees(again, found[path], state)]
        if wrong:
            raise ImageError("image.readback", path=wrong[0])

    def _there(self, path: str) -> Entry:
        name = normal(path)
        found = Entry("", True) if not name else self.find(name)
        if found is None:
            raise ImageError("image.no-such-file", path=shown(name))
        return found

    def _parents(self, path: str) -> str:
        """Make the directories above; the path, with those that are there spelled as they are."""
        *parts, name = path.split("/")
        above = ""
        for part in parts:
            above = f"{above}/{part}" if above else part
            found = self.find(above)
            if found is None:
                self._mkdir(above)
                self._start()[above] = None
                self._entries[above] = Entry(above, True)
            elif not found.directory:
                raise ImageError("image.not-a-directory", path=shown(above))
            else:
                above = found.path
        return f"{above}/{name}" if above else name

    def _start(self) -> dict[str, _State]:
        if self._model is None:
            self._model = {
                entry.path: None
                if entry.directory
                else (entry.size, _digest(self._read(entry.path)) if self.deep else b"")
                for entry in self.entries()
            }
        return self._model


def _digest(data: bytes) -> bytes:
    from hashlib import sha256  # its library takes as long to load as all that lists files

    return sha256(data).digest()


def _agrees(tree: FileTree, entry: Entry, state: _State) -> bool:
    if state is None or entry.directory:
        return state is None and entry.directory
    length, digest = state
    return entry.size == length and (not digest or _digest(tree._read(entry.path)) == digest)
