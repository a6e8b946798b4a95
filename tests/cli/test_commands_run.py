"""Programs, resets, clocks and chains on a simulated board (a real MicroPython), as a user meets them.

`exec`, `run` and `cat` are also run as processes of their own: signals, pipes and exit codes are theirs.
"""

from __future__ import annotations

import datetime
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .conftest import BoardCli, Cli, Sims

posix = pytest.mark.skipif(os.name != "posix", reason="signals of a POSIX system")


# -- exec, eval, run --------------------------------------------------------------------------------


def test_exec_and_eval(board: BoardCli) -> None:
    assert board.ok("exec", "print('a\\nb')") == "a\nb\n"
    assert board.ok("eval", "'text'") == "text\n", "as mpremote: what print() makes of it"
    assert board.ok("eval", "[{'a': 'b'}, (1,2,3,), True]") == "[{'a': 'b'}, (1, 2, 3), True]\n"
    assert board.json("eval", "{'a': (1, None)}") == {"value": {"a": [1, None]}}
    assert board.json("eval", "{1, 2}.__class__") == {"value": "<class 'set'>"}
    assert board.ok("exec", "x = 5", "eval", "x", "resume", "eval", "x + 1") == "5\n6\n"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("import sys; sys.exit()", 0),
        ("import sys; sys.exit(0)", 0),
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit(True)", 1),
        ("import sys\nif 1:\n  sys.exit(42)", 42),
        ("raise SystemExit(255)", 255),
    ],
)
def test_the_programs_exit_status_is_ours(board: BoardCli, code: str, status: int) -> None:
    """d3: mpremote answers 0 to all of them, and the board is restarted."""
    run = board("exec", "kept = 1", "exec", f"print('before')\n{code}")
    assert (run.code, run.text, run.err) == (status, "before\n", "")
    assert board.ok("resume", "eval", "kept") == "1\n", "the board was not reset by it"
    Path("program.py").write_text(code)
    assert board("run", "program.py").code == status


def test_an_exit_with_a_text_is_status_1(board: BoardCli) -> None:
    run = board("exec", "import sys; sys.exit('no sensor')")
    assert (run.code, run.out, run.err) == (1, "", "no sensor\n")


def test_an_exception_is_status_1_with_the_local_file_in_its_traceback(board: BoardCli) -> None:
    Path("src").mkdir()
    Path("src/app.py").write_text("# comment\nprint('on')\n\n\ndef f():\n    raise ValueError('x')\n\n\nf()\n")
    run = board("run", "src/app.py")
    assert (run.code, run.text) == (1, "on\n"), "the traceback is not output (d3)"
    assert run.err.splitlines() == [
        "Traceback (most recent call last):",
        '  File "src/app.py", line 9, in <module>',
        '  File "src/app.py", line 6, in f',
        "ValueError: x",
    ]
    error = board.error("eval", "1/0")
    assert (error["code"], error["message"]) == ("remote.exception", "ZeroDivisionError: divide by zero")
    assert "Traceback" in error["traceback"]
    assert board("exec", "def").code == 1
    assert board("exec", "import nothere").err.endswith("`upytool mip install nothere`\n")


def test_a_failure_ends_the_line(board: BoardCli) -> None:
    run = board("exec", "print(1)", "exec", "1/0", "exec", "print(2)")
    assert (run.code, run.text) == (1, "1\n")


def test_run_reads_stdin(board: BoardCli) -> None:
    done = board.process("run", "-", stdin=b"print('from stdin')\n1/0\n")
    assert (done.returncode, done.stdout.replace(b"\r", b"")) == (1, b"from stdin\n")
    assert b'File "<stdin>", line 2' in done.stderr


def test_run_refuses_what_is_no_source(board: BoardCli) -> None:
    Path("a.mpy").write_bytes(b"M\x06\x00\x1f")
    Path("b.py").write_bytes(b"M\x06\x00\x1f")
    for name in ("a.mpy", "b.py"):
        error = board.error("run", name)
        assert error["code"] == "local-file.compiled"
        (hint,) = error["hints"]
        assert f"`upytool cp {name} : + exec 'import {name[0]}'`" in hint["text"]
        assert hint["command"] == ["upytool", "cp", name, ":", "+", "exec", f"import {name[0]}"]
    assert board.error("run", "missing.py")["code"] == "local-file.cannot-read"


def test_no_follow_leaves_the_program_running(board: BoardCli) -> None:
    board.ok("exec", "--no-follow", "with open('done', 'w') as f: f.write('1')\nwhile True: pass")
    time.sleep(2)  # the next command ends it
    assert board.names() == ["done"]


def test_timeout_stops_the_program_with_124(board: BoardCli) -> None:
    run = board("exec", "print('on')\nwhile True: pass", "--timeout", "0.5")
    assert (run.code, run.text) == (124, "on\n")
    assert board.ok("exec", "print('usable')") == "usable\n"
    assert board.error("eval", "__import__('time').sleep(9)", "--timeout", "0.3")["code"].startswith("time-limit")


def test_output_with_control_bytes_comes_through(board: BoardCli) -> None:
    """d7: mpremote loses a 04 in the output, and dies of an 18 under mount."""
    code = "import sys; _ = sys.stdout.buffer.write(bytes(range(32)) + b'\\x04x\\x04\\xff\\x18\\x01')"
    sent = bytes(range(32)) + b"\x04x\x04\xff\x18\x01"
    done = board.process("exec", code)
    assert (done.returncode, done.stdout) == (0, sent), done.stderr
    done = board.process("mount", "--read-only", ".", "exec", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(sent)


# -- Ctrl-C -----------------------------------------------------------------------------------------


@contextmanager
def running(board: BoardCli, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process of the tool, whose board has said that its program runs."""
    process = subprocess.Popen(
        board.command(*words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert process.stdout
        assert process.stdout.readline().strip() == b"on", process.stderr.read() if process.stderr else b""
        yield process
    finally:
        process.kill()
        process.communicate()


@posix
def test_ctrl_c_interrupts_the_program_on_the_board(board: BoardCli) -> None:
    """d4: with mpremote it runs on."""
    Path("loop.py").write_text("import time\nprint('on')\ntry:\n    while True:\n        time.sleep(0.01)\n"
                               "finally:\n    with open('ended', 'w') as f: f.write('1')\n")  # fmt: skip
    with running(board, "run", "loop.py") as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, b"")
    lines = err.decode().replace("\r", "").splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "KeyboardInterrupt: " in lines
    assert lines[-1] == "error: interrupted"
    assert len([line for line in lines if line.startswith("Traceback")]) == 1, "the tool's own is not shown"
    assert board.names() == ["ended"], "the program's own finally ran"
    assert board.ok("exec", "print('usable')") == "usable\n"


@posix
def test_a_second_ctrl_c_lets_go_of_a_board_that_does_not_listen(board: BoardCli, sims: Sims) -> None:
    code = "import micropython, time\nmicropython.kbd_intr(-1)\nprint('on')\nwhile True: time.sleep(0.01)"
    with running(board, "exec", code) as process:
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=100)
    assert process.returncode == 130
    assert b"still running" in err
    assert b"Traceback" not in err
    sims.press_reset()
    assert board.ok("exec", "print('usable')") == "usable\n"


@posix
def test_the_reader_went_away(board: BoardCli) -> None:
    code = "print('on')\nfor n in range(20000): print('x' * 50)"
    with running(board, "exec", code) as process:
        assert process.stdout
        process.stdout.close()
        process.stdout = None
        assert process.wait(timeout=15) == 141
        assert process.stderr
        assert process.stderr.read() == b""
    assert board.ok("exec", "print('usable')") == "usable\n"


# -- boards and chains ------------------------------------------------------------------------------


def test_two_boards_in_one_line(sims: Sims, cli: Cli) -> None:
    one, two = sims.one, sims.two
    run = cli(
        "connect", one, "exec", "import sys; me = 1", "eval", "me", "disconnect",
        "connect", two, "exec", "me = 2", "connect", one, "resume", "eval", "me",
    )  # fmt: skip
    assert (run.code, run.text) == (0, "1\n1\n"), run.err
    Path("f.txt").write_text("passed on")
    run = cli("connect", one, "cp", "f.txt", ":", "+", "connect", two, "rm", "-f", "f.txt", "+", "ls")
    assert (run.code, "f.txt" in run.out) == (0, False), run.err
    run = cli("connect", two, "exec", "1/0", "connect", one, "exec", "print('never')")
    assert (run.code, run.text) == (1, "")


def test_the_first_program_starts_fresh_and_resume_does_not(board: BoardCli) -> None:
    board.ok("exec", "x = 1")
    assert board.ok("resume", "eval", "x") == "1\n"
    assert board.ok("--no-reset", "eval", "x") == "1\n"
    assert board.ok("ls") == "", "file commands leave the memory alone"
    assert board.ok("resume", "eval", "x") == "1\n"
    assert board("eval", "x").code == 1
    assert board("exec", "x = 2", "soft-reset", "eval", "x").code == 1
    assert board.ok("exec", "x = 3", "disconnect", "resume", "eval", "x") == "3\n"
    assert board("exec", "x = 3", "disconnect", "eval", "x").code == 1


def test_soft_reset_runs_boot_but_not_main(board: BoardCli) -> None:
    board.put("boot.py", b"booted = True\n")
    board.put("main.py", b"with open('main-ran', 'w') as f: f.write('1')\n")
    assert board.ok("soft-reset", "eval", "booted") == "True\n"
    assert board.names() == ["boot.py", "main.py"]


def test_reset_runs_main_and_the_line_goes_on(board: BoardCli) -> None:
    """d13: the port is opened anew after a reset, however the next command finds it."""
    board.put("main.py", b"with open('main-ran', 'w') as f: f.write('1')\n")
    run = board("reset", "sleep", "0.6", "exec", "print('here')")
    assert (run.code, run.text) == (0, "here\n"), run.err
    assert "The board restarts" in run.err
    assert board.names() == ["main-ran", "main.py"]
    assert board.ok("reset", "exec", "print('here')") == "here\n"


def test_stop(board: BoardCli) -> None:
    board.ok("exec", "--no-follow", "while True: pass")
    run = board("stop")
    assert (run.code, run.out, "Stopped" in run.err) == (0, "", True)
    board.ok("exec", "x = 1")
    board.ok("stop")
    assert board.ok("resume", "eval", "x") == "1\n"


def test_info(board: BoardCli) -> None:
    found = board.json("info")
    assert board.port in str(found["port"])
    assert "MicroPython" in board.ok("info")


def test_sleep(board: BoardCli) -> None:
    start = time.monotonic()
    board.ok("sleep", "0.3", "exec", "1")
    assert time.monotonic() - start >= 0.3
    for words in (("sleep", "--", "-1"), ("sleep", "soon"), ("sleep",)):
        assert board(*words).code == 2


def test_macros_of_an_mpremote_configuration(board: BoardCli, clean_environment: Path) -> None:
    folder = clean_environment / "xdg" / "mpremote"
    folder.mkdir(parents=True)
    folder.joinpath("config.py").write_text(
        'commands = {"say x=hello": {"command": ["exec", "print(\'" "x" "\')"], "help": "say it"},'
        ' "twice n": ["eval", "2*n"]}\n'
    )
    assert board.ok("twice", "n=21") == "42\n"


# -- mount, umount: tests/mount has more ------------------------------------------------------------


def test_mount_and_umount(board: BoardCli) -> None:
    Path("mod.py").write_text("x = 5\n")
    run = board("mount", ".", "exec", "import mod; print(mod.x)", "umount", "exec", "import os; print(os.getcwd())")
    assert (run.code, run.text) == (0, "Local directory . is mounted at /remote\n5\n/\n"), run.err
    assert board.error("mount", "nowhere", "exec", "1")["code"] == "local-file.cannot-mount"


# -- the clock --------------------------------------------------------------------------------------


def test_rtc(board: BoardCli) -> None:
    fields = board.ok("rtc").strip().strip("()").split(", ")
    assert len(fields) == 8
    year, month, day, weekday, hour, minute, second = map(int, fields[:7])
    shown = datetime.datetime(year, month, day, hour, minute, second)
    assert shown.weekday() == weekday


@pytest.mark.parametrize("utc", [False, True])
def test_rtc_set_to_this_computers_clock(board: BoardCli, monkeypatch: pytest.MonkeyPatch, utc: bool) -> None:
    """d13: local time and UTC, and set on the second, whatever the way to the board takes."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset() if hasattr(time, "tzset") else None
    try:
        run = board("rtc", "--set", *(["--utc"] if utc else []))
        assert run.code == 0, run.err
        assert f"agrees with this computer's {'UTC' if utc else 'local time'}" in run.err
        found = board.json("rtc", *(["--utc"] if utc else []))
        assert abs(found["skew_seconds"]) < 60
        year, month, day, _, hour, minute, second = found["datetime"][:7]
        there = datetime.datetime(year, month, day, hour, minute, second, tzinfo=datetime.UTC)
        ahead = (there - datetime.datetime.now(datetime.UTC)).total_seconds()
        assert abs(ahead - (0 if utc else 9 * 3600)) < 60
    finally:
        monkeypatch.delenv("TZ")
        time.tzset() if hasattr(time, "tzset") else None


def test_rtc_set_to_a_given_time(board: BoardCli) -> None:
    assert board.ok("rtc", "--set", "--to", "2031-02-03T04:05:06") == "(2031, 2, 3, 0, 4, 5, 6, 0)\n"
    assert board.json("rtc")["skew_seconds"] > 86400
    for words, says in (
        (("rtc", "--to", "2031-02-03T04:05:06"), "--to gives the time for --set"),
        (("rtc", "--set", "--to", "tomorrow"), "'tomorrow' is not a time"),
    ):
        run = board(*words)
        assert (run.code, says in run.err) == (2, True)
    board.ok("rtc", "--set")


# -- which board ------------------------------------------------------------------------------------


def test_boards_that_are_not_there(cli: Cli) -> None:
    run = cli("ls", "-d", "sim:nobody")
    assert (run.code, "no simulated board nobody is running" in run.err) == (3, True)
    run = cli("ls", "-d", "id:00000000")
    assert run.code == 3
    run = cli("ls", "-d", "/dev/ttyNOPE", "--json")
    assert (run.code, json.loads(run.out)["error"]["code"]) == (4, "transport.missing.port")
    run = cli("ls", "-d", "socket://127.0.0.1:1")
    assert run.code == 4
    for run in (cli("exec", "1", "-d", "sim:nobody"), cli("connect", "sim:nobody", "exec", "1")):
        assert (run.code, run.text) == (3, "")
        assert "Traceback" not in run.err


def test_no_board_at_all(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.discovery.ports.list_ports", lambda: [])
    monkeypatch.setattr("upytool.discovery.selector.list_ports", lambda: [], raising=False)
    run = cli("ls")
    assert (run.code, "no board is connected" in run.err) == (3, True)


@posix
def test_a_port_that_another_program_holds(board: BoardCli) -> None:
    """d6: the message says which program."""
    code = "import time\nprint('on')\nwhile True: time.sleep(0.01)"
    with running(board, "exec", code) as process:
        run = board("ls")
        assert run.code == 4
        assert f"is in use by {Path(sys.executable).name.rstrip('0123456789.')}" in run.err
        assert f"pid {process.pid}" in run.err
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


def test_a_typing_error_in_the_last_command_stops_the_first(board: BoardCli) -> None:
    assert board.error("touch", "x", "+", "exec", "print(1)", "lss")["code"] == "usage.unknown-command"
    run = board("touch", "x", "+", "sleep", "soon")
    assert run.code == 2
    assert board.names() == []
