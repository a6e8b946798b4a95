"""What the DFU tests share: a model on a bus, firmware to put on it."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.fakes.control_backend import ControlBackend
from upytool.errors import UpytoolError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.dfu import DfuFlasher
from upytool.flashers.usb import UsbBus
from upytool.image.base import FirmwareImage
from upytool.image.dfuse import DfuElement, DfuTarget, write_dfu

OPTIONS = FlashOptions()


@dataclass
class Bench:
    """A model that is plugged in."""

    device: Any
    backend: ControlBackend

    @classmethod
    def of(cls, device: Any) -> Bench:
        return cls(device, ControlBackend(device))

    @property
    def target(self) -> FlashTarget:
        bus = UsbBus("model:dfu", self.backend)
        (device,) = bus.devices()
        return FlashTarget("bootloader", "model:dfu", "model:dfu", usb=device, bus=bus)

    @property
    def flasher(self) -> DfuFlasher:
        return DfuFlasher(self.device.clock.sleep, self.device.clock.now)

    def open(self, options: FlashOptions = OPTIONS) -> Any:
        """A DfuLoader or PlainLoader (as Any: tests look inside)."""
        return self.flasher.open(self.target, options)


def outcome(bench: Bench, image: FirmwareImage) -> UpytoolError | None:
    """Open and program: the error that came, or None."""
    try:
        bench.open().program(image, OPTIONS)
    except UpytoolError as error:
        return error
    return None


def vectors(base: int, size: int, seed: int = 1) -> bytes:
    """Firmware of `size` bytes that begins with a vector table."""
    return struct.pack("<II", 0x20020000, base + 0x1A5) + random.Random(seed).randbytes(size - 8)


def dfuse_image(elements: Iterable[tuple[int, bytes]], *, vid: int = 0x0483, pid: int = 0xDF11) -> FirmwareImage:
    """A DfuSe file as it is (elements not padded: other tools make such files)."""
    parts = tuple(DfuElement(address, data) for address, data in elements)
    return FirmwareImage.read(write_dfu((DfuTarget(parts),), vendor=vid, product=pid))


def f4_image(seed: int = 1, text: int = 150_000) -> FirmwareImage:
    """As MicroPython's for an F4: vectors in the first sector, the file system, the text from 0x08020000."""
    return dfuse_image(
        [(0x08000000, vectors(0x08000000, 9000, seed)), (0x08020000, random.Random(seed + 1).randbytes(text))]
    )
