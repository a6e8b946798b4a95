"""The flow of flashing over a model board: every step, every fault at every step, and the run after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.loader_model import BASE, ModelBoard, ModelDoors, ModelFlasher, image, program
from upytool.errors import (
    ConnectionLostError,
    Declined,
    DifferencesFound,
    FlashError,
    OperationInterrupted,
    PortBusyError,
    PortPermissionError,
    UpytoolError,
)
from upytool.flashers import chain
from upytool.flashers.base import FlashOptions, FlashResult, FlashTarget
from upytool.flashers.chain import DONE, ERASING, IN_LOADER, RUNS_AGAIN, WRITING, WRITTEN, Request
from upytool.flashers.failure import UNCHANGED
from upytool.image.base import FirmwareImage
from upytool.image.memory import Memory
from upytool.questions import Ask, Question, accept, decline
from upytool.words import Said

OLD, NEW = program("1.25.0"), image("1.28.0", fill=0x33)
MOVED = image("1.28.0", fs=(BASE + 0x100000, 0x100000))
AGAIN = "upytool -d id:E660 flash firmware.uf2"


def board(**how: object) -> ModelBoard:
    return ModelBoard(**how).load(OLD)  # type: ignore[arg-type]


def flash(
    board: ModelBoard,
    new: FirmwareImage = NEW,
    request: Request | None = None,
    *,
    doors: ModelDoors | None = None,
    ask: Ask = decline,
    target: FlashTarget | None = None,
) -> FlashResult:
    request = replace(request or Request(), again=AGAIN)
    doors = doors or ModelDoors(board)
    plan = chain.plan(target or board.target(), new, request, flashers=doors.flashers)
    return chain.apply(plan, request, doors=doors, ask=ask)


def has(board: ModelBoard, new: FirmwareImage = NEW) -> bool:
    return all(board.flash[each.address - BASE : each.end - BASE] == each.data for each in new.memory)


# -- it goes well -----------------------------------------------------------------------------------


def test_the_whole_chain() -> None:
    one = board()
    result = flash(one)
    assert one.log == ["enter", "open model", "check", "program", "leave", "wait"]
    assert has(one)
    assert (result.before, result.after, result.board_after) == ("1.25.0", "1.28.0", "RPI_PICO")
    assert result.confirmed
    assert result.programmed is not None
    assert result.programmed.verified == "read back"


def test_once_more_writes_nothing() -> None:
    one = board()
    flash(one)
    again = flash(one)
    assert again.programmed is not None
    assert (again.programmed.written, again.programmed.unchanged) == (0, NEW.size)


def test_the_loader_verifies_where_the_flasher_did_not() -> None:
    one = board(proves=False)
    result = flash(one)
    assert one.log[3:5] == ["program", "verify"]
    assert result.programmed is not None
    assert result.programmed.verified == "read back"


def test_what_cannot_be_read_back_is_said() -> None:
    one = board(proves=False, abilities=frozenset(("program",)))
    result = flash(one)
    assert not result.warnings
    assert result.confirmed, "the REPL is the proof"
    one = board(proves=False, abilities=frozenset(("program",)))
    assert "no proof" in flash(one, request=Request(wait=0)).warnings[0]


def test_no_verify_reads_nothing_back() -> None:
    one = board(proves=False)
    result = flash(one, request=Request(options=FlashOptions(verify=False)))
    assert "verify" not in one.log
    assert result.programmed is not None
    assert result.programmed.verified == ""


def test_no_wait_asks_nobody() -> None:
    one = board()
    result = flash(one, request=Request(wait=0))
    assert "wait" not in one.log
    assert not result.confirmed


def test_a_board_in_its_boot_loader_is_not_entered() -> None:
    one = board(state="bootloader")
    flash(one)
    assert one.log[0] == "open model"
    assert has(one)


def test_a_firmware_that_is_no_micropython_is_not_waited_for() -> None:
    data = bytearray(program())
    data[0x800:0x880] = bytes(0x80)
    blink = replace(NEW, memory=Memory.of([(BASE, bytes(data))]))
    one = board()
    result = flash(one, blink)
    assert "wait" not in one.log
    assert "no MicroPython" in " ".join(result.plan.warnings)


def test_another_version_than_the_images_is_no_proof() -> None:
    result = flash(board(says="1.26.0"))
    assert not result.confirmed
    assert "1.26.0, the image is 1.28.0" in result.warnings[-1]


# -- files ------------------------------------------------------------------------------------------


def test_the_plan_says_what_happens_to_the_files() -> None:
    one = board()
    for new, request, effect in (
        (NEW, Request(), "kept"),
        (MOVED, Request(), "moved"),
        (image(size=0xB0000), Request(), "overwritten"),
        (NEW, Request(erase="all"), "erased"),
        (NEW, Request(erase="fs"), "erased"),
    ):
        plan = chain.plan(one.target(), new, request, flashers=[ModelFlasher(one)])
        assert plan.fs_effect == effect
        assert bool(plan.asks) == (effect != "kept")


@pytest.mark.parametrize("new", [MOVED, image(size=0xB0000)])
def test_keep_fs_refuses_before_anything(new: FirmwareImage) -> None:
    one = board()
    with pytest.raises(FlashError, match="cannot be kept") as caught:
        flash(one, new, Request(keep_fs=True))
    assert caught.value.state == UNCHANGED
    assert one.log == []


def test_keep_fs_refuses_what_only_the_chip_shows() -> None:
    one = board(state="bootloader")
    with pytest.raises(FlashError, match="cannot be kept"):
        flash(one, MOVED, Request(keep_fs=True), target=one.target(filesystems=()))
    assert one.flash[: len(OLD)] == OLD


def test_a_surprise_on_the_chip_asks_before_the_first_erase() -> None:
    one = board(state="bootloader")
    unknown = one.target(filesystems=())
    asked: list[Question] = []
    with pytest.raises(Declined, match="looks for the file system elsewhere"):
        flash(one, MOVED, target=unknown, ask=lambda question: bool(asked.append(question)))
    assert [each.code for each in asked] == ["flash.files-found"]
    assert one.flash[: len(OLD)] == OLD
    flash(one, MOVED, target=unknown, ask=accept)
    assert has(one, MOVED)


def test_what_the_plan_said_is_not_asked_again() -> None:
    one = board()
    flash(one, MOVED, ask=lambda question: pytest.fail(question.code))
    assert has(one, MOVED)


def test_an_empty_chip_has_no_files() -> None:
    one = ModelBoard(state="bootloader")
    flash(one, MOVED, ask=lambda question: pytest.fail(question.code))
    assert has(one, MOVED)


def test_erase_fs_clears_old_and_new_place() -> None:
    one = board()
    one.flash[0xA0000:] = b"\x11" * 0x160000
    flash(one, MOVED, Request(erase="fs"))
    assert set(one.flash[0xA0000:]) == {0xFF}
    assert has(one, MOVED)


def test_erase_all() -> None:
    one = board()
    one.flash[0x1F0000] = 0
    flash(one, request=Request(erase="all"))
    assert one.log[3] == "erase-all"
    assert one.flash[0x1F0000] == 0xFF
    assert has(one)


def test_erase_fs_without_a_known_place_changes_nothing() -> None:
    one = ModelBoard(state="bootloader")
    with pytest.raises(FlashError, match="where the file system is"):
        flash(one, image(fs=None), Request(erase="fs"))
    assert set(one.flash) == {0xFF}


# -- backups ----------------------------------------------------------------------------------------


def test_files_are_saved_before_the_boot_loader(tmp_path: Path) -> None:
    one = board()
    result = flash(one, request=Request(backup=str(tmp_path / "before.tar")))
    assert one.log[:2] == ["save files", "enter"]
    assert result.backup == str(tmp_path / "before.tar")


@pytest.mark.parametrize(("name", "state"), [("before.bin", "running"), ("before.tar.gz", "bootloader")])
def test_the_flash_is_saved_by_name_or_without_a_repl(tmp_path: Path, name: str, state: str) -> None:
    one = board(state=state)
    before = bytes(one.flash)
    result = flash(one, request=Request(backup=str(tmp_path / name)))
    assert Path(result.backup).name == "before.bin"
    assert Path(result.backup).read_bytes() == before


def test_no_backup_no_flashing(tmp_path: Path) -> None:
    one = board(state="bootloader", abilities=frozenset(("program",)))
    with pytest.raises(FlashError, match="no backup"):
        flash(one, request=Request(backup=str(tmp_path / "x.bin")))
    assert not has(one)
    one = board(fault=fail_at("save files", ConnectionLostError("the port is gone")))
    with pytest.raises(ConnectionLostError):
        flash(one, request=Request(backup="x.tar"))
    assert one.log == ["save files"]


def test_a_saved_flash_goes_back(tmp_path: Path) -> None:
    one = board()
    before = bytes(one.flash)
    flash(one, MOVED, Request(backup=str(tmp_path / "b.bin")))
    dump = FirmwareImage((tmp_path / "b.bin").read_bytes(), "bin", Memory.of([(BASE, before)]), "rp2040", "rp2")
    result = flash(one, dump, Request(raw=True))
    assert bytes(one.flash) == before
    assert result.after == "1.25.0"


def test_firmware_that_does_not_answer_offers_the_way_back(tmp_path: Path) -> None:
    one = board(answers=False)
    with pytest.raises(FlashError, match="does not answer") as caught:
        flash(one, request=Request(backup=str(tmp_path / "b.bin")))
    assert caught.value.state == DONE
    assert f"`upytool -d usb:1-2 flash --at 0x10000000 {tmp_path / 'b.bin'}`" in caught.value.hint
    assert AGAIN not in caught.value.hint, "to write it again would change nothing"


# -- verify only ------------------------------------------------------------------------------------


def test_verify_only() -> None:
    one = board()
    before = bytes(one.flash)
    with pytest.raises(DifferencesFound, match="bytes differ"):
        flash(one, request=Request(verify_only=True))
    assert one.flash == before
    assert one.state == "running"
    same = image("1.25.0")
    result = flash(one, same, Request(verify_only=True, wait=0))
    assert result.programmed is None


def test_verify_only_needs_a_readable_flash() -> None:
    one = board(abilities=frozenset(("program",)))
    with pytest.raises(FlashError, match="nothing to compare"):
        flash(one, request=Request(verify_only=True))


# -- refused before the first erase -----------------------------------------------------------------


def test_the_wrong_chip_is_refused() -> None:
    one = board()
    esp = one.target(chip="esp32s3", mcu_port="esp32")
    with pytest.raises(FlashError, match=r"for RP2040, .* has an ESP32-S3"):
        flash(one, target=esp)
    assert one.log == []
    one = board(state="bootloader", chip="rp2350")
    with pytest.raises(FlashError, match="for RP2040"):
        flash(one, target=one.target(chip=""))
    assert "program" not in one.log


def test_firmware_larger_than_the_flash_is_refused() -> None:
    one = board(flash=bytearray(b"\xff" * (1 << 20)))
    large = image(size=(1 << 20) + 4096, fs=None)
    with pytest.raises(FlashError, match="does not fit") as caught:
        flash(one, large)
    assert caught.value.code == "flash.firmware-too-large"
    assert caught.value.state == RUNS_AGAIN
    assert "program" not in one.log
    assert one.state == "running", "it runs on"


def test_no_flasher_fits_names_every_reason() -> None:
    one = board()
    doors = ModelDoors(one, flashers=[ModelFlasher(one, "a", "no A"), ModelFlasher(one, "b", "no B")])
    with pytest.raises(FlashError, match=r"\(a: no A; b: no B\)"):
        flash(one, doors=doors)


# -- faults -----------------------------------------------------------------------------------------


def fail_at(step: str, error: BaseException, done: int = 0, *, once: bool = True) -> Callable[[str, int], None]:
    armed = [True]

    def fault(name: str, bytes_done: int) -> None:
        if name == step and bytes_done >= done and armed[0]:
            armed[0] = not once
            raise error

    return fault


def lost() -> UpytoolError:
    return ConnectionLostError("the USB connection was lost", hint="check the cable")


STEPS = [
    ("enter", 0, UNCHANGED),
    ("open", 0, UNCHANGED),
    ("check", 0, UNCHANGED),
    ("erase-all", 0, ERASING),
    ("program", 0, WRITING),
    ("program", 4096, WRITING),
    ("program", 60 << 10, WRITING),
    ("verify", 0, WRITTEN),
]


@pytest.mark.parametrize(("step", "done", "state"), STEPS)
@pytest.mark.parametrize(
    "error",
    [
        lost,
        lambda: FlashError("the bootloader refused"),
        lambda: FlashError("it stalled", state=Said("page 7 is half erased")),
    ],
    ids=["lost", "refused", "own-state"],
)
def test_a_fault_says_the_state_and_the_next_run_succeeds(
    step: str, done: int, state: Said, error: Callable[[], UpytoolError]
) -> None:
    one = board(proves=False, fault=fail_at(step, error(), done))
    request = Request(erase="all" if step == "erase-all" else "changed")
    with pytest.raises(UpytoolError) as caught:
        flash(one, request=request)
    changed = state not in (UNCHANGED,)
    if changed:
        assert isinstance(caught.value, FlashError)
        own = getattr(error(), "state", "")
        assert caught.value.state == (own or state)
        assert f"run it again: `{AGAIN}`" in caught.value.hint
        assert caught.value.hint.count(str(caught.value.state)) == 1
    else:
        assert one.flash[: len(OLD)] == OLD
        assert AGAIN not in caught.value.hint
    one.state = "bootloader"
    result = flash(one, request=request, target=one.target(filesystems=()))
    assert has(one)
    assert result.confirmed


@pytest.mark.parametrize(("step", "done", "state"), STEPS)
def test_ctrl_c_says_the_state(step: str, done: int, state: Said) -> None:
    one = board(proves=False, fault=fail_at(step, KeyboardInterrupt(), done))
    request = Request(erase="all" if step == "erase-all" else "changed")
    doors = ModelDoors(one)
    with pytest.raises(OperationInterrupted) as caught:
        flash(one, request=request, doors=doors)
    assert caught.value.code == "interrupted.while"
    assert {"open": IN_LOADER, "check": RUNS_AGAIN}.get(step, state) in caught.value.hints
    assert doors.flashers is not None
    loader = doors.flashers[0].loader
    assert loader is None or loader.closed
    one.state = "bootloader"
    flash(one, target=one.target(filesystems=()))
    assert has(one)


def test_a_verification_that_fails() -> None:
    one = board(proves=False)

    def spoil(name: str, done: int) -> None:
        if name == "verify":
            one.flash[0x3000] ^= 1

    one.fault = spoil
    with pytest.raises(FlashError, match="at 0x10000000") as caught:
        flash(one)
    assert caught.value.state == WRITTEN
    one.fault = lambda step, done: None
    flash(one)
    assert has(one)


def test_a_board_that_was_not_changed_runs_again() -> None:
    one = board(fault=fail_at("check", FlashError("the chip is locked")))
    with pytest.raises(FlashError) as caught:
        flash(one)
    assert one.state == "running"
    assert caught.value.state == RUNS_AGAIN


def test_no_driver_takes_the_next_way() -> None:
    one = board()
    first, second = ModelFlasher(one, "picoboot"), ModelFlasher(one, "uf2")
    first.refuses = PortPermissionError("you may not open it", hint="a udev rule")
    flash(one, doors=ModelDoors(one, flashers=[first, second]))
    assert one.log[1:3] == ["open picoboot", "open uf2"]
    second.refuses = PortBusyError("busy")
    with pytest.raises(PortPermissionError) as caught:
        flash(one, doors=ModelDoors(one, flashers=[first, second]))
    assert "udev rule" in caught.value.hint, "the first way is the better one to fix"


def test_nothing_waits_when_the_repl_never_comes() -> None:
    one = board(answers=False)
    with pytest.raises(FlashError, match="does not answer"):
        flash(one)
    assert has(one)


# -- Ctrl-C, and what nobody thought of ---------------------------------------------------------------


def test_ctrl_c_while_waiting_for_the_answer_is_no_missing_answer() -> None:
    one = board(fault=fail_at("wait", OperationInterrupted()))
    with pytest.raises(OperationInterrupted, match="while waiting for the REPL"):
        flash(one)
    assert has(one)


def test_a_board_left_in_its_boot_loader_is_started_again_by_a_command() -> None:
    def fault(step: str, done: int) -> None:
        if step in ("check", "leave"):
            raise FlashError("no")

    with pytest.raises(FlashError) as caught:
        flash(board(fault=fault))
    assert caught.value.state == IN_LOADER
    assert "start it again: `upytool -d usb:1-2 reset`" in caught.value.hint


def test_a_board_that_lost_its_power_does_not_wait_in_its_boot_loader() -> None:
    with pytest.raises(ConnectionLostError) as caught:
        flash(board(fault=fail_at("check", lost(), once=False)))
    assert "bootloader" not in caught.value.hint


def test_a_bug_of_ours_does_not_hide_the_state() -> None:
    from upytool.events import Notice

    said: list[str] = []

    class Listener:
        def emit(self, event: object) -> None:
            if isinstance(event, Notice) and event.level == "warning":
                said.append(event.message)

    one = board(fault=fail_at("program", ZeroDivisionError("a bug"), 4096))
    request = Request(again=AGAIN)
    doors = ModelDoors(one)
    plan = chain.plan(one.target(), NEW, request, flashers=doors.flashers)
    with pytest.raises(ZeroDivisionError):
        chain.apply(plan, request, doors=doors, reporter=Listener())
    assert said == [f"{WRITING}; run it again: `{AGAIN}`"]


def test_raw_bytes_ask_for_files_that_only_the_chip_shows() -> None:
    one = board(state="bootloader")
    dump = FirmwareImage(bytes(2 << 20), "bin", Memory.of([(BASE, bytes(2 << 20))]), "rp2040", "rp2")
    unknown = one.target(filesystems=())
    with pytest.raises(OperationInterrupted, match="written over the file system"):
        flash(one, dump, Request(raw=True, wait=0), target=unknown)
    assert one.flash[: len(OLD)] == OLD
    flash(one, dump, Request(raw=True, wait=0, erase="fs"), target=unknown, ask=accept)
    assert not any(one.flash)
