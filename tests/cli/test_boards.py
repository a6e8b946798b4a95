"""`upytool boards`."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_list_and_search(cli: Any) -> None:
    done = cli("boards", "list", "--port", "RP2", "--mcu", "rp2350")
    assert (done.code, "RPI_PICO2\trp2\trp2350" in done.out, "RPI_PICO\t" in done.out) == (0, True, False)
    assert "RPI_PICO_W" in cli("boards", "search", "pico", "w").out
    none = cli("boards", "search", "nothing_like_it")
    assert (none.code, none.out, none.err.splitlines()[0]) == (0, "", "0 boards")
    assert "boards list" in none.err


def test_a_board_with_its_flash(cli: Any) -> None:
    said = cli("boards", "show", "pico").out
    assert "flash       2MB\n" in said
    assert "flash\t0x100a0000\t1.4 MB\tLittleFS\n" in said
    assert "flash of ESP32_GENERIC-OTA" in cli("boards", "show", "ESP32_GENERIC").out


def test_one_variant(cli: Any) -> None:
    said = cli("boards", "show", "esp32_generic-d2wd").out
    assert "flash       2MB\n" in said
    assert [line for line in said.splitlines() if line.startswith("flash of")] == ["flash of ESP32_GENERIC-D2WD"]


def test_a_layout_that_nobody_knows_is_a_warning(cli: Any) -> None:
    done = cli("boards", "show", "RPI_PICO", "--version", "9.9", "--json")
    told = json.loads(done.out)
    assert (done.code, told["result"]["layouts"]) == (0, {})
    assert "not known for MicroPython 9.9" in told["warnings"][0]
    assert "releases" in told["warnings"][0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("list --port rp", "did you mean rp2?"),
        ("show picoo", "did you mean RPI_PICO"),
        ("show RPI_PICO-X", "RPI_PICO has no variants"),
        ("show ESP32_GENERIC-OTX", "OTA"),
        ("show RPI_PICO --version soon", "is not a version of MicroPython"),
    ],
)
def test_refused(cli: Any, line: str, said: str) -> None:
    done = cli("boards", *line.split())
    assert (done.code, done.out, said in done.err) == (2, "", True), done.err
