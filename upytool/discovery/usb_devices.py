"""USB devices that are no serial ports: boards in a bootloader. Asked for only when advice is due."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass

from .usb_ids import bootloader

SYSFS = "/sys/bus/usb/devices"


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """One USB device: its id, where it is, its serial number and product ('' where not known)."""

    vid: int
    pid: int
    location: str
    serial_number: str = ""
    product: str = ""

    @property
    def bootloader(self) -> str:
        """Which bootloader it is, '' for none."""
        return bootloader(self.vid, self.pid)


def list_usb_devices(sysfs: str = SYSFS, platform: str = sys.platform) -> list[UsbDevice]:
    """Every USB device, as far as this system tells without rights and without opening one; else []."""
    if platform == "linux":
        return _from_sysfs(sysfs)
    with contextlib.suppress(Exception):  # no libusb, no rights, no backend: there is simply no answer
        return _from_libusb()
    return []


def _from_sysfs(folder: str) -> list[UsbDevice]:
    found = []
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    for name in names:
        base = os.path.join(folder, name)
        vid, pid = _read(base, "idVendor"), _read(base, "idProduct")
        with contextlib.suppress(ValueError):
            found.append(UsbDevice(int(vid, 16), int(pid, 16), name, _read(base, "serial"), _read(base, "product")))
    return found


def _read(base: str, name: str) -> str:
    try:
        with open(os.path.join(base, name), encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _from_libusb() -> list[UsbDevice]:
    import libusb_package
    import usb.core

    found = []
    for device in usb.core.find(find_all=True, backend=libusb_package.get_libusb1_backend()):
        ports = ".".join(str(number) for number in device.port_numbers or ())
        found.append(UsbDevice(device.idVendor, device.idProduct, f"{device.bus}-{ports}"))
    return found


def boards_in_bootloader() -> list[UsbDevice]:
    """The boards that wait in a bootloader."""
    return [device for device in list_usb_devices() if device.bootloader]
