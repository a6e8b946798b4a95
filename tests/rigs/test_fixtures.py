"""What becomes of a test whose rig cannot be had, or has to be built first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = """
import time
import pytest
from tests.rigs import RegistryRefused, RigBroken, RigUnavailable
from tests.rigs.base import cached_build
"""
USES = {
    "in a test": "def test_it():\n    raise {kind}('no such package')\n",
    "in a fixture": "@pytest.fixture\ndef rig():\n    raise {kind}('no such package')\ndef test_it(rig): ...\n",
    "in a fixture of two": (
        "@pytest.fixture(scope='session')\ndef rig():\n    raise {kind}('no such package')\n"
        "def test_it(rig): ...\ndef test_more(rig): ...\n"
    ),
}


def outcome(tmp_path: Path, repository: Path, text: str, *, ci: bool, words: tuple[str, ...] = ()) -> tuple[str, str]:
    """Run a test file in a pytest of its own: (all it printed, its counts)."""
    (tmp_path / "test_inner.py").write_text(HEAD + text)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    kept = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.rigs.fixtures", "-p", "no:cacheprovider", *words, str(tmp_path)],
        cwd=tmp_path, capture_output=True, text=True, timeout=100,
        env={**kept, "PYTHONPATH": str(repository), "UPYTOOL_RIG_CACHE": str(tmp_path / "cache"),
             **({"CI": "true"} if ci else {})},
    )  # fmt: skip
    return done.stdout + done.stderr, re.sub(r" in [\d.]+s.*", "", done.stdout.strip().splitlines()[-1].strip("= "))


@pytest.mark.parametrize(
    ("kind", "ci", "words"),
    [
        ("RegistryRefused", True, ("-n", "1")),
        ("RegistryRefused", False, ()),
        ("RigUnavailable", True, ()),
        ("RigUnavailable", False, ()),
        ("RigBroken", False, ()),
    ],
)
def test_only_a_registry_may_leave_a_test_out_in_ci(
    kind: str, ci: bool, words: tuple[str, ...], tmp_path: Path, repository: Path
) -> None:
    text = "".join(
        USES[use].format(kind=kind).replace("rig", f"rig{at}").replace("test_", f"test_{at}_")
        for at, use in enumerate(USES)
    )
    said, counts = outcome(tmp_path, repository, text, ci=ci, words=words)
    skipped = kind == "RegistryRefused" or (kind == "RigUnavailable" and not ci)
    loud = [line for line in said.splitlines() if line.startswith("!!! RIG UNAVAILABLE: no such package")]
    assert len(loud) == skipped, said
    assert counts == ("4 skipped" if skipped else "1 failed, 3 errors"), said


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_the_clock_stands_still_while_a_rig_is_built(method: str, tmp_path: Path, repository: Path) -> None:
    """Building takes longer than the test may; what comes after it is timed again."""
    text = (
        "def slow(directory):\n    time.sleep(4)\n"
        "def test_builds():\n    cached_build('outer', 'k', lambda to: cached_build('inner', 'k', slow))\n"
        "def test_hangs():\n    cached_build('more', 'k', lambda to: None)\n    time.sleep(90)\n"
    )
    words = ("--timeout", "2", "--timeout-method", method, "-k")
    if method == "signal":
        said, counts = outcome(tmp_path, repository, text, ci=False, words=(*words, "test_"))
        assert counts == "1 failed, 1 passed", said
    else:  # this method ends the whole process
        said, counts = outcome(tmp_path, repository, text, ci=False, words=(*words, "builds"))
        assert counts == "1 passed, 1 deselected", said
        said, _ = outcome(tmp_path, repository, text, ci=False, words=(*words, "hangs"))
        assert "Timeout" in said
        assert "passed" not in said
