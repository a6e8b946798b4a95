"""`upytool webrepl` on MicroPython's own WebREPL server, by the board's serial line and then over the air.

The board's `network` is a model: it is a program of the unix port, reached at 127.0.0.1 on a port of the host.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.network_model import NETWORK
from tests.rigs.webrepl import WebReplBoard
from upytool.device import webrepl_boot

from .conftest import BoardCli, Cli

pytestmark = pytest.mark.rig
PASSWORD = "hunter2"


class Both:
    """A board on a cable and in a network: `serial("ls")` and `air("ls")`."""

    def __init__(self, board: WebReplBoard, cli: Cli) -> None:
        self.board = board
        self.serial, self.air = BoardCli(board.serial, cli), BoardCli(board.port, cli)


@pytest.fixture
def both(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Both]:
    pytest.importorskip("websockets")
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", PASSWORD)
    monkeypatch.setenv("UPYTOOL_WIFI_PASSWORD", "rightkey")
    with WebReplBoard(password=None) as board:
        # Port 8266 of the board is another one of the host.
        monkeypatch.setattr(webrepl_boot, "DEFAULT_PORT", int(board.port.rpartition(":")[2]))
        (board.root / "network.py").write_bytes(NETWORK.replace(b"10.0.0.7", b"127.0.0.1"))
        yield Both(board, cli)


def test_from_a_cable_to_the_air(both: Both) -> None:
    boot = both.board.root / "boot.py"
    boot.write_bytes(b"# mine")
    assert both.air("exec", "print(1)").code == 4
    result = both.serial.json("webrepl", "setup", "--wifi", "HOME")
    assert (result["checked"], result["addresses"]) == (both.board.port, [both.board.port])
    assert result["board"]
    assert both.air.ok("exec", "print(6 * 7)") == "42\n"
    assert both.air.json("webrepl", "status")["running"] is True
    both.board.power_cycle()
    assert both.air.ok("exec", "print(6 * 7)") == "42\n"
    both.serial.ok("webrepl", "disable")
    assert boot.read_bytes() == b"# mine"
    assert both.air("exec", "print(1)").code == 4


def test_a_new_password_over_the_air(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    both.serial.ok("webrepl", "setup", "--wifi", "HOME", "--no-check")
    answers = ["fresh", "fresh"]
    monkeypatch.setattr("upytool.cli.ui.prompt.password", lambda *_, **__: answers.pop(0))
    both.air.ok("webrepl", "password")
    assert both.air("exec", "print(1)").code == 4
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", "fresh")
    assert both.air.ok("exec", "print(6 * 7)") == "42\n"
    assert (both.board.root / "webrepl_cfg.py").read_text().startswith("PASS = 'fresh'\n")


def test_setup_over_the_air_is_refused(both: Both) -> None:
    both.serial.ok("webrepl", "setup", "--wifi", "HOME", "--no-check")
    before = (both.board.root / "boot.py").read_bytes()
    assert both.air("webrepl", "setup", "--wifi", "OTHER").code == 2
    assert (both.board.root / "boot.py").read_bytes() == before
    both.air.ok("webrepl", "disable")
    assert both.air.ok("exec", "print(6 * 7)") == "42\n"


def test_no_message_shows_the_password(both: Both) -> None:
    run = both.serial("webrepl", "setup", "--wifi", "HOME", "-vv", "--json")
    assert run.code == 0, run.err
    for secret in (PASSWORD, "rightkey"):
        assert secret not in run.out + run.err
    json.loads(run.out)
