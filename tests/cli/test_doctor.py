"""`upytool doctor`: its two faces, its report, its exit code, and the checks of upytool itself."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import usb_zoo as zoo
from upytool.api import health
from upytool.cli.commands import doctor as command
from upytool.cli.ui.style import Style
from upytool.config.load import load
from upytool.discovery import doctor
from upytool.discovery.doctor import Check, Computer
from upytool.errors import NetworkError
from upytool.flashers import volumes
from upytool.flashers.volumes import Unmounted

from .conftest import Cli


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """A MODEL of this computer: one Pico, nobody in the way."""
    facts: dict[str, Any] = {"may": lambda path: True}
    real = doctor.examine

    def examine(computer: Computer | None = None) -> list[Check]:
        return real(
            Computer(
                "linux", str(tmp_path), {}, lambda: [zoo.pico()], list, lambda port: "", libusb=lambda: True, **facts
            )
        )

    monkeypatch.setattr(doctor, "examine", examine)
    monkeypatch.setattr(volumes, "find_volumes", list)
    monkeypatch.setattr(volumes, "find_unmounted", list)
    monkeypatch.setattr(health, "_fetch", lambda url: b"{}")
    return facts


def test_all_is_well(cli: Cli) -> None:
    run = cli("doctor")
    assert run.code == 0
    rows = [line.split("\t") for line in run.out.splitlines()]
    assert ["ok", "port /dev/ttyACM0", "RP2040/RP2350 board"] in rows
    assert {row[0] for row in rows} == {"ok"}
    assert "No problem" in run.err


def test_a_problem_gives_1(cli: Cli, world: dict[str, Any]) -> None:
    world["may"] = lambda path: False
    run = cli("doctor", "--json")
    error = json.loads(run.out)["error"]
    assert (run.code, error["code"]) == (1, "differences.problems")
    assert error["fields"] == {"problems": ["port /dev/ttyACM0"]}


def test_json(cli: Cli, world: dict[str, Any]) -> None:
    run = cli("doctor", "--json", "--offline")
    assert run.code == 0
    result = json.loads(run.out)["result"]
    assert result["versions"]["esptool"].startswith("5.")
    checks = {check["name"]: check for check in result["checks"]}
    assert checks["network"]["message"] == "not looked at (--offline)"
    assert set(checks["network"]) == {"name", "verdict", "message", "remedy"}
    world["may"] = lambda path: False
    run = cli("doctor", "--json")
    assert run.code == 1
    assert json.loads(run.out.splitlines()[0])["result"]["checks"][0]["verdict"] == "problem"


def test_reports(cli: Cli, world: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    world["may"] = lambda path: False
    monkeypatch.setenv("MY_TOKEN", "hunter2-secret")
    monkeypatch.setenv("HOME", os.path.dirname(os.environ["UPYTOOL_CACHE_DIR"]))
    assert cli("doctor", "--report", "found.txt").code == 1
    text = Path("found.txt").read_text(encoding="utf-8")
    assert "[problem] port /dev/ttyACM0: permission denied" in text
    assert "70-upytool.rules" in text
    assert cli("doctor", "--report", "found.json").code == 1
    data = json.loads(Path("found.json").read_text(encoding="utf-8"))
    assert data["version"] == 1
    both = text + json.dumps(data)
    assert "hunter2" not in both
    assert os.environ["HOME"] not in both
    assert str(zoo.pico().serial_number) not in both


def test_a_report_that_cannot_be_written(cli: Cli) -> None:
    assert cli("doctor", "--report", "no/such/place.txt").code == 6


def test_for_a_person() -> None:
    checks = [Check("port x", "problem", "permission denied", "do this\nthen that"), Check("y", "ok", "is well")]
    shown = command.lines(checks, Style(False, True, 100, True))
    assert shown == ["✗ port x: permission denied", "    do this", "    then that", "✓ y: is well"]


def test_drives_that_nobody_mounted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    drive = Unmounted("/dev/sda1", "RPI-RP2", "udisksctl mount -b /dev/sda1", "1-2")
    monkeypatch.setattr(volumes, "find_unmounted", lambda: [drive])
    run = cli("doctor", "--json")
    assert run.code == 0
    checks = {check["name"]: check for check in json.loads(run.out)["result"]["checks"]}
    assert checks["drive /dev/sda1"]["remedy"].startswith("udisksctl mount -b /dev/sda1\n")


# -- upytool itself --------------------------------------------------------------------------------


def examined(**settings: Any) -> dict[str, Check]:
    found = load()
    for name, value in settings.items():
        setattr(found, name, value)
    return {check.name: check for check in health.examine_upytool(found, lambda url: b"")}


def test_an_unreachable_server_is_a_note() -> None:
    def refuse(url: str) -> object:
        raise NetworkError("https://me:secret@host refused", hint="later")

    found = load()
    found.firmware_url = "https://me:secret@mirror.example/x"  # type: ignore[attr-defined,unused-ignore]
    check = next(check for check in health.examine_upytool(found, refuse) if check.name == "network")
    assert check.verdict == "note"
    assert "secret" not in check.message


def test_nothing_is_fetched_offline() -> None:
    found = load()
    found.offline = True

    def forbidden(url: str) -> object:
        raise AssertionError("the network was used")

    health.examine_upytool(found, forbidden)


def test_a_broken_configuration(clean_environment: Path) -> None:
    path = clean_environment / "config" / "config.toml"
    path.parent.mkdir()
    settings = load()
    path.write_text("baud = [")
    check = next(check for check in health.examine_upytool(settings, lambda url: b"") if check.name == "configuration")
    assert check.verdict == "problem"
    assert "not valid TOML" in check.message


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("UPYTOOL_CACHE_DIR", str(tmp_path / "file" / "cache"))
    check = examined()["cache directory"]
    assert check.verdict == "problem"
    assert "UPYTOOL_CACHE_DIR" in check.remedy


@pytest.mark.parametrize(
    ("number", "verdict"),
    [("5.6.0", "ok"), ("5.10.1", "ok"), ("5.5.9", "problem"), ("4.8", "problem"), ("6.0", "problem")],
)
def test_the_version_of_esptool(monkeypatch: pytest.MonkeyPatch, number: str, verdict: str) -> None:
    real = health.versions
    monkeypatch.setattr(health, "versions", lambda: real() | {"esptool": number})
    assert examined()["esptool"].verdict == verdict


def test_a_part_that_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = health.versions
    monkeypatch.setattr(health, "versions", lambda: real() | {"pyusb": ""})
    assert "pyusb" in examined()["upytool"].message
