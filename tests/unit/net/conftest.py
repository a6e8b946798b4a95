"""A server that answers as it is told, and a fetcher."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.packages.web import Web, serve
from upytool.net.cache import DownloadCache
from upytool.net.download import Fetcher, Limits

QUICK = Limits(connect=2, read=1, total=4, retries=2, backoff=0.01, max_bytes=200_000)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def web() -> Iterator[Web]:
    with serve() as made:
        yield made


@pytest.fixture
def cache(tmp_path: Path) -> DownloadCache:
    return DownloadCache(tmp_path / "cache")


@pytest.fixture
def fetcher(cache: DownloadCache) -> Iterator[Fetcher]:
    with Fetcher(cache, limits=QUICK) as made:
        yield made
