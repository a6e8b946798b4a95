"""The steps of a plan as values; how a step is put in words is for whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .bootloader import WayKind

StepKind = Literal[
    "save-files",  # path: an archive of the files, by the REPL
    "enter",  # way: into the bootloader
    "save-flash",  # path: the whole flash as it is
    "compare",  # by
    "erase-all",
    "erase-fs",
    "write",  # by, slot
    "read-back",
    "start",  # the firmware
    "ask-version",  # of the firmware's REPL
    "confirm",  # slot: every reset starts it from then on
]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a run does.

    Attributes:
        kind: which; `StepKind` says what it has of the others.
        by: the flasher.
        way: how the board gets into its bootloader.
        path: of a backup.
        slot: label of an OTA slot.
    """

    kind: StepKind
    by: str = ""
    way: WayKind | Literal[""] = ""
    path: str = ""
    slot: str = ""

    def data(self) -> dict[str, object]:
        """As a JSON value."""
        facts = {"by": self.by, "way": self.way, "path": self.path, "slot": self.slot}
        return {"kind": self.kind, **{name: value for name, value in facts.items() if value}}
