"""Addresses of boards on the network: `ws://HOST[:PORT][/NAME]`, or `wss://` where a proxy in front has TLS."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from ..errors import UsageError

# micropython-lib's webrepl.py listens there; a proxy with TLS is an ordinary HTTPS server.
DEFAULT_PORTS = {"ws": 8266, "wss": 443}


class WebreplAddress(NamedTuple):
    """What a WebREPL address says.

    Attributes:
        secure: TLS.
        host: a name or an IP address, IPv6 without its brackets.
        port: 1 to 65535.
        path: what is asked for, "/" at least.
    """

    secure: bool
    host: str
    port: int
    path: str

    @property
    def place(self) -> str:
        """`HOST:PORT`, the name under which the board's password is kept."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        scheme = "wss" if self.secure else "ws"
        port = f":{self.port}" if self.port != DEFAULT_PORTS[scheme] else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}{port}{'' if self.path == '/' else self.path}"


def is_webrepl(selector: str) -> bool:
    """Whether a selector is an address of this kind, right or wrong."""
    return selector.strip().lower().startswith(("ws://", "wss://"))


def parse_address(text: str) -> WebreplAddress:
    """The parts of an address.

    Raises:
        UsageError: it is not one, or it holds a password: whatever is typed as a word stands in the list of processes
            and in the shell's history.
    """
    text = text.strip()
    if "@" in text:  # in the wrong place, too: a password may hold a `/`, and then no parser finds it
        host = text.rpartition("@")[2]
        raise UsageError("usage.password-in-address", host=host)
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname or "", parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in DEFAULT_PORTS or not host or port == 0 or parts.fragment or not text.isprintable() or " " in text:
        raise UsageError("usage.webrepl-address", text=text)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return WebreplAddress(scheme == "wss", host, port or DEFAULT_PORTS[scheme], path)
