"""Every form of selector, and what `auto` chooses, refuses and never touches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.device.connect import connect
from upytool.discovery import advice
from upytool.discovery.listen import OpenPort
from upytool.discovery.ports import SerialPort
from upytool.discovery.remembered import Remembered
from upytool.discovery.selector import Target, resolve
from upytool.discovery.usb_devices import UsbDevice
from upytool.errors import (
    AmbiguousDeviceError,
    NoDeviceError,
    PortBusyError,
    PortMissingError,
    UsageError,
)
from upytool.testing import Recorder
from upytool.transport.base import Transport


@pytest.fixture(autouse=True)
def _no_usb(monkeypatch: pytest.MonkeyPatch) -> None:
    """This computer's own USB devices do not count here, and silence is believed sooner."""
    monkeypatch.setattr(advice, "boards_in_bootloader", list)
    monkeypatch.setattr("upytool.discovery.listen.LISTEN", 0.12)


class Listened:
    """A MODEL of ports that say something when opened; every opening and every write is recorded."""

    name, interrupts, survives_reset = "model", True, True

    def __init__(self, said: dict[str, bytes | Exception] | None = None) -> None:
        self.said = said or {}
        self.opened: list[str] = []
        self.closed = 0
        self.written = b""

    def __call__(self, port: SerialPort) -> Transport:
        self.opened.append(port.path)
        words = self.said.get(port.path, b"")
        if isinstance(words, Exception):
            raise words
        self._words = words
        return self

    def read(self, timeout: float | None) -> bytes:
        import time

        time.sleep(min(timeout or 0, 0.02))
        data, self._words = self._words, b""
        return data

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed += 1

    def fileno(self) -> int | None:
        return None


def look(
    selector: str | None,
    *ports: SerialPort,
    open_port: OpenPort | None = None,
    aliases: dict[str, str] | None = None,
    remembered: Remembered | None = None,
    running: Callable[[], list[str]] | None = None,
    recorder: Recorder | None = None,
) -> Target:
    return resolve(
        selector,
        aliases=aliases,
        simulators=lambda text: f"/run/{text}",
        running=running,
        remembered=remembered,
        ports=lambda: list(ports),
        open_port=open_port or Listened(),
        reporter=recorder or Recorder(),
    )


ZOO = (zoo.pico(), zoo.pyboard(), zoo.cp2102(), zoo.ch340(), zoo.gps(), zoo.modem(), zoo.builtin())


@pytest.mark.parametrize(
    ("selector", "address"),
    [
        ("port:/dev/ttyACM0", "/dev/ttyACM0"),
        ("/dev/ttyACM0", "/dev/ttyACM0"),
        ("ttyACM1", "/dev/ttyACM1"),
        ("/dev/ttyGONE", "/dev/ttyGONE"),
        ("port:/dev/ttyGONE", "/dev/ttyGONE"),
        ("COM3", "COM3"),
        ("com12", "com12"),
        ("a0", "/dev/ttyACM0"),
        ("a12", "/dev/ttyACM12"),
        ("u0", "/dev/ttyUSB0"),
        ("u7", "/dev/ttyUSB7"),
        ("c3", "COM3"),
        ("id:e6605838834f2a30", "/dev/ttyACM0"),
        ("id:206437A1304E", "/dev/ttyACM1"),
        ("usb:f055:9800", "/dev/ttyACM1"),
        ("usb:F055:9800", "/dev/ttyACM1"),
        ("usb:2e8a:0005/e6605838834f2a30", "/dev/ttyACM0"),
        ("usb:1-3", "/dev/ttyACM1"),
        ("usb:1-3:1.1", "/dev/ttyACM1"),
        ("usb:1-4", "/dev/ttyUSB0"),
        ("socket://127.0.0.1:5000", "socket://127.0.0.1:5000"),
        ("rfc2217://host:2217", "rfc2217://host:2217"),
        ("ws://board", "ws://board"),
        ("exec:micropython -i", "exec:micropython -i"),
        ("execpty:micropython", "execpty:micropython"),
        ("sim", "/run/sim"),
        ("sim:wasm", "/run/sim:wasm"),
        ("kitchen", "/dev/ttyACM1"),
        ("cellar", "/dev/ttyACM1"),
        (" kitchen ", "/dev/ttyACM1"),
    ],
)
def test_forms(selector: str, address: str) -> None:
    aliases = {"kitchen": "id:206437A1304E", "cellar": "kitchen"}
    assert look(selector, *ZOO, aliases=aliases).address == address


def test_a_serial_port_comes_with_what_is_known_of_it() -> None:
    target = look("a0", *ZOO)
    assert target.port == zoo.pico()
    assert target.lines is not None
    assert target.baud is None
    assert look("/dev/ttyGONE", *ZOO).port is None


@pytest.mark.parametrize(
    ("selector", "kind"),
    [
        ("id:unknown", NoDeviceError),
        ("id:", UsageError),
        ("port:", UsageError),
        ("usb:dead:beef", NoDeviceError),
        ("usb:9-9", NoDeviceError),
        ("usb:rubbish", UsageError),
        ("nonsense", NoDeviceError),
        ("loop", UsageError),
    ],
)
def test_forms_that_find_nothing(selector: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        look(selector, *ZOO, aliases={"loop": "loop2", "loop2": "loop"})
    assert caught.value.hint  # type: ignore[attr-defined]


def test_a_misspelt_alias_is_guessed() -> None:
    with pytest.raises(NoDeviceError) as caught:
        look("kitchn", aliases={"kitchen": "a0"})
    assert "kitchen" in caught.value.hint


def test_an_id_that_two_devices_share_is_not_guessed() -> None:
    twins = (zoo.cp2102("/dev/ttyUSB0"), zoo.cp2102("/dev/ttyUSB1", place="1-9"))
    with pytest.raises(AmbiguousDeviceError) as caught:
        look("id:0001", *twins)
    assert caught.value.choices == ("usb:1-4", "usb:1-9")
    for choice, path in zip(caught.value.choices, ("/dev/ttyUSB0", "/dev/ttyUSB1"), strict=True):
        assert look(choice, *twins).address == path


# -- auto ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("selector", [None, "", "auto"])
def test_the_only_sure_board_is_used_and_nothing_is_opened(selector: str | None) -> None:
    listened = Listened()
    found = look(selector, zoo.gps(), zoo.modem(), zoo.ch340(), zoo.pico(), zoo.builtin(), open_port=listened)
    assert found.address == "/dev/ttyACM0"
    assert listened.opened == []


def test_two_sure_boards_are_never_guessed_between() -> None:
    with pytest.raises(AmbiguousDeviceError) as caught:
        look(None, *ZOO)
    assert caught.value.exit_code == 3
    assert caught.value.choices == ("id:e6605838834f2a30", "id:206437A1304E")
    for choice in caught.value.choices:
        assert choice in caught.value.hint
        look(choice, *ZOO)


def test_both_ports_of_one_board_are_one_board() -> None:
    second = dataclasses.replace(zoo.pico("/dev/ttyACM1"), location="1-2:1.2")
    assert look(None, zoo.pico(), second).address == "/dev/ttyACM0"


def test_a_silent_bridge_is_used_after_listening_only() -> None:
    listened = Listened()
    assert look(None, zoo.gps(), zoo.cp2102(), open_port=listened).address == "/dev/ttyUSB0"
    assert listened.opened == ["/dev/ttyUSB0"]
    assert listened.closed == 1
    assert listened.written == b""


@pytest.mark.parametrize(
    "words",
    [
        b"$GPRMC,081836,A,3751.65,S,14507.36,E,000.0,360.0,130998,011.3,E*62\r\n",
        b"$GNGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,*76\r\n",
        b"\r\n+CREG: 1\r\n",
        b"\r\nRING\r\n",
        b"echo:Marlin 2.1\n",
        b"Grbl 1.1f ['$' for help]\r\n",
        b"\xb5\x62\x01\x07\x5c\x00\x00\x01",
    ],
)
def test_a_bridge_with_something_foreign_behind_it_is_left_out(words: bytes) -> None:
    listened, recorder = Listened({"/dev/ttyUSB0": words}), Recorder()
    with pytest.raises(NoDeviceError):
        look(None, zoo.cp2102(), open_port=listened, recorder=recorder)
    assert listened.written == b""
    assert any("left out" in str(event) for event in recorder.events)
    # and the other bridge is the only one then
    both = look(None, zoo.cp2102(), zoo.ch340(), open_port=listened)
    assert both.address == "/dev/ttyUSB1"


@pytest.mark.parametrize(
    "words",
    [
        b"MicroPython v1.26.1 on 2025-09-11; ESP32\r\n>>> ",
        b"temperature 21.5\r\ntemperature 21.6\r\n",
        b"ets Jun  8 2016 00:22:57\r\nrst:0x1 (POWERON_RESET)",
        # what the ESP8266's ROM says at 74880 baud, read at 115200: once, then silence
        b"\xe2\x9f\xf0\x9e\xc3l\x8c\x01\xf2\x00\x9c\xe3\x80l\xe4\xf2\x02\xdc\x8e\xff\x12",
    ],
)
def test_a_board_that_talks_is_no_foreigner(words: bytes) -> None:
    listened = Listened({"/dev/ttyUSB0": words})
    assert look(None, zoo.cp2102(), open_port=listened).address == "/dev/ttyUSB0"


def test_binary_that_goes_on_is_foreign() -> None:
    class Endless(Listened):
        def read(self, timeout: float | None) -> bytes:
            import time

            time.sleep(0.02)
            return b"\xfe\x09\x01\xbe\x00\x81\x00\x8f\xff"

    with pytest.raises(NoDeviceError):
        look(None, zoo.cp2102(), open_port=Endless())


def test_two_silent_bridges_are_not_guessed_between() -> None:
    with pytest.raises(AmbiguousDeviceError) as caught:
        look(None, zoo.cp2102(), zoo.ch340())
    assert caught.value.choices == ("usb:1-4", "usb:1-5")


def test_the_bridge_that_answered_before_is_used_unheard() -> None:
    remembered = Remembered(None)
    remembered.remember(zoo.ch340(), board="ESP32", baud=460800)
    listened = Listened()
    target = look(None, zoo.cp2102(), zoo.ch340(), remembered=remembered, open_port=listened)
    assert (target.address, target.baud) == ("/dev/ttyUSB1", 460800)
    assert listened.opened == []


def test_a_sure_board_wins_over_a_remembered_bridge() -> None:
    remembered = Remembered(None)
    remembered.remember(zoo.ch340())
    assert look(None, zoo.ch340(), zoo.pico(), remembered=remembered).address == "/dev/ttyACM0"


def test_a_probe_comes_last_and_foreign_ports_never() -> None:
    listened = Listened()
    assert look(None, zoo.gps(), zoo.modem(), zoo.microbit(), open_port=listened).address == "/dev/ttyACM4"
    assert listened.opened == ["/dev/ttyACM4"]
    assert look(None, zoo.cp2102(), zoo.microbit()).address == "/dev/ttyUSB0"


def test_why_the_only_candidate_does_not_open() -> None:
    busy = PortBusyError("/dev/ttyUSB0 is in use by minicom (pid 7)", hint="close it")
    with pytest.raises(PortBusyError):
        look(None, zoo.cp2102(), open_port=Listened({"/dev/ttyUSB0": busy}))
    found = look(None, zoo.cp2102(), zoo.ch340(), open_port=Listened({"/dev/ttyUSB0": busy}))
    assert found.address == "/dev/ttyUSB1"


# -- nothing found ------------------------------------------------------------------------------


def test_nothing_at_all() -> None:
    with pytest.raises(NoDeviceError, match="no board is connected") as caught:
        look(None)
    assert "upytool sim start" in caught.value.hint


def test_only_foreign_ports_are_listed_but_never_opened() -> None:
    listened = Listened()
    with pytest.raises(NoDeviceError) as caught:
        look(None, zoo.gps(), zoo.modem(), zoo.builtin(), open_port=listened)
    assert "port:/dev/ttyACM3" in caught.value.hint
    assert "ttyS0" not in caught.value.hint
    assert listened.opened == []


def test_a_board_in_its_boot_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advice, "boards_in_bootloader", lambda: [UsbDevice(0x2E8A, 3, "1-2")])
    with pytest.raises(NoDeviceError, match="RP2040 in BOOTSEL mode") as caught:
        look(None, zoo.gps())
    assert "upytool flash" in caught.value.hint


def test_a_boot_loader_with_a_serial_port() -> None:
    with pytest.raises(NoDeviceError, match="ESP32-S2 in its ROM loader"):
        look(None, zoo.port("/dev/ttyACM0", "303a:0002", location="1-1:1.0"))


def test_a_simulated_board_runs() -> None:
    with pytest.raises(NoDeviceError) as caught:
        look(None, running=lambda: ["sim:wasm"])
    assert "upytool -d sim:wasm" in caught.value.hint


def test_a_real_pty_is_listened_to_without_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import select
    import sys
    import threading

    if sys.platform == "win32":
        pytest.skip("pseudo terminals need a POSIX system")
    import pty
    import tty

    master, slave = pty.openpty()
    try:
        tty.setraw(slave)
        port = dataclasses.replace(zoo.cp2102(), path=os.ttyname(slave))
        target = resolve(None, ports=lambda: [port])
        assert target.address == port.path
        assert select.select([master], [], [], 0.1)[0] == []
        # One sentence a second, as GPS receivers do, and the full time to hear it.
        monkeypatch.setattr("upytool.discovery.listen.LISTEN", 1.1)
        timer = threading.Timer(0.9, os.write, (master, b"$GPGGA,1,2,3\r\n"))
        timer.start()
        with pytest.raises(NoDeviceError):
            resolve(None, ports=lambda: [port])
        timer.join()
    finally:
        os.close(master)
        os.close(slave)


def test_every_form_in_the_reference_is_one() -> None:
    import re
    from pathlib import Path

    page = Path(__file__).resolve().parents[3] / "docs" / "reference" / "selectors.md"
    table = page.read_text(encoding="utf-8").split("\n\n")[2]
    cells = [line.split("|")[1] for line in table.splitlines()[2:]]
    forms = [form for cell in cells for form in re.findall(r"`([^`]+)`", cell)]
    forms += re.findall(r"`((?:port|usb|execpty):[^`]+)`", table)
    assert len(forms) > 15
    serial = "E6605838834F2A30"
    ports = (zoo.pico(serial=serial), zoo.cp2102(place="1-2.3"))
    for form in forms:
        text = form.replace("/SERIAL", f"/{serial}")
        assert look(text, *ports, aliases={"kitchen": f"id:{serial}"}).address


@pytest.mark.parametrize("selector", ["port:exec:true", "port:execpty:true"])
def test_a_port_is_no_program_and_no_url(selector: str) -> None:
    with pytest.raises(UsageError, match="is not a port"):
        resolve(selector, ports=list)


@pytest.mark.parametrize("selector", ["/dev/upy-none", "port:/dev/upy-none", "ttyNONE", "id:none", "usb:1-9"])
def test_a_named_board_that_is_not_there_may_be_the_one_in_its_bootloader(
    monkeypatch: pytest.MonkeyPatch, selector: str
) -> None:
    monkeypatch.setattr(advice, "boards_in_bootloader", lambda: [UsbDevice(0x2E8A, 3, "1-2")])
    with pytest.raises((NoDeviceError, PortMissingError)) as raised:
        connect(selector)
    assert "1-2" in raised.value.hint
    assert "`upytool flash`" in raised.value.hint
