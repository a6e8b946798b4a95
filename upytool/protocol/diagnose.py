"""Why a board gave no raw REPL: from the last bytes it sent to one sentence and advice."""

from __future__ import annotations

import re
from collections.abc import Callable

from ..errors import BootloaderError, RawReplError

# What the boot ROM of an ESP answers alone: esptool's SYNC, a SLIP frame (Espressif, "Serial Protocol").
ESP_SYNC = b"\xc0\x00\x08\x24\x00\x00\x00\x00\x00\x07\x07\x12\x20" + b"U" * 32 + b"\xc0"
# ESP32: "boot:0x3 (DOWNLOAD_BOOT(UART0/...))" and a line "waiting for download", as no traceback has it; the answer to
# SYNC.
_ESP_ROM = re.compile(
    rb"\bboot:0x[0-9a-f]+ \(DOWNLOAD[_(]|(?:^|\n)waiting for download\r?\n|\xc0\x01\x08[\x02\x04]\x00"
)

_SIGNS: tuple[tuple[re.Pattern[bytes], Callable[[], RawReplError]], ...] = (
    (
        re.compile(rb"invalid header: 0x|flash read err|No bootable app|ets_main\.c"),
        lambda: RawReplError("protocol.raw-repl.no-firmware"),
    ),
    (
        re.compile(rb"Guru Meditation|Brownout detector|abort\(\) was called|Backtrace:"),
        lambda: RawReplError("protocol.raw-repl.crashes"),
    ),
    (
        re.compile(rb"CircuitPython|Auto-reload|Press any key to enter the REPL"),
        lambda: RawReplError("protocol.raw-repl.circuitpython"),
    ),
    (
        re.compile(rb"KeyboardInterrupt"),
        lambda: RawReplError("protocol.raw-repl.catches-interrupt"),
    ),
    (
        # The last thing it says: a board on a cable may announce WebREPL on its way to a program of the user's.
        re.compile(rb"(?:^|\n)Password: ?\Z"),
        lambda: RawReplError("protocol.raw-repl.password"),
    ),
)


def in_bootloader(seen: bytes) -> BootloaderError | None:
    """The error for a board whose last bytes say that it waits for firmware, else None."""
    return BootloaderError() if _ESP_ROM.search(seen) else None


def explain_silence(seen: bytes, waited: float) -> RawReplError:
    """The error for a board that showed no raw prompt within `waited` seconds, `seen` being its last bytes."""
    if (waiting := in_bootloader(seen)) is not None:
        return waiting
    for pattern, error in _SIGNS:
        if pattern.search(seen):
            return error()
    if not seen.strip(b"\0"):
        return RawReplError("protocol.raw-repl.silent", seconds=waited)
    printable = sum(32 <= byte < 127 or byte in (9, 10, 13, 27) for byte in seen)
    if printable < 0.7 * len(seen):
        return RawReplError("protocol.raw-repl.not-text")
    last = seen.decode("utf-8", "replace").strip().splitlines()
    if not last:
        return RawReplError("protocol.raw-repl.no-prompt", seconds=waited)
    return RawReplError("protocol.raw-repl.no-prompt-after", seconds=waited, last=last[-1].strip()[:60])
