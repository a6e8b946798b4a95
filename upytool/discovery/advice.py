"""No board was found: what the user is told depends on what there is."""

from __future__ import annotations

from ..errors import NoDeviceError, TransportError
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
        waiting = f"a board is in its bootloader, waiting for firmware: {', '.join(names[:3])}"
        error.hint = "\n".join(filter(None, (waiting, "to flash it, run `upytool flash`", error.hint)))
    return error


def _named(bootloaders: list[UsbDevice] | None) -> list[str]:
    waiting = boards_in_bootloader() if bootloaders is None else bootloaders
    return sorted({f"{device.bootloader} ({device.location})" for device in waiting})


def no_device(
    ports: list[SerialPort], running: list[str], bootloaders: list[UsbDevice] | None = None
) -> NoDeviceError:
    """The error for `auto` that found nothing.

    Args:
        ports: the serial ports there are.
        running: selectors of simulated boards that run.
        bootloaders: boards in a bootloader; None looks for them.
    """
    names = _named(bootloaders)
    names += sorted(port.path + ": " + port.what for port in ports if port.kind == "bootloader")
    hints = []
    if running:
        hints.append(f"a simulated board runs: upytool -d {running[0]} ...")
    if names:
        listed = ", ".join(names[:3])
        message = f"no board with a REPL is connected, but one waits in its bootloader: {listed}"
        hints.insert(0, "put firmware on it: `upytool flash`; or reset it to leave the bootloader")
        return NoDeviceError(message, hint="\n".join(hints))
    others = [port for port in ports if port.usb_id]
    if others:
        rows = [f"  -d port:{port.path}  {port.what}" for port in others[:5]]
        hints.append("these are not known as boards; if one of them is, name it:\n" + "\n".join(rows))
        return NoDeviceError("no board was found among the serial ports", hint="\n".join(hints))
    if not running:
        hints.append(
            "plug one in with a USB cable that carries data, and see `upytool devs`;\n"
            "without hardware: `upytool sim start`"
        )
    return NoDeviceError("no board is connected", hint="\n".join(hints))
