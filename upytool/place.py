"""Where something is: on the board, or here. One value from the command line to the wire."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A path, and whether it is on the board; as text, a colon stands before a path of the board (mpremote's `cp`)."""

    path: str
    remote: bool

    @classmethod
    def parse(cls, text: str | Place) -> Place:
        """What a word names: `:path` is on the board, anything else here."""
        if isinstance(text, Place):
            return text
        return cls(text[1:], True) if text[:1] == ":" else cls(text, False)

    @property
    def is_cwd(self) -> bool:
        """Whether it is the board's working directory."""
        return self.remote and self.path in ("", ".", "./")

    def __str__(self) -> str:
        return ":" + self.path if self.remote else self.path
