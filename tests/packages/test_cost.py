"""What an install costs the board: programs, turns and bytes, which do not vary, on a real MicroPython.

Upper bounds, a little above what was measured. Who makes an install cheaper lowers them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fixtures.make_index import IndexBuilder
from upytool.device.device import Device
from upytool.packages.cache import PackageCache
from upytool.packages.download import Fetcher
from upytool.packages.hosts import Hosts
from upytool.packages.inspect import outdated, upgrades
from upytool.packages.installer import InstallOptions, index_abi, plan_install
from upytool.packages.plan import InstallPlan
from upytool.packages.survey import survey

Install = Callable[..., InstallPlan]


@dataclass
class Cost:
    """Since the last `start`.

    Attributes:
        short, asked: programs of ours.
        moved: uses of the mover.
        sent: bytes to the board.
        turns: writes after reads.
    """

    short: int = 0
    asked: int = 0
    moved: int = 0
    sent: int = 0
    turns: int = 0
    _heard: bool = field(default=True, repr=False)

    def start(self) -> None:
        self.short = self.asked = self.moved = self.sent = self.turns = 0


@pytest.fixture
def cost(device: Device, monkeypatch: pytest.MonkeyPatch) -> Cost:
    made = Cost()
    write, read, ask, put = device.transport.write, device.transport.read, device.ask, type(device.fs).put_many
    one = device.one

    def on_write(data: bytes) -> None:
        made.sent += len(data)
        made.turns += made._heard
        made._heard = False
        write(data)

    def on_read(timeout: float | None) -> bytes:
        data = read(timeout)
        made._heard = made._heard or bool(data)
        return data

    def on_ask(*args: object, **more: object) -> object:
        made.asked += 1
        return ask(*args, **more)  # type: ignore[arg-type]

    def on_one(*args: object, **more: object) -> object:
        made.short += 1
        return one(*args, **more)  # type: ignore[arg-type]

    def on_put(*args: object, **more: object) -> None:
        made.moved += 1
        put(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(device.transport, "write", on_write)
    monkeypatch.setattr(device.transport, "read", on_read)
    monkeypatch.setattr(device, "ask", on_ask)
    monkeypatch.setattr(device, "one", on_one)
    monkeypatch.setattr(type(device.fs), "put_many", on_put)
    survey(device, None, write=False)  # the raw prompt, and the soft reset that is due
    return made


def test_one_small_package(device: Device, install: Install, cost: Cost, tmp_path: Path) -> None:
    """The plain case: look, send, put in place."""
    (tmp_path / "small.py").write_bytes(b"def f():\n    return 41\n")
    cost.start()
    install(str(tmp_path / "small.py"))
    assert (cost.short, cost.asked, cost.moved) == (2, 0, 0)
    assert cost.sent <= 980, cost
    assert cost.turns <= 4, cost
    assert device.exec("import small\nprint(small.f())") == "41\n"
    cost.start()
    assert install(str(tmp_path / "small.py")).empty
    assert (cost.short, cost.asked, cost.moved) == (2, 0, 0)
    assert cost.sent <= 760, cost
    assert cost.turns <= 6, cost


def test_a_second_package_beside_it(device: Device, install: Install, cost: Cost, tmp_path: Path) -> None:
    """What is there under other names is not asked about."""
    (tmp_path / "small.py").write_bytes(b"def f():\n    return 41\n")
    (tmp_path / "other.py").write_bytes(b"def f():\n    return 42\n")
    install(str(tmp_path / "small.py"))
    cost.start()
    install(str(tmp_path / "other.py"))
    assert (cost.short, cost.asked, cost.moved) == (3, 0, 0)
    assert cost.sent <= 1400, cost
    assert cost.turns <= 6, cost


def test_twenty_packages_go_in_one_stream(device: Device, install: Install, cost: Cost, tmp_path: Path) -> None:
    builder = IndexBuilder(tmp_path / "i")
    names = [f"many{number:02d}" for number in range(20)]
    for name in names:
        files = {f"{name}/a.txt": name.encode() * 40, f"{name}/b.txt": name.encode() * 50}
        builder.add(name, "1", files, mpy=False)
    cost.start()
    install(*names, index=str(builder.folder))
    assert (cost.short, cost.asked, cost.moved) == (1, 1, 1)
    assert cost.sent <= 12_600, cost
    assert cost.turns <= 16, cost
    assert len(device.fs.ls("/lib")) == 21


def test_outdated_asks_for_the_version_alone(
    device: Device, install: Install, cost: Cost, tmp_path: Path, index_url: str
) -> None:
    """Which .mpy files the board loads is one number; the probe of the whole board is not needed for it."""
    install("bytering")
    device.session.board = None
    with Fetcher(PackageCache(tmp_path / "other")) as fetcher:
        cost.start()
        assert outdated(device, fetcher, Hosts(), [index_url]) == ([], [])
        assert (cost.short, cost.asked, cost.moved) == (1, 1, 0)
        assert index_abi(device, True) == "6"
    assert device.session.board is None


def test_an_upgrade_looks_once(device: Device, install: Install, cost: Cost, tmp_path: Path, index_url: str) -> None:
    install("bytering")
    options = InstallOptions(indexes=(index_url,))
    with Fetcher(PackageCache(tmp_path / "other")) as fetcher:
        cost.start()
        seen, sources, _ = upgrades(device, [], Hosts())
        assert plan_install(device, sources, fetcher, Hosts(), options, seen=seen).empty
    assert (cost.short, cost.asked, cost.moved) == (2, 0, 0)
    assert cost.turns <= 6, cost
