"""A pyusb backend for one device that has control transfers alone (DFU), with faults where a test wants them.

The device behind it is a model (st_dfu_model.py) or real code (tests/rigs/mboot).
"""

from __future__ import annotations

import errno
import struct
from types import SimpleNamespace
from typing import Any, Protocol

import usb.backend
import usb.core

DEVICE_FIELDS = (
    "bLength",
    "bDescriptorType",
    "bcdUSB",
    "bDeviceClass",
    "bDeviceSubClass",
    "bDeviceProtocol",
    "bMaxPacketSize0",
    "idVendor",
    "idProduct",
    "bcdDevice",
    "iManufacturer",
    "iProduct",
    "iSerialNumber",
    "bNumConfigurations",
)
CONFIGURATION_FIELDS = (
    "bLength",
    "bDescriptorType",
    "wTotalLength",
    "bNumInterfaces",
    "bConfigurationValue",
    "iConfiguration",
    "bmAttributes",
    "bMaxPower",
)
INTERFACE_FIELDS = (
    "bLength",
    "bDescriptorType",
    "bInterfaceNumber",
    "bAlternateSetting",
    "bNumEndpoints",
    "bInterfaceClass",
    "bInterfaceSubClass",
    "bInterfaceProtocol",
    "iInterface",
)
Fault = str  # "disconnect", "power", "stall", "timeout", "corrupt", "short"


class DeviceGone(Exception):
    """It is not on the bus any more."""


class DeviceStall(Exception):
    """It refuses this transfer."""


class DeviceSilent(Exception):
    """It does not answer in time."""


class ControlDevice(Protocol):
    """What is behind the backend. `control` answers IN with bytes, OUT with how many it took."""

    device_descriptor: bytes
    configuration: bytes

    def control(self, request_type: int, request: int, value: int, index: int, data: bytes | int) -> bytes | int: ...

    def select(self, alternate: int) -> None: ...

    def power_cycle(self) -> None: ...


class ControlBackend(usb.backend.IBackend):  # type: ignore[misc]
    """One device on a bus.

    Attributes:
        faults: {number of a DFU transfer, from 0: what happens at it}.
        log: every DFU transfer: (request type, request, value, data or length).
        present: whether the device is on the bus.
        claimed: the interface that somebody has.
    """

    def __init__(self, device: ControlDevice) -> None:
        self.device = device
        self.faults: dict[int, Fault] = {}
        self.log: list[tuple[int, int, int, bytes | int]] = []
        self.present = True
        self.claimed: int | None = None
        self.resets = 0

    # -- what it is

    def enumerate_devices(self) -> Any:
        return iter([self] if self.present else [])

    def get_device_descriptor(self, dev: Any) -> Any:
        fields = dict(zip(DEVICE_FIELDS, struct.unpack("<BBHBBBBHHHBBBB", self.device.device_descriptor)))
        return SimpleNamespace(**fields, address=1, bus=1, port_number=1, port_numbers=(1,), speed=2)

    def _parts(self) -> list[tuple[bytes, bytes]]:
        """(interface descriptor, what follows it) of every alternate setting."""
        raw, at = self.device.configuration, 9
        parts: list[tuple[bytes, bytes]] = []
        while at < len(raw):
            piece = raw[at : at + raw[at]]
            if piece[1] == 4:
                parts.append((piece, b""))
            else:
                parts[-1] = (parts[-1][0], parts[-1][1] + piece)
            at += raw[at]
        return parts

    def get_configuration_descriptor(self, dev: Any, config: int) -> Any:
        if config:
            raise IndexError
        fields = dict(zip(CONFIGURATION_FIELDS, struct.unpack("<BBHBBBBB", self.device.configuration[:9])))
        return SimpleNamespace(**fields, extra_descriptors=[])

    def get_interface_descriptor(self, dev: Any, intf: int, alt: int, config: int) -> Any:
        numbers = sorted({part[0][2] for part in self._parts()})
        if intf >= len(numbers):
            raise IndexError
        own = [part for part in self._parts() if part[0][2] == numbers[intf]]
        if alt >= len(own):
            raise IndexError
        head, extra = own[alt]
        return SimpleNamespace(**dict(zip(INTERFACE_FIELDS, head)), extra_descriptors=list(extra))

    # -- open, claim

    def open_device(self, dev: Any) -> Any:
        self._here()
        return self

    def close_device(self, dev_handle: Any) -> None:
        pass

    def get_configuration(self, dev_handle: Any) -> int:
        return 1

    def set_configuration(self, dev_handle: Any, config_value: int) -> None:
        self._here()

    def set_interface_altsetting(self, dev_handle: Any, intf: int, altsetting: int) -> None:
        self._here()
        self.device.select(altsetting)

    def claim_interface(self, dev_handle: Any, intf: int) -> None:
        self._here()
        self.claimed = intf
        self.device.select(0)

    def release_interface(self, dev_handle: Any, intf: int) -> None:
        self.claimed = None

    def is_kernel_driver_active(self, dev_handle: Any, intf: int) -> bool:
        return False

    def reset_device(self, dev_handle: Any) -> None:
        self._here()
        self.resets += 1

    # -- transfers

    def ctrl_transfer(
        self, dev_handle: Any, bmRequestType: int, bRequest: int, wValue: int, wIndex: int, data: Any, timeout: int
    ) -> int:
        self._here()
        incoming = bool(bmRequestType & 0x80)
        ours = (bmRequestType & 0x60) == 0x20
        fault = ""
        if ours:
            fault = self.faults.pop(len(self.log), "")
            self.log.append((bmRequestType, bRequest, wValue, len(data) if incoming else bytes(data)))
        if fault in ("disconnect", "power"):
            self.present = False
            if fault == "power":
                self.device.power_cycle()
            self._here()
        if fault == "stall":
            raise usb.core.USBError("Pipe error", errno=errno.EPIPE)
        if fault == "timeout":
            raise usb.core.USBTimeoutError("Operation timed out", errno=errno.ETIMEDOUT)
        given: bytes | int = len(data) if incoming else bytes(data)
        if fault == "corrupt" and isinstance(given, bytes) and given:
            given = given[:-1] + bytes((given[-1] ^ 0x55,))
        if fault == "short" and isinstance(given, bytes) and given:
            given = given[: len(given) // 2]
        try:
            answer = self.device.control(bmRequestType, bRequest, wValue, wIndex, given)
        except DeviceStall:
            raise usb.core.USBError("Pipe error", errno=errno.EPIPE) from None
        except DeviceSilent:
            raise usb.core.USBTimeoutError("Operation timed out", errno=errno.ETIMEDOUT) from None
        except DeviceGone:
            self.present = False
            self._here()
        if isinstance(answer, int):
            return answer
        if fault == "corrupt" and answer:
            answer = answer[:-1] + bytes((answer[-1] ^ 0x55,))
        if fault == "short":
            answer = answer[: len(answer) // 2]
        memoryview(data).cast("B")[: len(answer)] = answer
        return len(answer)

    def _here(self) -> None:
        if not self.present:
            raise usb.core.USBError("No such device (it may have been disconnected)", errno=errno.ENODEV)

    def plug_in(self) -> None:
        """Back on the bus, in its bootloader."""
        self.present = True


def string_descriptor(text: str) -> bytes:
    raw = text.encode("utf-16-le")[:252]
    return bytes((len(raw) + 2, 3)) + raw


LANGUAGES = bytes((4, 3, 9, 4))
