"""One command as a whole process: wall time, CPU time and peak memory, as the kernel accounts for them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

TIMEOUT = 180.0


@dataclass(frozen=True)
class Sample:
    """wall and cpu in seconds, memory in bytes."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Figure:
    """The medians of several samples; `failed` holds the reason when the command did not do its job."""

    wall: float
    cpu: float
    memory: int
    runs: int
    failed: str = ""


class Failed(Exception):
    pass


def once(argv: Sequence[str], env: dict[str, str] | None = None, *, fails: bool = False) -> Sample:
    """Run `argv` once. Raises Failed with the last line it printed when its exit code is not 0 (0 with `fails`)."""
    with tempfile.TemporaryFile() as output:
        start = time.monotonic()
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(env or {})},
            cwd=tempfile.gettempdir(),  # not in a project, and not in this one, whose own files would be read
        )
        while True:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - start > TIMEOUT:
                process.kill()
                os.wait4(process.pid, 0)
                process.returncode = -9
                raise Failed(f"took longer than {TIMEOUT:.0f} s")
            time.sleep(0.002)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if bool(process.returncode) != fails:
            output.seek(0)
            lines = output.read().decode("utf-8", "replace").strip().splitlines() or ["?"]
            raise Failed(f"exit {process.returncode}: {lines[-1][:80]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * scale)


def compare(
    commands: Mapping[str, Callable[[], Sequence[str]]],
    *,
    runs: int,
    before: Callable[[str], None] = lambda name: None,
    after: Callable[[str], None] = lambda name: None,
) -> dict[str, Figure]:
    """Run each command `runs` times, in turn (A B C A B C ...), so that a slow moment of the machine hits all.

    Args:
        commands: name -> a function that makes the command line of the next run.
        before, after: called around each run, not timed; `after` checks the result and raises Failed.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in commands}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for name, make in commands.items():
            if name in failed:
                continue
            try:
                before(name)
                samples[name].append(once(make()))
                after(name)
            except Failed as error:
                failed[name] = str(error)
    return {name: _figure(samples[name], failed.get(name, "")) for name in commands}


def _figure(samples: list[Sample], failed: str) -> Figure:
    if failed or not samples:
        return Figure(0.0, 0.0, 0, 0, failed or "no run")
    return Figure(
        statistics.median(sample.wall for sample in samples),
        statistics.median(sample.cpu for sample in samples),
        max(sample.memory for sample in samples),
        len(samples),
    )
