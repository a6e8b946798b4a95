"""Servers that never come to an end, on a bare socket: each is one clear error within its limits."""

from __future__ import annotations

import contextlib
import gzip
import itertools
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from upytool import limits
from upytool.errors import NetworkError, PackageError
from upytool.net.cache import DownloadCache
from upytool.net.download import Fetcher, Limits

Serve = Callable[[Iterable[bytes], float], str]
PATIENT = Limits(connect=5, read=5, total=30, retries=3, backoff=0.01, max_bytes=100_000)
HEAD = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(pieces, pause) -> the address of a server that sends these to everyone, for as long as anybody listens."""
    stop = threading.Event()
    with contextlib.ExitStack() as stack:

        def call(pieces: Iterable[bytes], pause: float = 0.0) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            listener.settimeout(0.05)
            sent = list(itertools.islice(pieces, 5_000_000)) if isinstance(pieces, (list, tuple)) else None

            def answer(peer: socket.socket) -> None:
                with peer, contextlib.suppress(OSError):
                    peer.settimeout(0.2)
                    peer.recv(65536)
                    for piece in sent if sent is not None else pieces:
                        while not stop.is_set():
                            with contextlib.suppress(TimeoutError):
                                peer.sendall(piece)
                                break
                        if stop.wait(pause) if pause else stop.is_set():
                            return

            def accept() -> None:
                while not stop.is_set():
                    with contextlib.suppress(TimeoutError):
                        peer, _ = listener.accept()
                        threading.Thread(target=answer, args=(peer,), daemon=True).start()

            thread = threading.Thread(target=accept, daemon=True)
            thread.start()
            stack.callback(thread.join, 5)
            return f"http://127.0.0.1:{listener.getsockname()[1]}/x"

        stack.callback(stop.set)
        yield call
        stop.set()


def endless(piece: bytes, first: bytes = b"") -> Iterator[bytes]:
    yield first
    while True:
        yield piece


@pytest.mark.parametrize(
    ("first", "piece", "pause"),
    [
        (b"", b"H", 0.05),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y", 0.05),
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", 0.1),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    ],
    ids=["status", "header", "headers", "continue"],
)
def test_a_slow_head_has_an_end(
    serve: Serve, cache: DownloadCache, monkeypatch: pytest.MonkeyPatch, first: bytes, piece: bytes, pause: float
) -> None:
    """Each single wait is short, the sum is not."""
    monkeypatch.setattr(limits, "HTTP_HEADER_SECONDS", 0.5)
    with Fetcher(cache, limits=PATIENT) as fetcher:
        with pytest.raises(NetworkError) as caught:
            fetcher.fetch(serve(endless(piece, first), pause))
        assert fetcher.requests == 1
    assert caught.value.exit_code == 9


@pytest.mark.parametrize(
    ("first", "piece"),
    [
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (b"HTTP/1.1 100 Continue\r\n", b"X: y\r\n" * 100),
        (HEAD, b"X: " + b"y" * 60_000 + b"\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"Trailer: x\r\n" * 100),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 10_000 + b"\r\nz\r\n"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"z" * 0x4000 + b"\r\n"),
        (HEAD + b"\r\n", b"z" * 0x4000),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"small"), b"z" * 0x4000),
        (HEAD + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(bytes(1_000_000))),
        (b"", b"\x00\xff" * 4096),
        (b"", b"\n" * 4096),
        (HEAD, b"garbage without a colon\r\n" * 100),
    ],
    ids=["continue", "continue-headers", "header", "trailers", "extensions", "chunks", "body", "after-gzip", "bomb",
         "noise", "lines", "no-headers"],
)  # fmt: skip
def test_an_endless_answer_has_an_end(serve: Serve, cache: DownloadCache, first: bytes, piece: bytes) -> None:
    with Fetcher(cache, limits=PATIENT) as fetcher, pytest.raises(PackageError) as caught:
        fetcher.fetch(serve(endless(piece, first), 0.0))
    assert caught.value.exit_code == 9
    assert not cache.folder.exists()


def test_the_deadline_of_the_whole_counts_in_the_head_too(serve: Serve, cache: DownloadCache) -> None:
    quick = Limits(connect=5, read=5, total=0.5, retries=3, backoff=0.01)
    with Fetcher(cache, limits=quick) as fetcher, pytest.raises(NetworkError):
        fetcher.fetch(serve(endless(b"H"), 0.05))


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 99999999999999999999999\r\n\r\nx",
        HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\nx",
        HEAD + b"Content-Length: 1, 2\r\n\r\nx",
        HEAD + "Content-Length: ²\r\n\r\nx".encode("latin-1"),
        HEAD + b"Content-Encoding: br\r\n\r\nx",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 503 Busy\r\nRetry-After: \xb2\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://h:99999999/\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: //\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_an_answer_that_is_wrong_is_one_error(serve: Serve, cache: DownloadCache, answer: bytes) -> None:
    once = Limits(connect=2, read=2, total=5, retries=0)
    with Fetcher(cache, limits=once) as fetcher, pytest.raises(PackageError) as caught:
        fetcher.fetch(serve([answer], 0.0))
    assert (caught.value.exit_code, caught.value.code.partition(".")[0] in ("network", "package")) == (9, True)
    assert not [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_good_answer_after_continue(serve: Serve, cache: DownloadCache) -> None:
    answer = b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    with Fetcher(cache, limits=PATIENT) as fetcher:
        assert fetcher.fetch(serve([answer], 0.0)) == b"ok"


def test_a_file_that_is_none(tmp_path: Path, cache: DownloadCache) -> None:
    """A FIFO that nobody writes to is not waited for."""
    import os

    place = tmp_path / "fifo.py"
    if not hasattr(os, "mkfifo"):
        pytest.skip("no FIFOs here")
    os.mkfifo(place)
    with Fetcher(cache) as fetcher, pytest.raises(PackageError):
        fetcher.fetch(str(place))


def test_all_files_together_are_limited(
    serve: Serve, cache: DownloadCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "HTTP_TOTAL_BYTES", 10)
    answer = HEAD + b"Content-Length: 4\r\nConnection: close\r\n\r\nfour"
    local = tmp_path / "a"
    local.write_bytes(b"four")
    with Fetcher(cache, limits=PATIENT) as fetcher:
        address = serve([answer], 0.0)
        assert len(fetcher.fetch_all([(str(local), False), (address, False)])) == 2
        with pytest.raises(PackageError):
            fetcher.fetch_all((f"{address}{number}", False) for number in range(3))


def test_a_damaged_cache_entry_is_none(cache: DownloadCache) -> None:
    cache.put("https://h/x", b"data")
    (entry,) = [path for path in (cache.folder / "urls").rglob("*") if path.is_file()]
    good = entry.read_bytes()
    for bad in (
        b"[" * 100_000,
        b"\xff",
        b"{}",
        b'{"url": "https://h/x", "sha256": "../../x", "size": 1}',
        good[:-3],
        b"[]",
    ):
        entry.write_bytes(bad)
        assert cache.get("https://h/x") is None
    entry.write_bytes(good.replace(b'"etag": null', b'"etag": "a\\r\\nX: y"'))
    found = cache.entry("https://h/x")
    assert found is not None
    assert found.etag is None


def test_one_failure_ends_the_other_downloads(serve: Serve, cache: DownloadCache) -> None:
    """With Ctrl-C or after an error nobody waits until a slow server is through."""
    patient = Limits(connect=5, read=600, total=600, retries=0)
    slow, wrong = serve(endless(b"", HEAD), 0.1), serve([b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"], 0.0)
    with Fetcher(cache, limits=patient) as fetcher:
        with pytest.raises(NetworkError):
            fetcher.fetch_all([(slow, False), (wrong, False)])
        good = serve([HEAD + b"Content-Length: 2\r\n\r\nok"], 0.0)
        assert fetcher.fetch_all([(good, False)]) == {good: b"ok"}


def test_many_slow_files_have_one_deadline(serve: Serve, cache: DownloadCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HTTP_TOTAL_SECONDS", 0.5)
    address = serve(endless(b"z", HEAD + b"\r\n"), 0.05)
    with Fetcher(cache, limits=PATIENT) as fetcher, pytest.raises(NetworkError):
        fetcher.fetch_all((f"{address}{number}", False) for number in range(20))
