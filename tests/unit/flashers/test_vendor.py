"""Steps for the makers' tools, and DAPLink drives (a MODEL of a probe: it mounts anew, with FAIL.TXT or without)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from upytool.errors import FlashError, ImageError, LocalFileError
from upytool.flashers.base import FlashOptions, FlashTarget
from upytool.flashers.bootloader import plan_way_in
from upytool.flashers.daplink import REMOUNT, DaplinkFlasher
from upytool.flashers.uf2_drive import DriveInfo, Volume
from upytool.flashers.vendor import vendor_steps
from upytool.image.base import FirmwareImage
from upytool.image.intel_hex import write_hex
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2


def target(board: str = "", port: str = "", **facts: Any) -> FlashTarget:
    return FlashTarget("running", "a0", board=board, mcu_port=port, **facts)


@pytest.mark.parametrize(
    ("board", "port", "words"),
    [
        ("TEENSY41", "mimxrt", "teensy_loader_cli --mcu=TEENSY41 -v -w"),
        ("EK_RA6M2", "renesas-ra", "R7FA6M2AF"),
        ("VK_RA6M5", "renesas-ra", "part number"),
        ("ALIF_ENSEMBLE", "alif", "app-write-mram.py --port /dev/ttyACM0"),
        ("KIT_PSE84_AI", "psoc-edge", "mp-ifx-flash.py from-package --board KIT_PSE84_AI"),
        ("WIPY", "cc3200", "/flash/sys"),
        ("OLIMEX_RT1010", "mimxrt", "sdphost"),
        ("ARDUINO_NANO_33_BLE_SENSE", "nrf", "--offset=0x16000 --port=ttyACM0"),
        ("PCA10059", "nrf", "nrfutil dfu usb-serial"),
        ("PCA10040", "nrf", "-f nrf52"),
        ("PCA10028", "nrf", "-f nrf51"),
    ],
)
def test_steps(board: str, port: str, words: str) -> None:
    steps = vendor_steps(target(board, port, address="/dev/ttyACM0"), "my firmware.hex")
    assert steps is not None
    text = "\n".join(steps.text())
    assert words in text
    assert '"my firmware.hex"' in text or port == "mimxrt"
    assert text.splitlines()[1].lstrip().startswith("1. ") or "     " in text.splitlines()[1]


@pytest.mark.parametrize(
    ("board", "port"),
    [
        ("RPI_PICO", "rp2"),
        ("PYBV11", "stm32"),
        ("ARDUINO_PORTENTA_C33", "renesas-ra"),
        ("SEEED_XIAO_NRF52", "nrf"),
        ("MIMXRT1060_EVK", "mimxrt"),
        ("", ""),
    ],
)
def test_the_others_are_ours(board: str, port: str) -> None:
    assert vendor_steps(target(board, port)) is None


# -- DAPLink ---------------------------------------------------------------------------------------

DETAILS = "Unique ID: 0226{serial}\r\nAuto Reset: {reset}\r\nInterface Version: 0254\r\nRemount count: {count}\r\n"
IMAGE = FirmwareImage.read(write_hex(Memory.of([(0x60000000, bytes(range(256)) * 16)])), name="firmware.hex")


class Drive:
    """One mount of the probe's drive."""

    label, location, has_current = "DAPLINK", "1-5", False

    def __init__(self, probe: Probe, fail: str = "") -> None:
        self.probe, self.fail, self.path = probe, fail, "/media/DAPLINK"
        text = DETAILS.format(serial=probe.serial, reset=probe.reset, count=probe.count)
        self.info = DriveInfo("daplink", "DAPLink 0254", text=text)
        self.there = True

    def send(self, name: str, data: bytes, advance: Callable[[int], None]) -> int:
        advance(len(data))
        return self.probe.program(name, data)

    def read(self, name: str, limit: int) -> bytes:
        if name == "FAIL.TXT" and self.fail:
            return self.fail.encode()
        raise LocalFileError(f"no {name}")

    def present(self) -> bool:
        return self.there


class Probe:
    """A MODEL of a DAPLink probe and of the time it takes."""

    def __init__(self, *, fail: str = "", dead: bool = False, vanishes: bool = True, reset: str = "0") -> None:
        self.fail, self.dead, self.vanishes, self.reset = fail, dead, vanishes, reset
        self.serial, self.count, self.now = "0000411", 3, 0.0
        self.got: list[tuple[str, bytes]] = []
        self.drive: Drive | None = Drive(self)
        self.back_at = 0.0
        self.said: list[str] = []

    def program(self, name: str, data: bytes) -> int:
        self.got.append((name, data))
        if self.dead:
            return len(data)
        self.back_at = self.now + 7.0
        if self.vanishes and self.drive is not None:
            self.drive.there = False
            self.drive = None
        return len(data)

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.back_at and self.now >= self.back_at:
            self.back_at, self.count = 0.0, self.count + 1
            self.drive = Drive(self, self.fail)

    def volumes(self) -> list[Volume]:
        return [self.drive] if self.drive is not None else []

    def emit(self, event: Any) -> None:
        self.said.append(getattr(event, "message", ""))

    def program_image(self, image: FirmwareImage = IMAGE) -> Any:
        flasher = DaplinkFlasher(self.volumes, clock=lambda: self.now, sleep=self.sleep)
        evk = target("MIMXRT1060_EVK", "mimxrt", volume=self.drive)
        assert plan_way_in(evk).kind == "here"
        with_loader = flasher.open(evk, FlashOptions())
        return with_loader.program(image, FlashOptions(), reporter=self)


@pytest.mark.parametrize("vanishes", [True, False])
def test_the_drive_mounts_anew_and_all_is_well(vanishes: bool) -> None:
    probe = Probe(vanishes=vanishes)
    assert probe.program_image().written == IMAGE.size
    assert probe.got == [("FIRMWARE.HEX", IMAGE.raw)]
    assert any("reset button" in text for text in probe.said)
    assert probe.now >= 7.0


def test_a_probe_that_resets_asks_for_nothing() -> None:
    probe = Probe(reset="1")
    probe.program_image()
    assert not any("reset button" in text for text in probe.said)


def test_what_fail_txt_says_is_shown() -> None:
    probe = Probe(fail="error: The transfer timed out.\r\ntype: transient, user\r\n")
    with pytest.raises(FlashError, match=r"The transfer timed out\. type: transient") as caught:
        probe.program_image()
    assert caught.value.state.code == "flash.state.perhaps-incomplete"


def test_a_drive_that_does_not_come_back() -> None:
    probe = Probe(dead=True)
    with pytest.raises(FlashError, match="did not come back"):
        probe.program_image()
    assert probe.now == pytest.approx(REMOUNT, abs=1)


def test_wrong_files() -> None:
    uf2 = FirmwareImage.read(write_uf2([(0x4FB2D5BD, Memory.of([(0x60000000, bytes(512))]))]), name="x.uf2")
    with pytest.raises(ImageError, match="HEX and raw"):
        Probe().program_image(uf2)
    pico = FirmwareImage(b"\0" * 512, "bin", Memory.of([(0x10000000, b"\0" * 512)]), "rp2040", "rp2")
    with pytest.raises(ImageError, match="port rp2"):
        Probe().program_image(pico)


def test_what_daplink_declines() -> None:
    probe = Probe()
    flasher = DaplinkFlasher(probe.volumes)
    evk = target("MIMXRT1060_EVK", "mimxrt", volume=probe.drive)
    assert flasher.declines(evk, IMAGE) == ""
    assert "erase" in flasher.declines(evk, None)
    assert "no drive" in flasher.declines(target("RPI_PICO", "rp2"), IMAGE)
    with pytest.raises(FlashError, match="cannot be read"):
        flasher.open(evk, FlashOptions()).read(0, 16)
