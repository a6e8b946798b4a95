"""What went wrong with Bluetooth, in our own errors: bleak says it in another way on each system.

Facts from bleak 3.1: `bleak/exc.py`, `backends/bluezdbus` (names of D-Bus and BlueZ errors), `backends/winrt` (status
texts, HRESULTs), `backends/corebluetooth`.
"""

from __future__ import annotations

import re
import sys
from typing import Any

from ..errors import (
    ConnectionLostError,
    NotAuthorizedError,
    PortBusyError,
    PortMissingError,
    PortPermissionError,
    PortUnusableError,
    TransportError,
)
from ..words import Said

# ATT error codes that ask for a pairing (Core Specification, Vol 3, Part F, 3.4.1.1).
_ATT_SECURITY = (0x05, 0x08, 0x0C, 0x0F)
_PAIRING = re.compile(
    r"Authentication(Failed|Rejected|Canceled|Timeout)|NotAuthorized|not paired|could not pair|trying to pair"
    r"|pairing|(encryption|authentication) is insufficient|insufficient (encryption|authenti|authori)",
    re.IGNORECASE,
)
_NO_SERVICE = ("ServiceUnknown", "NameHasNoOwner", "Spawn.")
_NOT_READY = -2147020577  # HRESULT 0x800710DF, ERROR_DEVICE_NOT_AVAILABLE: how Windows says that the radio is off


def explain_ble_error(name: str, error: BaseException, *, lost: bool, platform: str = sys.platform) -> TransportError:
    """The error to raise for `error`, an exception of bleak's or of what it uses.

    Args:
        name: what the user knows the board by.
        lost: there was a connection, and there is none any more.
        platform: `sys.platform`.
    """
    if isinstance(error, TransportError):
        return error
    text = str(error)
    reason = getattr(getattr(error, "reason", None), "name", "")
    dbus = getattr(error, "dbus_error", "")
    if reason:
        return _unavailable(reason, str(error.args[0]), platform)
    if _wants_pairing(error, text, dbus):
        return not_paired(name, platform)
    if any(sign in dbus for sign in _NO_SERVICE):
        return PortUnusableError("transport.unusable.bluetooth-service-stopped")
    if dbus.endswith("AccessDenied"):
        return _unavailable("DENIED_BY_SYSTEM", text, platform)
    if dbus.endswith("NotReady") or getattr(error, "winerror", None) == _NOT_READY:
        return _unavailable("POWERED_OFF", text, platform)
    if "access denied" in text.lower():
        return PortBusyError("transport.busy.ble", name=name)
    if lost:
        return lost_connection(name)
    if type(error).__name__ == "BleakDeviceNotFoundError":
        return not_found(name)
    if platform.startswith("linux") and isinstance(error, OSError) and not isinstance(error, TimeoutError):
        # The socket of the D-Bus daemon, over which BlueZ is spoken to.
        if isinstance(error, PermissionError):
            return _unavailable("DENIED_BY_SYSTEM", text, platform)
        return PortUnusableError("transport.unusable.no-dbus")
    if isinstance(error, TimeoutError):
        return PortUnusableError("transport.unusable.ble-timeout", name=name)
    words = text.strip().partition("\n")[0] or type(error).__name__
    return PortUnusableError("transport.unusable.ble-connect", name=name, reason=words)


def lost_connection(name: str) -> ConnectionLostError:
    """There was a connection, and it ended."""
    return ConnectionLostError("transport.lost.ble", name=name)


def not_found(name: str) -> PortMissingError:
    """Nothing of that name or address was heard."""
    return PortMissingError("transport.missing.ble-board", name=name)


def not_paired(name: str, platform: str = sys.platform) -> NotAuthorizedError:
    """The board wants an encrypted connection, and there is none."""
    hint = Said("transport.pair-linux" if platform.startswith("linux") else "transport.pair-settings")
    return NotAuthorizedError("transport.password.pairing", name=name, hint=hint)


def _wants_pairing(error: BaseException, text: str, dbus: str) -> bool:
    code: Any = getattr(error, "code", None)
    return code in _ATT_SECURITY or bool(_PAIRING.search(f"{dbus} {text}"))


def _unavailable(reason: str, text: str, platform: str) -> TransportError:
    """For the members of bleak's BleakBluetoothNotAvailableReason."""
    linux, mac = platform.startswith("linux"), platform == "darwin"
    if reason == "NO_BLUETOOTH":
        return PortMissingError("transport.missing.bluetooth-adapter")
    if reason == "NO_BLE_CENTRAL_ROLE":
        return PortUnusableError("transport.unusable.no-ble")
    if reason == "POWERED_OFF":
        hint = Said("transport.bluetooth-on-linux" if linux else "transport.bluetooth-on")
        return PortUnusableError("transport.unusable.bluetooth-off", hint=hint)
    if reason.startswith("DENIED"):
        if mac:
            hint = Said("transport.bluetooth-allow-mac")
        elif linux:
            hint = Said("transport.bluetooth-allow-linux")
        else:
            hint = Said("transport.bluetooth-allow")
        return PortPermissionError("transport.permission.bluetooth", hint=hint)
    return PortUnusableError("transport.unusable.bluetooth", reason=text)
