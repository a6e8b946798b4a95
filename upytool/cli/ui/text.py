"""The text face of results: tables, sizes, times.

A table is aligned for a person and tab-separated for a program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from .guard import one_line
from .style import Style


@runtime_checkable
class Result(Protocol):
    """What a command hands to `App.emit`: one value with two faces."""

    def text(self, style: Any) -> str | Iterable[str]:
        """Lines for a person (without line ends), or one string."""
        ...

    def data(self) -> Any:
        """The same as a JSON value."""
        ...


class Answer:
    """A Result made of parts.

    Args:
        data: the JSON value, or a function that makes it.
        text: a string, lines, or a function from a Style to either; the value's `str` where not given.
    """

    def __init__(
        self,
        data: Any,
        text: str | Iterable[str] | Callable[[Style], str | Iterable[str]] | None = None,
    ) -> None:
        self._data, self._text = data, text

    def text(self, style: Style) -> str | Iterable[str]:
        if self._text is None:
            return str(self.data())
        return self._text(style) if callable(self._text) else self._text

    def data(self) -> Any:
        return self._data() if callable(self._data) else self._data


def rows(
    style: Style,
    header: Sequence[str],
    body: Iterable[Sequence[object]],
    *,
    align: str = "",
    paint: Callable[[int, str], str] | None = None,
) -> list[str]:
    """A table as lines; no line at all, not even the heading, when it is empty.

    Args:
        style: `style.tty` decides: aligned columns under a heading, or tab-separated values without one.
        header: one title a column; all empty for no heading line.
        body: the rows; None is an empty cell.
        align: one letter a column, l or r; missing ones are l.
        paint: called with column number and padded text, for colour on a terminal.
    """
    cells = [["" if cell is None else str(cell) for cell in row] for row in body]
    if not cells:
        return []
    if not style.tty:
        return ["\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row) for row in cells]
    # Now and not at the stream alone: an escape is wider than the character that it stands for.
    cells = [[one_line(cell) for cell in row] for row in cells]
    titled = any(header)
    widths = [0] * len(header)
    for row in [*cells, list(header)]:
        for column, cell in enumerate(row):
            widths[column] = max(widths[column], width_of(cell))

    def line(row: Sequence[str], dress: Callable[[int, str], str]) -> str:
        parts = []
        for column, cell in enumerate(row):
            space = " " * (widths[column] - width_of(cell))
            right = align[column : column + 1] == "r"
            last = column == len(row) - 1
            dressed = dress(column, cell)
            parts.append(space + dressed if right else dressed if last else dressed + space)
        return "  ".join(parts).rstrip()

    lines = [line(header, lambda _, cell: style.strong(cell))] if titled else []
    return lines + [line(row, paint or (lambda _, cell: cell)) for row in cells]


def wrapped(style: Style, text: str, indent: str = "", hang: int = 2) -> list[str]:
    """A sentence as lines: none is wider than the terminal, and where there is none it is one line.

    Args:
        indent: before the first line; those after it begin `hang` columns further to the right.
    """
    if not style.tty:
        return [indent + text]
    from textwrap import wrap

    width = max(40, style.width)
    more = indent + " " * hang
    return wrap(
        text, width, initial_indent=indent, subsequent_indent=more, break_long_words=False, break_on_hyphens=False
    )


def width_of(text: str) -> int:
    """Columns on a terminal: wide East Asian letters take two, combining marks none."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def plural(number: int, noun: str, nouns: str = "") -> str:
    """`1 file`, `3 files`."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


def size(count: float) -> str:
    """Bytes for a person, in steps of 1000: `812 B`, `12.4 kB`, `3.1 MB`."""
    if count < 1000:
        return f"{count:.0f} B"
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.95 or unit == "GB":
            break
    return f"{count:.1f} {unit}"


def seconds(time: float) -> str:
    """`0.42 s`, `12 s`, `3 min 05 s`."""
    if time < 9.95:
        return f"{time:.1f} s" if time >= 1 else f"{time:.2f} s"
    whole = round(time)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"
