"""Directories of boards as they were listed last, for the completion of `:path`. Never an error: only a cache.

A listing belongs to a board, not to the words that chose it: `boards.json` says which board each selector meant
when it was used last, so an alias, a port and an id of one board share what was listed through any of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from ..config.macros import shortcut
from ..config.paths import cache_dir, ensure_dir
from .ui.guard import harmless

# How many directories of a board, and how many selectors, are kept; the oldest go first.
MAX_DIRECTORIES = 500
MAX_SELECTORS = 200
_BOARDS = "boards.json"


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
        known[name] = board
    while len(known) > MAX_SELECTORS:
        del known[next(iter(known))]
    if known != before:
        save(_BOARDS, known)


def remember_listing(board: str, path: str, entries: Iterable[tuple[str, bool]]) -> None:
    """Keep one directory's listing.

    Args:
        board: what `remember_board` was given.
        path: the directory; relative ones are taken from the root, as a fresh board does.
        entries: names, and whether each is a directory; those that are never offered are left out.
    """
    name = _file(board)
    known = _table(name)
    key = "/" + path.strip("/")
    known.pop(key, None)
    known[key] = sorted([entry, bool(is_dir)] for entry, is_dir in entries if harmless(entry))
    while len(known) > MAX_DIRECTORIES:
        del known[next(iter(known))]
    save(name, known)


def remember_change(board: str, written: Iterable[str], removed: Iterable[str]) -> None:
    """Carry files that were written and paths that were removed into the listings."""
    name = _file(board)
    known = _table(name)
    for path, there in [*((each, True) for each in written if harmless(each)), *((each, False) for each in removed)]:
        parts = [part for part in path.split("/") if part]
        for depth in range(len(parts) if there else 0):
            _put(known, parts[:depth], parts[depth], depth + 1 < len(parts))
        if parts and not there:
            above = "/" + "/".join(parts[:-1])
            known[above] = [each for each in _entries(known, above) if each[0] != parts[-1]]
    save(name, known)


def _put(known: dict[str, Any], above: Sequence[str], entry: str, is_dir: bool) -> None:
    key = "/" + "/".join(above)
    others = [[name, kind] for name, kind in _entries(known, key) if name != entry]
    known[key] = sorted([*others, [entry, is_dir]])


def remote_paths(names: Iterable[str], incomplete: str) -> list[str]:
    """Paths that begin with `incomplete` on the board that one of the selectors means; directories end in a slash."""
    boards = _table(_BOARDS)
    board = next((str(boards[name]) for name in names if name in boards), None)
    if board is None:
        return []
    head, slash, start = incomplete.rpartition("/")
    listing = _entries(_table(_file(board)), "/" + head.strip("/"))
    return [head + slash + name + ("/" if is_dir else "") for name, is_dir in listing if name.startswith(start)]


def _entries(known: dict[str, Any], key: str) -> list[tuple[str, bool]]:
    with suppress(TypeError, ValueError):
        return [(str(name), bool(is_dir)) for name, is_dir in known.get(key, [])]
    return []


def _file(board: str) -> str:
    return f"listing-{sha256(board.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}.json"


def _table(name: str) -> dict[str, Any]:
    found = read(name)
    return found if isinstance(found, dict) else {}


def read(name: str) -> Any:
    """A file of the cache; None where there is none, or a damaged one."""
    from ..documents import read_json
    from ..errors import ConfigError

    try:
        return read_json(os.path.join(cache_dir(), "completion", name))
    except ConfigError:
        return None


def save(name: str, value: Any) -> None:
    """Write a file of the cache, where that can be."""
    from ..whole_file import write_whole

    with suppress(OSError):
        folder = ensure_dir(os.path.join(cache_dir(), "completion"))
        write_whole(os.path.join(folder, name), json.dumps(value).encode(), private=True)
