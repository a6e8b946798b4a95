"""Names that a file system takes for one: `Main.py` and `main.py` (FAT, NTFS, APFS), two forms of an `é` (APFS, HFS+).

Of two such files a copy would leave one, without a word. So a plan is refused before anything is written, when two of
its targets are one file there, or when a target is there already under another spelling.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from unicodedata import normalize

from ..errors import UsageError
from ..protocol.ops import Op
from ..whole_file import discard, open_beside
from .fs_ops import FsOps
from .fs_types import Stat
from .mover import Mover, Status

EINVAL = 22


class Same(NamedTuple):
    """What a file system does not tell apart."""

    case: bool = False
    forms: bool = False

    def key(self, path: str) -> str:
        """Equal for paths that are one file."""
        path = normalize("NFC", path) if self.forms else path
        return path.lower() if self.case else path


def twins(paths: Iterable[str], same: Same) -> tuple[str, str] | None:
    """The first two different paths that are one file."""
    first: dict[str, str] = {}
    for path in paths:
        other = first.setdefault(same.key(path), path)
        if other != path:
            return other, path
    return None


def check_twins(paths: Iterable[str], same: Same) -> None:
    """Errors: UsageError where two of the paths are one file."""
    found = twins(paths, same)
    if found:
        forms = same.forms and twins(found, Same(forms=True))
        raise UsageError(
            "usage.same-name-in-forms" if forms else "usage.same-name-in-case", first=found[0], second=found[1]
        )


def check_spelt(paths: Iterable[str], there: Mapping[str, Status]) -> None:
    """Errors: UsageError where one of the paths is there under another spelling."""
    for path in paths:
        name = there[path].spelt if path in there else ""
        if name:
            raise UsageError("usage.other-case", path=path, name=name)


def board_twins(fs: FsOps, mover: Mover, paths: Sequence[str], folder: str) -> Op[None]:
    """`check_twins` for a folder of the board, which is asked only where the answer matters.

    FatFs calls `*` an invalid name (lib/oofatfs/ff.c: create_name), other file systems say that there is no such file.
    So an empty file system answers too, and nothing is written.
    """
    if twins(paths, Same(case=True)) is None:
        return
    yield from mover.close()
    chain = [folder or "."]
    while chain[-1].strip("/.") and len(chain) < 64:
        parent = chain[-1].rstrip("/").rpartition("/")[0]
        chain.append(parent or ("/" if folder.startswith("/") else "."))
    stars = ["*" if path == "." else path.rstrip("/") + "/*" for path in chain]
    found = yield from fs.stats(chain + stars)
    for state, star in zip(found, found[len(chain) :], strict=False):
        if isinstance(state, Stat) or star == EINVAL:
            check_twins(paths, Same(case=star == EINVAL))
            return


def local_twins(paths: Sequence[str], folder: str) -> None:
    """`check_twins` for a folder of this computer."""
    if twins(paths, Same(True, True)) is not None:
        check_twins(paths, local_same(folder))


def local_same(folder: str) -> Same:
    """What the file system of a folder (or of the nearest one above it) does not tell apart: it is tried out."""
    while not os.path.isdir(folder or "."):
        folder = os.path.dirname(folder)
    try:
        file, path = open_beside(os.path.join(folder, "name"))
    except (OSError, ValueError):
        return Same(os.name == "nt", False)
    file.close()
    try:
        upper = os.path.exists(path.replace(".upytool", ".UPYTOOL"))
        accented = path.replace(".part", "-\u00e9.part")
        os.rename(path, accented)
        path = accented
        return Same(upper, os.path.exists(normalize("NFD", path)))
    except OSError:  # a file system that takes no such name tells nothing apart by it
        return Same(upper, False)
    finally:
        discard(path)


def local_spelling(path: str, listed: dict[str, frozenset[str]]) -> str:
    """How the name of an existing path is spelt in its folder, where that is not what `path` says; else ''.

    Args:
        listed: folder -> its names, kept from call to call.
    """
    folder, name = os.path.split(path)
    if folder not in listed:
        try:
            listed[folder] = frozenset(os.listdir(folder or "."))
        except OSError:
            listed[folder] = frozenset()
    key = Same(True, True).key(name)
    found = [] if name in listed[folder] else [other for other in listed[folder] if Same(True, True).key(other) == key]
    # HFS+ gives every name back decomposed: another form of the same name is not another spelling.
    return "" if any(normalize("NFC", other) == normalize("NFC", name) for other in found) else "".join(found[:1])
