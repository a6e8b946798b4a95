"""`python -m tests.bench [--runs N] [--only PART] [--write]`: measure, print, keep.

--write keeps the tables in the report; with --only it replaces one part and leaves the others as they are.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import tempfile
from pathlib import Path

from . import airing, board, building, busy, flashing, heap, packaging
from .cases import Bench, Row, rows
from .chip import Chip

REPORT = Path(__file__).resolve().parents[2] / "docs" / "reference" / "performance.md"


PARTS = ("commands", "board", "packages", "flash", "build", "air")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--write", action="store_true", help=f"keep the tables in {REPORT.name}")
    args = parser.parse_args()
    # As pip does when it installs: the peers are compiled, an editable checkout may not be.
    compileall.compile_dir(str(Path(__file__).resolve().parents[2] / "upytool"), quiet=2)
    parts = _parts(REPORT.read_text() if REPORT.exists() else "")
    met = True
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        os.environ["UPYTOOL_STATE_DIR"] = str(Path(folder) / "state")
        if args.only in (None, "commands"):
            table = _commands(Path(folder), args.runs)
            parts["commands"] = document(table)
            met = all(row.ok for row in table)
        if args.only in (None, "board"):
            small = board.lines(runs=args.runs, show=lambda line: print(" | ".join(board.cells(line)), flush=True))
            taken, copied = heap.rows(Chip()), busy.copies()
            more = ["", *heap.document(taken), "", *busy.document(copied), ""]
            parts["board"] = board.document(small) + "\n".join(more)
            met = met and board.met(small) and heap.met(taken) and copied.ok
        if args.only in (None, "packages"):
            installed = []
            for each in packaging.lines(Path(folder), args.runs):
                print(" | ".join(each.cells), flush=True)
                installed.append(each)
            parts["packages"] = packaging.document(installed)
            met = met and all(each.ok for each in installed)
        if args.only in (None, "flash"):
            found = []
            for line in flashing.lines(args.runs):
                print(" | ".join(flashing.shown(line)), flush=True)
                found.append(line)
            parts["flash"] = flashing.document(found)
            met = met and all(line.ok is not False for line in found)
        if args.only in (None, "build"):
            built = []
            for row in building.lines(args.runs):
                print(" | ".join(row.cells), flush=True)
                built.append(row)
            parts["build"] = building.document(built)
            met = met and all(row.ok is not False for row in built)
        if args.only in (None, "air"):
            heard = []
            for far in airing.lines(Path(folder), args.runs):
                print(" | ".join(far.cells), flush=True)
                heard.append(far)
            parts["air"] = airing.document(heard)
            met = met and all(far.ok is not False for far in heard)
    if args.write:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text("\n".join(part.rstrip() + "\n" for part in parts.values() if part))
    return 0 if met else 1


def _parts(text: str) -> dict[str, str]:
    """The report's parts as they are."""
    parts = dict.fromkeys(PARTS, "")
    name = "commands"
    begins = {part.TITLE: name for name, part in zip(PARTS[1:], (board, packaging, flashing, building, airing))}
    for line in text.splitlines(keepends=True):
        name = begins.get(line.rstrip(), name)
        parts[name] += line
    return parts


def _commands(folder: Path, runs: int) -> list[Row]:
    work = folder / "work"
    work.mkdir()
    bench = Bench(work, runs)
    try:
        table = []
        for row in rows(bench):
            print(" | ".join(cells(row)), flush=True)
            table.append(row)
    finally:
        bench.close()
    return table


def cells(row: Row) -> list[str]:
    def figure(name: str) -> str:
        value = row.figures.get(name)
        if value is None:
            return "-"
        if value.failed:
            return "failed"
        if row.measure == "memory":
            return f"{value.memory / (1 << 20):.0f} MB"
        return f"{value.cpu if row.measure == 'cpu' else value.wall:.2f} s"

    ours = figure("upytool")
    if "upytool sync" in row.figures:
        ours += f" / {figure('upytool sync')}"
    return [
        row.title,
        row.link,
        ours,
        figure("mpremote"),
        figure("mpytool"),
        row.target,
        row.reached,
        "yes" if row.ok else "NO",
        str(row.figures["upytool"].runs),
    ]


HEAD = ["what", "link", "upytool", "mpremote 1.29", "mpytool 2.6", "target", "reached", "met", "runs"]


def document(table: list[Row]) -> str:
    lines = [
        "# Performance",
        "",
        "Made by `make bench` (`python -m tests.bench --write`), which runs the three tools in turn in one run:",
        "whole commands from start to exit, medians where a row has several runs (the last column says how many).",
        "The board is the simulated one (`upytool sim`, real MicroPython under wasmtime).",
        "The 115,200 baud link is a relay process that lets one byte pass every",
        "10/115,200 s in each direction and adds 1 ms each way; the wire's own limit for 100 kB is 8.68 s.",
        "Trust the ratios within the run: absolute times are those of a shared two-core machine.",
        "",
        "| " + " | ".join(HEAD) + " |",
        "|" + "---|" * len(HEAD),
        *("| " + " | ".join(cells(row)) + " |" for row in table),
        "",
        f"Measured with Python {platform.python_version()} on {platform.system()}. `failed` means that the tool did",
        "not finish the job: its file was not the one that was sent, or it ended with an error.",
        "",
    ]
    for row in table:
        for name, figure in row.figures.items():
            if figure.failed:
                lines.append(f"- {row.title} ({row.link}), {name}: {figure.failed}")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
