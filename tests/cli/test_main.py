"""From argv to the exit code: what is printed where, and every error's code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

import upytool
from upytool import errors
from upytool.cli.app import App, pass_app
from upytool.cli.group import Command, define
from upytool.cli.table import COMMANDS, SECTIONS
from upytool.protocol.ops import Interrupted

from .conftest import Cli

Add = Callable[[Command], None]


def raiser(error: BaseException) -> Command:
    @define("boom")
    @pass_app
    def command(app: App) -> None:
        raise error

    return command


def test_bare_line_shows_help(cli: Cli) -> None:
    bare = cli()
    assert bare.code == 0
    assert bare.err == ""
    assert bare.out == cli("--help").out == cli("-h").out == cli("help").out
    for entry in COMMANDS:
        assert (f"\n  {entry.name} " in bare.out) is not entry.hidden
    for section in SECTIONS:
        assert f"\n{section}:\n" in bare.out
    assert "\x1b" not in bare.out


def test_version(cli: Cli) -> None:
    expected = f"upytool {upytool.__version__}\n"
    assert cli("--version").out == cli("version").out == expected
    # Also at the end of a line, where mpremote has it too.
    assert cli("dirs", "cache", "--version").out.endswith(expected)
    assert json.loads(cli("version", "--json").out)["result"] == {"version": upytool.__version__}


def test_colour_by_flag_only_when_piped(cli: Cli) -> None:
    assert "\x1b[1;32mUsage:" in cli("version", "--help", "--color", "always").out
    assert "\x1b" not in cli("version", "--help").out


def tree(root: type[errors.UpytoolError]) -> Iterator[type[errors.UpytoolError]]:
    yield root
    for child in root.__subclasses__():
        yield from tree(child)


def make(kind: type[errors.UpytoolError]) -> errors.UpytoolError:
    if kind is errors.MissingExtraError:
        return errors.MissingExtraError("a simulated board", "sim")
    if kind is errors.RemoteExit:
        return errors.RemoteExit(7)
    if kind is errors.CompileError:
        return errors.CompileError("app.py", "SyntaxError: invalid syntax", line=3)
    if issubclass(kind, errors.RemoteOSError):
        return kind(2, "/x")
    if kind is errors.BoardResetError:
        return errors.BoardResetError()
    return kind("it went wrong")


OWN_ERRORS = [kind for kind in tree(errors.UpytoolError) if kind.__module__ == "upytool.errors"]


@pytest.mark.parametrize("kind", OWN_ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_exits_with_its_code(cli: Cli, add_command: Add, kind: type[errors.UpytoolError]) -> None:
    error = make(kind)
    add_command(raiser(error))
    done = cli("boom")
    assert done.code == error.exit_code
    assert done.out == ""
    assert "Traceback" not in done.err
    if kind is errors.RemoteExit:
        assert done.err == ""
    else:
        assert error.message in done.err
        assert error.exit_code in errors.EXIT_CODES
    as_json = cli("boom", "--json")
    assert as_json.code == error.exit_code
    assert as_json.err == ""
    document = json.loads(as_json.out)
    assert document["version"] == 1
    assert document["error"]["code"] == error.code
    assert document["error"]["exit_code"] == error.exit_code


def test_error_and_hint_are_a_block(cli: Cli, add_command: Add) -> None:
    add_command(raiser(errors.NoDeviceError("no board is connected", hint="plug one in\nor start `sim`")))
    assert cli("boom").err == "error: no board is connected\nhint: plug one in\n      or start `sim`\n"
    assert "[device.none]" in cli("-v", "boom").err


def test_the_boards_traceback_is_shown_as_it_is(cli: Cli, add_command: Add) -> None:
    text = 'Traceback (most recent call last):\r\n  File "x.py", line 1\r\nValueError: é\r\n'
    add_command(raiser(errors.RemoteException(text)))
    done = cli("boom")
    assert done.code == 1
    assert done.err == text.replace("\r\n", "\n")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(), errors.OperationInterrupted()])
def test_interrupted(cli: Cli, add_command: Add, error: BaseException) -> None:
    add_command(raiser(error))
    done = cli("boom")
    assert (done.code, done.out, done.err) == (130, "", "error: interrupted\n")


def test_interrupted_program_shows_where_it_was(cli: Cli, add_command: Add) -> None:
    add_command(raiser(errors.OperationInterrupted(traceback="Traceback:\r\nKeyboardInterrupt: \r\n")))
    assert cli("boom").err == "Traceback:\nKeyboardInterrupt: \nerror: interrupted\n"


def test_a_bug_leaves_a_report_and_no_traceback(cli: Cli, add_command: Add, clean_environment: Path) -> None:
    add_command(raiser(ZeroDivisionError("division by zero")))
    done = cli("boom", "-d", "ws://:secret@board")
    assert done.code == 1
    assert done.err.startswith("error: unexpected ZeroDivisionError: division by zero\nhint: this is a bug")
    assert "Traceback" not in done.err
    (report,) = (clean_environment / "state" / "reports").iterdir()
    assert str(report) in done.err
    text = report.read_text(encoding="utf-8")
    assert "ZeroDivisionError" in text
    assert "secret" not in text
    assert "Traceback" in cli("boom", "-vv").err


@pytest.mark.parametrize("name", ["config", "mip", "image"])
def test_a_group_typed_bare_shows_its_help(cli: Cli, name: str) -> None:
    bare, asked = cli(name), cli(name, "--help")
    assert (bare.code, bare.out) == (0, asked.out)
    assert "Usage: " in bare.out


@pytest.mark.parametrize(
    ("line", "code", "fields", "hint"),
    [
        ("confg list", "unknown-command", {"name": "confg"}, "did you mean config?"),
        ("config gte", "unknown-subcommand", {"group": "config", "name": "gte"}, "did you mean get?"),
        ("version --jsno", "unknown-command-option", {"option": "--jsno"}, "did you mean --json?"),
        ("--nonsense version", "unknown-option", {"option": "--nonsense"}, ""),
        ("version --baud", "needs-value", {"option": "--baud"}, "--baud RATE"),
        ("version --baud fast", "bad-value", {"name": "--baud", "value": "fast"}, ""),
        ("version --color=red", "bad-value", {"expected": "one of auto, always, never", "value": "red"}, ""),
        ("version --json=1", "takes-no-value", {"option": "--json"}, ""),
        ("version -d a -d b", "given-twice", {"option": "-d"}, "several boards"),
        ("version -q -v", "conflicting-options", {"option": "-q", "other": "-v"}, ""),
        ("dirs nowhere", "command-line", {}, "`upytool help dirs`"),
        ("config get", "command-line", {}, "`upytool help config get`"),
    ],
)
def test_usage_errors(cli: Cli, line: str, code: str, fields: dict[str, str], hint: str) -> None:
    done = cli(*line.split())
    error = json.loads(cli("--json", *line.split()).out)["error"]
    assert (done.code, done.out, error["exit_code"]) == (2, "", 2)
    assert (error["code"], error["fields"] | fields) == (f"usage.{code}", error["fields"])
    assert done.err.startswith(f"error: {error['message']}\n")
    assert hint in done.err


def test_nothing_runs_when_a_later_command_is_wrong(cli: Cli) -> None:
    for line in ("version confg", "version config get", "version dirs nowhere"):
        done = cli(*line.split())
        assert (done.code, done.out) == (2, "")


def test_a_failure_ends_the_line(cli: Cli, add_command: Add) -> None:
    add_command(raiser(errors.FlashError("broken")))
    done = cli("version", "boom", "dirs", "cache")
    assert done.code == 7
    assert done.out.splitlines() == [f"upytool {upytool.__version__}"]


def test_warnings_reach_the_json_document(cli: Cli, add_command: Add) -> None:
    @define("warns")
    @pass_app
    def command(app: App) -> None:
        app.warn("the battery is low")
        app.emit({"n": 1}, "one")

    add_command(command)
    done = cli("warns", "--json")
    assert json.loads(done.out) == {"version": 1, "result": {"n": 1}, "warnings": ["the battery is low"]}
    assert done.err == "warning: the battery is low\n"
    assert cli("warns", "-q").err == "warning: the battery is low\n"
    assert cli("warns", "-qq").err == ""


@define("question")
@pass_app
def question(app: App) -> None:
    app.emit({"yes": app.confirm("Erase everything?")}, "done")


@pytest.mark.parametrize("flags", [[], ["--no-input"], ["--json"]])
def test_nobody_there_to_ask(cli: Cli, add_command: Add, flags: list[str]) -> None:
    add_command(question)
    done = cli("question", *flags)
    assert done.code == 2
    assert "--yes" in done.err + done.out
    assert cli("question", "--yes", *flags).code == 0


def test_bytes_are_exact(add_command: Add, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    data = bytes(range(256)) + b"\r\n"

    @define("bytes")
    @pass_app
    def command(app: App) -> None:
        app.out(data)

    add_command(command)
    from upytool.cli.main import run

    assert run(["bytes"]) == 0
    assert capfdbinary.readouterr().out == data


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("tests.cli.test_main:question", 0, "done"),
        ("tests.cli.test_main:nothing_there", 2, "cannot be loaded: AttributeError"),
        ("tests.cli.no_such_module:x", 2, "cannot be loaded: ModuleNotFoundError"),
        ("tests.cli.test_main:raiser", 2, "is not a click.Command"),
    ],
)
def test_plug_in_commands(cli: Cli, monkeypatch: pytest.MonkeyPatch, value: str, code: int, text: str) -> None:
    from importlib import metadata

    entry = metadata.EntryPoint("question", value, "upytool.commands")

    def entry_points(group: str, name: str) -> list[metadata.EntryPoint]:
        return [entry] if (group, name) == (entry.group, entry.name) else []

    monkeypatch.setattr(metadata, "entry_points", entry_points)
    done = cli("question", "--yes")
    assert done.code == code
    assert text in done.out + done.err
    assert cli("no-such-command").code == 2


# -- as a process ---------------------------------------------------------------------------------


def process(*argv: str, **options: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        [sys.executable, "-m", "upytool", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


@pytest.mark.skipif(os.name == "nt", reason="a closed pipe shows otherwise on Windows")
@pytest.mark.parametrize("line", [["--help"], ["help", "env"], ["config", "list", "--json"]])
def test_closed_pipe_is_silent(line: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "upytool", *line], stdout=writing, stderr=subprocess.PIPE, timeout=30)
    os.close(writing)
    assert done.returncode == 141
    assert done.stderr == b""


def test_module_exit_code_is_the_runs() -> None:
    with process("confg") as child:
        _, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert b"did you mean config?" in err


def test_legacy_console_gets_what_it_can_show() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    with process("help", "caf\u00e9", env=env) as child:
        _, err = child.communicate(timeout=30)
    assert child.returncode == 2
    assert b"caf" in err
    assert b"Unicode" not in err


def test_click_is_not_bypassed_for_plain_errors(cli: Cli, add_command: Add) -> None:
    add_command(raiser(click.ClickException("odd")))
    assert cli("boom").err == "error: odd\n"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("line", [["--version"], ["version"], ["help", "env"]])
def test_an_output_that_cannot_be_written_is_told(line: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "upytool", *line], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )
    assert done.returncode == 6
    assert done.stderr.startswith(b"error: ")
    assert b"Traceback" not in done.stderr
    assert b"bug" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps a directory that somebody is in")
def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    program = f"import os,sys; os.rmdir({str(gone)!r}); from upytool.cli.main import run; sys.exit(run(['dirs']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=gone,
        env={**os.environ, "PYTHONPATH": str(Path(upytool.__file__).parent.parent)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr
