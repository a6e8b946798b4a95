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

_GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN, errno.EIO, errno.EPROTO)


class UsbStall(ProtocolError):
    """The device refused a transfer: the endpoint is halted (of a control transfer: only this one)."""

    code = "protocol.usb-stall"


class UsbTimeout(ProtocolError):
    """A transfer did not end in time."""

    code = "protocol.usb-timeout"


def access_hint(device: UsbDevice, platform: str = sys.platform) -> str:
    """What gives this user the right to open `device`."""
    if platform == "linux":
        lines = textwrap.indent(install(usb_rule(device.vid, device.pid)), "  ")
        return f"a udev rule allows it; then unplug the board and plug it in again:\n{lines}"
    if platform == "win32":
        return (
            "Windows needs the WinUSB driver for it: in Zadig choose the device's bootloader interface (never the "
            "one of its drive) and install WinUSB;\nor go without a driver: a board with a UF2 drive takes "
            "`upytool flash --tool uf2`"
        )
    return (
        "close other programs that use the board (a virtual machine may hold it), unplug it and plug it in again;\n"
        "a board with a UF2 drive takes `upytool flash --tool uf2`"
    )


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
        return PortUnusableError(f"Windows has no driver that opens {name}", hint=access_hint(device, platform))
    if number in (errno.EACCES, errno.EPERM):
        if platform == "win32":  # there "access denied" is a device that another program has open
            return _busy(name)
        return PortPermissionError(f"you may not open {name}", hint=access_hint(device, platform))
    if number == errno.EBUSY:
        return _busy(name)
    if number == errno.EPIPE:
        return UsbStall(f"{name} refused to {doing}", hint="unplug it and plug it in again, then retry")
    if number == errno.ETIMEDOUT:
        return UsbTimeout(f"{name} did not {doing} in time", hint="unplug it and plug it in again, then retry")
    if number in _GONE:
        if opening:
            return PortMissingError(f"{name} is gone", hint="see what is plugged in: `upytool devs`")
        return ConnectionLostError(
            f"the USB connection to {name} was lost", hint="check cable and hub, plug the board in again, then retry"
        )
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    words = words[:1].lower() + words[1:]
    again = "unplug it and plug it in again; another cable or USB port may help"
    if opening:
        return PortUnusableError(f"{name} cannot be opened: {words}", hint=again)
    return ProtocolError(f"{name} did not {doing}: {words}", hint=again)


def _busy(name: str) -> PortBusyError:
    return PortBusyError(
        f"{name} is in use by another program", hint="close it there (another flashing tool, an IDE), then try again"
    )


def device_name(device: UsbDevice) -> str:
    """A few words for people: what it is, and where."""
    what = device.bootloader or device.product or f"the USB device {device.vid:04x}:{device.pid:04x}"
    return f"{what} ({device.location})" if device.location else what
