"""Which firmware `flash` takes where no file is given: releases by name, version, link; boards that say little."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.loader_model import ModelBoard, ModelDoors, program
from tests.fixtures.firmware_site import Site
from tests.unit.packages.web import serve
from upytool.api.firmware_source import FirmwareWish, board_of, firmware, on_flash
from upytool.api.flash_target import Flashable, slowly
from upytool.cli import flashing
from upytool.discovery.ports import SerialPort
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import FlashError, UsageError
from upytool.events import Notice
from upytool.flashers.base import FlashTarget

from .conftest import Cli
from .test_flash import NEW

OLDER = "RPI_PICO-20251209-v1.27.0.uf2"
NEWER = "RPI_PICO-20260406-v1.28.0.uf2"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    with serve() as web:
        made = Site(web)
        made.add(OLDER)
        made.add(NEWER, NEW)
        monkeypatch.setenv("UPYTOOL_FIRMWARE_URL", made.address)
        yield made


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> ModelBoard:
    made = ModelBoard().load(program())
    doors = ModelDoors(made)
    monkeypatch.setattr(flashing, "doors", lambda app, **_: doors)
    monkeypatch.setattr(flashing, "choose", lambda app, ways=None: Flashable(made.target(), doors))
    return made


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        ((), NEWER),
        (("--board", "rpi pico"), NEWER),
        (("--version", "1.27"), OLDER),
        (("RPI_PICO@1.27",), OLDER),
        (("pico", "--version", "1.27"), OLDER),
        (("{site}/resources/firmware/" + OLDER,), OLDER),
    ],
)
def test_a_release(cli: Cli, site: Site, board: ModelBoard, argv: tuple[str, ...], name: str) -> None:
    run = cli("flash", "--dry-run", *(each.format(site=site.address) for each in argv))
    assert run.code == 0, run.err
    assert f"Firmware  {name}: MicroPython " in run.out


def test_a_release_is_written(cli: Cli, site: Site, board: ModelBoard) -> None:
    run = cli("flash", "--yes", "--sha256", hashlib.sha256(NEW).hexdigest())
    assert run.code == 0, run.err
    assert board.version == "1.28.0"
    again = cli("flash", "--yes", "--offline")
    assert again.code == 0, again.err
    assert f"the board has {NEWER} already" in again.err


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("--sha256", "0" * 64), 9, "SHA-256"),
        (("--version", "9.9"), 2, "no MicroPython 9.9 for RPI_PICO"),
        (("--variant", "NOPE"), 2, "RPI_PICO has no variant NOPE"),
        (("--board", "RPI_PCIO"), 2, "RPI_PICO"),
        (("--offline",), 9, "--offline"),
        (("no.uf2",), 7, "[image.no-file]"),
        (("RPI_PICO", "--board", "RPI_PICO"), 2, "[usage.file-and-board]"),
    ],
)
def test_refused(cli: Cli, site: Site, board: ModelBoard, argv: tuple[str, ...], code: int, said: str) -> None:
    run = cli("flash", "--yes", "-v", *argv)
    assert (run.code, run.err.count("error:")) == (code, 1), run.err
    assert said in run.err
    assert board.log == []


# -- boards that say little -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"board": "RPI_PICO2", "variant": "RISCV"}, ("RPI_PICO2", "RISCV")),
        ({"machine": "Raspberry Pi Pico W with RP2040"}, ("RPI_PICO_W", "")),
        ({"chip": "esp32c3"}, ("ESP32_GENERIC_C3", "")),
        ({"chip": "esp8266"}, ("ESP8266_GENERIC", "")),
    ],
)
def test_a_board_by_what_it_says(known: dict[str, Any], expected: tuple[str, str]) -> None:
    assert board_of(FlashTarget("running", "x", **known)) == expected


def test_a_chip_that_many_boards_have_is_asked_for() -> None:
    with pytest.raises(UsageError) as caught:
        board_of(FlashTarget("bootloader", "usb:1-2", chip="rp2040"))
    assert caught.value.code == "usage.unidentified-maybe"
    assert caught.value.fields["maybe"] == "RPI_PICO, RPI_PICO_W or another"
    assert "--board NAME" in caught.value.hint


def test_several_boards_need_a_name() -> None:
    with pytest.raises(UsageError, match="several boards"):
        firmware(FirmwareWish())


def test_the_program_in_flash_tells_the_board(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ModelBoard(state="bootloader").load(program())
    doors = ModelDoors(made)
    monkeypatch.setattr("upytool.flashers.select.registry.automatic", lambda: doors.flashers)
    usb = UsbDevice(0x2E8A, 3, "1-2")
    target = made.target(usb=usb)
    # the program's `pico_board` is not in the model's binary info: then nobody can tell
    assert on_flash(target) == ""
    seen: list[Any] = []

    def info(loader: Any) -> Any:
        seen.append(loader)
        return type("Info", (), {"board": "pico_w"})()

    monkeypatch.setattr("upytool.flashers.layout.program_info", info)
    assert board_of(target) == ("RPI_PICO_W", "")
    assert seen[0].closed
    assert on_flash(made.target(usb=None)) == "", "a drive alone cannot be read"


def test_a_port_without_a_chip_says_both_that_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(target: FlashTarget, reporter: Any) -> Any:
        raise FlashError("no answer", hint="hold BOOT")

    monkeypatch.setattr("upytool.flashers.esp.probe", silent)
    port = SerialPort("/dev/ttyUSB0", None, 0x1A86, 0x7523)
    with pytest.raises(FlashError, match="no REPL, and no bootloader of an ESP chip") as caught:
        board_of(FlashTarget("unknown", "u0", "", "/dev/ttyUSB0", port))
    assert caught.value.hint == "hold BOOT"


def test_a_makers_tool_gets_its_steps(cli: Cli, board: ModelBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    teensy = FlashTarget("running", "id:1", "1-3", "/dev/ttyACM0", board="TEENSY41", mcu_port="mimxrt")
    monkeypatch.setattr(flashing, "choose", lambda app, ways=None: Flashable(teensy, ModelDoors(board)))
    Path("t41.hex").write_text(":00000001FF\n")
    run = cli("flash", "TEENSY41", "--yes")
    assert run.code == 7
    assert "error: Teensy boards are programmed by another chip" in run.err
    assert "teensy_loader_cli --mcu=TEENSY41 -v -w" in run.err
    assert board.log == []


def test_nobody_waits_in_silence() -> None:
    import threading
    import time

    said = threading.Event()
    quiet: list[Any] = []
    reporter: Any = type("R", (), {"emit": lambda self, event: (quiet.append(event), said.set())})()
    with slowly(reporter, "Looking for boards", 0.02):
        assert said.wait(5)
    assert quiet == [Notice("wait", "Looking for boards ...")]
    with slowly(reporter, "no", 0.2):
        pass
    time.sleep(0.3)
    assert len(quiet) == 1


def test_a_uf2_file_is_never_written_as_bare_bytes(cli: Cli, board: ModelBoard) -> None:
    Path("new.uf2").write_bytes(NEW)
    run = cli("flash", "--at", "0x10000000", "new.uf2", "--yes")
    assert run.code == 2
    assert "new.uf2 is a UF2 file, which says itself where its bytes belong" in run.err
    assert board.log == []


def test_board_names_are_completed() -> None:
    import click

    from upytool.cli.commands.firmware import download
    from upytool.cli.commands.flash import command

    for each, name in ((command, "board"), (download, "board")):
        parameter = next(p for p in each.params if p.name == name)
        found = parameter.shell_complete(click.Context(each), "rpi_pico2")
        assert [item.value for item in found] == ["RPI_PICO2", "RPI_PICO2_W"]
