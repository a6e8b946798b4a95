"""Simulated boards without the command line, and that connecting to them is the library's own work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import upytool
from upytool.api import connect, sims
from upytool.device import connect as below
from upytool.errors import NoDeviceError, UsageError

pytest.importorskip("wasmtime")


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path))
    yield tmp_path
    sims.stop(every=True)


def test_from_start_to_stop(state: Path) -> None:
    assert sims.running() == []
    assert sims.selectors() == []
    with pytest.raises(NoDeviceError):
        sims.stop()
    one = sims.start(name="one", fresh=True)
    assert (one.name, one.kind, one.selector, one.state, one.started) == ("one", "wasm", "sim:one", "repl", True)
    assert one.data().keys() == {"name", "kind", "port", "pid", "state_dir", "state"}
    again = sims.start(name="one")
    assert (again.info, again.started) == (one.info, False)
    assert (sims.address("sim:one"), sims.selectors()) == (one.port, ["sim:one"])
    with pytest.raises(UsageError):
        sims.start(name="one", image="x.uf2")

    sims.start(name="two", fresh=True)
    assert [(each.name, each.state) for each in sims.running()] == [("one", "repl"), ("two", "repl")]
    with pytest.raises(UsageError):
        sims.reset()
    assert sims.reset(["sim:one", "two"]) == ["one", "two"]
    assert sims.stop(["one"]) == ["one"]
    assert sims.stop() == ["two"]
    assert sims.stop(every=True) == []


def test_the_library_connects_to_them(state: Path) -> None:
    sims.start(name="one", fresh=True)

    async def ask() -> str:
        async with await upytool.aconnect("sim:one") as board:
            return await board.exec("print(1 + 1)")

    with upytool.connect("mine", aliases={"mine": "sim:one"}) as board:
        assert board.eval("1 + 2") == 3
    assert asyncio.run(ask()) == "2\n"


def test_the_floor_below_knows_of_none(state: Path) -> None:
    sims.start(name="one", fresh=True)
    with pytest.raises(NoDeviceError):
        below.connect("sim:one")
    with below.connect("sim:one", simulators=sims.address) as board:
        assert board.eval("1") == 1


def test_a_board_is_opened_again(state: Path) -> None:
    one = sims.start(name="one", fresh=True)
    with upytool.connect("sim:one") as board:
        opener = connect.Reopener(board.name)
        assert board.name == one.port
    pipe = opener()
    assert pipe is not None
    pipe.close()
    sims.stop()
    assert opener() is None


def test_no_wish_for_lines_is_none() -> None:
    assert connect.lines(dtr=None, rts=None) is None
    wish = connect.lines(dtr=False, rts=None)
    assert wish is not None
    assert (wish.dtr, wish.rts) == (False, None)
