"""Where programs end on real MicroPython: whatever they print, however it is cut, and when the board is reset."""

from __future__ import annotations

import time

import pytest

from tests.conformance.conftest import Bench
from upytool.device.device import Device
from upytool.errors import BoardResetError, RemoteException, RemoteExit, RemoteOSError
from upytool.protocol.raw_repl import ReplState
from upytool.transport.base import Transport

NASTY = (
    "\x04",
    "\x04\x04>",
    "a\x04\x04>b\x04>",
    "\x04Traceback (most recent call last):\r\nValueError: x\r\n\x04>",
    "x\r\n\x04\x04>\r\nraw REPL; CTRL-B to exit\r\n>",
    "\r\nMicroPython v1.26.0 on 2025-08-09; a board\r\n>>> ",
    "\x1c\x1d\x1e\x1f" * 7,
)


class Chopped:
    """A transport whose reads give `size` bytes at most; it keeps what was written."""

    interrupts = survives_reset = True

    def __init__(self, inner: Transport, size: int) -> None:
        self.inner, self.size, self.name = inner, size, inner.name
        self.data, self.written = bytearray(), bytearray()

    def read(self, timeout: float | None) -> bytes:
        if not self.data:
            self.data += self.inner.read(timeout)
        part = bytes(self.data[: self.size])
        del self.data[: self.size]
        return part

    def write(self, data: bytes) -> None:
        self.written += data
        self.inner.write(data)

    def close(self) -> None:
        self.inner.close()

    def fileno(self) -> int | None:
        return None


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 65536])
def test_a_program_may_print_what_looks_like_an_end_or_a_reset(bench: Bench, size: int) -> None:
    wire = Chopped(bench.open(), size)
    with Device(wire) as board:
        board.exec("pass")
        for text in NASTY if not bench.slow else NASTY[:2]:
            del wire.written[:]
            source = (
                f"import sys\nsys.stdout.write({text!r})" if bench.name != "qemu-bare" else f"print({text!r},end='')"
            )
            said = board.exec_bytes(source)
            assert said.replace(b"\r\r\n", b"\r\n") == text.encode()
            # The end was known: nobody had to be asked, so no stray byte reaches a program that reads its input.
            assert b"\x01" not in wire.written.replace(b"\x05A\x01", b"")


def test_an_error_text_that_looks_like_an_end(device: Device) -> None:
    with pytest.raises(RemoteException):
        device.exec("raise ValueError('a\\n\\x04>b\\x04\\x04>')")
    assert device.exec("print(1)") == "1\n"
    with pytest.raises(RemoteExit) as caught:
        device.exec("import sys\nprint('\\x04\\x04>')\nsys.exit(3)")
    assert caught.value.exit_code == 3
    assert device.exec("print(2)") == "2\n"


def test_a_program_that_prints_an_end_and_goes_on(device: Device) -> None:
    source = "def wait():\n for _ in range(300000): pass\nprint('\\x04\\x04>')\nwait()\nprint('more')"
    assert device.exec(source, timeout=60) == "\x04\x04>\nmore\n"


def test_a_program_that_is_not_wrapped_ends_too(device: Device) -> None:
    with pytest.raises(RemoteException, match="SyntaxError"):
        device.exec("def f(:")
    device.drive(device.session.repl.start(b"print('\x1e\\x04\\x04>y')"))
    said = bytearray()
    assert device.drive(device.session.repl.follow(said.extend, 30)) == b""
    assert bytes(said).strip() == b"\x1e\x04\x04>y"


def test_a_reset_that_keeps_the_port_ends_the_program(bench: Bench) -> None:
    if not bench.name.startswith("qemu"):
        pytest.skip("this board has no machine.reset that keeps its port")
    with Device(bench.open()) as board:
        if "machine" not in board.info.modules or not board.eval("hasattr(__import__('machine'),'reset')"):
            pytest.skip("no machine.reset")
        with pytest.raises(BoardResetError):
            board.exec("import machine\nprint('now')\nmachine.reset()", timeout=60)
        assert board.exec("print('back')") == "back\n"


def test_a_reset_into_a_main_py_leaves_the_users_limit_alone(bench: Bench) -> None:
    if bench.name != "qemu":
        pytest.skip("one board of this kind says it")
    with Device(bench.open()) as board:
        board.exec("f=open('main.py','w')\nf.write('import time\\nwhile True: time.sleep(0.05)')\nf.close()")
        try:
            start = time.monotonic()
            with pytest.raises(Exception) as caught:
                board.exec("import machine\nmachine.reset()", timeout=3)
            assert getattr(caught.value, "exit_code", None) == 124
            assert time.monotonic() - start < 60
        finally:
            board.exec("import os\nos.remove('main.py')")


def test_a_refused_transfer_leaves_the_board_at_its_prompt(bench: Bench) -> None:
    with Device(bench.open()) as board:
        with pytest.raises(RemoteOSError):
            board.fs.write_bytes("/no/such/x", b"data" * 400)
        assert board.session.repl.state is ReplState.RAW
        assert board.exec("print(1)") == "1\n"
