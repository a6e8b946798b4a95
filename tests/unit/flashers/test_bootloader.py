"""Into the bootloader and back: which way, which of several boards, and what happens when a way fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery.ports import SerialPort
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import AmbiguousDeviceError, ConnectionLostError, FlashError, PortMissingError, RawReplError
from upytool.events import Event, Notice
from upytool.flashers.base import FlashTarget
from upytool.flashers.bootloader import (
    enter,
    plan_way_in,
    press,
    touch,
    wait_for_bootloader,
    wait_for_volume,
)
from upytool.flashers.buttons import has_touch
from upytool.flashers.comeback import wait_for_repl
from upytool.flashers.failure import UNCHANGED
from upytool.flashers.sight import Sight, same_place
from upytool.flashers.usb import Endpoint, Interface
from upytool.words import Said

from .drives import ModelDrive

BOOTSEL = 0x2E8A, 0x0003


@dataclass
class World:
    """A MODEL of time and of what is plugged in; `events` maps a time to what happens then."""

    ports: list[SerialPort] = field(default_factory=list)
    devices: list[UsbDevice] = field(default_factory=list)
    drives: list[ModelDrive] = field(default_factory=list)
    platform: str = "linux"
    bus_name: str = ""
    now: float = 0.0
    events: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    classes: dict[tuple[int, int], tuple[int, int, int]] = field(default_factory=dict)

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [each for each in self.events if each[0] <= self.now]:
            self.events.remove(event)
            event[1]()

    def soon(self, seconds: float, action: Callable[[], None]) -> None:
        self.events.append((self.now + seconds, action))

    def emit(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.said.append(event.message)

    @property
    def bus(self) -> Any:
        world = self

        class Bus:
            name = world.bus_name

            def devices(self) -> list[UsbDevice]:
                return list(world.devices)

            def interfaces(self, device: UsbDevice) -> list[Any]:
                found = world.classes.get((device.vid, device.pid))
                bulk = (Endpoint(0x03, "bulk", 64), Endpoint(0x84, "bulk", 64))
                return [] if found is None else [Interface(0, 0, *found, endpoints=bulk)]

        return Bus()

    @property
    def sight(self) -> Sight:
        return Sight([self.bus], lambda: list(self.drives), lambda: list(self.ports), self.platform)

    def enter(self, target: FlashTarget, device: Any = None, **options: Any) -> FlashTarget:
        return enter(target, device, sight=self.sight, reporter=self, clock=self.clock, sleep=self.sleep, **options)

    def to_bootsel(self, port: SerialPort) -> None:
        self.ports.remove(port)
        self.devices.append(UsbDevice(*BOOTSEL, port.hub_port, "E0C9125B0D9B", "RP2 Boot"))


class Board:
    """A MODEL of a connected board: what its REPL has, and what happens at machine.bootloader()."""

    def __init__(self, has: str = "True False", leave: Callable[[], None] = lambda: None, broken: bool = False) -> None:
        self.has, self.leave, self.broken, self.closed = has, leave, broken, False
        self.ran: list[str] = []

    def ask(self, source: str, *, timeout: float) -> list[bool]:
        if self.broken:
            raise RawReplError("no prompt")
        return [word == "True" for word in self.has.split()]

    def bootloader(self) -> None:
        self.leave()
        raise ConnectionLostError("gone")

    def run(self, source: str, *, follow: bool) -> None:
        self.ran.append(source)
        self.leave()

    def close(self, *, leave: bool = True) -> None:
        self.closed = True


def running(port: SerialPort, **facts: Any) -> FlashTarget:
    facts = {"board": "RPI_PICO", "chip": "rp2040", "mcu_port": "rp2", "version": "1.25.0"} | facts
    return FlashTarget("running", port.selector, port.hub_port, port.path, port, **facts)


# -- which way -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "kind", "then"),
    [
        (running(zoo.pico()), "repl", ("button",)),
        (running(zoo.pico(), board="ARDUINO_NANO_RP2040_CONNECT"), "repl", ("touch", "button")),
        (running(zoo.pico(), board="SEEED_XIAO_SAMD21", mcu_port="samd", chip=""), "repl", ("touch", "button")),
        (running(zoo.pico(), board="TEENSY41", mcu_port="mimxrt", chip=""), "repl", ("button",)),
        (running(zoo.cp2102(), board="ESP32_GENERIC", mcu_port="esp32", chip="esp32"), "serial", ("button",)),
        (running(zoo.ch340(), board="ESP8266_GENERIC", mcu_port="esp8266", chip=""), "serial", ("button",)),
        (running(zoo.port("/dev/x", "303a:4001"), mcu_port="esp32", chip="esp32s3", board="X"), "repl", ("button",)),
        (running(zoo.port("/dev/x", "303a:1001"), mcu_port="esp32", chip="esp32c6", board="X"), "serial", ("button",)),
        (running(zoo.pico(), mcu_port="esp32", chip="", board="ARDUINO_NANO_ESP32"), "repl", ("touch", "button")),
        (replace(running(zoo.cp2102()), state="unknown", mcu_port="", chip="", board=""), "serial", ("button",)),
        (replace(running(zoo.pico()), state="bootloader"), "here", ()),
        (FlashTarget("unknown", "x"), "button", ("button",)),
    ],
)
def test_the_way_in(target: FlashTarget, kind: str, then: tuple[str, ...]) -> None:
    way = plan_way_in(target)
    assert way.kind == kind
    assert way.automatic == (kind != "button")
    if kind not in ("here", "button"):
        assert way.then == then
        assert way.sentence


def test_a_pico_does_not_listen_to_the_touch() -> None:
    assert not has_touch("RPI_PICO", "rp2")
    assert not has_touch("SEEED_XIAO_NRF52", "nrf")
    assert has_touch("ADAFRUIT_METRO_M4_EXPRESS", "samd")


def test_buttons_are_named_for_the_board() -> None:
    assert "BOOTSEL" in press(running(zoo.pico()))
    assert "white" in press(running(zoo.pico(), board="PYBD_SF6", mcu_port="stm32"))
    assert "twice" in press(running(zoo.pico(), board="ARDUINO_GIGA", mcu_port="stm32"))
    assert press().count("\n") == 3
    esp = running(zoo.cp2102(), board="", mcu_port="esp32", chip="esp32c3")
    assert "GPIO9" in press(esp)
    assert "GPIO28" in press(replace(esp, chip="esp32c5"))
    assert "GPIO35" in press(replace(esp, chip="esp32p4"))
    assert "GPIO0 to ground" in press(replace(esp, chip="esp32s3"))
    assert "GPIO9" in press(replace(esp, chip=""))


# -- entering --------------------------------------------------------------------------------------


def test_through_the_repl() -> None:
    port = zoo.pico()
    world = World([port])
    board = Board(leave=lambda: world.soon(0.6, lambda: world.to_bootsel(port)))
    found = world.enter(running(port), board)
    assert board.closed
    assert (found.state, found.location, found.chip, found.board) == ("bootloader", "1-2", "rp2040", "RPI_PICO")
    assert found.usb is not None
    assert found.usb.pid == 3
    assert found.port is None
    assert found.address == ""


def test_old_firmware_has_it_in_pyb() -> None:
    port = zoo.pyboard()
    world = World([port])

    def leave() -> None:
        world.ports.clear()
        world.devices.append(UsbDevice(0x0483, 0xDF11, port.hub_port))

    board = Board("False True", leave)
    found = world.enter(running(port, board="PYBV11", mcu_port="stm32", chip="stm32"), board)
    assert "pyb.bootloader()" in board.ran[0]
    assert found.usb is not None


def test_several_boards_side_by_side() -> None:
    """Both leave at once; each is paired with the loader that came up in its own place."""
    one, two = zoo.pico(), zoo.pico("/dev/ttyACM1", "e66058388355", "1-3")
    world = World([one, two])

    def both() -> None:
        for port in (two, one):
            world.to_bootsel(port)

    found = world.enter(running(two), Board(leave=both))
    assert found.location == "1-3"
    assert found.usb is not None
    assert found.usb.location == "1-3"


def test_another_board_in_bootsel_is_not_taken() -> None:
    port = zoo.pico()
    world = World([port], [UsbDevice(*BOOTSEL, "1-9")])
    with pytest.raises(FlashError, match="did not enter") as caught:
        world.enter(running(port), Board(), patience=0)
    assert "BOOTSEL" in caught.value.hint
    assert caught.value.code == "flash.not-in-bootloader"
    assert caught.value.state == UNCHANGED


def test_a_repl_that_does_not_answer_ends_at_the_button() -> None:
    port = zoo.pico()
    world = World([port])
    world.soon(30.0, lambda: world.to_bootsel(port))
    found = world.enter(running(port), Board(broken=True), patience=60.0)
    assert found.state == "bootloader"
    assert any("BOOTSEL" in text for text in world.said)
    assert any("waiting" in text for text in world.said)


def test_a_firmware_without_it_is_touched() -> None:
    port = zoo.pico()
    world = World([port])
    opened: list[tuple[str, int]] = []

    def open_at(address: str, baud: int) -> Any:
        opened.append((address, baud))
        return Line(lambda: world.soon(0.5, lambda: world.to_bootsel(port)))

    target = running(port, board="ARDUINO_NANO_RP2040_CONNECT")
    board = Board("False False")
    assert world.enter(target, board, open_at=open_at).state == "bootloader"
    assert opened == [(port.path, 1200)]
    assert board.closed


class Line:
    """A MODEL of a serial port with modem lines: what TinyUSB's firmware does at 1200 baud with both lines off."""

    name, interrupts, survives_reset = "line", True, True

    def __init__(self, leave: Callable[[], None]) -> None:
        self.leave, self.open = leave, True

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        assert self.open
        if dtr is False and rts is False:
            self.leave()

    def read(self, timeout: float | None) -> bytes:
        return b""

    def write(self, data: bytes) -> None: ...

    def close(self) -> None:
        self.open = False

    def fileno(self) -> int | None:
        return None


def test_a_port_that_does_not_open_cannot_be_touched() -> None:
    def open_at(address: str, baud: int) -> Any:
        raise PortMissingError("gone")

    assert touch("/dev/x", open_at=open_at, sleep=lambda _: None) is False


def test_serial_loaders_are_left_to_their_flasher() -> None:
    port, board = zoo.cp2102(), Board()
    target = running(port, mcu_port="esp32", chip="esp32", board="ESP32_GENERIC")
    assert World([port]).enter(target, board) is target
    assert board.closed


def test_an_esp_with_native_usb_comes_back_as_another_port() -> None:
    port = zoo.port("/dev/ttyACM0", "303a:4001", location="1-2:1.0")
    rom = zoo.port("/dev/ttyACM1", "303a:1001", location="1-2:1.0")
    world = World([port])

    def leave() -> None:
        world.ports[:] = [rom]

    found = world.enter(running(port, mcu_port="esp32", chip="esp32s3", board="X"), Board(leave=leave))
    assert (found.address, found.chip) == ("/dev/ttyACM1", "esp32s3")


def test_a_simulated_board() -> None:
    world = World(bus_name="sim:pico")

    def leave() -> None:
        world.devices.append(UsbDevice(*BOOTSEL, "sim:pico"))

    target = FlashTarget(
        "running", "sim:pico", "sim:pico", "socket://127.0.0.1:1", bus=world.bus, board="RPI_PICO", mcu_port="rp2"
    )
    found = world.enter(target, Board(leave=leave))
    assert (found.location, found.address) == ("sim:pico", "socket://127.0.0.1:1")
    with pytest.raises(FlashError):
        wait_for_repl(found, 2.0, sight=world.sight, clock=world.clock, sleep=world.sleep)
    world.devices.clear()
    back = wait_for_repl(found, 2.0, sight=world.sight, clock=world.clock, sleep=world.sleep)
    assert (back.state, back.address, back.usb) == ("running", "socket://127.0.0.1:1", None)


# -- waiting ---------------------------------------------------------------------------------------


def test_a_loader_with_its_makers_id_is_known_by_its_interfaces() -> None:
    world = World(bus_name="sim:pico2", classes={(0x1209, 0x0001): (0xFF, 0, 0), (0x1209, 2): (0x02, 2, 1)})
    world.devices += [UsbDevice(0x1209, 2, "sim:pico2"), UsbDevice(0x1209, 1, "sim:pico2")]
    [found] = world.sight.loaders()
    assert found.usb is not None
    assert found.usb.pid == 1


def test_waiting_for_any_board() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-9")])
    before = world.sight.loaders()
    world.soon(3.0, lambda: world.devices.append(UsbDevice(*BOOTSEL, "1-4")))
    found = wait_for_bootloader(None, world.sight, 10, before=before, clock=world.clock, sleep=world.sleep)
    assert found.location == "1-4"
    with pytest.raises(FlashError, match="within 2 s"):
        wait_for_bootloader(None, world.sight, 2, before=world.sight.loaders(), clock=world.clock, sleep=world.sleep)


def test_two_at_once_that_nothing_tells_apart() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-4"), UsbDevice(*BOOTSEL, "1-5")])
    with pytest.raises(AmbiguousDeviceError) as caught:
        wait_for_bootloader(None, world.sight, 2, clock=world.clock, sleep=world.sleep)
    assert caught.value.choices == ("usb:1-4", "usb:1-5")


@pytest.mark.parametrize(
    ("one", "other", "platform", "same"),
    [
        ("1-2.3", "1-2.3:1.0", "linux", True),
        ("1-2", "1-2.3", "linux", False),
        ("1-2", "2-2", "linux", False),
        ("1-2", "3-2", "win32", True),
        ("", "", "linux", False),
    ],
)
def test_places(one: str, other: str, platform: str, same: bool) -> None:
    assert same_place(one, other, platform) is same


def test_a_device_and_its_drive_are_one_board() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-2"), UsbDevice(*BOOTSEL, "1-3")], drives=[ModelDrive("rp2040")])
    found = world.sight.loaders()
    assert [(each.location, each.volume is not None) for each in found] == [("1-2", True), ("1-3", False)]


def without_place(*drives: ModelDrive) -> list[ModelDrive]:
    for drive in drives:
        drive.location = ""
    return list(drives)


def test_a_drive_without_a_place_is_that_of_the_one_board_of_its_chip() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-2")], drives=without_place(ModelDrive("rp2040")), platform="win32")
    [found] = world.sight.loaders()
    assert found.location == "1-2"
    assert found.volume is not None


def test_a_drive_without_a_place_is_nobodys_where_two_boards_may_own_it() -> None:
    """Windows does not tell: to pair them by guess would write to another board's drive."""
    world = World(
        devices=[UsbDevice(*BOOTSEL, "1-2"), UsbDevice(*BOOTSEL, "1-3")],
        drives=without_place(ModelDrive("rp2040")),
        platform="win32",
    )
    found = world.sight.loaders()
    assert [(each.location, each.usb is not None, each.volume is not None) for each in found] == [
        ("1-2", True, False), ("1-3", True, False), ("", False, True),
    ]  # fmt: skip
    world = World(
        devices=[UsbDevice(*BOOTSEL, "1-2")],
        drives=without_place(ModelDrive("rp2040"), ModelDrive("rp2040")),
        platform="win32",
    )
    assert [each.volume is not None for each in world.sight.loaders()] == [False, True, True]
    [target, *_] = world.sight.loaders()
    assert wait_for_volume(target, world.sight, clock=world.clock, sleep=world.sleep).volume is None


def test_another_chips_drive_is_not_waited_for() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-2")], drives=without_place(ModelDrive("samd51")), platform="win32")
    [target, _] = world.sight.loaders()
    assert wait_for_volume(target, world.sight, clock=world.clock, sleep=world.sleep).volume is None


def test_a_drive_alone_is_a_board() -> None:
    [found] = World(drives=[ModelDrive("samd51")]).sight.loaders()
    assert (found.chip, found.mcu_port, found.location, found.usb) == ("samd51", "samd", "1-2", None)


def test_a_drive_is_mounted_later() -> None:
    world = World(devices=[UsbDevice(*BOOTSEL, "1-2")])
    [target] = world.sight.loaders()
    world.soon(2.0, lambda: world.drives.append(ModelDrive("rp2040")))
    found = wait_for_volume(target, world.sight, clock=world.clock, sleep=world.sleep)
    assert found.volume is not None
    other = replace(target, location="1-7")
    assert wait_for_volume(other, world.sight, clock=world.clock, sleep=world.sleep).volume is None


def test_a_bus_that_cannot_be_read_is_empty() -> None:
    class Broken:
        name = ""

        def devices(self) -> Sequence[UsbDevice]:
            raise ConnectionLostError("re-enumerating")

    assert Sight([Broken()], None, list).loaders() == []  # type: ignore[list-item]


# -- back to the REPL ------------------------------------------------------------------------------


def back(world: World, target: FlashTarget, **options: Any) -> FlashTarget:
    return wait_for_repl(target, sight=world.sight, reporter=world, clock=world.clock, sleep=world.sleep, **options)


def test_the_port_comes_back_under_another_name() -> None:
    world = World([zoo.pico("/dev/ttyACM0", "other", "1-7")], [UsbDevice(*BOOTSEL, "1-2")])
    [target] = world.sight.loaders()

    def boot() -> None:
        world.devices.clear()
        world.ports.append(zoo.pico("/dev/ttyACM3"))

    world.soon(7.0, boot)
    found = back(world, target)
    assert (found.state, found.address, found.usb) == ("running", "/dev/ttyACM3", None)
    assert any("waiting for the port" in text for text in world.said)


def test_a_boot_loaders_own_port_is_not_the_repl() -> None:
    world = World([zoo.port("/dev/ttyACM0", "2886:002f", location="1-2:1.0")], drives=[ModelDrive("samd51")])
    [target] = world.sight.loaders()
    with pytest.raises(FlashError, match="no serial port") as caught:
        back(world, target, timeout=3.0)
    assert caught.value.state == Said("flash.state.firmware-is-there")


def test_a_bridge_keeps_its_port() -> None:
    port = zoo.cp2102()
    found = back(World([port]), running(port, mcu_port="esp32", chip="esp32"))
    assert found.address == port.path


def test_a_board_without_a_place() -> None:
    world = World([zoo.pico(place="1-7")])
    target = FlashTarget("bootloader", "/Volumes/RPI-RP2")
    before = {"/dev/ttyACM0"}
    world.soon(2.0, lambda: world.ports.append(zoo.pico("/dev/ttyACM5", "new", "1-2")))
    assert back(world, target, before=before).address == "/dev/ttyACM5"


# -- words and Ctrl-C -----------------------------------------------------------------------------------


def test_by_hand_in_one_line_or_in_a_list() -> None:
    from upytool.flashers.bootloader import by_hand

    assert by_hand(FlashTarget("running", "x", mcu_port="samd")).text.startswith(
        "by hand: press its reset button twice"
    )
    first, *rest = by_hand().text.splitlines()
    assert first == "by hand, whichever kind the board is of:"
    assert len(rest) == 4
    assert all(line.startswith("  ") for line in rest)


def test_a_socket_carries_no_reset() -> None:
    said = plan_way_in(FlashTarget("unknown", "socket://h:1", "", "socket://h:1", mcu_port="esp32")).sentence
    assert "DTR" not in said
    assert "by hand, beforehand" in said
    other = FlashTarget("unknown", "rfc2217://h:1", "", "rfc2217://h:1", mcu_port="esp32")
    assert "DTR" in plan_way_in(other).sentence


def test_ctrl_c_is_not_taken_for_a_board_without_a_repl() -> None:
    from upytool.errors import OperationInterrupted
    from upytool.flashers.doors import Doors
    from upytool.flashers.probe import Surroundings

    def stopped(address: str, baud: int) -> Any:
        raise OperationInterrupted

    world = World()
    doors = Doors(Surroundings(ports=list, buses=lambda: [world.bus], volumes=list, connect=stopped), patience=0)
    with pytest.raises(OperationInterrupted):
        doors.enter(FlashTarget("running", "x", "1-2", "/dev/x", mcu_port="rp2"), world)
