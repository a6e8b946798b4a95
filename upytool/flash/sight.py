"""Boards in their boot loaders, wherever they show: on USB buses, as drives, as serial ports; one target each."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..discovery.ports import PortLister, SerialPort, list_ports
from ..discovery.usb_devices import UsbDevice
from ..errors import UpytoolError
from .base import FlashTarget

if TYPE_CHECKING:
    from .uf2_volume import Volume
    from .usb import UsbBus

VolumeLister = Callable[[], "Sequence[Volume]"]
# The loader's chip by USB id, where the id says it.
_CHIPS = {
    (0x2E8A, 0x0003): ("rp2040", "rp2"),
    (0x2E8A, 0x000F): ("rp2350", "rp2"),
    (0x0483, 0xDF11): ("stm32", "stm32"),
    (0xF055, 0xDF11): ("stm32", "stm32"),
    (0x303A, 0x0002): ("esp32s2", "esp32"),
    (0x303A, 0x0009): ("esp32s3", "esp32"),
    (0x2341, 0x0070): ("esp32s3", "esp32"),
    (0x2341, 0x0368): ("", "renesas-ra"),
}


class Sight:
    """Boards in their boot loaders, wherever they show: on USB buses, as drives, as serial ports.

    Args:
        buses: the USB buses to look at; a bus that cannot be read counts as empty.
        volumes: lists the UF2 drives.
        ports: lists the serial ports.
        platform: where the places of ports and USB devices are compared.
    """

    def __init__(
        self,
        buses: Sequence[UsbBus] = (),
        volumes: VolumeLister | None = None,
        ports: PortLister = list_ports,
        platform: str = sys.platform,
    ) -> None:
        self.buses, self.platform = tuple(buses), platform
        self._volumes, self._ports = volumes, ports

    def loaders(self) -> list[FlashTarget]:
        """Every board in a boot loader, one target each: a device and its drive are one board."""
        found: list[FlashTarget] = []
        for bus in self.buses:
            for device in self._devices(bus):
                if _is_loader(bus, device):
                    chip, mcu_port = _CHIPS.get((device.vid, device.pid), ("", ""))
                    name = bus.name or f"usb:{device.location}"
                    found.append(
                        FlashTarget(
                            "bootloader",
                            name,
                            bus.name or device.location,
                            usb=device,
                            bus=bus,
                            chip=chip,
                            mcu_port=mcu_port,
                            unique_id=device.serial_number if (device.vid, device.pid) == (0x2E8A, 0x000F) else "",
                        )
                    )
        for volume in self.volumes():
            if volume.info.kind != "uf2":
                continue
            at = next((n for n, each in enumerate(found) if self._same_board(each, volume)), None)
            chip, mcu_port = volume.info.chip, volume.info.mcu_port
            if at is not None:
                known = found[at]
                found[at] = replace(known, volume=volume, chip=known.chip or chip, mcu_port=known.mcu_port or mcu_port)
            else:
                place = f"usb:{volume.location}" if volume.location else volume.path
                found.append(
                    FlashTarget("bootloader", place, volume.location, volume=volume, chip=chip, mcu_port=mcu_port)
                )
        places = {target.location for target in found if target.location}
        for port in self._ports():
            if port.kind == "bootloader" and port.hub_port not in places:
                chip, mcu_port = _CHIPS.get((port.vid or 0, port.pid or 0), ("", ""))
                found.append(
                    FlashTarget(
                        "bootloader",
                        port.selector,
                        port.hub_port,
                        port.path,
                        port,
                        chip=chip,
                        mcu_port=mcu_port,
                    )
                )
            elif port.kind == "bootloader":
                at = next(n for n, each in enumerate(found) if each.location == port.hub_port)
                found[at] = replace(found[at], port=port, address=port.path)
        return found

    def volumes(self) -> Sequence[Volume]:
        """The UF2 and DAPLink drives that are mounted."""
        return self._volumes() if self._volumes is not None else ()

    def ports(self) -> list[SerialPort]:
        return self._ports()

    @staticmethod
    def _devices(bus: UsbBus) -> list[UsbDevice]:
        # While a device re-enumerates the system may refuse to list it: the next look will see it.
        with contextlib.suppress(UpytoolError):
            return bus.devices()
        return []

    def _same_board(self, target: FlashTarget, volume: Volume) -> bool:
        if volume.location or target.bus is None or target.bus.name:
            return bool(volume.location) and same_place(target.location, volume.location, self.platform)
        # The drive's place is not known: it belongs to a loader of its own chip, where there is only one.
        return bool(target.chip) and target.chip == volume.info.chip and len(self.buses) == 1


def _is_loader(bus: UsbBus, device: UsbDevice) -> bool:
    if device.bootloader:
        return True
    # A maker may give RP2350's loader an id of its own, and DFU has any id: the interfaces tell. Espressif's and
    # other running firmware has none of these.
    if bus.name:
        with contextlib.suppress(UpytoolError):
            return any(each.triple in ((0xFF, 0, 0), (0xFE, 1, 2)) for each in bus.interfaces(device))
    return False


def same_place(one: str, other: str, platform: str = sys.platform) -> bool:
    """Whether two locations are one socket. Windows numbers its buses differently for ports and for libusb."""
    if not one or not other:
        return False
    one, other = one.partition(":")[0], other.partition(":")[0]
    if platform == "win32":
        return one.partition("-")[2] == other.partition("-")[2]
    return one == other
