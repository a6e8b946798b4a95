"""PICOBOOT by hand, for the tests of the boot ROM: nothing but pyusb and the command layout (pico-sdk's
boot/picoboot.h), so that a fault of upytool's own client does not hide one of the emulated chip."""

from __future__ import annotations

import struct
from typing import Any

import usb.core
import usb.util

FLASH = 0x10000000
EXCLUSIVE, REBOOT, ERASE, WRITE, EXIT_XIP, ENTER_XIP, READ = 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x84
OUT, IN = 0x03, 0x84


class Picoboot:
    """One opened bootloader."""

    def __init__(self, backend: Any) -> None:
        device = usb.core.find(backend=backend, idVendor=0x2E8A, idProduct=0x0003)
        assert device is not None
        self.device = device
        self._token = 0
        device.set_configuration(1)
        self.reset()

    def close(self) -> None:
        usb.util.dispose_resources(self.device)

    def reset(self) -> None:
        """IF_RESET, and both halts cleared."""
        self.device.ctrl_transfer(0x41, 0x41, 0, 1, b"", 1000)
        for endpoint in (OUT, IN):
            self.device.clear_halt(endpoint)

    def status(self) -> int:
        """The status code of the last command."""
        answer = bytes(self.device.ctrl_transfer(0xC1, 0x42, 0, 1, 16, 1000))
        return int(struct.unpack("<IIBB6x", answer)[1])

    def command(
        self, number: int, arguments: bytes = b"", data: bytes = b"", read: int = 0, timeout: int = 5000
    ) -> bytes:
        self._token += 1
        size = read or len(data)
        head = struct.pack("<IIBBHI", 0x431FD10B, self._token, number, len(arguments), 0, size)
        self.device.write(OUT, head + arguments.ljust(16, b"\0"), timeout)
        if read:
            received = bytes(self.device.read(IN, read, timeout))
            self.device.write(OUT, b"", timeout)
            return received
        if data:
            self.device.write(OUT, data, timeout)
        self.device.read(IN, 1, timeout)
        return b""

    def begin(self) -> None:
        self.command(EXCLUSIVE, b"\1")
        self.command(EXIT_XIP)

    def erase(self, offset: int, size: int) -> None:
        self.command(ERASE, struct.pack("<II", FLASH + offset, size))

    def write(self, offset: int, data: bytes) -> None:
        self.command(WRITE, struct.pack("<II", FLASH + offset, len(data)), data)

    def read(self, offset: int, size: int) -> bytes:
        return self.command(READ, struct.pack("<II", FLASH + offset, size), read=size)

    def reboot(self, delay_ms: int = 100) -> None:
        self.command(REBOOT, struct.pack("<III", 0, 0, delay_ms))


def uf2(pages: dict[int, bytes], family: int = 0xE48BFF56) -> bytes:
    """A UF2 file of 256-byte pages by flash offset (microsoft/uf2 README.md)."""
    blocks = []
    for number, (offset, page) in enumerate(pages.items()):
        head = struct.pack("<8I", 0x0A324655, 0x9E5D5157, 0x2000, FLASH + offset, 256, number, len(pages), family)
        blocks.append((head + page).ljust(508, b"\0") + struct.pack("<I", 0x0AB16F30))
    return b"".join(blocks)
