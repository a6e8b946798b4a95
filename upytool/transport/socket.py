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
            raise PortMissingError(
                f"nothing listens at {url}", hint="is the server running, and is the port number right?"
            ) from error
        except (socket.gaierror, ValueError) as error:  # ValueError: a name that IDNA cannot encode, `a..b`
            raise PortMissingError(f"there is no host {host!r}", hint="check the spelling") from error
        except OSError as error:
            raise PortUnusableError(
                f"{url} cannot be reached: {error}", hint="check host, port and network"
            ) from error
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
                        f"{self.name} takes no more data (waited {WRITE_TIMEOUT:.0f} s)",
                        hint="reset the board, then try again",
                    ) from None
            except (OSError, ValueError) as error:
                raise self._lost() from error

    def _lost(self) -> ConnectionLostError:
        return ConnectionLostError(f"{self.name} closed the connection", hint="run the command again")

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
        raise PortMissingError(
            f"{url!r} is not an address of a serial server", hint="write it as socket://HOST:PORT"
        )
    return host, port
