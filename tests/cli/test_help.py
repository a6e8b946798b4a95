"""Help pages and topics say what the tables say, and their examples run through the parser."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

import click
import pytest

from upytool import words
from upytool.cli import table
from upytool.cli.chain import split
from upytool.cli.group import Command, Context, Group, load, require, root
from upytool.cli.session import context_of
from upytool.cli.topics import SELECTORS, topic
from upytool.cli.ui.help import EXAMPLES
from upytool.cli.ui.style import Style
from upytool.config.macros import Macros
from upytool.config.options import OPTIONS, VARIABLES, global_flags
from upytool.errors import EXIT_CODES, UpytoolError, kind_of

from .conftest import Cli

NAMES = [entry.name for entry in table.COMMANDS]


def leaves(name: str) -> Iterator[tuple[str, click.Command]]:
    command = load(name)
    assert command is not None
    yield name, command
    if isinstance(command, Group) and name != "fs":
        for sub in command.list_commands(click.Context(command)):
            found = command.get_command(click.Context(command), sub)
            assert found is not None
            yield f"{name} {sub}", found


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_ours_and_explains_itself(cli: Cli, name: str) -> None:
    for path, command in leaves(name):
        assert isinstance(command, (Command, Group)), path
        assert command.help, path
        words = path.split()
        assert command.name == words[-1]
        shown = cli(*words, "--help")
        assert shown.code == 0
        assert cli("help", *words).out.startswith(shown.out)
        assert shown.out.startswith(f"Usage: upytool {path} ")
        assert isinstance(command, Group) or "Examples:" in shown.out, path
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{path}: {parameter.opts} has no help"


@pytest.mark.parametrize("name", NAMES)
def test_no_command_takes_a_global_flag_for_itself(name: str) -> None:
    for path, command in leaves(name):
        own = {flag for p in command.params if isinstance(p, click.Option) for flag in p.opts}
        assert not own & set(global_flags()), path


def examples() -> list[str]:
    found = [line for line, _ in EXAMPLES]
    for name in NAMES:
        for _, command in leaves(name):
            found += [line for line, _ in getattr(command, "examples", ())]
    return found


def test_examples_are_valid_lines() -> None:
    for line in examples():
        # What stands before a pipe into upytool, and after a pipe or a redirection, is the shell's.
        words = shlex.split(re.split(r" [|<>]{1,2} ", re.sub(r"^(echo|cat|printf) [^|]*\| ", "", line))[0])
        assert words[0] == "upytool", line
        steps, _ = split(words[1:], require, Macros().expand)
        top = Context(root, info_name="upytool")
        for step in steps:
            with contextlib.suppress(click.exceptions.Exit):
                context_of(step, top)


@pytest.mark.parametrize("name", [name for name, _ in table.TOPICS])
def test_topics(cli: Cli, name: str) -> None:
    done = cli("help", name)
    assert done.code == 0
    assert "\n".join(topic(name, Style())) in done.out
    assert name in cli().out


def test_env_topic_is_the_table() -> None:
    text = "\n".join(topic("env", Style()))
    for option in OPTIONS:
        assert option.env in text
    for variable, _ in VARIABLES:
        assert variable in text


def test_exit_code_topic_is_the_table() -> None:
    text = topic("exit-codes", Style())
    for code, meaning in EXIT_CODES.items():
        assert f"  {code:<3}  {meaning}" in text


def test_options_topic_lists_every_flag() -> None:
    text = "\n".join(topic("options", Style()))
    for flag in global_flags():
        assert re.search(rf"(^|\s){re.escape(flag)}\b", text), flag


def test_selector_topic_is_what_the_selector_module_says() -> None:
    from upytool.discovery import selector

    said = selector.__doc__ or ""
    for form, _ in SELECTORS:
        kind = form.partition(":")[0] + ":" if ":" in form else ""
        if kind in ("id:", "usb:", "exec:", "sim:"):
            assert kind in said


def test_help_for_nothing_known(cli: Cli) -> None:
    done = cli("help", "selectrs")
    assert (done.code, done.out) == (2, "")
    assert "did you mean selectors?" in done.err


def test_width_is_kept(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    text = cli("config", "--help").out
    body = text.partition("Examples:")[0]
    assert max(map(len, body.splitlines())) <= 60


def test_an_errors_code_is_explained(cli: Cli) -> None:
    for code in words.errors():
        run = cli("help", code)
        # Where a command has the name too, its help comes first.
        kind = kind_of(code)
        ends = "exit code 2, 6" if kind is UpytoolError else f"exit code {kind.exit_code},"
        assert (run.code, code in run.out, ends in run.out) == (0, True, True), code
    listed = cli("help", "errors").out
    assert all(f"\n  {code} " in listed for code in words.errors())
    assert cli("help", "files").out.count("\n") == sum(code.startswith("files.") for code in words.errors())
    assert cli("help", "files.nonsense").code == 2
