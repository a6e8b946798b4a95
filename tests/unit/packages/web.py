"""A real HTTP server on 127.0.0.1 that answers as it is told: right, wrong, late, cut off."""

from __future__ import annotations

import contextlib
import gzip
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """One answer. `claim` is a Content-Length other than the true one; `drip` waits between bytes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    claim: int | None = None
    wait: float = 0.0
    drip: float = 0.0
    hang_up: bool = False
    gzip: bool = False


Route = Answer | list[Answer] | Callable[[BaseHTTPRequestHandler], Answer]


@dataclass
class Web:
    """`routes` maps paths to answers (a list: one after another, the last stays); `seen` what was asked, `peers` by
    which connections."""

    address: str = ""
    routes: dict[str, Route] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)

    def add(self, path: str, body: bytes | str, **more: object) -> str:
        """Answer `path` with `body`; returns the whole address."""
        data = body.encode() if isinstance(body, str) else body
        self.routes[path] = Answer(data, **more)  # type: ignore[arg-type]
        return self.address + path

    def paths(self) -> list[str]:
        """The paths that were asked for."""
        return [path for path, _ in self.seen]


@contextlib.contextmanager
def serve() -> Iterator[Web]:
    """Serve until the block ends."""
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            return

        def do_GET(self) -> None:
            web.peers.add(self.client_address)
            web.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            route = web.routes.get(self.path, Answer(b"nothing", 404))
            if isinstance(route, list):
                answer = route.pop(0) if len(route) > 1 else route[0]
            else:
                answer = route if isinstance(route, Answer) else route(self)
            try:
                self._send(answer)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _send(self, answer: Answer) -> None:
            time.sleep(answer.wait)
            if answer.hang_up:
                self.close_connection = True
                return
            body = gzip.compress(answer.body) if answer.gzip else answer.body
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.gzip:
                self.send_header("Content-Encoding", "gzip")
            length = len(body) if answer.claim is None else answer.claim
            if length >= 0:
                self.send_header("Content-Length", str(length))
            else:
                self.send_header("Connection", "close")
            self.end_headers()
            if answer.drip:
                for byte in body:
                    self.wfile.write(bytes([byte]))
                    self.wfile.flush()
                    time.sleep(answer.drip)
            else:
                self.wfile.write(body)
            if length != len(body):
                self.close_connection = True

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            return  # a client that hangs up is part of the tests

    server = Server(("127.0.0.1", 0), Handler)
    web.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
