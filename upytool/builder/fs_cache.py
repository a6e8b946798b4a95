"""File systems that were made before: the same files with the same parameters give the same blocks.

Making a LittleFS of fifty files costs as much time as all the rest of a build in which nothing changed. What is kept
counts only with its digest, and a finished image is opened and compared in any case.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from .. import __version__, documents, limits
from ..errors import ConfigError
from ..image.tree import BuiltFs
from ..whole_file import write_whole

KEEP = 24  # files, the newest


def cached_fs(
    cache: Path | None, parameters: Mapping[str, object], files: Mapping[str, bytes], make: Callable[[], BuiltFs]
) -> BuiltFs:
    """The file system of these files, from the cache or made.

    Args:
        parameters: all that decides the result besides the files; JSON values.
    """
    if cache is None:
        return make()
    key = sha256(json.dumps([__version__, parameters], sort_keys=True).encode())
    for path in sorted(files):
        key.update(f"\0{path}\0{len(files[path])}\0".encode("utf-8", "surrogateescape") + files[path])
    place = cache / f"{key.hexdigest()}.fs"
    found = _read(place)
    if found is None:
        found = make()
        _keep(place, found)
    return found


def _read(place: Path) -> BuiltFs | None:
    try:
        data = documents.read_bytes(place, limit=2 * limits.IMAGE_BYTES)
        digest, head, body = data[:32], *data[32:].split(b"\n", 1)
        if sha256(data[32:]).digest() != digest:
            return None
        said = documents.parse_json(head, place.name)
        blocks, at = {}, 0
        for offset, size in said["blocks"]:
            blocks[offset] = body[at : at + size]
            at += size
        return BuiltFs(said["kind"], said["size"], said["block_size"], blocks)
    except (ConfigError, ValueError, KeyError, TypeError):
        return None


def _keep(place: Path, fs: BuiltFs) -> None:
    """A cache is a convenience: that it can't be written is not a failure."""
    offsets = sorted(fs.blocks)
    head = {"kind": fs.kind, "size": fs.size, "block_size": fs.block_size,
            "blocks": [[offset, len(fs.blocks[offset])] for offset in offsets]}  # fmt: skip
    data = json.dumps(head).encode() + b"\n" + b"".join(fs.blocks[offset] for offset in offsets)
    with suppress(OSError):
        write_whole(place, sha256(data).digest() + data, parents=True)
        old = sorted(place.parent.glob("*.fs"), key=lambda each: each.stat().st_mtime)
        for each in old[:-KEEP]:
            each.unlink(missing_ok=True)
