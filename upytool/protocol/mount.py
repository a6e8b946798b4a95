"""The frames by which a board asks for files of this computer, in the middle of what its program prints.

    frame    18 B5, length (two bytes, 7 bits each, bit 7 set, low part first), body
    body     the payload and 4 bytes of check, escaped: 10 -> 10 50, 03 -> 10 43, 04 -> 10 44, 18 -> 10 58
    check    of the payload, little-endian, seeded with a number that is drawn anew for each mount

What that buys:

1. 18 B5 never occurs in UTF-8 text, and a frame counts only when its check fits: output that holds a 18, the
   beginning of a frame or an old frame reaches the user byte for byte.
2. No frame holds a 03, so that Ctrl-C works on the board all the time, in the middle of an answer too; no
   04, so that the end of a program (raw_repl.py, law 2) is found behind a frame that was cut short; no
   further 18, so that the next frame is found at once.
3. Requests and answers are seeded differently: an echo of an answer is not a request.

The other side is ondevice/mount.py. The format is our own.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

START = b"\x18\xb5"
HEADER = 4
CHECK = 4
MAX_BODY = 10000
_ESCAPE = 0x10
_ESCAPED = b"\x10\x03\x04\x18"
_BREAKS = (3, 4, 0x18)

Check = Callable[[bytes, int], int]


def crc32(data: bytes, seed: int) -> int:
    """The check where the board has binascii.crc32."""
    return binascii.crc32(data, seed) & 0xFFFFFFFF


def plain_check(data: bytes, seed: int) -> int:
    """The check where it has not: 24 bits, with numbers that stay small integers on a 32-bit board."""
    for byte in data:
        seed = (seed * 33 ^ byte) & 0xFFFFFF
    return seed


def escape(data: bytes) -> bytes:
    for byte in _ESCAPED:
        data = data.replace(bytes((byte,)), bytes((_ESCAPE, byte | 0x40)))
    return data


def unescape(data: bytes) -> bytes:
    for byte in reversed(_ESCAPED):
        data = data.replace(bytes((_ESCAPE, byte | 0x40)), bytes((byte,)))
    return data


def encode(payload: bytes, seed: int, check: Check = crc32) -> bytes:
    """The frame around `payload`."""
    body = escape(payload + check(payload, seed).to_bytes(CHECK, "little"))
    size = len(body)
    if size > MAX_BODY:
        raise ValueError("too long for a frame")
    return START + bytes((size & 0x7F | 0x80, size >> 7 | 0x80)) + body


class FrameFinder:
    """Tells frames from output, whatever the chunks are in which they arrive.

    Args:
        seed: of the frames that are looked for.
    """

    __slots__ = ("_held", "_looked", "check", "seed")

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.check: Check = crc32
        self._held = bytearray()
        self._looked = 0

    @property
    def holding(self) -> bool:
        """Whether the last bytes may be the beginning of a frame."""
        return bool(self._held)

    def feed(self, data: bytes) -> tuple[bytes, list[bytes]]:
        """`data` arrived; returns (output, the payloads of complete frames), each in its order."""
        held = self._held
        if not held and START[0] not in data:
            return data, []
        held += data
        output, payloads, at = bytearray(), [], 0
        while at < len(held):
            start = held.find(START[0], at)
            if start < 0:
                start = len(held)
            output += held[at:start]
            at = start
            if at == len(held):
                break
            found = self._frame(at)
            if found is None:
                break
            end, payload = found
            if payload is None:
                output += held[at:end]
            else:
                payloads.append(payload)
            at, self._looked = end, 0
        del held[:at]
        return bytes(output), payloads

    def flush(self) -> bytes:
        """Nothing came for a while: what was held is output after all."""
        data = bytes(self._held)
        self._held.clear()
        self._looked = 0
        return data

    def _frame(self, at: int) -> tuple[int, bytes | None] | None:
        """What the 18 at `at` begins: None while undecided, else (its end, its payload or None: output)."""
        held = self._held
        have = len(held) - at
        if have > 1 and held[at + 1] != START[1]:
            return at + 1, None
        if have < HEADER:
            return None if all(byte & 0x80 for byte in held[at + 2 :]) else (at + 1, None)
        low, high = held[at + 2], held[at + 3]
        size = (low & 0x7F) | (high & 0x7F) << 7
        if not (low & 0x80 and high & 0x80 and CHECK < size <= MAX_BODY):
            return at + 1, None
        first = at + HEADER
        end = min(first + size, len(held))
        # Bytes that were looked at when they came are not looked at again.
        fresh = first + self._looked
        for byte in _BREAKS:
            if held.find(byte, fresh, end) >= 0:
                return at + 1, None
        if end < first + size:
            self._looked = end - first
            return None
        body = bytes(held[first:end])
        plain = unescape(body)
        # An escape that the board would not have made (a lone one at the end) is a changed byte.
        payload = self._checked(plain) if escape(plain) == body else None
        return (at + 1, None) if payload is None else (end, payload)

    def _checked(self, body: bytes) -> bytes | None:
        payload, said = body[:-CHECK], int.from_bytes(body[-CHECK:], "little")
        for check in (crc32, plain_check):
            if said == check(payload, self.seed):
                self.check = check
                return payload
        return None
