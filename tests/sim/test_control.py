"""Who may give orders to a simulated board, and that nobody else can stop it."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from upytool.sim import list_running, start
from upytool.sim.control import request
from upytool.sim.peer import of_this_user
from upytool.sim.registry import SimInfo
from upytool.sim.registry import state as board_state


@pytest.fixture
def board(state: Path) -> SimInfo:
    return start("wasm", fresh=True, tcp=True)


@contextlib.contextmanager
def call(info: SimInfo, words: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", info.control), 10) as channel:
        channel.sendall(words)
        yield channel


def heard(channel: socket.socket) -> bytes:
    """All that comes until the other end hangs up."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := channel.recv(100):
            data += part
    return data


@pytest.mark.parametrize(
    "words",
    [
        b"[" * 4000 + b"\n", b"[" * 4000, b"\n", b" \n", b"x stop\n", b"stop\n", b"\xff\xfe\n", b"a" * 256,
        random.Random(1).randbytes(4096) + b"\n",
        b'{"token": "x", "command": "stop"}\n',
    ],
    ids=lambda words: repr(words[:12]),
)  # fmt: skip
def test_without_the_token_nothing_is_done(board: SimInfo, words: bytes) -> None:
    with call(board, words) as channel:
        assert heard(channel) in (b"no\n", b"")
    assert board_state(board) == "repl"


@pytest.mark.parametrize("command", ["", "nothing", "usb", "stop it", "x" * 100])
def test_with_the_token_only_what_there_is(board: SimInfo, command: str) -> None:
    with call(board, request(board.token, command)) as channel:
        assert heard(channel) == b"no\n"
    assert board_state(board) == "repl"


def test_slow_callers_hold_up_nobody(board: SimInfo) -> None:
    with contextlib.ExitStack() as slow:
        callers = [slow.enter_context(call(board, b"x")) for _ in range(10)]
        for _ in range(4):
            for channel in callers:
                with contextlib.suppress(OSError):
                    channel.sendall(b"x")  # a byte now and then does not buy more time
            assert board_state(board, timeout=5) == "repl"
            time.sleep(1.5)
        callers[0].settimeout(30)
        assert heard(callers[0]) == b""


def test_many_callers_are_not_kept(board: SimInfo) -> None:
    with contextlib.ExitStack() as many:
        callers = [many.enter_context(call(board)) for _ in range(200)]
        assert board_state(board, timeout=10) == "repl"
        assert heard(callers[0]) == b""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the owner of a connection, as Linux has it")
def test_the_owner_of_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "::ffff:127.0.0.1"):
            with contextlib.suppress(OSError), socket.create_connection((host, server.getsockname()[1])):
                channel, _ = server.accept()
                with channel:
                    assert of_this_user(channel)
        with socket.create_connection(server.getsockname()) as client:
            channel, _ = server.accept()
            client.close()
            with channel:
                assert not of_this_user(channel)  # gone: nobody's any more


def talks_as(user: int, port: int) -> int:
    """0 when a program of `user` hears the board, 1 when not."""
    child = os.fork()
    if not child:
        status = 1
        with contextlib.suppress(OSError):
            os.setuid(user)
            with socket.create_connection(("127.0.0.1", port), 10) as line:
                line.settimeout(20)
                line.sendall(b"\r")
                status = int(not line.recv(100))
        os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="only root can be another user")
def test_the_port_is_for_this_user_alone(board: SimInfo) -> None:
    port = int(board.port.rpartition(":")[2])
    assert talks_as(65534, port) == 1
    assert talks_as(0, port) == 0
    assert [info.name for info in list_running()] == ["wasm"]


def test_what_is_written_has_no_name_that_can_be_guessed(state: Path) -> None:
    # Links that wait where a name made of the process's number would be, and at the log's name.
    victim = state.parent / "victim"
    victim.write_text("mine")
    state.mkdir(parents=True, exist_ok=True)
    for number in range(os.getpid(), os.getpid() + 300):
        (state / f"wasm.{number}.tmp").symlink_to(victim)
    start("wasm", fresh=True)
    assert victim.read_text() == "mine"
