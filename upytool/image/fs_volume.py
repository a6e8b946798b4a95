"""A place for a file system, wherever it is, and what is in it. Only the kind that is opened is loaded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import ImageError
from .blocks import BlockSource
from .tree import KIND_NAMES

if TYPE_CHECKING:
    from .tree import FileTree


@dataclass(frozen=True)
class FsVolume:
    """A place for a file system, and what is in it.

    Attributes:
        name: the partition's, or the region's.
        kind: of its content: "littlefs2", "littlefs1", "fat", "romfs"; "" for none.
        source: who says that it is here: "binary info", "partition table", "board table", "you", "content".
        block_size: of the file system, 0 for none.
        blocks: to read it with.
        present: whether the file has any byte of it.
        problem: why the firmware will not take it as it is, "" where it will.
        taken: something that is not a file system is there, so that it must not pass for an empty place.
    """

    name: str
    start: int
    size: int
    kind: str
    source: str
    block_size: int
    blocks: BlockSource = field(repr=False, compare=False)
    present: bool = True
    problem: str = ""
    taken: bool = False

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def title(self) -> str:
        """How a person names it: by its name, else by its address."""
        return self.name or f"{self.start:#x}"

    @property
    def kind_name(self) -> str:
        return KIND_NAMES.get(self.kind, "nothing")

    def open(self) -> FileTree:
        """Read it. Raises ImageError: nothing is in it, or what is in it is damaged."""
        if not self.kind:
            raise ImageError(
                "image.no-file-system-in", where=f"{self.name or 'the region'} at {self.start:#x}", hint=self.problem
            )
        return _opened(self.kind, self.blocks)


def _opened(kind: str, blocks: BlockSource) -> FileTree:
    if kind == "romfs":
        from .romfs_tree import RomfsTree

        return RomfsTree(blocks)
    if kind == "fat":
        from .fat import FatTree

        return FatTree(blocks)
    if kind == "littlefs1":
        from .lfs1 import Lfs1Tree

        return Lfs1Tree(blocks)
    from .littlefs import Lfs2Tree

    return Lfs2Tree(blocks)
