"""A board that waits in mboot: the compiled state machine in a child process, behind a pyusb backend."""

from __future__ import annotations

import struct
import subprocess
from types import TracebackType

from tests.fakes.control_backend import ControlBackend, DeviceGone, DeviceSilent, DeviceStall
from tests.rigs.mboot.build import build
from upytool.discovery.usb_devices import UsbDevice
from upytool.flashers.base import FlashTarget
from upytool.flashers.usb import UsbBus

LAYOUT = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg/0x80000000/64*4Kg"
START = 0x08008000  # of firmware: what mboot leaves of the chip
SPI = 0x80000000


class Mboot:
    """The device. `peek` and `poke` look behind its back; `left` says whether it started the firmware."""

    def __init__(self, *, packed: bool = False) -> None:
        self._process = subprocess.Popen([build(packed=packed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.device_descriptor = self._descriptor(1, 18)
        self.configuration = self._descriptor(2, 255)
        self.backend = ControlBackend(self)

    def _descriptor(self, kind: int, length: int) -> bytes:
        answer = self.control(0x80, 6, kind << 8, 0, length)
        assert isinstance(answer, bytes)
        return answer

    # -- for the backend

    def control(self, request_type: int, request: int, value: int, index: int, data: bytes | int) -> bytes | int:
        if self.left:
            raise DeviceGone
        length = data if isinstance(data, int) else len(data)
        head = b"c\0\0\0" + struct.pack("<BBHHH", request_type, request, value, index, length)
        size, answer = self._ask(head + (data if isinstance(data, bytes) else b""))
        if size == -1:
            raise DeviceStall
        if size == -2:
            raise DeviceSilent
        return length if isinstance(data, bytes) else answer

    def select(self, alternate: int) -> None:
        if alternate:
            raise DeviceStall

    def power_cycle(self) -> None:
        self._ask(b"p" + b"\0" * 11)

    # -- for tests

    @property
    def left(self) -> bool:
        return self._ask(b"l" + b"\0" * 11)[1] == b"\1"

    def peek(self, address: int, size: int) -> bytes:
        return self._ask(b"r\0\0\0" + struct.pack("<II", address, size))[1]

    def poke(self, address: int, data: bytes) -> None:
        self._ask(b"w\0\0\0" + struct.pack("<II", address, len(data)) + data)

    def restart(self) -> None:
        """Back in mboot after its firmware was started (or the power went)."""
        self.power_cycle()
        self.backend.plug_in()

    @property
    def target(self) -> FlashTarget:
        bus = UsbBus("rig:mboot", self.backend)
        (device,) = bus.devices()
        assert isinstance(device, UsbDevice)
        return FlashTarget("bootloader", "rig:mboot", "rig:mboot", usb=device, bus=bus)

    def _ask(self, request: bytes) -> tuple[int, bytes]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except BrokenPipeError:
            raise DeviceGone from None
        head = self._process.stdout.read(4)
        if len(head) < 4:  # it crashed, as the real one does at an address without memory
            raise DeviceGone
        (size,) = struct.unpack("<i", head)
        return size, self._process.stdout.read(size) if size > 0 else b""

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Mboot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
