"""Which flasher puts this image on this board; and what speaks against it before any board is touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..discovery.usb_devices import UsbDevice
from ..errors import FlashError
from ..image.base import FirmwareImage
from ..words import Said
from . import registry
from .base import Flasher, FlashTarget
from .layout import same_chip


def candidates(
    target: FlashTarget,
    image: FirmwareImage | None,
    tool: str = "auto",
    *,
    flashers: Sequence[Flasher] | None = None,
) -> list[Flasher]:
    """The flashers that can do it, the best first; never empty.

    Args:
        image: None for a flasher that only reads and erases.
        tool: "auto", or the name of the one to take.
        flashers: None takes those of the registry.

    Raises: FlashError that names every reason, where none can.
    """
    if image is not None:
        require_fit(target, image)
    if tool != "auto":
        chosen = [next((each for each in flashers or () if each.name == tool), None) or registry.load(tool)]
    else:
        chosen = list(flashers) if flashers is not None else registry.automatic()
    fit: list[Flasher] = []
    reasons: dict[str, list[str]] = {}
    later = foreseen(target, image)
    for each in chosen:
        reason = each.declines(target, image)
        if reason and later is not None and each.name in _BOOTSEL:
            reason = each.declines(later, image)
        if reason:
            reasons.setdefault(reason, []).append(each.name)
        else:
            fit.append(each)
    if fit:
        return fit
    said = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
    raise FlashError(
        "flash.cannot-write-there" if image is not None else "flash.no-way-in",
        name=target.name,
        reasons=said,
        hint=_advice(target, image, tool),
    )


# What these chips are on USB, once they have left their firmware for the boot ROM.
_BOOTSEL = ("picoboot", "picotool")
_RP2040, _RP2350 = (0x2E8A, 0x0003), (0x2E8A, 0x000F)


def foreseen(target: FlashTarget, image: FirmwareImage | None) -> FlashTarget | None:
    """A running RP2 board as its bootloader will show; None for others, whose flashers know running boards."""
    port = target.mcu_port or (image.port if image is not None else "")
    if target.state == "bootloader" or port != "rp2":
        return None
    chip = target.chip or (image.chip if image is not None else "")
    device = UsbDevice(*(_RP2350 if chip == "rp2350" else _RP2040), target.location)
    return replace(target, state="bootloader", mcu_port=port, usb=device, bus=None, address="", port=None)


def _advice(target: FlashTarget, image: FirmwareImage | None, tool: str) -> Said:
    if tool != "auto":
        return Said("flash.hint.any-tool")
    if image is not None and image.port and target.mcu_port and image.port != target.mcu_port:
        return where_to_find(target)
    return Said("flash.hint.inspect")


def where_to_find(target: FlashTarget) -> Said:
    """The command that lists firmware for a board, or the boards that it may be."""
    if target.board:
        return Said("flash.hint.firmware-for-board", board=target.board)
    if target.chip and target.chip not in ("stm32", "nrf", "mimxrt"):
        return Said("flash.hint.boards-with-chip", chip=target.chip)
    return Said("flash.hint.boards-of-port", port=target.mcu_port)


def require_fit(target: FlashTarget, image: FirmwareImage) -> None:
    """Refuse what can never work, by what is known before the board is touched.

    Raises: FlashError for another chip or port; ImageError for a damaged file.
    """
    image.require_valid()
    name = _chip_name(image)
    who = target.name if target.board else f"the board on {target.address or target.selector}"
    if not same_chip(target.chip, image.chip):
        raise FlashError(
            "flash.other-chip",
            chip=name,
            name=who,
            board_chip=_article(_pretty(target.chip)),
            hint=where_to_find(target),
        )
    if target.mcu_port and image.port and target.mcu_port != image.port:
        raise FlashError(
            "flash.other-port", port=image.port, name=who, board_port=target.mcu_port, hint=where_to_find(target)
        )


def board_doubt(target: FlashTarget, image: FirmwareImage, image_board: str) -> str:
    """A sentence where the image says it is for another board of the same chip; "" else.

    Args:
        image_board: BOARD[-VARIANT] of the image, "" where not known.
    """
    if not image_board or not target.board:
        return ""
    now = f"{target.board}-{target.variant}" if target.variant else target.board
    if image_board == now:
        return ""
    if image_board.partition("-")[0] == target.board:
        return f"the firmware is the variant {image_board}, the board runs {now}"
    return f"the firmware is for {image_board}, the board calls itself {now}"


def _chip_name(image: FirmwareImage) -> str:
    return _pretty(image.chip or image.port)


def _pretty(chip: str) -> str:
    """RP2040, ESP32-S3, STM32F4."""
    if chip.startswith("esp32") and len(chip) > 5:
        return f"ESP32-{chip[5:].upper()}"
    return chip.upper()


def _article(name: str) -> str:
    """ "an RP2040", "a SAMD51": by how the first letter is spoken, ESP and RP as letters or not."""
    return ("an " if name[:2] in ("RP", "ES", "NR", "IM", "MI", "ST") and not name.startswith("MI") else "a ") + name
