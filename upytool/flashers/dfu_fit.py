"""Whether firmware is for a DFU device, as far as file, ids and memory layout tell: asked before any erase."""

from __future__ import annotations

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError
from ..image import dfuse
from ..image.base import FirmwareImage
from .dfu_layout import FLASH, FLASH_SPAN, Layout, vector_table

AGAIN = (
    "bring the board into its bootloader (BOOT0 at reset, or mboot's button) and run the same command again: "
    "it goes on with what is missing"
)


def check_image(device: UsbDevice, layout: Layout, image: FirmwareImage) -> list[str]:
    """Warnings about this image on a DfuSe device.

    Raises: ImageError (damaged), FlashError (for another chip, without addresses, outside of the memory).
    """
    image.require_valid()
    if image.port not in ("", "stm32"):
        raise FlashError(
            f"the firmware is for {image.chip or image.port}, the board is an STM32",
            hint="take a .dfu file for this board",
        )
    if not image.place_known:
        raise FlashError(
            "the file does not say where in flash it belongs", hint="take the .dfu or .hex file of this firmware"
        )
    warnings = check_suffix(device, image)
    layout.require(image.memory)
    if vector_table(image.memory) is None and image.memory.touches(FLASH, FLASH_SPAN):
        warnings.append("the file holds no vector table: the chip cannot start from it alone")
    return warnings


def check_suffix(device: UsbDevice, image: FirmwareImage) -> list[str]:
    """Compare the ids in the file's suffix with the device's; returns warnings.

    Raises: FlashError for another maker's device.
    """
    suffix = dfuse.read_suffix(image.raw) if image.format in ("dfu", "dfuse") else None
    if suffix is None:
        return []
    vendor_fits = suffix.vendor in (device.vid, dfuse.ANY)
    if vendor_fits and suffix.product in (device.pid, dfuse.ANY):
        return []
    ids = f"the file is for the USB id {suffix.vendor:04x}:{suffix.product:04x}, the device is "
    ids += f"{device.vid:04x}:{device.pid:04x}"
    if vendor_fits:
        return [ids + ": another device of the same maker"]
    raise FlashError(ids, hint="take the firmware for this very board: `upytool firmware list`")
