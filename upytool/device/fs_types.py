"""What the file operations return, and whom they ask."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Kind = Literal["file", "dir"]


class Stat(NamedTuple):
    """A path of the board. `size` in bytes (0 for a folder), `mtime` in seconds since 1970 (0 where unknown)."""

    kind: Kind
    size: int
    mtime: int = 0

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"


class Entry(NamedTuple):
    """One entry of a folder; `path` is the name, or from `walk` and `tree` the path below what was asked for."""

    name: str
    kind: Kind
    size: int

    @property
    def is_dir(self) -> bool:
        return self.kind == "dir"

    def data(self) -> dict[str, object]:
        return {"name": self.name, "kind": self.kind, "size": self.size}


class Mount(NamedTuple):
    """A mounted file system; sizes in bytes, `kind` as the board names it (`VfsLfs2`), '' where it does not say."""

    path: str
    total: int
    used: int
    free: int
    kind: str = ""
    block: int = 0

    def data(self) -> dict[str, object]:
        return {
            "path": self.path,
            "total": self.total,
            "used": self.used,
            "free": self.free,
            "kind": self.kind,
            "block": self.block,
        }


class Removed(NamedTuple):
    """What `rmtree` did with a path: `removed`, or `kept` because something is mounted there."""

    path: str
    is_dir: bool
    kept: bool = False


Agree = Callable[[str], None]


def agreed(_: str) -> None:
    """Answer every question with yes, as a caller does who has decided already; another one raises to stop."""
