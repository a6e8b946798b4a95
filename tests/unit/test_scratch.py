"""Directories for work in progress: gone at the end, swept after a kill, kept while somebody holds them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

import upytool
from upytool import scratch
from upytool.scratch import scratch_directory


@pytest.fixture(autouse=True)
def nothing_swept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "_swept", set())


def old(path: Path) -> Path:
    os.utime(path, (time.time() - 3600,) * 2)
    return path


def test_it_is_private_and_gone_at_the_end(tmp_path: Path) -> None:
    def fail() -> None:
        with scratch_directory(tmp_path) as folder:
            (folder / "deep" / "er").mkdir(parents=True)
            if os.name == "posix":
                assert folder.stat().st_mode & 0o077 == 0
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_run_is_swept_and_a_running_one_is_not(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom upytool.scratch import scratch_directory\n"
        "with scratch_directory(sys.argv[1]) as f:\n (f/'x').mkdir();print(f, flush=True);sys.stdin.read()"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdin is not None
    folder = old(Path(child.stdout.readline().strip()))
    with scratch_directory(tmp_path):
        assert folder.exists()
    child.kill()
    child.wait(30)
    child.stdin.close()
    child.stdout.close()
    assert (folder / "x").exists()
    scratch._swept.clear()
    with scratch_directory(tmp_path):
        assert not folder.exists()


@pytest.mark.parametrize("name", ["upytool-x", ".upytool-0123.part", "mine"])
def test_what_is_not_ours_stays(tmp_path: Path, name: str) -> None:
    theirs = tmp_path / name
    theirs.mkdir()
    old(theirs)
    with scratch_directory(tmp_path):
        pass
    assert theirs.exists()


def test_one_that_was_just_made_stays(tmp_path: Path) -> None:
    """Its maker is between making it and holding it."""
    young = tmp_path / scratch.new_name()
    young.mkdir()
    with scratch_directory(tmp_path):
        pass
    assert young.exists()
    old(young)
    scratch._swept.clear()
    with scratch_directory(tmp_path):
        pass
    assert not young.exists()


def test_there_is_no_other_way_to_make_one() -> None:
    """But for `edit`: what somebody wrote is not swept."""
    root = Path(upytool.__file__).parent
    users = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if re.search(r"TemporaryDirectory|mkdtemp", path.read_text(encoding="utf-8"))
    }
    assert users == {"cli/commands/edit.py"}
