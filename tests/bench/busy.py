"""A copy of 4 bytes to `sim:pico` while the computer is busy: how many of 20 succeed, and how long they take.

The emulated chip is as slow as the computer lets it be, so this is about the waits: nothing may be given up that is
merely slow. `python -m tests.bench.busy [RUNS] [PROCESSES]`.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.rigs.pico import pico_image
from upytool import sim

from .cases import UPYTOOL
from .measure import Failed, once

RUNS, PROCESSES = 20, 4
NAME = "bench-busy"


@dataclass(frozen=True)
class Result:
    """Seconds of the copies that succeeded, and what the others said."""

    seconds: list[float]
    failed: list[str]

    @property
    def ok(self) -> bool:
        return not self.failed


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def copies(runs: int = RUNS, processes: int = PROCESSES, show: Callable[[str], None] = lambda text: None) -> Result:
    """Copy 4 bytes so often, each time other ones and under another name."""
    seconds: list[float] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        port = str(sim.start("pico", name=NAME, image=pico_image(), fresh=True).port)
        try:
            with busy(processes):
                for number in range(runs):
                    source = Path(folder) / "tiny.txt"
                    source.write_text(f"{number:04}")
                    start = time.monotonic()
                    try:
                        once([UPYTOOL, "-d", port, "cp", str(source), f":t{number}.txt"])
                    except Failed as error:
                        failed.append(str(error))
                        show(failed[-1])
                    else:
                        seconds.append(time.monotonic() - start)
                        show(f"{seconds[-1]:.1f} s")
        finally:
            sim.stop(NAME)
    return Result(seconds, failed)


def document(result: Result) -> list[str]:
    """The report's words on it."""
    total = len(result.seconds) + len(result.failed)
    longest = f", the slowest in {max(result.seconds):.1f} s" if result.seconds else ""
    return [
        "### On a busy computer",
        "",
        f"A copy of 4 bytes to `sim:pico` beside {PROCESSES} processes that only compute: {len(result.seconds)} of",
        f"{total} succeed{longest} (target: {RUNS} of {RUNS}).",
        *(f"- {reason}" for reason in result.failed),
    ]


def main() -> int:
    runs, processes = (*map(int, sys.argv[1:]), *(RUNS, PROCESSES)[len(sys.argv) - 1 :])
    result = copies(runs, processes, lambda text: print(text, flush=True))
    print("\n".join(document(result)))
    return 0 if result.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
