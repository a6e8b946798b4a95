"""`upytool repl` as a person uses it: a terminal (a pty), keys, a simulated board that runs real MicroPython."""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("a pty is needed", allow_module_level=True)

import pty
import termios

from upytool import sim


class Session:
    """A command in a terminal of its own."""

    def __init__(self, *words: str, env: dict[str, str] | None = None) -> None:
        self.ours, self.theirs = pty.openpty()
        self.before = termios.tcgetattr(self.theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "upytool", *words],
            stdin=self.theirs,
            stdout=self.theirs,
            stderr=self.theirs,
            start_new_session=True,
            env={**os.environ, **(env or {}), "TERM": "xterm"},
        )
        self.seen = b""
        self._mark = 0

    def send(self, keys: bytes) -> None:
        os.write(self.ours, keys)

    def _read(self, timeout: float) -> None:
        ready, _, _ = select.select([self.ours], [], [], timeout)
        if ready:
            with contextlib.suppress(OSError):
                self.seen += os.read(self.ours, 65536)

    def expect(self, pattern: bytes, timeout: float = 20) -> bytes:
        """Wait for `pattern` behind what was expected before; returns what matched."""
        end = time.monotonic() + timeout
        while True:
            match = re.search(pattern, self.seen[self._mark :])
            if match:
                self._mark += match.end()
                return match[0]
            left = end - time.monotonic()
            assert left > 0, f"{pattern!r} did not come: {self.seen[self._mark :]!r}"
            self._read(left)

    def line(self, text: str, answer: bytes) -> None:
        self.send(text.encode() + b"\r")
        self.expect(answer)
        self.expect(rb">>> \Z")

    def settings(self) -> list[object]:
        return termios.tcgetattr(self.theirs)

    def wait(self, timeout: float = 15) -> int:
        end = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0.05)
        assert self.process.poll() is not None, self.seen
        self._read(0.05)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        os.close(self.ours)
        os.close(self.theirs)


@pytest.fixture(scope="module")
def board() -> Iterator[str]:
    instance = sim.start("wasm", name="repl-tests", fresh=True)
    yield instance.port
    sim.stop("repl-tests")


@pytest.fixture
def terminal(board: str) -> Iterator[object]:
    sessions: list[Session] = []

    def make(*words: str, **options: dict[str, str]) -> Session:
        sessions.append(Session("-d", board, *words, **options))
        return sessions[-1]

    yield make
    for session in sessions:
        if session.process.poll() is None:
            session.send(b"\x03\x03\x1d")
            with contextlib.suppress(AssertionError):
                session.wait(5)
        session.close()


def prompt(session: Session) -> None:
    session.expect(rb"Connected to .*; Enter shows the prompt, Ctrl-\] or Ctrl-X leaves")
    session.send(b"\r")
    session.expect(rb">>> \Z")


def test_keys_echo_and_leaving(terminal) -> None:
    for key in (b"\x1d", b"\x18"):
        session = terminal("repl")
        prompt(session)
        session.line("print(6 * 7)", rb"\r\n42\r")
        session.line("len('é')", rb"\r\n1\r")
        session.send(b"while True: pass\r\r")
        time.sleep(0.5)
        session.send(b"\x03")
        session.expect(rb"KeyboardInterrupt")
        session.expect(rb">>> \Z")
        session.send(b"2\x7f3+4\r")  # a backspace is the board's to handle
        session.expect(rb"\r\n7\r")
        assert session.settings() != session.before
        session.send(key)
        assert session.wait() == 0
        assert session.settings() == session.before


def test_another_exit_key_lets_ctrl_x_through(terminal) -> None:
    session = terminal("repl", "--exit-key", "ctrl-q")
    session.expect(rb"Ctrl-Q leaves")
    session.send(b"\r")
    session.expect(rb">>> \Z")
    session.line("import sys; print(sys.stdin.read(2) == '\\x18\\x1d')\r\x18\x1d", rb"True")
    session.send(b"\x11")
    assert session.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_terminal_is_restored_after_a_signal(terminal, number: int) -> None:
    session = terminal("repl")
    prompt(session)
    os.kill(session.process.pid, number)
    assert session.wait() == 128 + number
    assert session.settings() == session.before


def test_a_crash_restores_the_terminal(terminal, tmp_path: Path) -> None:
    # The capture file cannot take more: an error in the middle of the session.
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    session = terminal("repl", "--capture", "/dev/full")
    session.expect(rb"leaves")
    session.send(b"\r")
    assert session.wait() != 0
    assert session.settings() == session.before


def test_capture_and_injection(terminal, tmp_path: Path) -> None:
    program, log = tmp_path / "prog.py", tmp_path / "log"
    program.write_text("import sys\nprint('from file', __name__)\nx = 5\nprint('got', sys.stdin.read(3))\n")
    session = terminal(
        "repl",
        "--capture",
        str(log),
        "--inject-code",
        r"y = 1\nprint(y + 1)\n",
        "--inject-file",
        str(program),
    )
    prompt(session)
    session.send(b"\n")
    session.expect(rb"y = 1\r")
    session.expect(rb"\r\n2\r")
    session.expect(rb">>> \Z")
    session.send(b"\x0b")
    session.expect(rb"Injecting .*prog.py")
    session.expect(rb"from file __main__")
    session.send(b"abc")
    session.expect(rb"got abc")
    session.expect(rb">>> \Z")
    session.line("x", rb"\r\n5\r")
    program.write_text("1 / 0\n")
    session.send(b"\x0b")
    session.expect(rb'File ".*prog.py", line 1')
    session.expect(rb"ZeroDivisionError")
    session.expect(rb">>> \Z")
    session.send(b"\x1d")
    assert session.wait() == 0
    said = log.read_bytes()
    assert b"from file __main__\r\n" in said
    assert b"Ctrl-]" not in said


def test_escaping(terminal) -> None:
    session = terminal("repl", "-e")
    prompt(session)
    session.line("import sys; _ = sys.stdout.buffer.write(b'\\xff\\x00')", rb"\[ff\]\[00\]")


def test_mount_survives_ctrl_d(terminal, tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("print('imported')\n")
    session = terminal("mount", str(tmp_path))
    session.expect(rb"is mounted at /remote")
    session.expect(rb"leaves")
    session.expect(rb">>> \Z")
    session.line("import mod", rb"imported")
    session.line("with open('new', 'w') as f: n = f.write('x' * 1000)\r", rb"")
    assert (tmp_path / "new").read_text() == "x" * 1000
    session.send(b"\x04")
    session.expect(rb"soft reboot")
    session.expect(rb"Mounted again: /remote")
    session.expect(rb">>> \Z")
    session.line("import os, mod; os.getcwd()", rb"imported\r+\n'/remote'")
    session.send(b"for i in range(200): _ = os.listdir()\r\r")
    session.send(b"print('keys', 'held')\r")  # arrive while requests are under way
    session.expect(rb"keys held\r")
    session.expect(rb">>> \Z")
    session.send(b"\x1d")
    assert session.wait() == 0
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "upytool",
            "-d",
            session.process.args[4],
            "resume",
            "exec",
            "import os; print(os.getcwd())",
        ],
        capture_output=True,
        timeout=30,
    )
    assert run.stdout.strip() == b"/", run  # taken away at the end


def test_a_board_that_is_reset_comes_back(tmp_path: Path) -> None:
    # `once` ends with an error; without it the REPL waits until the port is there again.
    instance = sim.start("wasm", name="repl-lost", fresh=True)
    session = Session("-d", instance.port, "repl")
    try:
        session.expect(rb"leaves")
        session.send(b"\r")
        session.expect(rb">>> \Z")
        sim.stop("repl-lost")
        session.expect(rb"The board is gone")
        sim.start("wasm", name="repl-lost")
        session.expect(rb"Connected to .* again")
        session.send(b"\r")
        session.line("2 + 3", rb"\r\n5\r")
        session.send(b"\x1d")
        assert session.wait() == 0
        session.close()
        session = Session("-d", instance.port, "repl")
        session.expect(rb"leaves")
        sim.stop("repl-lost")
        session.expect(rb"The board is gone")
        session.send(b"\x1d")  # left while there is no board: that is not a success
        assert session.wait() == 4
        sim.start("wasm", name="repl-lost")
        once = Session("-d", instance.port, "repl", "--once")
        try:
            once.expect(rb"leaves")
            sim.stop("repl-lost")
            assert once.wait() == 4
            assert once.settings() == once.before
        finally:
            once.close()
    finally:
        session.close()
        with contextlib.suppress(Exception):
            sim.stop("repl-lost")


def piped(board: str, text: bytes, *words: str, timeout: float = 40) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "upytool", "-d", board, *words],
        input=text,
        capture_output=True,
        timeout=timeout,
    )


def test_piped_lines(board: str) -> None:
    script = b"""x = 20
for i in range(2):
    if i:
        print("one", i)
    else:
        print("zero")

import time
time.sleep(1.2)
print(x + 1)
name = input("who? ")
me
print("hello", name)
print(len("""
    script += b'"' + b"y" * 600 + b'"' + b"))\nprint('last')"
    run = piped(board, script, "repl")
    out = run.stdout.replace(b"\r", b"")
    assert run.returncode == 0, run
    for line in (b"\nzero\none 1\n", b"\n21\n", b"\nhello me\n", b"\n600\n", b"\nlast\n>>> "):
        assert line in out, out
    assert b"Error" not in out
    assert b"Traceback" not in run.stderr


def test_piped_control_characters_and_a_reset(board: str) -> None:
    run = piped(board, b"\x03\nz = 1\n\x04\nprint('z' in globals())\n", "repl")
    assert b"soft reboot" in run.stdout
    assert b"\r\nFalse\r\n" in run.stdout


def test_no_input_at_all(board: str) -> None:
    start = time.monotonic()
    run = piped(board, b"", "repl")
    assert run.returncode == 0
    assert b">>> " in run.stdout
    assert time.monotonic() - start < 8


def test_monitor_says_nothing_to_the_board(board: str, tmp_path: Path) -> None:
    code = "import time\nfor i in range(6000):\n time.sleep_ms(50)\n print('tick', i)\n"
    subprocess.run([sys.executable, "-m", "upytool", "-d", board, "exec", "--no-follow", code], check=True, timeout=30)
    log = tmp_path / "log"
    run = piped(board, b"", "monitor", "--seconds", "3", "-t", "--capture", str(log))
    assert run.returncode == 0, run
    ticks = re.findall(rb"^\d\d:\d\d:\d\d\.\d{3} tick (\d+)\r?$", run.stdout, re.M)
    assert len(ticks) >= 2
    assert log.read_bytes() == run.stdout
    later = piped(board, b"", "monitor", "--seconds", "3")
    more = re.findall(rb"tick (\d+)", later.stdout)
    assert more
    assert int(more[-1]) > int(ticks[-1])  # it was not interrupted


def test_mount_on_the_command_line(board: str, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import sys\nprint('app', __file__)\nsys.exit(3)\n")
    run = piped(board, b"", "mount", str(tmp_path), "exec", "import app")
    assert run.returncode == 3, run
    lines = run.stdout.replace(b"\r", b"").splitlines()
    assert lines == [f"Local directory {tmp_path} is mounted at /remote".encode(), b"app app.py"]
    run = piped(board, b"", "mount", "--mpy", str(tmp_path), "exec", "import app")
    assert b"app app.mpy" in run.stdout, run
    run = piped(board, b"", "mount", "-r", str(tmp_path), "--at", "/x", "exec", "open('new', 'w')")
    assert run.returncode == 1
    assert b"30" in run.stderr
    assert b"[Errno 2]" in piped(board, b"", "mount", str(tmp_path), "umount", "exec", "open('app.py')").stderr
    run = piped(board, b"", "mount", str(tmp_path / "none"), "exec", "1")
    assert run.returncode == 6
    assert str(tmp_path / "none").encode() in run.stderr
    (tmp_path / "bad.py").write_text("def f(:\n")
    run = piped(board, b"", "mount", "-m", str(tmp_path), "exec", "import bad")
    assert b"warning" in run.stderr
    assert b"SyntaxError" in run.stderr


def test_a_bad_exit_key(board: str) -> None:
    for key in ("ctrl-ä", "q", "ctrl-"):
        run = piped(board, b"", "repl", "--exit-key", key)
        assert run.returncode == 2
        assert b"key to leave with" in run.stderr


@pytest.mark.parametrize("at", ["/remote", "/here"])
def test_nothing_recursive_reaches_into_a_mounted_directory(board: str, tmp_path: Path, at: str) -> None:
    (tmp_path / "precious.txt").write_text("keep me")
    for words in (
        ["rm", "-r", f":{at}"],
        ["rm", "-r", f":{at}/"],
        ["rm", "-r", ":/", "--yes"],
        ["rm", "-r", ":", "--yes"],
        ["wipe", "--yes"],
    ):
        run = piped(board, b"", "mount", str(tmp_path), "--at", at, *words)
        assert (tmp_path / "precious.txt").read_text() == "keep me", (words, run)
        assert b"Traceback" not in run.stderr, run
