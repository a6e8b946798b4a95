"""docs/examples: programs over the library, run as their readers would, on the simulated board."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.make_index import IndexBuilder

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"
TEST = "import greet, ringlog\nassert greet.hello('board') == 'hello, board'\nprint('passed')\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "greet.py").write_text("def hello(name):\n    return 'hello, ' + name\n")
    (tmp_path / "test.py").write_text(TEST)
    IndexBuilder(tmp_path / "index").add("ringlog", "1.0", {"ringlog.py": b"HERE = True\n"})
    return tmp_path


def provision(project: Path, *argv: str) -> tuple[int, list[Any], str]:
    done = subprocess.run(
        [sys.executable, EXAMPLES / "provision.py", *argv], cwd=project, capture_output=True, text=True, timeout=120
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_a_board_is_brought_into_service(simulated: str, project: Path) -> None:
    line = ("--board", simulated, "--files", "src", "--test", "test.py", "--package", "ringlog", "--index", "index")
    code, (done,), said = provision(project, *line)
    assert code == 0, said
    assert (done["board"], done["tested"]) == (simulated, "test.py")
    assert [each["name"] for each in done["installed"]["packages"]] == ["ringlog"]
    assert done["copied"]["write"] == 1
    assert f"[{simulated}] passed" in said
    code, (again,), said = provision(project, *line)
    assert (code, again["installed"]["written"], again["copied"]["write"]) == (0, 0, 0), said


def test_what_fails_is_told_as_data(simulated: str, project: Path) -> None:
    (project / "test.py").write_text("assert False\n")
    code, told, _ = provision(project, "--board", simulated, "--board", "sim:none", "--test", "test.py")
    assert code == 1
    assert [each["error"]["code"] for each in told] == ["remote.exception", "device.none.simulated"]
