"""Finding the boards that could be flashed: recorded ports, a model of a USB bus, model drives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from upytool.device.info import BoardInfo
from upytool.discovery.ports import SerialPort
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import AmbiguousDeviceError, NoDeviceError, PortUnusableError, RawReplError, UsageError
from upytool.flashers import probe
from upytool.flashers.base import FlashTarget
from upytool.flashers.probe import Surroundings
from upytool.flashers.uf2_volume import DriveInfo, Volume
from upytool.flashers.usb import Endpoint, Interface, UsbBus

PICO = SerialPort("/dev/ttyACM0", "E6601", 0x2E8A, 5, "MicroPython", "Board in FS mode", "1-2:1.0")
BRIDGE = SerialPort("/dev/ttyUSB0", None, 0x1A86, 0x7523, None, "USB Serial", "1-3")
MODEM = SerialPort("/dev/ttyUSB9", None, 0x12D1, 0x1001, None, "Modem", "1-9")
ESP_ROM = SerialPort("/dev/ttyACM5", None, 0x303A, 9, None, None, "1-5:1.0")
BOOTSEL = UsbDevice(0x2E8A, 3, "1-4", "E0C91200A4A1")
BULK = (Endpoint(3, "bulk", 64), Endpoint(0x84, "bulk", 64))


@dataclass
class ModelBus:
    """A MODEL of a USB bus: devices and their interfaces."""

    found: dict[UsbDevice, tuple[tuple[int, int, int], ...]] = field(default_factory=dict)
    name: str = ""
    broken: bool = False

    def devices(self) -> list[UsbDevice]:
        if self.broken:
            raise PortUnusableError("libusb cannot be loaded")
        return list(self.found)

    def interfaces(self, device: UsbDevice) -> list[Interface]:
        return [Interface(n, 0, *each, endpoints=BULK) for n, each in enumerate(self.found[device])]


@dataclass
class ModelVolume:
    """A MODEL of a UF2 drive."""

    path: str
    info: DriveInfo
    label: str = "RPI-RP2"
    location: str = ""
    has_current: bool = False


def around(
    *ports: SerialPort,
    bus: ModelBus | None = None,
    volumes: Sequence[ModelVolume] = (),
    connect: Any = None,
    **more: Any,
) -> Surroundings:
    buses = [cast(UsbBus, bus or ModelBus())]
    return Surroundings(
        ports=lambda: list(ports), buses=lambda: buses, volumes=lambda: cast(list[Volume], list(volumes)),
        connect=connect, **{"listen": lambda port: "", **more},
    )  # fmt: skip


def test_one_board_is_taken() -> None:
    assert probe.choose(None, around(PICO, MODEM)).address == "/dev/ttyACM0"
    assert probe.choose("auto", around(BRIDGE)).state == "unknown"
    found = probe.choose(None, around(bus=ModelBus({BOOTSEL: ()})))
    assert (found.state, found.chip, found.location) == ("bootloader", "rp2040", "1-4")


def test_a_sure_board_goes_before_a_silent_port() -> None:
    assert probe.choose(None, around(PICO, BRIDGE)).address == "/dev/ttyACM0"


def test_what_talks_like_something_else_is_left_alone() -> None:
    talks = around(BRIDGE, listen=lambda port: "it talks NMEA")
    with pytest.raises(NoDeviceError):
        probe.choose(None, talks)
    assert probe.choose("/dev/ttyUSB0", talks).address == "/dev/ttyUSB0", "whoever names it means it"


def test_several_are_a_choice() -> None:
    with pytest.raises(AmbiguousDeviceError, match="2 boards are connected") as caught:
        probe.choose(None, around(PICO, bus=ModelBus({BOOTSEL: ()})))
    assert caught.value.choices == ("usb:1-4", "id:E6601")
    assert "-d usb:1-4" in caught.value.hint
    assert "--all" in caught.value.hint
    for name in caught.value.choices:
        assert probe.choose(name, around(PICO, bus=ModelBus({BOOTSEL: ()}))).selector == name


def test_none_says_what_to_do() -> None:
    with pytest.raises(NoDeviceError, match="no board is connected") as caught:
        probe.choose(None, around(MODEM))
    assert "BOOTSEL" in caught.value.hint
    assert "GPIO0" in caught.value.hint


@pytest.mark.parametrize("triple", [(0xFE, 1, 2)])
def test_unknown_ids_are_found_by_class(triple: tuple[int, int, int]) -> None:
    other = UsbDevice(0x1234, 0x5678, "1-7")
    mouse = UsbDevice(0x046D, 0xC077, "1-8")
    found = probe.in_bootloader(around(bus=ModelBus({other: (triple,), mouse: ((3, 1, 2),)})))
    assert [each.location for each in found] == ["1-7"]
    assert not probe.in_bootloader(around(bus=ModelBus({other: (triple,)}), by_class=False))


def test_a_device_and_its_drive_are_one_board() -> None:
    info = DriveInfo(chip="rp2040", mcu_port="rp2")
    drive = ModelVolume("/media/RPI-RP2", info, location="1-4")
    found = probe.in_bootloader(around(bus=ModelBus({BOOTSEL: ()}), volumes=[drive]))
    assert len(found) == 1
    assert found[0].volume is not None
    assert found[0].usb == BOOTSEL


def test_a_drive_alone_is_named_by_its_folder(tmp_path: Any) -> None:
    drive = ModelVolume(str(tmp_path), DriveInfo(chip="samd51", mcu_port="samd"))
    found = probe.choose(str(tmp_path), around(volumes=[drive]))
    assert (found.chip, found.state) == ("samd51", "bootloader")
    with pytest.raises(NoDeviceError, match="INFO_UF2"):
        probe.choose(str(tmp_path), around())


@pytest.mark.parametrize(
    ("selector", "address"),
    [
        ("/dev/ttyACM0", "/dev/ttyACM0"),
        ("a0", "/dev/ttyACM0"),
        ("ttyACM0", "/dev/ttyACM0"),
        ("port:/dev/ttyACM0", "/dev/ttyACM0"),
        ("id:E6601", "/dev/ttyACM0"),
        ("usb:1-2", "/dev/ttyACM0"),
        ("usb:2e8a:0005", "/dev/ttyACM0"),
        ("usb:2e8a:0005/E6601", "/dev/ttyACM0"),
        ("mine", "/dev/ttyACM0"),
        ("u0", "/dev/ttyUSB0"),
        ("/dev/ttyACM5", "/dev/ttyACM5"),
        ("/dev/ttyNEW", "/dev/ttyNEW"),
        ("socket://host:1", "socket://host:1"),
        ("rfc2217://host:1", "rfc2217://host:1"),
    ],
)
def test_selectors(selector: str, address: str) -> None:
    there = around(PICO, BRIDGE, ESP_ROM, aliases={"mine": "id:E6601"})
    assert probe.choose(selector, there).address == address


@pytest.mark.parametrize("selector", ["id:none", "usb:9-9", "usb:1234:5678", "nobody", "sim:pico"])
def test_selectors_of_nothing(selector: str) -> None:
    with pytest.raises(NoDeviceError):
        probe.choose(selector, around(PICO))


def test_a_selector_that_is_none() -> None:
    with pytest.raises(UsageError):
        probe.choose("usb:what", around(PICO))


def test_espressifs_rom_is_a_boot_loader() -> None:
    found = probe.choose(None, around(ESP_ROM))
    assert (found.state, found.chip, found.address) == ("bootloader", "esp32s3", "/dev/ttyACM5")


def test_usb_that_cannot_be_listed_is_no_end() -> None:
    assert probe.choose(None, around(PICO, bus=ModelBus(broken=True))).address == "/dev/ttyACM0"


def test_simulated_boards() -> None:
    bus = ModelBus(name="sim:one")
    there = around(bus=bus, simulators={"sim:one": "/tmp/one.tty"})
    running = probe.choose("sim:one", there)
    assert (running.state, running.address, running.location) == ("running", "/tmp/one.tty", "sim:one")
    assert running.bus is not None
    bus.found[UsbDevice(0x2E8A, 3, "sim:one")] = ((0xFF, 0, 0),)
    waiting = probe.choose("sim", there)
    assert (waiting.state, waiting.address) == ("bootloader", "/tmp/one.tty")


# -- asking -----------------------------------------------------------------------------------------


class ModelDevice:
    """A MODEL of a connected board."""

    def __init__(self, info: BoardInfo | None, answer: object = ()) -> None:
        self._info, self._answer = info, answer
        self.session = SimpleNamespace(enter_timeout=12.0)

    @property
    def info(self) -> BoardInfo:
        if self._info is None:
            raise RawReplError("no answer")
        return self._info

    def call(self, name: str, *, again: bool = False) -> object:
        assert name == "fs_flash"
        return self._answer

    def __enter__(self) -> ModelDevice:
        return self

    def __exit__(self, *_: object) -> None:
        return


def test_a_board_says_what_it_is() -> None:
    info = BoardInfo(
        build="RPI_PICO2-RISCV", platform="rp2", machine="Raspberry Pi Pico2 with RP2350-RISCV",
        firmware="MicroPython v1.27.0-preview.5.gabc on 2026-01-01", unique_id="aa", version=(1, 27, 0),
    )  # fmt: skip
    answer = [(0x10000000, 4096, 1), (0x10200000, 0x200000, 7), (1, "x", 7)]
    there = around(PICO, connect=lambda address, baud: ModelDevice(info, answer))
    found = probe.identify(probe.choose(None, there), there)
    assert (found.board, found.variant, found.version) == ("RPI_PICO2", "RISCV", "1.27.0-preview.5.gabc")
    assert (found.chip, found.mcu_port) == ("rp2350", "rp2")
    assert [(fs.start, fs.size) for fs in found.filesystems] == [(0x10200000, 0x200000)]


def test_a_port_that_says_nothing_is_unknown() -> None:
    there = around(PICO, connect=lambda address, baud: ModelDevice(None))
    assert probe.identify(probe.choose(None, there), there).state == "unknown"


def test_a_boot_loader_is_not_asked() -> None:
    target = FlashTarget("bootloader", "usb:1-4")
    assert probe.identify(target, around(connect=lambda *_: pytest.fail("asked"))) is target


@pytest.mark.parametrize(
    ("platform", "machine", "chip"),
    [
        ("rp2", "Raspberry Pi Pico with RP2040", "rp2040"),
        ("esp32", "Generic ESP32 module with ESP32", "esp32"),
        ("esp32", "Generic ESP32S3 module with Octal-SPIRAM with ESP32S3", "esp32s3"),
        ("esp32", "Generic ESP32C61 module with ESP32C61", "esp32c61"),
        ("esp8266", "ESP module with ESP8266", "esp8266"),
        ("pyboard", "PYBv1.1 with STM32F405RG", "stm32f4"),
        ("pyboard", "NUCLEO-WB55 with STM32WB55RGV6", "stm32wb"),
        ("samd", "Adafruit ItsyBitsy M4 with SAMD51G19A", "samd51"),
        ("nrf", "Arduino Nano 33 BLE Sense with NRF52840", "nrf52840"),
        ("mimxrt", "Teensy 4.1 with MIMXRT1062DVJ6A", "mimxrt"),
        ("linux", "linux [GCC 12] version", ""),
    ],
)
def test_chip_of(platform: str, machine: str, chip: str) -> None:
    assert probe.chip_of(BoardInfo(platform=platform, machine=machine)) == chip


# -- boards that come just now ------------------------------------------------------------------------

DRIVE, VENDOR, CDC = (0x08, 0x06, 0x50), (0xFF, 0, 0), (0x02, 0x02, 0x01)


def test_an_rp2350_with_its_makers_id() -> None:
    white = UsbDevice(0x1209, 0xABCD, "1-7")
    found = probe.in_bootloader(around(bus=ModelBus({white: (DRIVE, VENDOR)})))
    assert [(each.location, each.chip, each.mcu_port) for each in found] == [("1-7", "rp2350", "rp2")]
    for others in ((CDC, VENDOR), (DRIVE,), ((3, 0, 0), VENDOR)):
        assert not probe.in_bootloader(around(bus=ModelBus({white: others}))), others


def test_a_debug_probe_is_no_boot_loader() -> None:
    class Probe(ModelBus):
        def interfaces(self, device: UsbDevice) -> list[Interface]:
            return [Interface(0, 0, *VENDOR, endpoints=(Endpoint(4, "bulk", 64), Endpoint(0x85, "bulk", 64)))]

    assert not probe.in_bootloader(around(bus=Probe({UsbDevice(0x2E8A, 0x000C, "1-7"): ()})))


def test_a_drive_that_comes_before_its_device_is_waited_for() -> None:
    class Late(ModelBus):
        asked = 0

        def devices(self) -> list[UsbDevice]:
            self.asked += 1
            return super().devices() if self.asked > 2 else []

    drive = ModelVolume("/media/RPI-RP2", DriveInfo(chip="rp2040", mcu_port="rp2"), location="1-4")
    there = around(bus=Late({BOOTSEL: ()}), volumes=[drive])
    target = probe.choose(None, there)
    assert target.usb is None
    known = probe.identify(target, there)
    assert known.usb == BOOTSEL
    assert known.bus is not None


def test_a_drive_that_cannot_be_read_is_not_there_yet() -> None:
    from upytool.errors import LocalFileError

    class Going(ModelVolume):
        def __getattribute__(self, name: str) -> Any:
            if name == "info":
                raise LocalFileError("INFO_UF2.TXT cannot be read: the drive went away")
            return super().__getattribute__(name)

    assert probe.in_bootloader(around(volumes=[Going("/media/x", DriveInfo())])) == []


def test_a_board_that_goes_while_it_is_asked_is_not_one_without_firmware() -> None:
    from upytool.errors import ConnectionLostError, OperationInterrupted

    def gone(address: str, baud: int) -> Any:
        raise ConnectionLostError("the port is gone")

    def stopped(address: str, baud: int) -> Any:
        raise OperationInterrupted(traceback="Traceback of our own question")

    target = FlashTarget("running", "id:E6601", "1-2", "/dev/not-there")
    with pytest.raises(ConnectionLostError, match="went away"):
        probe.identify(target, around(connect=gone))
    with pytest.raises(OperationInterrupted, match="interrupted while asking") as caught:
        probe.identify(target, around(connect=stopped))
    assert not caught.value.traceback
