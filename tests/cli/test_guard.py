"""What a terminal is sent: whatever names and messages hold, it is never told to do anything but change colours."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool.cli.app import App, pass_app
from upytool.cli.group import Command, define
from upytool.cli.ui import guard
from upytool.cli.ui.guard import guarded, guarded_json, harmless, one_line
from upytool.cli.ui.json import Document
from upytool.cli.ui.rich_reporter import RichReporter
from upytool.cli.ui.streams import Streams
from upytool.cli.ui.style import Style
from upytool.cli.ui.text import rows
from upytool.errors import RemoteException, UpytoolError
from upytool.events import Task, notice

from .conftest import BoardCli, Cli

HOSTILE = [
    "\x1b]52;c;eA==\x07", "\x1b]0;title\x1b\\", "\x1b[2J", "\x1b[31m", "\x1bc", "\x9b2J", "\x9d52;c;eA==\x9c",
    "\x07", "\x08\x08", "\r", "\x0b", "\x0c", "\x0e", "\x7f", "\x85", "\u202e", "\u2066", "\u200f", "\u061c",
    "\u2028", "\ufeff", "\U000e0041", "\udc9b", "\ud800", "\x1b[0;1;32m",
]  # fmt: skip
_SGR = re.compile(r"\x1b\[[0-9;]+m")


def commands(text: str) -> set[str]:
    """The characters of `text` that a terminal may obey, colours of ours left out."""
    return {char for char in _SGR.sub("", text) if not harmless(char)}


TEXT = st.lists(st.one_of(st.text(max_size=5), st.sampled_from(HOSTILE), st.characters())).map("".join)


@given(TEXT)
def test_nothing_that_commands_passes(text: str) -> None:
    for shown in (guarded(text), guarded(one_line(text)), guarded(Style(colour=True).error(text))):
        assert not commands(shown)
    assert "\x1b" not in guarded(text)
    assert "\n" not in one_line(text)
    # What is not a command is as it was, and nothing is dropped.
    assert len(guarded(text)) >= len(text)
    if harmless(text):
        assert guarded(text) == text


@given(TEXT, TEXT, TEXT)
def test_our_colours_pass_and_only_ours(before: str, inside: str, after: str) -> None:
    style = Style(colour=True)
    painted = guarded(before + style.dim(inside) + after)
    expected = f"\x1b[2m{guarded(inside)}\x1b[0m" if inside else ""
    assert painted == guarded(before) + expected + guarded(after)


@given(st.text(), st.integers(0, 60))
def test_a_painted_text_that_was_cut_is_harmless(text: str, at: int) -> None:
    shown = guarded(Style(colour=True).good(text + "x")[:at])
    assert not commands(shown.removesuffix("\x1b"))


@given(st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner)))
def test_json_says_what_it_said(value: Any) -> None:
    for pretty in (False, True):
        document = Document()
        document.result(value)
        document.end("it", failed=False, acting=True)
        text = document.text(None, [], pretty=pretty)
        assert harmless(text)
        # Two halves of a pair that stand side by side are one character in JSON, whoever writes it.
        assert json.loads(text)["result"] == json.loads(json.dumps(value))
    assert guarded_json("\u202e\U000e0041") == "\\u202e\\udb40\\udc41"


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_every_way_out(
    cli: Cli, add_command: Callable[[Command], None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Results, tables, notices, errors, hints, tracebacks, questions, JSON, on a pipe and with colour."""

    @define("boom")
    @pass_app
    def command(app: App) -> None:
        app.emit({name: name}, [f"a{name}b"])
        app.emit(None, f"a{name}b")
        app.emit(None, lambda style: [style.good(name), *rows(style, ["x"], [[name]])])
        app.note(name)
        app.echo(name)
        app.warn(name)
        app.detail(name)
        notice(app.reporter, name, "debug")
        with Task(app.reporter, name, 1):
            pass
        app.streams.err(name)
        raise UpytoolError(name, hint=f"{name}\n{name}") from ValueError(name)

    @define("remote")
    @pass_app
    def remote(app: App) -> None:
        raise RemoteException(f"Traceback (most recent call last):\r\n  File {name}\r\nValueError: {name}\r\n")

    add_command(command)
    add_command(remote)
    for line in (["boom"], ["boom", "-vv"], ["boom", "--color", "always", "-vv"], ["boom", "--json"], ["remote"]):
        done = cli(*line)
        assert done.code == 1
        assert not commands(done.out + done.err), line
    for words in ([name], ["ls", "--" + name], ["-d", name, "ls"], ["help", name], ["config", "get", name]):
        done = cli(*words)
        assert done.code != 0
        assert not commands(done.out + done.err), words


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_progress_bar(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pytest.importorskip("rich")
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stderr", shown)
    times = iter(range(100))
    reporter = RichReporter(Streams(), 0, clock=lambda: float(next(times)))
    with Task(reporter, f"a{name}b\nc", 10) as task:
        task.advance(5)
        task.advance(2)
    reporter.close()
    text = re.sub(r"\x1b\[(\?25[lh]|\d*[AK]|2K|1A)|\r", "", shown.getvalue())
    assert "b" in text
    assert not commands(text), text


NAMES = ["a\x1b]52;c;eA==\x07", "b\u202egpj.exe", "c\x7f", "d\u200f", "e\x9b2J"]


def test_every_command_with_hostile_names_on_a_board(board: BoardCli, tmp_path: Path) -> None:
    """On a real MicroPython, each command that shows what is there."""
    made = []
    for name in NAMES:
        done = board("resume", "exec", f"import os\nos.mkdir({name!r})\nopen({name + '/f' + name!r}, 'w').close()")
        made += [name] if done.code == 0 else []
    assert len(made) >= 4
    (tmp_path / "local").mkdir()
    lines = [["ls"], ["tree"], ["df"], ["info"], ["backup", str(tmp_path / "b.tar"), "-v"]]
    lines += [["cp", "-r", ":", str(tmp_path / "local"), "-vv"], ["diff", str(tmp_path / "local"), ":"]]
    for name in made:
        file = f":{name}/f{name}"
        lines += [["ls", f":{name}"], ["tree", f":{name}"], ["sha256sum", file], ["cd", f":{name}", "pwd"]]
        lines += [["cp", file, f":{name}/g", "-vv"], ["mv", f":{name}/g", file], ["cat", f":{name}/no"]]
        lines += [["sha256sum", f":{name}"], ["rmdir", f":{name}"], ["mkdir", f":{name}"], ["touch", file]]
        lines += [["exec", f"raise ValueError({name!r})"], ["rm", "-r", "-v", f":{name}"]]
    for line in lines:
        for flags in ([], ["--color", "always", "-v"], ["--json"]):
            done = board(*line, *flags)
            assert not commands(done.out + done.err), (line, flags, done)
            if "\x1b]" in done.out + done.err:
                raise AssertionError(line)


def test_the_mark_is_not_told() -> None:
    """Another process has another mark, and no text of ours holds it unchanged."""
    assert guard._OURS not in guarded(Style(colour=True).error("x"))
    assert re.fullmatch(r"\x1b\[\d{1,20};", guard._OURS)
