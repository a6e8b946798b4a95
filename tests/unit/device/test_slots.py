"""Slots of an ESP32 through its REPL: the real VM of the simulated board, and a MODEL of esp32.Partition on it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.fakes.slot_board import OTA, SLOT, SlotBoard, application, finds_the_model
from tests.unit.device.boards import board_device
from upytool.device import slots
from upytool.device.device import Device
from upytool.device.fs_ops import FsOps
from upytool.errors import FlashError
from upytool.image.esp_partitions import Partition

__all__ = ["finds_the_model"]

pytestmark = pytest.mark.usefixtures("finds_the_model")
OLD, NEW = application(seed=1), application(seed=2, size=150_000)


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device(flash_size=4 << 20) as device:
        yield device


def asked(device: Device) -> slots.Slots:
    found = device.drive(slots.query(device.session))
    assert found is not None
    return found


def fill(device: Device, data: bytes, **how: object) -> slots.Filled:
    row = asked(device).next
    assert row is not None
    return device.drive(slots.fill(FsOps(device.session), row, data, **how))  # type: ignore[arg-type]


def test_a_board_that_is_no_esp32_has_none(device: Device) -> None:
    assert device.drive(slots.query(device.session)) is None


def test_what_a_board_says(device: Device) -> None:
    SlotBoard(device, OLD)
    found = asked(device)
    assert [(row.label, row.address, row.size) for row in found.rows] == [
        (row.label, row.offset, row.size) for row in sorted(OTA, key=lambda row: row.type)
    ]
    assert found.next is not None
    assert (found.running.label, found.next.label, found.boot) == ("ota_0", "ota_1", found.running.address)
    assert found.head == OLD[: slots.HEAD]
    assert (found.flash_size, found.signed) == (4 << 20, False)


def test_a_signature_behind_the_program_is_seen(device: Device) -> None:
    board = SlotBoard(device, OLD)
    board.put("ota_0", OLD + b"\xff" * (-len(OLD) % 4096) + b"\xe7\x02\0\0")
    assert asked(device).signed


def test_the_slot_that_runs_is_none_for_an_update(device: Device) -> None:
    SlotBoard(device, OLD, rows=[row for row in OTA if row.label != "ota_1"])
    assert asked(device).next is None
    factory = [Partition("factory", 0, 0, row.offset, row.size) if row.label == "ota_0" else row for row in OTA]
    SlotBoard(device, OLD, rows=[row for row in factory if row.label != "ota_1"])
    assert asked(device).next is None


def test_a_slot_is_filled_and_nothing_else(device: Device) -> None:
    board = SlotBoard(device, OLD)
    assert fill(device, NEW) == slots.Filled(len(NEW), 0)
    assert board.flash("ota_1") == NEW + b"\xff" * (-len(NEW) % 4096)
    assert board.flash("ota_0") == OLD
    assert not any("RUNNING" in line for line in board.log())
    assert not device.fs.exists(slots.PLACE)
    assert board.running == "ota_0"


def test_what_is_there_is_not_written_again(device: Device) -> None:
    board = SlotBoard(device, OLD)
    fill(device, NEW)
    before = board.log()
    assert fill(device, NEW) == slots.Filled(0, len(NEW))
    assert board.log() == before
    damaged = bytearray(NEW)
    damaged[slots.PIECE + 5] ^= 1
    board.put("ota_1", bytes(damaged))
    assert fill(device, NEW) == slots.Filled(slots.PIECE, len(NEW) - slots.PIECE)
    assert board.flash("ota_1")[: len(NEW)] == NEW


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, slots.PIECE, slots.PIECE + 1, SLOT])
def test_every_size_arrives(device: Device, size: int) -> None:
    board = SlotBoard(device, OLD)
    data = (NEW * 2)[:size]
    fill(device, data)
    assert board.flash("ota_1")[:size] == data


def test_a_board_without_room_for_the_transfer_program_takes_it_as_text(device: Device) -> None:
    board = SlotBoard(device, OLD)
    ops, row = FsOps(device.session), asked(device).next
    ops.can.rule_out("text", "MemoryError")
    assert row is not None
    data = NEW[:10_000]
    device.drive(slots.fill(ops, row, data))
    assert board.flash("ota_1")[: len(data)] == data


def test_flash_that_keeps_nothing_is_an_error_with_the_place(device: Device) -> None:
    board = SlotBoard(device, OLD)
    board.set(worn=9)
    with pytest.raises(FlashError, match="0x8000"):
        fill(device, NEW)
    assert not device.fs.exists(slots.PLACE)


def test_a_slot_that_runs_is_refused_by_the_board_itself(device: Device) -> None:
    board = SlotBoard(device, OLD)
    running, ops = asked(device).running, FsOps(device.session)
    with pytest.raises(FlashError, match="ota_0"):
        device.drive(slots.fill(ops, running, NEW))
    following = asked(device).next
    assert following is not None
    with pytest.raises(FlashError):
        device.drive(slots.fill(ops, replace(following, size=following.size + 4096), NEW))
    assert board.log() == ["start ota_0"]
    assert board.flash("ota_0") == OLD


def test_a_slot_that_was_chosen_already_is_not_started_half_written(device: Device) -> None:
    board = SlotBoard(device, OLD)
    board.put("ota_1", OLD)
    following = asked(device).next
    assert following is not None
    assert device.drive(slots.act(device.session, "start", following)) == ""
    assert asked(device).boot == following.address
    with pytest.raises(FlashError, match="next reset starts it"):
        fill(device, NEW)
    assert board.flash("ota_1") == OLD
    assert device.drive(slots.act(device.session, "keep", asked(device).running)) == ""
    fill(device, NEW)
    assert asked(device).boot == asked(device).running.address
    board.power_on()
    board.power_on()
    assert board.running == "ota_0"  # chosen anew, and it needs no confirmation


def test_what_is_said_twice_takes_no_way_back(device: Device) -> None:
    """Where an answer was lost it is said again; ESP-IDF would write over the record of the slot that runs."""
    board = SlotBoard(device, OLD)
    fill(device, NEW)
    following, running = asked(device).next, asked(device).running
    assert following is not None
    for _ in range(2):
        assert device.drive(slots.act(device.session, "start", following)) == ""
    board.power_on()
    assert board.running == "ota_1"
    assert device.drive(slots.act(device.session, "start", following)) == ""  # power came back meanwhile
    assert device.drive(slots.act(device.session, "keep", running)) != ""  # it does not run, and is not marked
    board.power_on()
    board.power_on()
    assert board.running == "ota_0"
    for _ in range(2):
        assert device.drive(slots.act(device.session, "start", following)) == ""
        assert device.drive(slots.act(device.session, "keep", running)) == ""
    board.power_on()
    board.power_on()
    assert board.running == "ota_0"


def test_a_factory_program_is_kept_and_gone_back_to(device: Device) -> None:
    rows = [replace(row, label="factory", subtype=0) if row.label == "ota_0" else row for row in OTA]
    rows = [replace(row, label="ota_0", subtype=0x10) if row.label == "ota_1" else row for row in rows]
    board = SlotBoard(device, OLD, rows=rows)
    fill(device, NEW)
    following, running = asked(device).next, asked(device).running
    assert following is not None
    assert (running.label, following.label) == ("factory", "ota_0")
    for _ in range(2):
        assert device.drive(slots.act(device.session, "start", following)) == ""
        assert device.drive(slots.act(device.session, "keep", running)) == ""
    assert asked(device).boot == running.address
    assert device.drive(slots.act(device.session, "start", following)) == ""
    board.power_on()
    assert board.running == "ota_0"
    board.power_on()
    assert board.running == "factory"


def test_the_board_checks_what_it_is_to_start(device: Device) -> None:
    board = SlotBoard(device, OLD)
    damaged = bytearray(NEW)
    damaged[5000] ^= 1
    fill(device, bytes(damaged))
    following = asked(device).next
    assert following is not None
    assert "VALIDATE" in device.drive(slots.act(device.session, "start", following))
    assert asked(device).boot == asked(device).running.address
    board.power_on()
    assert board.running == "ota_0"


def test_a_first_start_is_confirmed_or_taken_back(device: Device) -> None:
    board = SlotBoard(device, OLD)
    for confirmed in (False, True):
        fill(device, NEW)
        following = asked(device).next
        assert following is not None
        assert device.drive(slots.act(device.session, "start", following)) == ""
        board.power_on()
        assert board.running == "ota_1"
        if confirmed:
            assert device.drive(slots.act(device.session, "keep", asked(device).running)) == ""
        board.power_on()
        assert board.running == ("ota_1" if confirmed else "ota_0")
