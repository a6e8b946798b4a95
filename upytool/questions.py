"""Questions as values, and who answers them.

The library asks nobody by itself: where something may be lost it puts a `Question` to the `Ask` of its caller. The
command line's prompts a person, an agent's consults its allow-list, a test's records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Code = Literal[
    "bootloader.enter",  # board: the program that runs there is ended by a restart into the bootloader
    "erase",  # board, part ("all", "fs", "range"), range
    "flash",  # board, firmware: write it; no files are known to be lost
    "flash.all",  # boards, compare, files_lost: the one question for several boards
    "flash.compare",  # board, firmware: a board that runs is restarted to be compared
    "flash.confirm",  # board, slot: nothing is written, the firmware that runs is confirmed
    "flash.files-found",  # board, note: only its bootloader shows that files are lost
    "flash.files-lost",  # board, firmware, saved: write it, although files are lost
    "flash.no-rollback",  # board, slot: new firmware that does not start cannot be undone without a cable
    "flash.replace-backup",  # path, running: the backup that is there may be the better one where nothing runs
    "read-flash.replace",  # path
]


@dataclass(frozen=True, slots=True)
class Question:
    """One question.

    Attributes:
        code: what is asked; `Code` lists them with their fields.
        fields: what it is about, JSON values by name.
    """

    code: Code
    fields: Mapping[str, object] = field(default_factory=dict)

    def data(self) -> dict[str, object]:
        """As a JSON value."""
        return {"code": self.code, **self.fields}


Ask = Callable[[Question], bool]


def decline(question: Question) -> bool:
    """Answer no: nothing is lost that nobody agreed to."""
    return False


def accept(question: Question) -> bool:
    """Answer yes, whatever is asked."""
    return True
