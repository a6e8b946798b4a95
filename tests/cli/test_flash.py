"""`flash`, `erase` and `read-flash` on a model board: what is asked, said, refused, and with which exit code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.loader_model import BASE, ModelBoard, ModelDoors, program, uf2
from upytool.api import flash
from upytool.api.flash_target import Flashable
from upytool.cli import flash_words, flashing
from upytool.errors import ConnectionLostError
from upytool.flashers.base import FlashTarget
from upytool.flashers.doors import Doors
from upytool.flashers.probe import Surroundings

from .conftest import Cli, Run

NEW = uf2("1.28.0", fill=0x33)


class Bench:
    """The command line with model boards in place of real ones."""

    def __init__(self, cli: Cli, boards: list[ModelBoard]) -> None:
        self.cli, self.boards = cli, boards
        self.doors = ModelDoors(*boards)

    def __call__(self, *argv: str) -> Run:
        return self.cli(*argv)

    def flashable(self) -> list[Flashable]:
        return [Flashable(board.target(), self.doors) for board in self.boards]


@pytest.fixture
def bench(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    Path("new.uf2").write_bytes(NEW)

    def make(*boards: ModelBoard) -> Bench:
        made = Bench(cli, list(boards) or [ModelBoard().load(program())])
        monkeypatch.setattr(flashing, "doors", lambda app, **_: made.doors)
        monkeypatch.setattr(flashing, "choose", lambda app, ways=None: made.flashable()[0])
        monkeypatch.setattr(flashing, "targets", lambda app, ways: made.flashable())
        return made

    return make


def test_flash(bench: Callable[..., Bench]) -> None:
    there = bench()
    run = there("flash", "new.uf2", "--yes")
    assert run.code == 0, run.err
    assert run.out == ""
    lines = run.err.splitlines()
    assert lines[0] == "Board     RPI_PICO (Raspberry Pi Pico with RP2040) on /dev/ttyACM0"
    assert lines[1].startswith("Firmware  new.uf2: MicroPython 1.25.0 -> 1.28.0 for RPI_PICO, 65.5 kB, sha256 ")
    assert lines[2] == (
        "How       into the bootloader: by machine.bootloader() from the REPL; model: write what differs, read it back"
    )
    assert lines[3] == "Files     kept: the file system stays as it is (1408 KiB at 0x100a0000)"
    assert re.match(r"Wrote 65\.5 kB in [\d.]+ s\b", lines[-2])
    assert lines[-1] == "The board says: MicroPython 1.28.0 on RPI_PICO, its REPL is /dev/ttyACM0"
    again = there("flash", "new.uf2", "--yes")
    assert "Nothing to write: the board has new.uf2 already (65.5 kB compared)" in again.err


def test_json(bench: Callable[..., Bench]) -> None:
    run = bench()("flash", "new.uf2", "--yes", "--json")
    assert "Board" not in run.err
    result = json.loads(run.out)["result"]
    assert result["confirmed"] is True
    assert (result["before"], result["after"]) == ("1.25.0", "1.28.0")
    assert result["programmed"]["written"] == 65536
    assert result["plan"]["image"]["sha256"] == hashlib.sha256(NEW).hexdigest()
    assert result["plan"]["files"]["effect"] == "kept"


def test_dry_run(bench: Callable[..., Bench]) -> None:
    there = bench()
    before = bytes(there.boards[0].flash)
    run = there("flash", "new.uf2", "--dry-run")
    assert run.code == 0
    assert run.out.startswith("Board     RPI_PICO")
    assert run.err == "Dry run: nothing was changed\n"
    data = json.loads(there("flash", "new.uf2", "-n", "--json").out)["result"]
    assert data["flasher"] == "model"
    assert data["steps"][0] == {"kind": "enter", "way": "repl"}
    assert there.boards[0].flash == before
    assert there.boards[0].log == []


def test_nobody_to_ask(bench: Callable[..., Bench]) -> None:
    there = bench()
    run = there("flash", "new.uf2")
    assert run.code == 2
    assert "Flash it?" in run.err
    assert "--yes" in run.err
    assert there.boards[0].log == []


@pytest.mark.parametrize("options", [(), ("--backup", "b.tar")])
def test_lost_files_are_asked_for_by_name(
    bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    Path("moved.uf2").write_bytes(uf2("1.28.0", fs=(BASE + 0x100000, 0x100000)))
    asked: list[str] = []
    monkeypatch.setattr("upytool.cli.ui.prompt.confirm", lambda question, *_, **__: bool(asked.append(question)))
    run = bench()("flash", "moved.uf2", *options)
    assert run.code == 130
    assert asked == [f"Files on the board will be LOST{' (they are saved first)' if options else ''}. Flash it?"]
    assert "LOST: the new firmware looks for the file system elsewhere" in run.err


@pytest.mark.parametrize(
    "options",
    [
        ("--erase", "--keep-fs"),
        ("--erase-fs", "--keep-fs"),
        ("--verify-only", "--erase"),
        ("--board", "RPI_PICO"),
        ("--version", "1.28"),
        ("--sha256", "12"),
        ("--at", "0x0", "--all"),
    ],
)
def test_options_that_contradict(bench: Callable[..., Bench], options: tuple[str, ...]) -> None:
    there = bench()
    assert there("flash", "new.uf2", *options, "--yes").code == 2
    assert there.boards[0].log == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!doctype html><html>", "is a web page"),
        (NEW[:-100], "cut short"),
        (b"\x7fELF" + bytes(100), "is an ELF file"),
        (b"", "is empty"),
        (b"\xd2\xcd\x31" + bytes(100), "ROMFS"),
    ],
)
def test_a_bad_file_is_refused_before_a_board_is_looked_for(cli: Cli, content: bytes, said: str) -> None:
    Path("bad.uf2").write_bytes(content)
    run = cli("flash", "bad.uf2", "--yes")
    assert run.code == 7
    assert said in run.err
    assert run.err.count("error:") == 1


def test_sha256(bench: Callable[..., Bench]) -> None:
    there = bench()
    run = there("flash", "new.uf2", "--sha256", "0" * 64, "--yes", "--json")
    assert (run.code, json.loads(run.out)["error"]["code"]) == (7, "image.wrong-sha256")
    assert there("flash", "new.uf2", "--sha256", hashlib.sha256(NEW).hexdigest().upper(), "--yes").code == 0


def test_a_fault_says_state_and_command(bench: Callable[..., Bench]) -> None:
    def cut(step: str, done: int) -> None:
        if step == "program" and done > 8192:
            raise ConnectionLostError("the USB connection was lost", hint="check the cable")

    there = bench(ModelBoard(fault=cut).load(program()))
    run = there("flash", "new.uf2", "--yes")
    assert run.code == 7
    assert "error: the USB connection was lost, while writing" in run.err
    assert "the firmware is only partly written" in run.err
    assert "run it again: `upytool -d usb:1-2 flash new.uf2`" in run.err
    data = json.loads(there("flash", "new.uf2", "--yes", "--json").out)["error"]
    assert data["state"].startswith("the firmware is only partly written")


def test_verify_only(bench: Callable[..., Bench]) -> None:
    there = bench()
    run = there("flash", "new.uf2", "--verify-only", "--yes")
    assert run.code == 1
    assert "differ" in run.err
    Path("old.uf2").write_bytes(uf2("1.25.0"))
    assert "every byte is the same" in there("flash", "old.uf2", "--verify-only", "--yes").err


def test_another_version_than_the_image_is_exit_code_7(bench: Callable[..., Bench]) -> None:
    run = bench(ModelBoard(says="1.26.0").load(program()))("flash", "new.uf2", "--yes")
    assert run.code == 7
    assert run.err.count("the board says it runs 1.26.0, the image is 1.28.0") == 1


def test_all(bench: Callable[..., Bench]) -> None:
    def cut(step: str, done: int) -> None:
        if step == "program" and done:
            raise ConnectionLostError("the USB connection was lost")

    one, two = ModelBoard().load(program()), ModelBoard(location="1-3", fault=cut).load(program())
    there = bench(one, two)
    run = there("flash", "new.uf2", "--all", "--yes")
    assert run.code == 7
    assert run.out.splitlines() == [
        "id:E660\tok\t65.5 kB\t1.28.0 RPI_PICO",
        "usb:1-3\tfailed\t\tthe USB connection was lost, while writing",
    ]
    assert "1 of 2 boards were not flashed" in run.err
    assert one.version == "1.28.0"
    two.fault = lambda step, done: None
    data = json.loads(there("flash", "new.uf2", "--all", "--yes", "--json").out)["result"]
    assert [(each["selector"], each["ok"]) for each in data] == [("id:E660", True), ("usb:1-3", True)]
    assert there("flash", "new.uf2", "--all").code == 2


def test_all_leaves_out_what_it_is_not_for(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    there = bench()
    other = FlashTarget("running", "id:X", "1-9", "/dev/x", chip="esp32", mcu_port="esp32")
    others = [*there.flashable(), Flashable(other, there.doors)]
    monkeypatch.setattr(flashing, "targets", lambda app, ways: others)
    run = there("flash", "new.uf2", "--all", "--yes")
    assert run.code == 0
    assert "left out: id:X: the firmware is for RP2040" in run.err


def test_all_without_boards(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    there = bench()
    monkeypatch.setattr(flashing, "targets", lambda app, ways: [])
    assert there("flash", "new.uf2", "--all", "--yes").code == 3


def test_a_flash_is_saved_and_brought_back(bench: Callable[..., Bench]) -> None:
    there = bench()
    before = bytes(there.boards[0].flash)
    run = there("read-flash", "saved.bin")
    assert run.code == 0
    assert "Saved 2.1 MB from 0x10000000 in saved.bin" in run.err
    assert Path("saved.bin").read_bytes() == before
    assert there("read-flash", "saved.bin").code == 2, "it exists"
    assert there("flash", "new.uf2", "--yes").code == 0
    run = there("flash", "--at", "0x10000000", "saved.bin", "--yes")
    assert run.code == 0, run.err
    assert there.boards[0].flash == before


@pytest.mark.parametrize(
    "words",
    [
        ("image", "ls", ":"), ("image", "cat", ":", "a.py"), ("image", "extract", ":"), ("image", "rm", ":", "a.py"),
        ("image", "add", ":", "new.uf2"), ("image", "diff", ":", "new.uf2"), ("firmware", "inspect", ":"),
    ],
)  # fmt: skip
def test_a_running_board_restarts_by_a_yes_alone(bench: Callable[..., Bench], words: tuple[str, ...]) -> None:
    there = bench()
    run = there(*words)
    assert run.code == 2
    assert "--yes" in run.err
    assert there.boards[0].log == []
    there(*words, "--yes")
    assert there.boards[0].log, "with a yes it is put into its bootloader"


def test_read_flash_parts(bench: Callable[..., Bench]) -> None:
    there = bench()
    there.boards[0].flash[0xA0000] = 7
    assert there("read-flash", "fs.img", "--fs").code == 0
    content = Path("fs.img").read_bytes()
    assert (len(content), content[0]) == (0x160000, 7)
    data = json.loads(there("read-flash", "part.bin", "--range", "0x100a0000", "4k", "--json").out)["result"]
    assert data == {"file": "part.bin", "address": BASE + 0xA0000, "bytes": 4096}
    assert there("read-flash", "x.bin", "--fs", "--range", "0", "1").code == 2


def test_a_read_that_fails_leaves_no_file(bench: Callable[..., Bench]) -> None:
    def cut(step: str, done: int) -> None:
        if step == "read":
            raise ConnectionLostError("gone")

    run = bench(ModelBoard(fault=cut).load(program()))("read-flash", "saved.bin")
    assert run.code == 4
    assert [each.name for each in Path().iterdir()] == ["new.uf2"]


def test_erase(bench: Callable[..., Bench]) -> None:
    there = bench()
    held = there.boards[0].flash
    held[0x1F0000] = 0
    assert there("erase").code == 2
    assert there.boards[0].log == []
    assert there("erase", "--fs", "--yes").code == 0
    assert (held[0x1F0000], held[0x4000]) == (0xFF, 0x5A)
    assert there("erase", "--range", "0x10004000", "4096", "--yes").code == 0
    assert (held[0x4000], held[0x5000]) == (0xFF, 0x5A)
    run = there("erase", "--yes")
    assert run.code == 0
    assert set(held) == {0xFF}
    assert "upytool -d usb:1-2 flash --board RPI_PICO" in run.err


def test_no_board(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("new.uf2").write_bytes(NEW)
    empty: Any = Surroundings(ports=list, buses=list, volumes=list)
    monkeypatch.setattr(flashing, "doors", lambda app, **_: Doors(empty, patience=0))
    run = cli("flash", "new.uf2", "--yes")
    assert run.code == 3
    assert "BOOTSEL" in run.err


def test_the_mending_command_has_all_that_matters(bench: Callable[..., Bench]) -> None:
    def cut(step: str, done: int) -> None:
        if step == "program" and done:
            raise ConnectionLostError("the USB connection was lost")

    there = bench(ModelBoard(fault=cut).load(program()))
    Path("saved it.bin").write_bytes(bytes(8192))
    run = there("flash", "--at", "0x10000000", "saved it.bin", "--whole", "--no-wait", "--yes", "--backup", "b.bin")
    assert run.code == 7
    command = "upytool -d usb:1-2 flash 'saved it.bin' --at 0x10000000 --whole --no-wait"
    assert f"run it again: `{command}`" in run.err, "by its place, which stays; and without the backup"
    assert "bring back what was on it: `upytool -d usb:1-2 flash --at 0x10000000 b.bin`" in run.err


def test_a_backup_that_is_there_is_not_lost(bench: Callable[..., Bench]) -> None:
    there = bench(ModelBoard(state="bootloader").load(program()))
    Path("b.bin").write_bytes(b"the good one")
    run = there("flash", "new.uf2", "--backup", "b.bin", "--yes")
    assert run.code == 2
    assert "b.bin exists, and this board does not run" in run.err
    assert Path("b.bin").read_bytes() == b"the good one"
    assert there.boards[0].log == []
    there = bench()
    run = there("flash", "new.uf2", "--backup", "b.bin")
    assert (run.code, "b.bin exists. Replace it?" in run.err) == (2, True)
    run = there("flash", "new.uf2", "--backup", "b.bin", "--yes")
    assert run.code == 0
    assert "to bring it back: `upytool -d usb:1-2 flash --at 0x10000000 b.bin`" in run.err


def test_a_folder_that_is_not_there_is_said_first(bench: Callable[..., Bench]) -> None:
    there = bench()
    assert there("flash", "new.uf2", "--backup", "no/b.bin", "--yes").code == 6
    assert there("read-flash", "no/b.bin").code == 6
    assert there.boards[0].log == []


def test_saved_bytes_over_files_are_asked_for(bench: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    Path("saved.bin").write_bytes(bytes(2 << 20))
    asked: list[str] = []
    monkeypatch.setattr("upytool.cli.ui.prompt.confirm", lambda question, *_, **__: bool(asked.append(question)))
    run = bench()("flash", "--at", "0x10000000", "saved.bin")
    assert run.code == 130
    assert asked == ["Files on the board will be LOST. Flash it?"]
    assert "LOST: what the file holds is written over the file system" in run.err
    assert bench()("flash", "--at", "0x10000000", "saved.bin", "--keep-fs", "--yes").code == 7


def test_a_plan_fits_a_terminal(bench: Callable[..., Bench]) -> None:
    from upytool.cli.ui.style import Style

    plan = flash.plan(bench().flashable()[0], flash.firmware("new.uf2"))
    lines = flash_words.plan_lines(plan, Style(tty=True, width=60))
    assert max(map(len, lines)) <= 60
    assert [line[:10] for line in lines if line[:1] != " "] == ["Board     ", "Firmware  ", "How       ", "Files     "]
    assert all(line.startswith(" " * 10) for line in lines if line[:1] == " ")
    assert len(flash_words.plan_lines(plan, Style())) == 4, "a log has a line for each"


def test_no_example_is_folded_at_80_columns(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("flash", "erase", "read-flash", "bootloader", "firmware", "rescue", "doctor"):
        assert max(map(len, cli(name, "--help").out.splitlines())) <= 80, name
