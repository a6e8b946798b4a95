"""Connections, through the proxy that the environment or the system names."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from ..errors import NetworkError
from .address import Address
from .together import WORKERS
from .wire import counted

if TYPE_CHECKING:
    import urllib3


def manager(proxy: str) -> urllib3.PoolManager:
    """urllib3's connections through a proxy, "" for none. Raises: NetworkError for a SOCKS one."""
    import urllib3

    if not proxy:
        return counted(urllib3.PoolManager(maxsize=WORKERS))
    if proxy.startswith("socks"):
        raise NetworkError("network.socks", host=urlsplit(proxy).hostname)
    return counted(urllib3.ProxyManager(proxy, maxsize=WORKERS, proxy_headers=_headers(proxy)))


def proxy_of(url: Address) -> str:
    """The proxy for this address as the environment (or the system) names it, "" for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return ""
    proxies = getproxies()
    found = proxies.get(parts.scheme.lower()) or proxies.get("all") or ""
    return found if not found or "://" in found else f"http://{found}"


def _headers(proxy: str) -> dict[str, str] | None:
    import urllib3

    auth = urlsplit(proxy)
    if not auth.username:
        return None
    return urllib3.make_headers(proxy_basic_auth=f"{unquote(auth.username)}:{unquote(auth.password or '')}")
