"""The four reasons why a port does not open, each for real, and the words that pyserial has for Windows'."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import serial

from upytool import words
from upytool.errors import (
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    PortUnusableError,
    TransportError,
    UpytoolError,
)
from upytool.transport.open_errors import explain_open_error, permission_hint
from upytool.transport.serial import SerialTransport

from .conftest import Pair


def test_a_port_that_is_not_there() -> None:
    with pytest.raises(PortMissingError) as caught:
        SerialTransport("/dev/ttyNOPE9")
    assert caught.value.fields == {"port": "/dev/ttyNOPE9"}
    assert "upytool devs" in caught.value.hint


_HOLDER = """
import sys, serial
port = serial.Serial(sys.argv[1], exclusive=True)
print("open", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def _held(path: str) -> Iterator[int]:
    """Another process has the port open exclusively; its pid."""
    child = subprocess.Popen([sys.executable, "-c", _HOLDER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        assert child.stdout.readline().strip() == b"open"
        yield child.pid
    finally:
        child.stdin.close()
        child.wait(10)
        child.stdout.close()


def test_a_port_that_another_process_holds_names_the_holder(pair: Pair) -> None:
    os.close(pair.slave)  # else this process has it open as well, and only one can be named
    pair.slave = -1
    with _held(pair.path) as pid:
        with pytest.raises(PortBusyError) as caught:
            SerialTransport(pair.path)
        if Path("/proc/self/fd").exists():
            assert "python" in str(caught.value.fields["holder"])
            assert f"(pid {pid})" in str(caught.value.fields["holder"])
    SerialTransport(pair.path).close()


def _as_nobody(path: str) -> tuple[str, str, str]:
    """(class, code, hint) of opening `path` in a child without rights."""
    # The child may not be able to read this Python's library any more.
    import grp
    import pwd

    assert grp
    assert pwd
    assert words.errors()
    assert words.notes()
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                SerialTransport(path)
                answer = ("opened", "", "")
            except UpytoolError as error:
                answer = (type(error).__name__, error.code, error.hint)
            os.write(writer, "\0".join(answer).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    kind, code, hint = said.split("\0")
    return kind, code, hint


root_only = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give up its rights"
)


@root_only
def test_a_port_that_the_user_may_not_open_names_the_group(pair: Pair) -> None:
    os.chown(pair.path, 0, 20)
    os.chmod(pair.path, 0o660)
    kind, code, hint = _as_nobody(pair.path)
    assert kind == "PortPermissionError"
    assert code == "transport.permission.port"
    assert "usermod -aG" in hint


@root_only
def test_nobody_is_told_to_join_the_group_of_root(pair: Pair) -> None:
    os.chown(pair.path, 0, 0)
    os.chmod(pair.path, 0o600)
    kind, _, hint = _as_nobody(pair.path)
    assert kind == "PortPermissionError"
    assert "usermod" not in hint
    assert "udev" in hint


@root_only
def test_a_group_that_counts_only_after_the_next_login(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    import grp

    os.chown(pair.path, 0, 20)
    os.chmod(pair.path, 0o660)
    group = grp.struct_group(("dialout", "x", 20, ["me"]))
    monkeypatch.setattr(grp, "getgrgid", lambda gid: group)
    monkeypatch.setattr("upytool.transport.open_errors._user", lambda: "me")
    monkeypatch.setattr(os, "getgroups", lambda: [1000])
    assert permission_hint(pair.path).code == "transport.log-in-again"
    monkeypatch.setattr(os, "getgroups", lambda: [1000, 20])
    assert permission_hint(pair.path).code == "transport.join-group"


def test_what_is_no_serial_port_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("x")
    for path in (str(file), str(tmp_path), os.devnull):
        with pytest.raises(PortUnusableError, match="is not a serial port"):
            SerialTransport(path)


def test_a_driver_that_refuses_is_quoted(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr("serial.serialposix.os.open", refuse)
        with pytest.raises(PortUnusableError) as caught:
            SerialTransport(pair.path)
    assert "Input/output error" in caught.value.message
    assert "unplug" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("FileNotFoundError(2, 'The system cannot find the file specified.', None, 2)", PortMissingError),
        ("PermissionError(13, 'Access is denied.', None, 5)", PortBusyError),
        ("OSError(22, 'The semaphore timeout period has expired.', None, 121)", PortUnusableError),
    ],
)
def test_the_words_of_windows(text: str, kind: type[TransportError]) -> None:
    error = serial.SerialException(f"could not open port 'COM9': {text}")
    assert type(explain_open_error("COM9", error, windows=True)) is kind


def test_the_same_words_elsewhere_mean_permission() -> None:
    error = serial.SerialException(13, "could not open port")
    assert type(explain_open_error("/dev/ttyX", error, windows=False)) is PortPermissionError


@pytest.mark.parametrize(
    ("url", "kind"),
    [("rfc2217://127.0.0.1:1", PortMissingError), ("nonsense://x", PortMissingError)],
)
def test_urls_of_pyserial(url: str, kind: type[TransportError]) -> None:
    with pytest.raises(kind):
        SerialTransport(url)


def test_the_reasons_have_different_messages_and_codes() -> None:
    kinds = (PortMissingError, PortBusyError, PortPermissionError, PortUnusableError)
    assert len({kind.code for kind in kinds}) == 4
    errors = [explain_open_error("/dev/tty", OSError(number, "x"), windows=False) for number in (2, 16, 13, 5)]
    assert [type(error) for error in errors] == list(kinds)
    assert len({error.message for error in errors}) == 4
    assert len({error.hint for error in errors}) == 4
