"""A pyusb back end whose bus has one device: the one that a simulated board is just now."""

from __future__ import annotations

import errno
import struct
import weakref
from array import array
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import usb.backend  # noqa: TID253 - imported when a back end is asked for
import usb.core  # noqa: TID253

from .usb_port import (
    BUSY,
    INVALID,
    NO_DEVICE,
    NOT_FOUND,
    NOT_SUPPORTED,
    OK,
    OVERFLOW,
    PIPE,
    RESET,
    TIMEOUT,
    Session,
    Transfer,
    UsbIdentity,
)

BUS, ADDRESS, PORTS = 1, 1, (1,)
FOREVER = 300.0  # seconds of a transfer without a limit
RESET_SECONDS = 20.0
FULL_SPEED = 2  # libusb.h, enum libusb_speed

ERRORS = {
    INVALID: (errno.EINVAL, "Invalid parameter"),
    NO_DEVICE: (errno.ENODEV, "No such device (it may have been disconnected)"),
    NOT_FOUND: (errno.ENOENT, "Entity not found"),
    BUSY: (errno.EBUSY, "Resource busy"),
    TIMEOUT: (errno.ETIMEDOUT, "Operation timed out"),
    OVERFLOW: (errno.EOVERFLOW, "Overflow"),
    PIPE: (errno.EPIPE, "Pipe error"),
    NOT_SUPPORTED: (errno.ENOSYS, "Operation not supported or unimplemented on this platform"),
}

DEVICE_FIELDS = (
    *("bLength", "bDescriptorType", "bcdUSB", "bDeviceClass", "bDeviceSubClass", "bDeviceProtocol"),
    *("bMaxPacketSize0", "idVendor", "idProduct", "bcdDevice", "iManufacturer", "iProduct", "iSerialNumber"),
    "bNumConfigurations",
)
CONFIGURATION_FIELDS = (
    *("bLength", "bDescriptorType", "wTotalLength", "bNumInterfaces", "bConfigurationValue", "iConfiguration"),
    *("bmAttributes", "bMaxPower"),
)
INTERFACE_FIELDS = (
    *("bLength", "bDescriptorType", "bInterfaceNumber", "bAlternateSetting", "bNumEndpoints", "bInterfaceClass"),
    *("bInterfaceSubClass", "bInterfaceProtocol", "iInterface"),
)
ENDPOINT_FIELDS = ("bLength", "bDescriptorType", "bEndpointAddress", "bmAttributes", "wMaxPacketSize", "bInterval")


def _fields(layout: str, names: tuple[str, ...], data: bytes) -> SimpleNamespace:
    return SimpleNamespace(**dict(zip(names, struct.unpack_from(layout, data))), extra_descriptors=[])


def parse_configuration(data: bytes) -> SimpleNamespace:
    """A configuration descriptor and what follows it (USB 2.0, 9.6), with `.interfaces`, a list of alternate
    settings for each interface, and their `.endpoints`."""
    configuration = _fields("<BBHBBBBB", CONFIGURATION_FIELDS, data)
    found: dict[int, list[SimpleNamespace]] = {}
    last = configuration
    at = data[0]
    setting = configuration
    while at + 2 <= len(data) and data[at] >= 2:
        piece = data[at : at + data[at]]
        if piece[1] == 4:
            last = setting = _fields("<9B", INTERFACE_FIELDS, piece)
            setting.endpoints = []
            found.setdefault(setting.bInterfaceNumber, []).append(setting)
        elif piece[1] == 5:
            last = _fields("<BBBBHB", ENDPOINT_FIELDS, piece)
            last.bRefresh = last.bSynchAddress = 0
            setting.endpoints.append(last)
        else:
            last.extra_descriptors += piece
        at += len(piece)
    configuration.interfaces = [found[number] for number in sorted(found)]
    return configuration


def check(status: int) -> None:
    """Raises: usb.core.USBError as pyusb's libusb1 back end does, USBTimeoutError, NotImplementedError."""
    if status == OK:
        return
    number, text = ERRORS.get(status, (errno.EIO, "Input/Output Error"))
    if status == TIMEOUT:
        raise usb.core.USBTimeoutError(text, status, number)
    if status == NOT_SUPPORTED:
        raise NotImplementedError(text)
    raise usb.core.USBError(text, status, number)


class UsbBackend(usb.backend.IBackend):  # type: ignore[misc,unused-ignore]
    """Give it to `usb.core.find(backend=...)`. Bus, address and port numbers never change.

    A device handle is the identity that was there when the device was found: after a restart every call with it
    ends in ENODEV.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        weakref.finalize(self, session.close)

    def close(self) -> None:
        """Let go of the board; every device of this back end is gone then."""
        self.session.close()

    def enumerate_devices(self) -> Iterator[UsbIdentity]:
        identity = self.session.identity()
        if identity is not None:
            yield identity

    def get_parent(self, dev: UsbIdentity) -> None:
        return None

    def get_device_descriptor(self, dev: UsbIdentity) -> SimpleNamespace:
        found = _fields("<BBHBBBBHHHBBBB", DEVICE_FIELDS, dev.device)
        found.bus, found.address, found.speed = BUS, ADDRESS, FULL_SPEED
        found.port_number, found.port_numbers = PORTS[-1], PORTS
        return found

    def get_configuration_descriptor(self, dev: UsbIdentity, config: int) -> SimpleNamespace:
        if config:
            raise IndexError("the device has one configuration")
        return parse_configuration(dev.configuration)

    def get_interface_descriptor(self, dev: UsbIdentity, intf: int, alt: int, config: int) -> Any:
        interfaces = self.get_configuration_descriptor(dev, config).interfaces
        if intf >= len(interfaces) or alt >= len(interfaces[intf]):
            raise IndexError(f"there is no interface {intf}, alternate setting {alt}")
        return interfaces[intf][alt]

    def get_endpoint_descriptor(self, dev: UsbIdentity, ep: int, intf: int, alt: int, config: int) -> Any:
        endpoints = self.get_interface_descriptor(dev, intf, alt, config).endpoints
        if ep >= len(endpoints):
            raise IndexError(f"there is no endpoint {ep}")
        return endpoints[ep]

    def open_device(self, dev: UsbIdentity) -> UsbIdentity:
        check(OK if self.session.identity() == dev else NO_DEVICE)
        return dev

    def close_device(self, dev_handle: UsbIdentity) -> None:
        return

    def set_configuration(self, dev_handle: UsbIdentity, config_value: int) -> None:
        self._standard(dev_handle, 0, 9, config_value, 0)

    def get_configuration(self, dev_handle: UsbIdentity) -> int:
        return dev_handle.configuration[5]

    def set_interface_altsetting(self, dev_handle: UsbIdentity, intf: int, altsetting: int) -> None:
        self._standard(dev_handle, 1, 11, altsetting, intf)

    def claim_interface(self, dev_handle: UsbIdentity, intf: int) -> None:
        check(self.session.claim(dev_handle.generation, intf))

    def release_interface(self, dev_handle: UsbIdentity, intf: int) -> None:
        check(self.session.release(dev_handle.generation, intf))

    def bulk_write(self, dev_handle: UsbIdentity, ep: int, intf: int, data: Any, timeout: int) -> int:
        transfer = Transfer.bulk(dev_handle.generation, ep, bytes(data))
        status = self.session.run(transfer, _seconds(timeout))
        if not (status == TIMEOUT and transfer.count):
            check(status)
        return transfer.count

    def bulk_read(self, dev_handle: UsbIdentity, ep: int, intf: int, buff: Any, timeout: int) -> int:
        transfer = Transfer.bulk(dev_handle.generation, ep, length=len(buff) * buff.itemsize)
        status = self.session.run(transfer, _seconds(timeout))
        if not (status == TIMEOUT and transfer.received):
            check(status)
        buff[: len(transfer.received)] = array("B", transfer.received)
        return len(transfer.received)

    def intr_write(self, dev_handle: UsbIdentity, ep: int, intf: int, data: Any, timeout: int) -> int:
        return self.bulk_write(dev_handle, ep, intf, data, timeout)

    def intr_read(self, dev_handle: UsbIdentity, ep: int, intf: int, buff: Any, timeout: int) -> int:
        return self.bulk_read(dev_handle, ep, intf, buff, timeout)

    def ctrl_transfer(
        self,
        dev_handle: UsbIdentity,
        bmRequestType: int,
        bRequest: int,
        wValue: int,
        wIndex: int,
        data: Any,
        timeout: int,
    ) -> int:
        length = len(data) * data.itemsize
        setup = struct.pack("<BBHHH", bmRequestType, bRequest, wValue, wIndex, length)
        outward = not bmRequestType & 0x80
        transfer = Transfer.control(dev_handle.generation, setup, bytes(data) if outward else b"")
        check(self.session.run(transfer, _seconds(timeout)))
        if outward:
            return transfer.count
        received = array("B", transfer.received[:length])
        data[: len(received)] = received
        return len(received)

    def clear_halt(self, dev_handle: UsbIdentity, ep: int) -> None:
        self._standard(dev_handle, 2, 1, 0, ep)

    def reset_device(self, dev_handle: UsbIdentity) -> None:
        check(self.session.run(Transfer(dev_handle.generation, RESET), RESET_SECONDS))

    def is_kernel_driver_active(self, dev_handle: UsbIdentity, intf: int) -> bool:
        return intf in dev_handle.busy

    def detach_kernel_driver(self, dev_handle: UsbIdentity, intf: int) -> None:
        check(BUSY if intf in dev_handle.busy else NOT_FOUND)

    def attach_kernel_driver(self, dev_handle: UsbIdentity, intf: int) -> None:
        check(NOT_FOUND)

    def _standard(self, handle: UsbIdentity, recipient: int, request: int, value: int, index: int) -> None:
        setup = struct.pack("<BBHHH", recipient, request, value, index, 0)
        check(self.session.run(Transfer.control(handle.generation, setup), _seconds(5000)))


def _seconds(milliseconds: int | None) -> float:
    return milliseconds / 1000 if milliseconds else FOREVER
