"""A simulated board of this process at the end of a faulty wire."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.rigs.wire import Fault, Wire
from upytool.device.device import Device
from upytool.sim.wasm import WasmBoard
from upytool.transport.serial import SerialTransport


class Plug:
    """A WasmBoard behind a file descriptor, for the wire to hold."""

    def __init__(self, board: WasmBoard) -> None:
        self.board = board
        self._ours, self.theirs = socket.socketpair()
        self._threads = [
            threading.Thread(target=self._up, daemon=True),
            threading.Thread(target=self._down, daemon=True),
        ]
        self._open = True
        for thread in self._threads:
            thread.start()

    def _up(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._ours.recv(65536):
                self.board.write(data)

    def _down(self) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                data = self.board.read(65536, 0.1)
                if data:
                    self._ours.sendall(data)

    def close(self) -> None:
        self._open = False
        self._ours.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._ours.close()
        self.theirs.close()


@contextmanager
def connected(
    plug: Plug, faults: Sequence[Fault] = (), baud: int | None = None, latency: float = 0.0
) -> Iterator[tuple[Device, Wire]]:
    """A Device over a wire with `faults`."""
    descriptor = os.dup(plug.theirs.fileno())
    try:
        with Wire(descriptor, baud=baud, latency=latency, faults=faults) as wire:
            device = Device(SerialTransport(wire.port))
            device.session.enter_timeout = 6.0
            try:
                yield device, wire
            finally:
                device.close()
    finally:
        os.close(descriptor)
