"""A simulated board (wasm: real MicroPython) behind the Nordic UART service, without our module on it.

`PipeBoard` joins the service to the board's serial line. Its input ring is a model: what does not fit is dropped
without a sign. The simulated board grants raw paste two windows of 2048 bytes, so its ring has to hold these; the 260
bytes of an ESP32 are in front of the board of `ble_repl_board.py`.
"""

from __future__ import annotations

from typing import Any

from bumble.gatt import Characteristic, CharacteristicValue, Service

from tests.air.ble_world import Peripheral, advertisement
from upytool.protocol import ble
from upytool.sim.wasm import WasmBoard

_P, _A = Characteristic.Properties, Characteristic


class PipeBoard:
    """A board that other firmware than ours runs.

    Args:
        board: the simulated board.
        ring: bytes of its input ring.
        announces: whether it says that it has the service.
        uart: whether it has the service.
        locked: LOGIN's value (protocol/ble.py), None for a board without LOGIN.
        encrypted: LOGIN wants an encrypted connection.

    Attributes:
        dropped: bytes that did not fit.
        cut_after: bytes to the board after which the connection ends, None: never.
        silent: it is not to be heard, as if it were off; so with `silent_after_cut` from that moment.
    """

    def __init__(
        self,
        board: WasmBoard | None,
        name: str = "mpy-pipe",
        address: str = "F0:F1:F2:F3:F4:F5",
        *,
        ring: int = 4200,
        announces: bool = True,
        uart: bool = True,
        login: bytes | None = None,
        encrypted: bool = False,
    ) -> None:
        self.name, self.address = name, address
        self._board, self._ring = board, ring
        self._announces, self._uart, self._login, self._encrypted = announces, uart, login, encrypted
        self.accepts_pairing = True
        self.dropped = self.received = 0
        self.cut_after: int | None = None
        self.silent = self.silent_after_cut = False
        self._air: Peripheral | None = None
        self._output: Any = None
        self._pumping = False
        if board is not None:
            board.console.on_output = self._on_output

    def advertisement(self) -> bytes | None:
        if self.silent:
            return None
        return advertisement(self.name, *([ble.SERVICE] if self._announces else []))

    def services(self, air: Peripheral) -> list[Service]:
        if not self._uart:
            return []
        self._output = Characteristic(ble.FROM_BOARD, _P.NOTIFY, _A.READABLE)
        value = CharacteristicValue(write=lambda _, data: self._on_input(bytes(data)))
        parts = [Characteristic(ble.TO_BOARD, _P.WRITE | _P.WRITE_WITHOUT_RESPONSE, _A.WRITEABLE, value), self._output]
        if self._login is not None:
            rights = _A.READABLE | _A.WRITEABLE
            if self._encrypted:
                rights |= _A.READ_REQUIRES_ENCRYPTION
            parts.append(Characteristic(ble.LOGIN, _P.READ | _P.WRITE, rights, self._login))
        return [Service(ble.SERVICE, parts)]

    def joined(self, air: Peripheral) -> None:
        pass

    def connected(self, air: Peripheral) -> None:
        self._air, self._pumping = air, False
        if self._board is not None:
            self._board.console.drop_output(1 << 30)

    def disconnected(self, air: Peripheral) -> None:
        self._air = None

    def _on_input(self, data: bytes) -> None:
        assert self._board is not None
        console = self._board.console
        self.received += len(data)
        if self.cut_after is not None and self.received >= self.cut_after and self._air is not None:
            self.cut_after, self.silent = None, self.silent_after_cut
            self._air.disconnect()
            return
        room = max(0, self._ring - 1 - console.pending())
        if 0 <= console.interrupt_char < 256 and console.interrupt_char in data:
            room = len(data)  # it empties the ring first
        self.dropped += len(data[room:])
        console.feed(data[:room])

    def _on_output(self) -> None:
        air = self._air
        if air is not None and not self._pumping:
            self._pumping = True
            air.soon(lambda: air.later(self._pump(air)))

    async def _pump(self, air: Peripheral) -> None:
        assert self._board is not None
        while True:
            # Output that comes between the last look and the word that nobody looks any more is looked for once more.
            while self._air is air and (data := self._board.read(air.mtu - 3)):
                await air.notify(self._output, data)
            self._pumping = False
            if self._air is not air or not self._board.console.peek_output(1) or self._pumping:
                return
            self._pumping = True
