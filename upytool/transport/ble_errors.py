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

# ATT error codes that ask for a pairing (Core Specification, Vol 3, Part F, 3.4.1.1).
_ATT_SECURITY = (0x05, 0x08, 0x0C, 0x0F)
_PAIRING = re.compile(
    r"Authentication(Failed|Rejected|Canceled|Timeout)|NotAuthorized|not paired|could not pair|trying to pair"
    r"|pairing|(encryption|authentication) is insufficient|insufficient (encryption|authenti|authori)",
    re.IGNORECASE,
)
_NO_SERVICE = ("ServiceUnknown", "NameHasNoOwner", "Spawn.")
_NOT_READY = -2147020577  # HRESULT 0x800710DF, ERROR_DEVICE_NOT_AVAILABLE: how Windows says that the radio is off
_CLOSER = "move closer, or reset the board, then try again"


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
        return PortUnusableError(
            "the Bluetooth service is not running", hint="install and start BlueZ: `sudo systemctl start bluetooth`"
        )
    if dbus.endswith("AccessDenied"):
        return _unavailable("DENIED_BY_SYSTEM", text, platform)
    if dbus.endswith("NotReady") or getattr(error, "winerror", None) == _NOT_READY:
        return _unavailable("POWERED_OFF", text, platform)
    if "access denied" in text.lower():
        return PortBusyError(
            f"{name} is in use by another program", hint="close it there, or remove the board from the paired devices"
        )
    if lost:
        return lost_connection(name)
    if type(error).__name__ == "BleakDeviceNotFoundError":
        return not_found(name)
    if platform.startswith("linux") and isinstance(error, OSError) and not isinstance(error, TimeoutError):
        # The socket of the D-Bus daemon, over which BlueZ is spoken to.
        if isinstance(error, PermissionError):
            return _unavailable("DENIED_BY_SYSTEM", text, platform)
        return PortUnusableError(
            "the Bluetooth service cannot be reached: no D-Bus system bus",
            hint="start it: `sudo systemctl start dbus bluetooth`; containers and WSL have no Bluetooth of their own",
        )
    if isinstance(error, TimeoutError):
        return PortUnusableError(f"{name} did not accept the connection in time", hint=_CLOSER)
    words = text.strip().partition("\n")[0] or type(error).__name__
    return PortUnusableError(f"cannot connect to {name}: {words}", hint=_CLOSER)


def lost_connection(name: str) -> ConnectionLostError:
    """There was a connection, and it ended."""
    return ConnectionLostError(
        f"the connection to {name} was lost", hint="the board is out of range or was reset; run the command again"
    )


def not_found(name: str) -> PortMissingError:
    """Nothing of that name or address was heard."""
    return PortMissingError(
        f"{name} was not found",
        hint="check that it is on, in range and not connected elsewhere; `upytool ble scan` lists boards",
    )


def not_paired(name: str, platform: str = sys.platform) -> NotAuthorizedError:
    """The board wants an encrypted connection, and there is none."""
    if platform.startswith("linux"):
        hint = "pair with it: `bluetoothctl`, then `scan on` and `pair ADDRESS`"
    else:
        hint = "pair with it in the system's Bluetooth settings"
    return NotAuthorizedError(
        f"pairing with {name} was refused", hint=f"{hint}; where it was paired before, remove it there first"
    )


def _wants_pairing(error: BaseException, text: str, dbus: str) -> bool:
    code: Any = getattr(error, "code", None)
    return code in _ATT_SECURITY or bool(_PAIRING.search(f"{dbus} {text}"))


def _unavailable(reason: str, text: str, platform: str) -> TransportError:
    """For the members of bleak's BleakBluetoothNotAvailableReason."""
    linux, mac = platform.startswith("linux"), platform == "darwin"
    if reason == "NO_BLUETOOTH":
        return PortMissingError("no Bluetooth adapter was found", hint="plug in one of version 4.0 or newer")
    if reason == "NO_BLE_CENTRAL_ROLE":
        return PortUnusableError(
            "the Bluetooth adapter does not support Bluetooth LE", hint="plug in one of version 4.0 or newer"
        )
    if reason == "POWERED_OFF":
        hint = "turn it on: `bluetoothctl power on`; `rfkill unblock bluetooth` where it is blocked" if linux else ""
        return PortUnusableError("Bluetooth is off", hint=hint or "turn it on in the system's settings")
    if reason.startswith("DENIED"):
        if mac:
            hint = "allow it for your terminal: System Settings > Privacy & Security > Bluetooth"
        elif linux:
            hint = "join the group that may, then log in again: sudo usermod -aG bluetooth $USER"
        else:
            hint = "allow it in the system's privacy settings"
        return PortPermissionError("permission denied: Bluetooth", hint=hint)
    return PortUnusableError(f"Bluetooth is not available: {text}", hint="try again in a moment")
