"""One changed frozen module, built anew: upytool beside plain make, on RPI_PICO from Debian's sources.

Both have a warm build folder, as a second build of a day has; whole commands, from the project to the file to flash
(plain make leaves a .bin: its .uf2 would need picotool). What neither shows: upytool also checks the modules, evaluates
the manifest, reads the finished image and writes the lock.

mpbuild has no row: version 0.8 starts every compiler by `docker run`: without docker it cannot build, and with docker
it would measure the container.

`python -m tests.bench.build_source [RUNS]` prints the rows. The first run compiles two firmwares.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from .measure import Failed, Figure, compare

ROOT = Path(__file__).resolve().parents[2]
UPYTOOL, MAKE, MPBUILD = "upytool", "plain make", "mpbuild"
_NO_DOCKER = "needs docker: it compiles in containers alone"
_PROJECT = """[build]
board = "RPI_PICO"
kind = "source"
source = "{tree}"
modules = ["words.py"]
output = "firmware.uf2"
[build.make]
FROZEN_MANIFEST = "{manifest}"
"""


@dataclass(frozen=True)
class Row:
    """One tool.

    Attributes:
        figure: wall and CPU seconds of the whole command, memory; `failed` says why there is none.
        correct: whether the firmware held the changed module, each time.
    """

    case: str
    tool: str
    figure: Figure
    correct: bool


def measure(runs: int) -> list[Row]:
    """A module of the project changes, the firmware is built."""
    from tests.builder.source_trees import build_cache, pico_options, pico_tree

    tree, manifest = pico_tree(), dict(pico_options())["FROZEN_MANIFEST"]
    cache = build_cache()
    build = build_cache("bench") / "plain"
    numbers = count(1)
    said: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as folder:
        home = Path(folder)
        (home / "upytool.toml").write_text(_PROJECT.format(tree=tree.as_posix(), manifest=manifest))
        # Plain make finds its manifest at the same place each time, or it would not notice another one.
        frozen = build.parent / "manifest.py"
        frozen.write_text(f'include("{manifest}")\nfreeze("{build.parent.as_posix()}", "words.py")\n')
        outputs = {UPYTOOL: home / "firmware.uf2", MAKE: build / "firmware.bin"}
        # As MicroPython's README says: mpy-cross first, by itself.
        cross = build.parent / "mpy-cross"
        made = ["make", "-j2", "-C", str(tree / "mpy-cross"), f"BUILD={cross}"]
        subprocess.run(made, check=True, timeout=300, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = tree / "ports" / "rp2"
        make = ["make", "-j2", "-C", str(port), "BOARD=RPI_PICO", f"BUILD={build}", f"FROZEN_MANIFEST={frozen}"]
        environment = {
            "UPYTOOL_CACHE_DIR": str(cache), "UPYTOOL_STATE_DIR": str(home / "state"),
            "CMAKE_ARGS": "-DPICO_NO_PICOTOOL=1", "SOURCE_DATE_EPOCH": "946684800",
            "MICROPY_MPYCROSS": str(cross / "mpy-cross"),
        }  # fmt: skip
        commands: dict[str, Callable[[], Sequence[str]]] = {
            UPYTOOL: lambda: _in(home, [sys.executable, "-m", "upytool", "build", "--container", "none"], environment),
            MAKE: lambda: _in(home, make, environment),
        }

        def before(name: str) -> None:
            said[name] = f"words number {next(numbers)} of {name}"
            place = home if name == UPYTOOL else build.parent
            (place / "words.py").write_text(f"WORDS = {said[name]!r}\n")

        def after(name: str) -> None:
            if _plain(outputs[name]).find(said[name].encode()) < 0:
                raise Failed("the firmware does not hold the changed module")

        for name, command in commands.items():  # the first build is not a figure of ours
            before(name)
            words = [*command()]
            subprocess.run(words, check=True, timeout=900, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        figures = compare(commands, runs=runs, before=before, after=after)
    rows = [Row("one changed module", name, figure, not figure.failed) for name, figure in figures.items()]
    return [*rows, Row("one changed module", MPBUILD, Figure(0.0, 0.0, 0, 0, _NO_DOCKER), True)]


def _in(home: Path, words: Sequence[str], environment: dict[str, str]) -> list[str]:
    """A command in a folder; `env` is one exec, which both sides pay alike."""
    settings = [f"{key}={value}" for key, value in environment.items()]
    return ["env", "-C", str(home), f"PYTHONPATH={ROOT}", *settings, *words]


def _plain(file: Path) -> bytes:
    from upytool.image.base import FirmwareImage

    if file.suffix == ".bin":
        return file.read_bytes()
    return b"".join(segment.data for segment in FirmwareImage.read(file).memory)


def main() -> int:
    os.chdir(ROOT)
    rows = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    for row in rows:
        what = row.figure.failed or f"{row.figure.wall:6.2f} s  {row.figure.cpu:5.2f} s CPU"
        print(f"{row.case:20} {row.tool:12} {what}")
    return 0 if all(row.correct for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
