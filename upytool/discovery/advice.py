"""No board was found: what the user is told depends on what there is."""

from __future__ import annotations

from ..errors import NoDeviceError, TransportError
from ..words import Said
from .ports import SerialPort
from .usb_devices import UsbDevice, boards_in_bootloader


def missing(
    error: NoDeviceError | TransportError, bootloaders: list[UsbDevice] | None = None
) -> NoDeviceError | TransportError:
    """Say in the hint of an error about a missing device that one waits in its bootloader: it may be this one.

    A board that changes into its bootloader takes its port away.

    Args:
        error: the error; it is returned.
        bootloaders: boards in a bootloader; None looks for them.
    """
    names = _named(bootloaders)
    if names:
        error.advise(Said("discovery.in-bootloader", boards=names[:3]), Said("discovery.flash-it"), first=True)
    return error


def _named(bootloaders: list[UsbDevice] | None) -> list[str]:
    waiting = boards_in_bootloader() if bootloaders is None else bootloaders
    return sorted({f"{device.bootloader} ({device.location})" for device in waiting})


def no_device(ports: list[SerialPort], running: list[str], bootloaders: list[UsbDevice] | None = None) -> NoDeviceError:
    """The error for `auto` that found nothing.

    Args:
        ports: the serial ports there are.
        running: selectors of simulated boards that run.
        bootloaders: boards in a bootloader; None looks for them.
    """
    names = _named(bootloaders)
    names += sorted(port.path + ": " + port.what for port in ports if port.kind == "bootloader")
    hints = [Said("discovery.simulated-runs", selector=running[0])] if running else []
    if names:
        return NoDeviceError("device.none.in-bootloader", boards=names[:3], hint=hints)
    others = [port for port in ports if port.usb_id]
    if others:
        rows = "\n".join(f"  -d port:{port.path}  {port.what}" for port in others[:5])
        hints.append(Said("discovery.unknown-ports", rows=rows))
        return NoDeviceError("device.none.unknown-ports", hint=hints)
    if not running:
        hints += [Said("discovery.plug-in"), Said("discovery.simulate")]
    return NoDeviceError("device.none.connected", hint=hints)
