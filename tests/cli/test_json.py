"""--json: one document for a run of upytool, whatever happened in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BoardCli, Cli
from upytool import limits

BINARY = bytes(range(256))


def whole(board: BoardCli, *argv: str) -> dict[str, Any]:
    """The one document that stdout holds, with the exit code as `code`."""
    run = board(*argv, "--json")
    found: dict[str, Any] = json.loads(run.out)
    assert found["version"] == 1
    assert isinstance(found["warnings"], list)
    if "error" in found:
        assert found["error"]["exit_code"] == run.code
    else:
        assert run.code == 0
    return found


@pytest.mark.parametrize(
    ("argv", "result"),
    [
        (("mkdir", ":d", ":e"), {"made": ["d", "e"]}),
        (("touch", ":t"), {"touched": ["t"]}),
        (("rm", ":old"), {"removed": ["old"]}),
        (("rm", "-r", ":tree"), {"removed": ["tree/x", "tree"]}),
        (("rm", "-f", ":nothing"), {"removed": []}),
        (("rmdir", ":empty"), {"removed": ["empty"]}),
        (("mv", ":old", ":new"), {"moved": ["old"], "to": "new"}),
        (("cd", ":tree"), {"directory": "tree"}),
        (("stop",), {"stopped": True}),
        (("soft-reset",), {"reset": "soft"}),
        (("exec", "print(1)"), {"output": "1\n"}),
        (("exec", "x = 1"), {}),
        (("cat", ":old"), {"output": "kept"}),
        (("cat", ":raw"), {"output": {"base64": "/wD+"}}),
        (("eval", "1 + 1"), {"value": 2}),
        (("sleep", "0", "exec", "print(1)"), {"output": "1\n"}),
    ],
)
def test_a_success_is_one_result(board: BoardCli, argv: tuple[str, ...], result: Any) -> None:
    board.ok("mkdir", ":tree", ":empty", "+", "touch", ":tree/x")
    board.put("old", b"kept")
    board.put("raw", b"\xff\x00\xfe")
    found = whole(board, *argv)
    assert found["result"] == result
    assert found.keys() == {"version", "result", "warnings"}


def test_several_commands_are_one_document(board: BoardCli) -> None:
    found = whole(board, "mkdir", ":d", "+", "exec", "print('out')", "+", "resume", "+", "ls", ":")
    assert [step["command"] for step in found["results"]] == ["mkdir", "exec", "ls"]
    assert found["results"][1]["result"] == {"output": "out\n"}
    assert "d" in json.dumps(found["results"][2]["result"])


def test_a_mount_keeps_its_result_beside_the_programs(board: BoardCli, tmp_path: Path) -> None:
    found = whole(board, "mount", str(tmp_path), "exec", "print(1)")
    assert [step["command"] for step in found["results"]] == ["mount", "exec"]
    assert found["results"][1]["result"] == {"output": "1\n"}


def test_what_was_done_before_a_failure_is_told(board: BoardCli) -> None:
    found = whole(board, "touch", ":a", "+", "cat", ":gone")
    assert found["results"] == [{"command": "touch", "result": {"touched": ["a"]}}]
    assert (found["error"]["code"], found["error"]["fields"]) == ("files.not-found", {"path": "gone", "errno": 2})


@pytest.mark.parametrize(
    ("code", "error", "status", "output"),
    [
        ("print('a'); 1/0", "remote.exception", 1, "a\n"),
        ("print('a'); import sys; sys.exit(3)", "remote.exit", 3, "a\n"),
        ("import sys; sys.exit(0)", None, 0, None),
    ],
)
def test_a_programs_output_and_its_outcome(
    board: BoardCli, code: str, error: str | None, status: int, output: str | None
) -> None:
    found = whole(board, "exec", code)
    assert found.get("error", {}).get("code") == error
    assert found.get("error", {}).get("exit_code", 0) == status
    assert found.get("result", {}).get("output") == output


def test_run_gives_both_too(board: BoardCli, tmp_path: Path) -> None:
    program = tmp_path / "p.py"
    program.write_text("print('before')\nraise ValueError('no')\n")
    found = whole(board, "run", str(program))
    assert found["result"] == {"output": "before\n"}
    assert found["error"]["traceback"].splitlines()[-1] == "ValueError: no"


def test_a_check_gives_its_findings_and_its_verdict(board: BoardCli, tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "new.py").write_text("x")
    found = whole(board, "sync", str(tmp_path / "src"), ":/", "--check")
    assert found["error"]["code"].startswith("differences")
    assert found["result"]


@pytest.mark.parametrize("argv", [("--help",), ("cp", "--help"), ("help", "cp"), ("help", "json"), ("version",), ()])
def test_help_is_a_document_as_well(cli: Cli, argv: tuple[str, ...]) -> None:
    run = cli(*argv, "--json")
    assert run.code == 0
    assert json.loads(run.out)["result"]


@pytest.mark.parametrize("argv", [("nonsense",), ("cp",), ("ls", "--nonsense"), ("-d", "nowhere:x", "ls")])
def test_a_failure_before_anything_ran(cli: Cli, argv: tuple[str, ...]) -> None:
    run = cli(*argv, "--json")
    assert json.loads(run.out)["error"]["exit_code"] == run.code


def test_output_has_a_limit(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "JSON_OUTPUT_BYTES", 10)
    assert whole(board, "exec", "print('0123456789abc')")["result"] == {"output": "0123456789", "output_cut": True}
