"""`upytool build` with 50 modules, whole commands: cold, unchanged, one module changed; mp-image-tool-esp32 beside it.

The two tools do different things: mp-image-tool-esp32 copies ready files into the file system of an ESP32 firmware, so
it is given the .mpy files that upytool made; upytool compiles, packs and checks. The base firmware is a model.

`python -m tests.bench.build_image [RUNS]` prints the rows.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .measure import Failed, Figure, Sample, once

MODULES = 50
TARGETS = {"cold": 1.0, "unchanged": 0.3, "one module changed": None}


@dataclass(frozen=True)
class Row:
    """One tool in one case; `target` in seconds of wall time, None for another tool's."""

    case: str
    tool: str
    figure: Figure
    target: float | None

    @property
    def met(self) -> bool:
        return not self.figure.failed and (self.target is None or self.figure.wall <= self.target)


def module(number: int, salt: int = 0) -> str:
    """About 3 kB of source, as modules are."""
    body = "".join(
        f"def f{each}(a, b={each}):\n    c = [x * {number + salt} for x in range(a) if x % {each + 2}]\n"
        f"    return {{'name': 'value {each}', 'sum': sum(c) + b}}\n"
        for each in range(20)
    )
    return f'"""Module {number}."""\n{body}'


def project(folder: Path, firmware: bytes, suffix: str) -> None:
    (folder / "src").mkdir(parents=True)
    for number in range(MODULES):
        (folder / "src" / f"module_{number:02}.py").write_text(module(number))
    (folder / f"base{suffix}").write_bytes(firmware)
    (folder / "upytool.toml").write_text(
        f'[build]\nfirmware = "base{suffix}"\nmodules = ["src"]\nentry = "module_00:f1"\noutput = "out{suffix}"\n'
    )


def measure(runs: int) -> list[Row]:
    """Cold (nothing compiled before), unchanged, one module changed, for a Pico's and an ESP32's firmware; the files
    alone into the ESP32's with both tools."""
    from tests.unit.builder.bases import esp32, pico

    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="upytool-bench-") as name:
        top = Path(name)
        for board, firmware, suffix in (("RPI_PICO", pico(), ".uf2"), ("ESP32_GENERIC", esp32(), ".bin")):
            home, cache = top / board, top / f"{board}-cache"
            project(home, firmware, suffix)
            argv = [sys.executable, "-m", "upytool", "build", "-q"]
            env = {"UPYTOOL_CACHE_DIR": str(cache), "UPYTOOL_STATE_DIR": str(top / "state"),
                   "UPYTOOL_PROJECT_FILE": str(home / "upytool.toml")}  # fmt: skip
            for case, target in TARGETS.items():
                samples = []
                for run in range(runs):
                    if case == "cold":
                        shutil.rmtree(cache, ignore_errors=True)
                        (home / f"out{suffix}").unlink(missing_ok=True)
                        (home / "upytool.lock").unlink(missing_ok=True)
                    elif case == "one module changed":
                        (home / "src" / "module_07.py").write_text(module(7, salt=run + 1))
                    samples.append(_in(home, argv, env))
                found.append(Row(f"{board}: {case}", "upytool", _figure(samples), target))
        found += _files_alone(top, top / "ESP32_GENERIC", runs)
    return found


def _files_alone(top: Path, home: Path, runs: int) -> list[Row]:
    """The same ready files into a firmware that has a file system with one file in it, as the other tool needs it."""
    name = "mp-image-tool-esp32"
    tool = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if tool is None:
        return []
    from tests.unit.builder.bases import FACTORY, ITEMS, NVS, PHY, VFS, esp32, made

    files = top / "files"
    once([sys.executable, "-m", "upytool", "image", "extract", str(home / "out.bin"), "-o", str(files)])
    base = made(top, esp32((NVS, PHY, FACTORY, VFS), version="v1.25.0"), ".bin", ITEMS[3:]).output
    ours = [sys.executable, "-m", "upytool", "build", "-q", "--firmware", str(base), "--data", "files", "-o", "a.bin"]
    theirs = [tool, "-q", "-o", "b.bin", str(base), "--fs", "put", "files", "/files"]
    figures: dict[str, Figure] = {}
    for name, argv in (("upytool", ours), ("mp-image-tool-esp32", theirs)):
        try:
            figures[name] = _figure([_in(top, argv, {"UPYTOOL_CACHE_DIR": str(top / "cache")}) for _ in range(runs)])
        except Failed as error:
            figures[name] = Figure(0, 0, 0, 0, str(error))
    return [Row("ESP32_GENERIC: 50 ready files", name, figure, None) for name, figure in figures.items()]


def _in(folder: Path, argv: Sequence[str], env: dict[str, str]) -> Sample:
    import os

    before = os.getcwd()
    os.chdir(folder)
    try:
        return once(argv, env)
    finally:
        os.chdir(before)


def _figure(samples: Sequence[Sample]) -> Figure:
    from statistics import median

    return Figure(
        median(each.wall for each in samples), median(each.cpu for each in samples),
        int(median(each.memory for each in samples)), len(samples),
    )  # fmt: skip


def main() -> int:
    rows = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    for row in rows:
        target = f" (target {row.target} s, {'met' if row.met else 'NOT met'})" if row.target else ""
        said = row.figure.failed or f"{row.figure.wall:.2f} s wall, {row.figure.cpu:.2f} s CPU"
        print(f"{row.case:<40} {row.tool:<20} {said}{target}")
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
