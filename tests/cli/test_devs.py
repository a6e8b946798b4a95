"""`devs`, `devices`, `ports` and `connect list`."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery import ports, usb_devices
from upytool.discovery.ports import SerialPort
from upytool.discovery.usb_devices import UsbDevice

from .conftest import Cli

ZOO: list[SerialPort] = [zoo.pico(), zoo.cp2102(), zoo.gps(), zoo.builtin()]


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch) -> None:
    """A MODEL of what is plugged in."""
    monkeypatch.setattr(ports, "list_ports", lambda: list(ZOO))
    monkeypatch.setattr(
        usb_devices, "boards_in_bootloader", lambda: [UsbDevice(0x2E8A, 0x000F, "1-9", "", "RP2350 Boot")]
    )


MPREMOTE = """\
/dev/ttyACM0 e6605838834f2a30 2e8a:0005 MicroPython Board in FS mode
/dev/ttyUSB0 0001 10c4:ea60 Silicon Labs CP2102 USB to UART Bridge Controller
/dev/ttyACM3 None 1546:01a8 u-blox AG u-blox GNSS receiver
/dev/ttyS0 None 0000:0000 None None
"""


@pytest.mark.parametrize("words", [("devs",), ("connect", "list")])
def test_a_script_for_mpremote_gets_its_lines(cli: Cli, words: tuple[str, ...]) -> None:
    assert cli(*words).out == MPREMOTE


def test_mpremote_prints_the_same(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The real mpremote, on the same model of pyserial."""
    commands = pytest.importorskip("mpremote.commands")
    import argparse
    from types import SimpleNamespace

    import serial.tools.list_ports

    class Info(SimpleNamespace):
        def __lt__(self, other: Info) -> bool:
            return False

    infos = [
        Info(
            device=port.path,
            serial_number=port.serial_number,
            vid=port.vid,
            pid=port.pid,
            manufacturer=port.manufacturer,
            product=port.product,
        )
        for port in ZOO
    ]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: infos)
    state = SimpleNamespace(transport=None, did_action=lambda: None)
    commands.do_connect(state, argparse.Namespace(device=["list"]))
    assert capsys.readouterr().out == MPREMOTE


def test_the_table_for_programs(cli: Cli) -> None:
    lines = [line.split("\t") for line in cli("devices").out.splitlines()]
    assert lines == [
        ["/dev/ttyACM0", "id:e6605838834f2a30", "micropython", "RP2040/RP2350 board", "2e8a:0005"],
        ["/dev/ttyUSB0", "usb:1-4", "bridge", "CP210x", "10c4:ea60"],
        ["usb 1-9", "", "bootloader", "RP2350 in BOOTSEL mode", "2e8a:000f"],
    ]


def test_all_ports(cli: Cli) -> None:
    assert "/dev/ttyS0" in cli("devices", "--all").out
    assert "/dev/ttyACM3" in cli("ports", "-a").out


def test_json(cli: Cli) -> None:
    result = json.loads(cli("devs", "--json").out)["result"]
    assert [port["path"] for port in result["ports"]] == ["/dev/ttyACM0", "/dev/ttyUSB0"]
    assert result["ports"][0]["kind"] == "micropython"
    assert result["bootloaders"] == [{"location": "1-9", "usb_id": "2e8a:000f", "what": "RP2350 in BOOTSEL mode"}]
    assert result["simulated"] == []
    listed = json.loads(cli("connect", "list", "--json").out)["result"]
    assert len(listed) == 4


def test_an_alias_is_shown(cli: Cli) -> None:
    assert cli("config", "set", "devices.kitchen", "id:e6605838834f2a30").code == 0
    assert cli("devices").out.splitlines()[0].split("\t")[1] == "kitchen"


def test_nothing_is_plugged_in(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "list_ports", list)
    monkeypatch.setattr(usb_devices, "boards_in_bootloader", list)
    run = cli("devices")
    assert (run.code, run.out) == (0, "")
    assert "sim start" in run.err


def test_listing_does_not_end_in_a_repl(cli: Cli) -> None:
    assert cli("connect", "list").code == 0


def test_boards_on_the_network(cli: Cli, monkeypatch: pytest.MonkeyPatch, clean_environment: Path) -> None:
    from upytool.discovery import air

    asked: list[str] = []

    def find(hosts: Iterable[str]) -> list[air.AirBoard]:
        asked.extend(hosts)
        return [
            air.AirBoard("10.0.0.7", 8266, "kitchen", ""),
            air.AirBoard("10.0.0.8", 80, "", "_webrepl._tcp"),
        ]

    monkeypatch.setattr(air, "find_boards", find)
    file = clean_environment / "config" / "config.toml"
    file.parent.mkdir()
    file.write_text('[devices]\ncook = "ws://kitchen.local"\nbad = "ws://:x@h"\nusb = "id:1"\n', encoding="utf-8")
    found = json.loads(cli("devs", "--air", "--json").out)["result"]["air"]
    assert asked == ["kitchen.local"]
    assert [(each["selector"], each["host"], each["service"], each["alias"]) for each in found] == [
        ("ws://10.0.0.7", "kitchen.local", None, "cook"),
        ("ws://10.0.0.8:80", None, "_webrepl._tcp", None),
    ]
    lines = [line.split("\t") for line in cli("devs", "--air").out.splitlines()]
    assert ["kitchen.local", "cook", "network"] in [line[:3] for line in lines]
    assert ["10.0.0.8", "ws://10.0.0.8:80", "network"] in [line[:3] for line in lines]


def test_no_board_on_the_network(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from upytool.discovery import air

    monkeypatch.setattr(air, "find_boards", lambda hosts: [])
    assert json.loads(cli("devs", "--air", "--json").out)["result"]["air"] == []
