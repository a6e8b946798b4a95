"""Listening to a port that may be anything: nothing is written, the lines stay as the driver sets them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from ..errors import ConnectionLostError
from ..transport.base import Transport
from .lines import lines_for
from .ports import SerialPort

OpenPort = Callable[[SerialPort], Transport]

# A GPS receiver talks once a second. It is waited for once only: a board that answered is remembered.
LISTEN = 1.1

_MICROPYTHON = re.compile(rb">>> |MicroPython|raw REPL|CircuitPython")
_FOREIGN: tuple[tuple[re.Pattern[bytes], str], ...] = (
    # NMEA 0183: talker and sentence, "$GPRMC,"; AIS begins with "!".
    (re.compile(rb"[$!](?:G[PNLABQI]|BD|AI|P[A-Z])[A-Z]{2,4},"), "it talks NMEA, a GPS receiver does so"),
    (re.compile(rb"\xb5\x62[\x01-\x29][\x00-\xff]"), "it talks UBX, a u-blox receiver does so"),
    # V.250 result codes and unsolicited ones of mobile modems.
    (
        re.compile(rb"(?:^|\r\n)(?:RING|NO CARRIER|\+C[A-Z]{2,5}: ?|\^[A-Z]{4,8}:|RDY\r)"),
        "it talks like a modem",
    ),
    # Marlin, Klipper, GRBL.
    (re.compile(rb"(?:^|\n)(?:echo:|Grbl \d|ok T:|T:\d+\.\d+ /)"), "it talks like a 3D printer or a mill"),
)


def judge(data: bytes) -> str:
    """Why what said `data` is not a board, '' where it may be one."""
    if _MICROPYTHON.search(data):
        return ""
    for pattern, reason in _FOREIGN:
        if pattern.search(data):
            return reason
    return ""


def looks_binary(data: bytes) -> bool:
    """Whether `data` is not text. A few odd bytes are line noise of a chip that just started."""
    odd = sum(not (32 <= byte < 127 or byte in (7, 8, 9, 10, 13, 27)) for byte in data)
    return len(data) >= 8 and odd > 0.3 * len(data)


def open_quietly(port: SerialPort) -> Transport:
    """Open `port` at 115200 with the lines of its kind."""
    from ..transport.registry import open_transport

    return open_transport(port.path, baud=115200, lines=lines_for(port))


def listen(port: SerialPort, open_port: OpenPort | None = None, clock: Callable[[], float] = time.monotonic) -> str:
    """Why the device behind `port` is not a board, '' where it may be one (silence says nothing).

    It takes up to 1.1 s, less where what is heard decides. Bytes that are no text decide only when they go on
    to the end: the ESP8266's ROM talks at another rate for a moment after a reset, a binary protocol stays.

    Errors: the TransportErrors of opening.
    """
    transport = (open_port or open_quietly)(port)
    try:
        start = clock()
        heard, late = bytearray(), bytearray()
        while (left := start + LISTEN - clock()) > 0:
            data = transport.read(left)
            heard += data
            del heard[:-8192]
            if clock() - start > LISTEN * 2 / 3:
                late += data
            reason = judge(bytes(heard))
            if reason:
                return reason
            if _MICROPYTHON.search(heard):
                return ""
        if looks_binary(bytes(heard)) and looks_binary(bytes(late)):
            return "what it sends all the time is not text"
        return ""
    except ConnectionLostError:
        return "it went away"
    finally:
        transport.close()
