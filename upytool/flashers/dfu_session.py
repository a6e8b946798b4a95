"""A conversation with one DFU interface: to idle from any state, commands, blocks both ways, leaving.

All the patience and all the tolerance for what bootloaders do wrong is here; what to write where is not.

Sources: as in protocol/dfu.py. Block numbers: ST AN3156, section 4; a block shorter than the others gets a pointer
of its own, so that it does not matter whether a device counts with its transfer size or with the block's length.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from ..errors import ConnectionLostError, FlashError, ProtocolError, UpytoolError
from ..protocol import dfu
from ..protocol.dfu import Functional, Patience, Request, State, Status
from .usb import UsbLink, UsbStall, UsbTimeout

REQUEST_TIMEOUT = 5.0
STATUS_TIMEOUT = 25.0  # mboot erases before it answers the next GETSTATUS: 8 to 10 s for the chip of an F765
IDLE_LIMIT = 60.0  # a page erase that an aborted run began may still be under way
ATTEMPTS = 3
Progress = Callable[[int], None]


class DfuRefusal(ProtocolError):
    """The device answered a request with an error.

    Attributes:
        status: what GETSTATUS said.
        text: the device's own words (iString), "" for most.
    """

    code = "protocol.dfu"

    def __init__(self, status: Status, text: str = "") -> None:
        if text:
            super().__init__("protocol.dfu.refused-in-words", text=text, status=status.code)
        else:
            super().__init__("protocol.dfu.refused", reason=status.sentence, status=status.code)
        self.status, self.text = status, text

    @property
    def final(self) -> bool:
        return bool(self.text) or self.status.code in (0x01, dfu.ERR_FILE, dfu.ERR_ADDRESS, dfu.ERR_VENDOR)


class DfuStuck(ProtocolError):
    """The device stays busy for longer than anything takes."""

    code = "protocol.dfu"


def hopeless(error: ProtocolError) -> bool:
    """Whether trying again is of no use."""
    return isinstance(error, DfuStuck) or (isinstance(error, DfuRefusal) and error.final)


class DfuSession:
    """Args:
    link: open, nothing claimed.
    number: of the DFU interface.
    functional: its functional descriptor.
    sleep, now: the clock; a model brings its own.
    """

    def __init__(
        self,
        link: UsbLink,
        number: int,
        functional: Functional,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.link, self.number, self.functional = link, number, functional
        self._sleep, self._now = sleep, now
        self._alternate: int | None = None

    @property
    def block(self) -> int:
        return self.functional.block

    def select(self, alternate: int) -> None:
        """Claim the interface in this alternate setting and bring it to idle."""
        if self._alternate != alternate:
            self._alternate = None
            self.link.claim(self.number, alternate)
            self.idle()
            self._alternate = alternate

    def close(self) -> None:
        self.link.close()

    # -- status and state --------------------------------------------------------------------------

    def status(self, timeout: float = STATUS_TIMEOUT) -> Status:
        raw = self.link.control_in(dfu.IN, Request.GETSTATUS, 0, self.number, dfu.STATUS_SIZE, timeout)
        status = Status.parse(raw)
        if status is None:
            raise ProtocolError("protocol.dfu-status-length", count=len(raw), size=dfu.STATUS_SIZE)
        return status

    def idle(self) -> None:
        """Bring the device to dfuIDLE from whatever an earlier run left it in.

        Raises: FlashError where it does not get there.
        """
        deadline = self._now() + IDLE_LIMIT
        tries = 20
        while tries and self._now() < deadline:
            try:
                status = self.status()
            except ConnectionLostError:
                raise
            except ProtocolError:  # stalled, no answer, half an answer
                tries -= 1
                self._quietly(Request.CLRSTATUS)
                self._sleep(0.05)
                continue
            if status.state == State.IDLE:
                return
            if status.state in (State.APP_IDLE, State.APP_DETACH):
                raise FlashError("flash.dfu-runs-firmware")
            if status.state == State.MANIFEST_WAIT_RESET:
                raise FlashError("flash.dfu-waits-for-reset")
            if status.state in (State.DNBUSY, State.MANIFEST):
                self._sleep(min(max(status.poll, 0.02), 5.0))
                continue
            tries -= 1
            self._quietly(Request.CLRSTATUS if status.state == State.ERROR else Request.ABORT)
        raise FlashError("flash.dfu-not-ready")

    def _quietly(self, request: Request) -> None:
        with contextlib.suppress(UsbStall, UsbTimeout):  # what it led to is seen in the next status
            self.link.control_out(dfu.OUT, request, 0, self.number, b"", REQUEST_TIMEOUT)

    def _refusal(self, status: Status) -> DfuRefusal:
        text = self.link.string(status.string) if status.string else ""
        self._quietly(Request.CLRSTATUS)
        return DfuRefusal(status, text)

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        """After a stall, ask for the reason."""
        try:
            yield
        except UsbStall as stall:
            try:
                status = self.status()
            except ConnectionLostError:
                raise
            except ProtocolError:
                raise stall from None
            if status.failed:
                raise self._refusal(status) from stall
            raise

    # -- to the device -----------------------------------------------------------------------------

    def command(self, payload: bytes, patience: Patience = dfu.POINTER) -> None:
        """A DfuSe command, done when this returns. Raises: DfuRefusal, UsbStall, UsbTimeout, ..."""
        self.download(0, payload, patience)

    def download(self, block: int, data: bytes, patience: Patience) -> None:
        """One DNLOAD with what belongs to it, until the device is ready for the next."""
        with self._explained():
            count = self.link.control_out(dfu.OUT, Request.DNLOAD, block, self.number, data, REQUEST_TIMEOUT)
        if count != len(data):
            raise ProtocolError("protocol.dfu-took", count=count, size=len(data))
        self._settle(patience)

    def _settle(self, patience: Patience) -> None:
        deadline = self._now() + patience.limit
        pause = patience.step
        while True:
            left = deadline - self._now()
            try:
                status = self.status(min(STATUS_TIMEOUT, max(left, 1.0)))
            except ConnectionLostError:
                raise
            except ProtocolError as error:
                # An L4's ROM stalls while it erases, others answer when they are done: the last pause again
                if left <= 0:
                    raise error
                self._sleep(max(pause, 0.05))
                continue
            if status.failed:
                raise self._refusal(status)
            if status.state == State.DNLOAD_IDLE:
                return
            if status.state not in (State.DNBUSY, State.DNLOAD_SYNC):
                raise ProtocolError("protocol.dfu-state", status=int(status.state))
            if left <= 0:
                raise DfuStuck("protocol.dfu.busy", seconds=patience.limit)
            pause = min(max(status.poll, patience.step), max(left, 0.001))
            if pause:
                self._sleep(pause)

    def point(self, address: int) -> None:
        self.command(dfu.set_pointer(address))

    def erase(self, address: int) -> None:
        self.command(dfu.erase_page(address), dfu.PAGE)

    def mass_erase(self) -> None:
        self.command(dfu.MASS_ERASE, dfu.MASS)

    def write(self, address: int, data: bytes, progress: Progress = lambda _: None, *, careful: bool = False) -> None:
        """Program erased flash.

        Args:
            careful: a pointer for each block, for devices that count blocks in a way of their own.
        """
        for at, block in self._blocks(address, data, careful):
            self.download(block, at, dfu.BLOCK)
            progress(len(at))

    def _blocks(self, address: int, data: bytes, careful: bool) -> Iterator[tuple[bytes, int]]:
        number = dfu.LAST_BLOCK + 1
        for at in range(0, len(data), self.block):
            part = data[at : at + self.block]
            if careful or number > dfu.LAST_BLOCK or not self._counts(len(part)):
                self.point(address + at)
                number = dfu.FIRST_BLOCK
            yield part, number
            number += 1

    def _counts(self, size: int) -> bool:
        """Whether a block of this size is where its number says."""
        return size == self.functional.transfer_size

    # -- from the device ---------------------------------------------------------------------------

    def read(self, address: int, size: int, progress: Progress = lambda _: None) -> bytes:
        """Read memory; a failed transfer is tried again. Raises: DfuRefusal, ProtocolError, ConnectionLostError."""
        out = bytearray()
        failures = 0
        while len(out) < size:
            try:
                self._read_on(address, size, out, progress)
                self._finish_read()
                failures = 0
            except ConnectionLostError:
                raise
            except ProtocolError as error:
                failures += 1
                if failures == ATTEMPTS or hopeless(error):
                    raise
                self.idle()
        return bytes(out)

    def _read_on(self, address: int, size: int, out: bytearray, progress: Progress) -> None:
        number, begun = dfu.LAST_BLOCK + 1, False
        while len(out) < size:
            want = min(self.block, size - len(out))
            if number > dfu.LAST_BLOCK or not self._counts(want):
                if begun:
                    self._finish_read()
                begun = True
                self.point(address + len(out))
                self._abort()
                number = dfu.FIRST_BLOCK
            part = self.upload(number, want)
            if len(part) != want:
                raise ProtocolError("protocol.dfu-sent", count=len(part), size=want)
            if not out:
                # mboot for encrypted firmware sends rubbish and owns up to it in the status alone
                self._require_well()
            out += part
            progress(len(part))
            number += 1

    def _require_well(self) -> None:
        status = self.status()
        if status.failed:
            raise self._refusal(status)

    def _finish_read(self) -> None:
        self._require_well()
        self._abort()

    def _abort(self) -> None:
        """Back to dfuIDLE; only from there may an upload begin."""
        with self._explained():
            self.link.control_out(dfu.OUT, Request.ABORT, 0, self.number, b"", REQUEST_TIMEOUT)

    def upload(self, block: int, length: int) -> bytes:
        with self._explained():
            return self.link.control_in(dfu.IN, Request.UPLOAD, block, self.number, length, REQUEST_TIMEOUT)

    # -- the end -----------------------------------------------------------------------------------

    def start(self, address: int) -> None:
        """Leave DFU mode and run what is at `address`. The device may vanish at any moment of it."""
        try:
            self.idle()
            self.point(address)
        except ConnectionLostError:
            return
        self.manifest()

    def manifest(self) -> Status | None:
        """End a download: the device starts, stays, or vanishes (None), stalling or not."""
        try:
            self.link.control_out(dfu.OUT, Request.DNLOAD, 0, self.number, b"", REQUEST_TIMEOUT)
            return self.status(REQUEST_TIMEOUT)
        except UpytoolError:
            return None

    def settle_manifest(self, status: Status | None, limit: float = 30.0) -> Status | None:
        """Wait while a plain DFU device puts the firmware in its place. Raises: DfuRefusal."""
        deadline = self._now() + limit
        while status is not None and not status.failed and self._now() < deadline:
            if status.state not in (State.MANIFEST_SYNC, State.MANIFEST, State.DNBUSY):
                return status
            self._sleep(min(max(status.poll, 0.01), 5.0))
            try:
                status = self.status()
            except UpytoolError:
                return None
        if status is not None and status.failed:
            raise self._refusal(status)
        return status
