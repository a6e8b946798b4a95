"""The USB of running simulated boards, for flashers: pyusb back ends and the bootloader's drive.

    import usb.core
    from upytool.sim.usb import backend

    device = usb.core.find(backend=backend("pico"))     # 2e8a:0003 while it is in its bootloader

Raises throughout: NoDeviceError when no such board runs; SimulatorError when it has no USB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import SimulatorError
from . import registry

if TYPE_CHECKING:
    from .usb_backend import UsbBackend
    from .usb_drive import Drive

__all__ = ["BUS_PREFIX", "backend", "bus_backend", "drive"]

BUS_PREFIX = registry.SELECTOR + ":"


def backend(name: str) -> UsbBackend:
    """A pyusb back end with the USB device of the running board `name` on its bus, and nothing else.

    It holds one connection to the board's process; `usb.util.dispose_resources()` and the end of the back end
    let go of it. A board that ends in the meantime is a device that has gone (ENODEV).
    """
    return bus_backend(BUS_PREFIX + name)


def bus_backend(selector: str) -> UsbBackend:
    """The same for a selector: `sim:pico`, `sim:NAME`, `sim`; a bare name is one too."""
    if selector != registry.SELECTOR and not selector.startswith(BUS_PREFIX):
        selector = BUS_PREFIX + selector
    info = registry.resolve_info(selector)
    if info.kind != "pico":
        raise SimulatorError("sim.no-usb", name=info.name)
    from .usb_backend import UsbBackend
    from .usb_link import RemoteSession

    return UsbBackend(RemoteSession(info))


def drive(selector: str) -> Drive:
    """The bootloader's UF2 drive of a running board (see usb_drive.Drive)."""
    from .usb_drive import Drive

    return Drive(bus_backend(selector))
