"""Real MicroPython with a directory of this computer mounted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rigs.fixtures import Boards
from upytool.device.device import Device
from upytool.device.mount import Mounts, mounts_of
from upytool.errors import ConnectionLostError
from upytool.sim.wasm import WasmBoard
from upytool.testing import Recorder
from upytool.transport.registry import open_transport


class WasmTransport:
    """A Transport to a wasm board in this process."""

    name = "wasm"
    interrupts = True
    survives_reset = True

    def __init__(self, board: WasmBoard) -> None:
        self.board = board
        self.received = bytearray()  # what the board said
        self.sent = bytearray()
        self.gone = False

    def read(self, timeout: float | None) -> bytes:
        if self.gone:
            raise ConnectionLostError("gone")
        data = self.board.read(timeout=5.0 if timeout is None else timeout)
        self.received += data
        return data

    def write(self, data: bytes) -> None:
        if self.gone:
            raise ConnectionLostError("gone")
        self.sent += data
        self.board.write(data)

    def close(self) -> None:
        pass

    def fileno(self) -> int | None:
        return None


@pytest.fixture
def wasm() -> Iterator[WasmTransport]:
    with WasmBoard() as board:
        yield WasmTransport(board)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "local"
    place.mkdir()
    return place


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def device(wasm: WasmTransport, recorder: Recorder, root: Path) -> Iterator[Device]:
    """A board with `root` at /remote."""
    with Device(wasm, reporter=recorder) as device:
        device.drive(mounts_of(device).add(root))
        yield device


@pytest.fixture
def mounts(device: Device) -> Mounts:
    """The mounts of `device`."""
    return mounts_of(device)


@pytest.fixture
def rig(boards: Boards, request: pytest.FixtureRequest) -> Iterator[Device]:
    """A Device to the rig that `request.param` names."""
    transport = open_transport(boards.fresh(request.param).port)
    with Device(transport) as device:
        yield device
