"""What esptool's words and a ROM's boot log mean, and what to do about it.

Sources: esptool's documentation "Boot Mode Selection" (the bits of "boot:0x13" for each chip) and "Troubleshooting",
and the messages of esptool 5.6.
"""

from __future__ import annotations

import re
from typing import Literal

from ..errors import FlashError, ImageError, UpytoolError
from ..words import Said
from .base import FlashTarget
from .buttons import boot_pin

# What the pins that choose the boot mode are, and their bits in the ROM's "boot:0x..": (GPIO of the bootloader, its
# bit, a second GPIO that must have a level too, its bit, that level). All but the ESP32 have the same bits.
_STRAPS: dict[str, tuple[int, int, int, int, int]] = {
    "esp32": (0, 0x10, 2, 0x08, 0),
    "esp32s2": (0, 0x08, 46, 0x04, 0),
    "esp32s3": (0, 0x08, 46, 0x04, 0),
    "esp32c5": (28, 0x08, 27, 0x04, 1),
    "esp32p4": (35, 0x08, 36, 0x04, 1),
} | {f"esp32{name}": (9, 0x08, 8, 0x04, 1) for name in ("c2", "c3", "c6", "c61", "h2")}
# Its button leads into Arduino's own DFU bootloader (flash/buttons.py); this into the ROM's, which esptool speaks to.
_BOARD_STEPS = {"ARDUINO_NANO_ESP32": "flash.hint.esp-by-hand-nano"}
# Bytes were lost or changed on the way, as a bad cable does; "digest": all came, and is not what its checksum says.
Fault = Literal["", "transfer", "digest"]
_CRASH = re.compile(r"Guru Meditation Error detected\s*(\([^)]*\))?")


def boot_button(chip: str) -> str:
    """What the button is called: "BOOT (GPIO9)"."""
    name = "FLASH" if chip == "esp8266" else "BOOT"
    pin = boot_pin(chip)
    return f"{name} (GPIO{pin})" if pin is not None else name


def button_steps(chip: str = "", board: str = "") -> Said:
    """How to bring a board into its bootloader by hand."""
    if board in _BOARD_STEPS:
        return Said(_BOARD_STEPS[board])
    return Said("flash.hint.esp-by-hand", button=boot_button(chip))


def boot_mode(bits: int, chip: str = "") -> Said:
    """What the strapping pins said at reset, for a chip that did not enter its bootloader.

    Args:
        bits: the number behind "boot:" in the ROM's log.
    """
    if chip not in _STRAPS:
        return Said("flash.esp-pins.read", bits=bits)
    gpio, bit, second, second_bit, wanted = _STRAPS[chip]
    if bits & bit:
        return Said("flash.esp-pins.boot-high", pin=gpio)
    if bool(bits & second_bit) != bool(wanted):
        return Said("flash.esp-pins.second-low" if wanted else "flash.esp-pins.second-high", pin=gpio, second=second)
    return Said("flash.esp-pins.read", bits=bits)


def explain(
    text: str, target: FlashTarget, *, reset: str | Said, doing: str, state: str | Said = "", chip: str = ""
) -> UpytoolError:
    """The error to raise for one of esptool's messages, which have no codes: they are told apart by their words.

    Args:
        text: the message.
        reset: how the board was to enter its bootloader, a few words; "" once it was in it.
        doing: "reading", "erasing", "writing", ...; "connecting" before the bootloader answered.
        state: what is on the board now.
        chip: where it is known already.
    """
    where = target.address or target.name
    chip = chip or target.chip
    first = text.strip().splitlines()[0].strip().rstrip(".") if text.strip() else "no reason given"
    crash = _CRASH.search(text)
    if crash:
        reason = (crash.group(1) or "no cause given").strip("()")
        steps = button_steps(chip, target.board)
        return FlashError("flash.esp-crashed", address=where, reason=reason, hint=steps, state=state)
    mode = re.search(r"Wrong boot mode detected \(0x([0-9a-fA-F]+)\)", text)
    if mode:
        return FlashError(
            "flash.esp-boot-mode",
            address=where,
            pins=boot_mode(int(mode.group(1), 16), chip),
            reset=reset,
            hint=button_steps(chip, target.board),
            state=state,
        )
    if "TX path seems to be down" in text:
        return FlashError("flash.esp-deaf", address=where, state=state)
    if "ROM_LIST" in text or "Unexpected chip" in text or "Failed to autodetect" in text:
        return FlashError("flash.esp-unknown-chip", address=where, reason=first, state=state)
    if "Failed to start stub" in text:
        return FlashError("flash.esp-stub", address=where, state=state)
    if "MD5 of file does not match" in text or "flash region is empty" in text:
        return FlashError("flash.esp-verify-failed", reason=first, address=where, state=state)
    if "not an ESP" in text or "does not contain an ESP" in text or "requires chip revision" in text:
        return ImageError("image.esp-refused", reason=first, state=state)
    if doing == "connecting":
        steps = button_steps(chip, target.board)
        if "No serial data" in text:
            return FlashError("flash.esp-silent", address=where, reset=reset, hint=steps, state=state)
        return FlashError("flash.esp-no-bootloader", address=where, reason=first, reset=reset, hint=steps, state=state)
    return FlashError("flash.esp-failed", doing=doing, address=where, reason=first, state=state)


# Messages after which the same transfer may work over a fresh connection, at a lower rate.
_TRANSFER = re.compile(
    r"Serial data stream stopped|No serial data|No more data to read|Packet content transfer|Invalid head of packet|"
    r"Invalid SLIP escape|Response doesn't match|Corrupt data|Expected digest|Read more than expected|"
    r"Only got \d+ byte|Bad data (?:length|checksum)|Checksum error|Inflate error|Deflate|Expected \d+ byte block|"
    r"result was (?:01)?05|invalid message|format of the received message|Not in flash mode|Invalid command|"
    r"Not enough data|Too much data|MD5 of file does not match|"
    r"region is empty|Failed to start stub|write timeout|No response",
    re.IGNORECASE,
)


def fault_of(text: str) -> Fault:
    """What one of esptool's messages, which have no codes, says of the transfer."""
    if "Digest mismatch" in text:
        return "digest"
    return "transfer" if _TRANSFER.search(text) is not None else ""


def is_shared(error: Exception) -> bool:
    """Whether another program reads from the port, which pyserial says in words alone."""
    return "multiple access on port" in str(error)


def mark(error: UpytoolError, fault: Fault) -> UpytoolError:
    """Note on an error, of whichever class, what is wrong with the transfer."""
    error.fault = fault  # type: ignore[attr-defined]
    return error


def marked(error: Exception) -> Fault:
    """What `mark` noted; "" for any other error."""
    fault: Fault = getattr(error, "fault", "")
    return fault
