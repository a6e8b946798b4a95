"""`upytool bootloader` and `upytool reset` of a board in its bootloader."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from tests.unit.flashers.drives import ModelDrive
from upytool.api.bootloader import what_waits
from upytool.api.flash_target import Flashable
from upytool.cli import flashing
from upytool.cli.commands import reset
from upytool.discovery import ports
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import RawReplError
from upytool.flashers import select
from upytool.flashers.base import Chip, FlashTarget
from upytool.flashers.doors import Doors
from upytool.flashers.probe import Surroundings

from .conftest import BoardCli, Cli


class Bus:
    """A MODEL of a USB bus."""

    name = ""

    def __init__(self, *devices: UsbDevice) -> None:
        self.found = list(devices)

    def devices(self) -> list[UsbDevice]:
        return self.found

    def interfaces(self, device: UsbDevice) -> list[Any]:
        return []


def plug(monkeypatch: pytest.MonkeyPatch, *devices: UsbDevice, drives: tuple[ModelDrive, ...] = ()) -> Bus:
    bus = Bus(*devices)
    found = Surroundings(ports=list, buses=lambda: [bus], volumes=lambda: list(drives))  # type: ignore[list-item]
    monkeypatch.setattr(flashing, "doors", lambda app, **_: Doors(found, patience=0))
    monkeypatch.setattr(ports, "list_ports", list)
    return bus


BOOTSEL = UsbDevice(0x2E8A, 0x0003, "1-2", "", "RP2 Boot")


def test_a_board_that_is_there_already(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, BOOTSEL)
    run = cli("bootloader")
    assert run.code == 0
    assert "already: RP2040 in BOOTSEL mode at 1-2; next: `upytool flash`" in run.err
    result = json.loads(cli("bootloader", "--json").out)["result"]
    assert (result["what"], result["location"], result["chip"]) == ("RP2040 in BOOTSEL mode", "1-2", "rp2040")


def test_a_drive_alone(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch, drives=(ModelDrive("samd51"),))
    assert "ItsyBitsy M4 Express (UF2 Bootloader v3.15.0) at 1-2" in cli("bootloader").err


def test_a_board_that_nothing_can_be_sent_to_is_a_failure(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(address: str, baud: int) -> Any:
        raise RawReplError("no prompt")

    found = Surroundings(ports=list, buses=list, volumes=list, connect=connect)
    monkeypatch.setattr(flashing, "doors", lambda app, **_: Doors(found, patience=0))
    run = cli("-v", "-d", "/dev/silent", "bootloader", "--no-wait")
    assert run.code == 7
    assert "[flash.cannot-enter]" in run.err
    assert "by hand" in run.err


def test_nothing_is_plugged_in(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch)
    run = cli("bootloader")
    assert run.code == 3
    assert "BOOTSEL" in run.err


def test_a_board_that_is_not_on_our_usb_is_only_sent_there(board: BoardCli) -> None:
    """A real MicroPython at a pseudo terminal: its machine.bootloader() restarts it."""
    board.ok("exec", "x = 1")
    run = board("bootloader")
    assert run.code == 0, run.err
    assert "on its way into the bootloader" in run.err
    assert board.ok("resume", "exec", "print('x' in globals())") == "False\n"


@pytest.mark.parametrize("words", [("bootloader",), ("bootloader", "--no-wait")])
def test_in_a_chain(board: BoardCli, words: tuple[str, ...]) -> None:
    assert board("exec", "x = 2", "+", *words).code == 0
    assert board.ok("resume", "exec", "print('x' in globals())") == "False\n"


def test_espressifs_chips_stay_in_their_rom(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []

    class Loader:
        """A MODEL of an open ROM loader."""

        chip = Chip("esp32s3", "ESP32-S3 (revision v0.2)")

        def leave(self, mode: str) -> None:
            left.append(mode)

    class Flasher:
        name = "esptool"

        def declines(self, target: FlashTarget, image: object) -> str:
            return ""

        def open(self, *_: object, **__: object) -> Loader:
            return Loader()

    port = zoo.cp2102()
    target = FlashTarget("unknown", port.selector, port.hub_port, port.path, port)
    plug(monkeypatch)
    monkeypatch.setattr(flashing, "choose", lambda app, ways: Flashable(target, ways))
    monkeypatch.setattr("upytool.flashers.registry.load", lambda name: Flasher())
    run = cli("bootloader")
    assert run.code == 0, run.err
    assert "ESP32-S3 (revision v0.2) in its ROM loader at 1-4" in run.err
    assert left == ["bootloader"]


def test_words_for_what_waits() -> None:
    port = zoo.port("/dev/ttyACM0", "303a:0009", location="1-2")
    assert "ROM loader" in what_waits(FlashTarget("bootloader", "x", port=port))
    assert what_waits(FlashTarget("bootloader", "x", board="PYBV11")) == "PYBV11 in its bootloader"


# -- reset -----------------------------------------------------------------------------------------


def test_reset_out_of_the_boot_loader(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []

    class Flasher:
        name = "model"

        def declines(self, target: FlashTarget, image: object) -> str:
            return ""

        def open(self, target: FlashTarget, *_: object, **__: object) -> Any:
            assert target.usb == BOOTSEL

            class Loader:
                def leave(self, mode: str) -> None:
                    left.append(mode)

            return Loader()

    plug(monkeypatch, BOOTSEL)
    monkeypatch.setattr(select, "candidates", lambda *_, **__: [Flasher()])
    run = cli("reset")
    assert run.code == 0, run.err
    assert left == ["run"]
    assert "left its bootloader" in run.err


def test_reset_of_no_board_stays_the_same_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    plug(monkeypatch)
    assert cli("reset").code == 3


def test_reset_of_a_silent_board_is_no_matter_of_boot_loaders(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second board in its bootloader must not be restarted in place of one that does not answer."""
    plug(monkeypatch, replace(BOOTSEL, location="1-9"))
    app: Any = None  # never asked
    assert reset._out_of_boot_loader(app, RawReplError("no prompt")) is False
