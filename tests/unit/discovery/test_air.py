"""Boards on the network: a real mDNS responder (zeroconf) and a real search, both on the loopback interface."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upytool import limits
from upytool.discovery import air
from upytool.discovery.air import AirBoard, find_boards, is_board_name
from upytool.errors import MissingExtraError, TransportError

zeroconf = pytest.importorskip("zeroconf")
LOOPBACK = ["127.0.0.1"]


class Responder:
    """Hosts that answer as boards do."""

    def __init__(self) -> None:
        self._network = zeroconf.Zeroconf(interfaces=LOOPBACK, ip_version=zeroconf.IPVersion.V4Only)

    def host(self, name: str, address: str, *, kind: str = "_unrelated._tcp", port: int = 8266) -> None:
        """A host with a service; one of an unrelated kind stands for a host that answers for its name alone."""
        info = zeroconf.ServiceInfo(
            f"{kind}.local.", f"{name} {address}.{kind}.local.", port=port, server=f"{name}.local.",
            addresses=[socket.inet_aton(address)],
        )  # fmt: skip
        self._network.register_service(info, cooperating_responders=True)

    def close(self) -> None:
        self._network.close()


@pytest.fixture
def network() -> Iterator[Responder]:
    try:
        responder = Responder()
    except OSError as error:
        pytest.skip(f"no multicast on the loopback interface: {error}")
    yield responder
    responder.close()


def search(*hosts: str, seconds: float = 2.5) -> list[tuple[str, str, str]]:
    found = find_boards(hosts, seconds=seconds, interfaces=LOOPBACK, asked_at=(0.0, 0.8, 1.6))
    # Other programs of the machine may answer on the loopback interface as well.
    return [(b.selector, b.host, b.service) for b in found if b.address.startswith("127.9.")]


def test_what_is_found_and_what_is_not(network: Responder) -> None:
    network.host("MPY-ESP32", "127.9.0.1")  # capital letters do not count
    network.host("mpy-esp32-2", "127.9.0.2")
    network.host("picow", "127.9.0.3")
    network.host("kitchen", "127.9.0.4", kind="_webrepl._tcp")
    network.host("attic", "127.9.0.5", kind="_webrepl._tcp", port=80)
    network.host("printer", "127.9.0.6", kind="_http._tcp", port=631)
    network.host("mpy-web", "127.9.0.7", kind="_http._tcp", port=80)
    network.host("cellar", "127.9.0.8")
    network.host("nobody", "127.9.0.9")
    network.host("mpy-rp2", "127.9.0.10", kind="_webrepl._tcp", port=8267)
    assert search("cellar.local", "not a name") == [
        ("ws://127.9.0.5:80", "attic", "_webrepl._tcp"),
        ("ws://127.9.0.8", "cellar", ""),
        ("ws://127.9.0.4", "kitchen", "_webrepl._tcp"),
        ("ws://127.9.0.1", "mpy-esp32", ""),
        ("ws://127.9.0.2", "mpy-esp32-2", ""),
        ("ws://127.9.0.10:8267", "mpy-rp2", "_webrepl._tcp"),
        ("ws://127.9.0.7", "mpy-web", "_http._tcp"),
        ("ws://127.9.0.3", "picow", ""),
    ]


def test_nothing_is_found_on_a_quiet_network() -> None:
    assert search(seconds=0.2) == []


def test_there_is_a_limit(network: Responder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "AIR_BOARDS", 1)
    for number in (1, 2, 3):
        network.host(f"mpy-esp32s{number}", f"127.9.0.{number}", kind="_webrepl._tcp")
    assert len(search()) <= 2  # one by its service, one by its name


def test_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise OSError(101, "Network is unreachable")

    monkeypatch.setattr(zeroconf, "Zeroconf", refuse)
    with pytest.raises(TransportError) as caught:
        find_boards(seconds=0.1)
    assert "unreachable" in caught.value.message


def test_without_zeroconf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(MissingExtraError) as caught:
        find_boards(seconds=0.1)
    assert "upytool[net]" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "board"),
    [("mpy-esp32", True), ("mpy-anything", True), ("mpy-", False), ("picow", True), ("printer", False), ("", False)],
)
def test_names(name: str, board: bool) -> None:
    assert is_board_name(name) is board


def test_the_names_that_are_asked_for_are_names() -> None:
    for name in (*air.HOST_NAMES, *air._TWINS):
        assert air._host(f"{name}.local.") == name
        zeroconf.DNSQuestion(f"{name}.local.", 1, 1)


@given(st.text(max_size=80), st.binary(max_size=20))
def test_what_hosts_say_is_checked(name: str, packed: bytes) -> None:
    host = air._host(name)
    assert host == "" or (host.isascii() and host.islower()) or host.replace("-", "").replace("_", "").isalnum()
    address = air._address([packed])
    if address:
        assert AirBoard(address, 8266, host, "").selector.startswith("ws://")
