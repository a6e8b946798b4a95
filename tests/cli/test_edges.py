"""The edges of a process: odd words, missing directories, full disks, signals. Always an exit code of the table."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from upytool.cli import session, suggest, table
from upytool.cli.app import App, pass_app
from upytool.cli.group import Command, define
from upytool.cli.main import run
from upytool.cli.topics import MACROS
from upytool.config.options import global_flags
from upytool.errors import EXIT_CODES, UpytoolError

from .conftest import BoardCli, Cli, Sims

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX")
needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")


def upytool(*argv: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("stdout", subprocess.PIPE)
    return subprocess.run(
        [sys.executable, "-m", "upytool", *argv], stderr=subprocess.PIPE, timeout=120, check=False, **options
    )


def assert_told(code: int, err: str) -> None:
    assert code in EXIT_CODES, (code, err)
    assert "Traceback" not in err
    assert "this is a bug" not in err


# -- any line -------------------------------------------------------------------------------------

# What would wait for a person or for ever, or start something: their words are tested elsewhere.
WAITING = {"sleep", "edit", "sim", "repl", "monitor"}
COMMANDS = [name for name in table.BY_NAME if name not in WAITING]
SUBCOMMANDS = ["list", "show", "search", "install", "ls", "build", "get", "set", "path", "cache", "check", "info"]
# No word leads out of the test's own directory: `cp -r` copies what it is told to.
ODD = [
    "", "-", "--", "+", ":", "::", ":/", ".", "x" * 300, "\udcff", "a\udcffb", "\x1b]0;x\x07", "\u202e",
    "\n", "\xb2", "\u0663", "1e999", "-1", "nan", "inf", "9" * 400, "0x", "a..b", "~", "$HOME", "%s", "{}", "=",
    "--=", "--json=1", "-d", "-qv", "a b", "missing.py", "missing/dir/", "pkg@1", "github:a/b", "http://[",
]  # fmt: skip
SELECTORS = [
    "", "auto", "nosuch", "a", "id:", "id:\udcff", "usb:", "usb:zz", "usb:1-2", "port:", "port:\udcff", "sim:nosuch",
    "socket://", "socket://a..b", "socket://a..b:1", "socket://[", "socket://[::1]:99999", "socket://x:y",
    "socket://\udcff:1", "socket://" + "a" * 300 + ":1", "socket://127.0.0.1:1", "rfc2217://a..b:1", "rfc2217://",
    "loop://?x=1", "://", "x://y", "\xb2", "/dev/" + "x" * 300, "COM999", "/nosuch\udcff", "\x00"[:0], "hwgrep://(",
    "alt://x?class=no", "spy://", "cp2110:x",
]  # fmt: skip
WORD = st.one_of(
    st.sampled_from(ODD),
    st.sampled_from(SUBCOMMANDS),
    st.sampled_from(list(global_flags())),
    st.sampled_from(["-r", "-f", "-n", "-o", "-x", "--dry-run", "--recursive", "--output", "--board", "--size"]),
    st.text(st.characters(exclude_characters="\0/\\"), max_size=8),
)
LINE = st.lists(st.one_of(st.sampled_from(COMMANDS), WORD), max_size=6)
HARMLESS = st.tuples(st.sampled_from(COMMANDS), st.lists(WORD, max_size=5)).map(lambda line: [line[0], *line[1]])


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, clean_environment: Path) -> None:
    """No board, no network, no port, no home of the machine's, and nothing that asks."""
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda *_: [])
    for name, value in {"OFFLINE": "1", "NO_INPUT": "1", "WAIT": "0"}.items():
        monkeypatch.setenv(f"UPYTOOL_{name}", value)
    monkeypatch.setenv("HOME", str(clean_environment))

    def refused(*_: object, **__: object) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr("socket.create_connection", refused)
    monkeypatch.setattr("subprocess.Popen", refused)
    monkeypatch.setattr("time.sleep", lambda _: None)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("nowhere")
@settings(max_examples=250, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.one_of(LINE, HARMLESS))
def test_any_line_ends_with_a_code_of_the_table(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    code = run(["-d", "nosuch", *line]) if "-d" not in line and "--device" not in line else run(line)
    said = capsys.readouterr().err
    verbosity = sum(word.count("v") for word in line if word in ("-v", "-vv", "--verbose"))
    if verbosity < 2:  # from there on a traceback shows where an error is from
        assert_told(code, said)


@pytest.mark.usefixtures("nowhere")
@pytest.mark.parametrize("selector", SELECTORS, ids=ascii)
def test_odd_selectors(cli: Cli, selector: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for argv in (["-d", selector, "ls"], ["connect", selector, "ls"], ["flash", "x", "-d", selector]):
        done = cli(*argv)
        assert done.code in (2, 3, 4, 6), (argv, done)
        assert_told(done.code, done.err)


def test_a_host_that_no_name_server_knows(cli: Cli) -> None:
    """Without the nets of the other tests: what the codec of names refuses is not a host."""
    assert cli("-d", "socket://a..b:1", "ls").code == 4


# -- what the system refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), 6),
        (OSError(36, "File name too long", b"x" * 300), 6),
        (PermissionError(13, "Permission denied", "a", None, "b\udcff"), 6),
        (OSError("odd"), 6),
        (OSError(), 6),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), 2),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 2),
        (ValueError("embedded null byte"), 2),
        (ZeroDivisionError(), 1),
        (ValueError("x\udcff\x1b"), 1),
    ],
    ids=repr,
)
def test_what_nobody_expected_has_a_code(
    cli: Cli, add_command: Callable[[Command], None], error: Exception, code: int
) -> None:
    @define("boom")
    @pass_app
    def command(app: App) -> None:
        raise error

    add_command(command)
    for flags in ([], ["--json"], ["-vv"]):
        done = cli("boom", *flags)
        assert done.code == code
        assert "\x1b" not in done.out + done.err


def test_telling_a_bug_never_fails(
    cli: Cli, add_command: Callable[[Command], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wordless(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @define("boom")
    @pass_app
    def command(app: App) -> None:
        raise Wordless

    add_command(command)
    for place in (os.environ["UPYTOOL_STATE_DIR"], "/dev/null/x", "/" + "x" * 300, "\udcff/" * 3):
        monkeypatch.setenv("UPYTOOL_STATE_DIR", place)
        for flags in ([], ["-vv"], ["--json"]):
            assert cli("boom", *flags).code == 1
    monkeypatch.setattr(session, "load", lambda *_: 1 / 0)
    assert cli("boom").code == 1


# -- places that cannot be written, or are not there ----------------------------------------------

LIGHT = (
    ["version"],
    ["devs"],
    ["dirs"],
    ["config", "list"],
    ["completions", "bash"],
    ["help", "macros"],
    ["sim", "list"],
)


@posix
@pytest.mark.parametrize("line", LIGHT, ids=" ".join)
def test_no_place_to_write_is_no_failure(line: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("UPYTOOL_", "XDG_"))}
    for home in (str(file), "/nosuch", None, ""):
        environment = {key: value for key, value in kept.items() if key != "HOME"}
        if home is not None:
            environment["HOME"] = home
        done = upytool(*line, env=environment)
        assert done.returncode == 0, (home, done.stderr)
    for kind in ("CONFIG", "CACHE", "STATE", "DATA"):
        for place in (f"{file}/below", "/proc/nosuch/x"):
            done = upytool(*line, env={**kept, f"UPYTOOL_{kind}_DIR": place})
            assert done.returncode == 0, (kind, done.stderr)


def test_caches_are_best_effort(board: BoardCli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for kind in ("CONFIG", "CACHE"):
        monkeypatch.setenv(f"UPYTOOL_{kind}_DIR", f"{tmp_path}/file/below")
    (tmp_path / "x.py").write_text("1", encoding="utf-8")
    for line in (["ls"], ["cp", str(tmp_path / "x.py"), ":"], ["exec", "1"], ["info"], ["tree"]):
        done = board(*line)
        assert done.code == 0, done.err
    assert board("config", "set", "baud", "9600").code == 2


@posix
@pytest.mark.parametrize("name", [entry.name for entry in table.COMMANDS if entry.name not in WAITING])
def test_a_working_directory_that_was_removed(name: str, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    code = (
        "import os, sys; from upytool.cli.main import main; os.rmdir(os.getcwd())\n"
        f"sys.argv[1:] = {[name]!r} + sys.argv[1:]; main()"
    )
    environment = {**os.environ, "UPYTOOL_OFFLINE": "1", "UPYTOOL_NO_INPUT": "1", "UPYTOOL_DEVICE": "nosuch"}
    # Without patience: what is tried here is not how long a board is looked for.
    for words in (["--patience", "1"] if name == "rescue" else [], ["--help"], ["x", "y"]):
        gone.mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=gone, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=False,
        )  # fmt: skip
        assert_told(done.returncode, done.stderr.decode())
        if words == ["--help"] or name in ("version", "help", "devs", "dirs"):
            assert done.returncode == 0 or words == ["x", "y"], done.stderr


@needs_full
@pytest.mark.parametrize(
    "line",
    [
        *LIGHT, [], ["--help"], ["-h"], ["--version"], ["cp", "--help"], ["mip", "--help"], ["version", "--json"],
        ["nonsense", "--json"], ["-d", "nosuch", "ls", "--json"], ["boards", "list"], ["help", "cp"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_an_output_that_is_full(line: list[str]) -> None:
    with open("/dev/full", "wb") as full:
        done = upytool(*line, stdout=full)
    assert done.returncode == (0 if line == ["sim", "list"] else 6), done.stderr
    assert_told(done.returncode, done.stderr.decode())
    assert b"Exception ignored" not in done.stderr


@needs_full
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_a_completion_that_is_full(shell: str) -> None:
    environment = {**os.environ, "_UPYTOOL_COMPLETE": f"{shell}_complete", "UPYTOOL_LINE": "upytool c"}
    with open("/dev/full", "wb") as full:
        done = upytool("c", stdout=full, env={**environment, "UPYTOOL_WORDS": '["upytool", "c"]'})
    assert done.returncode == 6
    assert_told(6, done.stderr.decode())


@needs_full
@pytest.mark.parametrize(
    "line", ["cat :f", "cp :f -", "ls", "tree", "exec print(1)", "eval 1", "ls --json", "info", "sha256sum :f", "df"]
)
def test_a_board_and_an_output_that_is_full(board: BoardCli, line: str) -> None:
    board.put("f", b"x" * 100)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            board.command(*line.split()),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert done.returncode == 6, done.stderr
    assert_told(6, done.stderr.decode())
    assert b"Exception ignored" not in done.stderr
    assert board.ok("cat", ":f") == "x" * 100


@needs_full
@pytest.mark.parametrize("line", [["monitor", "--seconds", "2"], ["repl"]], ids=" ".join)
def test_a_capture_on_a_full_disk(board: BoardCli, line: list[str]) -> None:
    board.ok("exec", "--no-follow", "while 1: print('x')")
    done = board.process(*line, "--capture", "/dev/full", stdin=b"\x03print(1)\r\n")
    board.ok("stop")
    assert done.returncode == 6, done.stderr
    assert_told(6, done.stderr.decode())
    assert board.error(*line, "--capture", "/nosuch/x")["code"] == "local-file.cannot-write"


@pytest.mark.parametrize("columns", ["\xb2", "\u0663", "9" * 5000, "-1", "0", "", "1", "x"])
def test_any_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert cli().code == cli("help", "cp").code == cli("nonsense").code - 2 == 0


# -- signals --------------------------------------------------------------------------------------


@posix
def test_ctrl_c_while_modules_load_is_quiet() -> None:
    """At 40 moments of the first fifth of a second, from the first line of ours on."""
    code = (
        "import os, sys; from upytool.cli.main import main\n"
        "class Words(list):\n"
        "    def __getitem__(self, key): os.write(1, b'!'); return list.__getitem__(self, key)\n"
        "sys.argv = Words(['upytool', '-d', 'nosuch', 'ls']); main()"
    )
    for moment in range(40):
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(moment * 0.005)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (130, 3), said
        assert b"Traceback" not in said
        assert b"ignored" not in said


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_leaves_no_temporary_file(board: BoardCli, sims: Sims, tmp_path: Path, number: int) -> None:
    board.ok("exec", "f = open('big', 'wb')\nfor _ in range(400): _ = f.write(bytes(1000))\nf.close()")
    target = tmp_path / "target"
    target.mkdir()
    (target / "big").write_bytes(b"old")
    # A copy that is under way: its first piece has come, and the process stands still there.
    code = (
        "import sys, time; from upytool.device import local; from upytool.cli.main import main\n"
        "write = local.FileSink.write\n"
        "def slow(self, data): write(self, data); print('!', flush=True); time.sleep(60)\n"
        "local.FileSink.write = slow\n"
        f"sys.argv[1:] = ['-d', {board.port!r}, 'cp', ':big', {str(target / 'big')!r}]; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == b"!"
    assert len(list(target.iterdir())) == 2
    process.send_signal(number)
    try:
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 128 + number, said
    assert_told(process.returncode, said.decode())
    assert [(each.name, each.read_bytes()) for each in target.iterdir()] == [("big", b"old")]
    assert board.ok("exec", "print(1)") == "1\n"


@posix
def test_nohup_is_respected() -> None:
    code = (
        "import os, signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN); from upytool.cli.main import main\n"
        "import upytool.cli.session as s\n"
        "s.run_line = lambda argv: (os.kill(os.getpid(), signal.SIGHUP), 0)[1]\n"
        "sys.argv[1:] = ['version']; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


# -- help -----------------------------------------------------------------------------------------


def test_what_help_teaches_about_macros_works(
    board: BoardCli, cli: Cli, clean_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught = MACROS[MACROS.index("  [macros]\n") :].partition("\n\n")[0]
    names = list(tomllib.loads(taught)["macros"])
    assert names == ["blink", "hello", "add a b=1"]
    folder = clean_environment / "config"
    folder.mkdir(exist_ok=True)
    (folder / "config.toml").write_text(taught, encoding="utf-8")
    Path("blink.py").write_text("print('blinks')", encoding="utf-8")
    monkeypatch.setenv("UPYTOOL_DEVICE", board.port)
    for line, printed in (
        ("blink", "blinks"),
        ("hello", "hello world"),
        ("add 2 3", "5"),
        ("add 2", "3"),
        ("add 2 b=5", "7"),
    ):
        done = cli(*line.split())
        assert (done.code, done.text) == (0, printed + "\n"), (line, done.err)


@pytest.mark.parametrize("name", sorted(suggest.DESTRUCTIVE))
def test_nothing_destructive_is_suggested_or_completed(cli: Cli, name: str) -> None:
    for near in (name[:-1], name + "x", name[:1] + name[2:]):
        if near in table.BY_NAME or near in global_flags() or near in ("-", "--"):
            continue
        for line in ([near], ["cp", near], ["mip", near], ["cp", "a", ":", near]):
            done = cli("-d", "nosuch", *line)
            assert not re.search(rf"did you mean .*(?<![\w-]){re.escape(name)}(?![\w-])", done.err), (line, done.err)
    if name.startswith("--"):
        assert name not in global_flags() or cli("version", name[:-1]).code == 2


def test_what_asks_is_not_suggested() -> None:
    """Each command that asks before it removes something is on the list."""
    for name in ("erase", "wipe", "rm"):
        assert name in suggest.DESTRUCTIVE
        assert name in table.BY_NAME


def test_every_error_has_a_code_of_the_table() -> None:
    def classes(kind: type[UpytoolError]) -> list[type[UpytoolError]]:
        return [kind, *(each for below in kind.__subclasses__() for each in classes(below))]

    assert {kind.exit_code for kind in classes(UpytoolError)} <= set(EXIT_CODES)
