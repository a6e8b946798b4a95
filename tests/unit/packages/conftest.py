"""Fixtures of the package tests: a web, an index, a fetcher, a model of a board."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fixtures.make_index import IndexBuilder, build, serve
from tests.unit.packages import web as webs
from tests.unit.packages.model import ModelBoard, ShortModelBoard
from upytool.packages.apply import apply
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher, Limits
from upytool.packages.hosts import Hosts
from upytool.packages.installer import InstallOptions, plan_install
from upytool.packages.plan import InstallPlan
from upytool.packages.sources import parse_source

QUICK = Limits(connect=2, read=1, total=4, retries=2, backoff=0.01, max_bytes=200_000)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("UPYTOOL_") or name.endswith("_TOKEN"):
            monkeypatch.delenv(name)


@pytest.fixture
def web() -> Iterator[webs.Web]:
    with webs.serve() as made:
        yield made


@pytest.fixture
def cache(tmp_path: Path) -> PackageCache:
    return PackageCache(tmp_path / "cache")


@pytest.fixture
def fetcher(cache: PackageCache) -> Iterator[Fetcher]:
    with Fetcher(cache, limits=QUICK) as made:
        yield made


@pytest.fixture(params=[ModelBoard, ShortModelBoard], ids=["long", "short"])
def board(request: pytest.FixtureRequest) -> ModelBoard:
    """A board that takes only the long programs, and one that takes short ones as well."""
    made: ModelBoard = request.param()
    return made


@pytest.fixture
def index(tmp_path: Path) -> IndexBuilder:
    """An empty index in a folder; add packages to it."""
    return IndexBuilder(tmp_path / "index")


@pytest.fixture(scope="session")
def real_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the index with ringlog and bytering, served."""
    with serve(build(tmp_path_factory.mktemp("index"))) as address:
        yield address


Install = Callable[..., InstallPlan]


@pytest.fixture
def install(board: ModelBoard, fetcher: Fetcher, index: IndexBuilder) -> Install:
    """install("name", ..., index=, hosts=, **options): plan and apply on the model."""

    def run(
        *specs: str,
        index_url: str | None = None,
        hosts: Hosts | None = None,
        dry_run: bool = False,
        **options: object,
    ) -> InstallPlan:
        known = hosts or Hosts()
        chosen = InstallOptions(indexes=(index_url or str(index.folder),), **options)  # type: ignore[arg-type]
        sources = [parse_source(each, known) for each in specs]
        plan = plan_install(board, sources, fetcher, known, chosen, write=not dry_run)
        if not dry_run:
            apply(board, plan)
        return plan

    return run
