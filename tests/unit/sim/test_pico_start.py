"""What counts as a started pico: a composite device, firmware that takes its time, and what is said meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from upytool.sim import registry
from upytool.sim.usb_wire import find_serial
from upytool.testing import Recorder


def interface(number: int, endpoints: list[tuple[int, int]], kind: tuple[int, int, int]) -> bytes:
    """An interface descriptor and its endpoints, (address, attributes) each (USB 2.0, tables 9-12 and 9-13)."""
    out = bytes((9, 4, number, 0, len(endpoints), *kind, 0))
    for address, attributes in endpoints:
        out += bytes((7, 5, address, attributes, 64, 0, 0))
    return out


def association(first: int, count: int, kind: int) -> bytes:
    return bytes((8, 11, first, count, kind, 2, 0, 0))


def configuration(*parts: bytes) -> bytes:
    body = b"".join(parts)
    return bytes((9, 2)) + (len(body) + 9).to_bytes(2, "little") + bytes((4, 1, 0, 0x80, 50)) + body


HEADER = bytes((5, 0x24, 0, 0x10, 1))
REPL = (interface(0, [(0x81, 3)], (2, 2, 0)), HEADER, interface(1, [(0x82, 2), (2, 2)], (10, 0, 0)))
DISK = interface(2, [(0x83, 2), (3, 2)], (8, 6, 80))
KEYS = interface(3, [(0x84, 3), (4, 3)], (3, 0, 0))
MIDI = interface(4, [], (1, 1, 0)) + interface(5, [(0x85, 2), (5, 2)], (1, 3, 0))


def data_only(control: int) -> tuple[bytes, bytes]:
    return (
        interface(control, [(0x80 | control, 3)], (2, 2, 0)),
        interface(control + 1, [(0x86, 2), (6, 2)], (10, 0, 0)),
    )


@pytest.mark.parametrize(
    "parts",
    [
        (association(0, 2, 2), *REPL, DISK, KEYS, MIDI),
        (DISK, KEYS, MIDI, association(0, 2, 2), *REPL),
        (association(0, 2, 2), *REPL, association(7, 2, 2), *data_only(7)),
    ],
    ids=["circuitpython", "serial last", "two serial ports"],
)
def test_the_first_cdc_function_of_a_composite_device_is_the_repl(parts: tuple[bytes, ...]) -> None:
    serial = find_serial(configuration(*parts))
    assert serial is not None
    assert (serial.control, serial.data, serial.read, serial.write) == (0, 1, 2, 2)


def test_a_device_without_a_serial_port_has_none() -> None:
    assert find_serial(configuration(DISK, KEYS, MIDI)) is None


class Slow:
    """A MODEL of a server process that takes `seconds` until its board is there."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.info = registry.SimInfo("slow", "pico", "/dev/null", 1, str(folder), 1, "t")
        self.since, self.seconds = time.monotonic(), seconds

    def find(self, name: str) -> registry.SimInfo | None:
        return self.info if time.monotonic() - self.since >= self.seconds else None


def test_a_start_that_takes_its_time_is_waited_for_with_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "TELL_AFTER", 0.1)
    monkeypatch.setattr(registry, "TELL_EVERY", 0.2)
    monkeypatch.setattr(registry, "find", Slow(tmp_path, 1.5).find)
    ends = threading.Event()

    class Process:
        def __init__(self, *_: object, **__: object) -> None:
            self.returncode = None

        def poll(self) -> int | None:
            return None

        def wait(self, timeout: float) -> int:
            ends.set()
            return 0

    monkeypatch.setattr(registry.subprocess, "Popen", Process)
    recorder = Recorder()
    info = registry._launch("slow", "pico", [], tmp_path, 60, recorder)
    assert info.name == "slow"
    assert len(recorder.events) >= 2
    assert ends.is_set() or sys.platform == "win32"


def test_a_pico_may_take_as_long_as_circuitpython_does() -> None:
    # Seen: 80 to 110 s on an idle machine of two cores.
    assert registry.START_TIMEOUT["pico"] > registry.BOOT_PATIENCE > 300
