"""Each way in which a system refuses Bluetooth is an error of ours with its own class and hint."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("bleak")

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakDeviceNotFoundError,
    BleakError,
    BleakGATTProtocolError,
)

from upytool.errors import (
    ConnectionLostError,
    NotAuthorizedError,
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    PortUnusableError,
    TransportError,
)
from upytool.transport.ble_errors import explain_ble_error

R = BleakBluetoothNotAvailableReason


def windows_error(number: int) -> OSError:
    """What WinRT raises, as far as it is looked at."""
    error = OSError("The device is not ready for use")
    error.winerror = number  # type: ignore[attr-defined]
    return error


def unavailable(reason: R) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError("words of bleak's", reason)


def dbus(name: str, *body: Any) -> BleakDBusError:
    return BleakDBusError(name, list(body))


CASES: list[tuple[str, Exception, type[TransportError]]] = [
    ("linux", unavailable(R.NO_BLUETOOTH), PortMissingError),
    ("win32", unavailable(R.NO_BLE_CENTRAL_ROLE), PortUnusableError),
    ("linux", unavailable(R.POWERED_OFF), PortUnusableError),
    ("darwin", unavailable(R.POWERED_OFF), PortUnusableError),
    ("darwin", unavailable(R.DENIED_BY_USER), PortPermissionError),
    ("linux", unavailable(R.DENIED_BY_SYSTEM), PortPermissionError),
    ("win32", unavailable(R.DENIED_BY_UNKNOWN), PortPermissionError),
    ("linux", unavailable(R.UNKNOWN), PortUnusableError),
    # BlueZ and D-Bus
    ("linux", FileNotFoundError(2, "No such file or directory"), PortUnusableError),
    ("linux", ConnectionRefusedError(111, "Connection refused"), PortUnusableError),
    ("linux", PermissionError(13, "Permission denied"), PortPermissionError),
    ("linux", dbus("org.freedesktop.DBus.Error.ServiceUnknown", "not provided by any file"), PortUnusableError),
    ("linux", dbus("org.freedesktop.DBus.Error.AccessDenied", "rejected"), PortPermissionError),
    ("linux", dbus("org.bluez.Error.NotReady", "Resource Not Ready"), PortUnusableError),
    ("linux", dbus("org.bluez.Error.AuthenticationFailed", "Authentication Failed"), NotAuthorizedError),
    ("linux", dbus("org.bluez.Error.AuthenticationCanceled", ""), NotAuthorizedError),
    ("linux", dbus("org.bluez.Error.NotPermitted", "Not paired"), NotAuthorizedError),
    ("linux", dbus("org.bluez.Error.Failed", "le-connection-abort-by-local"), PortUnusableError),
    # WinRT
    ("win32", windows_error(-2147020577), PortUnusableError),
    ("win32", BleakError("Could not pair with device: AUTHENTICATION_FAILURE"), NotAuthorizedError),
    ("win32", BleakError("Failure trying to pair with device!"), NotAuthorizedError),
    ("win32", BleakError("Could not get GATT services: Access Denied"), PortBusyError),
    ("win32", BleakError("Could not get GATT services: Unreachable"), PortUnusableError),
    # CoreBluetooth
    ("darwin", BleakError("Failed to connect: Peer removed pairing information"), NotAuthorizedError),
    ("darwin", BleakError("Encryption is insufficient."), NotAuthorizedError),
    # everywhere
    ("linux", BleakGATTProtocolError(0x05), NotAuthorizedError),
    ("darwin", BleakGATTProtocolError(0x0F), NotAuthorizedError),
    ("linux", BleakGATTProtocolError(0x0E), PortUnusableError),
    ("linux", BleakDeviceNotFoundError("AA", "Device with address AA was not found."), PortMissingError),
    ("linux", TimeoutError(), PortUnusableError),
    ("linux", AssertionError(), PortUnusableError),
]


@pytest.mark.parametrize(("platform", "error", "expected"), CASES)
def test_before_there_is_a_connection(platform: str, error: Exception, expected: type[TransportError]) -> None:
    ours = explain_ble_error("ble://x", error, lost=False, platform=platform)
    assert type(ours) is expected
    assert ours.message
    assert "words" not in ours.message or "not available" in ours.message
    assert ours.hint


def test_off_is_not_missing_and_not_forbidden() -> None:
    messages = {explain_ble_error("x", unavailable(reason), lost=False).message for reason in R}
    assert len(messages) == 5, "the three kinds of denied are one"


def test_off_has_the_command_of_the_system() -> None:
    hints = {
        platform: explain_ble_error("x", unavailable(R.POWERED_OFF), lost=False, platform=platform).hint
        for platform in ("linux", "darwin", "win32")
    }
    assert "bluetoothctl" in hints["linux"]
    assert "bluetoothctl" not in hints["darwin"] + hints["win32"]


@pytest.mark.parametrize("error", [BleakError("disconnected"), BleakError("Not connected"), TimeoutError(), EOFError()])
def test_after_the_connection_ended(error: Exception) -> None:
    assert type(explain_ble_error("ble://x", error, lost=True)) is ConnectionLostError


def test_a_pairing_that_ends_the_connection_is_a_refused_pairing() -> None:
    assert type(explain_ble_error("x", BleakGATTProtocolError(0x05), lost=True)) is NotAuthorizedError


def test_ours_stay_ours() -> None:
    ours = PortBusyError("x", hint="y")
    assert explain_ble_error("z", ours, lost=True) is ours
