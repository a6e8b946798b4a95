"""`rescue` on a simulated board, which is a real MicroPython."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .conftest import Cli

pytest.importorskip("wasmtime")


@pytest.fixture
def board(clean_environment: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from upytool.sim import start, stop

    monkeypatch.delenv("UPYTOOL_CACHE_DIR")
    start("wasm", name="lost", fresh=True)
    try:
        yield "sim:lost"
    finally:
        stop("lost")


def test_main_py_is_put_away_and_brought_back(cli: Cli, board: str) -> None:
    made = cli("-d", board, "exec", "with open('main.py','w') as f: f.write('print(1)')")
    assert made.code == 0, made.err
    only = cli("-d", board, "rescue", "--stop-only")
    assert (only.code, only.out) == (0, ""), only.err
    assert "no file was changed" in only.err
    away = cli("-d", board, "rescue")
    assert away.code == 0, away.err
    assert away.out.strip() == "/main.py -> /main.py.off-1"
    assert "rescue --restore" in away.err
    assert "no main.py" in cli("-d", board, "rescue").err
    back = json.loads(cli("-d", board, "rescue", "--restore", "--json").out)["result"]
    assert back["renamed"] == [["/main.py.off-1", "/main.py"]]
    assert cli("-d", board, "exec", "print(open('main.py').read())").out.strip() == "print(1)"


def test_a_board_that_never_comes(cli: Cli) -> None:
    run = cli("-d", "/dev/ttyNOPE", "rescue", "--patience", "1")
    assert run.code == 4
    assert "waiting for the board's port" in run.err
    assert "/dev/ttyNOPE" in run.err
