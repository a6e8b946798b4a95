"""The steps of a build as programs: log, progress, time limits, and nothing left behind."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from upytool.builder.run_build import Runner, with_idf
from upytool.errors import BuildError
from upytool.events import Event, TaskAdvanced, TaskFinished, TaskStarted

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the steps here are shell scripts")


class Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def runner(tmp_path: Path, steps: int = 0) -> tuple[Runner, Recorder]:
    seen = Recorder()
    made = Runner(tmp_path / "log.txt", {"ADDED": "yes"}, None, seen, steps)
    made.start_log("a test")
    return made, seen


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def test_everything_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROZEN_MANIFEST", "the user's shell has this")
    made, _ = runner(tmp_path)
    said = made.run(shell("echo out; echo err >&2; echo $ADDED ${FROZEN_MANIFEST:-none}"), tmp_path, "x")
    assert said == "out\nerr\nyes none\n"
    log = made.log.read_text()
    assert log.startswith("a test\n$ sh -c")
    assert log.endswith(said)


def test_ninja_counts(tmp_path: Path) -> None:
    made, seen = runner(tmp_path)
    lines = ("[1/20] CC a", "[1/2] inner", "[2/2] inner", "[20/20] LINK")
    made.run(shell("; ".join(f"echo '{line}'" for line in lines)), tmp_path, "build")
    started = [event for event in seen.events if isinstance(event, TaskStarted)]
    assert [(event.label, event.total, event.unit) for event in started] == [("build", 20, "steps")]
    assert [event.done for event in seen.events if isinstance(event, TaskAdvanced)] == [1, 20]
    assert seen.events[-1] == TaskFinished(started[0].task, True)


def test_cmakes_percents_and_makes_own_lines(tmp_path: Path) -> None:
    made, seen = runner(tmp_path)
    made.run(shell("echo '[  5%] Building C object'; echo '[100%] Linking'"), tmp_path, "cmake")
    assert [event.total for event in seen.events if isinstance(event, TaskStarted)] == [100]
    made, seen = runner(tmp_path, 3)
    made.run(shell("echo 'CC a.c'; echo text; echo 'CC b.c'; echo 'LINK x'"), tmp_path, "make")
    assert made.counted == 3
    assert [event.total for event in seen.events if isinstance(event, TaskStarted)] == [3]


def test_a_step_that_does_not_end(tmp_path: Path) -> None:
    made, _ = runner(tmp_path)
    begin = time.monotonic()
    with pytest.raises(BuildError, match=r"did not end within 0\.5 s"):
        made.run(shell("sleep 60 & sleep 60"), tmp_path, "x", limit=0.5)
    assert time.monotonic() - begin < 50


def test_ctrl_c_ends_the_whole_group(tmp_path: Path) -> None:
    """A compiler three processes below dies as well, even one that does not care for SIGTERM."""
    made, _ = runner(tmp_path)
    child = tmp_path / "child"
    script = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"open({str(child)!r}, 'w').write(str(os.getpid())); print('CC a', flush=True); time.sleep(100)"
    )
    interrupted = threading.Event()

    class Interrupting(Recorder):
        def emit(self, event: Event) -> None:
            if isinstance(event, TaskAdvanced) and not interrupted.is_set():
                interrupted.set()
                raise KeyboardInterrupt

    made.reporter = Interrupting()
    with pytest.raises(KeyboardInterrupt):
        made.run(shell(f'sh -c "{sys.executable} -c \\"{script}\\""'), tmp_path, "x")
    pid = int(child.read_text())
    end = time.monotonic() + 60
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    """Running, and no mere entry that nobody has collected."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    made, _ = runner(tmp_path)
    with pytest.raises(BuildError, match="no-such-program cannot be started"):
        made.run(["no-such-program"], tmp_path, "x")


def test_esp_idf_is_put_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "export.sh").write_text("export PATH=$IDF_PATH/bin:$PATH\n")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "idf.py"
    program.write_text("#!/bin/sh\necho idf $1\n")
    program.chmod(0o755)
    monkeypatch.setenv("IDF_PATH", str(tmp_path))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    made, _ = runner(tmp_path)
    assert made.run(with_idf(["idf.py", "build"]), tmp_path, "x") == "idf build\n"
    monkeypatch.delenv("IDF_PATH")
    assert with_idf(["idf.py"]) == ["idf.py"]
