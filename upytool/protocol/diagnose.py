"""Why a board gave no raw REPL: from the last bytes it sent to one sentence and advice."""

from __future__ import annotations

import re

from ..errors import BootloaderError, RawReplError

# What the boot ROM of an ESP answers alone: esptool's SYNC, a SLIP frame (Espressif, "Serial Protocol").
ESP_SYNC = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"U" * 32 + b"\xc0"
# ESP32: "boot:0x3 (DOWNLOAD_BOOT(UART0/...))" and a line "waiting for download", as no traceback has it; the answer to
# SYNC.
_ESP_ROM = re.compile(
    rb"\bboot:0x[0-9a-f]+ \(DOWNLOAD[_(]|(?:^|\n)waiting for download\r?\n|\xc0\x01\x08[\x02\x04]\x00"
)

_SIGNS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        re.compile(rb"invalid header: 0x|flash read err|No bootable app|ets_main\.c"),
        "the board finds no firmware to start",
        "put firmware on it: `upytool flash`",
    ),
    (
        re.compile(rb"Guru Meditation|Brownout detector|abort\(\) was called|Backtrace:"),
        "the firmware of the board crashes and restarts",
        "check the power supply, or put other firmware on it: `upytool flash`",
    ),
    (
        re.compile(rb"CircuitPython|Auto-reload|Press any key to enter the REPL"),
        "the board runs CircuitPython and did not stop its program",
        "press its reset button, then try again",
    ),
    (
        re.compile(rb"KeyboardInterrupt"),
        "the program on the board catches KeyboardInterrupt and goes on",
        "try `upytool rescue`, or press reset while the command tries again",
    ),
    (
        # The last thing it says: a board on a cable may announce WebREPL on its way to a program of the user's.
        re.compile(rb"(?:^|\n)Password: ?\Z"),
        "what is at the other end requires a password",
        "if it is WebREPL, connect to ws://HOST:PORT; upytool asks, or takes it from UPYTOOL_WEBREPL_PASSWORD",
    ),
)


def in_bootloader(seen: bytes) -> BootloaderError | None:
    """The error for a board whose last bytes say that it waits for firmware, else None."""
    return BootloaderError() if _ESP_ROM.search(seen) else None


def explain_silence(seen: bytes, waited: float) -> RawReplError:
    """The error for a board that showed no raw prompt within `waited` seconds, `seen` being its last bytes."""
    if (waiting := in_bootloader(seen)) is not None:
        return waiting
    for pattern, message, hint in _SIGNS:
        if pattern.search(seen):
            return RawReplError(message, hint=hint)
    if not seen.strip(b"\0"):
        return RawReplError(
            f"nothing answers on this port (waited {waited:.0f} s)",
            hint="is it the right port and a MicroPython board? Sleeping or looping boards: `upytool rescue`",
        )
    printable = sum(32 <= byte < 127 or byte in (9, 10, 13, 27) for byte in seen)
    if printable < 0.7 * len(seen):
        return RawReplError(
            "what comes from this port is not text",
            hint="the baud rate may be wrong (--baud), or this is not a MicroPython board",
        )
    last = seen.decode("utf-8", "replace").strip().splitlines()
    shown = f", its last words were {last[-1].strip()[:60]!r}" if last else ""
    return RawReplError(
        f"the board talks but gives no prompt within {waited:.0f} s{shown}",
        hint="its program may swallow Ctrl-C: try `upytool rescue`, or press reset while this command tries",
    )
