"""Flashing over the air, cut everywhere: the firmware that runs is never touched, and what starts next is whole.

Real: MicroPython's WebREPL (modwebrepl.c), its VM, the network, a killed process for the power. A MODEL: the flash and
the bootloader (tests/fakes/esp32_board).
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import pytest

from tests.fakes.slot_board import SlotBoard, application, finds_the_model
from tests.rigs.fixtures import Boards
from tests.rigs.webrepl import WebReplBoard
from upytool.device.device import Device
from upytool.errors import FlashError
from upytool.flashers import ota, ota_plan
from upytool.flashers.planning import Request
from upytool.image.base import FirmwareImage
from upytool.secret import Secret
from upytool.transport.webrepl import WebReplTransport

__all__ = ["finds_the_model"]

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.usefixtures("finds_the_model"), pytest.mark.timeout(600)]
CUTS = 4  # of each kind; tests/unit/flashers/test_ota_faults.py cuts at more frames, without the network
REQUEST = Request(wait=20.0, again="upytool flash new.bin")


class HostDied(BaseException):
    """This computer lost its power."""


class Counted(WebReplTransport):
    """WebREPL; `cut` is called at the step `at`, once. A step is what is sent: how often is read is the network's."""

    def __init__(self, url: str, at: int = -1, cut: Callable[[Counted], None] = lambda line: None) -> None:
        self.steps, self.at, self.cut = 0, -1, cut
        super().__init__(url, lambda name: Secret("upytool"))
        self.steps, self.at = 0, at

    def _step(self) -> None:
        self.steps += 1
        if self.steps == self.at:
            self.cut(self)

    def write(self, data: bytes) -> None:
        self._step()
        super().write(data)

    def write_frame(self, data: bytes) -> None:
        self._step()
        super().write_frame(data)


class Air:
    """A board that runs `old`, freshly made for each cut."""

    def __init__(self, board: WebReplBoard) -> None:
        self.board = board
        with self.device() as device:
            version = ota.version_of(device.info)
        self.old = application(version, seed=1, size=10_000)
        self.new = application(version, seed=2, size=70_000)

    def device(self, **how: object) -> Device:
        return Device(Counted(self.board.port, **how))  # type: ignore[arg-type]

    def fresh(self) -> None:
        self.board.blank()
        with self.device() as device:
            SlotBoard(device, self.old)

    def flash(self, **how: object) -> ota.FlashResult:
        with self.device(**how) as device:
            self.line = cast("Counted", device.transport)
            target = ota.identify(device, "ws://board")
            image = FirmwareImage.read(self.new, name="new.bin")
            plan = ota_plan.plan(target, image, REQUEST, runs=ota.runs(device, target, image, REQUEST))
            return ota.apply(plan, REQUEST, device)

    def spread(self, count: int) -> list[int]:
        """`count` steps from the first to the last of a run without a cut."""
        self.fresh()
        assert self.flash().confirmed
        last = self.line.steps - 3  # a run may take a few less
        return sorted({1 + round(number * (last - 1) / (count - 1)) for number in range(count)})

    def log(self) -> list[str]:
        return (self.board.root / "flash" / "log").read_text().splitlines()

    def check(self) -> str:
        """What holds after any cut; returns the slot that a start of the board takes."""
        flash = self.board.root / "flash"
        assert (flash / "ota_0").read_bytes() == self.old
        assert not any("RUNNING" in line for line in self.log())
        self.board.power_cycle()
        running = (flash / "running").read_text()
        if running == "ota_1":
            assert (flash / "ota_1").read_bytes()[: len(self.new)] == self.new
        assert "damaged" not in " ".join(self.log())
        return running


@pytest.fixture
def air(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> Air:
    monkeypatch.setattr(ota, "LEAVES", 1.0)
    return Air(cast("WebReplBoard", boards.fresh("unix-webrepl")))


def test_this_computer_may_die_at_any_moment(air: Air) -> None:
    def die(line: Counted) -> None:
        line._socket.close()
        raise HostDied

    started = []
    for at in air.spread(CUTS):
        air.fresh()
        with suppress(HostDied):
            air.flash(at=at, cut=die)
        started.append(air.check())
        assert air.flash().confirmed
        assert air.check() == "ota_1"
    assert "ota_0" in started


def test_the_board_may_lose_its_power_at_any_moment(air: Air) -> None:
    outcomes = []
    for at in air.spread(CUTS):
        air.fresh()
        state = ""
        try:
            assert air.flash(at=at, cut=lambda line: air.board.power_cycle()).confirmed
        except FlashError as error:  # the power went in the new firmware's first start, before it was confirmed
            state = error.state
        assert ("as before" in state) == (air.check() == "ota_0"), at
        outcomes.append(state)
    assert "" in outcomes


def test_the_network_may_be_lost_at_any_moment(air: Air) -> None:
    def lose(line: Counted) -> None:
        line._socket.shutdown(socket.SHUT_RDWR)

    for at in air.spread(CUTS):
        air.fresh()
        assert air.flash(at=at, cut=lose).confirmed, at
        assert air.check() == "ota_1"
