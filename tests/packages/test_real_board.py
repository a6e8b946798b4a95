"""Packages on a real MicroPython with a real LittleFS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import upytool
from tests.fixtures.make_index import IndexBuilder, serve
from tests.packages.conftest import tree
from upytool.device.device import Device
from upytool.errors import ConnectionLostError, PackageError, UpytoolError
from upytool.packages.apply import apply
from upytool.packages.inspect import check, places
from upytool.packages.plan import InstallPlan
from upytool.packages.uninstall import plan_uninstall

Install = Callable[..., InstallPlan]


def test_a_package_and_what_it_needs_run(device: Device, install: Install) -> None:
    install("ringlog")
    assert sorted(tree(device)) == [
        "/lib/bytering.mpy",
        "/lib/ringlog/__init__.mpy",
        "/lib/ringlog/levels.mpy",
    ]
    said = device.exec(
        "import ringlog\n"
        "log = ringlog.RingLog(64)\n"
        "for n in range(9): log.info('line %d', n)\n"
        "print(ringlog.__version__)\n"
        "for l in log.lines(): print(l.split(' ', 1)[1])\n"
    )
    version, *lines = said.splitlines()
    assert version == "1.1.0"
    assert 1 <= len(lines) <= 4, "64 bytes hold the last few lines"
    assert lines == [f"INFO line {n}" for n in range(9 - len(lines), 9)]
    assert check(device) == []
    assert install("ringlog").empty
    assert not set(device.eval("dir()")) & {"_mip", "survey", "commit", "exists", "make", "os", "sys"}


@pytest.mark.parametrize("mpy", [True, False], ids=["mpy", "no-mpy"])
def test_the_same_tree_as_mpremote(
    device: Device, port: str, install: Install, index_url: str, mpy: bool, tmp_path: Path
) -> None:
    install("ringlog@1.0.0", mpy=mpy)
    ours = tree(device)
    for name in (*ours, "/lib/.upytool.json"):
        device.fs.remove(name)
    device.close()
    command = [sys.executable, "-m", "mpremote", "connect", port, "mip", "install", "--index", index_url]
    command += ["--mpy" if mpy else "--no-mpy", "ringlog@1.0.0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    with upytool.connect(port) as again:
        assert tree(again) == ours


def test_urls_are_the_same_as_mpremotes_but_compiled(
    device: Device, port: str, install: Install, tmp_path: Path
) -> None:
    folder = tmp_path / "web"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "one.py").write_text("def f():\n    return 41 + 1\n")
    (folder / "data.bin").write_bytes(bytes(range(256)) * 9)
    (folder / "package.json").write_text(
        json.dumps({"urls": [["pkg/one.py", "src/one.py"], ["pkg/data.bin", "data.bin"]], "version": "3"})
    )
    with serve(folder) as address:
        install(address + "/package.json", mpy=False)
        plain = tree(device)
        install(address + "/package.json")
        compiled = tree(device)
        assert sorted(compiled) == ["/lib/pkg/data.bin", "/lib/pkg/one.mpy"]
        assert device.exec("import pkg.one\nprint(pkg.one.f())") == "42\n"
        for name in (*compiled, "/lib/.upytool.json"):
            device.fs.remove(name)
        device.close()
        command = [
            sys.executable,
            "-m",
            "mpremote",
            "connect",
            port,
            "mip",
            "install",
            address + "/package.json",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stdout + done.stderr
    with upytool.connect(port) as again:
        assert tree(again) == plain


def test_a_local_package_is_compiled_for_this_board(device: Device, install: Install, tmp_path: Path) -> None:
    (tmp_path / "driver.py").write_text("def f():\n    raise ValueError('here')\n")
    install(str(tmp_path / "driver.py"))
    data = device.fs.read_bytes("/lib/driver.mpy")
    assert (data[1], data[2] >> 2) == (device.info.mpy & 0xFF, 0)
    with pytest.raises(UpytoolError) as caught:
        device.exec("import driver\ndriver.f()")
    assert 'File "/lib/driver.py", line 2' in getattr(caught.value, "traceback", "")


def test_stale_sources_go(device: Device, install: Install) -> None:
    device.fs.mkdir("/lib", exist_ok=True)
    device.fs.write_bytes("/lib/bytering.py", b"raise SystemError('old')\n")
    plan = install("bytering")
    assert [each.path for each in plan.removals] == ["/lib/bytering.py"]
    assert device.exec("import bytering\nprint(bytering.ByteRing(3).peek())") == "b''\n"


def test_uninstall(device: Device, install: Install) -> None:
    install("ringlog")
    before = {place.path: list(place.record.packages) for place in places(device)}
    assert before == {"/lib": ["bytering", "ringlog"]}
    apply(device, plan_uninstall(device, ["ringlog"], unused=True))
    assert device.fs.walk("/lib") == []


def test_a_full_board_keeps_the_old_package(device: Device, install: Install, tmp_path: Path) -> None:
    builder = IndexBuilder(tmp_path / "i")
    builder.add("big", "1", {"big.txt": b"old"}, mpy=False)
    install("big", index=str(builder.folder))
    free = device.fs.df()[0].free
    builder.add("big", "2", {"big.txt": os.urandom(free // 2), "more.txt": os.urandom(free)}, mpy=False)
    with pytest.raises(PackageError, match=r"need \d+ bytes in /lib, and \d+ are free"):
        install("big", index=str(builder.folder))
    assert tree(device) == {"/lib/big.txt": b"old"}
    assert check(device) == []


@pytest.mark.parametrize("moment", [0.2, 0.5, 0.7, 0.9])
def test_a_cable_that_is_pulled(port: str, install: Install, device: Device, tmp_path: Path, moment: float) -> None:
    """The connection ends at a moment of an upgrade: the board has the old package or the new one."""
    builder = IndexBuilder(tmp_path / "i")
    old = {f"p/{n}.txt": b"old %d " % n * 300 for n in range(6)}
    new = {f"p/{n}.txt": b"new %d " % n * 300 for n in range(6)}
    real = device.transport.write
    seen = {"writes": 0, "last": 10**6}

    def write(data: bytes) -> None:
        seen["writes"] += 1
        if seen["writes"] >= seen["last"]:
            raise ConnectionLostError("pulled")
        real(data)

    device.transport.write = write  # type: ignore[method-assign]
    builder.add("p", "1", old, mpy=False)
    install("p", index=str(builder.folder))
    builder.add("p", "2", new, mpy=False)
    seen["last"], seen["writes"] = max(3, int(seen["writes"] * moment)), 0
    with pytest.raises(UpytoolError):
        install("p", index=str(builder.folder))
    device.close()
    with upytool.connect(port) as again:
        found = {path.removeprefix("/lib/"): data for path, data in tree(again).items()}
    assert found in (old, new)
