"""How text is dressed: one decision about colour, and the few roles that have one.

No meaning is ever carried by colour alone.
"""

from __future__ import annotations

from .guard import styled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def want_colour(flag: str, environ: Mapping[str, str], is_tty: bool) -> bool:
    """The one rule: --color > NO_COLOR > FORCE_COLOR > a terminal that is not dumb.

    Args:
        flag: auto, always or never.
        environ: the environment.
        is_tty: whether the stream is a terminal.
    """
    if flag != "auto":
        return flag == "always"
    if environ.get("NO_COLOR"):
        return False
    force = environ.get("FORCE_COLOR", "")
    if force:
        return force not in ("0", "false")
    return is_tty and environ.get("TERM") != "dumb"


class Style:
    """The look of one stream.

    Attributes:
        colour: whether escape sequences may be used.
        tty: whether a person reads it; tables are aligned then, else tab-separated.
        width: columns.
        unicode: whether the stream can show more than ASCII.
    """

    __slots__ = ("colour", "tty", "unicode", "width")

    def __init__(self, colour: bool = False, tty: bool = False, width: int = 80, unicode: bool = True) -> None:
        self.colour, self.tty, self.width, self.unicode = colour, tty, width, unicode

    def paint(self, text: str, codes: str) -> str:
        """`text` between the SGR codes and a reset, marked as ours for the guard of the streams."""
        return styled(text, codes) if self.colour and text else text

    def heading(self, text: str) -> str:
        return self.paint(text, "1;32")

    def literal(self, text: str) -> str:
        """What can be typed: a command, an option."""
        return self.paint(text, "1;36")

    def strong(self, text: str) -> str:
        return self.paint(text, "1")

    def dim(self, text: str) -> str:
        return self.paint(text, "2")

    def good(self, text: str) -> str:
        return self.paint(text, "32")

    def warning(self, text: str) -> str:
        return self.paint(text, "1;33")

    def error(self, text: str) -> str:
        return self.paint(text, "1;31")

    def hint(self, text: str) -> str:
        return self.paint(text, "1;36")

    def directory(self, text: str) -> str:
        return self.paint(text, "1;34")

    def glyph(self, fancy: str, plain: str) -> str:
        """`fancy` where the stream can show it, else `plain`."""
        return fancy if self.unicode else plain
