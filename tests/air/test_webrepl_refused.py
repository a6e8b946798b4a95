"""What does not let us in: each reason has an error of its own, within a bound."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.air.conftest import VARIABLE, Air, connect
from tests.rigs.webrepl import WebReplBoard
from upytool.device.connect import open_address
from upytool.device.device import Device
from upytool.errors import (
    CertificateError,
    NotAuthorizedError,
    NoWebReplError,
    PortBusyError,
    PortMissingError,
    PortUnusableError,
    ProxyError,
    TlsError,
    TransportError,
    UsageError,
)
from upytool.transport import webrepl as transport

pytestmark = pytest.mark.rig

REASONS: tuple[type[TransportError], ...] = (
    PortMissingError,
    PortBusyError,
    NotAuthorizedError,
    PortUnusableError,
    NoWebReplError,
    ProxyError,
    TlsError,
    CertificateError,
)


def test_every_reason_has_a_code_of_its_own_and_one_exit_code() -> None:
    assert len({reason.code for reason in REASONS}) == len(REASONS)
    assert {reason.exit_code for reason in REASONS} == {4}


def refused(url: str, password: str | None = "upytool") -> TransportError:
    """The error of an attempt to connect."""
    with pytest.raises(TransportError) as caught:
        open_address(url, ask=lambda question: password)
    assert caught.value.hint
    return caught.value


# -- the password ------------------------------------------------------------------------------


@pytest.mark.parametrize("password", ["wrong", "upytoo", "upytool1", "Upytool", "пароль"[:4]])
def test_a_wrong_password(webrepl: WebReplBoard, password: str) -> None:
    assert type(refused(webrepl.port, password)) is NotAuthorizedError
    with connect(webrepl) as device:  # the board is as it was
        assert device.exec("print(1)") == "1\n"


def test_a_password_of_nine_characters_is_right(webrepl: WebReplBoard) -> None:
    (webrepl.root / "webrepl_cfg.py").write_text("PASS = '123456789'\n")
    webrepl.power_cycle()
    assert type(refused(webrepl.port, "12345678")) is NotAuthorizedError
    with Device(open_address(webrepl.port, ask=lambda question: "123456789")) as device:
        assert device.exec("print(1)") == "1\n"


@pytest.mark.parametrize("password", ["1234567890", "ä" * 5, "a\nb"])
def test_a_password_that_no_board_can_have_is_refused_here(
    air: Air, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    monkeypatch.setenv(VARIABLE, password)
    run = air("exec", "1")
    assert run.code == 2, run.err
    assert password not in run.err + run.out


def test_an_empty_password_is_none(air: Air, webrepl: WebReplBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(UsageError):
        open_address(webrepl.port, ask=lambda question: "")
    run = air("exec", "1")
    assert run.code == 4, run.err


def test_who_is_not_asked_and_has_none_is_told_where_to_put_one(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    run = air("exec", "1", "--json")
    assert run.code == 4
    assert VARIABLE in run.out + run.err


# -- who is there ------------------------------------------------------------------------------


def test_a_second_client_is_refused_and_the_first_goes_on(
    webrepl: WebReplBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "BUSY_SECONDS", 0.3)
    with connect(webrepl) as first:
        first.exec("x = 41")
        assert type(refused(webrepl.port)) is PortBusyError
        assert first.exec("print(x + 1)") == "42\n"
        assert type(refused(webrepl.port)) is PortBusyError
        first.fs.write_bytes("/a", b"a" * 5000)
    with connect(webrepl) as second:
        assert second.fs.read_bytes("/a") == b"a" * 5000


def test_a_board_that_has_not_noticed_the_end_of_the_last_client_is_waited_for(webrepl: WebReplBoard) -> None:
    first = connect(webrepl)
    threading.Timer(0.5, first.close).start()
    with connect(webrepl) as second:
        assert second.exec("print(1)") == "1\n"


def test_nothing_listens() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert type(refused(f"ws://127.0.0.1:{held.getsockname()[1]}")) is PortMissingError


def test_there_is_no_such_host() -> None:
    assert type(refused("ws://board.invalid")) is PortMissingError


class Silent:
    """Takes connections and says nothing."""

    def __enter__(self) -> str:
        self._listener = socket.create_server(("127.0.0.1", 0))
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        self._listener.close()


def test_what_says_nothing_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "LOGIN_SECONDS", 1.5)
    with Silent() as url:
        assert type(refused(url)) is PortUnusableError


Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def web_server(status: int, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A real HTTP server on a port of 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Quiet(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Quiet(("127.0.0.1", 0), Handler) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(
    ("status", "error"),
    [(200, NoWebReplError), (404, NoWebReplError), (502, ProxyError), (503, ProxyError), (504, ProxyError)],
)
def test_a_web_server_and_a_proxy_that_reaches_no_board(status: int, error: type[TransportError]) -> None:
    with web_server(status) as port:
        assert type(refused(f"ws://127.0.0.1:{port}")) is error


# -- TLS ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a self-signed certificate with its key, in one file: `certificates("localhost", days=-1)`."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    def make(name: str, days: int) -> Path:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        now = datetime.datetime.now(datetime.UTC)
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name[0].isdigit():
            names = [x509.IPAddress(ipaddress.ip_address(name))]
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=30))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(key, hashes.SHA256())
        )
        path = tmp_path_factory.mktemp("tls") / "both.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        return path

    return make


def serving(path: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_tls_to_a_board_that_has_none(webrepl: WebReplBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "OPEN_SECONDS", 1.5)  # the board waits for the end of a line
    assert type(refused(webrepl.port.replace("ws:", "wss:"))) is TlsError
    with connect(webrepl) as device:
        assert device.exec("print(1)") == "1\n"


@pytest.mark.parametrize(
    ("name", "days", "trusted"), [("127.0.0.1", -1, True), ("other", 9, True), ("127.0.0.1", 9, False)]
)
def test_a_certificate_that_expired_or_is_for_another_host_or_nobodys(
    certificates: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str, days: int, trusted: bool
) -> None:
    path = certificates(name, days=days)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with web_server(200, serving(path)) as port:
        assert type(refused(f"wss://127.0.0.1:{port}")) is CertificateError


def test_no_tls_to_a_server_that_wants_it(certificates: Callable[..., Path]) -> None:
    with web_server(200, serving(certificates("127.0.0.1", days=9))) as port:
        # Python's server says nothing before it closes; others send an alert, or HTTP's 400.
        assert type(refused(f"ws://127.0.0.1:{port}")) is PortUnusableError


def test_a_proxy_with_tls_in_front_of_a_board(
    webrepl: WebReplBoard, certificates: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """wss:// all the way through: terminal, file channel, Ctrl-C."""
    path = certificates("127.0.0.1", days=9)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with tls_proxy(webrepl, serving(path)) as url, connect(webrepl, url) as device:
        data = bytes(range(256)) * 400
        device.fs.write_bytes("/x", data)
        assert device.fs.read_bytes("/x") == data
        assert (webrepl.root / "x").read_bytes() == data
        assert device.exec("#" + "x" * 5000 + "\nprint(1)") == "1\n"


@contextmanager
def tls_proxy(board: WebReplBoard, context: ssl.SSLContext) -> Iterator[str]:
    """A proxy that takes TLS from the client and speaks plainly to the board."""
    listener = socket.create_server(("127.0.0.1", 0))

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve() -> None:
        client, _ = listener.accept()
        there = socket.create_connection(("127.0.0.1", int(board.port.rpartition(":")[2])))
        with client, there, context.wrap_socket(client, server_side=True) as inner:
            back = threading.Thread(target=pump, args=(there, inner))
            back.start()
            pump(inner, there)
            back.join(10)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"wss://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()
