"""The RP2040's USB controller in device mode, put into rp2040py's chip in place of its own.

rp2040py serves one buffer of an endpoint and knows no STALL, which is enough for MicroPython but not for the
boot ROM. This one keeps what the RP2040 datasheet says in 4.1.2.5 (buffers) and 4.1.4 (registers): two buffers
an endpoint with the controller's own toggle, one completion after the other with CPU_SHOULD_HANDLE, STALL,
EP_ABORT. The host's end of the cable is a `UsbWire`.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from rp2040py.peripherals.peripheral import ATOMIC_NORMAL, atomic_update  # noqa: TID253 - imported by PicoChip alone
from rp2040py.peripherals.usb import RPUSBController  # noqa: TID253

MAIN_CTRL, SIE_CTRL, SIE_STATUS = 0x40, 0x4C, 0x50
BUFF_STATUS, CPU_SHOULD_HANDLE, EP_ABORT, EP_STALL_ARM, INTS = 0x58, 0x5C, 0x60, 0x68, 0x98
CONTROLLER_EN = 1
PULLUP_EN = 1 << 16
SETUP_REC = 1 << 17
BUS_RESET = 1 << 19

# buffer control, the low half of a word; the high half is buffer 1
FULL, STALL, AVAILABLE, LENGTH = 1 << 15, 1 << 11, 1 << 10, 0x3FF
SELECT = 1 << 12  # write 1: the next buffer is buffer 0
READY = AVAILABLE | AVAILABLE << 16 | STALL
# endpoint control
DOUBLE_BUFFERED, PER_BUFFER, PER_TWO = 1 << 30, 1 << 29, 1 << 28

CONTROLS, CONTROLS_END = 0x80, 0x100
EP0_BUFFER = 0x100


class Stalled(Exception):
    """The endpoint answers STALL."""


class Wire(Protocol):
    """What the controller tells the host's end of the cable."""

    def attached(self) -> None:
        """The pull-up is on: a device is there."""

    def detached(self) -> None: ...

    def reset_seen(self) -> None:
        """The firmware has acknowledged the bus reset."""

    def ready(self, index: int) -> None:
        """Endpoint `index` (number * 2, plus 1 for OUT) may have something, take something, or stalls."""


class UsbController(RPUSBController):  # type: ignore[misc,unused-ignore]
    """Attributes: wire: the host's end. Every method runs in the thread that runs the chip."""

    def __init__(self, mcu: Any) -> None:
        super().__init__(mcu, "USB")
        self.wire: Wire | None = None
        self._bytes = memoryview(mcu.usb_dpram)
        self._words = self._bytes.cast("B").cast("I")
        self._select = [0] * 32
        self._done: list[deque[int]] = [deque() for _ in range(32)]
        self._plugged = False
        self.on_reset_received = self._reset_seen
        self.on_reset = self._unplug

    # the chip's side

    def read_uint32(self, offset: int) -> int:
        if offset == BUFF_STATUS:
            return int(self._buff_status)
        if offset == CPU_SHOULD_HANDLE:
            return sum(1 << index for index, done in enumerate(self._done) if done and done[0])
        return int(super().read_uint32(offset))

    def write_uint32_atomic(self, offset: int, value: int, atomic_type: int) -> None:
        self.raw_write_value = value
        if offset == BUFF_STATUS:
            self._acknowledge(value & self._buff_status)
            return
        if atomic_type != ATOMIC_NORMAL:
            value = atomic_update(self.read_uint32(offset), atomic_type, value)
        super().write_uint32(offset, value)
        if offset in (MAIN_CTRL, SIE_CTRL):
            self._plug()

    def dpram_updated(self, offset: int, value: int) -> None:
        if not CONTROLS <= offset < CONTROLS_END:
            return
        index = (offset - CONTROLS) >> 2
        if value & SELECT:
            self._select[index] = 0
            self._words[offset >> 2] = value & ~SELECT & 0xFFFFFFFF
        if value & READY and self.wire is not None:
            self.wire.ready(index)

    def reset(self) -> None:
        super().reset()
        self._select = [0] * 32
        self._done = [deque() for _ in range(32)]

    def _plug(self) -> None:
        plugged = bool(self._main_ctrl & CONTROLLER_EN and self._sie_ctrl & PULLUP_EN and not self._host_mode)
        if plugged and not self._plugged and self.wire is not None:
            self._plugged = True
            self.wire.attached()
        elif not plugged:
            self._unplug()

    def _unplug(self) -> None:
        if self._plugged and self.wire is not None:
            self._plugged = False
            self.wire.detached()

    def _reset_seen(self) -> None:
        if self.wire is not None:
            self.wire.reset_seen()

    def _acknowledge(self, bits: int) -> None:
        while bits:
            index = (bits & -bits).bit_length() - 1
            bits &= bits - 1
            done = self._done[index]
            done.popleft()
            if not done:
                self._buff_status &= ~(1 << index)
        self._buff_status_updated()

    # the host's side

    def bus_reset(self) -> None:
        self._addr_endp = 0
        self._sie_status |= BUS_RESET
        self._sie_status_updated()

    def setup(self, packet: bytes) -> None:
        """A SETUP token; always taken."""
        self._bytes[: len(packet)] = packet
        self._ep_stall_arm = 0
        self._sie_status |= SETUP_REC
        self._sie_status_updated()

    @property
    def setup_pending(self) -> bool:
        return bool(self._sie_status & SETUP_REC)

    def take_in(self, endpoint: int) -> bytes | None:
        """An IN token: the packet, or None for NAK.

        Raises: Stalled.
        """
        index = endpoint * 2
        half, control, base = self._buffer(endpoint, index)
        if half & (AVAILABLE | FULL) != AVAILABLE | FULL:
            return None
        data = bytes(self._bytes[base : base + (half & LENGTH)])
        self._finish(index, control, half & ~(AVAILABLE | FULL))
        return data

    def takes_out(self, endpoint: int) -> bool:
        """Whether `give_out` would be taken.

        Raises: Stalled.
        """
        half, _, _ = self._buffer(endpoint, endpoint * 2 + 1)
        return half & (AVAILABLE | FULL) == AVAILABLE

    def give_out(self, endpoint: int, data: bytes) -> bool:
        """An OUT token with a packet; False for NAK.

        Raises: Stalled.
        """
        index = endpoint * 2 + 1
        half, control, base = self._buffer(endpoint, index)
        if half & (AVAILABLE | FULL) != AVAILABLE:
            return False
        data = data[: half & LENGTH]
        self._bytes[base : base + len(data)] = data
        self._finish(index, control, (half & ~(AVAILABLE | LENGTH)) | FULL | len(data))
        return True

    def _buffer(self, endpoint: int, index: int) -> tuple[int, int, int]:
        """(buffer control of the buffer whose turn it is, endpoint control, offset of its bytes)."""
        word = self._words[(CONTROLS >> 2) + index]
        if word & STALL and (endpoint or self._ep_stall_arm >> index & 1):
            raise Stalled
        if self._ep_abort >> index & 1:
            return 0, 0, 0
        if not endpoint:
            return word & 0xFFFF, PER_BUFFER, EP0_BUFFER
        control = self._words[index]  # EP1 IN is at 0x08, where index is 2
        if control & DOUBLE_BUFFERED and self._select[index]:
            return word >> 16, control, (control & 0xFFC0) + 64
        return word & 0xFFFF, control, control & 0xFFC0

    def _finish(self, index: int, control: int, half: int) -> None:
        at = (CONTROLS >> 2) + index
        chosen = self._select[index] if control & DOUBLE_BUFFERED else 0
        if chosen:
            self._words[at] = self._words[at] & 0xFFFF | half << 16
        else:
            self._words[at] = self._words[at] & 0xFFFF0000 | half
        if control & DOUBLE_BUFFERED:
            self._select[index] ^= 1
        if control & PER_BUFFER or (control & PER_TWO and (chosen or not control & DOUBLE_BUFFERED)):
            self._done[index].append(chosen)
            self._buff_status |= 1 << index
            self._buff_status_updated()
