"""USB as the bootloaders need it: devices of a bus, control and bulk transfers, and errors that say what to do.

The one home of pyusb and of the libusb that libusb-package carries; both are imported when a bus is first asked.
A simulated board comes as a bus of its own with a pyusb backend in place of libusb (`usb.backend.IBackend`), so
that all above runs unchanged on real and simulated hardware. Only the interface that is claimed is ever taken from
a driver of the system, and it is given back.

Sources: libusb 1.0's API documentation (error codes, what each system can detach); pyusb `usb/core.py`,
`usb/backend/libusb1.py` (libusb's codes as errno values).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..discovery.usb_devices import UsbDevice, list_usb_devices
from ..errors import PortMissingError, PortUnusableError
from .usb_errors import UsbStall, UsbTimeout, access_hint, device_name, usb_error

__all__ = [
    "TIMEOUT",
    "Endpoint",
    "Interface",
    "UsbBus",
    "UsbLink",
    "UsbStall",
    "UsbStats",
    "UsbTimeout",
    "access_hint",
    "usb_error",
]

TIMEOUT = 5.0  # seconds, of a transfer that says nothing else


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An endpoint: `address` with bit 7 for device to host, `kind` "bulk", "interrupt", ..., `packet` bytes."""

    address: int
    kind: str
    packet: int

    @property
    def is_in(self) -> bool:
        return bool(self.address & 0x80)


@dataclass(frozen=True, slots=True)
class Interface:
    """An alternate setting of an interface.

    Attributes:
        number, alternate: what `UsbLink.claim` takes.
        class_, subclass, protocol: the triple that says what it speaks.
        endpoints: those of this alternate setting.
        name: of a DFU interface its string, "" where it has none or may not be read. Others are not asked: it takes
            the device to be opened, and keyboards and disks are none of our business.
        extra: further descriptors as they are (a DFU functional descriptor, say).
    """

    number: int
    alternate: int
    class_: int
    subclass: int
    protocol: int
    endpoints: tuple[Endpoint, ...] = ()
    name: str = ""
    extra: bytes = b""

    @property
    def triple(self) -> tuple[int, int, int]:
        return (self.class_, self.subclass, self.protocol)

    def bulk(self) -> tuple[int, int] | None:
        """(OUT, IN) where it has just one bulk endpoint for each way, else None."""
        out = [each.address for each in self.endpoints if each.kind == "bulk" and not each.is_in]
        back = [each.address for each in self.endpoints if each.kind == "bulk" and each.is_in]
        return (out[0], back[0]) if len(out) == len(back) == 1 else None


@dataclass(slots=True)
class UsbStats:
    """What went over the cable: transfers (as libusb counts them, failed ones too) and bytes of data."""

    transfers: int = 0
    bytes_out: int = 0
    bytes_in: int = 0


@dataclass
class UsbBus:
    """USB devices that can be reached together.

    Args:
        name: "" for this computer's USB, else the selector of a simulated board, which then is the location of
            its devices.
        backend: a pyusb backend; None is libusb-package's libusb.
    """

    name: str = ""
    backend: Any = None
    _loaded: Any = field(default=None, init=False, repr=False)

    def devices(self) -> list[UsbDevice]:
        """Every device, in the order of places. Strings that may not be read are "".

        Raises: PortUnusableError without a working libusb.
        """
        known: dict[str, UsbDevice] = {}
        if not self.name and self.backend is None and sys.platform == "linux":
            known = {each.location: each for each in list_usb_devices()}  # with strings, which need no rights there
        found = []
        for raw in self._each():
            place = self._location(raw)
            device = known.get(place)
            if device is None or (device.vid, device.pid) != (raw.idVendor, raw.idProduct):
                device = UsbDevice(raw.idVendor, raw.idProduct, place)
                # strings cost an open elsewhere: other people's keyboards and disks are left alone
                if not known and (device.bootloader or self.backend is not None):
                    device = self._with_strings(raw, device)
            found.append(device)
        return sorted(found, key=lambda each: (each.location, each.vid, each.pid))

    def open(self, device: UsbDevice) -> UsbLink:
        """Open a device of `devices()`; nothing is claimed yet.

        Raises: PortMissingError, PortPermissionError (with the udev rule), PortBusyError, PortUnusableError.
        """
        raw = self._find(device)
        link = UsbLink(raw, device)
        try:
            with link.translated("be set up", opening=True):
                link.configure()
        except BaseException:
            link.close()
            raise
        return link

    def interfaces(self, device: UsbDevice) -> list[Interface]:
        """Every interface with every alternate setting.

        Raises: PortMissingError; PortUnusableError where the descriptors cannot be had.
        """
        raw = self._find(device)
        try:
            return _interfaces(raw, device)
        finally:
            _dispose(raw)

    def address(self, device: UsbDevice) -> tuple[int, int]:
        """(bus, address) as other programs name a device; it changes whenever it is plugged in.

        Raises: PortMissingError.
        """
        raw = self._find(device)
        return int(raw.bus), int(raw.address)

    def _library(self) -> Any:
        if self.backend is not None:
            return self.backend
        if self._loaded is None:
            try:
                import libusb_package

                self._loaded = libusb_package.get_libusb1_backend()
            except (ImportError, OSError, AttributeError) as error:
                raise _no_library(str(error)) from error
            if self._loaded is None:
                raise _no_library("")
        return self._loaded

    def _each(self) -> Iterator[Any]:
        import usb.core

        library = self._library()
        try:
            yield from usb.core.find(find_all=True, backend=library)
        except (usb.core.NoBackendError, OSError, NotImplementedError) as error:
            raise PortUnusableError("transport.unusable.usb-list", cause=error) from error

    def _location(self, raw: Any) -> str:
        if self.name:
            return self.name
        ports = ".".join(str(number) for number in raw.port_numbers or ())
        return f"{raw.bus}-{ports}" if ports else f"usb{raw.bus}"  # a root hub, named as Linux names it

    def _with_strings(self, raw: Any, device: UsbDevice) -> UsbDevice:
        if not (raw.iSerialNumber or raw.iProduct):
            return device
        try:
            serial = _string(raw, raw.iSerialNumber)
            return UsbDevice(device.vid, device.pid, device.location, serial, _string(raw, raw.iProduct))
        finally:
            _dispose(raw)

    def _find(self, device: UsbDevice) -> Any:
        for raw in self._each():
            if (raw.idVendor, raw.idProduct) == (device.vid, device.pid) and self._location(raw) == device.location:
                return raw
        raise PortMissingError("transport.missing.usb", name=device_name(device))


def _no_library(reason: str) -> PortUnusableError:
    if not reason:
        return PortUnusableError("transport.unusable.no-libusb")
    return PortUnusableError("transport.unusable.libusb", reason=reason)


def _dispose(raw: Any) -> None:
    import usb.util

    with contextlib.suppress(OSError, NotImplementedError):
        usb.util.dispose_resources(raw)


def _string(raw: Any, index: int) -> str:
    """A string descriptor, "" where there is none or it may not be read."""
    import usb.util

    if not index:
        return ""
    # pyusb raises ValueError for a device without languages, and UnicodeDecodeError is one too
    with contextlib.suppress(OSError, NotImplementedError, ValueError):
        return (usb.util.get_string(raw, index) or "").rstrip("\0")
    return ""


def is_dfu(class_: int, subclass: int) -> bool:
    """USB DFU 1.1, section 4.2.3."""
    return (class_, subclass) == (0xFE, 0x01)


_KINDS = ("control", "isochronous", "bulk", "interrupt")


def _interfaces(raw: Any, device: UsbDevice) -> list[Interface]:
    found = []
    try:
        for each in (interface for configuration in raw for interface in configuration):
            endpoints = tuple(
                Endpoint(point.bEndpointAddress, _KINDS[point.bmAttributes & 3], point.wMaxPacketSize & 0x7FF)
                for point in each
            )
            found.append(
                Interface(
                    each.bInterfaceNumber,
                    each.bAlternateSetting,
                    each.bInterfaceClass,
                    each.bInterfaceSubClass,
                    each.bInterfaceProtocol,
                    endpoints,
                    _string(raw, each.iInterface) if is_dfu(each.bInterfaceClass, each.bInterfaceSubClass) else "",
                    bytes(each.extra_descriptors or ()),
                )
            )
    except (OSError, NotImplementedError) as error:
        raise usb_error(error, device, "tell its interfaces", opening=True) from error
    return found


class UsbLink:
    """An open device. All times are in seconds. Use it as a context manager, or `close` it.

    Every method raises UsbStall, UsbTimeout, ConnectionLostError (the device is gone), ProtocolError.
    """

    def __init__(self, raw: Any, device: UsbDevice) -> None:
        self.device = device
        self.stats = UsbStats()
        self._raw: Any = raw
        self._claimed: int | None = None
        self._detached = False

    def configure(self) -> None:
        """Select the first configuration where none is active: doing it twice would throw drivers out."""
        import usb.core

        try:
            self._raw.get_active_configuration()
        except usb.core.USBError as error:
            if error.errno is not None:  # pyusb's own "configuration not set" has no number
                raise
            self._raw.set_configuration()

    def interfaces(self) -> list[Interface]:
        return _interfaces(self._raw, self.device)

    def claim(self, interface: int, alternate: int = 0) -> None:
        """Take an interface, from the system's driver if need be; one at a time.

        Raises: PortBusyError when another program has it, PortPermissionError.
        """
        import usb.util

        self.release()
        with self.translated("lend its interface", opening=True):
            # only Linux (and macOS with special rights) can detach; elsewhere the claim itself tells
            with contextlib.suppress(NotImplementedError):
                if self._raw.is_kernel_driver_active(interface):
                    try:
                        self._raw.detach_kernel_driver(interface)
                        self._detached = True
                    except OSError:
                        if sys.platform == "linux":
                            raise
            usb.util.claim_interface(self._raw, interface)
            self._claimed = interface
            if alternate:
                self._raw.set_interface_altsetting(interface, alternate)

    def release(self) -> None:
        """Give the claimed interface back, to the system's driver where it had it."""
        import usb.util

        interface, self._claimed = self._claimed, None
        if interface is None:
            return
        with contextlib.suppress(OSError, NotImplementedError):  # the device may be gone
            usb.util.release_interface(self._raw, interface)
        if self._detached:
            self._detached = False
            with contextlib.suppress(OSError, NotImplementedError):
                self._raw.attach_kernel_driver(interface)

    def control_out(
        self, request_type: int, request: int, value: int, index: int, data: bytes = b"", timeout: float = TIMEOUT
    ) -> int:
        """A control transfer to the device; returns how many bytes it took."""
        self.stats.transfers += 1
        with self.translated("take a request"):
            count = int(self._raw.ctrl_transfer(request_type, request, value, index, data, _ms(timeout)))
        self.stats.bytes_out += count
        return count

    def control_in(
        self, request_type: int, request: int, value: int, index: int, length: int, timeout: float = TIMEOUT
    ) -> bytes:
        """A control transfer from the device; at most `length` bytes."""
        self.stats.transfers += 1
        with self.translated("answer a request"):
            data = bytes(self._raw.ctrl_transfer(request_type, request, value, index, length, _ms(timeout)))
        self.stats.bytes_in += len(data)
        return data

    def write(self, endpoint: int, data: bytes, timeout: float = TIMEOUT) -> int:
        """A bulk transfer to the device; returns how many bytes it took (fewer when the time ran out midway)."""
        self.stats.transfers += 1
        with self.translated("take data"):
            count = int(self._raw.write(endpoint, data, _ms(timeout)))
        self.stats.bytes_out += count
        return count

    def read(self, endpoint: int, length: int, timeout: float = TIMEOUT) -> bytes:
        """A bulk transfer from the device: up to `length` bytes, fewer where it ended with a short packet."""
        self.stats.transfers += 1
        with self.translated("send data"):
            data = bytes(self._raw.read(endpoint, length, _ms(timeout)))
        self.stats.bytes_in += len(data)
        return data

    def clear_halt(self, endpoint: int) -> None:
        """End an endpoint's halt, and set its data toggle back."""
        self.stats.transfers += 1
        with self.translated("clear a halt"):
            self._raw.clear_halt(endpoint)

    def reset(self) -> None:
        """A reset of the USB port; the device may come back as another one, then the link is dead."""
        self.stats.transfers += 1
        with self.translated("reset"):
            self._raw.reset()

    def string(self, index: int) -> str:
        """A string descriptor, "" where there is none."""
        self.stats.transfers += 1
        return _string(self._raw, index)

    def close(self) -> None:
        """Give everything back. May be called twice, and after the device has gone."""
        self.release()
        _dispose(self._raw)

    def __enter__(self) -> UsbLink:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def translated(self, doing: str, *, opening: bool = False) -> Iterator[None]:
        """Turn pyusb's errors into typed ones."""
        try:
            yield
        except (OSError, NotImplementedError) as error:  # USBError is an OSError
            raise usb_error(error, self.device, doing, opening=opening) from error


def _ms(seconds: float) -> int:
    """libusb's milliseconds; 0 would wait for ever."""
    return max(1, round(seconds * 1000))
