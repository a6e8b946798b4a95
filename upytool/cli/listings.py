"""Directories of boards as they were listed last, for the completion of `:path`. Never an error: only a cache.

A listing belongs to a board, not to the words that chose it: one file says which board each selector meant when it was
used last, so an alias, a port and an id of one board share what was listed through any of them.

The files are texts whose records end with two NULs and whose parts end with one, which no name holds: `ls` writes them,
and json and hashlib would be a tenth of its time.
"""

from __future__ import annotations

import os
from binascii import crc32
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ..config.macros import shortcut
from ..config.paths import cache_dir, ensure_dir
from .ui.guard import harmless

# How many directories of a board, and how many selectors, are kept; the oldest go first.
MAX_DIRECTORIES = 500
MAX_SELECTORS = 200
_BOARDS = "boards"

Table = dict[str, list[str]]  # a path, or a selector, to its entries; a directory's name ends with a slash


def names_of(selector: str | None, aliases: Mapping[str, str]) -> list[str]:
    """A selector and what it stands for, as far as words alone tell."""
    names = [selector or "auto"]
    while names[-1] in aliases and aliases[names[-1]] not in names:
        names.append(aliases[names[-1]])
    last = names[-1].removeprefix("port:")
    return [*names, last, shortcut(last) or last]


def remember_board(names: Iterable[str], board: str) -> None:
    """Note that these selectors mean the board that is known by `board`."""
    known = _table(_BOARDS)
    before = dict(known)
    for name in names:
        known.pop(name, None)
        known[name] = [board]
    while len(known) > MAX_SELECTORS:
        del known[next(iter(known))]
    if known != before:
        _write(_BOARDS, known)


def remember_listing(board: str, path: str, entries: Iterable[tuple[str, bool]]) -> None:
    """Keep one directory's listing.

    Args:
        board: what `remember_board` was given.
        path: the directory; relative ones are taken from the root, as a fresh board does.
        entries: names, and whether each is a directory; those that are never offered are left out.
    """
    known = _listings(board)
    key = "/" + path.strip("/")
    known.pop(key, None)
    known[key] = sorted(entry + "/" * is_dir for entry, is_dir in entries if harmless(entry))
    while len(known) > MAX_DIRECTORIES:
        del known[next(iter(known))]
    _keep(board, known)


def remember_change(board: str, written: Iterable[str], removed: Iterable[str]) -> None:
    """Carry files that were written and paths that were removed into the listings."""
    known = _listings(board)
    for path, there in [*((each, True) for each in written if harmless(each)), *((each, False) for each in removed)]:
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) if there else 0):
            _put(known, parts[:depth], parts[depth], depth + 1 < len(parts))
        if parts and not there:
            above = "/" + "/".join(parts[:-1])
            known[above] = [each for each in known.get(above, ()) if each.rstrip("/") != parts[-1]]
    _keep(board, known)


def _put(known: Table, above: Sequence[str], entry: str, is_dir: bool) -> None:
    key = "/" + "/".join(above)
    others = [each for each in known.get(key, ()) if each.rstrip("/") != entry]
    known[key] = sorted([*others, entry + "/" * is_dir])


def remote_paths(names: Iterable[str], incomplete: str) -> list[str]:
    """Paths that begin with `incomplete` on the board that one of the selectors means; directories end in a slash."""
    boards = _table(_BOARDS)
    board = next((boards[name][0] for name in names if boards.get(name)), None)
    if board is None:
        return []
    head, slash, start = incomplete.rpartition("/")
    listed = _listings(board).get("/" + head.strip("/"), ())
    return [head + slash + name for name in listed if name.startswith(start)]


def _listings(board: str) -> Table:
    known = _table(_file(board))
    return known if known.pop("", None) == [board] else {}


def _keep(board: str, known: Table) -> None:
    _write(_file(board), {"": [board], **known})


def _file(board: str) -> str:
    return f"listing-{crc32(board.encode('utf-8', 'surrogatepass')):08x}"  # who it is stands in it


def _table(name: str) -> Table:
    from ..documents import read_bytes
    from ..errors import ConfigError

    try:
        text = read_bytes(os.path.join(cache_dir(), "completion", name)).decode("utf-8", "surrogatepass")
    except (ConfigError, UnicodeDecodeError):
        return {}
    if not text.endswith("\0\0"):
        return {}
    return {key: parts for key, *parts in (record.split("\0") for record in text[:-2].split("\0\0"))}


def _write(name: str, known: Table) -> None:
    records = ("\0".join([key, *parts]) + "\0\0" for key, parts in known.items())
    _save(name, "".join(records).encode("utf-8", "surrogatepass"))


def read(name: str) -> Any:
    """A JSON file of the cache; None where there is none, or a damaged one."""
    from ..documents import read_json
    from ..errors import ConfigError

    try:
        return read_json(os.path.join(cache_dir(), "completion", name))
    except ConfigError:
        return None


def save(name: str, value: Any) -> None:
    """Write a JSON file of the cache, where that can be."""
    import json

    _save(name, json.dumps(value).encode())


def _save(name: str, data: bytes) -> None:
    from ..whole_file import write_whole

    with suppress(OSError):
        folder = ensure_dir(os.path.join(cache_dir(), "completion"))
        write_whole(os.path.join(folder, name), data, private=True)
