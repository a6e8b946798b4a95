"""`flash` over the air: MicroPython's own WebREPL (modwebrepl.c) writes a MODEL of an ESP32's slots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import pytest

from tests.cli.conftest import Cli
from tests.fakes.slot_board import OTA, SLOT, SlotBoard, application, combined, finds_the_model
from tests.rigs.fixtures import Boards
from tests.rigs.webrepl import WebReplBoard
from upytool.device.connect import open_address
from upytool.device.device import Device
from upytool.flash.probe import version_of
from upytool.image.esp_partitions import Partition

__all__ = ["finds_the_model"]

pytestmark = [pytest.mark.rig, pytest.mark.usefixtures("finds_the_model")]


def connected(board: WebReplBoard) -> Device:
    return Device(open_address(board.port, ask=lambda question: "upytool"))


@pytest.fixture
def air(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> WebReplBoard:
    """A board that runs old.bin, and new.bin here."""
    board = cast("WebReplBoard", boards.fresh("unix-webrepl"))
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", "upytool")
    with connected(board) as device:
        version = version_of(device.info)
        SlotBoard(device, application(version, seed=1))
    Path("old.bin").write_bytes(combined(application(version, seed=1)))
    Path("new.bin").write_bytes(combined(application(version, seed=2)))
    Path("new.app-bin").write_bytes(application(version, seed=2))
    return board


def log(board: WebReplBoard) -> list[str]:
    return (board.root / "flash" / "log").read_text().splitlines()


def test_a_board_without_a_cable_is_flashed(cli: Cli, air: WebReplBoard) -> None:
    done = cli("-d", air.port, "flash", "new.bin", "--yes")
    assert done.code == 0, done.err
    assert "the slot ota_1, which does not run" in done.err
    assert "verified: read back" in done.err
    assert (air.root / "flash" / "running").read_text() == "ota_1"
    assert (air.root / "flash" / "ota_1").read_bytes().startswith(Path("new.app-bin").read_bytes())
    assert [line for line in log(air) if not line.startswith("write ota_1")][:4] == [
        *("start ota_0", "set_boot ota_1", "start ota_1", "valid")
    ]
    again = cli("-d", air.port, "flash", "new.app-bin", "--yes", "--json")
    result = json.loads(again.out)["result"]
    assert result["programmed"]["written"] == 0
    assert (result["confirmed"], result["plan"]["slot"], result["plan"]["flasher"]) == (True, "ota_0", "ota")
    assert cli("-d", air.port, "flash", "new.bin", "--verify-only").code == 0
    assert cli("-d", air.port, "flash", "old.bin", "--verify-only").code == 1


def test_commands_go_on_behind_it_in_one_line(cli: Cli, air: WebReplBoard) -> None:
    done = cli("-d", air.port, "--yes", "flash", "new.bin", "+", "exec", "print(6 * 7)")
    assert (done.code, done.text) == (0, "42\n"), done.err


def test_a_dry_run_and_a_no_change_nothing(cli: Cli, air: WebReplBoard) -> None:
    dry = cli("-d", air.port, "flash", "new.bin", "--dry-run", "--json")
    assert json.loads(dry.out)["result"]["slot"] == "ota_1"
    assert cli("-d", air.port, "flash", "new.bin", "--no-input").code == 2
    assert log(air) == ["start ota_0"]


def test_what_does_not_go_without_a_cable_says_why(cli: Cli, air: WebReplBoard) -> None:
    for options in (["--erase"], ["--at", "0x0"], ["--slot", "running"], ["--no-wait"], ["--backup", "x.bin"]):
        assert cli("-d", air.port, "flash", "new.bin", "--yes", *options).code == 2
    assert cli("-d", air.port, "flash", "new.bin", "--yes", "--tool", "esptool").code == 7
    assert cli("flash", "new.bin", "--yes", "--tool", "ota", "--all").code == 2
    with connected(air) as device:
        rows = [row for row in OTA if row.label not in ("ota_0", "ota_1", "otadata")]
        SlotBoard(device, Path("old.bin").read_bytes(), rows=[*rows, Partition("factory", 0, 0, 0x10000, SLOT)])
    refused = cli("-d", air.port, "flash", "new.bin", "--yes")
    assert refused.code == 7
    assert "no OTA slots" in refused.err
    air.blank()
    refused = cli("-d", air.port, "flash", "new.bin", "--yes")
    assert refused.code == 7
    assert "only ESP32 boards" in refused.err


def test_the_same_way_over_a_cable(cli: Cli, air: WebReplBoard) -> None:
    """The transfer program writes the slot, where the board has no file channel."""
    done = cli("-d", air.serial, "flash", "new.bin", "--yes", "--tool", "ota")
    assert done.code == 0, done.err
    assert (air.root / "flash" / "running").read_text() == "ota_1"


def test_files_are_saved_first(cli: Cli, air: WebReplBoard) -> None:
    done = cli("-d", air.port, "flash", "new.bin", "--yes", "--backup", "before.tar")
    assert done.code == 0, done.err
    assert Path("before.tar").stat().st_size
