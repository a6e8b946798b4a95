"""Bluetooth LE without a radio: real ATT, GATT and SMP (bumble's), a model of the radio (bumble's LocalLink).

A `World` holds boards that can be heard. bleak gets two back ends, `WorldClient` and `WorldScanner`, over a central of
bumble's. bumble lives in one event loop, and each connection of upytool's has a loop of its own: so each loop gets its
own air (`Air`), with fresh controllers for the boards of the world; a board itself lasts.

What differs from a real radio: a connection interval of nothing, no loss, no scan response (bumble's controller has
none: both parts of an advertisement go in one), one connection at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Protocol

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble.att import ATT_Error
from bumble.controller import Controller
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Connection, Device, Peer
from bumble.gatt import Characteristic, Service
from bumble.hci import Address
from bumble.host import Host
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate

CENTRAL = "F6:F7:F8:F9:FA:FB"
MTU = 247
PACKET = 0.001  # seconds on the air; without them a board that floods would keep the loop busy
# It warns of what is said into a connection that has just ended.
logging.getLogger("bumble").setLevel(logging.CRITICAL)
INTERVAL = 30.0  # milliseconds between two advertisements


class Board(Protocol):
    """Something that can be heard and connected to; lasts from connection to connection."""

    address: str
    accepts_pairing: bool

    def advertisement(self) -> bytes | None:
        """What it says of itself, None while it says nothing."""
        ...

    def services(self, air: Peripheral) -> list[Service]:
        """Its GATT services, made anew for each air before it says something there."""
        ...

    def joined(self, air: Peripheral) -> None:
        """It is part of another air."""
        ...

    def connected(self, air: Peripheral) -> None: ...

    def disconnected(self, air: Peripheral) -> None: ...


class World:
    """What is in the air. `bleak_uses(monkeypatch)` makes it bleak's.

    Attributes:
        boards: those that are there.
        failure: what the scanner raises at its start, for an adapter that is missing or off.
        mtu: what the central asks for.
    """

    current: ClassVar[World]

    def __init__(self, *boards: Board) -> None:
        self.boards = list(boards)
        self.failure: Exception | None = None
        self.mtu = MTU
        self.writes: list[bytes] = []
        self._airs: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Air] = weakref.WeakKeyDictionary()

    def bleak_uses(self, monkeypatch: Any) -> None:
        """From now on, in this process, bleak's adapter is this world."""
        monkeypatch.setattr(World, "current", self, raising=False)
        monkeypatch.setattr("bleak.get_platform_client_backend_type", lambda: (WorldClient, "bumble"))
        monkeypatch.setattr("bleak.get_platform_scanner_backend_type", lambda: (WorldScanner, "bumble"))

    async def air(self) -> Air:
        """The air of the running loop."""
        loop = asyncio.get_running_loop()
        if loop not in self._airs:
            self._airs[loop] = Air(self)
            await self._airs[loop].begin()
        return self._airs[loop]


class Air:
    """The radio within one event loop: a central, and a peripheral for each board."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._link = LocalLink()
        self.central = self.device("central", CENTRAL)
        self.peripherals = [Peripheral(self, board) for board in world.boards]

    def device(self, name: str, address: str) -> Device:
        controller = Controller(name, link=self._link, public_address=address)
        return Device(name=name, address=Address(address), host=Host(controller, controller))

    async def begin(self) -> None:
        await self.central.power_on()
        for peripheral in self.peripherals:
            await peripheral.begin()


class Peripheral:
    """A board's end of the air, within one event loop.

    Attributes:
        mtu: of the connection.
        on_mtu: is told of another one.
        on_encryption: is told whether the connection is encrypted now.
        characteristics: for the board, to find them again.
    """

    def __init__(self, air: Air, board: Board) -> None:
        self.board = board
        self._loop = asyncio.get_running_loop()
        self.device = air.device(board.address, board.address)
        self._connection: Connection | None = None
        self.mtu = 23
        self.on_mtu: Callable[[int], object] = lambda mtu: None
        self.on_encryption: Callable[[bool], object] = lambda on: None
        self.characteristics: dict[int, Characteristic[Any]] = {}
        self._advertising = asyncio.Lock()
        self._served = False
        self._tasks: set[asyncio.Future[Any]] = set()

    async def begin(self) -> None:
        self.device.pairing_config_factory = lambda _: PairingConfig(
            mitm=False, delegate=_Delegate(self.board.accepts_pairing)
        )
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)
        await self.device.power_on()
        self.board.joined(self)
        await self.advertise()

    async def advertise(self) -> None:
        async with self._advertising:
            said = self.board.advertisement()
            if said is not None and not self._served:  # a board registers its services, then it advertises
                self._served = True
                self.device.add_services(self.board.services(self))
            await self.device.stop_advertising()
            if said is not None and self._connection is None:
                await self.device.start_advertising(
                    advertising_data=said,
                    scan_response_data=b"",
                    advertising_interval_min=INTERVAL,
                    advertising_interval_max=INTERVAL,
                )

    def say(self) -> None:
        """What the board says of itself has changed."""
        self.soon(lambda: self.later(self.advertise()))

    async def notify(self, characteristic: Characteristic[Any], data: bytes) -> None:
        """Notify the central, whether it has subscribed or not, as NimBLE and BTstack do. In the air's loop only."""
        if self._connection is not None:
            await _ignoring(self.device.notify_subscriber(self._connection, characteristic, data, force=True))
            await asyncio.sleep(PACKET)

    def disconnect(self) -> None:
        """Hang up, as a reset board or one out of range."""
        self.soon(lambda: self._connection and self.later(_ignoring(self._connection.disconnect())))

    def later(self, work: Coroutine[Any, Any, object]) -> None:
        """Do `work` as a task of the air's loop. In that loop only."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def soon(self, work: Callable[[], object]) -> None:
        """Do `work` in the air's loop, if that still runs. From any thread."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(work)

    def _on_connection(self, connection: Connection) -> None:
        self._connection, self.mtu = connection, 23
        connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        connection.on(Connection.EVENT_CONNECTION_ATT_MTU_UPDATE, lambda: self._on_mtu(connection.att_mtu))
        connection.on(
            Connection.EVENT_CONNECTION_ENCRYPTION_CHANGE, lambda: self.on_encryption(connection.is_encrypted)
        )
        self.board.connected(self)

    def _on_mtu(self, mtu: int) -> None:
        self.mtu = mtu
        self.on_mtu(mtu)

    def _on_disconnection(self, _: int) -> None:
        self._connection = None
        self.board.disconnected(self)
        self.say()


class _Delegate(PairingDelegate):
    """Pairs without a question, or refuses."""

    def __init__(self, accepts: bool) -> None:
        super().__init__(PairingDelegate.IoCapability.NO_OUTPUT_NO_INPUT)
        self._accepts = accepts

    async def accept(self) -> bool:
        return self._accepts


async def _ignoring(work: Any) -> None:
    """A board that talks into a connection that just ended hears nothing of it."""
    with contextlib.suppress(Exception):
        await work


def advertisement(name: str, *services: str) -> bytes:
    """Advertising data with a name and 128-bit services."""
    parts = [(AdvertisingData.COMPLETE_LOCAL_NAME, name.encode())]
    if services:
        listed = b"".join(bytes(UUID(uuid)) for uuid in services)
        parts.append((AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS, listed))
    return bytes(AdvertisingData(parts))


# -- bleak's back ends ------------------------------------------------------------------------------


class WorldScanner(BaseBleakScanner):
    """A back end of bleak's scanner: bumble's central listens."""

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: str, **_: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        world = World.current
        if world.failure is not None:
            raise world.failure
        self._central = (await world.air()).central
        self._central.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._central.start_scanning(active=False)

    async def stop(self) -> None:
        self._central.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._central.stop_scanning()

    def _on_advertisement(self, heard: Advertisement) -> None:
        name = heard.data.get(AdvertisingData.Type.COMPLETE_LOCAL_NAME)
        services = heard.data.get(AdvertisingData.Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS) or []
        uuids = [_long(uuid) for uuid in services]
        said = AdvertisementData(name, {}, {}, uuids, None, heard.rssi, ())
        address = str(heard.address).partition("/")[0]
        device = self.create_or_update_device(address, address, name, heard.address, said)
        self.call_detection_callbacks(device, said)


class WorldClient(BaseBleakClient):
    """A back end of bleak's client: bumble's central connects."""

    def __init__(self, address_or_ble_device: Any, services: Any = None, **options: Any) -> None:
        super().__init__(
            address_or_ble_device,
            disconnected_callback=options["disconnected_callback"],
            timeout=options["timeout"],
        )
        self._address = address_or_ble_device.details if isinstance(address_or_ble_device, BLEDevice) else None
        self._connection: Connection | None = None
        self._peer: Any = None

    @property
    def name(self) -> str:
        return self.address

    @property
    def mtu_size(self) -> int:
        return int(self._connection.att_mtu) if self._connection is not None else 23

    @property
    def is_connected(self) -> bool:
        return self._connection is not None

    async def connect(self, pair: bool, **_: Any) -> None:
        central = (await World.current.air()).central
        if self._address is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found")
        self._connection = await central.connect(self._address, timeout=self._timeout)
        self._connection.on(Connection.EVENT_DISCONNECTION, self._on_disconnection)
        self._peer = Peer(self._connection)
        await self._peer.request_mtu(World.current.mtu)
        self.services = await self._discover()

    async def _discover(self) -> BleakGATTServiceCollection:
        found = BleakGATTServiceCollection()
        for service in await self._peer.discover_services():
            theirs = BleakGATTService(service, service.handle, _long(service.uuid))
            found.add_service(theirs)
            for each in await service.discover_characteristics():
                properties = [name for name, flag in _PROPERTIES.items() if each.properties & flag]
                found.add_characteristic(
                    BleakGATTCharacteristic(
                        each, each.handle, _long(each.uuid), properties, lambda: self.mtu_size - 3, theirs
                    )
                )
        return found

    def _on_disconnection(self, _: int) -> None:
        self._connection = self.services = None
        if self._disconnected_callback is not None:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()

    async def pair(self, *_: Any, **__: Any) -> None:
        connection = self._connected()
        try:
            await connection.pair()
        except Exception as error:
            raise BleakError(f"Could not pair with device: {error}") from error

    async def unpair(self) -> None:
        raise NotImplementedError

    def _connected(self) -> Connection:
        if self._connection is None:
            raise BleakError("Not connected")
        return self._connection

    async def read_gatt_char(self, characteristic: Any, **_: Any) -> bytearray:
        return bytearray(await self._answered(characteristic.obj.read_value()))

    async def write_gatt_char(self, characteristic: Any, data: Any, response: bool) -> None:
        if not response and len(data) > self.mtu_size - 3:
            raise BleakError("too long for a write without response")
        World.current.writes.append(bytes(data))
        await self._answered(characteristic.obj.write_value(bytes(data), with_response=response))

    async def _answered(self, work: Any) -> Any:
        """The answer to `work`, which bumble waits for 30 s even when the connection has ended."""
        gone = asyncio.get_running_loop().create_future()
        connection = self._connected()

        def end(_: int) -> None:
            if not gone.done():
                gone.set_result(None)

        connection.on(Connection.EVENT_DISCONNECTION, end)
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise BleakError("disconnected")
        except ATT_Error as error:
            raise BleakGATTProtocolError(error.error_code) from error
        finally:
            task.cancel()
            connection.remove_listener(Connection.EVENT_DISCONNECTION, end)

    async def start_notify(self, characteristic: Any, callback: Any, **_: Any) -> None:
        await characteristic.obj.subscribe(lambda value: callback(bytearray(value)))

    async def stop_notify(self, characteristic: Any) -> None:
        await characteristic.obj.unsubscribe()

    async def read_gatt_descriptor(self, descriptor: Any, **_: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_descriptor(self, descriptor: Any, data: Any) -> None:
        raise NotImplementedError


_PROPERTIES = {
    "read": Characteristic.Properties.READ,
    "write": Characteristic.Properties.WRITE,
    "write-without-response": Characteristic.Properties.WRITE_WITHOUT_RESPONSE,
    "notify": Characteristic.Properties.NOTIFY,
}


def _long(uuid: UUID) -> str:
    """A UUID as bleak writes it."""
    text = uuid.to_hex_str("-").lower()
    return text if len(text) > 8 else f"{text:0>8}-0000-1000-8000-00805f9b34fb"
