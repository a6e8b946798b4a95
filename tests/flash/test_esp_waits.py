"""No wait inside esptool is without an end: unmodified esptool against the MODEL, whose stub or wire falls silent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.fakes.esp_rom_model import EspRomModel, Faults
from tests.fakes.esp_rom_wire import PtyWire, Rfc2217Wire, TcpWire
from tests.flash.test_esp_model import Recorder, _short_waits, holds, image_for, loader, target
from upytool import limits
from upytool.errors import FlashError, TransportError
from upytool.events import Notice
from upytool.flashers.base import FlashOptions
from upytool.flashers.esp import EspFlasher
from upytool.flashers.esp_wait import OutOfTime, Patience

pytestmark = [
    pytest.mark.filterwarnings("ignore:set(Daemon|Name):DeprecationWarning"),
    pytest.mark.timeout(120),
    pytest.mark.usefixtures("_short_waits"),
]
__all__ = ["_short_waits"]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ESP_CONNECT_SECONDS", 4.0)
    monkeypatch.setattr(limits, "ESP_STUB_SECONDS", 3.0)
    monkeypatch.setattr(limits, "ESP_GREETING_SECONDS", 0.5)
    monkeypatch.setattr(limits, "ESP_CALL_SECONDS", 3.0)


FEW = FlashOptions(connect_attempts=1)


@pytest.mark.parametrize(
    ("chip", "stub", "wire"),
    [
        ("esp32", "mute", lambda model: TcpWire(model, reset=True)),
        ("esp32", "back", TcpWire),
        ("esp32c3", "back", PtyWire),
        ("esp32s3", "mute", Rfc2217Wire),
    ],
)
def test_a_stub_that_never_greets_is_told_and_the_roms_loader_is_used(
    chip: str, stub: str, wire: Callable[[EspRomModel], Any]
) -> None:
    model, image, seen = EspRomModel(chip, faults=Faults(stub=stub)), image_for(chip), Recorder()
    with wire(model) as link, loader(link.address, FEW, seen) as esp:
        assert len(seen.warnings) == 1
        assert "stub" in seen.warnings[0]
        done = esp.program(image, FEW, reporter=seen)
        assert done.verified == "MD5"
        assert holds(model, image.memory)
        esp.erase_all(reporter=seen)
        assert set(model.flash) == {0xFF}
    assert model.mode != "stub"


def test_where_nothing_can_reset_the_chip_the_hint_is_the_button() -> None:
    with TcpWire(EspRomModel("esp32", faults=Faults(stub="mute"))) as link:
        with pytest.raises(FlashError) as caught:
            EspFlasher().open(target(link.address), FEW)
        assert "--no-stub" in caught.value.hint


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("command", [1, 3, 9, 12, 16, 24, 30])
def test_a_connection_that_falls_silent_at_any_stage_ends(command: int, reset: bool) -> None:
    model = EspRomModel("esp32", faults=Faults(stall=command, for_ever=not reset))
    with (
        TcpWire(model, reset=reset) as link,
        contextlib.suppress(FlashError, TransportError),
        loader(link.address, FEW) as esp,
    ):
        esp.program(image_for("esp32"), FEW)


@contextmanager
def _peer(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that says something to whoever connects."""
    stop, server = threading.Event(), socket.create_server(("127.0.0.1", 0))
    server.settimeout(0.05)

    def serve() -> None:
        while not stop.is_set():
            try:
                link, _ = server.accept()
            except TimeoutError:
                continue
            with link:
                try:
                    say(link, stop)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"socket://127.0.0.1:{server.getsockname()[1]}"
    finally:
        stop.set()
        thread.join(10)
        server.close()


def _drip(link: socket.socket, stop: threading.Event) -> None:
    link.sendall(b"\xc0")
    while not stop.wait(0.05):
        link.sendall(b"x")


def _packets(link: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.02):
        link.sendall(b"\xc0\x01\x55\x00\x00\x00\x00\x00\x00\x00\x00\xc0")


def _flood(link: socket.socket, stop: threading.Event) -> None:
    while not stop.is_set():
        link.sendall(b"\xc0" + b"y" * 4096)


def _nothing(link: socket.socket, stop: threading.Event) -> None:
    stop.wait()


@pytest.mark.parametrize("say", [_drip, _packets, _flood, _nothing])
def test_a_peer_that_is_no_chip_ends_and_is_told_meanwhile(say: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = Recorder()
    with _peer(say) as address, pytest.raises(FlashError):
        EspFlasher().open(target(address), FlashOptions(connect_attempts=4), reporter=seen)
    if say in (_nothing, _packets):  # that lasts; the others may be refused at once
        assert any(
            isinstance(each, Notice) and each.level == "wait" and address in each.message for each in seen.events
        )


def test_the_limit_is_held_in_the_ports_reads_and_told_each_second() -> None:
    now = [0.0]
    told: list[float] = []

    class Port:
        timeout: float | None = None

        def read(self, size: int = 1) -> bytes:
            assert self.timeout is not None
            now[0] += self.timeout
            return b""

        def write(self, data: bytes) -> int:
            return len(data)

    port, patience = Port(), Patience(lambda: now[0])
    patience.guard(port)
    with pytest.raises(OutOfTime), patience.limit(20, told.append):
        port.read()
    assert 20 < now[0] <= 21.5
    assert told == list(range(1, 21))
    assert port.timeout is None, "as it was"
    with patience.limit(5):
        for _ in range(4):
            port.timeout = 3
            assert port.read() == b""
            patience.renew()
    assert now[0] > 30, "progress gives it time anew"
    now[0] += 1000
    assert port.write(b"x") == 1, "outside of a call there is no limit"
