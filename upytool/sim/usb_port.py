"""Transfers to a simulated board's USB device, from any thread, and the words for how they end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

# How a transfer ends: libusb's numbers (libusb.h, enum libusb_error).
OK, INVALID, NO_DEVICE, NOT_FOUND, BUSY, TIMEOUT, OVERFLOW, PIPE, NOT_SUPPORTED = 0, -2, -4, -5, -6, -7, -8, -9, -12

RESET = 32  # the index of what is not a transfer: reset the bus and configure the device again


@dataclass(frozen=True, slots=True)
class UsbIdentity:
    """A configured device.

    Attributes:
        generation: grows with every new device; a transfer names the one that it is for.
        device: its device descriptor, 18 bytes.
        configuration: its configuration descriptor with all that belongs to it.
        busy: numbers of the interfaces that the board's serial port holds.
    """

    generation: int
    device: bytes
    configuration: bytes
    busy: tuple[int, ...] = ()

    @property
    def vid(self) -> int:
        return int.from_bytes(self.device[8:10], "little")

    @property
    def pid(self) -> int:
        return int.from_bytes(self.device[10:12], "little")


@dataclass(eq=False)
class Transfer:
    """One transfer under way.

    Attributes:
        index: endpoint number * 2, plus 1 for OUT; 0 for control transfers; or RESET.
        setup: 8 bytes, b"" for bulk.
        data: what goes out; `count` says how much of it went.
        length: how much may come in (for a control transfer: wLength).
        received: what came in.
        status: how it ended (OK, PIPE ...), None while it has not.
    """

    generation: int
    index: int
    setup: bytes = b""
    data: bytes = b""
    length: int = 0
    count: int = 0
    received: bytearray = field(default_factory=bytearray)
    status: int | None = None
    stage: str = ""
    then: Callable[[bytes], None] | None = None
    done: Callable[[Transfer], None] | None = None

    @classmethod
    def control(cls, generation: int, setup: bytes, data: bytes = b"") -> Transfer:
        return cls(generation, 0, setup, data, int.from_bytes(setup[6:8], "little"))

    @classmethod
    def bulk(cls, generation: int, endpoint: int, data: bytes = b"", length: int = 0) -> Transfer:
        """`endpoint`: its address, with 0x80 for IN."""
        inward = endpoint & 0x80
        return cls(generation, (endpoint & 15) * 2 + (0 if inward else 1), b"", data, length if inward else 0)


class UsbPort(Protocol):
    """The USB socket of a board that runs in a thread of its own."""

    @property
    def identity(self) -> UsbIdentity | None: ...

    @property
    def claims(self) -> Claims: ...

    def submit(self, transfer: Transfer) -> None:
        """Start a transfer; `transfer.done` is called in the board's thread once it has ended."""
        ...

    def cancel(self, transfer: Transfer, status: int = TIMEOUT) -> None:
        """End it so unless it has ended; `done` is called all the same."""
        ...


class Claims:
    """Who holds which interface of the device."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owners: dict[tuple[int, int], object] = {}

    def claim(self, identity: UsbIdentity, interface: int, owner: object) -> int:
        """OK or BUSY."""
        with self._lock:
            self._owners = {key: who for key, who in self._owners.items() if key[0] == identity.generation}
            if interface in identity.busy:
                return BUSY
            return OK if self._owners.setdefault((identity.generation, interface), owner) is owner else BUSY

    def release(self, generation: int, interface: int, owner: object) -> int:
        with self._lock:
            if self._owners.get((generation, interface)) is not owner:
                return NOT_FOUND
            del self._owners[generation, interface]
            return OK

    def release_all(self, owner: object) -> None:
        with self._lock:
            self._owners = {key: who for key, who in self._owners.items() if who is not owner}


class Session(Protocol):
    """One user of a USB port, who may wait. Statuses are those above."""

    def identity(self) -> UsbIdentity | None: ...

    def run(self, transfer: Transfer, timeout: float) -> int:
        """Run it to its end, TIMEOUT after `timeout` seconds."""
        ...

    def claim(self, generation: int, interface: int) -> int: ...

    def release(self, generation: int, interface: int) -> int: ...

    def close(self) -> None: ...


class LocalSession:
    """A session with a board of this process."""

    GRACE = 10.0  # seconds that the board's thread may take to let go of a cancelled transfer

    def __init__(self, port: UsbPort) -> None:
        self._port = port

    def identity(self) -> UsbIdentity | None:
        return self._port.identity

    def run(self, transfer: Transfer, timeout: float) -> int:
        ended = threading.Event()
        transfer.done = lambda _: ended.set()
        self._port.submit(transfer)
        if not ended.wait(timeout):
            self._port.cancel(transfer)
            ended.wait(self.GRACE)
        return NO_DEVICE if transfer.status is None else transfer.status

    def claim(self, generation: int, interface: int) -> int:
        identity = self._port.identity
        if identity is None or identity.generation != generation:
            return NO_DEVICE
        return self._port.claims.claim(identity, interface, self)

    def release(self, generation: int, interface: int) -> int:
        return self._port.claims.release(generation, interface, self)

    def close(self) -> None:
        self._port.claims.release_all(self)
