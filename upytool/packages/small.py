"""Small installs by short programs (device.oneshot): one looks, one does it. Anything else goes the long way.

What a journal and a stage cost a board is more than a few small files are worth. So these wait beside their places
under numbers, and the record to be, written after them, is the journal: it says which file has which number (`parts`).
Then all are renamed, the record last.

- Cut off before that record is whole, nothing was installed: what is there is removed by the next install.
- Cut off afterwards, the next install or uninstall finishes it (`apply.recover`).
- Whatever is refused or goes wrong is taken back, and the long way does it from the start, or says why it cannot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from upytool.device.oneshot import padded
from upytool.device.small_mover import ALL_BYTES, FILES
from upytool.errors import StreamError

from .board import PART, RECORD, WAITING, RunsShort
from .plan import InstallPlan
from .record import Record


def parts(record: Record) -> list[str]:
    """The files that a record names, whole below the target; one that waits has its place here for a number."""
    return list(dict.fromkeys(path for name in sorted(record.packages) for path in record.packages[name].files))


def fits(plan: InstallPlan) -> bool:
    """Whether a plan is for a short program: a few new files."""
    writes = plan.writes()
    size = len(plan.record.to_bytes()) + sum(file.size for file in writes)
    return plan.adds_only and 0 < len(writes) <= FILES and size <= ALL_BYTES


def moves_of(plan: InstallPlan) -> list[tuple[str, str, bytes]]:
    """For each file of a plan: the name under which it waits, its own, its content; the record is the last."""
    order, target = parts(plan.record), plan.target
    number = {f"{target}/{path}": at for at, path in enumerate(order)}
    moves = [(f"{target}{PART}{number[file.path]}", file.path, file.data or b"") for file in plan.writes()]
    return [*moves, (target + WAITING, target + RECORD, plan.record.to_bytes())]


def install(board: RunsShort, moves: Sequence[tuple[str, str, bytes]], folders: Sequence[str]) -> None:
    """Have the board do all of it.

    Raises:
        FAILED: it did not, or only a part of it, or nobody knows.
    """
    values: dict[str, Any] = {"MOVES": tuple((part, path, data, len(data)) for part, path, data in moves)}
    names = ["parcel"]
    if not board.sure:
        names.append("sealed")
        values.update(SEALED=tuple(folders), SUM=_digest(moves, folders))
    if folders:
        names.append("folders")
        values["FOLDERS"] = tuple(folders)
    if board.one(*names, "install", **values):
        raise StreamError("protocol.stream.altered")


def _digest(moves: Sequence[tuple[str, str, bytes]], folders: Sequence[str]) -> bytes:
    total = hashlib.sha256()
    for path in folders:
        total.update(padded(path).encode("utf-8", "surrogateescape"))
    for part, path, data in moves:
        total.update(f"{padded(part)}{padded(path)}".encode("utf-8", "surrogateescape") + data)
    return total.digest()[:8]
