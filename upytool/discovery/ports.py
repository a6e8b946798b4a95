"""The serial ports of this computer.

pyserial lists them on every platform (on Linux it reads /sys and opens nothing); what each one is likely
to be is in usb_ids.py. A port is a value: asking for it never opens it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass

from .usb_ids import Kind, Likely, classify

# Serial numbers that a maker puts into every unit (Silicon Labs' default among them): useless here.
_COMMON_SERIALS = frozenset(("", "0", "0001", "00000000", "0123456789", "123456", "1234", "ffffffff"))


@dataclass(frozen=True, slots=True)
class SerialPort:
    """One serial port; what the system does not tell is None.

    Attributes:
        path: what is opened, `/dev/ttyACM0` or `COM3`.
        serial_number: of the USB device.
        vid, pid: the USB id.
        manufacturer, product, interface: USB strings.
        location: where on the bus, `1-2.3` or `1-2.3:1.0` (bus, hub ports, interface).
        description: the system's words.
    """

    path: str
    serial_number: str | None = None
    vid: int | None = None
    pid: int | None = None
    manufacturer: str | None = None
    product: str | None = None
    location: str | None = None
    description: str | None = None
    interface: str | None = None

    @property
    def likely(self) -> Likely:
        return classify(self.vid, self.pid, self.manufacturer, self.product, self.interface)

    @property
    def kind(self) -> Kind:
        return self.likely.kind

    @property
    def what(self) -> str:
        """A few words: the product where it says something, else what the id stands for."""
        return self.likely.what

    @property
    def usb_id(self) -> str:
        """`2e8a:0005`, or '' where it is not a USB device."""
        return "" if self.vid is None or self.pid is None else f"{self.vid:04x}:{self.pid:04x}"

    @property
    def hub_port(self) -> str:
        """The location without the interface: the same for all ports of one device."""
        return (self.location or "").partition(":")[0]

    @property
    def has_unique_serial(self) -> bool:
        return (self.serial_number or "").lower() not in _COMMON_SERIALS

    @property
    def key(self) -> str:
        """What the device is recognised by later, '' for ports that are no USB devices."""
        if not self.usb_id:
            return ""
        if self.has_unique_serial:
            return f"{self.usb_id}:{self.serial_number}"
        return f"{self.usb_id}@{self.hub_port}"

    @property
    def selector(self) -> str:
        """A selector that finds this device again, whatever its port is called then."""
        if self.has_unique_serial:
            return f"id:{self.serial_number}"
        return f"usb:{self.location}" if self.location else self.path

    def same_device(self, other: SerialPort) -> bool:
        """Whether both are ports of one USB device (it may have come back with another id or name)."""
        if self.path == other.path and not self.usb_id:
            return True
        if self.has_unique_serial and self.serial_number == other.serial_number:
            return True
        return bool(self.hub_port) and self.hub_port == other.hub_port


def natural(text: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts ttyACM10 behind ttyACM9."""
    return tuple((0, int(part)) if part.isdecimal() else (1, part.lower()) for part in re.split(r"(\d+)", text) if part)


def list_ports() -> list[SerialPort]:
    """Every serial port, in the order of their names (ttyACM10 behind ttyACM9)."""
    from serial.tools.list_ports import comports

    found = [
        SerialPort(
            path=str(info.device),
            serial_number=info.serial_number or None,
            vid=info.vid if isinstance(info.vid, int) else None,
            pid=info.pid if isinstance(info.pid, int) else None,
            manufacturer=_text(info.manufacturer),
            product=_text(info.product),
            location=_text(info.location),
            description=_text(info.description),
            interface=_text(info.interface),
        )
        for info in comports()
    ]
    return sorted(found, key=lambda port: natural(port.path))


PortLister = Callable[[], list[SerialPort]]


def _text(value: object) -> str | None:
    # pyserial says "n/a" where it knows nothing; Windows calls the maker of its own driver "Microsoft".
    text = str(value).strip() if value is not None else ""
    return None if text in ("", "n/a", "Microsoft") else text


def find_path(path: str, ports: list[SerialPort]) -> SerialPort | None:
    """The port that `path` names, a symbolic link (/dev/serial/by-id/...) too."""
    real = os.path.realpath(path) if path.startswith("/") else path
    callout = path.replace("/dev/tty.", "/dev/cu.")  # macOS has two names for one port
    for port in ports:
        if port.path in (path, real, callout) or (os.name == "nt" and port.path.lower() == path.lower()):
            return port
    return None


def devices(ports: list[SerialPort]) -> list[SerialPort]:
    """One port for each device: of a board with several the first, which has its REPL.

    Each port of a bridge with several (FT2232, CH344) is a device of its own.
    """
    chosen: dict[str, SerialPort] = {}
    for port in sorted(ports, key=lambda port: (natural(port.location or ""), natural(port.path))):
        own = port.kind == "bridge" or not port.hub_port
        chosen.setdefault(port.path if own else port.hub_port, port)
    return [port for port in ports if port in chosen.values()]
