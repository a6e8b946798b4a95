"""Boards without the command line: which are there, and what one of them is."""

from __future__ import annotations

from pathlib import Path

import pytest

import upytool
from upytool import sim
from upytool.api import boards, health

pytest.importorskip("wasmtime")


def test_what_is_found_can_be_connected_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_STATE_DIR", str(tmp_path))
    info = sim.start("wasm", name="found", fresh=True)
    try:
        (quiet,) = [each for each in boards.find() if each.kind == "simulated"]
        assert (quiet.place, quiet.selector, quiet.alias) == (info.port, "sim:found", "")
        found = boards.find(probe=True, aliases={"mine": "sim:found"})
        (asked,) = [each for each in found if each.kind == "simulated"]
        assert asked.alias == "mine"
        assert found.data()["simulated"][0]["board"] == asked.what != quiet.what
        with upytool.connect(asked.selector) as board:
            facts = boards.facts(board)
            assert facts.data()["port"] == info.port
            assert facts.info.version_text in asked.what
            assert [mount.path for mount in facts.mounts] == ["/"]
    finally:
        sim.stop("found")


def test_the_checks_are_values() -> None:
    checks = health.examine(fetch=lambda url: b"")
    assert {"upytool", "network"} <= {check.name for check in checks}
    assert {check.verdict for check in checks} <= {"ok", "note", "problem"}
