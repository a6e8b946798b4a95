"""Which transport opens an address, and schemes of plug-ins."""

from __future__ import annotations

import socket
import sys

import pytest

from upytool.errors import PortMissingError
from upytool.testing import ModelBoard
from upytool.transport import registry
from upytool.transport.process import ProcessTransport
from upytool.transport.registry import open_transport
from upytool.transport.serial import Lines, SerialTransport
from upytool.transport.socket import SocketTransport


def test_a_path_is_a_serial_port(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, int, Lines | None]] = []

    def fake(address: str, baud: int, lines: Lines | None) -> object:
        seen.append((address, baud, lines))
        return object()

    monkeypatch.setattr(registry, "_serial", fake)
    for address in ("/dev/ttyACM0", "COM3", "/dev/serial/by-id/usb-a:b", "rfc2217://h:1", "loop://"):
        open_transport(address, baud=9600, lines=Lines(dtr=False))
        assert seen[-1] == (address, 9600, Lines(dtr=False))


def test_loop_really_opens() -> None:
    transport = open_transport("loop://")
    assert isinstance(transport, SerialTransport)
    transport.close()


def test_a_socket_url_is_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = open_transport(f"socket://127.0.0.1:{server.getsockname()[1]}")
        assert isinstance(transport, SocketTransport)
        transport.close()


@pytest.mark.skipif(sys.platform == "win32", reason="processes as boards need a POSIX system")
@pytest.mark.parametrize("kind", ["exec", "execpty"])
def test_exec_runs_a_process(kind: str) -> None:
    transport = open_transport(f"{kind}:cat")
    assert isinstance(transport, ProcessTransport)
    assert transport.name == f"{kind}:cat"
    transport.close()


def test_an_unknown_scheme_is_explained() -> None:
    with pytest.raises(PortMissingError) as caught:
        open_transport("gopher://host")
    assert (caught.value.code, caught.value.fields) == ("transport.missing.scheme", {"scheme": "gopher"})
    assert "upytool help selectors" in caught.value.hint


def test_a_plug_in_adds_a_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def opener(address: str, baud: int, lines: Lines | None) -> object:
        calls.append(address)
        return ModelBoard()

    class Entry:
        def load(self) -> object:
            return opener

    def entry_points(*, group: str, name: str) -> list[Entry]:
        return [Entry()] if (group, name) == ("upytool.transports", "pigeon") else []

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    open_transport("pigeon://coop")
    assert calls == ["pigeon://coop"]
    with pytest.raises(PortMissingError):
        open_transport("raven://coop")
