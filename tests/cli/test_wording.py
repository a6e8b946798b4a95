"""What a person reads: nothing twice, numbers that agree with their nouns, advice that leads on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import upytool.cli.ui.streams as streams
from upytool.cli.completion import selectors
from upytool.cli.suggest import closest
from upytool.cli.ui.rich_reporter import RichReporter
from upytool.cli.ui.streams import Streams
from upytool.cli.ui.style import Style
from upytool.cli.ui.text import plural, rows
from upytool.events import Task

from .conftest import BoardCli, Cli


def test_only_near_words_are_suggested() -> None:
    assert closest("--jsn", ["--json", "--yes", "--rts"]) == ["--json"]
    assert closest("--nothing-like-it", ["--json"]) == []
    assert closest("a", []) == []


def test_an_empty_table_has_no_heading() -> None:
    assert rows(Style(False, True, 80, True), ["name", "size"], []) == []


def test_sim_is_suggested(cli: Cli) -> None:
    assert "did you mean sim?" in cli("-d", "siim", "ls").err


def test_running_simulators_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Running:
        name, kind = "second", "wasm"

    monkeypatch.setattr("upytool.sim.registry.list_running", lambda: [Running()])
    assert ("sim:second", "a simulated board (wasm)") in selectors()


@pytest.mark.parametrize(
    ("number", "said"),
    [(1, "1 other serial port is not a board"), (2, "2 other serial ports are not boards")],
)
def test_ports_that_are_no_boards(number: int, said: str) -> None:
    assert plural(number, "other serial port is not a board", "other serial ports are not boards") == said


def test_a_task_with_a_bar_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    reporter = RichReporter(Streams(), clock=lambda: now[0])
    task = Task(reporter, "main.py", 1000)
    now[0] = 5.0
    task.advance(500)
    task.finish()
    assert "main.py: " not in capsys.readouterr().err


def test_advice_of_rm_and_rmdir(board: BoardCli) -> None:
    board.ok("mkdir", "d", "+", "touch", "d/x")
    for command in ("rm", "rmdir"):
        assert "hint: `upytool rm -r :d` removes it with all that is in it" in board(command, "d").err


def test_copy_on_a_terminal(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_is_tty", lambda stream: stream is sys.stderr)
    Path("a.py").write_text("1")
    assert "1 file copied (1 B in " in board("cp", "a.py", ":").err
    assert board("cp", "a.py", ":").err.strip() == "Nothing to copy: 1 file unchanged"


def test_a_no_is_not_called_an_interrupt(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.cli.ui.prompt.confirm", lambda *_, **__: False)
    run = board("wipe")
    assert (run.code, run.err) == (130, "error: cancelled\n")
