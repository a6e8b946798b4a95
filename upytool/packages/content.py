"""What the files of an install hold: fetched and checked before anything goes to the board."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from upytool.errors import PackageError

from .download import Fetcher, is_url
from .record import DIGITS
from .sources import SourceFile

# A file, its whole path on the board, and whether it is to be compiled.
Fitted = tuple[SourceFile, str, bool]


def fetch(files: Iterable[Fitted], here: Mapping[str, str | None], fetcher: Fetcher) -> dict[SourceFile, bytes]:
    """Get and verify every file that the board does not have already, side by side.

    Args:
        here: the digests of what the board has, by whole path.

    Returns:
        The contents of those that were got. One with a whole digest that the cache has is not asked for.

    Raises:
        PackageError, NetworkError, OfflineError.
    """
    todo: dict[str, bool] = {}
    wanted: dict[str, list[SourceFile]] = {}
    contents: dict[SourceFile, bytes] = {}
    for file, path, to_compile in files:
        if not to_compile and file.digest and (here.get(path) or "").startswith(file.digest):
            continue
        known = fetcher.cache.blob(file.digest) if len(file.digest) == 64 else None
        if known is not None:
            contents[file] = known
            continue
        todo[file.location] = file.immutable
        wanted.setdefault(file.location, []).append(file)
    for location, data in fetcher.fetch_all(todo.items()).items():
        for file in wanted[location]:
            contents[file] = verified(file, data)
    return contents


def source_digest(
    files: Sequence[SourceFile],
    contents: Mapping[SourceFile, bytes],
    here: Mapping[str, str | None],
    target: str = "",
) -> str:
    """One digest over a package's files as the source has them (before compiling).

    Args:
        contents: of the files that were fetched.
        here: digests of the others, by path on the board: these are unchanged there.
    """
    total = hashlib.sha256()
    for file in sorted(files, key=lambda each: each.path):
        data = contents.get(file)
        digest = hashlib.sha256(data).hexdigest() if data is not None else here.get(f"{target}/{file.path}") or ""
        total.update(f"{file.path}\0{digest}\n".encode())
    return total.hexdigest()[:DIGITS]


def verified(file: SourceFile, data: bytes) -> bytes:
    """The content, if it is what the source promised.

    Raises:
        PackageError: it is not; the message has the file, what was expected and what came.
    """
    got = hashlib.sha256(data).hexdigest()
    if file.digest and not got.startswith(file.digest):
        where = file.location if is_url(file.location) else f"the local file {file.location}"
        raise PackageError("package.digest", path=file.path, where=where, wanted=file.digest, found=got)
    return data
