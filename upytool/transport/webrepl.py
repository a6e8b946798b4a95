"""WebREPL as a transport: `ws://HOST[:PORT][/NAME]`, and `wss://` through a proxy, for the board itself has no TLS.

Law 1: what the terminal is sent goes in frames of its own, and a Ctrl-C alone. On some ports the bytes behind one that
stops a program wait for the next thing to arrive: so after a Ctrl-C each answer is answered by an empty frame.
Law 2: bytes of a frame that were not sent yet are kept: a Ctrl-C here must not cut a frame in two.
Law 3: the password is asked for when the board asks, kept in memory alone, and in no message.

TCP facts: the board sends a frame's header and payload apart, so that its Nagle waits 40 ms for our delayed ACK;
TCP_QUICKACK before each read (Linux) spares it. No ping is answered: TCP itself finds a board that is gone.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import TypeVar

from ..errors import (
    CertificateError,
    ConnectionLostError,
    MissingExtraError,
    NotAuthorizedError,
    PortBusyError,
    PortMissingError,
    PortUnusableError,
    TlsError,
    TransportError,
    UpytoolError,
)
from ..protocol.pace import announced
from ..protocol.webrepl import LOGIN_SECONDS, WebReplLink, login
from ..secret import Secret
from .base import WRITE_TIMEOUT
from .drive import drive_now
from .ready import readable, writable
from .webrepl_address import WebreplAddress, parse_address

OPEN_SECONDS = 10.0
AGAIN_SECONDS = 30.0  # a board that was reset joins its Wi-Fi first
ONE_TRY = 3.0
AGAIN_PAUSE = 0.5
BUSY_SECONDS, BUSY_PAUSE = 3.0, 0.1  # for the end of the last session to reach a board
CTRL_C = 3
AFTER_INTERRUPT = 1.0  # seconds in which a board reacts to a Ctrl-C
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
# Seconds without a word, between questions, and questions, after which the far end is given up; and milliseconds or
# seconds after which it is where it does not confirm what was sent, for which TCP itself takes a quarter of an hour.
# Where Python has no name for an option: tcp(4) on macOS (TCP_RXT_CONNDROPTIME), ws2ipdef.h on Windows (TCP_MAXRT).
GONE_SECONDS = 25
_GIVE_UP: list[tuple[str | int, int]] = [("TCP_KEEPIDLE", 10), ("TCP_KEEPALIVE", 10), ("TCP_KEEPINTVL", 5)]
_GIVE_UP += [("TCP_KEEPCNT", 3), ("TCP_USER_TIMEOUT", 1000 * GONE_SECONDS)]
_GIVE_UP += {"darwin": [(0x80, GONE_SECONDS)], "win32": [(5, GONE_SECONDS)]}.get(sys.platform, [])

T = TypeVar("T")
Password = Callable[[str], Secret]
Tell = Callable[[str], None]


class WebReplTransport:
    """A Transport and FileChannel over WebREPL.

    Args:
        url: `ws://HOST[:PORT][/NAME]` or wss.
        password: gives the password for an address; it is asked once, when the board asks.
        tell: receives a sentence for the user about what is waited for.

    Errors: PortMissingError (no such host, nobody listens), PortUnusableError (silence) and its kinds NoWebReplError,
    ProxyError, TlsError and CertificateError, PortBusyError (another client), NotAuthorizedError, UsageError (no
    address, or one with a password in it).
    """

    interrupts = True
    survives_reset = False
    # The shortest ring behind a WebREPL has 256 bytes (esp8266) and holds one less (py/ringbuf.h); what does not fit is
    # lost without a sign.
    in_flight = 255

    def __init__(self, url: str, password: Password, tell: Tell = lambda text: None) -> None:
        if find_spec("websockets") is None:
            raise MissingExtraError("WebREPL", "net")
        self._where = parse_address(url)
        self.name = str(self._where)
        self._tell = tell
        self._secret: Secret | None = None
        self._ask = password
        self._first()

    def _password(self) -> bytes:
        if self._secret is None:
            self._secret = self._ask(self.name)
        return self._secret.reveal().encode()

    def _first(self) -> None:
        """Open it; a board that has not noticed yet that its last client is gone gets a moment for it."""
        deadline = time.monotonic() + BUSY_SECONDS
        told = time.monotonic() + 1.0
        while True:
            try:
                self._open()
                return
            except PortBusyError:
                now = time.monotonic()
                if now >= deadline:
                    raise
                if now >= told:
                    told = deadline
                    self._tell(f"another client is connected to {self.name}, trying again (up to {BUSY_SECONDS:.0f} s)")
                time.sleep(BUSY_PAUSE)

    def _open(self, seconds: float | None = None) -> None:
        self._unsent = b""
        self._lost = False
        self._interrupted = -AFTER_INTERRUPT
        most = seconds or OPEN_SECONDS
        self._socket = _patiently(lambda: _connect(self._where, most), self._tell, self.name)
        self._link = WebReplLink(self.name)
        try:
            self._send(self._link.outgoing())
            deadline = time.monotonic() + LOGIN_SECONDS
            told = False
            while not self._link.open:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise PortUnusableError("transport.unusable.webrepl-login", name=self.name, seconds=LOGIN_SECONDS)
                if left < LOGIN_SECONDS - 1 and not told:
                    told = True
                    self._tell(f"waiting for the WebREPL at {self.name} (up to {LOGIN_SECONDS:.0f} s, Ctrl-C stops)")
                self._receive(min(left, 1.0))
            logging_in = login(self.name, self._password)
            drive_now(announced(logging_in, self._tell, f"logging in to {self.name} (Ctrl-C stops)"), self)
        except BaseException as error:
            self._socket.close()
            if isinstance(error, NotAuthorizedError):
                self._secret = None
            raise

    def reconnect(self, seconds: float = AGAIN_SECONDS) -> None:
        """Make the connection again after it was lost or has to be dropped; nothing of the old one is left.

        Errors: ConnectionLostError when that did not succeed within `seconds`; NotAuthorizedError.
        """
        self.close()
        deadline = time.monotonic() + seconds
        told = time.monotonic() + 1.0
        while True:
            try:
                self._open(min(OPEN_SECONDS, max(ONE_TRY, deadline - time.monotonic())))
                return
            except NotAuthorizedError:
                raise
            except TransportError as error:
                now = time.monotonic()
                if now >= deadline:
                    raise ConnectionLostError(
                        "transport.lost.no-reconnect.webrepl", name=self.name, seconds=seconds
                    ) from error
                if now >= told:
                    told = deadline
                    self._tell(f"waiting for {self.name} to come back (up to {seconds:.0f} s, Ctrl-C stops)")
                time.sleep(AGAIN_PAUSE)

    # -- the terminal ---------------------------------------------------------------------------

    def read(self, timeout: float | None) -> bytes:
        return self._take(self._link.terminal, timeout)

    def write(self, data: bytes) -> None:
        for part in _apart(data):
            self._send(self._link.say(part))
            if part[0] == CTRL_C:
                self._interrupted = time.monotonic()

    # -- the files ------------------------------------------------------------------------------

    def read_frame(self, timeout: float | None) -> bytes:
        return self._take(self._link.files, timeout)

    def write_frame(self, data: bytes) -> None:
        self._send(self._link.carry(data))

    # -- the socket -----------------------------------------------------------------------------

    def _take(self, buffer: bytearray, timeout: float | None) -> bytes:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not buffer:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._receive(left) and deadline is not None and time.monotonic() >= deadline:
                break
        data = bytes(buffer)
        buffer.clear()
        return data

    def _receive(self, timeout: float | None) -> bool:
        """Take what has arrived, within `timeout` seconds; whether anything did."""
        if self._lost:
            raise self._gone()
        try:
            if _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            data = self._arrived(timeout)
        except (OSError, ValueError) as error:
            if self._link.open:
                raise self._gone() from error
            data = b""
        if data is None:
            return False
        goes_on = self._link.feed(data)
        nudge = goes_on and time.monotonic() - self._interrupted < AFTER_INTERRUPT
        with contextlib.suppress(TransportError):  # behind a goodbye
            self._send(self._link.say(b"") if nudge else self._link.outgoing())
        if not goes_on:
            self._lost = True
            if not self._link.terminal and not self._link.files:
                raise self._gone()
        return True

    def _arrived(self, timeout: float | None) -> bytes | None:
        # A TLS socket may hold bytes of its own: it is read before it is waited for.
        for wait in (timeout, 0.0):
            try:
                return self._socket.recv(65536)
            except OSError as error:
                if not _later(error):
                    raise
            if not readable((self._socket,), wait):
                break
        return None

    def _send(self, data: bytes) -> None:
        if self._lost:
            raise self._gone()
        self._unsent += data
        try:
            while self._unsent:
                try:
                    count = self._socket.send(self._unsent)
                    self._unsent = self._unsent[count:]
                except OSError as error:
                    if not _later(error):
                        raise
                    if not writable(self._socket, WRITE_TIMEOUT):
                        raise ConnectionLostError(
                            "transport.lost.write-timeout", name=self.name, seconds=WRITE_TIMEOUT
                        ) from None
        except (OSError, ValueError) as error:
            raise self._gone() from error

    def _gone(self) -> ConnectionLostError:
        self._lost = True
        return ConnectionLostError("transport.lost.webrepl", name=self.name)

    def close(self) -> None:
        with contextlib.suppress(UpytoolError, OSError):
            if not self._lost and not self._unsent:
                self._socket.send(self._link.close())
        with contextlib.suppress(OSError):
            self._socket.close()

    def fileno(self) -> int | None:
        # Behind TLS readable bytes may wait in this process, where no `select` sees them.
        return None if self._where.secure else self._socket.fileno()


def _connect(where: WebreplAddress, seconds: float) -> socket.socket:
    """An open, non-blocking socket. Errors: PortMissingError, PortUnusableError, TlsError."""
    try:
        plain = socket.create_connection((where.host, where.port), timeout=seconds)
    except ConnectionRefusedError as error:
        raise PortMissingError("transport.missing.webrepl-refused", address=str(where)) from error
    except (socket.gaierror, ValueError) as error:
        raise PortMissingError("transport.missing.webrepl-host", host=where.host) from error
    except OSError as error:
        raise PortUnusableError("transport.unusable.webrepl-connect", address=str(where), cause=error) from error
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in _GIVE_UP:
        number = option if isinstance(option, int) else getattr(socket, option, None)
        if number is not None:
            with contextlib.suppress(OSError):
                plain.setsockopt(socket.IPPROTO_TCP, number, value)
    end = _wrapped(plain, where.host) if where.secure else plain
    end.setblocking(False)
    return end


def _wrapped(plain: socket.socket, host: str) -> socket.socket:
    import ssl

    try:
        return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        plain.close()
        raise CertificateError("transport.certificate.verification", host=host, reason=error.verify_message) from error
    except OSError as error:
        plain.close()
        raise TlsError("transport.tls.handshake", host=host, cause=error) from error


def _later(error: OSError) -> bool:
    """Whether a socket only has nothing, or takes nothing, at this moment."""
    # TLS has exceptions of its own for it; importing them costs an unencrypted connection 10 ms.
    return isinstance(error, BlockingIOError) or type(error).__name__ in ("SSLWantReadError", "SSLWantWriteError")


def _apart(data: bytes) -> list[bytes]:
    """`data` cut so that each run of 03 is alone, and no piece is longer than a board's ring."""
    most = WebReplTransport.in_flight
    runs = (part for part in re.split(b"(\x03+)", data) if part)
    return [run[at : at + most] for run in runs for at in range(0, len(run), most)]


def _patiently(work: Callable[[], T], tell: Tell, name: str) -> T:
    """The result of `work`, which connects to `name` and may stand still in the system's name lookup."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True, name="upytool-connect")
    thread.start()
    deadline = time.monotonic() + 2 * OPEN_SECONDS
    told = False
    while thread.is_alive() and time.monotonic() < deadline:
        thread.join(1.0)
        if thread.is_alive() and not told:
            told = True
            tell(f"connecting to {name} (up to {OPEN_SECONDS:.0f} s, Ctrl-C stops)")
    if failed:
        raise failed[0]
    if not done:
        raise PortUnusableError("transport.unusable.webrepl-timeout", name=name)
    return done[0]
