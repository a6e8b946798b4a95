"""What is other between two images, dumps, boards or directories: their file systems side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .tree import FileTree


@dataclass(frozen=True)
class Side:
    """A file system as one side of a comparison has it.

    Attributes:
        name: what this side calls it.
        fixed: a ROMFS: a board has one beside the file system that it writes to.
        files: content by path.
        folders: all directories.
    """

    name: str = ""
    fixed: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    folders: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, tree: FileTree, name: str = "") -> Side:
        """Read all of an open file system. Raises ImageError."""
        folders = [entry.path for entry in tree.entries() if entry.directory]
        return cls(name, tree.kind == "romfs", tree.files(), folders)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference between two sides; sizes in bytes, None where it is not there, or a directory."""

    path: str
    what: Literal["added", "removed", "changed"]
    old_size: int | None = None
    new_size: int | None = None

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        return {"path": self.path, "what": self.what, "old_size": self.old_size, "new_size": self.new_size}


def difference(old: Sequence[Side], new: Sequence[Side]) -> list[Change]:
    """List what is other in `new`, sorted by path; files are compared by their content.

    A path begins with the file system's name where a side has several. What a board, its firmware and a dump call the
    same file system differs; ROMFS is compared with ROMFS all the same.
    """
    before, after = _as_one(old, new)
    out = []
    for path in sorted(before.keys() | after.keys()):
        one, two = before.get(path), after.get(path)
        first, second = (None if each is None else len(each) for each in (one, two))
        if path not in before:
            out.append(Change(path, "added", None, second))
        elif path not in after:
            out.append(Change(path, "removed", first, None))
        elif one != two:
            out.append(Change(path, "changed", first, second))
    return out


def _as_one(*sides: Sequence[Side]) -> list[dict[str, bytes | None]]:
    """Each side's content by path, None for a directory."""
    several = any(len(side) > 1 for side in sides)
    paired = all(len({each.fixed for each in side}) == len(side) for side in sides)
    names: dict[bool, str] = {}
    made: list[dict[str, bytes | None]] = []
    for side in sides:
        content: dict[str, bytes | None] = {}
        for each in side:
            name = names.setdefault(each.fixed, each.name) if paired else each.name
            prefix = f"{name}:" if several else ""
            content |= {prefix + path: None for path in each.folders}
            content |= {prefix + path: data for path, data in each.files.items()}
        made.append(content)
    return made
