"""Whether firmware is for a DFU device, as far as file, ids and memory layout tell: asked before any erase."""

from __future__ import annotations

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError
from ..image import dfuse
from ..image.base import FirmwareImage
from ..words import Said
from .dfu_layout import FLASH, FLASH_SPAN, Layout, vector_table

AGAIN = Said("flash.hint.again.dfu")


def check_image(device: UsbDevice, layout: Layout, image: FirmwareImage) -> list[str]:
    """Warnings about this image on a DfuSe device.

    Raises: ImageError (damaged), FlashError (for another chip, without addresses, outside of the memory).
    """
    image.require_valid()
    if image.port not in ("", "stm32"):
        raise FlashError("flash.dfu-other-chip", chip=image.chip or image.port)
    if not image.place_known:
        raise FlashError("flash.dfu-no-addresses")
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
    error = FlashError(
        "flash.dfu-other-device",
        wanted=f"{suffix.vendor:04x}:{suffix.product:04x}",
        found=f"{device.vid:04x}:{device.pid:04x}",
    )
    if vendor_fits:
        return [f"{error}: another device of the same maker"]
    raise error
