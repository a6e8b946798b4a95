"""Boards that only their maker's tool can program: the exact steps, printed and never pretended.

Sources: deploy*.md of MicroPython's ports and boards, docs/psoc-edge/installation, ports/cc3200/README.md,
ports/nrf/README.md and Makefile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import FlashError
from .base import FlashTarget


@dataclass(frozen=True, slots=True)
class Do:
    """Something to do, in words."""

    words: str


@dataclass(frozen=True, slots=True)
class Run:
    """A command to type, a whole line; it belongs to the `Do` before it."""

    line: str


@dataclass(frozen=True, slots=True)
class VendorSteps:
    """What to do by hand.

    Attributes:
        title: why upytool does not do it, without a full stop.
        steps: what to do, in order.
        note: what is lost or needs care, "".
    """

    title: str
    steps: tuple[Do | Run, ...]
    note: str = ""

    def text(self) -> list[str]:
        """Lines for a person: the title, the steps with the numbers of those in words, the note."""
        number = 0
        lines = [self.title]
        for step in self.steps:
            if isinstance(step, Run):
                lines.append(f"     {step.line}")
            else:
                number += 1
                lines.append(f"  {number}. {step.words}")
        return [*lines, f"  {self.note}"] if self.note else lines


_RA_DEVICES = {
    "EK_RA4M1": "R7FA4M1AB",
    "EK_RA4W1": "R7FA4W1AD2CNG",
    "EK_RA6M1": "R7FA6M1AD",
    "EK_RA6M2": "R7FA6M2AF",
    "RA4M1_CLICKER": "R7FA4M1AB",
}
_RT_BOOT = {
    "OLIMEX_RT1010": "hold BOOT, press RESET, and let go of both",
    "SEEED_ARCH_MIX": "connect RX (J3-19) to 3V3, and set the switches 3 and 4 of SW1 from 1-0 to 0-1",
}
_NRFUTIL = frozenset(("PCA10059", "NRF52840_MDK_USB_DONGLE"))


def vendor_steps(target: FlashTarget, image_path: str = "") -> VendorSteps | None:
    """The steps for a board that upytool cannot program by itself, None for every other.

    Args:
        target: what is known of the board: its name, port and chip.
        image_path: the firmware file, as it is to stand in the commands.
    """
    board, port = target.board.upper(), target.mcu_port
    serial = target.address or "PORT"

    def file(kind: str) -> str:
        return _quoted(image_path) if image_path else f"{board or 'FIRMWARE'}.{kind}"

    if board in ("TEENSY40", "TEENSY41"):
        return VendorSteps(
            "Teensy boards are programmed by another chip on them, which PJRC's loader talks to",
            (
                Do("install teensy_loader_cli (or the Teensy Loader with windows) from PJRC"),
                Do("press the button on the board"),
                Run(f"teensy_loader_cli --mcu={board} -v -w {file('hex')}"),
            ),
            "The bootloader erases the board's files. From loader 1.07 on the first try may fail: try again.",
        )
    if port == "renesas-ra" and board != "ARDUINO_PORTENTA_C33":
        device = _RA_DEVICES.get(board, "the chip's part number")
        return VendorSteps(
            "Renesas RA boards are programmed through their J-Link",
            (
                Do("install SEGGER's J-Link software, and connect the board's debug USB"),
                Do(f"start J-Flash Lite, choose the device {device}, press OK"),
                Do(f"choose {file('hex')} as the data file, and press Program Device"),
            ),
        )
    if port == "alif":
        return VendorSteps(
            "Alif's chips are programmed through their secure enclave's UART, by Alif's toolkit",
            (
                Run("git clone https://github.com/micropython/alif-security-toolkit"),
                Do(f"unpack {file('zip')}, and set the board to its SE UART"),
                Run(
                    f"python alif-security-toolkit/toolkit/app-write-mram.py --port {serial} "
                    "--cfg-part AE722F80F55D5LS --cfg-rev B4 --pad --images file:application_package.ds"
                ),
            ),
            "Part and revision are those of the Ensemble kit: give your board's own.",
        )
    if port == "psoc-edge":
        return VendorSteps(
            "PSOC Edge boards are programmed by OpenOCD through their KitProg3, with the port's own script",
            (
                Do("take ports/psoc-edge/tools/mp-ifx-flash.py from MicroPython's sources"),
                Run("pip install requests"),
                Run(
                    f"python mp-ifx-flash.py from-package --board {board or 'KIT_PSE84_AI'} --zip-package {file('zip')}"
                ),
            ),
        )
    if port == "cc3200":
        return VendorSteps(
            "the CC3200 takes new firmware over its FTP server",
            (
                Do(f"unpack mcuimg.bin out of {file('zip')}"),
                Do(
                    "join the board's Wi-Fi, and connect an FTP client (plain FTP, one connection) to 192.168.1.1 "
                    "(micro, python unless you changed it)"
                ),
                Do("copy mcuimg.bin to /flash/sys, and wait six seconds"),
                Do("reset the board"),
            ),
        )
    if board in _RT_BOOT:
        return VendorSteps(
            "this board comes without a bootloader that upytool can talk to: it gets a UF2 bootloader once",
            (
                Do("get NXP's sdphost, and TinyUF2 for this board, from the releases of adafruit/tinyuf2"),
                Do(f"bring the chip into its own loader: {_RT_BOOT[board]}"),
                Do("write TinyUF2 with sdphost, as the board's page on micropython.org shows"),
                Do("reset the board; from then on `upytool flash` does the rest with the .uf2 file"),
            ),
        )
    if board == "ARDUINO_NANO_33_BLE_SENSE":
        return VendorSteps(
            "the Nano 33 BLE is programmed by Arduino's bossac",
            (
                Do('bring its bootloader up to date first (Arduino: "OpenMV on Nano 33 BLE"): an old one is lost'),
                Do("press its reset button twice, quickly"),
                Run(f"bossac -e -w --offset=0x16000 --port={serial.rpartition('/')[2]} -i -d -U -R {file('bin')}"),
            ),
        )
    if port == "nrf" and board in _NRFUTIL:
        return VendorSteps(
            "its bootloader speaks Nordic's serial DFU",
            (
                Run("pip install nrfutil"),
                Do("bring it into its bootloader: press its reset button"),
                Run(
                    f"nrfutil pkg generate --hw-version 52 --sd-req 0x00 --application-version 1 "
                    f"--application {file('hex')} firmware.zip"
                ),
                Run(f"nrfutil dfu usb-serial -pkg firmware.zip -p {serial} -t 0"),
            ),
            "A firmware with Bluetooth (S140) needs --sd-req 0xB6, and its SoftDevice on the chip.",
        )
    if port == "nrf" and board.startswith("PCA10"):
        family = "nrf51" if board.startswith("PCA1000") or board == "PCA10028" else "nrf52"
        return VendorSteps(
            "Nordic's kits are programmed through their J-Link",
            (
                Do("install nRF Command Line Tools"),
                Run(f"nrfjprog --program {file('hex')} --sectorerase --verify --reset -f {family}"),
            ),
            "A firmware with Bluetooth needs its SoftDevice on the chip as well.",
        )
    return None


def require_ours(target: FlashTarget, image_path: str = "") -> None:
    """Refuse a board that only its maker's tool can program; the hint has that tool's steps.

    Raises: FlashError.
    """
    steps = vendor_steps(target, image_path)
    if steps is not None:
        raise FlashError("flash.vendor-tool", reason=steps.title, hint=steps.text()[1:])


def _quoted(path: str) -> str:
    return f'"{path}"' if re.search(r"[^\w./\\:~+-]", path) else path
