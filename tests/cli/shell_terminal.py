"""An interactive shell on a pseudo terminal with our completion loaded, and what it ran in the end.

`upytool` is a program that answers completion as the real one does and otherwise writes down the words it was
given: what a line with TAB in it comes to is then known to the byte, whatever the screen shows.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.rigs.base import RigUnavailable, apt_install
from upytool.cli.shells import script

SHELLS = ("bash", "zsh", "fish")
_PROMPT = b"READY>"
_DEADLINE = 60.0


def need(shell: str) -> str:
    """The shell's program, installed where it is missing; a skip where that cannot be, but a failure in CI."""
    if shutil.which(shell) is None:
        try:
            apt_install(shell)
        except RigUnavailable as refused:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"no {shell}: {refused}")
    found = shutil.which(shell)
    assert found
    return found


class ShellTerminal:
    """A running shell. Use `shell_terminal`."""

    def __init__(self, shell: str, place: Path) -> None:
        import pty

        self.shell, self.place, self.seen = shell, place, b""
        self._record = place / "record"
        work = place / "here"
        for folder in (place / "bin", work):
            folder.mkdir()
        program = place / "bin" / "upytool"
        program.write_text(
            f'#!/bin/sh\n[ -n "$_UPYTOOL_COMPLETE" ] && exec "{sys.executable}" -m upytool "$@"\n'
            f"for word in \"$@\"; do printf '%s\\0' \"$word\"; done > '{self._record}.new'\n"
            f"mv '{self._record}.new' '{self._record}'\n",
            encoding="utf-8",
        )
        program.chmod(0o755)
        start = place / f"start.{shell}"
        start.write_text(_START[shell] + script(shell) + _READY[shell], encoding="utf-8")
        words = {
            "bash": ["--rcfile", str(start), "-i"],
            "zsh": ["-f", "-i"],
            "fish": ["--no-config", "-i", "-C", f"source {start}"],
        }[shell]
        environment = {
            **os.environ,
            "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
            "TERM": "xterm",
            "HOME": str(place),
            "LC_ALL": "C.UTF-8",
        }
        environment.pop("COLUMNS", None)
        self.process, self._terminal = pty.fork()
        if self.process == 0:
            os.chdir(work)
            os.execve(need(shell), [shell, *words], environment)
        import fcntl
        import struct
        import termios

        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
        if shell == "zsh":
            self.type(f"source {start}\r")
        self._wait(lambda: _PROMPT in self.seen, "a prompt")

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._terminal, keys.encode())

    def ran(self, keys: str) -> list[str]:
        """Press keys, which must come to one run of upytool; returns its words."""
        self._record.unlink(missing_ok=True)
        self.seen = b""
        self.type(keys)
        self._wait(self._record.exists, "a command")
        self._wait(lambda: _PROMPT in self.seen, "a prompt")
        return [os.fsdecode(word) for word in self._record.read_bytes().split(b"\0")[:-1]]

    def _wait(self, come: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _DEADLINE
        while not come():
            ready, _, _ = select.select([self._terminal], [], [], 0.02)
            if ready:
                with suppress(OSError):
                    self.seen += os.read(self._terminal, 65536)
            assert time.monotonic() < deadline, f"{self.shell} did not come to {what}: {self.seen!r}"

    def close(self) -> None:
        with suppress(OSError):
            os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self._terminal)


_START = {
    "bash": "bind 'set enable-bracketed-paste off'\n",
    "zsh": "unsetopt zle_bracketed_paste prompt_sp 2>/dev/null; autoload -Uz compinit; compinit -u -D\n",
    "fish": "function fish_greeting; end\n",
}
_READY = {
    "bash": "PS1='READ''Y>'\n",
    "zsh": "PS1='READ''Y>'\n",
    "fish": "function fish_prompt; printf 'READ%s' 'Y>'; end\nset -g fish_autosuggestion_enabled 0\n",
}


@contextmanager
def shell_terminal(shell: str, place: Path) -> Iterator[ShellTerminal]:
    """Start a shell with our completion; killed at the end."""
    need(shell)
    terminal = ShellTerminal(shell, place)
    try:
        yield terminal
    finally:
        terminal.close()
