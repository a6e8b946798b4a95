"""Flashing without the command line, on MODELS of a Pico and of an ESP32's slots: plans, questions, results as data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, clean_environment, cli
from tests.fakes.loader_model import BASE, ModelBoard, ModelDoors, program, uf2
from tests.fakes.slot_board import SlotBoard, application, finds_the_model
from tests.guides.pages import ROOT, programs
from tests.unit.device.boards import board_device
from upytool.api import bootloader, flash, images, raw_flash
from upytool.cli import flashing
from upytool.device.device import Device
from upytool.discovery.ports import SerialPort
from upytool.errors import ConnectionLostError, Declined, FlashError, LocalFileError, NoDeviceError, UsageError
from upytool.flashers import ota
from upytool.flashers.base import FlashTarget

__all__ = ["clean_environment", "cli", "finds_the_model"]

pytest.importorskip("wasmtime")


class Answers:
    """An Ask that keeps what it was asked, and says no from the question `no` on."""

    def __init__(self, no: str = "") -> None:
        self.codes: list[str] = []
        self._no = no

    def __call__(self, question: flash.Question) -> bool:
        self.codes.append(question.code)
        return question.code != self._no


@pytest.fixture
def model() -> ModelBoard:
    Path("new.uf2").write_bytes(uf2("1.28.0", fill=0x33))
    Path("moved.uf2").write_bytes(uf2("1.28.0", fs=(BASE + 0x100000, 0x100000)))
    return ModelBoard().load(program())


def flashable(*boards: ModelBoard) -> list[flash.Flashable]:
    doors = ModelDoors(*boards)
    return [flash.Flashable(board.target(), doors) for board in boards]


def plan_of(board: ModelBoard, file: str = "new.uf2", **wish: object) -> flash.FlashPlan:
    return flash.plan(flashable(board)[0], flash.firmware(file), flash.FlashWish(**wish))  # type: ignore[arg-type]


# -- one board ----------------------------------------------------------------------------------------


def test_a_plan_answers_what_a_program_may_ask(model: ModelBoard) -> None:
    plan = plan_of(model)
    assert (plan.files, plan.warnings, plan.backup) == ("kept", (), None)
    assert [step.data() for step in plan.steps] == [
        {"kind": "enter", "way": "repl"}, {"kind": "write", "by": "model"}, {"kind": "read-back"}, {"kind": "start"},
        {"kind": "ask-version"},
    ]  # fmt: skip
    assert [question.code for question in plan.questions] == ["flash"]
    assert model.log == []
    lost = plan_of(model, "moved.uf2", backup="b.bin")
    assert (lost.files, lost.backup and lost.backup.data()) == ("lost", {"kind": "save-flash", "path": "b.bin"})
    assert [question.data() for question in lost.questions] == [
        {"code": "flash.files-lost", "board": lost.board.name, "firmware": "moved.uf2", "saved": True}
    ]
    erased = plan_of(model, erase="all", verify=False, wait=0.0)
    assert [step.kind for step in erased.steps] == ["enter", "erase-all", "write", "start"]
    compared = plan_of(model, verify_only=True)
    assert [question.code for question in compared.questions] == ["flash.compare"]
    assert (compared.files, [step.kind for step in compared.steps]) == ("kept", ["enter", "compare", "start"])


def test_no_changes_nothing_and_is_the_answer_unless_one_is_given(model: ModelBoard) -> None:
    before = bytes(model.flash)
    asked = Answers(no="flash.files-lost")
    with pytest.raises(Declined):
        flash.apply(plan_of(model, "moved.uf2"), ask=asked)
    with pytest.raises(Declined) as no:
        flash.apply(plan_of(model))
    assert no.value.exit_code == 130
    assert asked.codes == ["flash.files-lost"]
    assert (model.flash, model.log) == (before, [])


def test_what_is_applied_is_what_was_planned(model: ModelBoard) -> None:
    plan = plan_of(model)
    asked = Answers()
    result = flash.apply(plan, ask=asked)
    assert asked.codes == [question.code for question in plan.questions]
    assert result.data()["plan"] == plan.data()
    assert (result.before, result.after, result.confirmed, result.another) == ("1.25.0", "1.28.0", True, False)
    assert result.programmed is not None
    assert result.programmed.written == sum(size for _, size in plan.flow.segments)
    assert model.log == ["enter", "open model", "check", "program", "leave", "wait"]
    assert flash.apply(plan_of(model), ask=flash.accept).data()["programmed"]["written"] == 0


def test_a_backup_that_is_there_is_a_question_of_its_own(model: ModelBoard) -> None:
    Path("b.bin").write_bytes(b"the good one")
    plan = plan_of(model, backup="b.bin")
    assert [question.code for question in plan.questions] == ["flash.replace-backup", "flash"]
    assert plan.questions[0].fields == {"path": "b.bin", "running": True}
    with pytest.raises(Declined):
        flash.apply(plan, ask=Answers(no="flash.replace-backup"))
    assert Path("b.bin").read_bytes() == b"the good one"
    with pytest.raises(LocalFileError):
        plan_of(model, backup="nowhere/b.bin")
    assert model.log == []


def test_what_only_the_chip_shows_is_asked_before_the_first_erase(model: ModelBoard) -> None:
    model.state = "bootloader"
    before = bytes(model.flash)
    board = flash.Flashable(model.target(filesystems=()), ModelDoors(model))
    plan = flash.plan(board, flash.firmware("moved.uf2"))
    assert plan.files == "unknown"
    asked = Answers(no="flash.files-found")
    with pytest.raises(Declined):
        flash.apply(plan, ask=asked)
    assert asked.codes == ["flash", "flash.files-found"]
    assert model.flash == before


def test_a_fault_names_the_state_and_the_command(model: ModelBoard) -> None:
    def cut(step: str, done: int) -> None:
        if step == "program" and done > 8192:
            raise ConnectionLostError("gone")

    model.fault = cut
    with pytest.raises(FlashError) as error:
        flash.apply(plan_of(model, whole=True), ask=flash.accept)
    assert error.value.state
    assert "`upytool -d usb:1-2 flash new.uf2 --whole`" in error.value.hint


@pytest.mark.parametrize(
    "wish",
    [
        {"erase": "all", "keep_fs": True},
        {"verify_only": True, "erase": "fs"},
        {"verify_only": True, "verify": False},
    ],
)
def test_wishes_that_contradict(wish: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        flash.FlashWish(**wish)  # type: ignore[arg-type]


# -- over the air -------------------------------------------------------------------------------------


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[Device]:
    monkeypatch.setattr(ota, "LEAVES", 0.3)  # a simulated board is gone at once
    with board_device(flash_size=4 << 20) as device:
        yield device


@pytest.mark.usefixtures("finds_the_model")
def test_a_running_board_writes_the_slot_that_does_not_run(device: Device) -> None:
    with pytest.raises(FlashError):
        flash.over_the_air(device, "ws://board")  # no slots
    version = ota.version_of(device.info)
    slots = SlotBoard(device, application(version, seed=1, size=60_000), rollback=False)
    Path("new.app-bin").write_bytes(application(version, seed=2, size=80_000))
    board = flash.over_the_air(device, "ws://board")
    plan = flash.plan(board, flash.firmware("new.app-bin", board))
    assert (plan.files, [step.kind for step in plan.steps]) == (
        "kept", ["write", "read-back", "start", "ask-version", "confirm"],
    )  # fmt: skip
    assert {step.slot for step in plan.steps if step.slot} == {"ota_1"}
    assert slots.log() == ["start ota_0"]
    asked = Answers()
    result = flash.apply(plan, ask=asked)
    assert asked.codes == ["flash", "flash.no-rollback"]
    assert (result.confirmed, result.data()["plan"]["slot"]) == (True, "ota_1")


# -- several boards -----------------------------------------------------------------------------------


def test_several_boards_are_asked_for_once(model: ModelBoard) -> None:
    def cut(step: str, done: int) -> None:
        if step == "program" and done:
            raise ConnectionLostError("gone")

    other = ModelBoard(location="1-3", fault=cut).load(program())
    boards = flashable(model, other)
    esp = FlashTarget("running", "id:X", "1-9", "/dev/x", chip="esp32", mcu_port="esp32")
    boards.append(flash.Flashable(esp, boards[0].doors))
    plans = flash.plan_all(boards, flash.firmware("new.uf2"), flash.FlashWish(backup="b.bin"))
    assert [(each.board.target.selector, each.error.code) for each in plans.left_out] == [("id:X", "flash.other-chip")]
    assert [plan.backup and plan.backup.path for plan in plans.plans] == ["b-1-2.bin", "b-1-3.bin"]
    assert [question.data() for question in plans.questions] == [
        {"code": "flash.all", "boards": ["id:E660", "usb:1-3"], "compare": False, "files_lost": False}
    ]
    with pytest.raises(Declined):
        flash.apply_all(plans)
    assert (model.log, other.log) == ([], [])
    done, failed = flash.apply_all(plans, ask=flash.accept)
    assert (done.ok, failed.ok, failed.result) == (True, False, None)
    assert done.result is not None
    assert done.data() == {"selector": "id:E660", "ok": True, **done.result.data()}
    with pytest.raises(NoDeviceError):
        flash.plan_all(boards[2:], flash.firmware("new.uf2"))
    with pytest.raises(NoDeviceError):
        flash.plan_all([], flash.firmware("new.uf2"))


# -- the bare flash -----------------------------------------------------------------------------------


def test_a_flash_is_saved_erased_and_brought_back(model: ModelBoard) -> None:
    before = bytes(model.flash)
    board = flashable(model)[0]
    saved = raw_flash.read(board, "saved.bin")
    assert saved.data() == {"file": "saved.bin", "address": BASE, "bytes": len(before)}
    with pytest.raises(Declined):
        raw_flash.read(board, "saved.bin")
    plan = raw_flash.plan_erase(flashable(model)[0], raw_flash.Part(range=(BASE + 0x4000, 4096)))
    asked = {"code": "erase", "board": plan.board.name, "part": "range", "range": [BASE + 0x4000, 4096]}
    assert [question.data() for question in plan.questions] == [asked]
    model.log.clear()
    with pytest.raises(Declined):
        raw_flash.erase(plan)
    assert (model.flash, model.log) == (before, [])
    assert raw_flash.erase(plan, ask=flash.accept).ranges == ((BASE + 0x4000, 4096),)
    assert model.flash[0x4000:0x5000] == b"\xff" * 4096
    wish = flash.FirmwareWish("saved.bin", at=saved.address)
    back = flash.plan(flashable(model)[0], flash.firmware(wish, board))
    assert flash.apply(back, ask=flash.accept).after == "1.25.0"
    assert model.flash == before


def test_a_board_that_runs_is_asked_for_before_its_bootloader(model: ModelBoard) -> None:
    board = flashable(model)[0]
    asked = Answers(no="bootloader.enter")
    with pytest.raises(Declined), bootloader.opened(board, ask=asked):
        raise AssertionError
    assert (asked.codes, model.log) == (["bootloader.enter"], [])
    listed = images.ls(lambda: bootloader.opened(board, ask=flash.accept))
    assert [(each.volume.start, each.entries) for each in listed] == [(BASE + 0xA0000, None)]
    assert model.state == "running"


def test_into_the_bootloader_and_out(model: ModelBoard) -> None:
    port = SerialPort("/dev/ttyACM0", None, 0x2E8A, 0x0005)
    waiting = bootloader.enter(flash.Flashable(model.target(port=port), ModelDoors(model)))
    assert waiting is not None
    assert (waiting.before, waiting.data()["location"], waiting.where) == (False, "1-2", "1-2")
    there = flashable(model)[0]
    again = bootloader.enter(there)
    assert again is not None
    assert again.before
    assert bootloader.start(there)
    assert model.state == "running"
    assert not bootloader.start(flashable(model)[0])


def test_the_guides_program(model: ModelBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = [each for each in programs(ROOT / "docs" / "guides" / "flashing.md") if "raw_flash" in each.text]
    Path("new.uf2").rename("firmware.uf2")
    monkeypatch.setattr(flash, "choose", lambda selector: flashable(model)[0])
    exec(compile(block.text, str(block), "exec"), {"__name__": "program"})
    assert model.version == "1.28.0"
    assert "erase" in model.log
    assert Path("board.bin").stat().st_size == Path("before.bin").stat().st_size == len(model.flash)


# -- the command line is a client ---------------------------------------------------------------------


def test_the_commands_json_is_the_results_data(cli: Cli, model: ModelBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flashing, "choose", lambda app, ways=None: flashable(model)[0])
    plan = plan_of(model)
    shown = json.loads(cli("flash", "new.uf2", "--dry-run", "--json").out)["result"]
    assert shown == json.loads(json.dumps(plan.data()))
    Path("b.bin").write_bytes(b"the good one")
    shown = json.loads(cli("flash", "moved.uf2", "--backup", "b.bin", "--dry-run", "--json").out)["result"]
    assert shown == json.loads(json.dumps(plan_of(model, "moved.uf2", backup="b.bin").data()))
    twin = ModelBoard().load(program())
    result = json.loads(json.dumps(flash.apply(plan_of(twin), ask=flash.accept).data()))
    done = json.loads(cli("flash", "new.uf2", "--yes", "--json").out)["result"]
    assert {**done, "seconds": 0} == {**result, "seconds": 0}
    assert model.flash == twin.flash
    part = raw_flash.plan_erase(flashable(twin)[0], raw_flash.Part(fs=True))
    erased = json.loads(cli("erase", "--fs", "--yes", "--json").out)["result"]
    assert erased == json.loads(json.dumps(raw_flash.erase(part, ask=flash.accept).data()))
