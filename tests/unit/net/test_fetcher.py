"""What the fetcher does beyond what the packages need of it (that is in tests/unit/packages/test_download.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.net.conftest import QUICK
from tests.unit.packages.web import Answer, Web
from upytool import __version__
from upytool.errors import NetworkError, PackageError
from upytool.events import Event, TaskAdvanced, TaskFinished, TaskStarted
from upytool.net.cache import DownloadCache
from upytool.net.download import Credential, Fetcher
from upytool.packages.download import Fetcher as PackageFetcher


class Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)


def test_nothing_is_kept(web: Web, fetcher: Fetcher, cache: DownloadCache) -> None:
    url = web.add("/a", b"one")
    assert fetcher.fetch(url, keep=False) == b"one"
    assert cache.get(url) is None
    web.add("/a", b"two")
    assert fetcher.fetch(url, keep=False) == b"two"
    assert fetcher.fetch(url) == b"two"
    web.add("/a", b"three")
    assert fetcher.fetch(url, keep=False) == b"three"
    assert fetcher.fetch(url) == b"two"  # once a session


def test_a_check_stands_before_the_cache(web: Web, fetcher: Fetcher, cache: DownloadCache) -> None:
    url = web.add("/a", b"bad")

    def refuse(data: bytes) -> None:
        raise PackageError(f"no {data!r}")

    with pytest.raises(PackageError, match="no b'bad'"):
        fetcher.fetch(url, check=refuse)
    assert cache.get(url) is None
    assert fetcher.fetch(url, check=lambda data: None) == b"bad"


@pytest.mark.parametrize(("compressed", "total"), [(False, 100_000), (True, None)])
def test_progress(web: Web, cache: DownloadCache, compressed: bool, total: int | None) -> None:
    heard = Heard()
    url = web.add("/a", bytes(100_000), gzip=compressed)
    with Fetcher(cache, limits=QUICK, reporter=heard) as fetcher:
        fetcher.fetch(url, label="the file")
        fetcher.fetch(web.add("/b", b"x"))
    (start,) = [each for each in heard.events if isinstance(each, TaskStarted)]
    assert (start.label, start.total, start.unit) == ("the file", total, "bytes")
    done = [each.done for each in heard.events if isinstance(each, TaskAdvanced)]
    assert done == sorted(done)
    assert done[-1] == 100_000
    assert isinstance(heard.events[-1], TaskFinished)


def test_progress_of_a_cut_that_is_tried_again(web: Web, cache: DownloadCache) -> None:
    heard = Heard()
    web.routes["/a"] = [Answer(b"half", claim=8), Answer(b"the whole")]
    with Fetcher(cache, limits=QUICK, reporter=heard) as fetcher:
        assert fetcher.fetch(web.address + "/a", label="a") == b"the whole"
    assert [each.ok for each in heard.events if isinstance(each, TaskFinished)] == [False, True]


def test_an_address_that_is_none_is_one_sentence(cache: DownloadCache) -> None:
    secret = Credential("https://host.example/", (("Authorization", "token x"),))
    with Fetcher(cache, credentials=[secret]) as fetcher:
        for ask in (fetcher.fetch, lambda url: fetcher.fetch_all([(url, False)])):
            with pytest.raises(NetworkError, match="is not an address"):
                ask("https://[broken/x")


def test_a_cache_that_may_only_be_read(cache: DownloadCache, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = cache.put("https://x/y", b"data")
    (cache.folder / "blobs" / kept.sha256[:2] / kept.sha256).write_bytes(b"damaged")

    def refused(path: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refused)
    assert cache.get("https://x/y") is None


def test_who_asks(web: Web, cache: DownloadCache) -> None:
    url = web.add("/a", b"x")
    for kind in (Fetcher, PackageFetcher):
        with kind(cache, limits=QUICK) as fetcher:
            fetcher.fetch(url, keep=False)
    assert [headers["user-agent"] for _, headers in web.seen] == [
        "upytool",
        f"upytool/{__version__} (mip)",
    ]


def test_refusals_speak_to_those_who_asked(web: Web, cache: DownloadCache) -> None:
    web.routes["/a"] = Answer(b"", 401)
    for kind, token in ((Fetcher, False), (PackageFetcher, True)):
        with kind(cache, limits=QUICK) as fetcher, pytest.raises(NetworkError, match="refuses") as caught:
            fetcher.fetch(web.address + "/a")
        assert ("token" in caught.value.hint) is token
