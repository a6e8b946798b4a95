"""Flashing by the running MicroPython: the flow on the simulated board's real VM, with a MODEL of its slots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from tests.fakes.esp_firmware import esp_image
from tests.fakes.slot_board import OTA, SLOT, SlotBoard, application, combined, finds_the_model
from tests.unit.device.boards import board_device, wire
from upytool.device import slots
from upytool.device.device import Device
from upytool.errors import (
    ConnectionLostError,
    DifferencesFound,
    FlashError,
    OperationInterrupted,
    UpytoolError,
    UsageError,
)
from upytool.events import Event, Notice, TaskAdvanced
from upytool.flash import ota, ota_plan
from upytool.flash.base import FlashOptions, FlashPlan, FlashResult, FlashTarget
from upytool.flash.planning import Request
from upytool.image.base import FirmwareImage
from upytool.image.esp_partitions import DATA, ROMFS, Partition

__all__ = ["finds_the_model"]

pytestmark = pytest.mark.usefixtures("finds_the_model")
Make = Callable[..., SlotBoard]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulated board is gone at once."""
    monkeypatch.setattr(ota, "LEAVES", 0.3)


@pytest.fixture
def device() -> Iterator[Device]:
    with board_device(flash_size=4 << 20) as device:
        yield device


def version(device: Device) -> str:
    return ota.version_of(device.info)


def old(device: Device) -> bytes:
    return application(version(device), seed=1, size=60_000)


def new(device: Device, **how: object) -> bytes:
    return application(version(device), **{"seed": 2, "size": 80_000, **how})  # type: ignore[arg-type]


def image(data: bytes, name: str = "new.bin") -> FirmwareImage:
    return FirmwareImage.read(data, name=name)


def board_with(device: Device, **how: object) -> SlotBoard:
    return SlotBoard(device, old(device), **how)  # type: ignore[arg-type]


def plan_of(device: Device, data: bytes, request: Request | None = None) -> FlashPlan:
    target = ota.identify(device, "ws://board")
    return ota_plan.plan(target, image(data), request or Request(), name="new.bin")


class Record:
    """A reporter; `at` is called with each event and may raise, as Ctrl-C does."""

    def __init__(self, at: Callable[[Event], None] = lambda event: None) -> None:
        self.events: list[Event] = []
        self._at = at

    def emit(self, event: Event) -> None:
        self.events.append(event)
        self._at(event)


AGAIN = Request(again="upytool flash new.bin", wait=10.0)


def flash(device: Device, data: bytes, request: Request = AGAIN, **how: object) -> FlashResult:
    return ota.apply(plan_of(device, data, request), request, device, **how)  # type: ignore[arg-type]


def again(device: Device) -> Device:
    """Another connection to the board of one that was closed."""
    return Device(wire(device))


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
    result = ota.settle(plan, AGAIN, device)
    assert result is not None
    assert result.confirmed
    assert result.programmed is not None
    assert result.programmed.written == 0
    assert board.log() == before
    whole = replace(AGAIN, options=FlashOptions(whole=True))
    assert ota.settle(plan, whole, device) is None
    size = result.programmed.total
    done = ota.apply(plan, whole, device).programmed
    assert done == replace(result.programmed, written=size, erased=size, unchanged=0)


def test_comparing_changes_nothing(device: Device) -> None:
    board = board_with(device)
    compare = Request(verify_only=True, wait=0.0)
    assert ota.settle(plan_of(device, old(device), compare), compare, device) is not None
    with pytest.raises(DifferencesFound):
        ota.settle(plan_of(device, new(device), compare), compare, device)
    assert board.log() == ["start ota_0"]


def test_a_firmware_that_was_never_confirmed_is_when_it_is_flashed_again(device: Device) -> None:
    """What a run that was cut off after the restart leaves behind."""
    board = board_with(device)
    record = Record(lambda event: _stop_at(event, "Starting"))
    with pytest.raises(OperationInterrupted):
        flash(device, new(device), reporter=record)
    device = board.device = again(device)
    board.put("ota_1", new(device))
    row = ota.identify(device, "x").slots
    assert row is not None
    assert row.next is not None
    device.drive(slots.act(device.session, "start", row.next))
    board.power_on()
    plan = plan_of(device, new(device))
    assert plan.target.slots is not None
    assert ota_plan.unconfirmed(plan.target.slots)
    assert any("never confirmed" in warning for warning in plan.warnings)
    assert ota.settle(plan, AGAIN, device) is not None
    board.power_on()
    assert board.running == "ota_1"


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
    assert ota.settle(plan_of(device, old(device)), AGAIN, device) is not None
    board.power_on()
    board.power_on()
    assert board.running == "ota_0"


def _stop_at(event: Event, word: str) -> None:
    if isinstance(event, Notice) and word in event.message:
        raise KeyboardInterrupt


# -- what goes wrong ------------------------------------------------------------------------------------


def test_a_firmware_that_does_not_start_is_taken_back_and_told(device: Device) -> None:
    board = board_with(device)
    record = Record()

    def fails(event: Event) -> None:
        # It crashes on its first start: a reset later the boot loader has given it up.
        if isinstance(event, Notice) and "Starting" in event.message:
            twice = device.fs.read_text("/boot.py") + "\nif esp32._text('running') == 'ota_1': esp32.power_on()\n"
            device.fs.write_text("/boot.py", twice.replace("del sys.modules", "#").replace("sys.path.remove", "#"))

    record._at = fails
    with pytest.raises(FlashError, match="did not start") as error:
        flash(device, new(device), reporter=record)
    assert "as before" in error.value.state
    board.device = again(device)
    assert board.running == "ota_0"


def test_a_board_that_does_not_come_back_is_told_with_what_its_next_reset_does(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_with(device)
    monkeypatch.setattr(ota._Run, "_connected", lambda self, transport, lost, seconds: _raise())
    with pytest.raises(FlashError, match="does not answer") as error:
        flash(device, new(device), replace(AGAIN, wait=0.5))
    assert "its next reset starts" in error.value.state
    assert "ota_0" in error.value.state
    assert AGAIN.again in error.value.hint


def _raise() -> None:
    raise ConnectionLostError("gone")


def test_a_board_without_rollback_asks_first(device: Device) -> None:
    board = board_with(device, rollback=False)
    with pytest.raises(OperationInterrupted, match="no rollback") as error:
        flash(device, new(device))
    assert "not started" in error.value.hint
    assert board.log()[-1] == "valid"
    board.power_on()
    assert board.running == "ota_0"
    asked: list[str] = []
    assert flash(device, new(device), ask=lambda note: bool(asked.append(note) or True)).confirmed
    assert len(asked) == 1


def test_flash_that_does_not_keep_it_is_never_started(device: Device) -> None:
    board = board_with(device)
    board.set(worn=3)
    with pytest.raises(FlashError, match="verification failed") as error:
        flash(device, new(device))
    assert "partly written and not started" in error.value.state
    assert not any("set_boot" in line for line in board.log())
    board.power_on()
    assert board.running == "ota_0"


def test_what_the_board_itself_refuses_is_never_started(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secure Boot wants a signature, for instance: esp_ota_set_boot_partition says no."""
    board = board_with(device)
    text = device.fs.read_text("/model/esp32.py").replace("if not _good(self._row)", "if 1")
    device.fs.write_text("/model/esp32.py", text)
    with pytest.raises(FlashError, match=r"refuses to start ota_1: .*VALIDATE") as error:
        flash(device, new(device))
    assert "ota_0" in error.value.state
    board.power_on()
    assert board.running == "ota_0"


@pytest.mark.parametrize("cut", [1, 9, 20])
def test_a_board_that_loses_its_power_goes_on_where_it_was(device: Device, cut: int) -> None:
    """The model's flash is cut in the middle of a block; the connection (a UART) stays."""
    board = board_with(device)
    board.set(cut=cut)
    device.session.pace.silence = 2.0
    assert flash(device, new(device)).confirmed
    device = board.device = again(device)
    assert not any("RUNNING" in line for line in board.log())
    assert board.flash("ota_1")[: len(new(device))] == new(device)
    assert board.flash("ota_0") == old(device)
    starts = [line for line in board.log() if line.startswith("start")]
    assert starts[:3] == ["start ota_0", "start ota_0", "start ota_1"]


@pytest.mark.parametrize(
    "when",
    [
        lambda event: isinstance(event, TaskAdvanced) and 40_000 < event.done < 70_000,
        lambda event: isinstance(event, Notice) and "Checking" in event.message,
        lambda event: isinstance(event, Notice) and "Starting" in event.message,
    ],
)
def test_ctrl_c_leaves_the_old_firmware(device: Device, when: Callable[[Event], bool]) -> None:
    board = board_with(device)
    line, stopped = wire(device), list[bool]()
    write = line.write

    def stop(event: Event) -> None:
        if when(event) and not stopped:
            stopped.append(True)
            line.write = interrupted  # type: ignore[method-assign]

    def interrupted(data: bytes) -> None:
        line.write = write  # type: ignore[method-assign]
        raise KeyboardInterrupt

    with pytest.raises(OperationInterrupted) as error:
        flash(device, new(device), reporter=Record(stop))
    assert f"MicroPython {version(device)} in ota_0" in error.value.hint
    assert AGAIN.again in error.value.hint
    board.power_on()
    assert board.running == "ota_0"
    board.power_on()
    assert board.running == "ota_0"
    assert flash(device, new(device)).confirmed


def test_a_lost_connection_is_an_error_of_the_connection_until_something_changed(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_with(device)
    plan = plan_of(device, new(device))
    monkeypatch.setattr(type(wire(device)), "read", lambda self, timeout: _raise())
    with pytest.raises(UpytoolError) as error:
        ota.apply(plan, AGAIN, device)
    assert error.value.exit_code == 4
    assert "nothing was changed" in error.value.hint


def test_files_are_saved_first(device: Device, tmp_path: object) -> None:
    board_with(device)
    path = f"{tmp_path}/files.tar"
    result = flash(device, new(device), replace(AGAIN, backup=path))
    assert result.backup == path
