"""What small operations cost a board, for upytool and mpremote: `python -m tests.bench.board [WORDS ...]`.

First on the emulated RP2040 (tests.bench.chip), where a row costs the same in every run: the chip's work, bytes,
round trips, heap. Then in seconds: whole commands over a wire of 115,200 baud with 1 ms each way to MicroPython's
unix port and to qemu, whose UART has a ring of 256 bytes and no flow control. Rows whose title holds none of WORDS
are left out; `chip`, `unix` and `qemu` choose parts.
"""

from __future__ import annotations

import compileall
import contextlib
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rigs.wire import WireProcess

from .cases import BAUD, BIN, LATENCY
from .chip import TOOLS, Chip, Count, tell
from .measure import Failed, once

TITLE = "## Small operations"
MEDIAN = 0.8
HEAP = 8192
# Programs in the rows begin at once: a soft reset costs both tools the same.
FIRST = "resume"


@dataclass(frozen=True)
class Job:
    """One row: the same work in both tools' words.

    Attributes:
        words: the words after `resume`; mpremote's are `peer` where they differ.
        before: MicroPython that prepares the board.
        code: the exit code that it is to have; of mpremote's, whether it is 0.
        after: MicroPython that prints True where the work was done.
    """

    title: str
    words: Sequence[str]
    peer: Sequence[str] = ()
    before: str = ""
    after: str = "print(True)"
    code: int = 0
    back: tuple[Path, bytes] | None = field(default=None)

    def argv(self, tool: str) -> list[str]:
        return [FIRST, *(self.peer if tool == "mpremote" and self.peer else self.words)]


TINY = "f=open('tiny.txt','wb');f.write(b'1234');f.close()"
SMALL = "f=open('small.txt','wb');f.write(b'hello, board');f.close()"
HASH = "import hashlib,binascii;print(binascii.hexlify(hashlib.sha256(open(%r,'rb').read()).digest()).decode()==%r)"


def jobs(folder: Path, index: str, *, named: bool = False) -> list[Job]:
    """The rows; their files are made in `folder`.

    Args:
        named: copies name their target, for mpremote's `cp FILE :` fails on the unix port, whose os.stat("") does.
    """
    import hashlib

    generator = random.Random(9)

    def made(name: str, size: int) -> Path:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1234" if size == 4 else generator.randbytes(size))
        return path

    def there(path: Path, at: str = "") -> str:
        return HASH % (at or path.name, hashlib.sha256(path.read_bytes()).hexdigest())

    tiny, two, twenty = made("tiny.txt", 4), made("two.bin", 2000), made("twenty.bin", 20000)
    ten = [made(f"ten/f{number}.bin", 1000) for number in range(10)]
    module = folder / "mounted" / "m.py"
    module.parent.mkdir(exist_ok=True)
    module.write_text("print('imported')\n")
    back = folder / "back.bin"
    pattern = "b''.join(bytes(((i*7+j*j*31)>>2&255 for i in range(50))) for j in range(40))"
    content = b"".join(bytes(((i * 7 + j * j * 31) >> 2 & 255) for i in range(50)) for j in range(40))

    def to(path: Path) -> str:
        return f":{path.name}" if named else ":"

    mip = ["mip", "install", "--index", index]
    return [
        Job('exec "print(1)"', ["exec", "print(1)"]),
        Job("eval 1", ["eval", "1"]),
        Job("ls", ["ls"], before=SMALL),
        Job("cat, small", ["cat", ":small.txt"], before=SMALL),
        Job("cat, missing", ["cat", ":nothing.txt"], code=6),
        Job("cp up, 4 B", ["cp", str(tiny), to(tiny)], after=there(tiny)),
        Job("cp up, 2 kB", ["cp", str(two), to(two)], after=there(two)),
        Job("cp up, 20 kB", ["cp", str(twenty), to(twenty)], after=there(twenty)),
        Job(
            "cp up, 10 files of 1 kB",
            ["cp", *map(str, ten), ":d/" if named else ":"],
            before="import os;os.mkdir('d')" if named else "",
            after=there(ten[9], f"d/{ten[9].name}" if named else ""),
        ),
        Job("cp up, unchanged", ["cp", str(tiny), to(tiny)], before=TINY),
        Job(
            "cp down, 2 kB",
            ["cp", ":two.bin", str(back)],
            before=f"f=open('two.bin','wb');f.write({pattern});f.close()",
            back=(back, content),
        ),
        Job("rm", ["rm", ":small.txt"], before=SMALL, after="import os;print('small.txt' not in os.listdir())"),
        Job("mkdir", ["mkdir", ":d"], after="import os;print('d' in os.listdir())"),
        Job("df", ["df"]),
        Job(
            "mip install",
            [*mip, "bytering"],
            after="import os;print('lib' in os.listdir() and len(os.listdir('lib'))>0)",
        ),
        Job('mount, exec "import m"', ["mount", str(module.parent), "exec", "import m"]),
    ]


@dataclass(frozen=True)
class Line:
    """One row's result. `unit` is `us` or `s`; a failed tool has no figure."""

    title: str
    unit: str
    figures: dict[str, float]
    counts: dict[str, Count]
    heap: dict[str, int]
    failed: dict[str, str]

    @property
    def ratio(self) -> float:
        ours, theirs = self.figures.get("upytool"), self.figures.get("mpremote")
        return ours / theirs if ours and theirs else float("inf")


def on_chip(todo: Sequence[Job], tools: Sequence[str] = ("upytool", "mpremote")) -> Iterator[Line]:
    """Every job on the emulated chip: each begins with an empty file system and a fresh interpreter."""
    chip = Chip()
    for job in todo:
        counts: dict[str, Count] = {}
        heaps: dict[str, int] = {}
        failed: dict[str, str] = {}
        for tool in tools:
            with _fresh_state():
                try:
                    counts[tool] = cost(chip, job, tool)
                    heaps[tool] = heap_taken(chip, job, tool)
                except (Failed, AssertionError) as error:
                    failed[tool] = str(error)
        yield Line(job.title, "us", {t: float(c.micros) for t, c in counts.items()}, counts, heaps, failed)


@contextlib.contextmanager
def _fresh_state() -> Iterator[None]:
    """Nothing remembered of boards or packages."""
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        kept = dict(os.environ)
        os.environ.update({f"UPYTOOL_{kind}_DIR": f"{folder}/{kind.lower()}" for kind in ("STATE", "CACHE")})
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(kept)


def _prepare(chip: Chip, job: Job) -> None:
    chip.blank()
    if job.before:
        tell(chip, job.before)
        chip.boot()
    if job.back:
        job.back[0].unlink(missing_ok=True)


def cost(chip: Chip, job: Job, tool: str) -> Count:
    """One run of a job, from a board that has nothing. Errors: Failed where the work was not done."""
    _prepare(chip, job)
    count = TOOLS[tool](chip, job.argv(tool))
    if bool(count.code) != bool(job.code) or (tool == "upytool" and count.code != job.code):
        raise Failed(f"exit {count.code}: {count.out[-200:]!r}")
    if job.back and job.back[0].read_bytes() != job.back[1]:
        raise Failed("what came back is not what is on the board")
    if tell(chip, job.after).strip() != b"True":
        raise Failed("the work was not done")
    return count


def heap_taken(chip: Chip, job: Job, tool: str) -> int:
    """Bytes of heap that the command's programs took, nothing being collected meanwhile unless they do it."""
    _prepare(chip, job)
    free = "import gc;%sprint(gc.mem_free())"
    before = int(tell(chip, free % "gc.collect();"))
    TOOLS[tool](chip, job.argv(tool))
    # What a program is compiled from and into is taken as well: without a command in between, so much is gone.
    return before - int(tell(chip, free % ""))


def on_wire(todo: Sequence[Job], rig: Any, runs: int) -> Iterator[Line]:
    """Every job as whole commands in turn, medians of seconds."""
    for job in todo:
        samples: dict[str, list[float]] = {"upytool": [], "mpremote": []}
        failed: dict[str, str] = {}
        for _ in range(runs):
            for tool in samples:
                if tool in failed:
                    continue
                with _fresh_state():
                    _prepare_rig(rig, job)
                    with WireProcess(rig.port, baud=BAUD, latency=LATENCY) as wire:
                        head = ["-d", wire.port] if tool == "upytool" else ["connect", wire.port]
                        try:
                            taken = once([str(BIN / tool), *head, *job.argv(tool)], fails=bool(job.code))
                        except Failed as error:
                            failed[tool] = str(error)
                            continue
                    samples[tool].append(taken.wall)
        figures = {tool: statistics.median(taken) for tool, taken in samples.items() if taken and tool not in failed}
        yield Line(job.title, "s", figures, {}, {}, failed)


def _prepare_rig(rig: Any, job: Job) -> None:
    from upytool.device.device import Device
    from upytool.transport.registry import open_transport

    with Device(open_transport(rig.port)) as board:
        for entry in board.fs.ls():
            if entry.name not in ("tmp", "dev", "proc"):
                board.fs.rmtree(entry.name)
        if job.before:
            board.exec(job.before)
        board.soft_reset()  # mpremote leaves its half of a mount on the board, and finds it there the next time
    if job.back:
        job.back[0].unlink(missing_ok=True)


HEADS = {
    "us": [
        "what",
        "upytool, ms",
        "mpremote, ms",
        "ratio",
        "bytes up/down",
        "theirs",
        "turns",
        "theirs",
        "heap",
        "theirs",
    ],
    "s": ["what", "upytool, s", "mpremote, s", "ratio"],
}


def cells(line: Line) -> list[str]:
    def figure(tool: str) -> str:
        if tool not in line.figures:
            return "failed"
        value = line.figures[tool]
        return f"{value / 1000:.2f}" if line.unit == "us" else f"{value:.2f}"

    row = [line.title, figure("upytool"), figure("mpremote"), f"{line.ratio:.2f}"]
    if line.unit == "s":
        return row
    for show in (
        lambda tool: f"{line.counts[tool].up}/{line.counts[tool].down}",
        lambda tool: str(line.counts[tool].turns),
    ):
        row += [show(tool) if tool in line.counts else "-" for tool in ("upytool", "mpremote")]
    return [*row, *(str(line.heap.get(tool, "-")) for tool in ("upytool", "mpremote"))]


def document(parts: dict[str, list[Line]]) -> str:
    """The tables of the report."""
    out = [
        TITLE,
        "",
        "Made by `python -m tests.bench --only board --write`, both tools with `resume`: no soft reset is in it.",
        "On the chip: an emulated RP2040 with MicroPython 1.25, 125 MHz. Its work is counted by the instruction, from",
        "the tool's first byte to the prompt after it; the time that it sleeps is not. A turn is a write of the tool's",
        "after something that it read. Every run gives the same numbers. Heap is what is taken before anything is",
        "collected.",
    ]
    for name, lines in parts.items():
        if not lines:
            continue
        out += ["", f"### {PARTS[name]}", ""]
        heads = HEADS[lines[0].unit]
        out += ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
        out += ["| " + " | ".join(cells(line)) + " |" for line in lines]
        out += ["", summary(lines)]
        out += [f"- {line.title}, {tool}: {why}" for line in lines for tool, why in line.failed.items()]
    return "\n".join(out) + "\n"


PARTS = {
    "chip": "On the chip",
    "unix": "Whole commands, 115,200 baud, MicroPython's unix port",
    "qemu": "Whole commands, 115,200 baud, qemu",
}


def summary(lines: Sequence[Line]) -> str:
    ratios = [line.ratio for line in lines if "mpremote" not in line.failed]
    worse = sum(ratio > 1 for ratio in ratios)
    return f"Median of the ratios {statistics.median(ratios):.2f} (target {MEDIAN}), {worse} rows above 1.0 (target 0)."


def met(parts: dict[str, list[Line]]) -> bool:
    every = [line for lines in parts.values() for line in lines if "mpremote" not in line.failed]
    return all(line.ratio <= 1 for line in every) and all(
        statistics.median(line.ratio for line in lines) <= MEDIAN for lines in parts.values() if lines
    )


def lines(
    words: Sequence[str] = (), runs: int = 5, show: Callable[[Line], None] = lambda line: None
) -> dict[str, list[Line]]:
    """All parts, or those of PARTS that are among `words`; of the rows those whose title holds one of the others."""
    from tests.fixtures.make_index import build, serve

    chosen = [name for name in PARTS if name in words] or list(PARTS)
    titles = [word for word in words if word not in PARTS]
    found: dict[str, list[Line]] = {name: [] for name in PARTS}
    with (
        tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder,
        serve(build(Path(folder) / "index")) as index,
    ):
        for name in chosen:
            every = jobs(Path(folder), index, named=name == "unix")
            todo = [job for job in every if not titles or any(word in job.title for word in titles)]
            for line in _part(name, todo, runs):
                show(line)
                found[name].append(line)
    return found


def _part(name: str, todo: Sequence[Job], runs: int) -> Iterator[Line]:
    if name == "chip":
        yield from on_chip(todo)
        return
    from tests.rigs.qemu import Qemu
    from tests.rigs.unix import Unix

    with Unix() if name == "unix" else Qemu() as rig:
        yield from on_wire(todo, rig, runs)


def main() -> int:
    # As pip does when it installs: mpremote is compiled, an editable checkout may not be.
    compileall.compile_dir(str(Path(__file__).resolve().parents[2] / "upytool"), quiet=2)
    found = lines(sys.argv[1:], show=lambda line: print(" | ".join(cells(line)), line.failed or "", flush=True))
    for name, table in found.items():
        if table:
            print(PARTS[name], summary(table), sep=": ")
    return 0 if met(found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
