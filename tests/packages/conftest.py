"""Real boards for the package tests: the wasm board (real MicroPython, real LittleFS), one a test module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import upytool
from tests.fixtures.make_index import build, serve
from upytool import sim
from upytool.device.device import Device
from upytool.packages.apply import apply
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.installer import InstallOptions, plan_install
from upytool.packages.plan import InstallPlan
from upytool.packages.sources import parse_source

pytest.importorskip("wasmtime")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """State and data of the simulators, away from the user's."""
    folder = tmp_path_factory.mktemp("sim")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPYTOOL_STATE_DIR", str(folder / "state"))
        patch.setenv("UPYTOOL_DATA_DIR", str(folder / "data"))
        yield folder


@pytest.fixture
def port(state: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """The port of a fresh board; other tools can open it too."""
    name = f"mip{abs(hash(request.node.nodeid)) % 10**8}"
    info = sim.start("wasm", name=name, fresh=True, flash_size=1 << 20)
    try:
        yield info.port
    finally:
        sim.stop(name)


@pytest.fixture
def device(port: str) -> Iterator[Device]:
    with upytool.connect(port) as made:
        yield made


@pytest.fixture(scope="session")
def index_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an index with ringlog and bytering."""
    with serve(build(tmp_path_factory.mktemp("index"))) as address:
        yield address


Install = Callable[..., InstallPlan]


@pytest.fixture
def install(device: Device, index_url: str, tmp_path: Path) -> Iterator[Install]:
    """install("name", ..., **options) on the board."""
    hosts = Hosts()
    with Fetcher(PackageCache(tmp_path / "cache")) as fetcher:

        def run(*specs: str, index: str = "", **options: object) -> InstallPlan:
            chosen = InstallOptions(indexes=(index or index_url,), **options)  # type: ignore[arg-type]
            sources = [parse_source(each, hosts) for each in specs]
            plan = plan_install(device, sources, fetcher, hosts, chosen)
            apply(device, plan)
            return plan

        yield run


def tree(device: Device, top: str = "/lib") -> dict[str, bytes]:
    """What is on the board below `top`, without our own records."""
    found = {}
    for entry in device.fs.walk(top):
        if entry.kind == "file" and "/.upytool" not in entry.name:
            found[entry.name] = device.fs.read_bytes(entry.name)
    return found
