"""Waiting for a board, and finding it again, with a clock of the test's."""

from __future__ import annotations

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery import advice, waiting
from upytool.discovery.ports import SerialPort
from upytool.discovery.selector import Finder, Target
from upytool.discovery.waiting import wait_for
from upytool.errors import AmbiguousDeviceError, NoDeviceError, PortMissingError
from upytool.events import Notice
from upytool.testing import Recorder


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "boards_in_bootloader", list)
    monkeypatch.setattr(waiting, "_settle", lambda *_: None)


class Plugging:
    """A clock, and ports that come and go: (from second, ports) in order."""

    def __init__(self, *history: tuple[float, list[SerialPort]]) -> None:
        self.now, self.history, self.looks = 0.0, history, 0

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def ports(self) -> list[SerialPort]:
        self.looks += 1
        return [ports for since, ports in self.history if since <= self.now][-1]

    def wait(self, selector: str | None, seconds: float, recorder: Recorder | None = None) -> Target:
        finder = Finder({}, ports=self.ports, reporter=recorder or Recorder())
        return wait_for(finder, selector, seconds, self.clock, self.sleep)


def test_a_board_that_is_there_is_not_waited_for() -> None:
    world, recorder = Plugging((0, [zoo.pico()])), Recorder()
    assert world.wait(None, 10, recorder).address == "/dev/ttyACM0"
    assert world.now == 0
    assert [event for event in recorder.of(Notice) if event.level == "info"] == []


@pytest.mark.parametrize("selector", [None, "id:e6605838834f2a30", "usb:1-2", "usb:2e8a:0005"])
def test_a_board_that_comes_is_used_at_once(selector: str | None) -> None:
    world, recorder = Plugging((0, []), (3.1, [zoo.pico()])), Recorder()
    assert world.wait(selector, 10, recorder).address == "/dev/ttyACM0"
    assert 3.1 <= world.now <= 3.4
    (said,) = [event for event in recorder.of(Notice) if event.level == "info"]
    assert "waiting" in said.message
    assert "Ctrl-C" in said.message


def test_a_port_that_comes_by_name() -> None:
    world = Plugging((0, []), (1, [zoo.pico()]))
    assert world.wait("/dev/ttyACM0", 5).address == "/dev/ttyACM0"


def test_the_wait_ends() -> None:
    world = Plugging((0, []))
    with pytest.raises(NoDeviceError):
        world.wait(None, 2)
    assert 2 <= world.now < 2.5
    assert world.looks < 12
    with pytest.raises(PortMissingError, match="did not appear within 1 s"):
        Plugging((0, [])).wait("/dev/ttyNOPE", 1)


def test_what_waiting_does_not_mend_is_said_at_once() -> None:
    world = Plugging((0, [zoo.pico(), zoo.pyboard()]))
    with pytest.raises(AmbiguousDeviceError):
        world.wait(None, 10)
    assert world.now == 0


def test_a_url_is_not_waited_for() -> None:
    assert Plugging((0, [])).wait("socket://h:1", 10).address == "socket://h:1"
