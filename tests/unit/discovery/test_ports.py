"""Listing, sorting, recognising."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import serial.tools.list_ports

from tests.fakes import usb_zoo as zoo
from upytool.discovery.ports import SerialPort, devices, find_path, list_ports, natural
from upytool.discovery.usb_devices import UsbDevice, list_usb_devices


def _info(device: str, **facts: Any) -> SimpleNamespace:
    blank = dict.fromkeys(
        ("serial_number", "vid", "pid", "manufacturer", "product", "location", "description", "interface")
    )
    return SimpleNamespace(device=device, **{**blank, **facts})


def test_what_pyserial_says_becomes_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    infos = [
        _info("/dev/ttyACM10", vid=0x2E8A, pid=5, serial_number="e6", product="Board in FS mode"),
        _info("/dev/ttyACM9", vid=0xF055, pid=0x9800, manufacturer="Microsoft", description="n/a"),
        _info("/dev/ttyS0"),
    ]
    monkeypatch.setattr(serial.tools.list_ports, "comports", lambda: infos)
    found = list_ports()
    assert [port.path for port in found] == ["/dev/ttyACM9", "/dev/ttyACM10", "/dev/ttyS0"]
    assert found[0].manufacturer is None
    assert found[0].description is None
    assert found[1].usb_id == "2e8a:0005"
    assert found[1].kind == "micropython"
    assert (found[2].vid, found[2].usb_id, found[2].kind) == (None, "", "foreign")


def test_the_real_list_opens_nothing_and_is_quick() -> None:
    start = time.process_time()
    found = list_ports()
    assert time.process_time() - start < 1.0
    assert all(isinstance(port, SerialPort) for port in found)
    assert found == sorted(found, key=lambda port: natural(port.path))


def test_importing_the_listing_does_not_import_pyserial() -> None:
    code = "import sys, upytool.discovery.ports, upytool.discovery.selector; print('serial' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"


def test_a_port_is_a_frozen_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        zoo.pico().path = "x"  # type: ignore[misc]
    assert zoo.pico() == zoo.pico()
    assert len({zoo.pico(), zoo.pico()}) == 1


@pytest.mark.parametrize(
    ("port", "selector", "key"),
    [
        (zoo.pico(), "id:e6605838834f2a30", "2e8a:0005:e6605838834f2a30"),
        (zoo.cp2102(), "usb:1-4", "10c4:ea60@1-4"),
        (zoo.cp2102(serial="ABC77"), "id:ABC77", "10c4:ea60:ABC77"),
        (zoo.ch340(), "usb:1-5", "1a86:7523@1-5"),
        (zoo.port("COM7", "1a86:7523"), "COM7", "1a86:7523@"),
        (zoo.builtin(), "/dev/ttyS0", ""),
    ],
)
def test_selectors_and_keys(port: SerialPort, selector: str, key: str) -> None:
    assert port.selector == selector
    assert port.key == key


def test_the_same_device_under_another_name() -> None:
    before = zoo.pico()
    assert before.same_device(zoo.pico("/dev/ttyACM7", place="2-1"))
    assert before.same_device(zoo.port("/dev/ttyACM5", "2e8a:0003", location="1-2:1.0"))
    assert not before.same_device(zoo.pico("/dev/ttyACM0", serial="e6ffff", place="1-9"))
    assert not zoo.cp2102().same_device(zoo.cp2102("/dev/ttyUSB3", place="1-9"))
    assert zoo.builtin().same_device(zoo.builtin())
    assert not zoo.builtin().same_device(zoo.builtin("/dev/ttyS1"))


def test_a_path_finds_its_port_through_a_link_and_by_the_name_of_macos(tmp_path: Path) -> None:
    target = tmp_path / "ttyACM0"
    target.touch()
    link = tmp_path / "usb-MicroPython_Board"
    link.symlink_to(target)
    port = zoo.port(os.path.realpath(target))
    assert find_path(str(link), [zoo.builtin(), port]) is port
    mac = zoo.port("/dev/cu.usbmodem1101")
    assert find_path("/dev/tty.usbmodem1101", [mac]) is mac
    assert find_path("/dev/ttyACM0", [mac]) is None


def test_a_board_with_two_ports_is_one_device_and_its_first_port_counts() -> None:
    second = dataclasses.replace(zoo.pico("/dev/ttyACM0"), location="1-2:1.2")
    first = dataclasses.replace(zoo.pico("/dev/ttyACM1"), location="1-2:1.0")
    assert devices([second, first]) == [first]


def test_each_port_of_a_double_bridge_is_a_device() -> None:
    ports = [zoo.port(f"/dev/ttyUSB{n}", "0403:6010", location=f"1-2:1.{n}") for n in (0, 1)]
    assert devices(ports) == ports


def test_usb_devices_from_a_model_of_sysfs(tmp_path: Path) -> None:
    for name, files in {
        "1-2": {"idVendor": "2e8a", "idProduct": "0003", "product": "RP2 Boot", "serial": "E0C9"},
        "1-2:1.0": {"bInterfaceClass": "08"},
        "usb1": {"idVendor": "1d6b", "idProduct": "0002"},
    }.items():
        (tmp_path / name).mkdir()
        for file, text in files.items():
            (tmp_path / name / file).write_text(text + "\n")
    found = list_usb_devices(str(tmp_path), platform="linux")
    assert found == [
        UsbDevice(0x2E8A, 0x0003, "1-2", "E0C9", "RP2 Boot"),
        UsbDevice(0x1D6B, 0x0002, "usb1"),
    ]
    assert [device.bootloader for device in found] == ["RP2040 in BOOTSEL mode", ""]
    assert list_usb_devices(str(tmp_path / "none"), platform="linux") == []


def test_usb_devices_elsewhere_never_raise() -> None:
    assert isinstance(list_usb_devices(platform="darwin"), list)
