"""safe_boot's way for the esp32, against models of `machine`, `esp32.NVS` and `time` (no ESP32 is emulated here)."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from tests.rigs.frozen import OURS


class Esp32:
    """A model of the board: what outlives which reset."""

    PWRON, HARD, DEEP, SOFT = 1, 2, 4, 5

    def __init__(self) -> None:
        self.kept: dict[str, int] = {}
        self.clock = 0.0
        self.cause = self.PWRON
        self.commits = 0

    def start(self, cause: int = HARD, *, after: float = 1.0, **options: Any) -> str:
        """Reset `after` seconds of running, then boot.py; returns why main.py is left out."""
        self.clock = 1.0 if cause == self.PWRON else self.clock + after
        self.cause = cause
        names: dict[str, Any] = {"__name__": "safe_boot"}
        exec((OURS / "modules" / "safe_boot" / "safe_boot.py").read_text(encoding="utf-8"), names)
        names["start"](**options)
        return str(names["reason"])


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> Esp32:
    model = Esp32()

    class NVS:
        def __init__(self, space: str) -> None:
            assert space == "safe_boot"

        def get_i32(self, key: str) -> int:
            if key not in model.kept:
                raise OSError(-4354)
            return model.kept[key]

        def set_i32(self, key: str, value: int) -> None:
            assert -(1 << 31) <= value < 1 << 31
            model.kept[key] = value

        def commit(self) -> None:
            model.commits += 1

    machine = types.ModuleType("machine")
    machine.__dict__.update(
        PWRON_RESET=model.PWRON,
        HARD_RESET=model.HARD,
        DEEPSLEEP_RESET=model.DEEP,
        SOFT_RESET=model.SOFT,
        reset_cause=lambda: model.cause,
    )
    esp32 = types.ModuleType("esp32")
    esp32.__dict__["NVS"] = NVS
    clock = types.ModuleType("time")
    clock.__dict__.update(time=lambda: model.clock, ticks_ms=lambda: 800)
    for module in (machine, esp32, clock):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(sys, "platform", "esp32")
    return model


def test_three_quick_failures_and_a_new_count(board: Esp32) -> None:
    assert [board.start(board.PWRON), board.start(), board.start()] == ["", "", ""]
    assert "failed 3 times within 5 s" in board.start()
    assert [board.start(), board.start(), board.start()] == ["", "", ""]
    assert "failed 3 times" in board.start()
    assert board.commits == 8


def test_slow_ends_power_and_soft_resets_do_not_count(board: Esp32) -> None:
    for _ in range(10):
        assert board.start(after=60) == ""
        assert board.start(board.PWRON) == ""
        assert board.start() == ""
    for _ in range(10):
        assert board.start(board.SOFT) == ""


def test_a_program_that_sleeps_deeply_writes_nothing(board: Esp32) -> None:
    board.start(board.PWRON)
    for _ in range(10):
        assert board.start(board.DEEP) == ""
    assert board.commits == 1


def test_a_clock_that_was_set_counts_as_slow(board: Esp32) -> None:
    board.start(board.PWRON)
    board.start()
    board.start()
    board.clock = 850_000_000.0  # by NTP, in 2026
    assert board.start() == ""
    board.clock = 5.0
    assert board.start() == ""


def test_storage_that_fails_prevents_no_start(board: Esp32, capsys: pytest.CaptureFixture[str]) -> None:
    del sys.modules["esp32"].__dict__["NVS"]
    assert board.start(board.PWRON) == ""
    assert "safe_boot: ImportError" in capsys.readouterr().out


def test_other_ports_count_only_where_they_are_told_to(board: Esp32, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "samd")
    for _ in range(5):
        assert board.start() == ""
    assert board.kept == {}
