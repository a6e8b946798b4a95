"""Errors of USB, in words that say what to do: the udev rule of this very device, the driver that Windows lacks.

Source: libusb 1.0's error codes, which pyusb gives as errno values (`usb/backend/libusb1.py`); systemd's udev(7).
"""

from __future__ import annotations

import errno
import sys
import textwrap

from ..discovery.udev import install, usb_rule
from ..discovery.usb_devices import UsbDevice
from ..errors import (
    ConnectionLostError,
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    PortUnusableError,
    ProtocolError,
    UpytoolError,
)
from ..words import Said

_GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.EIO, errno.EPROTO)


class UsbStall(ProtocolError):
    """The device refused a transfer: the endpoint is halted (of a control transfer: only this one)."""

    code = "protocol.usb-stall"


class UsbTimeout(ProtocolError):
    """A transfer did not end in time."""

    code = "protocol.usb-timeout"


def access_hint(device: UsbDevice, platform: str = sys.platform) -> list[Said]:
    """What gives this user the right to open `device`."""
    if platform == "linux":
        lines = textwrap.indent(install(usb_rule(device.vid, device.pid)), "  ")
        return [Said("flash.hint.udev", commands=lines)]
    if platform == "win32":
        return [Said("flash.hint.winusb"), Said("flash.hint.no-driver")]
    return [Said("flash.hint.close-others"), Said("flash.hint.by-drive")]


def usb_error(
    error: BaseException, device: UsbDevice, doing: str, *, opening: bool = False, platform: str = sys.platform
) -> UpytoolError:
    """The typed error for one of pyusb's.

    Args:
        error: USBError, USBTimeoutError, NotImplementedError (libusb's "not supported"), OSError.
        doing: what was tried, "claim the interface" for instance.
        opening: nothing was said to the device yet: then a missing one was never there.
    """
    name = device_name(device)
    number = getattr(error, "errno", None)
    driverless = isinstance(error, NotImplementedError) or (opening and number == errno.ENOENT)
    if platform == "win32" and (driverless or (opening and number == errno.EIO)):
        return PortUnusableError("transport.unusable.usb-no-driver", name=name, hint=access_hint(device, platform))
    if number in (errno.EACCES, errno.EPERM):
        if platform == "win32":  # there "access denied" is a device that another program has open
            return _busy(name)
        return PortPermissionError("transport.permission.usb", name=name, hint=access_hint(device, platform))
    if number == errno.EBUSY:
        return _busy(name)
    if number == errno.EPIPE:
        return UsbStall("protocol.usb-stall.refused", name=name, doing=doing)
    if number == errno.ETIMEDOUT:
        return UsbTimeout("protocol.usb-timeout.timed-out", name=name, doing=doing)
    if number in _GONE:
        if opening:
            return PortMissingError("transport.missing.usb", name=name)
        return ConnectionLostError("transport.lost.usb", name=name)
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    words = words[:1].lower() + words[1:]
    if opening:
        return PortUnusableError("transport.unusable.usb", name=name, reason=words)
    return ProtocolError("protocol.usb", name=name, doing=doing, reason=words)


def _busy(name: str) -> PortBusyError:
    return PortBusyError("transport.busy.usb", name=name)


def device_name(device: UsbDevice) -> str:
    """A few words for people: what it is, and where."""
    what = device.bootloader or device.product or f"the USB device {device.vid:04x}:{device.pid:04x}"
    return f"{what} ({device.location})" if device.location else what
