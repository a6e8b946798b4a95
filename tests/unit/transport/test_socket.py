"""SocketTransport against a real listener."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from upytool.errors import ConnectionLostError, PortMissingError, PortUnusableError
from upytool.transport.base import ModemLines, Transport
from upytool.transport.socket import SocketTransport


@pytest.fixture
def pair() -> Iterator[tuple[SocketTransport, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport = SocketTransport(f"socket://127.0.0.1:{server.getsockname()[1]}")
        far, _ = server.accept()
        with far:
            yield transport, far
        transport.close()


def test_bytes_pass_both_ways(pair: tuple[SocketTransport, socket.socket]) -> None:
    transport, far = pair
    assert isinstance(transport, Transport)
    assert not isinstance(transport, ModemLines)
    transport.write(bytes(range(256)))
    assert far.recv(1000) == bytes(range(256))
    far.sendall(b"back")
    assert transport.read(1.0) == b"back"
    start = time.monotonic()
    assert transport.read(0.1) == b""
    assert 0.08 < time.monotonic() - start < 60


def test_a_large_write_arrives_whole(pair: tuple[SocketTransport, socket.socket]) -> None:
    transport, far = pair
    data = bytes(range(256)) * 16384
    got = bytearray()

    def drain() -> None:
        while len(got) < len(data):
            got.extend(far.recv(65536))

    reader = threading.Thread(target=drain, daemon=True)
    reader.start()
    transport.write(data)
    reader.join(10)
    assert bytes(got) == data


def test_the_far_end_hangs_up(pair: tuple[SocketTransport, socket.socket]) -> None:
    transport, far = pair
    far.close()
    with pytest.raises(ConnectionLostError, match="closed the connection"):
        transport.read(1.0)


def test_a_far_end_that_takes_nothing(
    pair: tuple[SocketTransport, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("upytool.transport.socket.WRITE_TIMEOUT", 0.2)
    with pytest.raises(ConnectionLostError) as caught:
        pair[0].write(bytes(64 << 20))
    assert caught.value.code == "transport.lost.write-timeout"


def test_use_after_close_is_an_error_of_ours(pair: tuple[SocketTransport, socket.socket]) -> None:
    transport, _ = pair
    transport.close()
    transport.close()
    with pytest.raises(ConnectionLostError):
        transport.read(0.1)
    with pytest.raises(ConnectionLostError):
        transport.write(b"x")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(PortMissingError, match="nothing listens"):
        SocketTransport(f"socket://127.0.0.1:{port}")


@pytest.mark.parametrize(
    "url", ["socket://", "socket://host", "socket://host:port", "socket://:12", "socket://h:99999"]
)
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(PortMissingError, match="address"):
        SocketTransport(url)


def test_a_host_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> socket.socket:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(PortMissingError) as caught:
        SocketTransport("socket://no-such-host:5000")
    assert caught.value.code == "transport.missing.host"


def test_a_network_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> socket.socket:
        raise TimeoutError("timed out")

    monkeypatch.setattr(socket, "create_connection", slow)
    with pytest.raises(PortUnusableError) as caught:
        SocketTransport("socket://127.0.0.1:5000")
    assert caught.value.code == "transport.unusable.connect"
