"""Processes as boards, over pipes and on a pseudo terminal."""

from __future__ import annotations

import os
import shlex
import sys
import time

import pytest

from upytool.errors import ConnectionLostError, PortMissingError, PortUnusableError
from upytool.transport.process import ProcessTransport

if sys.platform == "win32":
    pytest.skip("processes as boards need a POSIX system", allow_module_level=True)

PYTHON = shlex.quote(sys.executable)
ECHO = "import os\nwhile True:\n d=os.read(0,9999)\n if not d: break\n os.write(1,d)"


def _python(code: str) -> str:
    return f"{PYTHON} -c {shlex.quote(code)}"


def _read_all(transport: ProcessTransport, count: int, timeout: float = 5.0) -> bytes:
    got, end = b"", time.monotonic() + timeout
    while len(got) < count and time.monotonic() < end:
        got += transport.read(0.2)
    return got


@pytest.mark.parametrize("pty", [False, True])
def test_every_byte_passes_unchanged(pty: bool) -> None:
    transport = ProcessTransport("exec:echo", _python(ECHO), pty=pty)
    try:
        transport.write(bytes(range(256)))
        assert _read_all(transport, 256) == bytes(range(256))
        assert transport.read(0.05) == b""
    finally:
        transport.close()
    transport.close()


def test_a_pty_is_the_controlling_terminal_of_the_child() -> None:
    code = "import os;print(os.isatty(0),os.getpgrp()==os.tcgetpgrp(0))"
    transport = ProcessTransport("execpty:x", _python(code), pty=True)
    try:
        assert _read_all(transport, 10).split() == [b"True", b"True"]
    finally:
        transport.close()


@pytest.mark.parametrize("pty", [False, True])
def test_closing_ends_the_child_also_one_that_ignores_sigterm(pty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upytool.transport.process.END_TIMEOUT", 0.3)
    code = (
        "import os,signal,time\n"
        "for s in (signal.SIGTERM,signal.SIGHUP): signal.signal(s,signal.SIG_IGN)\n"
        "print(os.getpid(),flush=True)\n"
        "while True: time.sleep(1)"
    )
    transport = ProcessTransport("exec:x", _python(code), pty=pty)
    said = b""
    while b"\n" not in said:
        said += transport.read(5.0)
    pid = int(said)
    transport.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("pty", [False, True])
def test_a_program_that_ends_is_a_lost_connection(pty: bool) -> None:
    transport = ProcessTransport("exec:short", _python("print('bye')"), pty=pty)
    try:
        with pytest.raises(ConnectionLostError, match="exec:short ended"):
            _read_all(transport, 1000)
    finally:
        transport.close()


def test_what_does_not_start() -> None:
    with pytest.raises(PortMissingError) as caught:
        ProcessTransport("exec:/no/such/program", "/no/such/program", pty=False)
    assert caught.value.code == "transport.missing.program"
    with pytest.raises(PortMissingError) as caught:
        ProcessTransport("exec:", "  ", pty=True)
    assert caught.value.code == "transport.missing.no-command"
    with pytest.raises(PortUnusableError) as caught:
        ProcessTransport("exec:/tmp", "/tmp", pty=True)
    assert caught.value.code == "transport.unusable.program"


@pytest.mark.parametrize("command", ["'no end", "a\0b"])
def test_a_command_line_that_is_none(command: str) -> None:
    with pytest.raises((PortMissingError, PortUnusableError)):
        ProcessTransport("exec:x", command, pty=False)
