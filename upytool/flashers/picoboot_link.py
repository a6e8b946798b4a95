"""A conversation in PICOBOOT: one command at a time, its errors as sentences, and the way back after each.

What makes it work at the first try, every time: at the start, and after every failure, the interface is reset and
both endpoints' halts are cleared, which sets the data toggles of both sides to the same value (a tool that was
killed leaves them apart). After a stall or a silence the ROM is asked for the command's status: the RP2040 reports a
write to a bad address by never acknowledging it, and halts one endpoint where the RP2350 halts both.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from ..errors import ProtocolError, TransportError, UpytoolError
from ..protocol import picoboot as p
from .usb import Interface, UsbLink, UsbStall, UsbTimeout

T = TypeVar("T")
PATIENCE = 0.2  # seconds between attempts to open
QUICK = 3.0  # seconds for what the ROM answers at once
ERASE_SECTOR = 0.4  # seconds a 4 KiB sector may take: what flash chips' data sheets allow at worst
SLOWEST = 4096  # bytes a second; real chips do 300000, an emulated ROM 11000


class PicobootFailure(ProtocolError):
    """A command failed; the interface is ready for the next one.

    Attributes:
        refused: the ROM itself said no, so that trying again is pointless.
    """

    code = "protocol.picoboot"

    def __init__(self, command: str, reason: str | UpytoolError = "", *, status: p.Status | None = None) -> None:
        if status is not None and status.code:
            reason = status.sentence
            super().__init__("protocol.picoboot.refused", command=command, reason=reason, status=status.code)
        elif isinstance(reason, UsbTimeout):
            super().__init__("protocol.picoboot.timed-out", command=command)
        elif isinstance(reason, UsbStall):
            super().__init__("protocol.picoboot.stalled", command=command)
        else:
            super().__init__("protocol.picoboot.failed", command=command, reason=reason)
        self.status = status
        self.refused = status is not None and status.code not in (0, 6, 8)


def picoboot_interface(interfaces: list[Interface]) -> Interface | None:
    """The interface that speaks PICOBOOT, by its class and its two bulk endpoints: its number varies."""
    for each in interfaces:
        if each.triple == p.TRIPLE and len(each.endpoints) == 2 and each.bulk() is not None:
            return each
    return None


class PicobootLink:
    """Commands over an open link, whose interface it claims.

    Args:
        mode: p.EXCLUSIVE or p.EXCLUSIVE_AND_EJECT: what `prepare` asks for.

    Every method raises PicobootFailure, ConnectionLostError.
    """

    def __init__(self, usb: UsbLink, interface: Interface, *, mode: int = p.EXCLUSIVE) -> None:
        endpoints = interface.bulk()
        assert endpoints is not None
        self.usb, self._out, self._in = usb, endpoints[0], endpoints[1]
        self._number, self._mode, self._token = interface.number, mode, 0
        self._prepared = self._taken = False  # taken: the ROM has the last command
        usb.claim(interface.number)

    def reset(self) -> None:
        """Bring both sides to the same point, whatever was before."""
        self._prepared = False
        self.usb.control_out(p.REQUEST_OUT, p.IF_RESET, 0, self._number, timeout=QUICK)
        self.usb.clear_halt(self._out)
        self.usb.clear_halt(self._in)

    def prepare(self) -> None:
        """Lock the drive out and make the flash ready, once: a reset takes both back."""
        if not self._prepared:
            self._once(p.exclusive(self._mode), b"", QUICK)
            self._once(p.exit_xip(), b"", QUICK)
            self._prepared = True

    def status(self) -> p.Status:
        """Of the last command that reached the ROM."""
        return p.decode_status(
            self.usb.control_in(p.REQUEST_IN, p.IF_STATUS, 0, self._number, p.STATUS.size, timeout=QUICK)
        )

    # -- commands ---------------------------------------------------------------------------------

    def read(self, address: int, size: int) -> bytes:
        """From flash `address` is a multiple of 256."""
        return self._twice(p.read(address, size), b"", QUICK + size / SLOWEST)

    def erase(self, address: int, size: int) -> None:
        """Whole sectors of flash."""
        self._twice(p.erase(address, size), b"", QUICK + size / p.SECTOR * ERASE_SECTOR)

    def write(self, address: int, data: bytes) -> None:
        """Whole pages of erased flash. Doing it twice does no harm: programming only clears bits."""
        self._twice(p.write(address, len(data)), data, QUICK + len(data) / SLOWEST)

    def write_ram(self, address: int, data: bytes) -> None:
        self._once(p.write(address, len(data)), data, QUICK)

    def info(self, kind: int, parameter: int) -> bytes:
        """RP2350 only: the RP2040 refuses."""
        return self._once(p.get_info(kind, parameter), b"", QUICK)

    def depart(self, command: p.Command) -> None:
        """A command after which the chip may be gone before it acknowledges.

        Raises: PicobootFailure when the ROM refused it, or never took it.
        """
        try:
            self._say(command, b"", QUICK)
        except (ProtocolError, TransportError) as error:
            if not self._taken:
                raise self._explained(command, error) from error
            if isinstance(error, UsbStall):
                failure = self._explained(command, error)
                if isinstance(failure, PicobootFailure) and failure.refused:
                    raise failure from error
        self._prepared = False

    def release(self) -> None:
        """Give the drive back to the system, in whatever state things are; never fails."""
        with contextlib.suppress(UpytoolError):
            if self._prepared:
                self.reset()  # which takes EXCLUSIVE_ACCESS back as well

    # -- one command ------------------------------------------------------------------------------

    def _twice(self, command: p.Command, data: bytes, timeout: float) -> bytes:
        """Commands that may be repeated are, once, unless the ROM itself refuses them."""
        try:
            self.prepare()
            return self._once(command, data, timeout)
        except PicobootFailure as failure:
            if failure.refused:
                raise
        self.prepare()
        return self._once(command, data, timeout)

    def _once(self, command: p.Command, data: bytes, timeout: float) -> bytes:
        try:
            return self._say(command, data, timeout)
        except ProtocolError as error:
            raise self._explained(command, error) from error

    def _say(self, command: p.Command, data: bytes, timeout: float) -> bytes:
        self._taken = False
        self._token += 1
        packet = command.encode(self._token)
        self._send(packet, QUICK)
        self._taken = True
        answer = b""
        if command.is_in:
            answer = self.usb.read(self._in, command.length, timeout=timeout)
            if len(answer) != command.length:
                raise ProtocolError("protocol.picoboot-received", count=len(answer), size=command.length)
            self.usb.write(self._out, b"", timeout=QUICK)
            return answer
        if data:
            self._send(data, timeout)
        # the acknowledgement is due when the last page is programmed, or the last sector erased
        if self.usb.read(self._in, 64, timeout=QUICK if data else timeout):
            raise ProtocolError("protocol.picoboot-no-acknowledgement")
        return answer

    def _send(self, data: bytes, timeout: float) -> None:
        sent = self.usb.write(self._out, data, timeout=timeout)
        if sent != len(data):
            raise ProtocolError("protocol.picoboot-sent", count=sent, size=len(data))

    def _explained(self, command: p.Command, error: UpytoolError) -> UpytoolError:
        """What went wrong, after the way back. Returns `error` itself when the device is gone."""
        if isinstance(error, TransportError):
            return error
        status: p.Status | None = None
        try:
            with contextlib.suppress(ProtocolError):
                found = self.status()
                # another token: the command never arrived
                status = found if found.token == self._token else None
            self._recover()
        except TransportError as gone:
            return gone
        return PicobootFailure(command.name, error, status=status)

    def _recover(self) -> None:
        for attempt in range(3):
            try:
                return self.reset()
            except ProtocolError:
                if attempt == 2:
                    raise


def open_with_patience(attempt: Callable[[], T], *, attempts: int = 3) -> T:
    """Try to open a few times: a device that has just come needs a moment, one that was left in a mess a reset."""
    for left in reversed(range(attempts)):
        try:
            return attempt()
        except ProtocolError as error:
            if not left or (isinstance(error, PicobootFailure) and error.refused):
                raise
        time.sleep(PATIENCE)
    raise AssertionError
