"""The terminal of the REPL without a board."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator

import pytest

if sys.platform == "win32":
    pytest.skip("a pty is needed", allow_module_level=True)

import pty
import termios

from upytool.cli.ui.streams import Streams
from upytool.cli.ui.terminal import PipedInput, PosixTerminal


@pytest.fixture
def tty() -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    yield ours, theirs
    os.close(ours)
    os.close(theirs)


def is_raw(fd: int) -> bool:
    return not termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)


def test_every_key_comes_through_and_the_mode_is_put_back(tty: tuple[int, int]) -> None:
    ours, theirs = tty
    before = termios.tcgetattr(theirs)
    keys = bytes(range(256))
    with PosixTerminal(Streams(), theirs) as terminal:
        assert is_raw(theirs)
        assert terminal.read(0) == b""
        os.write(ours, keys)
        got = b""
        while len(got) < len(keys):
            got += terminal.read(1) or b"?"
        assert got == keys
    assert termios.tcgetattr(theirs) == before


def test_an_error_puts_the_mode_back(tty: tuple[int, int]) -> None:
    before = termios.tcgetattr(tty[1])
    with pytest.raises(ZeroDivisionError), PosixTerminal(Streams(), tty[1]):
        raise ZeroDivisionError
    assert termios.tcgetattr(tty[1]) == before


def test_a_stop_signal_puts_the_mode_back_until_it_goes_on(
    tty: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = termios.tcgetattr(tty[1])
    stopped = []

    def stop(pid: int, number: int) -> None:
        # what the kernel would do now
        stopped.append((pid, number, termios.tcgetattr(tty[1]) == before, signal.getsignal(number)))

    handlers = [signal.getsignal(number) for number in (signal.SIGTSTP, signal.SIGCONT)]
    with PosixTerminal(Streams(), tty[1]):
        with monkeypatch.context() as patched:
            patched.setattr(os, "kill", stop)
            signal.raise_signal(signal.SIGTSTP)
        assert stopped == [(os.getpid(), signal.SIGTSTP, True, signal.SIG_DFL)]
        assert is_raw(tty[1])
        termios.tcsetattr(tty[1], termios.TCSANOW, before)  # a shell did so after a SIGSTOP
        signal.raise_signal(signal.SIGCONT)
        assert is_raw(tty[1])
    assert termios.tcgetattr(tty[1]) == before
    assert handlers == [signal.getsignal(n) for n in (signal.SIGTSTP, signal.SIGCONT)]


def test_a_terminal_that_was_closed_is_the_end(tty: tuple[int, int]) -> None:
    ours, theirs = pty.openpty()
    with PosixTerminal(Streams(), theirs) as terminal:
        os.close(ours)
        assert terminal.read(1) is None
    os.close(theirs)


def test_a_pipe_is_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        with PipedInput(Streams()) as piped:
            assert piped.read(0) == b""
            os.write(writer, b"lines\n")
            assert piped.read(1) == b"lines\n"
            os.close(writer)
            assert piped.read(1) is None


def test_no_stdin_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with PipedInput(Streams()) as piped:
        assert piped.read(0) is None
