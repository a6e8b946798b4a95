"""What is said over Bluetooth LE: the Nordic UART service, and the login of our module on the board.

The service is a convention (Nordic Semiconductor's nRF Connect SDK, `bt_nus`): what the central writes goes to the
board's terminal, what the terminal prints is notified. MicroPython's example ble_uart_repl.py speaks it, and so does
our `firmware/modules/ble_repl`, which adds one characteristic, LOGIN. It is read and written:

    read    version (1), locked (0 or 1), in_flight (u16, little-endian), nonce (8 bytes)
    write   proof (16 bytes): the first half of HMAC-SHA256(password, "upytool ble_repl 1" + nonce)

A board takes one proof per connection, whose nonce is its own, and drops who sends a wrong one or none for a while.
So what is heard on the air cannot be used again, and the password itself is never on it.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from ..errors import StreamError

SERVICE = "6e400001-b5a3-f393-e0a9-e50e24dcca9e"
TO_BOARD = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
FROM_BOARD = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"
LOGIN = "a4aa3d24-58e1-4f48-9032-87383aac915b"

# MicroPython's ble_uart_peripheral.py: gatts_set_buffer(rx, 100, append=True). Whoever else runs the service has more.
IN_FLIGHT = 100
SHORTEST_PASSWORD, LONGEST_PASSWORD = 8, 64  # characters of ASCII; as in ble_repl.py
LOGIN_SECONDS = 20.0  # that a board waits for a proof; _LINGER in ble_repl.py
_VERSION = 1
_PURPOSE = b"upytool ble_repl 1"


class Login(NamedTuple):
    """What LOGIN says.

    Attributes:
        locked: the terminal takes nothing from this connection before a proof.
        in_flight: bytes that the board's buffers take at once.
        nonce: what the proof is about.
    """

    locked: bool
    in_flight: int
    nonce: bytes


def parse_login(data: bytes) -> Login:
    """Read LOGIN's value. Errors: StreamError for another version of it."""
    if len(data) != 12 or data[0] != _VERSION:
        raise StreamError("protocol.stream.ble-repl-version")
    return Login(data[1] != 0, max(int.from_bytes(data[2:4], "little"), IN_FLIGHT), bytes(data[4:]))


def proof_of(password: str, nonce: bytes) -> bytes:
    """What shows that the password is known, 16 bytes."""
    return hmac.digest(password.encode(), _PURPOSE + nonce, "sha256")[:16]
