"""A pytest plug-in: the fixture `board` is a connected Device.

    def test_sum(board):
        assert board.eval("1 + 1") == 2

`pytest --upytool-device SELECTOR` (or UPYTOOL_DEVICE) names the board; without it the tests that use the fixture
are skipped, so that a suite runs on a machine without boards too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .device.device import Device


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("upytool")
    group.addoption(
        "--upytool-device",
        metavar="SELECTOR",
        default=os.environ.get("UPYTOOL_DEVICE"),
        help="the board for the `board` fixture (a port, id:SERIAL, sim ...) [env: UPYTOOL_DEVICE]",
    )


@pytest.fixture(scope="session")
def _board_session(request: pytest.FixtureRequest) -> Iterator[Device]:
    selector = request.config.getoption("--upytool-device")
    if not selector:
        pytest.skip("no board: give --upytool-device SELECTOR")
    from .api.connect import connect

    with connect(str(selector)) as board:
        yield board


@pytest.fixture
def board(_board_session: Device) -> Device:
    """A connected board with a fresh interpreter; its files are left as they are."""
    _board_session.soft_reset()
    return _board_session
