"""Flashing by the running MicroPython: the flow on the simulated board's real VM, with a MODEL of its slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.esp_firmware import esp_image
from tests.fakes.slot_board import OTA, SLOT, SlotBoard, application, combined, finds_the_model
from tests.unit.flashers.ota_boards import (
    AGAIN,
    Record,
    again,
    board_with,
    device,
    flash,
    image,
    new,
    old,
    plan_of,
    soon,
    version,
)
from upytool.device import slots
from upytool.device.device import Device
from upytool.errors import DifferencesFound, FlashError, ImageError, UsageError
from upytool.events import Notice
from upytool.flashers import ota, ota_plan
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.planning import Request
from upytool.flashers.steps import Step
from upytool.image.esp_partitions import DATA, ROMFS, Partition

__all__ = ["device", "finds_the_model", "soon"]

pytestmark = pytest.mark.usefixtures("finds_the_model")


# -- the plan -------------------------------------------------------------------------------------------


def test_the_application_is_cut_out_of_a_whole_firmware(device: Device) -> None:
    app = new(device)
    assert ota_plan.application(image(combined(app))).data == app
    assert ota_plan.application(image(app, "x.app-bin")).data == app
    assert ota_plan.application(image(app + b"\xff" * 500)).data == app
    assert ota_plan.application(image(combined(app + b"\xff" * 5000))).data == app


def test_a_plan_names_the_slot_that_does_not_run(device: Device) -> None:
    board_with(device)
    plan = plan_of(device, combined(new(device)))
    assert (plan.flasher, plan.slot, plan.fs_effect, plan.way_in) == ("ota", "ota_1", "kept", "")
    assert plan.segments == ((OTA[4].offset, len(new(device))),)
    assert plan.target.chip == "esp32"
    assert not plan.asks
    assert not plan.warnings


def _refused(device: Device, target: FlashTarget) -> str:
    with pytest.raises(FlashError) as error:
        ota_plan.plan(target, image(new(device)))
    assert "nothing was changed" in error.value.hint
    return error.value.message


def test_boards_without_slots_are_refused_with_the_reason(device: Device) -> None:
    assert "only ESP32 boards have OTA slots" in _refused(device, ota.identify(device, "ws://board"))
    factory = [row for row in OTA if row.label not in ("ota_0", "ota_1", "otadata")]
    factory.append(Partition("factory", 0, 0, 0x10000, SLOT))
    board_with(device, rows=factory)
    target = ota.identify(device, "ws://board")
    assert "its partition table has no OTA slots" in _refused(device, target)
    board_with(device, rows=[row for row in OTA if row.label != "ota_1"])
    assert "one OTA slot" in _refused(device, ota.identify(device, "ws://board"))
    board_with(device, encrypted=True)
    assert "encrypted" in _refused(device, ota.identify(device, "ws://board"))
    board = board_with(device)
    good = ota.identify(device, "ws://board")
    assert good.slots is not None
    assert "signed" in _refused(device, replace(good, slots=replace(good.slots, signed=True)))
    assert all(line.startswith("start") for line in board.log())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda version: application(version, chip="esp32s3"), "ESP32-S3"),
        (lambda version: application(version, size=SLOT), "does not fit"),
        (lambda version: application(version, flash=0x30), "8 MB"),
        (lambda version: esp_image("esp32", b"\0" * 400, app=True), "not MicroPython"),
        (lambda version: esp_image("esp32", b"\0" * 400), "no application"),
        (lambda version: application(version)[:-40] + b"\0" * 40, "damaged"),
    ],
)
def test_what_cannot_run_there_is_refused(device: Device, make: Callable[[str], bytes], says: str) -> None:
    board = board_with(device)
    with pytest.raises(FlashError, match=says):
        plan_of(device, make(version(device)))
    assert board.log() == ["start ota_0"]


def test_a_file_for_another_family_is_refused(device: Device) -> None:
    from tests.fakes.loader_model import uf2

    board_with(device)
    target = ota.identify(device, "ws://board")
    with pytest.raises(FlashError):
        ota_plan.plan(target, image(uf2()))


@pytest.mark.parametrize(
    "request_",
    [
        Request(erase="all"),
        Request(erase="fs"),
        Request(raw=True),
        Request(wait=0.0),
        Request(backup="all.bin"),
        Request(options=FlashOptions(slot="running")),
        Request(options=FlashOptions(flash_size="4MB")),
        Request(options=FlashOptions(verify=False)),
        Request(options=FlashOptions(stub=False)),
    ],
)
def test_what_only_a_boot_loader_can_do_is_refused(request_: Request) -> None:
    with pytest.raises(UsageError):
        ota_plan.check_request(request_)
    ota_plan.check_request(Request(backup="files.tar"))
    ota_plan.check_request(Request(verify_only=True, wait=0.0))


def test_content_for_other_partitions_is_warned_of(device: Device) -> None:
    board_with(device)
    rows = (*OTA, Partition("romfs", DATA, ROMFS, 0x10000 + 2 * SLOT + 0x80000, 0x1000))
    app = new(device)
    data = combined(app, rows).ljust(rows[-1].offset - 0x1000, b"\xff") + b"\xd2\xcd\x31" + b"x" * 100
    first, second = plan_of(device, data).warnings
    assert "partition romfs is not written" in first
    assert "ROMFS partition" in second


def test_a_firmware_that_finds_its_files_elsewhere_is_told(device: Device) -> None:
    """Before 1.26 MicroPython mounts only what stands in the partition table."""
    board_with(device, rows=[row for row in OTA if row.label != "vfs"])
    assert plan_of(device, new(device)).fs_effect == "kept"
    older = application("1.25.0")
    assert plan_of(device, older).fs_effect == "unknown"


# -- the run --------------------------------------------------------------------------------------------


def test_the_other_slot_is_written_proven_started_and_confirmed(device: Device) -> None:
    board = board_with(device)
    record = Record()
    result = flash(device, combined(new(device)), reporter=record)
    assert result.confirmed
    assert result.programmed is not None
    device = board.device = again(device)
    assert (result.programmed.written, result.programmed.unchanged) == (len(new(device)), 0)
    assert board.running == "ota_1"
    assert board.flash("ota_1")[: len(new(device))] == new(device)
    assert board.flash("ota_0") == old(device)
    steps = [line for line in board.log() if not line.startswith("write ota_1")]
    # The program that runs is started at last once more, because the questions stopped it.
    assert steps[:4] == ["start ota_0", "set_boot ota_1", "start ota_1", "valid"]
    assert not [event for event in record.events if isinstance(event, Notice) and event.level == "warning"]
    board.power_on()
    board.power_on()
    assert board.running == "ota_1"


def test_the_next_one_goes_back_into_the_first_slot(device: Device) -> None:
    board = board_with(device)
    flash(device, new(device))
    device = board.device = again(device)
    plan = plan_of(device, new(device, seed=3))
    assert plan.slot == "ota_0"
    assert ota.apply(plan, AGAIN, device).confirmed
    board.device = again(device)
    assert board.running == "ota_0"


def test_what_runs_already_is_not_written(device: Device) -> None:
    board = board_with(device)
    before = board.log()
    plan = plan_of(device, old(device))
    assert (plan.segments, plan.slot, plan.steps, plan.warnings) == ((), "", (), ())
    result = ota.apply(plan, AGAIN, device)
    assert result.confirmed
    assert result.programmed is not None
    assert result.programmed.written == 0
    assert board.log() == before
    whole = replace(AGAIN, options=FlashOptions(whole=True))
    size = result.programmed.total
    done = flash(device, old(device), whole).programmed
    assert done == replace(result.programmed, written=size, erased=size, unchanged=0)


def test_comparing_changes_nothing(device: Device) -> None:
    board = board_with(device)
    compare = Request(verify_only=True, wait=0.0)
    assert not plan_of(device, new(device), compare).segments
    assert flash(device, old(device), compare).confirmed
    with pytest.raises(DifferencesFound):
        flash(device, new(device), compare)
    assert board.log() == ["start ota_0"]


def test_slots_of_several_sizes_are_measured_each_for_what_it_takes(device: Device) -> None:
    """The slot that runs is compared, the next one written: an image may be larger than either."""
    sizes = {"factory": 0x10000, "ota_0": 0x20000, "ota_1": 0x20000}
    rows = [replace(row, size=sizes.get(row.label, row.size)) for row in OTA]
    board_with(device, rows=[Partition("factory", 0, 0, 0x100000, sizes["factory"]), *rows])
    compare = Request(verify_only=True, wait=0.0)
    for size in (80_000, 200_000):
        with pytest.raises(DifferencesFound):
            flash(device, new(device, size=size), compare)
    assert plan_of(device, new(device)).slot == "ota_0"
    # What the slot that runs holds needs no room in another one.
    small = [replace(row, size=0x8000) if row.label.startswith("ota_") else row for row in rows]
    board_with(device, rows=[Partition("factory", 0, 0, 0x100000, sizes["factory"]), *small])
    assert flash(device, old(device), compare).confirmed
    assert not plan_of(device, old(device)).segments
    with pytest.raises(ImageError):
        plan_of(device, new(device))


def test_a_slot_is_not_asked_for_more_than_it_holds(device: Device) -> None:
    board_with(device)
    found = ota.identify(device, "x").slots
    assert found is not None
    data = b"x" * (SLOT + 1)
    assert device.drive(slots.differing(device.session, found.running, data)) == list(range(0, len(data), slots.PIECE))


def started_unconfirmed(device: Device, board: SlotBoard) -> None:
    """What a run that was cut off after the restart leaves behind: ota_1 runs, its next reset starts ota_0."""
    board.put("ota_1", new(device))
    found = ota.identify(device, "x").slots
    assert found is not None
    assert found.next is not None
    device.drive(slots.act(device.session, "start", found.next))
    board.power_on()


def test_a_firmware_that_was_never_confirmed_is_when_it_is_flashed_again(device: Device, tmp_path: Path) -> None:
    board = board_with(device)
    started_unconfirmed(device, board)
    before = board.flash("otadata"), board.log()
    request = replace(AGAIN, backup=f"{tmp_path}/files.tar")
    plan = plan_of(device, new(device), request)
    assert plan.target.slots is not None
    assert ota_plan.unconfirmed(plan.target.slots)
    assert (plan.segments, plan.slot) == ((), "")
    assert plan.steps == (Step("save-files", path=request.backup), Step("confirm", slot="ota_1"))
    assert len(plan.warnings) == 1
    assert (board.flash("otadata"), board.log()) == before  # until it is applied, it is only a plan
    result = ota.apply(plan, request, device)
    assert result.backup == request.backup
    assert Path(request.backup).stat().st_size
    board.power_on()
    assert board.running == "ota_1"
    assert not plan_of(device, new(device)).steps


def test_a_board_that_went_back_before_it_was_confirmed_is_not_told_to_be(device: Device) -> None:
    board = board_with(device)
    started_unconfirmed(device, board)
    plan = plan_of(device, new(device))
    board.power_on()  # while the question was open
    with pytest.raises(FlashError) as error:
        ota.apply(plan, AGAIN, device)
    assert error.value.state.fields["slot"] == "ota_0"
    assert AGAIN.again in error.value.hint
    assert "valid" not in board.log()


def test_a_firmware_that_was_never_confirmed_is_the_way_back_from_the_other_one(device: Device) -> None:
    """The other slot holds what is flashed already, so that nothing is written before it is chosen."""
    board = board_with(device)
    flash(device, new(device))
    device = board.device = again(device)
    found = ota.identify(device, "x").slots
    assert found is not None
    assert found.next is not None
    device.drive(slots.act(device.session, "start", found.next))
    board.power_on()
    board.power_on()  # back in ota_1
    device.drive(slots.act(device.session, "start", found.next))
    board.power_on()
    assert board.running == "ota_0"
    result = flash(device, new(device))
    assert result.programmed is not None
    assert result.programmed.written == 0
    board.device = again(device)
    assert board.running == "ota_1"
    assert board.log().count("valid") == 3


def test_what_was_chosen_and_not_started_is_not_when_the_running_one_is_flashed(device: Device) -> None:
    board = board_with(device)
    board.put("ota_1", new(device))
    plan = plan_of(device, old(device))
    assert plan.target.slots is not None
    assert plan.target.slots.next is not None
    device.drive(slots.act(device.session, "start", plan.target.slots.next))
    plan = plan_of(device, old(device))
    assert (plan.segments, len(plan.steps), len(plan.warnings)) == ((), 1, 1)
    assert ota.apply(plan, AGAIN, device).confirmed
    board.power_on()
    board.power_on()
    assert board.running == "ota_0"


def test_files_are_saved_first(device: Device, tmp_path: object) -> None:
    board_with(device)
    path = f"{tmp_path}/files.tar"
    result = flash(device, new(device), replace(AGAIN, backup=path))
    assert result.backup == path
