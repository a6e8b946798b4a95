"""From an address to an open transport. Plug-ins (entry point group `upytool.transports`) add schemes."""

from __future__ import annotations

from collections.abc import Callable

from ..errors import PortMissingError, PortUnusableError
from ..secret import Secret
from .base import Transport
from .serial import Lines

Opener = Callable[[str, int, "Lines | None"], Transport]


def _serial(address: str, baud: int, lines: Lines | None) -> Transport:
    from .serial import SerialTransport

    return SerialTransport(address, baud=baud, lines=lines)


def _socket(address: str, baud: int, lines: Lines | None) -> Transport:
    from .socket import SocketTransport

    return SocketTransport(address)


def _exec(address: str, baud: int, lines: Lines | None) -> Transport:
    from .process import ProcessTransport

    kind, _, command = address.partition(":")
    return ProcessTransport(address, command, pty=kind == "execpty")


def _no_password(address: str) -> Secret:
    from ..errors import NotAuthorizedError

    raise NotAuthorizedError("transport.password.none-given", address=address)


def _untold(text: str) -> None:
    return


# Schemes of our own; every other `something://` is pyserial's.
_SCHEMES: dict[str, Opener] = {"socket": _socket, "exec": _exec, "execpty": _exec}
_PYSERIAL = ("rfc2217", "loop", "spy", "alt", "hwgrep", "cp2110")


def open_transport(
    address: str,
    *,
    baud: int = 115200,
    lines: Lines | None = None,
    password: Callable[[str], Secret] = _no_password,
    tell: Callable[[str], None] = _untold,
) -> Transport:
    """Open `address`: a port path or a URL.

    Args:
        password: gives the password for an address, where the far end asks for one.
        tell: receives a sentence for the user about what is waited for.

    Errors: the TransportErrors of the transport; PortMissingError for a scheme that nobody knows.
    """
    scheme = _scheme(address)
    if scheme in ("ws", "wss"):
        from .webrepl import WebReplTransport

        return WebReplTransport(address, password, tell)
    if scheme == "ble":
        from .ble import BleTransport

        return BleTransport(address, password, tell)
    if scheme is None or scheme in _PYSERIAL:
        return _serial(address, baud, lines)
    opener = _SCHEMES.get(scheme) or _plugin(scheme)
    if opener is None:
        raise PortMissingError("transport.missing.scheme", scheme=scheme)
    return opener(address, baud, lines)


def _scheme(address: str) -> str | None:
    if "://" in address:
        return address.partition("://")[0].lower()
    head, colon, _ = address.partition(":")
    return head if colon and head in ("exec", "execpty") else None


def _plugin(scheme: str) -> Opener | None:
    from importlib.metadata import entry_points

    for entry in entry_points(group="upytool.transports", name=scheme):
        try:
            opener: Opener = entry.load()
        except Exception as error:
            raise PortUnusableError(
                "transport.unusable.plugin", plugin=entry.value, scheme=scheme, cause=error
            ) from error
        return opener
    return None
