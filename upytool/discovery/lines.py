"""What to do with DTR and RTS, and which baud rates are safe.

What is known (device-client.md b3; esptool's reset.py; MicroPython's shared/tinyusb):

- Native USB (TinyUSB): DTR tells the board that somebody listens; it must be on or output is dropped.
- Espressif's auto-reset circuit: DTR and RTS equal lets the chip run, RTS alone holds it in reset, DTR alone
  selects the ROM loader. Linux and macOS raise both in one request at opening and drop both in one at
  closing, so nothing is to be done; to have both off, both must be dropped in one request too.
- Windows with Silicon Labs' driver sets them at different times: open with both off, raise DTR before RTS,
  and drop RTS before DTR (never RTS alone).
- Boards without the two transistors (ESP32-CAM-MB) run only with both off: the user says --no-dtr --no-rts.
- Opening at 1200 baud and dropping DTR sends many boards to their bootloader: 1200 is refused.
"""

from __future__ import annotations

import sys

from ..errors import UsageError
from ..transport.serial import Lines
from .ports import SerialPort
from .usb_ids import VID_SILABS

TOUCH_BAUD = 1200


def lines_for(
    port: SerialPort | None,
    *,
    dtr: bool | None = None,
    rts: bool | None = None,
    platform: str = sys.platform,
) -> Lines:
    """The modem lines for `port`; the user's `dtr` and `rts` win.

    A line that is None is left as the driver sets it, which is on.
    """
    if dtr is not None or rts is not None:
        return Lines(dtr=dtr, rts=rts)
    if platform == "win32" and port is not None and port.vid == VID_SILABS:
        return Lines(dtr=True, rts=True, staged=True)
    return Lines()


def check_baud(baud: int) -> int:
    """`baud`, or a UsageError for what cannot be or must not be."""
    if baud == TOUCH_BAUD:
        raise UsageError("usage.baud-1200")
    if not 0 < baud <= 20_000_000:
        raise UsageError("usage.baud", baud=baud)
    return baud
