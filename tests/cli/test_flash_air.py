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
from upytool.device import slots
from upytool.device.connect import open_address
from upytool.device.device import Device
from upytool.flashers.probe import version_of
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


def running(board: WebReplBoard) -> str:
    """The slot that was started last. The model's own word is written anew while main.py's start is under way."""
    return next(line.split()[1] for line in reversed(log(board)) if line.startswith("start"))


def test_a_board_without_a_cable_is_flashed(cli: Cli, air: WebReplBoard) -> None:
    done = cli("-d", air.port, "flash", "new.bin", "--yes")
    assert done.code == 0, done.err
    assert "the slot ota_1, which does not run" in done.err
    assert "verified: read back" in done.err
    assert running(air) == "ota_1"
    assert (air.root / "flash" / "ota_1").read_bytes().startswith(Path("new.app-bin").read_bytes())
    assert [line for line in log(air) if not line.startswith("write ota_1")][:4] == [
        *("start ota_0", "set_boot ota_1", "start ota_1", "valid")
    ]
    again = cli("-d", air.port, "flash", "new.app-bin", "--yes", "--json")
    result = json.loads(again.out)["result"]
    assert result["programmed"]["written"] == 0
    assert (result["confirmed"], result["plan"]["slot"], result["plan"]["flasher"]) == (True, None, "ota")
    assert cli("-d", air.port, "flash", "new.bin", "--verify-only").code == 0
    assert cli("-d", air.port, "flash", "old.bin", "--verify-only").code == 1


def test_going_back_to_a_complete_slot_says_that_it_runs_now(cli: Cli, air: WebReplBoard) -> None:
    """Nothing is written, and yet the board runs something else than before."""
    assert cli("-d", air.port, "flash", "new.bin", "--yes").code == 0
    back = cli("-d", air.port, "flash", "old.bin", "--yes")
    assert back.code == 0, back.err
    assert running(air) == "ota_0"
    assert "ota_0" in back.err.split("Starting ota_0")[-1]
    forth = cli("-d", air.port, "flash", "new.bin", "--yes", "--json")
    result = json.loads(forth.out)["result"]
    assert (result["programmed"]["written"], result["plan"]["slot"]) == (0, "ota_1")


def test_a_firmware_that_only_lacks_its_confirmation_is_asked_for_like_the_rest(cli: Cli, air: WebReplBoard) -> None:
    """The plan is what the run does: nothing is confirmed without a yes, and what is asked to be saved is saved."""
    with connected(air) as device:
        board = SlotBoard(device, Path("old.bin").read_bytes()[0xF000:])
        board.put("ota_1", Path("new.app-bin").read_bytes())
        found = device.drive(slots.query(device.session))
        assert found is not None
        assert found.next is not None
        device.drive(slots.act(device.session, "start", found.next))
        board.power_on()
    before = log(air)
    dry = json.loads(cli("-d", air.port, "flash", "new.bin", "--dry-run", "--json").out)["result"]
    assert (dry["slot"], dry["segments"], len(dry["steps"])) == (None, [], 1)
    assert cli("-d", air.port, "flash", "new.bin", "--no-input").code == 2
    assert cli("-d", air.port, "flash", "new.bin", "--verify-only").code == 0
    assert log(air) == before
    done = cli("-d", air.port, "flash", "new.bin", "--yes", "--backup", "before.tar")
    assert done.code == 0, done.err
    assert log(air) == [*before, "valid"]
    assert Path("before.tar").stat().st_size
    again = cli("-d", air.port, "flash", "new.bin", "--no-input")  # nothing is changed, so nothing is asked
    assert again.code == 0, again.err
    assert log(air) == [*before, "valid"]


def test_an_image_larger_than_the_slot_that_runs_differs_from_it(cli: Cli, air: WebReplBoard) -> None:
    with connected(air) as device:
        small = application(version_of(device.info), seed=1, size=30_000)
        SlotBoard(device, small, rows=[Partition("factory", 0, 0, 0x100000, 0x10000), *OTA])
    done = cli("-d", air.port, "flash", "new.bin", "--verify-only")
    assert done.code == 1, done.err


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
    assert running(air) == "ota_1"


def test_files_are_saved_first(cli: Cli, air: WebReplBoard) -> None:
    done = cli("-d", air.port, "flash", "new.bin", "--yes", "--backup", "before.tar")
    assert done.code == 0, done.err
    assert Path("before.tar").stat().st_size
