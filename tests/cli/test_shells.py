"""Completion in real shells: whatever a file on a board is called, the line it completes to means that file."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upytool.cli import shells
from upytool.cli.listings import remember_board, remember_listing
from upytool.cli.shells import bash_word, powershell_word, typed_words

from .conftest import Cli
from .shell_terminal import SHELLS, need, shell_terminal

pytestmark = pytest.mark.skipif(os.name == "nt", reason="these shells need a pseudo terminal")

NAMES = [
    "a$(touch X)", "a`touch X`", "a;touch X", "a|touch X", "a&touch X&", "a>X", "a<b", "a(b)", "$HOME", "${HOME}",
    "a'$(touch X)'", 'a"$(touch X)"', "a'b", 'a"b', "a\\b", "a\\", "!!", "a!b", "!$",
    "a b", " a ", "a  b", "a\nb", "a\ntouch X", "a\tb",
    "a*b", "a?b", "a[b]", "{b,c}", "a^b", "~", "~root", "#a", "=ls", "%1", "a=b",
    "-rf", "--help", "+", ":colon", "a:b", "a@b", "a,b", "na\u00efve", "\u6587\u4ef6", "\U0001f600",
]  # fmt: skip
# Part of them again where the user has opened a quote.
QUOTED = ["a$(touch X)", "a`touch X`", "a'$(touch X)'", 'a"$(touch X)"', "a!b", "!!", "a b", "a\nb", "a\\b", "a"]
# What a terminal obeys is not offered.
COMMANDS = ["a\x1b]52;c;eA==\x07", "a\x9b2J", "a\u202eb", "a\x7f", "a\r", "a\udcff"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_name_completes_to_itself_and_runs_nothing(shell: str, tmp_path: Path) -> None:
    remember_board(["auto"], "one")
    cases = [("", name) for name in NAMES] + [(quote, name) for name in QUOTED for quote in "\"'"]
    place = tmp_path / "shell"
    place.mkdir()
    with shell_terminal(shell, place) as terminal:
        for quote, name in cases:
            if shell == "fish" and "\t" in name:
                continue  # its protocol has no word for it; see test_fish_is_offered_no_tab
            remember_listing("one", "/", [(name, False)])
            assert terminal.ran(f"upytool cat {quote}:\t\r") == ["cat", ":" + name], (quote, name)
        for names in (("a$(touch X)1", "a$(touch X)2"), ("a\n1", "a\t1"), ("a;touch X", "a`touch X`")):
            # Several fit: the line gets what they share, and is thrown away (Ctrl-U).
            remember_listing("one", "/", [(name, False) for name in names])
            assert terminal.ran("upytool cat :\t\t\x15upytool version\r") == ["version"], names
        assert not list((place / "here").iterdir())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("shell", SHELLS)
def test_a_line_goes_on(shell: str, tmp_path: Path) -> None:
    """Directories are gone down into, options and commands complete, local files are the shell's own affair."""
    remember_board(["auto"], "one")
    remember_listing("one", "/", [("li b", True), ("main.py", False)])
    remember_listing("one", "/li b", [("a $x.py", False)])
    place = tmp_path / "shell"
    place.mkdir()
    with shell_terminal(shell, place) as terminal:
        (place / "here" / "local file").touch()
        assert terminal.ran("upytool cat :l\t\t\r") == ["cat", ":li b/a $x.py"]
        assert terminal.ran("upytool cat 'main.py' :li\\ \t\t\r") == ["cat", "main.py", ":li b/a $x.py"]
        assert terminal.ran("upytool cp :m\t loc\t\r") == ["cp", ":main.py", "local file"]
        assert terminal.ran("upytool conf\tse\tbau\t7\r") == ["config", "set", "baud", "7"]
        assert terminal.ran("upytool version + dir\tsta\t\r") == ["version", "+", "dirs", "state"]


def answer(cli: Cli, monkeypatch: pytest.MonkeyPatch, shell: str, *words: str, **environment: str) -> tuple[int, str]:
    monkeypatch.setenv("_UPYTOOL_COMPLETE", f"{shell}_complete")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    done = cli(*words)
    assert done.err == ""
    return done.code, done.out


@pytest.mark.parametrize("name", COMMANDS)
def test_what_a_terminal_obeys_is_not_offered(cli: Cli, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    remember_board(["auto"], "one")
    remember_listing("one", "/", [(name, False), ("b", False)])
    assert answer(cli, monkeypatch, "zsh", "cat", ":") == (0, "plain\0:b\0:b\0")
    assert answer(cli, monkeypatch, "fish", "cat", ":") == (0, ":b\t\0")
    line = {"UPYTOOL_LINE": "upytool cat :", "UPYTOOL_BREAKS": ":"}
    assert answer(cli, monkeypatch, "bash", **line) == (0, "plain\tb\n")
    code, text = answer(cli, monkeypatch, "powershell", UPYTOOL_WORDS='["upytool", "cat", ":"]')
    assert code == 0
    assert [item["word"] for item in json.loads(text)] == [":b"]


def test_fish_is_offered_no_tab_and_a_description_is_whole(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    remember_board(["auto"], "one")
    remember_listing("one", "/", [("a\tb", False)])
    assert answer(cli, monkeypatch, "fish", "cat", ":") == (0, "")
    monkeypatch.setattr(shells, "complete", lambda *_: [shells.CompletionItem("x", help="one, two, three")])
    assert answer(cli, monkeypatch, "fish", "") == (0, "x\tone, two, three\0")
    assert answer(cli, monkeypatch, "zsh", "") == (0, "plain\0x\0x  -- one, two, three\0")


def test_an_unknown_shell_or_garbage_is_no_traceback(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(cli, monkeypatch, "tcsh", "conf")[0] == 1
    for words in ("", "{}", "[", "[]", "5"):
        assert answer(cli, monkeypatch, "powershell", UPYTOOL_WORDS=words) == (0, "[]")
    assert answer(cli, monkeypatch, "zsh")[0] == answer(cli, monkeypatch, "fish")[0] == 0


@pytest.mark.parametrize("shell", shells.SHELLS)
def test_scripts(cli: Cli, shell: str) -> None:
    done = cli("completions", shell)
    assert done.code == 0
    assert f"{shell}_complete" in done.out


def test_scripts_are_what_their_shells_can_read(cli: Cli, tmp_path: Path) -> None:
    for shell in SHELLS:
        path = tmp_path / shell
        path.write_text(cli("completions", shell).out, encoding="utf-8")
        subprocess.run([need(shell), "-n", str(path)], check=True, timeout=60)


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n\t$`'\"\\! ;&|<>(){}[]*?~#=:"))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(TEXT, st.sampled_from(["", "'", '"']))
def test_a_quoted_word_is_read_as_its_value(value: str, quote: str) -> None:
    """By our own reader, and by bash."""
    word = bash_word(value, quote)
    line = f"upytool {quote}{word}"
    if quote and not word.endswith(quote):
        line += quote
    assert [each.value for each in typed_words(line)] == ["upytool", value]
    done = subprocess.run(["bash", "-c", f"printf %s{line.removeprefix('upytool')}"], capture_output=True, timeout=60)
    assert done.stdout.decode() == value


@given(TEXT)
def test_the_reader_of_a_line_takes_anything(line: str) -> None:
    assert all(len(word.quoted) == len(word.value) for word in typed_words(line))


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (":main.py", ":main.py"),
        ("a$(x)", "'a$(x)'"),
        ("a'b", "'a''b'"),
        ("a\u2019;x", "'a\u2019\u2019;x'"),
        ("a b", "'a b'"),
    ],
)
def test_powershell_words(value: str, word: str) -> None:
    assert powershell_word(value) == word
