"""The demo as `make demo` runs it: what it shows, what it leaves (nothing), and Ctrl-C in the middle of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for left-over processes in /proc"),
]
JOBS = ("sim start", "devices", "info", "cp", "run", "exec", "mip install", "mip list", "repl", "sim stop")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home; the demo's temporary files go beside it."""
    (tmp_path / "tmp").mkdir()
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def environment(home: Path, repository: Path) -> dict[str, str]:
    """A user's environment with that home, in which settings of his must not reach the demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UPYTOOL_", "XDG_", "MAKE"))}
    own = {"HOME": str(home), "TMPDIR": str(home.parent / "tmp"), "PYTHONPATH": str(repository)}
    return {**kept, **own, "UPYTOOL_DEVICE": "socket://127.0.0.1:9", "UPYTOOL_OFFLINE": "1"}


def left(home: Path) -> list[str]:
    """What a demo left: files and processes. A board's process lets go of its lock a moment before it ends."""
    until = time.monotonic() + 60
    while (found := _left(home)) and time.monotonic() < until:
        time.sleep(0.1)
    return found


def _left(home: Path) -> list[str]:
    files = [str(path) for top in (home, home.parent / "tmp") for path in top.rglob("*")]
    mark = f"TMPDIR={home.parent / 'tmp'}\0".encode()
    processes = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (place / "environ").read_bytes() + b"\0" and (place / "cmdline").read_bytes():
                processes.append((place / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            pass  # it has ended, or is somebody else's
    return files + processes


def test_it_shows_the_main_job_and_leaves_nothing(home: Path, repository: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"], env=environment(home, repository), cwd=home.parent,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    typed = [line.removeprefix("$ upytool ") for line in done.stdout.splitlines() if line.startswith("$ upytool ")]
    for job in JOBS:
        assert any(line.startswith(job) for line in typed), (job, typed)
    assert done.stderr == ""
    assert "5050" in done.stdout  # what the program computed on the board
    assert "ringlog" in done.stdout.partition("$ upytool mip list")[2]
    assert "6 x 7 = 42" in done.stdout
    assert left(home) == []


@pytest.mark.parametrize("command", ["sim start", "cp", "mip install", "repl"])
@pytest.mark.parametrize("make", [False, True], ids=["alone", "under make"])
def test_ctrl_c_is_quiet_and_leaves_nothing(command: str, make: bool, home: Path, repository: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        env=environment(home, repository) | ({"MAKELEVEL": "1"} if make else {}),
        cwd=home.parent, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert child.stdout is not None
    watchdog = threading.Timer(500, lambda: os.killpg(child.pid, signal.SIGKILL))
    watchdog.start()
    try:
        shown = ""
        for line in child.stdout:
            shown += line
            if line.startswith(f"$ upytool {command}"):
                break
        os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to the group that has it
        rest = child.stdout.read()
        status = child.wait()
    finally:
        watchdog.cancel()
        child.stdout.close()
    assert status == (0 if make else 130), shown + rest
    for noise in ("Traceback", "KeyboardInterrupt", "rror"):
        assert noise not in rest
    assert left(home) == []
