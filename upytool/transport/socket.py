"""A plain TCP connection: `socket://host:port`, a serial server or a simulated board."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

from ..errors import ConnectionLostError, PortMissingError, PortUnusableError
from .base import WRITE_TIMEOUT
from .ready import readable, writable

CONNECT_TIMEOUT = 8.0


class SocketTransport:
    """A Transport over TCP.

    Args:
        url: `socket://HOST:PORT`.

    Errors: PortMissingError (nobody listens there, no such host), PortUnusableError.
    """

    interrupts = True
    survives_reset = True

    def __init__(self, url: str) -> None:
        self.name = url
        host, port = _host_port(url)
        try:
            self._socket = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
        except ConnectionRefusedError as error:
            raise PortMissingError("transport.missing.nothing-listens", url=url) from error
        except (socket.gaierror, ValueError) as error:  # ValueError: a name that IDNA cannot encode, `a..b`
            raise PortMissingError("transport.missing.host", host=host) from error
        except OSError as error:
            raise PortUnusableError("transport.unusable.connect", url=url, cause=error) from error
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def read(self, timeout: float | None) -> bytes:
        try:
            if not readable((self._socket,), timeout):
                return b""
            data = self._socket.recv(65536)
        except BlockingIOError:
            return b""
        except (OSError, ValueError) as error:
            raise self._lost() from error
        if not data:
            raise self._lost()
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                if not writable(self._socket, WRITE_TIMEOUT):
                    raise ConnectionLostError(
                        "transport.lost.write-timeout", name=self.name, seconds=WRITE_TIMEOUT
                    ) from None
            except (OSError, ValueError) as error:
                raise self._lost() from error

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError("transport.lost.closed", name=self.name)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()

    def fileno(self) -> int | None:
        return self._socket.fileno()


def _host_port(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port:
        raise PortMissingError("transport.missing.socket-address", url=url)
    return host, port
