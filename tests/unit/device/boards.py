"""Simulated boards of this process, whole and with features taken away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from upytool.device.device import Device
from upytool.sim.wasm import WasmBoard


class InProcess:
    """A Transport to a WasmBoard; `up` and `down` count bytes, `log` holds what went up."""

    interrupts = True
    survives_reset = True
    name = "wasm:"

    def __init__(self, board: WasmBoard) -> None:
        self.board = board
        self.up = self.down = self.turns = 0
        self.log = bytearray()
        self._asking = False

    def read(self, timeout: float | None) -> bytes:
        data = self.board.read(65536, 3600.0 if timeout is None else timeout)
        self.down += len(data)
        if data and self._asking:
            self.turns, self._asking = self.turns + 1, False
        return data

    def write(self, data: bytes) -> None:
        self.up += len(data)
        self.log += data
        self._asking = True
        self.board.write(data)

    def close(self) -> None:
        return

    def fileno(self) -> int | None:
        return None


@contextmanager
def board_device(setup: str = "", flash_size: int = 1 << 20) -> Iterator[Device]:
    """A connected board; `setup` is a program that runs first and takes features away."""
    with WasmBoard(flash_size=flash_size) as board, Device(InProcess(board)) as device:
        if setup:
            device.exec(setup)
        yield device


def wire(device: Device) -> InProcess:
    """The device's transport."""
    assert isinstance(device.transport, InProcess)
    return device.transport
