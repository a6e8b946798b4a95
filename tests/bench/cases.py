"""What is measured, on which link, and what is to be reached."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.wire import WireProcess
from upytool import sim
from upytool.device.device import Device
from upytool.transport.registry import open_transport

from .measure import Failed, Figure, compare

BIN = Path(sys.executable).parent
UPYTOOL, MPREMOTE, MPYTOOL = (str(BIN / name) for name in ("upytool", "mpremote", "mpytool"))
BAUD, LATENCY = 115200, 0.001
BYTES_PER_SECOND = BAUD / 10
SIZE = 100_000


@dataclass(frozen=True)
class Row:
    """One line of the table: what was measured, each tool's figure, and whether the target is met."""

    title: str
    link: str
    figures: dict[str, Figure]
    measure: str
    target: str
    reached: str
    ok: bool


class Bench:
    """A simulated board, plain and behind a throttled wire, and files to copy."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.folder, self.runs = folder, runs
        self.board = sim.start("wasm", name="bench", fresh=True)
        self.port = str(self.board.port)
        generator = random.Random(1)
        self.random = folder / "random.bin"
        self.random.write_bytes(generator.randbytes(SIZE))
        self.source = folder / "source.py"
        self.source.write_bytes(source_text(SIZE))
        self.big = folder / "big.bin"
        self.big.write_bytes(generator.randbytes(8 << 20))
        self.tree = folder / "tree"
        self.tree.mkdir()
        for number in range(200):
            text = b"# module %d\n" % number + generator.randbytes(370).hex().encode()
            (self.tree / f"m{number:03d}.py").write_bytes((text + b"\n" * 1000)[:1000])

    def close(self) -> None:
        sim.stop("bench")

    @contextmanager
    def link(self, throttled: bool) -> Iterator[str]:
        """The port to use: the board's own, or a wire's at 115,200 baud and 1 ms each way."""
        if not throttled:
            yield self.port
            return
        with WireProcess(self.port, baud=BAUD, latency=LATENCY) as wire:
            yield wire.port

    def clean(self) -> None:
        """Remove every file from the board."""
        with Device(open_transport(self.port)) as board:
            board.exec(
                "import os\n"
                "def w(d):\n"
                " for e in list(os.ilistdir(d)):\n"
                "  p=d+'/'+e[0]\n"
                "  if e[1]==0x4000: w(p); os.rmdir(p)\n"
                "  else: os.remove(p)\n"
                "w('')\n"
            )

    def same(self, remote: str, local: Path) -> None:
        """Raise Failed unless the board's file is the local one."""
        with Device(open_transport(self.port)) as board:
            got = board.exec(
                "import hashlib\n"
                "h=hashlib.sha256()\n"
                f"with open({remote!r},'rb') as f:\n"
                " while 1:\n"
                "  b=f.read(4096)\n"
                "  if not b: break\n"
                "  h.update(b)\n"
                "print(h.digest().hex())\n"
            ).strip()
        import hashlib

        if got != hashlib.sha256(local.read_bytes()).hexdigest():
            raise Failed("the file on the board is not the one that was sent")


def source_text(size: int) -> bytes:
    """Python source as people write it: this project's own, cut to `size`."""
    root = Path(__file__).resolve().parents[2] / "upytool"
    text = b"".join(path.read_bytes() for path in sorted(root.rglob("*.py")))
    return text[:size].rpartition(b"\n")[0].ljust(size, b"\n")


def peers(
    port: str, upytool: Sequence[str], mpremote: Sequence[str], mpytool: Sequence[str] | None
) -> dict[str, Callable[[], list[str]]]:
    commands = {
        "upytool": lambda: [UPYTOOL, "-d", port, *upytool],
        "mpremote": lambda: [MPREMOTE, "connect", port, *mpremote],
    }
    if mpytool is not None:
        commands["mpytool"] = lambda: [MPYTOOL, "-p", port, *mpytool]
    return commands


def copy_up(bench: Bench, throttled: bool, local: Path, title: str, least: float) -> Row:
    """Time of a copy to the board as a share of the line rate (10 bits a byte at 115,200 baud).

    Every run has a name of its own on the board: no tool finds the file there already.
    """
    bench.clean()
    names: list[str] = []

    def fresh() -> str:
        names.append(f"{len(names)}-{local.name}")
        return names[-1]

    with bench.link(throttled) as port:
        figures = compare(
            {
                "upytool": lambda: [UPYTOOL, "-d", port, "cp", str(local), f":{fresh()}"],
                "mpremote": lambda: [MPREMOTE, "connect", port, "cp", str(local), f":{fresh()}"],
                "mpytool": lambda: [MPYTOOL, "-p", port, "cp", str(local), f":/{fresh()}"],
            },
            runs=bench.runs,
        )
    for name in names:
        bench.same(name, local)
    return _rate_row(title, throttled, figures, least)


def copy_down(bench: Bench, throttled: bool, local: Path, title: str, least: float) -> Row:
    """The same for a copy from the board; every result is compared with what was sent."""
    name, back = local.name, bench.folder / "back"
    with Device(open_transport(bench.port)) as board:
        board.fs.put(str(local), name)

    def check(tool: str) -> None:
        if back.read_bytes() != local.read_bytes():
            raise Failed("the file that came back is not the one on the board")

    with bench.link(throttled) as port:
        figures = compare(
            peers(port, ["cp", f":{name}", str(back)], ["cp", f":{name}", str(back)], ["cp", f":/{name}", str(back)]),
            runs=bench.runs,
            before=lambda tool: back.unlink(missing_ok=True),
            after=check,
        )
    return _rate_row(title, throttled, figures, least)


def _rate_row(title: str, throttled: bool, figures: dict[str, Figure], least: float) -> Row:
    ours = figures["upytool"]
    line = SIZE / BYTES_PER_SECOND
    rate = line / ours.wall if ours.wall else 0.0
    if not throttled:
        ratio = _ratio(figures, "mpremote")
        return Row(title, "unthrottled", figures, "s", "faster than mpremote", f"{1 / ratio:.1f} x", 0 < ratio < 1)
    shown = f"{rate:.0%} of the line" if least <= 1 else f"{rate:.2f} x the line"
    wanted = f"{least:.0%} of the line" if least <= 1 else f"{least:.2f} x the line"
    return Row(title, "115,200 baud", figures, "s", wanted, shown, rate >= least)


def _ratio(figures: dict[str, Figure], peer: str) -> float:
    """Our wall time over the peer's; infinity when one of them failed."""
    ours, theirs = figures["upytool"], figures[peer]
    return ours.wall / theirs.wall if ours.wall and theirs.wall else float("inf")


def tree_first(bench: Bench, throttled: bool) -> Row:
    with bench.link(throttled) as port:
        figures = compare(
            peers(
                port,
                ["cp", "-r", str(bench.tree), ":"],
                ["cp", "-r", str(bench.tree), ":"],
                ["cp", str(bench.tree), ":/"],
            ),
            runs=1 if throttled else min(3, bench.runs),
            before=lambda tool: bench.clean(),
            after=lambda tool: bench.same("tree/m199.py", bench.tree / "m199.py"),
        )
    times = 1 / _ratio(figures, "mpremote")
    link = "115,200 baud" if throttled else "unthrottled"
    return Row("200 files of 1 kB, first copy", link, figures, "s", "5 x mpremote", f"{times:.1f} x", times >= 5)


def tree_again(bench: Bench, throttled: bool) -> Row:
    with Device(open_transport(bench.port)) as board:
        board.fs.copy([str(bench.tree)], ":/", recursive=True)
    with bench.link(throttled) as port:
        commands = peers(
            port, ["cp", "-r", str(bench.tree), ":"], ["cp", "-r", str(bench.tree), ":"], ["cp", str(bench.tree), ":/"]
        )
        commands["upytool sync"] = lambda: [UPYTOOL, "-d", port, "sync", str(bench.tree), ":/tree"]
        figures = compare(commands, runs=1 if throttled else min(3, bench.runs))
    worst = max(figures["upytool"].wall, figures["upytool sync"].wall)
    ok = worst <= 1 and not figures["upytool"].failed and not figures["upytool sync"].failed
    link = "115,200 baud" if throttled else "unthrottled"
    return Row("200 files unchanged, cp -r and sync", link, figures, "s", "1 s", f"{worst:.2f} s", ok)


def exec_resume(bench: Bench) -> Row:
    code = "print(1)"
    figures = compare(
        peers(bench.port, ["resume", "exec", code], ["resume", "exec", code], ["exec", code]),
        runs=max(5, bench.runs),
    )
    ratio = _ratio(figures, "mpremote")
    return Row('resume exec "print(1)"', "unthrottled", figures, "s", "0.7 of mpremote", f"{ratio:.2f}", ratio <= 0.7)


def start(option: str, runs: int) -> Row:
    peer = "version" if option == "--version" else "help"
    figures = compare(
        {
            "upytool": lambda: [UPYTOOL, option],
            "mpremote": lambda: [MPREMOTE, peer],
            "mpytool": lambda: [MPYTOOL, option],
        },
        runs=max(9, runs),
    )
    ours, theirs = figures["upytool"], figures["mpremote"]
    ratio = ours.cpu / theirs.cpu if theirs.cpu and ours.cpu else float("inf")
    return Row(f"{option}, CPU time", "-", figures, "cpu", "0.6 of mpremote", f"{ratio:.2f}", ratio <= 0.6)


def memory(bench: Bench) -> Row:
    """Peak memory of a long copy. The peers read a file whole; mpremote needs minutes for this one."""
    bench.clean()
    figures = compare({"upytool": lambda: [UPYTOOL, "-d", bench.port, "cp", str(bench.big), ":big.bin"]}, runs=1)
    bench.same("big.bin", bench.big)
    ours = figures["upytool"]
    ok = 0 < ours.memory < 60 << 20 and not ours.failed
    return Row(
        "8 MB up, peak memory", "unthrottled", figures, "memory", "60 MB", f"{ours.memory / (1 << 20):.0f} MB", ok
    )


def rows(bench: Bench) -> Iterator[Row]:
    """Every row, quick ones first."""
    for option in ("--version", "--help"):
        yield start(option, bench.runs)
    yield exec_resume(bench)
    for throttled in (False, True):
        yield copy_up(bench, throttled, bench.random, "100 kB random, up", 0.90)
        yield copy_down(bench, throttled, bench.random, "100 kB random, down", 0.90)
        yield copy_up(bench, throttled, bench.source, "100 kB of .py, up", 2.8)
        yield copy_down(bench, throttled, bench.source, "100 kB of .py, down", 0.90)
    yield tree_first(bench, False)
    yield tree_again(bench, False)
    yield tree_again(bench, True)
    yield memory(bench)
