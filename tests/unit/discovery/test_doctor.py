"""What the doctor finds: recorded systems in a directory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery import udev
from upytool.discovery.doctor import Check, Computer, examine
from upytool.discovery.holders import port_holder, running
from upytool.discovery.ports import SerialPort
from upytool.discovery.usb_devices import UsbDevice
from upytool.flashers import usb_errors

CH340 = UsbDevice(0x1A86, 0x7523, "1-5", product="USB Serial")
BOOTSEL = UsbDevice(0x2E8A, 0x0003, "1-2.3", product="RP2 Boot")


def look(root: Path, *, ports: Any = (), usb: Any = (), **facts: Any) -> dict[str, Check]:
    usual: dict[str, Any] = {
        "platform": "linux", "environ": {}, "holder": lambda port: "", "may": lambda path: True, "libusb": lambda: True,
    }  # fmt: skip
    found = examine(Computer(root=str(root), ports=lambda: list(ports), usb=lambda: list(usb), **(usual | facts)))
    return {check.name: check for check in found}


def process(root: Path, pid: int, name: str) -> None:
    (root / f"proc/{pid}").mkdir(parents=True)
    (root / f"proc/{pid}/comm").write_text(f"{name}\n")


def problems(found: dict[str, Check]) -> list[str]:
    return [check.name for check in found.values() if check.verdict == "problem"]


def test_all_is_well(tmp_path: Path) -> None:
    found = look(tmp_path, ports=[zoo.pico(), zoo.gps()], usb=[BOOTSEL])
    assert problems(found) == []
    assert found["port /dev/ttyACM0"].message == "RP2040/RP2350 board"
    assert "upytool flash" in found["usb 1-2.3"].message
    assert not any("ttyACM3" in name for name in found)  # no board: not our business


def test_nothing_is_plugged_in(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert found["boards"].verdict == "note"
    assert "cable" in found["boards"].remedy


def test_a_port_that_may_not_be_opened(tmp_path: Path) -> None:
    check = look(tmp_path, ports=[zoo.pico()], may=lambda path: False)["port /dev/ttyACM0"]
    assert check.verdict == "problem"
    assert 'ATTRS{idVendor}=="2e8a", ATTRS{idProduct}=="0005"' in check.remedy
    assert "/etc/udev/rules.d/70-upytool.rules" in check.remedy
    assert "udevadm control --reload" in check.remedy


def test_a_boot_loader_that_may_not_be_opened(tmp_path: Path) -> None:
    base = tmp_path / "sys/bus/usb/devices/1-2.3"
    base.mkdir(parents=True)
    (base / "busnum").write_text("1\n")
    (base / "devnum").write_text("42\n")
    asked: list[str] = []

    def may(path: str) -> bool:
        asked.append(path)
        return False

    check = look(tmp_path, usb=[BOOTSEL], may=may)["usb 1-2.3"]
    assert asked == [str(tmp_path / "dev/bus/usb/001/042")]
    assert check.verdict == "problem"
    assert udev.usb_rule(0x2E8A, 3) in check.remedy


def test_one_rule_in_both_rooms() -> None:
    said = str(usb_errors.access_hint(UsbDevice(0x2E8A, 0x0003, "1-2"), "linux")[0])
    for line in udev.install(udev.usb_rule(0x2E8A, 0x0003)).splitlines():
        assert f"  {line}" in said.splitlines()


def test_a_busy_port(tmp_path: Path) -> None:
    check = look(tmp_path, ports=[zoo.pico()], holder=lambda port: "picocom (pid 77)")["port /dev/ttyACM0"]
    assert check.verdict == "problem"
    assert "picocom (pid 77)" in check.message


@pytest.mark.parametrize("by", ["process", "rules"])
def test_brltty_took_a_ch340(tmp_path: Path, by: str) -> None:
    if by == "process":
        process(tmp_path, 812, "brltty")
    else:
        (tmp_path / "usr/lib/udev/rules.d").mkdir(parents=True)
        (tmp_path / "usr/lib/udev/rules.d/85-brltty.rules").write_text("")
    check = look(tmp_path, usb=[CH340])["usb 1-5"]
    assert check.verdict == "problem"
    assert "brltty" in check.message
    assert "apt remove brltty" in check.remedy


def test_brltty_that_took_nothing_is_a_note(tmp_path: Path) -> None:
    process(tmp_path, 812, "brltty")
    found = look(tmp_path, ports=[zoo.ch340()], usb=[CH340])
    assert problems(found) == []
    assert found["brltty"].verdict == "note"
    assert "/dev/ttyUSB1" in found["brltty"].message


def test_modem_manager(tmp_path: Path) -> None:
    process(tmp_path, 900, "ModemManager")
    check = look(tmp_path, ports=[zoo.pico()])["ModemManager"]
    assert check.verdict == "note"
    assert 'ENV{ID_MM_DEVICE_IGNORE}="1"' in check.remedy
    assert '"2e8a"' in check.remedy


def test_a_missing_kernel_module(tmp_path: Path) -> None:
    cp2102 = UsbDevice(0x10C4, 0xEA60, "1-4")
    assert "modprobe cp210x" in look(tmp_path, usb=[cp2102])["usb 1-4"].remedy
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").write_text("usbserial 1 1\ncp210x 40960 0 - Live\n")
    assert "dmesg" in look(tmp_path, usb=[cp2102])["usb 1-4"].remedy


def test_a_native_board_without_its_port(tmp_path: Path) -> None:
    pico = UsbDevice(0x2E8A, 0x0005, "1-2")
    assert "modprobe cdc_acm" in look(tmp_path, usb=[pico])["usb 1-2"].remedy
    assert "usb 1-2" not in look(tmp_path, ports=[zoo.pico()], usb=[pico])


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_missing_drivers_elsewhere(tmp_path: Path, platform: str) -> None:
    check = look(tmp_path, usb=[CH340], platform=platform)["usb 1-5"]
    assert check.verdict == "problem"
    assert "CH341SER" in check.remedy
    assert ("Privacy" in check.remedy) == (platform == "darwin")
    # Locations of ports and devices may differ there: the same id with a port is well.
    other = zoo.ch340("COM7", "9-9")
    assert "usb 1-5" not in look(tmp_path, ports=[other], usb=[CH340], platform=platform)


def test_windows_needs_winusb_for_some(tmp_path: Path) -> None:
    check = look(tmp_path, usb=[BOOTSEL], platform="win32")["usb 1-2.3"]
    assert check.verdict == "note"
    assert "--tool uf2" in check.remedy
    assert look(tmp_path, usb=[UsbDevice(0x2E8A, 0x000F, "1-1")], platform="win32")["usb 1-1"].verdict == "ok"


def test_wsl(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/version").write_text("Linux version 5.15.167.4-microsoft-standard-WSL2 (root@x)")
    check = look(tmp_path)["WSL"]
    assert "usbipd attach --wsl" in check.remedy
    assert look(tmp_path, ports=[zoo.pico()])["WSL"] == Check("WSL", "ok", check.message)


def test_a_container(tmp_path: Path) -> None:
    (tmp_path / ".dockerenv").write_text("")
    assert "--device" in look(tmp_path)["container"].remedy
    assert look(tmp_path, ports=[zoo.pico()])["container"].remedy == ""


def test_snap_and_flatpak(tmp_path: Path) -> None:
    found = look(tmp_path, environ={"SNAP": "/snap/x/1", "SNAP_NAME": "thonny", "FLATPAK_ID": "org.thonny.Thonny"})
    assert "thonny:raw-usb" in found["snap"].remedy
    assert "--device=all org.thonny.Thonny" in found["flatpak"].remedy


def test_no_libusb(tmp_path: Path) -> None:
    assert "libusb-package" in look(tmp_path, libusb=lambda: False)["libusb"].remedy


def test_this_very_computer() -> None:
    """Nothing of it may raise, whatever is plugged in here."""
    assert any(check.name == "libusb" for check in examine())


def test_no_port_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import serial

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("a port was opened")

    monkeypatch.setattr(serial.Serial, "open", forbidden)
    look(tmp_path, ports=[zoo.pico(), zoo.cp2102()], usb=[BOOTSEL, CH340])


# -- holders ---------------------------------------------------------------------------------------


def test_running_programs(tmp_path: Path) -> None:
    process(tmp_path, 5, "bash")
    process(tmp_path, 900, "ModemManager")
    (tmp_path / "proc/901").mkdir()  # it ended meanwhile
    assert running(("ModemManager", "brltty"), str(tmp_path)) == {"ModemManager": 900}
    assert running(("x",), str(tmp_path / "nothing")) == {}


def test_lsof_on_macos() -> None:
    asked: list[Any] = []

    def lsof(arguments: Any) -> bytes:
        asked.append(arguments[-1])
        return b"p501\ncscreen\n" if arguments[-1] == "/dev/tty.usbmodem1" else b""

    assert port_holder("/dev/cu.usbmodem1", "darwin", lsof) == "screen (pid 501)"
    assert asked == ["/dev/cu.usbmodem1", "/dev/tty.usbmodem1"]
    assert port_holder("/dev/cu.usbmodem1", "darwin", lambda _: b"\xff\n\np") == ""
    assert port_holder("COM3", "win32", lsof) == ""


@pytest.mark.skipif(sys.platform != "linux", reason="a pseudo terminal as the port, and /proc")
def test_the_holder_of_a_real_port() -> None:
    import os
    import subprocess

    main, side = os.openpty()
    name = os.ttyname(side)
    child = subprocess.Popen(["sleep", "20"], stdin=side, stdout=subprocess.DEVNULL)
    try:
        os.close(side)
        assert port_holder(name) == f"sleep (pid {child.pid})"
        found = examine(Computer(ports=lambda: [SerialPort(name, vid=0x2E8A, pid=5)], usb=list))
        check = next(check for check in found if check.name == f"port {name}")
        assert "sleep" in check.message
    finally:
        child.kill()
        child.wait(5)
        os.close(main)
