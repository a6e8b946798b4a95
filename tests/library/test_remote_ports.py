"""A board behind a network: `rfc2217://` through pyserial's own server half, and `socket://`."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import upytool
from upytool import sim

if sys.platform == "win32":
    pytest.skip("needs a pseudo terminal", allow_module_level=True)


class Rfc2217Server:
    """One client at a time on 127.0.0.1, bridged to a serial port (pyserial's PortManager does the protocol)."""

    def __init__(self, port: str) -> None:
        import serial

        class PtyPort(serial.Serial):  # type: ignore[misc]
            """A pseudo terminal has no modem lines; the protocol asks for them."""

            cts = dsr = ri = cd = True

            def _update_dtr_state(self) -> None: ...

            def _update_rts_state(self) -> None: ...

        self.serial = PtyPort(port, 115200, timeout=0.02)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(0.1)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"rfc2217://127.0.0.1:{self.listener.getsockname()[1]}"

    def _serve(self) -> None:
        while not self.over.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self.listener.accept()
                with connection:
                    self._bridge(connection)

    def _bridge(self, connection: socket.socket) -> None:
        from serial.rfc2217 import PortManager

        class Writer:
            def write(self, data: bytes) -> None:
                connection.sendall(data)

        manager = PortManager(self.serial, Writer())
        gone = threading.Event()

        def up() -> None:
            with contextlib.suppress(OSError):
                while data := connection.recv(4096):
                    self.serial.write(b"".join(manager.filter(data)))
            gone.set()

        reader = threading.Thread(target=up)
        reader.start()
        with contextlib.suppress(OSError):
            while not gone.is_set() and not self.over.is_set():
                data = self.serial.read(self.serial.in_waiting or 1)
                if data:
                    connection.sendall(b"".join(manager.escape(data)))
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
        reader.join(5)

    def close(self) -> None:
        self.over.set()
        self.thread.join(5)
        self.listener.close()
        self.serial.close()


@pytest.fixture(params=["rfc2217", "socket"])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    kind: str = request.param
    info = sim.start("wasm", name=f"net-{kind}", fresh=True, tcp=kind == "socket")
    try:
        if kind == "socket":
            yield str(info.port)
        else:
            server = Rfc2217Server(str(info.port))
            try:
                yield server.url
            finally:
                server.close()
    finally:
        sim.stop(f"net-{kind}")


@pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning")  # pyserial's own
def test_programs_files_and_the_prompt(address: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 20
    with upytool.connect(address) as board:
        assert board.exec("print(6 * 7)") == "42\n"
        board.fs.write_bytes("/x.bin", data)
        assert board.fs.read_bytes("/x.bin") == data
        board.soft_reset()
        assert board.eval("1 + 1") == 2
    (tmp_path / "m.py").write_text("print('from here')\n")
    command = [sys.executable, "-m", "upytool", "-d", address]
    repl = subprocess.run(
        [*command, "repl"], input=b"print(5 * 5)\n", capture_output=True, timeout=60, env={**os.environ}, check=False
    )
    assert b"25" in repl.stdout, repl
    mounted = subprocess.run(
        [*command, "mount", str(tmp_path), "exec", "import m"], capture_output=True, timeout=60, check=False
    )
    assert b"from here" in mounted.stdout, mounted
