"""The boards that MicroPython has firmware for, by any name that people use, and how their flash is divided.

    from upytool.api import catalogue

    for board in catalogue.boards(port="rp2"):
        print(board.id, board.mcu, board.product)
    print(catalogue.show("pico w").data()["layouts"])

Facts are those of MicroPython's releases; its site may know younger boards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from ..words import Said

if TYPE_CHECKING:
    from ..boards.catalogue import Board as Board
    from ..boards.layouts import Region as Region

__all__ = ["BoardFacts", "boards", "search", "show", "suggest"]


@dataclass(frozen=True)
class BoardFacts:
    """What is known of a board.

    Attributes:
        variant: the one that was named, "" where none was.
        layouts: the regions of its flash by variant ("" is the default one), as far as the table knows them.
        problem: why there is no layout, "" where there is one.
    """

    board: Board
    variant: str
    layouts: dict[str, tuple[Region, ...]]
    problem: str = ""

    @property
    def flash_size(self) -> int | None:
        """Bytes of flash, None where nobody knows."""
        return self.board.flash_size(self.variant)

    def data(self) -> dict[str, Any]:
        """As a JSON value."""
        layouts = {name: [each.data() for each in regions] for name, regions in self.layouts.items()}
        return {**self.board.data(), "layouts": layouts}


def boards(*, port: str | None = None, mcu: str | None = None, vendor: str | None = None) -> list[Board]:
    """List the boards, by port and name.

    Args:
        port: only those of this port of MicroPython (`rp2`).
        mcu: only those with this chip (`esp32s3`, `ESP32-S3`).
        vendor: only those of makers with this in their name.

    Raises: UsageError where no board has such a port or chip; its hint names those that there are.
    """
    from ..boards.catalogue import all_boards, plain

    found = all_boards()
    for attribute, wanted in (("port", port), ("mcu", mcu)):
        if wanted is not None:
            there = sorted({getattr(each, attribute) for each in found})
            found = [each for each in found if plain(getattr(each, attribute)) == plain(wanted)]
            if not found:
                raise UsageError(
                    "usage.no-board-with", attribute=attribute, wanted=wanted, hint=_nearest(wanted, there)
                )
    if vendor is not None:
        found = [each for each in found if vendor.lower() in each.vendor.lower()]
    return found


def _nearest(wanted: str, there: list[str]) -> list[Said]:
    from difflib import get_close_matches

    near = get_close_matches(wanted.lower(), there, 1, 0.6)
    return [*([Said("api.did-you-mean", names=near)] if near else []), Said("api.there-are", names=there)]


def search(words: Sequence[str]) -> list[Board]:
    """Find the boards that have every word in their name, product, maker, chip, features or nicknames."""
    from ..boards.catalogue import search as look

    return look(words)


def suggest(name: str) -> list[str]:
    """List the names of boards that `name` may have meant, best first."""
    from ..boards.catalogue import suggest as near

    return near(name)


def show(name: str, version: str | None = None) -> BoardFacts:
    """Look a board up.

    Args:
        name: of a board, any that it has, or BOARD-VARIANT.
        version: of the MicroPython whose layout of the flash is meant; None: of the newest that is known.

    Raises: UsageError where there is no such board, variant or version.
    """
    from ..boards.catalogue import split_name
    from ..boards.layouts import LayoutError, layouts
    from ..image.identity import release_of

    if version is not None and release_of(version) is None:
        raise UsageError("usage.micropython-version", version=version)
    board, variant = split_name(name)
    release = version or (board.tags[-1] if board.tags else "1.26")
    known: dict[str, tuple[Region, ...]] = {}
    problem = ""
    for each in (variant,) if variant else ("", *board.variants):
        try:
            known[each] = tuple(layouts(board.id, each, release, flash_size=board.flash_size(each)))
        except LayoutError as error:
            problem = problem or f"{error}" + (f"; {error.hint}" if error.hint else "")
    return BoardFacts(board, variant, known, "" if known else problem)
