"""A board over Bluetooth LE: `ble://NAME` or `ble://ADDRESS`, the Nordic UART service (protocol/ble.py).

bleak knows asyncio only, so its loop runs in a thread of its own (loop_thread.py). A write waits for the board's answer
to it, which holds the sender back as a wire would; what is notified gathers until it is read.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from urllib.parse import unquote

from .. import limits
from ..errors import (
    ConnectionLostError,
    NotAuthorizedError,
    PortMissingError,
    PortUnusableError,
    UpytoolError,
    UsageError,
)
from ..protocol import ble as protocol
from ..secret import Secret
from ..words import Said
from .base import WRITE_TIMEOUT
from .ble_errors import explain_ble_error, lost_connection, not_paired
from .ble_scan import find, import_bleak
from .loop_thread import SLICE, LoopThread

T = TypeVar("T")

FIND_SECONDS = 10.0
CONNECT_SECONDS = 30.0
PAIR_SECONDS = 60.0  # the system may ask the user
GATT_SECONDS = 10.0
CLOSE_SECONDS = 5.0
AGAIN_SECONDS = 30.0


class BleTransport:
    """A Transport over Bluetooth LE that can connect again.

    Args:
        url: `ble://NAME` or `ble://ADDRESS`; a name may be percent-encoded.
        password: gives the password for an address; it is asked once, when the board is locked.
        tell: receives a sentence for the user about what is waited for, once a second.

    Attributes:
        interrupts: Ctrl-C reaches a running program; other modules than ours lose the terminal over it
            (micropython#18331).
        in_flight: bytes that the board's buffers take at once.

    Raises:
        UsageError, MissingExtraError, AmbiguousDeviceError, PortMissingError, PortUnusableError, PortPermissionError,
        PortBusyError, NotAuthorizedError.
    """

    survives_reset = False

    def __init__(
        self, url: str, password: Callable[[str], Secret], tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self.name = url
        self._wanted = unquote(url.partition("://")[2]).rstrip("/")
        if not self._wanted:
            raise UsageError("usage.ble-name", url=url)
        self._ask, self._tell = password, tell
        self._client: Any = None
        self._to_board: Any = None
        self._secret: Secret | None = None
        self._arrived = threading.Condition()
        self._open(FIND_SECONDS)

    # -- getting there ----------------------------------------------------------------------------

    def _open(self, seconds: float) -> None:
        self.interrupts, self.in_flight = False, protocol.IN_FLIGHT
        self._data = bytearray()
        self._gone = self._closed = False
        self._client = self._to_board = None
        self._loop = LoopThread("bluetooth")
        try:
            device = self._do(find(self._wanted, seconds), f"looking for {self.name}", seconds, slack=GATT_SECONDS)
            self._do(self._connect(device.handle), f"connecting to {self.name}", CONNECT_SECONDS)
            service = self._client.services.get_service(protocol.SERVICE)
            self._to_board, from_board, login = (
                service.get_characteristic(uuid) if service is not None else None
                for uuid in (protocol.TO_BOARD, protocol.FROM_BOARD, protocol.LOGIN)
            )
            if self._to_board is None or from_board is None:
                raise PortUnusableError("transport.unusable.no-uart-service", name=self.name)
            self._do(self._client.start_notify(from_board, self._on_data), f"connecting to {self.name}")
            if login is not None:
                self._log_in(login)
        except BaseException:
            self.close()
            raise

    async def _connect(self, device: Any) -> None:
        self._client = import_bleak().BleakClient(
            device, disconnected_callback=self._on_gone, services=[protocol.SERVICE], timeout=CONNECT_SECONDS
        )
        await self._client.connect()

    def _log_in(self, characteristic: Any) -> None:
        doing = f"logging in to {self.name}"
        state = protocol.parse_login(self._paired(lambda: self._client.read_gatt_char(characteristic), doing))
        # Our module passes a Ctrl-C on to the program, whatever the port.
        self.interrupts, self.in_flight = True, state.in_flight
        if not state.locked:
            return
        if self._secret is None:
            asked = time.monotonic()
            self._secret = self._ask(self.name)
            if not self._linked or time.monotonic() - asked > protocol.LOGIN_SECONDS / 2:
                # Typed slowly: the board has ended the connection, or is about to. Now there is no wait any more.
                self.close()
                self._open(FIND_SECONDS)
                return
        proof = protocol.proof_of(self._secret.reveal(), state.nonce)
        try:
            self._paired(lambda: self._client.write_gatt_char(characteristic, proof, response=True), doing)
            locked = protocol.parse_login(self._do(self._client.read_gatt_char(characteristic), doing)).locked
        except (ConnectionLostError, PortUnusableError):
            if self._linked:
                raise
            locked = True  # the end of the connection is how the board says no
        if locked:
            source, self._secret = self._secret.source, None
            raise NotAuthorizedError(
                "transport.password.ble",
                name=self.name,
                hint=Said("transport.password-from", source=source) if source else Said("transport.password-of-ble"),
            )

    def _paired(self, work: Callable[[], Coroutine[Any, Any, T]], doing: str) -> T:
        """Do `work`; where the board wants an encrypted connection, pair with it and do it again."""
        try:
            return self._do(work(), doing)
        except NotAuthorizedError:
            pass
        try:
            self._do(self._client.pair(), f"pairing with {self.name}, the system may ask you", PAIR_SECONDS)
        except (NotImplementedError, PortUnusableError, ConnectionLostError) as error:
            # NotImplementedError: macOS pairs by itself, and just did not.
            raise not_paired(self.name) from error
        return self._do(work(), doing)

    def _do(self, work: Coroutine[Any, Any, T], doing: str, limit: float = GATT_SECONDS, *, slack: float = 0.0) -> T:
        """The result of `work`, waited for with a word a second; bleak's errors as ours."""
        linked = self._linked
        try:
            return self._loop.run(
                work,
                limit + slack,
                lambda passed: self._tell(f"{doing} ({passed:.0f} s of {limit:.0f} s, Ctrl-C stops)"),
            )
        except (UpytoolError, NotImplementedError):
            raise
        except Exception as error:  # of bleak's and of what is below it: D-Bus, WinRT, CoreBluetooth
            raise explain_ble_error(self.name, error, lost=linked and not self._linked) from error

    @property
    def _linked(self) -> bool:
        return self._client is not None and not self._gone and bool(self._client.is_connected)

    def reconnect(self, seconds: float = AGAIN_SECONDS) -> None:
        """Connect again after the connection was lost or has to be dropped; nothing of the old one is left.

        Errors: ConnectionLostError when that did not succeed within `seconds`; NotAuthorizedError.
        """
        self.close()
        deadline = time.monotonic() + seconds
        while True:
            try:
                self._open(min(FIND_SECONDS, max(1.0, deadline - time.monotonic())))
                return
            except (PortMissingError, PortUnusableError, ConnectionLostError) as error:
                if time.monotonic() >= deadline:
                    raise ConnectionLostError(
                        "transport.lost.no-reconnect.ble", name=self.name, seconds=seconds
                    ) from error
                time.sleep(SLICE)

    # -- in the loop's thread -----------------------------------------------------------------------

    def _on_data(self, _: Any, data: bytearray) -> None:
        with self._arrived:
            if not self._gone:
                self._data += data
            if len(self._data) > limits.BLE_BYTES:
                self._gone = True  # what was read so far is whole; what follows would have a hole before it
            self._arrived.notify_all()

    def _on_gone(self, client: Any) -> None:
        with self._arrived:
            if client is self._client:  # and not the one before
                self._gone = True
            self._arrived.notify_all()

    # -- a pipe ---------------------------------------------------------------------------------------

    def read(self, timeout: float | None) -> bytes:
        end = None if timeout is None else time.monotonic() + timeout
        with self._arrived:
            while not self._data and not self._gone:
                left = SLICE if end is None else min(SLICE, end - time.monotonic())
                if left <= 0:
                    return b""
                self._arrived.wait(left)
            if not self._data:
                raise lost_connection(self.name)
            data = bytes(self._data)
            self._data.clear()
            return data

    def write(self, data: bytes) -> None:
        if self._gone or self._closed:
            raise lost_connection(self.name)
        try:
            self._loop.run(self._send(data), WRITE_TIMEOUT * (1 + len(data) // self.in_flight))
        except TimeoutError as error:
            raise ConnectionLostError("transport.lost.write-timeout", name=self.name, seconds=WRITE_TIMEOUT) from error
        except Exception as error:
            raise explain_ble_error(self.name, error, lost=True) from error

    async def _send(self, data: bytes) -> None:
        import asyncio

        characteristic = self._to_board
        # A longer value would go in pieces that BTstack's side of MicroPython puts in each other's place.
        size = min(characteristic.max_write_without_response_size, self.in_flight)
        answered = "write" in characteristic.properties
        for at in range(0, len(data), size):
            async with asyncio.timeout(WRITE_TIMEOUT):
                await self._client.write_gatt_char(characteristic, data[at : at + size], response=answered)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        try:
            if self._client is not None and self._client.is_connected:
                self._loop.run(self._client.disconnect(), CLOSE_SECONDS)
        except Exception:  # what does not let itself be closed is left to the system
            pass
        finally:
            self._loop.close()

    def fileno(self) -> int | None:
        return None
