"""STM32 and relatives through DFU: ST's boot ROM, MicroPython's mboot, Arduino's loaders, plain DFU 1.1 devices.

Devices are found by interface class, not by id. Writing is in dfu_loader.py (DfuSe, with addresses) and dfu_plain.py
(files as a whole).

Sources: USB DFU 1.1 (descriptors); ST AN2606, AN3156; MicroPython `ports/stm32/mboot/main.c`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError, UpytoolError
from ..events import NULL, Reporter
from ..image.base import FirmwareImage
from ..protocol import dfu
from ..protocol.dfu import Functional
from .base import FlashOptions, FlashTarget, Loader
from .dfu_layout import Layout, corrected, parse_layout
from .dfu_loader import DfuLoader
from .dfu_plain import PlainLoader, plain_refusal
from .dfu_session import DfuSession
from .usb import Interface


@dataclass(frozen=True, slots=True)
class DfuInterface:
    """The DFU interface of a device in its bootloader: its number, alternate settings and descriptor."""

    number: int
    settings: tuple[Interface, ...]
    functional: Functional

    @property
    def dfuse(self) -> bool:
        """Whether memory is addressed. The names tell too: some clones claim DFU 1.1."""
        return self.functional.version == dfu.DFUSE or any(
            each.name.startswith("@") and "/" in each.name for each in self.settings
        )


def dfu_interface(interfaces: list[Interface]) -> DfuInterface | None:
    """The first DFU interface in DFU mode, or None."""
    settings = [each for each in interfaces if each.triple == (*dfu.INTERFACE, dfu.PROTOCOL_DFU)]
    if not settings:
        return None
    number = settings[0].number
    settings = sorted((each for each in settings if each.number == number), key=lambda each: each.alternate)
    found = next(filter(None, (dfu.functional(each.extra) for each in settings)), None)
    return DfuInterface(number, tuple(settings), found or Functional(True, True, False, False, 0, 0, dfu.DFUSE))


class DfuFlasher:
    """Opens DFU devices.

    Args:
        sleep, now: the clock; a model brings its own.
    """

    name = "dfu"

    def __init__(self, sleep: Callable[[float], None] = time.sleep, now: Callable[[], float] = time.monotonic) -> None:
        self._sleep, self._now = sleep, now

    def declines(self, target: FlashTarget, image: FirmwareImage | None) -> str:
        if target.usb is None or target.bus is None:
            if target.state == "bootloader":
                return "it is not on USB"
            if target.mcu_port != "stm32" and (image is None or image.port != "stm32"):
                return "no STM32, and not in a DFU bootloader"
            return ""
        try:
            found = dfu_interface(target.bus.interfaces(target.usb))
        except UpytoolError as error:
            return error.message
        if found is None:
            return "it is not in a DFU bootloader"
        if image is None:
            return ""
        if not found.dfuse:
            return str(plain_refusal(target.usb, image))
        if image.port not in ("", "stm32"):
            return f"a DFU bootloader of the STM32 kind takes no firmware for {image.chip or image.port}"
        return ""

    def open(self, target: FlashTarget, options: FlashOptions, *, reporter: Reporter = NULL) -> Loader:
        if target.usb is None or target.bus is None:
            raise FlashError("flash.no-loader", name=target.name)
        found = dfu_interface(target.bus.interfaces(target.usb))
        if found is None:
            raise FlashError("flash.no-dfu-loader", name=target.name)
        link = target.bus.open(target.usb)
        try:
            session = DfuSession(link, found.number, found.functional, sleep=self._sleep, now=self._now)
            first = found.settings[0].alternate
            if not found.dfuse:
                session.select(first)
                return PlainLoader(session, target.usb)
            layout = read_layout(found, target.usb, options.layout)
            session.select(layout.flash[0].alternate if layout.flash else first)
            return DfuLoader(session, target.usb, layout)
        except BaseException:
            link.close()
            raise


def read_layout(found: DfuInterface, device: UsbDevice, given: str = "") -> Layout:
    """The memory of all alternate settings; `given` takes the place of the first one's.

    Raises: FlashError where the device's own description cannot be used and none is given.
    """
    layouts: list[Layout] = []
    problem: FlashError | None = None
    for each in found.settings:
        first = each is found.settings[0]
        try:
            layout = parse_layout(given if given and first else each.name, each.alternate)
        except FlashError as error:
            problem = problem or error  # a setting with a broken name is of no use, the others are
            continue
        if first and not given:
            layout = corrected(layout, device.vid, device.pid, device.serial_number) or layout
        layouts.append(layout)
    joined = Layout.join(layouts)
    if not joined.flash and problem is not None:
        raise problem
    return joined
