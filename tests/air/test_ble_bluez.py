"""bleak's own BlueZ back end on a real D-Bus of the test's own; `org.bluez` on it is a model of a few objects.

dbus_fast reads the annotations of its methods as D-Bus signatures.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("bleak")
if not sys.platform.startswith("linux") or shutil.which("dbus-daemon") is None:
    pytest.skip("needs dbus-daemon", allow_module_level=True)

from bleak.backends.client import get_platform_client_backend_type
from bleak.backends.scanner import get_platform_scanner_backend_type
from dbus_fast import Variant
from dbus_fast.aio import MessageBus
from dbus_fast.service import PropertyAccess, ServiceInterface, dbus_method, dbus_property

from upytool.errors import PortMissingError, PortUnusableError
from upytool.transport import ble
from upytool.transport.ble_scan import scan
from upytool.transport.registry import open_transport

CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/>
<allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>
"""


@pytest.fixture(autouse=True)
def _bleaks_own(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The conformance suite may have put bumble in its place for this process.
    monkeypatch.setattr("bleak.get_platform_client_backend_type", get_platform_client_backend_type)
    monkeypatch.setattr("bleak.get_platform_scanner_backend_type", get_platform_scanner_backend_type)
    # bleak lets go of the bus of a loop that has ended when it is used the next time, and of no other.
    made: list[Any] = []

    def recorded(*args: Any, **options: Any) -> Any:
        made.append(MessageBus(*args, **options))
        return made[-1]

    monkeypatch.setattr("bleak.backends.bluezdbus.manager.MessageBus", recorded)
    yield
    for each in made:
        if each._sock is not None:
            each._sock.close()


@pytest.fixture
def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a system bus on which nobody is."""
    configuration = tmp_path / "bus.conf"
    configuration.write_text(CONFIGURATION.format(socket=tmp_path / "bus"))
    daemon = subprocess.Popen(
        ["dbus-daemon", f"--config-file={configuration}", "--nofork", "--print-address=1"], stdout=subprocess.PIPE
    )
    try:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().decode().strip()
        assert address
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield address
    finally:
        daemon.kill()
        daemon.communicate()


class Adapter(ServiceInterface):
    """A model of org.bluez.Adapter1: no discovery ever finds anything."""

    def __init__(self, powered: bool, roles: list[str]) -> None:
        super().__init__("org.bluez.Adapter1")
        self._powered, self._roles = powered, roles

    @dbus_property(access=PropertyAccess.READ)
    def Powered(self) -> "b":  # noqa: F821
        return self._powered

    @dbus_property(access=PropertyAccess.READ)
    def Roles(self) -> "as":  # noqa: F722
        return self._roles

    @dbus_property(access=PropertyAccess.READ)
    def Discovering(self) -> "b":  # noqa: F821
        return True

    @dbus_method()
    def SetDiscoveryFilter(self, _: "a{sv}"):  # noqa: F722
        return

    @dbus_method()
    def StartDiscovery(self):
        return

    @dbus_method()
    def StopDiscovery(self):
        return


class Objects(ServiceInterface):
    """A model of BlueZ's object manager."""

    def __init__(self, adapter: Adapter | None) -> None:
        super().__init__("org.freedesktop.DBus.ObjectManager")
        self._adapter = adapter

    @dbus_method()
    def GetManagedObjects(self) -> "a{oa{sa{sv}}}":  # noqa: F722
        if self._adapter is None:
            return {}
        values = {"Powered": Variant("b", self._adapter._powered), "Roles": Variant("as", self._adapter._roles)}
        return {"/org/bluez/hci0": {"org.bluez.Adapter1": values}}


@pytest.fixture
def bluez(bus: str) -> Iterator[Callable[[Adapter | None], None]]:
    """Put a model of BlueZ with this adapter on the bus."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    buses: list[Any] = []

    def start(adapter: Adapter | None) -> None:
        async def work() -> None:
            connection = await MessageBus(bus_address=os.environ["DBUS_SYSTEM_BUS_ADDRESS"]).connect()
            connection.export("/", Objects(adapter))
            if adapter is not None:
                connection.export("/org/bluez/hci0", adapter)
            await connection.request_name("org.bluez")
            buses.append(connection)

        asyncio.run_coroutine_threadsafe(work(), loop).result(10)

    async def end() -> None:
        for each in buses:
            each.disconnect()
            await each.wait_for_disconnect()

    yield start
    asyncio.run_coroutine_threadsafe(end(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def test_without_a_bus(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path / 'none'}")
    for attempt in (lambda: open_transport("ble://x"), lambda: scan(0.5)):
        with pytest.raises(PortUnusableError):
            attempt()


def test_without_bluez(bus: str) -> None:
    for attempt in (lambda: open_transport("ble://x"), lambda: scan(0.5)):
        with pytest.raises((PortUnusableError, PortMissingError)) as error:
            attempt()
        assert error.value.hint


def test_without_an_adapter(bluez: Callable[[Adapter | None], None]) -> None:
    bluez(None)
    with pytest.raises(PortMissingError):
        open_transport("ble://x")
    with pytest.raises(PortMissingError):
        scan(0.5)


def test_switched_off(bluez: Callable[[Adapter | None], None]) -> None:
    bluez(Adapter(False, ["central", "peripheral"]))
    with pytest.raises(PortUnusableError) as error:
        open_transport("ble://x")
    assert "bluetoothctl power on" in error.value.hint


def test_classic_only(bluez: Callable[[Adapter | None], None]) -> None:
    bluez(Adapter(True, ["peripheral"]))
    with pytest.raises(PortUnusableError):
        scan(0.5)


def test_nothing_in_range(bluez: Callable[[Adapter | None], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ble, "FIND_SECONDS", 0.3)
    bluez(Adapter(True, ["central", "peripheral"]))
    assert scan(0.5) == []
    with pytest.raises(PortMissingError):
        open_transport("ble://x")
