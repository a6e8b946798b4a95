"""The tests without rigs on every Python that upytool supports and this machine has: `make unit-all`.

Each has an environment of its own, `.venv-3.X`, made once. Tests that are named as arguments are run in place of all;
--others leaves out the Python that runs this.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MINORS = range(11, 15)
UNIT = ("tests/unit", "tests/cli", "tests/architecture")
SECONDS = 1800


def interpreters() -> dict[int, Path]:
    """Minor version to program, of what PATH and pyenv have."""
    found: dict[int, Path] = {}
    for minor in MINORS:
        on_path = shutil.which(f"python3.{minor}")
        kept = Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python")
        for program in [*([Path(on_path)] if on_path else []), *sorted(kept, reverse=True)]:
            if works(program, minor):
                found[minor] = program
                break
    return found


def works(program: Path, minor: int) -> bool:
    """Whether it is that version; pyenv's shims on PATH may belong to one that is not switched on."""
    asked = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60, check=False)
    return re.match(rf"Python 3\.{minor}\.", asked.stdout) is not None


def environment(minor: int, program: Path) -> Path:
    """The environment's own Python, with what the tests need."""
    folder = ROOT / f".venv-3.{minor}"
    stamp, python = folder / ".installed", folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not stamp.exists() or stamp.stat().st_mtime < (ROOT / "pyproject.toml").stat().st_mtime:
        subprocess.run([program, "-m", "venv", folder], check=True, timeout=SECONDS)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-e", ".[dev]"]
        subprocess.run([python, *install], cwd=ROOT, check=True, timeout=SECONDS)
        stamp.touch()
    return python


def main(arguments: list[str]) -> int:
    others = "--others" in arguments
    chosen = [each for each in arguments if each != "--others"] or UNIT
    worst = 0
    for minor, program in interpreters().items():
        if others and minor == sys.version_info.minor:
            continue
        python = environment(minor, program)
        print(f"Python 3.{minor}", flush=True)
        line = [python, "-m", "pytest", "-q", "-n", "2", "-m", "not rig and not slow", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*line, *chosen], cwd=ROOT, env={**os.environ, "UPYTOOL_NO_RIGS": "1"}, timeout=SECONDS, check=False
        )
        worst = max(worst, done.returncode)
    return worst


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
