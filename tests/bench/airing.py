"""The rows about WebREPL, and their part of the report: MicroPython's own server on the rig, near and far.

Far is `tests.rigs.air.Air`, a relay that lets everything pass 20 ms late in each direction, and holds back what the
board's TCP holds back there. webrepl_cli.py's way is that of tests.bench.webrepl_peer.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.rigs.air import Air
from tests.rigs.air_turns import counted
from tests.rigs.webrepl import WebReplBoard
from upytool.device.connect import open_address
from upytool.device.device import Device

from .cases import UPYTOOL, source_text
from .measure import Failed, Figure, compare

TITLE = "## Over the air"
HEAD = ("what", "link", "upytool", "webrepl_cli's way", "target", "reached", "met", "runs")
DELAY = 0.02  # seconds each way
SIZE = 1_000_000
PART = 64_000  # bytes that the peer reads: what one chunk takes is what the next one takes
TIMES, TURNS, BEYOND = 20.0, 3, 1.0
CONNECT = "import sys,upytool;upytool.connect(sys.argv[1]).close()"


@dataclass(frozen=True)
class Line:
    """One line of the table; `ok` is None where nothing is to be reached."""

    cells: tuple[str, ...]
    ok: bool | None


class _Bench:
    def __init__(self, board: WebReplBoard, folder: Path, runs: int) -> None:
        self.board, self.folder, self.runs = board, folder, runs
        generator = random.Random(3)
        self.file = folder / "big.bin"
        self.file.write_bytes(generator.randbytes(SIZE))
        self.tree = folder / "tree"
        self.tree.mkdir()
        for number in range(200):
            (self.tree / f"m{number:03d}.py").write_bytes(generator.randbytes(500).hex().encode())
        self.program = folder / "program.py"
        self.program.write_bytes(b"'''" + source_text(100_000).replace(b"'''", b"")[:99_900] + b"'''\nprint('done')\n")

    def peer(self, url: str, operation: str, remote: str, local: Path) -> list[str]:
        place = urlsplit(url)
        where = [str(place.hostname), str(place.port), str(self.board.password)]
        return [sys.executable, "-m", "tests.bench.webrepl_peer", operation, *where, remote, str(local)]

    def clean(self) -> None:
        self.board.blank()

    def same(self, remote: str, size: int = SIZE) -> None:
        """Raise Failed unless the board's file is the beginning of the local one."""
        if (self.board.root / remote).read_bytes() != self.file.read_bytes()[:size]:
            raise Failed("the file on the board is not the one that was sent")

    def same_tree(self) -> None:
        for path in self.tree.iterdir():
            if (self.board.root / "tree" / path.name).read_bytes() != path.read_bytes():
                raise Failed(f"{path.name} on the board is not the one that was sent")


def lines(folder: Path, runs: int) -> Iterator[Line]:
    """Measure all rows."""
    work = folder / "air"
    work.mkdir()
    os.environ["UPYTOOL_CACHE_DIR"] = str(work / "cache")
    with WebReplBoard() as board:
        os.environ["UPYTOOL_WEBREPL_PASSWORD"] = str(board.password)
        bench = _Bench(board, work, runs)
        for name, delay in (("loopback", 0.0), ("20 ms each way", DELAY)):
            with _link(board, delay) as url:
                yield _put(bench, name, url)
                yield _get(bench, name, url)
                yield from _rest(bench, name, url)


@contextmanager
def _link(board: WebReplBoard, delay: float) -> Iterator[str]:
    if not delay:
        yield board.port
        return
    with Air(board.port, up=delay, down=delay) as air:
        yield air.url


def _put(bench: _Bench, name: str, url: str) -> Line:
    def check(tool: str) -> None:
        bench.same("big.bin")

    figures = compare(
        {
            "upytool": lambda: [UPYTOOL, "-d", url, "cp", str(bench.file), ":big.bin"],
            "peer": lambda: bench.peer(url, "put", "big.bin", bench.file),
        },
        runs=bench.runs,
        before=lambda tool: bench.clean(),
        after=check,
    )
    times = _times(figures["peer"].wall, figures["upytool"].wall)
    near = url == bench.board.port  # far away, what is asked and compared costs round trips that the peer does not make
    return _line(
        "PUT 1 MB", name, figures, "not slower" if near else "", f"{times:.1f} x", times >= 1 if near else None
    )


def _get(bench: _Bench, name: str, url: str) -> Line:
    bench.clean()
    (bench.board.root / "big.bin").write_bytes(bench.file.read_bytes())
    (bench.board.root / "part.bin").write_bytes(bench.file.read_bytes()[:PART])
    back = bench.folder / "back"

    def check(tool: str) -> None:
        if back.read_bytes() != bench.file.read_bytes()[: PART if tool == "peer" else SIZE]:
            raise Failed("what came back is not what is on the board")
        back.unlink()

    figures = compare(
        {"upytool": lambda: [UPYTOOL, "-d", url, "cp", ":big.bin", str(back)]},
        runs=bench.runs,
        after=check,
    )
    figures |= compare({"peer": lambda: bench.peer(url, "get", "part.bin", back)}, runs=1, after=check)
    scaled = figures["peer"].wall * SIZE / PART
    times = _times(scaled, figures["upytool"].wall)
    line = _line("GET 1 MB", name, figures, f"{TIMES:g} x", f"{times:.0f} x", times >= TIMES)
    theirs = figures["peer"].failed or f"{scaled:.0f} s (64 kB in {figures['peer'].wall:.1f} s)"
    return Line((*line.cells[:3], theirs, *line.cells[4:]), line.ok and not figures["peer"].failed)


def _rest(bench: _Bench, name: str, url: str) -> Iterator[Line]:
    turns = _exec_turns(url)
    figures = compare(
        {
            "connect": lambda: [sys.executable, "-c", CONNECT, url],
            "exec": lambda: [UPYTOOL, "-d", url, "exec", "print(1)"],
            "program": lambda: [UPYTOOL, "-d", url, "run", str(bench.program)],
        },
        runs=bench.runs,
    )
    yield _line("connecting: a process that logs in, no more", name, figures, "", "", None, "connect")
    shown = f"{turns} round trips"
    yield _line('exec "print(1)"', name, figures, f"{TURNS} round trips after login", shown, turns <= TURNS, "exec")
    yield _line("run, 100 kB", name, figures, "", "", None, "program")
    copy = lambda: [UPYTOOL, "-d", url, "cp", "-r", str(bench.tree), ":"]
    figures |= compare(
        {"first": copy},
        runs=bench.runs,
        before=lambda tool: bench.clean(),
        after=lambda tool: bench.same_tree(),
    )
    yield _line("cp -r, 200 files of 1 kB", name, figures, "", "", None, "first")
    figures |= compare({"again": copy}, runs=bench.runs)
    beyond = figures["again"].wall - figures["connect"].wall
    target = f"{BEYOND:g} s beyond connecting"
    yield _line("the same again, unchanged", name, figures, target, f"{beyond:.2f} s", beyond <= BEYOND, "again")


def _exec_turns(url: str) -> int:
    with counted() as talk, Device(open_address(url)) as board:
        board.exec("print(1)")
    return talk.turns - 1  # the last one says goodbye to the raw prompt, and waits for nothing


def _times(theirs: float, ours: float) -> float:
    return theirs / ours if ours else 0.0


def _line(
    what: str,
    link: str,
    figures: Mapping[str, Figure],
    target: str,
    reached: str,
    ok: bool | None,
    ours: str = "upytool",
) -> Line:
    def shown(figure: Figure | None) -> str:
        if figure is None:
            return "-"
        return f"failed: {figure.failed}" if figure.failed else f"{figure.wall:.2f} s"

    peer = figures.get("peer")
    if figures[ours].failed or (peer is not None and peer.failed):
        ok = False
    met = "" if ok is None else "yes" if ok else "NO"
    cells = (what, link, shown(figures[ours]), shown(peer), target, reached, met, str(figures[ours].runs))
    return Line(cells, ok)


def document(found: Sequence[Line]) -> str:
    """The part of the report."""
    return "\n".join(
        [
            TITLE,
            "",
            "MicroPython's own WebREPL server (modwebrepl.c in the unix port) on this computer: whole commands from",
            "start to exit, connecting included. `20 ms each way` is a relay of ours. Beside upytool is a peer that",
            "does what webrepl_cli.py does, written for this bench from the protocol: one chunk of 256 bytes a round",
            "trip to read, frames of 1,024 bytes to write, nothing looked at before or compared behind. It reads 64",
            "kB; what 1 MB takes at that rate is shown. Little of it is bandwidth: a board sends header and payload",
            "of an answer apart, and its Nagle's algorithm waits for the reader's delayed ACK (40 ms), twice a chunk.",
            "A PUT from far away is slower than the peer's: upytool looks what is there and whether it fits, and has",
            "the board compare a digest before the file takes its name: round trips that the peer does not make.",
            "",
            "| " + " | ".join(HEAD) + " |",
            "|" + "---|" * len(HEAD),
            *("| " + " | ".join(line.cells) + " |" for line in found),
            "",
        ]
    )
