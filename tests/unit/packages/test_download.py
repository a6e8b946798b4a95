"""Downloads against a real server that misbehaves; the cache."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.unit.packages.conftest import QUICK
from tests.unit.packages.web import Answer, Web
from upytool import limits
from upytool.errors import NetworkError, OfflineError, PackageError
from upytool.net.together import WORKERS
from upytool.packages.cache import PackageCache
from upytool.packages.download import Credential, Fetcher, Limits


def blobs(cache: PackageCache) -> list[Path]:
    return [path for path in cache.folder.rglob("*") if path.is_file()]


def test_a_file_is_fetched_and_kept(web: Web, fetcher: Fetcher, cache: PackageCache) -> None:
    url = web.add("/a.py", b"x = 1\n")
    assert fetcher.fetch(url) == b"x = 1\n"
    assert cache.get(url) == b"x = 1\n"
    assert web.seen[0][1]["user-agent"].startswith("upytool/")


def test_one_session_asks_once(web: Web, fetcher: Fetcher) -> None:
    url = web.add("/a.py", b"x")
    assert fetcher.fetch(url) == fetcher.fetch(url) == b"x"
    assert web.paths() == ["/a.py"]


def test_immutable_files_come_from_the_cache(web: Web, cache: PackageCache) -> None:
    url = web.add("/file/ab/abcdef01", b"x")
    for _ in range(2):
        with Fetcher(cache, limits=QUICK) as fetcher:
            assert fetcher.fetch(url, immutable=True) == b"x"
    assert len(web.seen) == 1


def test_etag_saves_the_body(web: Web, cache: PackageCache) -> None:
    web.routes["/a"] = lambda request: (
        Answer(b"", 304)
        if request.headers.get("If-None-Match") == '"one"'
        else Answer(b"body", headers={"ETag": '"one"'})
    )
    for _ in range(2):
        with Fetcher(cache, limits=QUICK) as fetcher:
            assert fetcher.fetch(web.address + "/a") == b"body"
    assert "if-none-match" in web.seen[1][1]


def test_404_is_no_retry(web: Web, fetcher: Fetcher) -> None:
    assert fetcher.find(web.address + "/none") is None
    with pytest.raises(NetworkError) as caught:
        fetcher.fetch(web.address + "/none")
    assert caught.value.code == "network.not-found"
    assert len(web.seen) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_busy_servers_are_asked_again(web: Web, fetcher: Fetcher, status: int) -> None:
    web.routes["/a"] = [Answer(b"", status), Answer(b"", status), Answer(b"good")]
    assert fetcher.fetch(web.address + "/a") == b"good"
    assert len(web.seen) == 3


def test_retries_end(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 503)
    with pytest.raises(NetworkError, match="HTTP status 503"):
        fetcher.fetch(web.address + "/a")
    assert len(web.seen) == QUICK.retries + 1


def test_retry_after_is_bounded(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 429, {"Retry-After": "86400"})
    with pytest.raises(NetworkError, match="429"):  # and not after a day
        fetcher.fetch(web.address + "/a")


def test_forbidden_tells_of_tokens(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 403)
    with pytest.raises(NetworkError, match="refuses access") as caught:
        fetcher.fetch(web.address + "/a")
    assert "token" in caught.value.hint


@pytest.mark.parametrize("compressed", [False, True])
def test_half_a_body_is_never_kept(web: Web, fetcher: Fetcher, cache: PackageCache, compressed: bool) -> None:
    web.routes["/a"] = Answer(b"0123456789" * 50, claim=5000, gzip=compressed)
    with pytest.raises(NetworkError, match=r"ended early"):
        fetcher.fetch(web.address + "/a")
    assert blobs(cache) == []


def test_gzip_cut_off_without_a_length_is_noticed(web: Web, fetcher: Fetcher, cache: PackageCache) -> None:
    import gzip

    cut = gzip.compress(b"hello" * 1000)[:-10]
    web.routes["/a"] = Answer(cut, claim=-1, headers={"Content-Encoding": "gzip"})
    with pytest.raises(NetworkError) as caught:
        fetcher.fetch(web.address + "/a")
    assert caught.value.code == "network.cut"
    assert blobs(cache) == []


def test_a_cut_is_retried(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = [Answer(b"half", claim=8), Answer(b"the whole")]
    assert fetcher.fetch(web.address + "/a") == b"the whole"


def test_gzip(web: Web, fetcher: Fetcher) -> None:
    url = web.add("/a", b"hello " * 1000, gzip=True)
    assert fetcher.fetch(url) == b"hello " * 1000


def test_gzip_bomb_stops_at_the_limit(web: Web, fetcher: Fetcher, cache: PackageCache) -> None:
    url = web.add("/a", b"\0" * 5_000_000, gzip=True)
    with pytest.raises(PackageError) as caught:
        fetcher.fetch(url)
    assert (caught.value.code, caught.value.fields["limit"]) == ("package.too-large", 200_000)
    assert blobs(cache) == []


def test_too_large(web: Web, fetcher: Fetcher) -> None:
    with pytest.raises(PackageError) as caught:
        fetcher.fetch(web.add("/a", b"x" * 300_000))
    assert caught.value.code == "package.too-large"


def test_silent_server(web: Web, cache: PackageCache) -> None:
    web.routes["/a"] = Answer(b"late", wait=1.5)
    with (
        Fetcher(cache, limits=Limits(read=0.2, total=1, retries=1, backoff=0.01)) as fetcher,
        pytest.raises(NetworkError, match=r"timed out"),
    ):
        fetcher.fetch(web.address + "/a")


def test_dripping_server(web: Web, cache: PackageCache) -> None:
    web.routes["/a"] = Answer(b"x" * 60, drip=0.05)  # each byte is in time, all of them are not
    with (
        Fetcher(cache, limits=Limits(read=0.5, total=0.6, retries=3, backoff=0.01)) as fetcher,
        pytest.raises(NetworkError, match=r"too slow|timed out|in time"),
    ):
        fetcher.fetch(web.address + "/a")


def test_hang_up(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = [Answer(hang_up=True), Answer(b"good")]
    assert fetcher.fetch(web.address + "/a") == b"good"


def test_nobody_there(fetcher: Fetcher) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(NetworkError, match=r"no connection to 127\.0\.0\.1"):
        fetcher.fetch(f"http://127.0.0.1:{port}/a")


def test_redirects(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 302, {"Location": "/b"})
    web.add("/b", b"there")
    assert fetcher.fetch(web.address + "/a") == b"there"


def test_redirect_loop(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 302, {"Location": "/b"})
    web.routes["/b"] = Answer(b"", 301, {"Location": "/a"})
    with pytest.raises(NetworkError, match="redirects more than"):
        fetcher.fetch(web.address + "/a")
    assert len(web.seen) == 6


def test_redirect_to_another_protocol(web: Web, fetcher: Fetcher) -> None:
    web.routes["/a"] = Answer(b"", 302, {"Location": "file:///etc/passwd"})
    with pytest.raises(NetworkError) as caught:
        fetcher.fetch(web.address + "/a")
    assert caught.value.code == "network.redirect"


def test_tokens_stay_below_their_prefix(web: Web, cache: PackageCache) -> None:
    mine = Credential(web.address + "/private", (("Authorization", "Bearer secret"),))
    web.routes["/private/a"] = Answer(b"", 302, {"Location": "/public/a"})
    web.add("/public/a", b"x")
    web.add("/privateer", b"y")
    with Fetcher(cache, credentials=[mine], limits=QUICK) as fetcher:
        fetcher.fetch(web.address + "/private/a")
        fetcher.fetch(web.address + "/privateer")
    sent = {path: headers.get("authorization") for path, headers in web.seen}
    assert sent == {"/private/a": "Bearer secret", "/public/a": None, "/privateer": None}
    assert "secret" not in repr(mine)


def test_a_proxy_of_the_environment(web: Web, fetcher: Fetcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.address)
    web.add("http://packages.invalid/a", b"through the proxy")
    assert fetcher.fetch("http://packages.invalid/a") == b"through the proxy"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert fetcher.fetch(web.add("/direct", b"direct")) == b"direct"


def test_offline(web: Web, cache: PackageCache) -> None:
    url = web.add("/a", b"x")
    with Fetcher(cache, limits=QUICK) as fetcher:
        fetcher.fetch(url)
    with Fetcher(cache, offline=True) as fetcher:
        assert fetcher.fetch(url) == b"x"
        with pytest.raises(OfflineError, match="/b"):
            fetcher.fetch(web.address + "/b")
        with pytest.raises(OfflineError, match=r"2 of 3 files.*/b, .*/c"):
            fetcher.fetch_all([(url, False), (web.address + "/b", False), (web.address + "/c", True)])
    assert len(web.seen) == 1


def test_many_at_once(web: Web, fetcher: Fetcher, tmp_path: Path) -> None:
    local = tmp_path / "l.py"
    local.write_bytes(b"local")
    urls = {web.add(f"/{n}", b"%d" % n): b"%d" % n for n in range(20)}
    got = fetcher.fetch_all([(url, False) for url in urls] + [(str(local), False)])
    assert got == urls | {str(local): b"local"}


def test_one_bad_file_stops_all(web: Web, fetcher: Fetcher) -> None:
    good = [(web.add(f"/{n}", b"x"), False) for n in range(4)]
    with pytest.raises(NetworkError, match="/none"):
        fetcher.fetch_all([*good, (web.address + "/none", False)])


def test_a_damaged_blob_counts_as_missing(cache: PackageCache) -> None:
    entry = cache.put("http://x/a", b"content")
    path = cache.folder / "blobs" / entry.sha256[:2] / entry.sha256
    path.write_bytes(b"conten")
    assert cache.get("http://x/a") is None
    assert not path.exists()
    assert entry.sha256 == hashlib.sha256(b"content").hexdigest()


def test_a_damaged_url_entry_counts_as_missing(cache: PackageCache) -> None:
    cache.put("http://x/a", b"content")
    for path in (cache.folder / "urls").rglob("*"):
        if path.is_file():
            path.write_bytes(b"{")
    assert cache.get("http://x/a") is None


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PackageError) as caught:
        PackageCache(tmp_path / "file" / "cache").put("http://x/a", b"x")
    assert caught.value.code == "package.cache"


def test_connections_are_used_again(web: Web, cache: PackageCache) -> None:
    """Bodies and "not modified" leave a connection open, so a second breath shakes no hands."""

    def route(request: Any) -> Answer:
        tag = f'"{request.path}"'
        if request.headers.get("If-None-Match") == tag:
            return Answer(b"", 304)
        return Answer(request.path.encode(), headers={"ETag": tag})

    for number in range(40):
        web.routes[f"/{number}"] = route
    wanted = [(f"{web.address}/{number}", False) for number in range(40)]
    for _ in range(2):
        web.seen.clear()
        web.peers.clear()
        with Fetcher(cache, limits=QUICK) as fetcher:
            for _ in range(3):
                fetcher._fresh.clear()
                assert fetcher.fetch_all(wanted) == {url: url.removeprefix(web.address).encode() for url, _ in wanted}
        assert len(web.seen) == 120
        assert len(web.peers) <= WORKERS


def test_all_of_it_is_limited_while_it_comes(
    web: Web, fetcher: Fetcher, cache: PackageCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What several files bring at the same time counts together, before any of them is whole."""
    monkeypatch.setattr(limits, "HTTP_TOTAL_BYTES", 100_000)
    for number in range(4):
        web.add(f"/{number}", b"x" * 40_000, claim=40_001)
    with pytest.raises(PackageError, match="together"):
        fetcher.fetch_all((f"{web.address}/{number}", False) for number in range(4))
    assert blobs(cache) == []


def test_offline_reads_the_cache_once(web: Web, cache: PackageCache, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [(web.add(f"/{number}", b"%d" % number), False) for number in range(5)]
    with Fetcher(cache, limits=QUICK) as fetcher:
        fetcher.fetch_all(wanted)
    read: list[str] = []
    real = PackageCache.blob
    monkeypatch.setattr(PackageCache, "blob", lambda self, sha256: read.append(sha256) or real(self, sha256))
    with Fetcher(cache, offline=True) as fetcher:
        assert len(fetcher.fetch_all(wanted)) == len(read) == 5
