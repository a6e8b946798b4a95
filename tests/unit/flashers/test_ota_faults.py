"""Flashing by the running MicroPython, when something goes wrong: what the board starts then, and what is told.

On the simulated board's real VM, with a MODEL of its slots.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.fakes.slot_board import SlotBoard, finds_the_model
from tests.unit.device.boards import wire
from tests.unit.flashers.ota_boards import (
    AGAIN,
    Record,
    again,
    board_with,
    device,
    flash,
    lose,
    new,
    old,
    plan_of,
    soon,
    version,
)
from upytool.device.device import Device
from upytool.errors import Declined, FlashError, OperationInterrupted, UpytoolError
from upytool.events import Event, Notice, TaskAdvanced
from upytool.flashers import ota
from upytool.flashers.base import FlashResult
from upytool.questions import Question, accept

__all__ = ["device", "finds_the_model", "soon"]

pytestmark = pytest.mark.usefixtures("finds_the_model")


def interrupt() -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def test_a_firmware_that_does_not_start_is_taken_back_and_told(device: Device) -> None:
    board = board_with(device)
    record = Record()

    def fails(event: Event) -> None:
        # It crashes on its first start: a reset later the bootloader has given it up.
        if isinstance(event, Notice) and "Starting" in event.message:
            twice = device.fs.read_text("/boot.py") + "\nif esp32._text('running') == 'ota_1': esp32.power_on()\n"
            device.fs.write_text("/boot.py", twice.replace("del sys.modules", "#").replace("sys.path.remove", "#"))

    record._at = fails
    with pytest.raises(FlashError, match="did not start") as error:
        flash(device, new(device), reporter=record)
    assert error.value.state.code == "flash.state.ota-went-back"
    assert AGAIN.again not in error.value.hint
    board.device = again(device)
    assert board.running == "ota_0"


def test_a_board_that_does_not_come_back_is_told_with_what_its_next_reset_does(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    board_with(device)
    monkeypatch.setattr(ota._Run, "_connected", lambda self, transport, lost, seconds: lose())
    with pytest.raises(FlashError, match="does not answer") as error:
        flash(device, new(device), replace(AGAIN, wait=0.5))
    assert error.value.state.code == "flash.state.ota-started"
    assert "ota_0" in error.value.state.fields["old"]
    assert AGAIN.again in error.value.hint


def test_a_board_without_rollback_asks_first(device: Device) -> None:
    board = board_with(device, rollback=False)
    with pytest.raises(Declined) as error:
        flash(device, new(device))
    assert "not started" in error.value.hint
    assert board.log()[-1] == "valid"
    board.power_on()
    assert board.running == "ota_0"
    asked: list[Question] = []
    assert flash(device, new(device), ask=lambda question: bool(asked.append(question) or True)).confirmed
    assert [each.code for each in asked] == ["flash.no-rollback"]


def test_flash_that_does_not_keep_it_is_never_started(device: Device) -> None:
    board = board_with(device)
    board.set(worn=3)
    with pytest.raises(FlashError, match="verification failed") as error:
        flash(device, new(device))
    assert error.value.state.code == "flash.state.ota-partly-written"
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
    assert "ota_0" in str(error.value.state)
    board.power_on()
    assert board.running == "ota_0"


def test_a_board_that_loses_its_power_goes_on_where_it_was(device: Device) -> None:
    """The model's flash is cut in the middle of a block; the connection (a UART) stays."""
    board = board_with(device)
    board.set(cut=9)
    device.session.pace.silence = 2.0
    assert flash(device, new(device)).confirmed
    device = board.device = again(device)
    assert not any("RUNNING" in line for line in board.log())
    assert board.flash("ota_1")[: len(new(device))] == new(device)
    assert board.flash("ota_0") == old(device)
    starts = [line for line in board.log() if line.startswith("start")]
    assert starts == sorted(starts), "the old one, as often as it took, then the new one"
    assert starts[:2] == ["start ota_0", "start ota_0"]
    assert starts[-1] == "start ota_1"


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
    monkeypatch.setattr(type(wire(device)), "read", lambda self, timeout: lose())
    with pytest.raises(UpytoolError) as error:
        ota.apply(plan, AGAIN, device)
    assert error.value.exit_code == 4
    assert "nothing was changed" in error.value.hint


@pytest.mark.parametrize("stop", [lose, interrupt])
@pytest.mark.parametrize("rollback", [True, False])
def test_what_ends_after_the_restart_names_the_command_that_confirms(
    device: Device, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], None], rollback: bool
) -> None:
    """The new firmware answers, and the end comes while it is asked or confirmed: its next reset would undo it."""
    line, left = wire(device), -1
    write, result = line.write, ota._Run._result

    def counted(data: bytes) -> None:
        nonlocal left
        if not left:
            left -= stop is interrupt
            stop()
        left -= 1
        write(data)

    def begun(run: ota._Run, *args: object) -> FlashResult:
        nonlocal left
        left = at
        return result(run, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(line, "write", counted)
    monkeypatch.setattr(ota._Run, "_result", begun)
    unconfirmed = []
    for at in (0, 2, 5):
        plain = again(device)
        for name in ("otadata", "log", "ota_1"):
            if plain.fs.exists(f"/flash/{name}"):
                plain.fs.remove(f"/flash/{name}")
        board = SlotBoard(plain, old(device), rollback=rollback)
        plan, data = plan_of(plain, new(plain)), new(plain)
        with pytest.raises(FlashError if stop is lose else OperationInterrupted) as error:
            ota.apply(plan, AGAIN, plain, ask=accept)
        left = -1
        board.device = plain = again(device)
        unconfirmed.append(rollback and "valid" not in board.log())
        assert (AGAIN.again in error.value.hint) == rollback, at
        assert "ota_1" in error.value.hint
        left = -1
        plan = plan_of(plain, data)
        assert (plan.segments, len(plan.steps)) == ((), int(unconfirmed[-1]))
        assert ota.apply(plan, AGAIN, plain).confirmed
        for _ in range(2):
            board.power_on()
            assert board.running == "ota_1"
    assert any(unconfirmed) == rollback


@pytest.mark.parametrize(("begin", "cuts"), [("", range(1, 130, 60)), ("Checking", range(1, 61, 2))])
def test_the_connection_may_end_for_good_between_two_frames(
    device: Device, monkeypatch: pytest.MonkeyPatch, begin: str, cuts: range
) -> None:
    """What runs stays whole and starts; what starts instead is whole, and only once unless it was confirmed.

    A sample of the places: a few from the beginning, more from where the slot is chosen, where frames decide something.
    """
    line, left = wire(device), -1
    read, write = line.read, line.write
    before, data = old(device), new(device)

    def counted(data: bytes) -> None:
        nonlocal left
        if not left:
            lose()
        left -= 1
        write(data)

    def count(event: Event) -> None:
        nonlocal left
        if begin and isinstance(event, Notice) and begin in event.message:
            left = at

    monkeypatch.setattr(line, "write", counted)
    monkeypatch.setattr(line, "read", lambda timeout: read(timeout) if left else lose())
    outcomes = set()
    for at in cuts:
        plain = again(device)
        for name in ("otadata", "log", "ota_1"):
            if plain.fs.exists(f"/flash/{name}"):
                plain.fs.remove(f"/flash/{name}")
        SlotBoard(plain, before)
        plan = plan_of(plain, data)
        left = -1 if begin else at
        with suppress(UpytoolError):
            ota.apply(plan, replace(AGAIN, wait=0.1), plain, reporter=Record(count))
        left = -1
        starts = []
        for _ in range(2):
            line.board.reset()  # boot.py is the model's bootloader
            with again(device) as plain:
                flash = plain.fs.get_many([f"/flash/{name}" for name in ("running", "log", "ota_0")])
                starts.append(flash["/flash/running"].decode())
                assert flash["/flash/ota_0"] == before
                assert starts[-1] == "ota_0" or plain.fs.read_bytes("/flash/ota_1").startswith(data)
        log = flash["/flash/log"].decode()
        assert "RUNNING" not in log
        assert "damaged" not in log
        assert starts[-1] == ("ota_1" if "valid" in log else "ota_0"), (at, log)
        outcomes.add(tuple(starts))
        # How many frames a whole update takes depends on how many go in one write.
        if begin and len(outcomes) == 3:
            break
    assert ("ota_0", "ota_0") in outcomes
    if begin:
        assert {("ota_1", "ota_0"), ("ota_1", "ota_1")} <= outcomes
