"""What is remembered of devices, on a real disk."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.discovery import remembered as module
from upytool.discovery.remembered import Entry, Remembered


def test_a_device_is_known_in_the_next_run(tmp_path: Path) -> None:
    path = str(tmp_path / "state" / "devices.json")
    Remembered(path, lambda: 1000.0).remember(zoo.cp2102(), board="ESP32", baud=460800)
    again = Remembered(path)
    assert again.get(zoo.cp2102("/dev/ttyUSB9")) == Entry("ESP32", 1000, 460800)
    assert again.get(zoo.ch340()) is None
    assert os.listdir(tmp_path / "state") == ["devices.json"]


def test_a_bridge_in_another_socket_is_another_device(tmp_path: Path) -> None:
    known = Remembered(str(tmp_path / "d.json"))
    known.remember(zoo.ch340())
    assert known.get(zoo.ch340(place="1-9")) is None


def test_later_answers_keep_what_they_do_not_say(tmp_path: Path) -> None:
    known = Remembered(str(tmp_path / "d.json"), lambda: 5.0)
    known.remember(zoo.ch340(), board="ESP8266", baud=74880)
    known.remember(zoo.ch340())
    assert known.get(zoo.ch340()) == Entry("ESP8266", 5, 74880)


def test_other_firmware_is_asked_anew(tmp_path: Path) -> None:
    path = str(tmp_path / "d.json")
    known = Remembered(path, lambda: 5.0)
    known.remember(zoo.ch340(), board="ESP8266", baud=74880, frozen=False)
    known.renew(zoo.ch340())
    assert Remembered(path, lambda: 6.0).frozen(zoo.ch340()) is None
    assert Remembered(path).get(zoo.ch340()) == Entry("", 5, 74880)
    known.renew(zoo.ch340(place="1-9"))
    assert known.get(zoo.ch340(place="1-9")) is None


def test_nothing_is_written_again_within_an_hour(tmp_path: Path) -> None:
    now = [10_000.0]
    path = tmp_path / "d.json"
    known = Remembered(str(path), lambda: now[0])
    known.remember(zoo.ch340(), board="x")
    path.unlink()
    now[0] += 60
    known.remember(zoo.ch340(), board="x")
    assert not path.exists()
    now[0] += 3600
    known.remember(zoo.ch340(), board="x")
    assert path.exists()


def test_forgetting(tmp_path: Path) -> None:
    known = Remembered(str(tmp_path / "d.json"))
    known.remember(zoo.ch340())
    assert known.forget(zoo.ch340())
    assert not known.forget(zoo.ch340())
    assert Remembered(str(tmp_path / "d.json")).get(zoo.ch340()) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"version": 99, "devices": {"1a86:7523@1-5": {"board": "x"}}}',
        '{"version": 1, "devices": []}',
        '{"version": 1, "devices": {"1a86:7523@1-5": 7}}',
        '{"version": 1, "devices": {"1a86:7523@1-5": {"board": 7}}}',
        '{"version": 1, "devices": {"1a86:7523@1-5": {"baud": "fast"}}}',
    ],
)
def test_a_damaged_file_is_an_empty_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "d.json"
    path.write_text(text)
    known = Remembered(str(path))
    assert known.get(zoo.ch340()) is None
    known.remember(zoo.ch340(), board="y")
    assert json.loads(path.read_text())["devices"]["1a86:7523@1-5"]["board"] == "y"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs a place where not even root writes")
def test_a_place_that_cannot_be_written_is_no_error() -> None:
    known = Remembered("/proc/no/devices.json")
    known.remember(zoo.ch340())
    assert known.get(zoo.ch340()) is not None


def test_a_port_that_is_no_usb_device_is_not_remembered(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    known = Remembered(str(path))
    known.remember(zoo.builtin())
    assert known.get(zoo.builtin()) is None
    assert not path.exists()


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "d.json")
    clock = iter(range(0, 10**9, 4000))
    known = Remembered(path, lambda: float(next(clock)))
    known.remember(zoo.ch340())
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            known.remember(zoo.ch340())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            assert Remembered(path).get(zoo.ch340()) is not None
    finally:
        stop.set()
        writer.join()


def test_the_file_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 3)
    now = [0.0]
    known = Remembered(str(tmp_path / "d.json"), lambda: now[0])
    for number in range(6):
        now[0] += 10
        known.remember(zoo.pico(serial=f"s{number}"))
    kept = Remembered(str(tmp_path / "d.json"))
    assert [number for number in range(6) if kept.get(zoo.pico(serial=f"s{number}"))] == [3, 4, 5]


def test_whether_our_modules_are_frozen_is_kept(tmp_path: Path) -> None:
    now, path = [1_000_000.0], str(tmp_path / "d.json")
    known = Remembered(path, lambda: now[0])
    assert known.frozen(zoo.ch340()) is None
    known.remember(zoo.ch340(), frozen=False)
    assert Remembered(path, lambda: now[0]).frozen(zoo.ch340()) is False
    known.remember(zoo.ch340(), board="later, not asked again")
    assert known.frozen(zoo.ch340()) is False
    now[0] += 8 * 86400
    # Other firmware may be on it by now: asked again. The answer is new though it is the same.
    assert known.frozen(zoo.ch340()) is None
    known.remember(zoo.ch340(), frozen=False)
    assert known.frozen(zoo.ch340()) is False
    known.remember(zoo.ch340(), frozen=True)
    now[0] += 400 * 86400
    assert Remembered(path, lambda: now[0]).frozen(zoo.ch340()) is True


def test_a_board_that_refused_bytecode_is_not_sent_any_for_a_week(tmp_path: Path) -> None:
    path, now = str(tmp_path / "d.json"), [1e9]
    known = Remembered(path, lambda: now[0])
    assert known.bytecode(zoo.ch340())
    known.remember(zoo.ch340(), bytecode=False)
    now[0] += 3 * 86400
    known.remember(zoo.ch340(), bytecode=False)  # it was not asked again
    assert not Remembered(path, lambda: now[0]).bytecode(zoo.ch340())
    now[0] += 5 * 86400
    assert known.bytecode(zoo.ch340())
    known.remember(zoo.ch340(), bytecode=False)
    known.renew(zoo.ch340())
    assert known.bytecode(zoo.ch340())
    known.remember(zoo.ch340(), bytecode=False)
    known.remember(zoo.ch340())
    assert Remembered(path, lambda: now[0]).bytecode(zoo.ch340())


@pytest.mark.parametrize("value", ['"frozen": 1', '"frozen": "yes"', '"frozen": true, "asked": "x"', '"board": "y"'])
def test_files_without_or_with_a_strange_answer(tmp_path: Path, value: str) -> None:
    path = tmp_path / "d.json"
    key = json.dumps(zoo.ch340().key)
    path.write_text('{"version": 1, "devices": {%s: {"seen": 5, %s}}}' % (key, value))
    known = Remembered(str(path), lambda: 6.0)
    assert known.get(zoo.ch340()) is not None
    assert known.frozen(zoo.ch340()) is None
