"""The console over transports that cannot be waited for, with keys at awkward moments."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest

from tests.mount.conftest import WasmTransport
from upytool.device.console import Console, ConsoleOptions
from upytool.device.device import Device
from upytool.device.monitor import Stamper, watch
from upytool.device.mount import Mounts
from upytool.errors import ConnectionLostError
from upytool.transport.base import Transport


class Script:
    """A terminal whose user types the next keys when the screen shows something (a model of a person)."""

    interactive = True

    def __init__(self, *steps: tuple[bytes, bytes]) -> None:
        self.steps = list(steps)
        self.screen = b""
        self.said: list[str] = []
        self.mark = 0
        self.end = time.monotonic() + 30

    def fileno(self) -> int | None:
        return None

    def read(self, timeout: float) -> bytes | None:
        assert time.monotonic() < self.end, (self.screen[self.mark :], self.steps, self.said)
        if self.steps:
            wanted, keys = self.steps[0]
            at = self.screen.find(wanted, self.mark)
            if at >= 0:
                self.mark = at + len(wanted)
                self.steps.pop(0)
                return keys
        return b""

    def write(self, data: bytes) -> None:
        self.screen += data

    def say(self, text: str) -> None:
        self.said.append(text)


def test_a_transport_without_a_descriptor(wasm: WasmTransport) -> None:
    terminal = Script((b"", b"\r"), (b">>> ", b"6*7\r"), (b"42\r\n>>> ", b"\x1d"))
    with Device(wasm) as device:
        Console(device, terminal).run()
        assert device.exec("print(1)") == "1\n"  # and the device is usable afterwards
    assert not terminal.steps


def test_a_mount_in_the_prompt(device: Device, root: Path, wasm: WasmTransport) -> None:
    (root / "m.py").write_text("print('m' * 3)\n")
    terminal = Script(
        (b">>> ", b"import m\r"),
        (b"mmm\r\n>>> ", b"\x04"),
        (b"soft reboot", b""),
        (b">>> ", b""),
        (b">>> ", b"import m\r"),
        (b"mmm\r\n>>> ", b"\x1d"),
    )
    Console(device, terminal).run()
    assert any("Mounted again: /remote" in text for text in terminal.said)
    assert b"\x18\xb5" not in terminal.screen


def test_keys_wait_while_a_request_is_half_there(device: Device, wasm: WasmTransport, root: Path) -> None:
    # The board's words come byte by byte; keys come all the time: none gets into a request.
    real = wasm.read
    pending = bytearray()

    def read(timeout: float | None) -> bytes:
        pending.extend(real(timeout if not pending else 0))
        part = bytes(pending[:7])
        del pending[:7]
        return part

    wasm.read = read  # type: ignore[method-assign]
    (root / "f").write_text("x" * 100)
    loop = b"for i in range(30): _ = open('f').read()\r\r"
    terminal = Script((b">>> ", loop), (b"open", b"1+"), (b"", b"1\r"), (b"2\r\n>>> ", b"\x1d"))
    Console(device, terminal).run()
    assert b"Error" not in terminal.screen


def test_output_that_looks_like_half_a_request_is_shown_after_a_moment(device: Device) -> None:
    code = b"import sys,time; _ = sys.stdout.buffer.write(b'\\x18\\xb5\\x90\\x80abc'); time.sleep(100)\r"
    terminal = Script((b">>> ", code), (b"\x18\xb5\x90\x80abc", b"\x03"), (b">>> ", b"\x1d"))
    start = time.monotonic()
    Console(device, terminal).run()
    assert time.monotonic() - start < 90


def test_the_board_goes_and_comes_back(device: Device, wasm: WasmTransport, mounts: Mounts, root: Path) -> None:
    (root / "m.py").write_text("print('mm')\n")

    class Flaky(WasmTransport):
        pass

    tries = 0

    def reopen() -> Transport | None:
        nonlocal tries
        tries += 1
        if tries < 3:
            return None
        wasm.board.reset()
        return Flaky(wasm.board)

    class Puller(Script):
        def read(self, timeout: float) -> bytes | None:
            if self.steps and self.steps[0][1] == b"import m\r" and "Mounted again" not in " ".join(self.said):
                return b""  # the board's own first prompt comes before its mounts are back
            keys = super().read(timeout)
            if keys == b"PULL":
                wasm.gone = True
                return b""
            return keys

    terminal = Puller((b">>> ", b"PULL"), (b">>> ", b""), (b">>> ", b"import m\r"), (b"mm\r\n>>> ", b"\x1d"))
    Console(device, terminal, ConsoleOptions(reopen=reopen)).run()
    assert tries == 3
    assert [text for text in terminal.said if "again" in text]
    assert device.transport is not wasm


def test_leaving_while_the_board_is_away(device: Device, wasm: WasmTransport) -> None:
    class Puller(Script):
        def read(self, timeout: float) -> bytes | None:
            if wasm.gone:
                return b"\x1d"
            wasm.gone = b">>> " in self.screen
            return b""

    with pytest.raises(ConnectionLostError) as caught:
        Console(device, Puller(), ConsoleOptions(reopen=lambda: None)).run()
    assert caught.value.exit_code == 4


def test_a_lost_board_without_reopen(device: Device, wasm: WasmTransport) -> None:
    class Puller(Script):
        def read(self, timeout: float) -> bytes | None:
            wasm.gone = b">>> " in self.screen
            return b""

    with pytest.raises(ConnectionLostError):
        Console(device, Puller()).run()


def test_a_long_paste_is_typed_no_faster_than_the_echo(wasm: WasmTransport) -> None:
    text = b"x = '" + b"long" * 400 + b"'; len(x)\r"
    log = io.BytesIO()
    with Device(wasm) as device:
        terminal = Script((b"", b"\r"), (b">>> ", text), (b"1600\r\n>>> ", b"\x18"))
        Console(device, terminal, ConsoleOptions(capture=log)).run()
    assert log.getvalue() == terminal.screen


def test_times_in_front_of_lines() -> None:
    count = iter(range(9))
    stamper = Stamper(lambda: f"{next(count)}:")
    parts = [b"a", b"b\r\nc", b"\r\n", b"\r\n", b"d\n"]
    assert b"".join(stamper(part) for part in parts) == b"0:ab\r\n1:c\r\n2:\r\n3:d\n"


def test_watching_a_board_that_goes(wasm: WasmTransport) -> None:
    said: list[str] = []
    out = bytearray()
    device = Device(wasm)
    wasm.gone = True
    back = WasmTransport(wasm.board)
    wasm.board.write(b"print('seen')\r")
    watch(device, out.extend, seconds=1.0, reopen=lambda: back, say=said.append)
    assert b"seen\r\n" in out
    assert len(said) == 2
    assert not back.sent
    back.gone = True
    with pytest.raises(ConnectionLostError):
        watch(device, out.extend, seconds=1.0)
    device.transport = WasmTransport(wasm.board)
    device.close()
