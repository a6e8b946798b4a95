"""What the tests of flashing by the running MicroPython share: a board with a MODEL of its slots, plans and runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.fakes.slot_board import SlotBoard, application
from tests.unit.device.boards import board_device, wire
from upytool.device.device import Device
from upytool.errors import ConnectionLostError
from upytool.events import Event
from upytool.flashers import ota, ota_plan
from upytool.flashers.base import FlashPlan, FlashResult
from upytool.flashers.planning import Request
from upytool.image.base import FirmwareImage


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated board is gone at once."""
    monkeypatch.setattr(ota, "LEAVES", 0.3)


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device(flash_size=4 << 20) as device:
        yield device


def version(device: Device) -> str:
    return ota.version_of(device.info)


def old(device: Device) -> bytes:
    return application(version(device), seed=1, size=60_000)


def new(device: Device, **how: object) -> bytes:
    return application(version(device), **{"seed": 2, "size": 80_000, **how})  # type: ignore[arg-type]


def image(data: bytes, name: str = "new.bin") -> FirmwareImage:
    return FirmwareImage.read(data, name=name)


def board_with(device: Device, **how: object) -> SlotBoard:
    return SlotBoard(device, old(device), **how)  # type: ignore[arg-type]


def plan_of(device: Device, data: bytes, request: Request | None = None) -> FlashPlan:
    request = request or Request()
    target, firmware = ota.identify(device, "ws://board"), image(data)
    runs = ota.runs(device, target, firmware, request)
    return ota_plan.plan(target, firmware, request, runs=runs, name="new.bin")


class Record:
    """A reporter; `at` is called with each event and may raise, as Ctrl-C does."""

    def __init__(self, at: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self._at = at

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self._at(event)


AGAIN = Request(again="upytool flash new.bin", wait=10.0)


def flash(device: Device, data: bytes, request: Request = AGAIN, **how: object) -> FlashResult:
    return ota.apply(plan_of(device, data, request), request, device, **how)  # type: ignore[arg-type]


def again(device: Device) -> Device:
    """Another connection to the board of one that was closed."""
    return Device(wire(device))


def lose() -> None:
    """The connection ends."""
    raise ConnectionLostError("gone")
