"""Models of DFU devices: ST's boot ROM with its known faults, and a plain DFU 1.1 device. Not ST's code.

What is modelled comes from ST's AN3156 and UM0424, and from what dfu-util's change log and users report (openmv#1508,
crow#128, gd32-dfu-utils#4, micropython#2637). Time is virtual: `sleep` and `now` go to the flasher.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from tests.fakes.control_backend import LANGUAGES, DeviceGone, DeviceSilent, DeviceStall, string_descriptor

F4 = "@Internal Flash  /0x08000000/04*016Kg,01*064Kg,07*128Kg"
F7 = "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,07*256Kg"
H7 = "@Internal Flash   /0x08000000/8*128Kg"
L4 = "@Internal Flash  /0x08000000/0256*0002Kg"
GD32 = "@Internal Flash  /0x08000000/512*002Kg"  # of a GD32VF103 with 128 pages of 1 KB
OPTION_BYTES = "@Option Bytes  /0x1FFFC000/01*016 e"
OTP = "@OTP Memory /0x1FFF7800/01*512 e,01*016 e"

IDLE, SYNC, BUSY, DNLOAD_IDLE, MANIFEST_SYNC, MANIFEST, WAIT_RESET, UPLOAD_IDLE, ERROR = 2, 3, 4, 5, 6, 7, 8, 9, 10


class Clock:
    """Virtual time."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.time += seconds


@dataclass
class StRom:
    """The model of a boot ROM.

    Attributes:
        layouts: the names of the alternate settings.
        areas: (start, size of a unit, count) of the flash as it really is.
        erase_time, mass_time, write_time: virtual seconds.
        claims: the poll time it claims for erases; None tells the truth.
        while_busy: what a GETSTATUS meets before the work is done: "busy", "stall" or "silent".
        stuck: it never gets done.
        protected: addresses of units that ignore erasing and writing, without an error.
        read_protected: everything but the status is refused.
        flash_word: what is programmed in one go; a part of one at the end of a block is dropped.
        counting: how it finds the place of a block: by "transfer-size", by the block's "length", or "none".
        on_leave: "status" answers the last GETSTATUS and goes, "at-status" goes without an answer, "at-request" goes
            at the DNLOAD, "stall" stalls the GETSTATUS and goes.
        state: at start.
    """

    layouts: tuple[str, ...] = (F4, OPTION_BYTES, OTP)
    areas: tuple[tuple[int, int, int], ...] = (
        (0x08000000, 0x4000, 4),
        (0x08010000, 0x10000, 1),
        (0x08020000, 0x20000, 7),
    )
    vid: int = 0x0483
    pid: int = 0xDF11
    serial: str = "3276366F3033"
    product: str = "STM32  BOOTLOADER"
    transfer_size: int = 2048
    can_upload: bool = True
    version: int = 0x011A
    erase_time: float = 0.4
    mass_time: float = 9.0
    write_time: float = 0.005
    claims: float | None = None
    while_busy: str = "busy"
    stuck: bool = False
    protected: frozenset[int] = frozenset()
    read_protected: bool = False
    flash_word: int = 4
    counting: str = "transfer-size"
    on_leave: str = "status"
    state: int = IDLE
    status: int = 0
    clock: Clock = field(default_factory=Clock)
    started: int | None = None
    mass_erases: int = 0
    pages_erased: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.flash = {start: bytearray(b"\xff" * (size * count)) for start, size, count in self.areas}
        self.pointer = 0x08000000
        self._pending: tuple[int, bytes] | None = None
        self._done_at = 0.0
        self._result = 0

    # -- descriptors

    @property
    def device_descriptor(self) -> bytes:
        return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0100, 0, 0, 0, 64, self.vid, self.pid, 0x2200, 1, 2, 3, 1)

    @property
    def configuration(self) -> bytes:
        body = b"".join(bytes((9, 4, 0, number, 0, 0xFE, 1, 2, 4 + number)) for number in range(len(self.layouts)))
        bits = 0x09 | (2 if self.can_upload else 0)
        body += struct.pack("<BBBHHH", 9, 0x21, bits, 255, self.transfer_size, self.version)
        return struct.pack("<BBHBBBBB", 9, 2, len(body) + 9, 1, 1, 0, 0xC0, 50) + body

    def _string(self, index: int) -> bytes:
        texts = ["", "STMicroelectronics", self.product, self.serial, *self.layouts]
        if index >= len(texts):
            raise DeviceStall
        return string_descriptor(texts[index]) if index else LANGUAGES

    # -- memory

    def unit(self, address: int) -> tuple[int, int] | None:
        for start, size, count in self.areas:
            if start <= address < start + size * count:
                return start + (address - start) // size * size, size
        return None

    def peek(self, address: int, size: int) -> bytes:
        out = b""
        while len(out) < size:
            at = address + len(out)
            for start, data in self.flash.items():
                if start <= at < start + len(data):
                    out += bytes(data[at - start : at - start + size - len(out)])
                    break
            else:
                raise AssertionError(f"the model has no memory at {at:#x}")
        return out

    def poke(self, address: int, data: bytes, *, program: bool = False) -> None:
        for at, value in enumerate(data, address):
            for start, memory in self.flash.items():
                if start <= at < start + len(memory):
                    memory[at - start] = memory[at - start] & value if program else value

    @property
    def boots(self) -> str:
        """What an empty-checking ROM or mboot would do at power-on."""
        return "bootloader" if self.peek(0x08000000, 4) == b"\xff" * 4 else "firmware"

    # -- the protocol

    def select(self, alternate: int) -> None:
        assert 0 <= alternate < len(self.layouts)

    def power_cycle(self) -> None:
        self.state, self.status, self._pending, self.pointer = IDLE, 0, None, 0x08000000

    def control(self, request_type: int, request: int, value: int, index: int, data: bytes | int) -> bytes | int:
        if request_type & 0x60 == 0:
            if request == 6 and value >> 8 == 3 and isinstance(data, int):
                return self._string(value & 0xFF)[:data]
            raise DeviceStall
        assert index == 0
        if request == 1 and isinstance(data, bytes):
            return self._dnload(value, data)
        if request == 2 and isinstance(data, int):
            return self._upload(value, data)
        if request == 3:
            code, poll, state = self._getstatus()
            return bytes((code, *round(poll * 1000).to_bytes(3, "little"), state, 0))
        if request == 4:
            if self.state != ERROR:
                raise DeviceStall
            self.state, self.status = IDLE, 0
            return 0
        if request == 5:
            return bytes((self.state,))
        if request == 6:
            if self.state not in (IDLE, SYNC, DNLOAD_IDLE, UPLOAD_IDLE):
                self._fail(15)
            self.state, self._pending = IDLE, None
            return 0
        raise DeviceStall

    def _fail(self, code: int) -> None:
        self.state, self.status = ERROR, code
        raise DeviceStall

    def _dnload(self, block: int, data: bytes) -> int:
        if self.state not in (IDLE, DNLOAD_IDLE):
            self._fail(15)
        if not data:
            self.started = self.pointer
            if self.on_leave == "at-request":
                raise DeviceGone
            self.state = MANIFEST_SYNC
            return 0
        self._pending, self.state = (block, data), SYNC
        return len(data)

    def _upload(self, block: int, length: int) -> bytes:
        if self.state not in (IDLE, UPLOAD_IDLE) or not self.can_upload:
            self._fail(15)
        if self.read_protected:
            self._fail(11)
        step = {"transfer-size": self.transfer_size, "length": length, "none": 0}[self.counting]
        address = self.pointer + (block - 2) * step
        if self.unit(address) is None:
            self._fail(1)
        self.state = UPLOAD_IDLE
        return self.peek(address, length)

    def _getstatus(self) -> tuple[int, float, int]:
        if self.state == SYNC and self._pending is not None:
            took = self._work(*self._pending)
            self._pending, self._done_at, self.state = None, self.clock.time + took, BUSY
            erasing = took in (self.erase_time, self.mass_time)
            return 0, self.claims if erasing and self.claims is not None else took, BUSY
        if self.state == BUSY:
            left = self._done_at - self.clock.time
            if left > 1e-9 or self.stuck:
                if self.while_busy == "stall":
                    raise DeviceStall
                if self.while_busy == "silent":
                    self.clock.time += 5.0
                    raise DeviceSilent
                return 0, max(left, 0.0) if self.claims is None else self.claims, BUSY
            self.state, self.status = (ERROR, self._result) if self._result else (DNLOAD_IDLE, 0)
        if self.state == MANIFEST_SYNC:
            if self.on_leave == "at-status":
                raise DeviceGone
            self.state = MANIFEST
            if self.on_leave == "stall":
                raise DeviceStall
            return 0, 0.05, MANIFEST
        if self.state == MANIFEST:
            raise DeviceGone
        return self.status, 0.0, self.state

    def _work(self, block: int, data: bytes) -> float:
        self._result = 0
        if self.read_protected:
            self._result = 11
            return 0.001
        if block == 0 and data[:1] == b"\x21" and len(data) == 5:
            (self.pointer,) = struct.unpack("<I", data[1:])
            self._result = 0 if self.unit(self.pointer) else 1
            return 0.001
        if block == 0 and data[:1] == b"\x41" and len(data) == 5:
            unit = self.unit(struct.unpack("<I", data[1:])[0])
            if unit is None:
                self._result = 1
                return 0.001
            self.pages_erased.append(unit[0])
            if unit[0] not in self.protected:
                self.poke(unit[0], b"\xff" * unit[1])
            return self.erase_time
        if block == 0 and data == b"\x41":
            self.mass_erases += 1
            for start, size, count in self.areas:
                for address in range(start, start + size * count, size):
                    if address not in self.protected:
                        self.poke(address, b"\xff" * size)
            return self.mass_time
        if block < 2:
            self._result = 15
            return 0.001
        step = {"transfer-size": self.transfer_size, "length": len(data), "none": 0}[self.counting]
        address = self.pointer + (block - 2) * step
        unit = self.unit(address)
        if unit is None:
            self._result = 1
            return 0.001
        whole = len(data) // self.flash_word * self.flash_word
        if unit[0] not in self.protected:
            self.poke(address, data[:whole], program=True)
        return self.write_time


@dataclass
class PlainDevice:
    """The model of a plain DFU 1.1 device: a slot that a complete download replaces.

    Attributes:
        tolerant: it stays after the manifestation; else it resets (or waits for one).
        after: where it goes when it is not tolerant: "gone" or "wait-reset".
    """

    vid: int = 0x2341
    pid: int = 0x0070
    transfer_size: int = 4096
    can_upload: bool = False
    tolerant: bool = False
    after: str = "gone"
    name: str = "UNUSED"
    fail_at: int | None = None
    clock: Clock = field(default_factory=Clock)
    slot: bytes = b""

    def __post_init__(self) -> None:
        self.state, self.status = IDLE, 0
        self._data = bytearray()
        self._block = 0

    @property
    def device_descriptor(self) -> bytes:
        return struct.pack("<BBHBBBBHHHBBBB", 18, 1, 0x0200, 0, 0, 0, 64, self.vid, self.pid, 0x0100, 1, 2, 3, 1)

    @property
    def configuration(self) -> bytes:
        bits = 1 | (2 if self.can_upload else 0) | (4 if self.tolerant else 0)
        body = bytes((9, 4, 0, 0, 0, 0xFE, 1, 2, 4))
        body += struct.pack("<BBBHHH", 9, 0x21, bits, 1000, self.transfer_size, 0x0101)
        return struct.pack("<BBHBBBBB", 9, 2, len(body) + 9, 1, 1, 0, 0xC0, 50) + body

    def select(self, alternate: int) -> None:
        assert alternate == 0

    def power_cycle(self) -> None:
        self.__post_init__()

    def control(self, request_type: int, request: int, value: int, index: int, data: bytes | int) -> bytes | int:
        if request_type & 0x60 == 0:
            texts = ["", "Arduino", "Nano ESP32", "0011", self.name]
            if request == 6 and value >> 8 == 3 and value & 0xFF < len(texts) and isinstance(data, int):
                return (string_descriptor(texts[value & 0xFF]) if value & 0xFF else LANGUAGES)[:data]
            raise DeviceStall
        if request == 1 and isinstance(data, bytes):
            if not data:
                self.state = MANIFEST_SYNC
                return 0
            if self.state == IDLE:
                self._data.clear()
            if value * self.transfer_size != len(self._data):
                self.state, self.status = ERROR, 15
                raise DeviceStall
            self._data += data
            self.state = SYNC
            if self.fail_at == value:
                self.state, self.status = ERROR, 2
            return len(data)
        if request == 2 and isinstance(data, int):
            if not self.can_upload:
                self.state, self.status = ERROR, 15
                raise DeviceStall
            self.state = UPLOAD_IDLE
            return self.slot[value * data : (value + 1) * data]
        if request == 3:
            return self._getstatus()
        if request in (4, 6):
            self.state, self.status = IDLE, 0
            return 0
        raise DeviceStall

    def _getstatus(self) -> bytes:
        if self.state == MANIFEST_SYNC:
            self.slot = bytes(self._data)
            self.state = MANIFEST
        elif self.state == MANIFEST:
            if self.tolerant:
                self.state = IDLE
            elif self.after == "gone":
                raise DeviceGone
            else:
                self.state = WAIT_RESET
        elif self.state == SYNC:
            self.state = DNLOAD_IDLE
        return bytes((self.status, 10, 0, 0, self.state, 0))
