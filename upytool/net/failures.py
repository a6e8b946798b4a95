"""What goes wrong with HTTP, in our words, and whether another try may help."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from ..errors import NetworkError
from ..secret import redact
from ..words import Said
from .budget import TooMuch

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_TLS = "CERTIFICATE_VERIFY_FAILED"


class Retry(Exception):
    """Another try may help: `error` is raised when there is none left, `wait` is what the server asks for (s)."""

    def __init__(self, error: NetworkError, wait: float | None = None) -> None:
        super().__init__(error)
        self.error, self.wait = error, wait


def refused(url: str, status: int, retry_after: str | None, denied: Sequence[Said]) -> Exception:
    """The error for an HTTP status; `denied` are the hints where the server wants to know who asks."""
    if status in (401, 403):
        return NetworkError("network.refused", url=str(url), status=status, hint=denied)
    error = NetworkError("network.status", url=str(url), status=status)
    if status not in _BUSY:
        return error
    wait = min(float(retry_after), 30.0) if retry_after and re.fullmatch("[0-9]{1,9}", retry_after) else None
    return Retry(error, wait)


def network_error(url: str, error: BaseException) -> Exception:
    """urllib3's error in our words; worth another try or not."""
    import http.client

    from urllib3 import exceptions

    host = urlsplit(url).hostname or url
    below = (error, *error.args)
    for each in below:
        if isinstance(each, TooMuch):
            return NetworkError("network.too-much", url=str(url), reason=each.args[0])
        no_http = isinstance(each, http.client.HTTPException)
        if no_http and not isinstance(each, (http.client.IncompleteRead, http.client.RemoteDisconnected)):
            return NetworkError("network.not-http", url=str(url))
    offline = Said("net.offline")
    if isinstance(error, exceptions.NameResolutionError):
        return Retry(NetworkError("network.host", host=host, hint=offline))
    if isinstance(error, exceptions.NewConnectionError):
        return Retry(NetworkError("network.connect", host=host, hint=offline))
    if isinstance(error, exceptions.SSLError) or _TLS in str(error):
        return NetworkError("network.tls", host=host, reason=redact(str(error)))
    if isinstance(error, exceptions.TimeoutError):
        return Retry(NetworkError("network.timeout", url=str(url), hint=offline))
    if isinstance(error, exceptions.LocationParseError):
        return NetworkError("network.unusable-url", url=str(url))
    if isinstance(error, (exceptions.IncompleteRead, exceptions.ProtocolError)):
        return Retry(NetworkError("network.cut", url=str(url)))
    if isinstance(error, exceptions.ProxyError):
        return NetworkError("network.proxy", host=host, reason=redact(str(error)), hint=_proxy_names())
    return Retry(NetworkError("network.failed", url=str(url), reason=redact(str(error)), hint=offline))


def _proxy_names() -> Said:
    names = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    return Said("net.proxy-variables", names=names) if names else Said("net.proxy-settings")
