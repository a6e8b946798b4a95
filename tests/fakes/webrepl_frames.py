"""A MODEL of how modwebsocket.c reads: what its caller gets of a client's frames, and of control frames by mistake."""

from __future__ import annotations

from collections.abc import Callable

CONTINUATION, TEXT, BINARY, CLOSE = 0, 1, 2, 8


class LostPlace(Exception):
    """A length of 64 bits: what follows is not read as it was meant."""


class FrameReader:
    """The frames of a client as modwebsocket.c reads them; `opcode` is that of the frame that was read last."""

    def __init__(self, on_close: Callable[[], None]) -> None:
        self.inbox = bytearray()
        self.ended = False
        self.opcode = CONTINUATION
        self._on_close = on_close
        self._control = self._closing = False
        self._left = 0  # bytes of the payload still to come; with `_body`
        self._body = False
        self._mask = b""
        self._at = 0

    def read(self, size: int) -> bytes | None:
        """Up to `size` bytes of one payload; None: none yet; b"": the end."""
        while True:
            if not self._body and not self._header():
                return b"" if self.ended else None
            data = b""
            if self._left:
                data = bytes(self.inbox[: min(size, self._left)])
                if not data:
                    return b"" if self.ended else None
                del self.inbox[: len(data)]
                self._left -= len(data)
                if self._mask:
                    data = bytes(byte ^ self._mask[(self._at + i) & 3] for i, byte in enumerate(data))
                    self._at += len(data)
            if not self._left:
                self._body = False
                if self._control:
                    # Only the last piece of its payload is dropped; those before went to the caller as data.
                    if self._closing:
                        self._on_close()
                        return b""
                    continue
            if data:
                return data

    def _header(self) -> bool:
        inbox = self.inbox
        if len(inbox) < 2:
            return False
        size, masked = inbox[1] & 0x7F, bool(inbox[1] & 0x80)
        if size == 127:
            raise LostPlace
        need = 2 + (2 if size == 126 else 0) + (4 if masked else 0)
        if len(inbox) < need:
            return False
        opcode = inbox[0] & 0x0F
        if opcode != CONTINUATION:
            self.opcode = opcode
        self._control = opcode >= CLOSE
        self._closing = opcode == CLOSE
        self._left = int.from_bytes(inbox[2:4], "big") if size == 126 else size
        self._mask, self._at = bytes(inbox[need - 4 : need]) if masked else b"", 0
        self._body = True
        del inbox[:need]
        return True
