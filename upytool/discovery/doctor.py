"""What stands between this computer and its boards: rights, other programs, missing drivers, virtual machines.

Each check is a value: what was looked at, the verdict, and what fixes it. No port is opened, nothing is changed,
and nothing of a secret is in it. A system that is recorded in a directory is checked like a living one.

Facts: brltty's udev rules claim 1a86:7523 for a braille display (brltty's udev/rules); ModemManager probes every
serial port that no rule takes away from it (freedesktop.org, "port and device filtering"); usbipd-win's README
for WSL2; snapcraft's serial-port and raw-usb interfaces; flatpak-metadata(5) `--device=all`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..transport.open_errors import permission_hint
from .holders import port_holder, running
from .ports import PortLister, SerialPort, list_ports
from .udev import install, no_modem_rule, serial_rule, usb_rule
from .usb_devices import UsbDevice, list_usb_devices
from .usb_ids import classify

Verdict = Literal["ok", "note", "problem"]
BRLTTY_IDS = frozenset(((0x1A86, 0x7523), (0x10C4, 0xEA60), (0x0403, 0x6001)))
_MODULES = {0x1A86: "ch341", 0x10C4: "cp210x", 0x0403: "ftdi_sio", 0x067B: "pl2303"}
_DRIVERS = {
    0x1A86: "WCH's CH341SER or CH343SER",
    0x10C4: "Silicon Labs' CP210x VCP driver",
    0x0403: "FTDI's VCP driver",
    0x067B: "Prolific's PL2303 driver",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes:
        name: what was looked at ("port /dev/ttyACM0").
        verdict: "ok", "note" (worth knowing, stops nothing by itself), or "problem".
        message: what was found, a sentence without a full stop.
        remedy: what fixes it, commands on lines of their own; "" where there is nothing to fix.
    """

    name: str
    verdict: Verdict
    message: str
    remedy: str = ""

    def data(self) -> dict[str, str]:
        return {"name": self.name, "verdict": self.verdict, "message": self.message, "remedy": self.remedy}


def _may(path: str) -> bool:
    return os.access(path, os.R_OK | os.W_OK)


def _has_libusb() -> bool:
    try:
        import libusb_package

        return libusb_package.get_libusb1_backend() is not None
    except Exception:  # a broken installation may raise anything
        return False


@dataclass(frozen=True)
class Computer:
    """What is looked at; a test gives another one.

    Attributes:
        root: where /proc, /dev and /sys are.
        ports, usb: list what is plugged in.
        holder: names the process that has a port open.
        may: whether a path may be opened for reading and writing.
        libusb: whether libusb is there.
    """

    platform: str = sys.platform
    root: str = "/"
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    ports: PortLister = list_ports
    usb: Callable[[], list[UsbDevice]] = list_usb_devices
    holder: Callable[[str], str] = port_holder
    may: Callable[[str], bool] = _may
    libusb: Callable[[], bool] = _has_libusb

    @property
    def linux(self) -> bool:
        return self.platform.startswith("linux")

    def path(self, path: str) -> str:
        return os.path.join(self.root, path.lstrip("/"))

    def text(self, path: str) -> str:
        """The beginning of a file, "" where there is none."""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as file:
                return file.read(4096)
        except OSError:
            return ""


def examine(computer: Computer | None = None) -> list[Check]:
    """Every check of ports, bootloaders, other programs and surroundings."""
    computer = computer or Computer()
    ports, devices = computer.ports(), computer.usb()
    boards = [port for port in ports if port.kind != "foreign"]
    loaders = [device for device in devices if device.bootloader]
    checks: list[Check] = []
    for port in boards:
        checks += _port(port, computer)
    for device in loaders:
        checks.append(_loader(device, computer))
    checks += _without_port(ports, devices, computer)
    if computer.linux:
        checks += _programs(boards, computer)
    checks += _surroundings(bool(boards or loaders), computer)
    if not boards and not loaders and not any(check.verdict == "problem" for check in checks):
        checks.insert(
            0,
            Check(
                "boards",
                "note",
                "no board is plugged in",
                "many USB cables only charge: try another, and another socket of the computer",
            ),
        )
    checks.append(
        Check("libusb", "ok", "libusb is there")
        if computer.libusb()
        else Check(
            "libusb", "problem", "libusb does not load: PICOBOOT and DFU do not work without it",
            "python -m pip install --force-reinstall libusb-package pyusb",
        )
    )  # fmt: skip
    return checks


# -- what is plugged in --------------------------------------------------------------------------


def _port(port: SerialPort, computer: Computer) -> Iterator[Check]:
    name = f"port {port.path}"
    if computer.platform != "win32" and not computer.may(port.path):
        hint = permission_hint(port.path)
        remedy = str(hint)
        if computer.linux and port.vid is not None and port.pid is not None:
            group = "uucp" if hint.fields.get("group") == "uucp" else "dialout"
            rule = install(serial_rule(port.vid, port.pid, group))
            remedy += f"\nor a udev rule for {port.usb_id} alone; then plug the board in again:\n{rule}"
        yield Check(name, "problem", f"permission denied ({port.what})", remedy)
        return
    holder = computer.holder(port.path)
    if holder:
        message = f"it is in use by {holder} ({port.what})"
        yield Check(name, "problem", message, "close it there: a REPL, an IDE, a serial monitor")
        return
    yield Check(name, "ok", port.what)


def _loader(device: UsbDevice, computer: Computer) -> Check:
    usb_id = f"{device.vid:04x}:{device.pid:04x}"
    name = f"usb {device.location}"
    if computer.linux:
        node = _usb_node(device, computer)
        if node and not computer.may(node):
            rule = install(usb_rule(device.vid, device.pid))
            remedy = f"a udev rule allows it; then plug the board in again:\n{rule}"
            return Check(name, "problem", f"permission denied: {device.bootloader} ({usb_id})", remedy)
    if computer.platform == "win32" and (device.vid, device.pid) in ((0x2E8A, 0x0003), (0x0483, 0xDF11)):
        return Check(
            name,
            "note",
            f"{device.bootloader} ({usb_id}) needs the WinUSB driver for PICOBOOT or DFU",
            "Zadig installs it, on the bootloader's interface, never on the one of the drive;\n"
            "a Raspberry Pi chip goes without: `upytool flash --tool uf2`",
        )
    return Check(name, "ok", f"{device.bootloader} ({usb_id}); next: `upytool flash`")


def _usb_node(device: UsbDevice, computer: Computer) -> str:
    """/dev/bus/usb/BUS/DEVICE of a device, "" where sysfs does not tell."""
    base = f"sys/bus/usb/devices/{device.location}"
    bus, number = computer.text(f"{base}/busnum").strip(), computer.text(f"{base}/devnum").strip()
    if not (bus.isdecimal() and number.isdecimal()):
        return ""
    return computer.path(f"dev/bus/usb/{int(bus):03d}/{int(number):03d}")


def _without_port(ports: Sequence[SerialPort], devices: Sequence[UsbDevice], computer: Computer) -> Iterator[Check]:
    """Devices that should have a serial port and have none: a driver is missing, or somebody took it away."""
    places = {port.hub_port for port in ports}
    ids = {(port.vid, port.pid) for port in ports}
    for device in devices:
        if device.bootloader:
            continue
        likely = classify(device.vid, device.pid, None, device.product or "?")
        if likely.kind not in ("bridge", "micropython") or device.location in places:
            continue
        if not computer.linux and (device.vid, device.pid) in ids:
            continue  # elsewhere the places of ports and devices may be written differently
        usb_id = f"{device.vid:04x}:{device.pid:04x}"
        name = f"usb {device.location}"
        what = f"{likely.what} ({usb_id}) has no serial port"
        if computer.linux:
            yield _no_port_on_linux(device, name, what, computer)
            continue
        driver = _DRIVERS.get(device.vid, "")
        remedy = f"install {driver}, then plug the board in again" if driver else "plug it in again, or reset the board"
        if computer.platform == "darwin" and driver:
            remedy += "\nmacOS asks for consent in System Settings, Privacy & Security"
        yield Check(name, "problem", what, remedy)


def _no_port_on_linux(device: UsbDevice, name: str, what: str, computer: Computer) -> Check:
    if (device.vid, device.pid) in BRLTTY_IDS and (running(("brltty",), computer.root) or _has_brltty_rules(computer)):
        return Check(
            name, "problem", f"{what}: brltty took it for a braille display",
            "unless it is needed: sudo apt remove brltty\nthen plug the board in again",
        )  # fmt: skip
    module = _MODULES.get(device.vid, "cdc_acm")
    if f"\n{module} " in "\n" + computer.text("proc/modules"):
        return Check(name, "problem", what, "plug it in again; `sudo dmesg | tail` shows what the kernel says")
    return Check(
        name, "problem", f"{what}: is its driver loaded?",
        f"sudo modprobe {module}\n(a container or a small system may lack it)",
    )  # fmt: skip


def _has_brltty_rules(computer: Computer) -> bool:
    for folder in ("usr/lib/udev/rules.d", "lib/udev/rules.d", "etc/udev/rules.d"):
        try:
            names = os.listdir(computer.path(folder))
        except OSError:
            continue
        if any("brltty" in name for name in names):
            return True
    return False


# -- other programs ------------------------------------------------------------------------------


def _programs(boards: Sequence[SerialPort], computer: Computer) -> Iterator[Check]:
    found = running(("brltty", "ModemManager"), computer.root)
    usb = [port for port in boards if port.vid is not None and port.pid is not None]
    if "brltty" in found:
        mine = [port for port in usb if (port.vid, port.pid) in BRLTTY_IDS]
        where = ", ".join(port.path for port in mine) or "CH340 and CP210x bridges"
        yield Check(
            "brltty", "note",
            f"brltty runs (pid {found['brltty']}) and may take {where} for a braille display",
            "unless it is needed: sudo apt remove brltty",
        )  # fmt: skip
    if "ModemManager" in found:
        rules = [no_modem_rule(port.vid or 0, port.pid or 0) for port in usb[:1]]
        remedy = "it lets go of a fresh port after some seconds"
        if rules:
            remedy += "; to keep it away from this board:\n" + install(rules[0])
        yield Check(
            "ModemManager", "note",
            f"ModemManager runs (pid {found['ModemManager']}) and asks fresh serial ports whether they are modems",
            remedy,
        )  # fmt: skip


# -- where we run --------------------------------------------------------------------------------


def _surroundings(something: bool, computer: Computer) -> Iterator[Check]:
    environ = computer.environ
    if computer.linux and "microsoft" in computer.text("proc/version").lower():
        yield Check(
            "WSL",
            "ok" if something else "note",
            "this is WSL: it sees only the USB devices that Windows hands to it",
            ""
            if something
            else "in an administrator's PowerShell (winget install usbipd):\nusbipd list\n"
            "usbipd bind --busid BUSID\nusbipd attach --wsl --busid BUSID --auto-attach\n"
            "--auto-attach also brings the board back when it changes into its bootloader",
        )
    for marker in (".dockerenv", "run/.containerenv"):
        if computer.linux and os.path.exists(computer.path(marker)):
            yield Check(
                "container",
                "ok" if something else "note",
                "this is a container: it sees only the devices that were passed to it",
                ""
                if something
                else "docker run --device /dev/ttyACM0 ...\nfor flashing also: -v /dev/bus/usb:/dev/bus/usb "
                "--device-cgroup-rule 'c 189:* rmw'",
            )
            break
    if environ.get("SNAP"):
        snap = environ.get("SNAP_NAME") or "SNAP"
        yield Check(
            "snap", "ok" if something else "note", "this Python runs inside of a snap, which hides USB devices",
            "" if something else f"sudo snap connect {snap}:raw-usb\nsudo snap connect {snap}:serial-port",
        )  # fmt: skip
    if environ.get("FLATPAK_ID") or (computer.linux and os.path.exists(computer.path(".flatpak-info"))):
        app = environ.get("FLATPAK_ID") or "APP"
        yield Check(
            "flatpak", "ok" if something else "note", "this Python runs inside of a flatpak, which hides USB devices",
            "" if something else f"flatpak override --user --device=all {app}",
        )  # fmt: skip
