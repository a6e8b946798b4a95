"""The rows about building, and their part of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import build_image, build_source

TITLE = "## Building"
RELINK = 3.0  # seconds of CPU for one changed frozen module
HEAD = ("what", "tool", "wall", "CPU", "target", "met")


@dataclass(frozen=True)
class Line:
    """One line of the table; `ok` is None where it is there for comparison."""

    cells: tuple[str, ...]
    ok: bool | None


def lines(runs: int) -> Iterator[Line]:
    """Measure. Raises: RigUnavailable without the sources of the RPI_PICO firmware."""
    for row in build_image.measure(runs):
        target = f"{row.target} s of wall time" if row.target else ""
        yield _line(row.case, row.tool, row.figure, target, row.met if row.target else None)
    for each in build_source.measure(min(runs, 3)):
        ours = each.tool == "upytool"
        good = each.correct and not each.figure.failed and each.figure.cpu <= RELINK
        what = f"RPI_PICO from source: {each.case}"
        yield _line(what, each.tool, each.figure, f"{RELINK:g} s of CPU time" if ours else "", good if ours else None)


def _line(case: str, tool: str, figure: build_image.Figure, target: str, ok: bool | None) -> Line:
    times = ("-", "-") if figure.failed else (f"{figure.wall:.2f} s", f"{figure.cpu:.2f} s")
    met = "" if ok is None else "yes" if ok else "NO"
    return Line((case, tool, *times, target or figure.failed, met), ok)


def document(found: list[Line]) -> str:
    """The part of the report."""
    return "\n".join(
        [
            TITLE,
            "",
            "Whole commands. Fifty modules of 3 kB go into a firmware file (made-up ones in the form of the",
            "official Pico's and ESP32's): `cold` with empty caches, `unchanged` as it is typed again. `50 ready",
            "files` puts files into an ESP32 image as mp-image-tool-esp32 can do it. From source, one module of a",
            "project is changed and the real RPI_PICO firmware is built again; mpbuild compiles in containers alone,",
            "which this machine has none of.",
            "",
            "| " + " | ".join(HEAD) + " |",
            "|" + "---|" * len(HEAD),
            *("| " + " | ".join(line.cells) + " |" for line in found),
            "",
        ]
    )
