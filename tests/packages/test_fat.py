"""Packages on a real FAT: a name is found in any case, and by the short name that FAT made up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import upytool
from tests.fixtures.make_index import IndexBuilder
from upytool.device.device import Device
from upytool.errors import PackageError, RemoteOSError
from upytool.packages.apply import apply
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.inspect import check
from upytool.packages.installer import InstallOptions, plan_install
from upytool.packages.sources import parse_source

pytest_plugins = ["tests.rigs.fixtures"]
pytestmark = pytest.mark.rig

Put = Callable[..., None]


@pytest.fixture
def device(qemu_port: str) -> Iterator[Device]:
    with upytool.connect(qemu_port) as made:
        yield made


@pytest.fixture
def put(device: Device, tmp_path: Path) -> Iterator[Put]:
    """put(version, {path: text}): install package p with these files."""
    index = IndexBuilder(tmp_path / "index")
    options = InstallOptions("/lib", (str(index.folder),), mpy=False)
    with Fetcher(PackageCache(tmp_path / "cache")) as fetcher:

        def run(version: str, files: dict[str, bytes]) -> None:
            index.add("p", version, files, mpy=False)
            apply(device, plan_install(device, [parse_source("p", Hosts())], fetcher, Hosts(), options))

        yield run


def test_names_on_fat(device: Device, put: Put) -> None:
    device.fs.mkdir("/lib")
    device.fs.write_bytes("/lib/Mine.txt", b"mine")
    with pytest.raises(PackageError):
        put("0.1", {"mine.txt": b"theirs"})
    with pytest.raises(PackageError):
        put("0.2", {"A.txt": b"1", "a.txt": b"2"})
    with pytest.raises((PackageError, RemoteOSError)):
        put("0.3", {"n" * 256: b"1"})
    assert [entry.name for entry in device.fs.ls("/lib")] == ["Mine.txt"]
    put("1.0", {"Tool.txt": b"1", "n" * 250: b"long"})
    put("2.0", {"tool.txt": b"2", "n" * 250: b"long"})
    assert check(device) == []
    assert device.fs.read_bytes("/lib/tool.txt") == b"2"
    assert device.fs.read_bytes("/lib/Mine.txt") == b"mine"
