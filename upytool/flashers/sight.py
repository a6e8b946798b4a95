"""Boards in their bootloaders, wherever they show: on USB buses, as drives, as serial ports; one target each."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..discovery.ports import PortLister, SerialPort, list_ports
from ..discovery.usb_devices import UsbDevice
from ..errors import UpytoolError
from .base import FlashTarget

if TYPE_CHECKING:
    from .uf2_volume import Volume
    from .usb import Interface, UsbBus

VolumeLister = Callable[[], "Sequence[Volume]"]
PICOBOOT, DFU, DRIVE = (0xFF, 0x00, 0x00), (0xFE, 0x01, 0x02), (0x08, 0x06, 0x50)
_NEVER = (0x1D6B, 0x303A)  # hubs of Linux; Espressif's bootloaders have known ids
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
    """Boards in their bootloaders, wherever they show: on USB buses, as drives, as serial ports.

    Args:
        buses: the USB buses to look at; a bus that cannot be read counts as empty.
        volumes: lists the UF2 drives.
        ports: lists the serial ports.
        platform: where the places of ports and USB devices are compared.
        by_class: also know bootloaders with unknown ids, by their interfaces.

    Attributes:
        unlisted: why a bus could not be listed at the last look, "" where all could.
    """

    def __init__(
        self,
        buses: Sequence[UsbBus] = (),
        volumes: VolumeLister | None = None,
        ports: PortLister = list_ports,
        platform: str = sys.platform,
        by_class: bool = True,
    ) -> None:
        self.buses, self.platform, self.by_class = tuple(buses), platform, by_class
        self.unlisted = ""
        self._kinds: dict[UsbDevice, tuple[str, str] | None] = {}
        self._volumes, self._ports = volumes, ports

    def loaders(self) -> list[FlashTarget]:
        """Every board in a bootloader, one target each: a device and its drive are one board."""
        found: list[FlashTarget] = []
        self.unlisted = ""
        for bus in self.buses:
            for device in self._devices(bus):
                kind = self._loader(bus, device)
                if kind is not None:
                    chip, mcu_port = kind
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
                            unique_id=device.serial_number if chip == "rp2350" else "",
                        )
                    )
        volumes = [each for each in self.volumes() if _is_uf2(each)]
        for volume in volumes:
            at = self._board_of(volume, volumes, found)
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

    def _devices(self, bus: UsbBus) -> list[UsbDevice]:
        # While a device re-enumerates the system may refuse to list it: the next look will see it.
        try:
            return bus.devices()
        except UpytoolError as error:
            self.unlisted = str(error)
        return []

    def _loader(self, bus: UsbBus, device: UsbDevice) -> tuple[str, str] | None:
        """(chip, port) of a device that is a bootloader, "" for what it does not tell; None for any other."""
        if device.bootloader:
            return _CHIPS.get((device.vid, device.pid), ("", ""))
        if not self.by_class or device.vid in _NEVER:
            return None
        if device not in self._kinds:
            try:
                self._kinds[device] = _by_class(bus.interfaces(device))
            except UpytoolError:  # it has just come, or it is going: the next look tells
                return None
        return self._kinds[device]

    def _board_of(self, volume: Volume, volumes: Sequence[Volume], found: Sequence[FlashTarget]) -> int | None:
        """Which of the USB devices a drive belongs to: to write to another one's would destroy its firmware."""
        if volume.location:
            places = (n for n, each in enumerate(found) if same_place(each.location, volume.location, self.platform))
            return next(places, None)
        # Where the system does not tell a drive's place, its chip does, but only of one board of that chip.
        chip = volume.info.chip
        alike = [each for each in volumes if not each.location and each.info.chip == chip]
        own = [n for n, each in enumerate(found) if each.usb is not None and each.chip == chip and _is_real(each)]
        return own[0] if chip and len(alike) == len(own) == 1 else None


def _is_real(target: FlashTarget) -> bool:
    return target.bus is not None and not target.bus.name


def _by_class(interfaces: Sequence[Interface]) -> tuple[str, str] | None:
    """DFU has any id, and a maker may give RP2350's boot ROM an id of its own: the interfaces tell.

    The boot ROM has a drive and PICOBOOT, on endpoints 3 and 4, and nothing else (RP2350 datasheet, 5.5 and 5.6). A
    vendor's interface alone is not a sign: debug probes and running firmware have such ones too.
    """
    triples = {each.triple for each in interfaces}
    if DFU in triples:
        return ("", "")
    rom = triples <= {PICOBOOT, DRIVE} and any(
        each.triple == PICOBOOT and each.bulk() == (0x03, 0x84) for each in interfaces
    )
    return ("rp2350", "rp2") if rom else None


def _is_uf2(volume: Volume) -> bool:
    """A drive that cannot be read has just come, or it is going: it is not there yet."""
    with contextlib.suppress(UpytoolError):
        return volume.info.kind == "uf2"
    return False


def with_device(
    target: FlashTarget,
    look: Callable[[], Sight],
    timeout: float = 2.0,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> FlashTarget:
    """A drive may show a moment before the system lists the device that it belongs to; that is waited for."""
    end = clock() + timeout
    while target.state == "bootloader" and target.volume is not None and target.usb is None:
        here = (each for each in look().loaders() if same_place(each.location, target.location))
        found = next((each for each in here if each.usb is not None), None)
        if found is not None:
            return replace(target, usb=found.usb, bus=found.bus)
        if clock() >= end:
            break
        sleep(0.2)
    return target


def same_place(one: str, other: str, platform: str = sys.platform) -> bool:
    """Whether two locations are one socket. Windows numbers its buses differently for ports and for libusb."""
    if not one or not other:
        return False
    one, other = one.partition(":")[0], other.partition(":")[0]
    if platform == "win32":
        return one.partition("-")[2] == other.partition("-")[2]
    return one == other
