"""Wires to the MODEL in esp_rom_model.py: TCP, RFC 2217 (with DTR, RTS and rates), a pseudo terminal."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from types import TracebackType
from typing import Any

from tests.fakes.esp_rom_model import Disconnected, EspRomModel

POLL = 0.05


class _Wire:
    """Serves one model from a thread until it is closed.

    Attributes:
        address: what to open. opened: how often somebody connected.
    """

    address = ""

    def __init__(self, model: EspRomModel) -> None:
        self.model, self.opened = model, 0
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._main, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _main(self) -> None:
        try:
            self._serve()
        except BaseException as error:
            self.error = error

    def _serve(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(10)
        self._close()
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def _close(self) -> None:
        return


class TcpWire(_Wire):
    """`socket://`. `reset` puts the chip into its ROM at every connection, as an auto-reset circuit would.

    Args:
        rate: bits per second of the imagined wire, 0 for as fast as it goes.
    """

    def __init__(self, model: EspRomModel, *, reset: bool = False, rate: int = 0) -> None:
        super().__init__(model)
        self._reset, self._rate = reset, rate
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.settimeout(POLL)
        self.address = f"{self.scheme}://127.0.0.1:{self._server.getsockname()[1]}"
        self.start()

    scheme = "socket"

    def _close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while not self._stop.is_set():
            try:
                link, _ = self._server.accept()
            except TimeoutError:
                continue
            self.opened += 1
            with link:
                link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                link.settimeout(POLL)
                if self._reset:
                    self.model.reset("rom", "open")
                with contextlib.suppress(Disconnected, OSError):
                    self._talk(link)

    def _talk(self, link: socket.socket) -> None:
        while not self._stop.is_set():
            try:
                data = link.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            answer = self.model.feed(data)
            if self._rate:
                time.sleep((len(data) + len(answer)) * 10 / self._rate)
            if answer:
                link.sendall(answer)


class Rfc2217Wire(TcpWire):
    """`rfc2217://`: the auto-reset circuit of a development board, and a rate that both ends must agree on.

    Args:
        wired: whether DTR and RTS reach the chip. boot_low: whether DTR pulls the boot pin down.
    """

    scheme = "rfc2217"

    def __init__(self, model: EspRomModel, *, wired: bool = True, boot_low: bool = True) -> None:
        self.wired, self.boot_low = wired, boot_low
        super().__init__(model)

    def _talk(self, link: socket.socket) -> None:
        from serial.rfc2217 import PortManager

        board = self

        class Sender:
            def write(self, data: bytes) -> None:
                link.sendall(data)

        class Lines:
            """The serial port of the server, as PortManager sees it."""

            def __init__(self) -> None:
                self.baudrate, self.bytesize, self.parity, self.stopbits = 115200, 8, "N", 1
                self.xonxoff = self.rtscts = self.dsrdtr = False
                self.cts = self.dsr = self.ri = self.cd = False
                self.break_condition = False
                self._dtr = self._rts = False
                self.said = b""

            @property
            def dtr(self) -> bool:
                return self._dtr

            @dtr.setter
            def dtr(self, value: bool) -> None:
                self._dtr = value

            @property
            def rts(self) -> bool:
                return self._rts

            @rts.setter
            def rts(self, value: bool) -> None:
                # The circuit: RTS alone holds EN low, DTR alone the boot pin; both together do nothing.
                was, self._rts = self._rts, value
                if board.wired and was and not value:
                    self.said += board.model.reset("rom" if self._dtr and board.boot_low else "run", "lines")

            def reset_input_buffer(self) -> None:
                return

            reset_output_buffer = reset_input_buffer

        lines = Lines()
        manager = PortManager(lines, Sender())
        while not self._stop.is_set():
            try:
                data = link.recv(1 << 16)
            except TimeoutError:
                continue
            if not data:
                return
            plain = b"".join(manager.filter(data))
            answer, lines.said = lines.said, b""
            if plain:
                if lines.baudrate == self.model.baud or self.model.mode == "rom":
                    answer += self.model.feed(plain)
                else:
                    answer += bytes(len(plain) // 2)  # another rate: garbage
            if answer:
                link.sendall(b"".join(manager.escape(answer)))


class PtyWire(_Wire):
    """A pseudo terminal: a serial port without modem lines."""

    def __init__(self, model: EspRomModel) -> None:
        super().__init__(model)
        import tty

        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.address = os.ttyname(self._slave)
        self.start()

    def _close(self) -> None:
        os.close(self._master)
        if self._slave >= 0:
            os.close(self._slave)

    def _serve(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._master], [], [], POLL)
            if not ready:
                continue
            try:
                answer = self.model.feed(os.read(self._master, 1 << 16))
            except (Disconnected, OSError):
                return
            while answer:
                answer = answer[os.write(self._master, answer) :]
