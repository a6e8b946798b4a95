"""A firmware server, and a source that asks it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.firmware_site import Site
from tests.unit.packages.web import serve
from upytool.events import Event, Notice
from upytool.net.download import Limits
from upytool.releases.source import ReleaseSource

QUICK = Limits(connect=2, read=0.5, total=2, retries=1, backoff=0.01, max_bytes=2_000_000)
RELEASES = ("20250415-v1.25.0", "20250911-v1.26.1", "20251209-v1.27.0", "20260406-v1.28.0")
PREVIEWS = ("20260501-v1.29.0-preview.99.gabcdef0123", "20260601-v1.29.0-preview.100.g0123456789")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve() as web:
        yield Site(web)


@pytest.fixture
def pico(site: Site) -> Site:
    """The server with four releases and two previews of RPI_PICO."""
    for each in (*RELEASES, *PREVIEWS):
        site.add(f"RPI_PICO-{each}.uf2")
    return site


class Heard:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def emit(self, event: Event) -> None:
        self.events.append(event)

    @property
    def said(self) -> str:
        return "\n".join(each.message for each in self.events if isinstance(each, Notice))


@pytest.fixture
def heard() -> Heard:
    return Heard()


Open = Callable[..., ReleaseSource]


@pytest.fixture
def open_source(site: Site, tmp_path: Path, heard: Heard) -> Iterator[Open]:
    """open_source(offline=..., server=...): sources with one cache and record."""
    made: list[ReleaseSource] = []

    def call(**more: object) -> ReleaseSource:
        options = {"limits": QUICK, "folder": tmp_path / "cache", "record": tmp_path / "state/firmware.json"}
        server = str(more.pop("server", site.address))
        made.append(ReleaseSource(server, reporter=heard, **(options | more)))  # type: ignore[arg-type]
        return made[-1]

    yield call
    for each in made:
        each.close()


@pytest.fixture
def source(open_source: Open) -> ReleaseSource:
    return open_source()
