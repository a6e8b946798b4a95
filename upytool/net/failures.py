"""What goes wrong with HTTP, in our words, and whether another try may help."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from upytool.errors import NetworkError

from ..secret import redact
from .budget import TooMuch

_BUSY = (408, 425, 429, 500, 502, 503, 504)
_TLS = "CERTIFICATE_VERIFY_FAILED"


class Retry(Exception):
    """Another try may help: `error` is raised when there is none left, `wait` is what the server asks for (s)."""

    def __init__(self, error: NetworkError, wait: float | None = None) -> None:
        super().__init__(str(error))
        self.error, self.wait = error, wait


def refused(url: str, status: int, retry_after: str | None, denied: str) -> Exception:
    """The error for an HTTP status; `denied` is the hint where the server wants to know who asks."""
    if status in (401, 403):
        return NetworkError(f"{url} refuses access ({status})", hint=denied)
    error = NetworkError(f"{url} answers with HTTP status {status}", hint="try again later")
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
            return NetworkError(f"{url} is not taken: {each}", hint="try again later, or use another source")
        no_http = isinstance(each, http.client.HTTPException)
        if no_http and not isinstance(each, (http.client.IncompleteRead, http.client.RemoteDisconnected)):
            return NetworkError(f"{url} does not answer as a web server does", hint="check the address and the port")
    offline = "Is this computer on line? With --offline the cache alone is used."
    if isinstance(error, exceptions.NameResolutionError):
        return Retry(NetworkError(f"the name {host} cannot be looked up", hint=offline))
    if isinstance(error, exceptions.NewConnectionError):
        return Retry(NetworkError(f"no connection to {host}", hint=offline))
    if isinstance(error, exceptions.SSLError) or _TLS in str(error):
        return NetworkError(
            f"the secure connection to {host} failed: {redact(str(error))}",
            hint=f"if {host} has a certificate of your own, name its file in SSL_CERT_FILE",
        )
    if isinstance(error, exceptions.TimeoutError):
        return Retry(NetworkError(f"{url} does not answer in time", hint=offline))
    if isinstance(error, exceptions.LocationParseError):
        return NetworkError(f"{url} is not a usable address")
    if isinstance(error, (exceptions.IncompleteRead, exceptions.ProtocolError)):
        return Retry(NetworkError(f"{url} broke off before its end", hint="try again later"))
    if isinstance(error, exceptions.ProxyError):
        return NetworkError(
            f"the proxy does not let us through to {host}: {redact(str(error))}", hint=f"{_proxy_names()}"
        )
    return Retry(NetworkError(f"{url} cannot be fetched: {redact(str(error))}", hint=offline))


def _proxy_names() -> str:
    names = [name for name in os.environ if name.lower() in ("http_proxy", "https_proxy", "all_proxy")]
    return f"It is named by {', '.join(names)}." if names else "The system's settings name it."
