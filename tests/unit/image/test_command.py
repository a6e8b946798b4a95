"""`upytool firmware inspect`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.image.parts import pico_like
from upytool.cli import table
from upytool.image.chips import RP2040
from upytool.image.dfuse import DfuElement, DfuTarget, write_dfu
from upytool.image.memory import Memory
from upytool.image.uf2 import write_uf2

pytestmark = pytest.mark.skipif(table.find("firmware") is None, reason="the command table has no row for `firmware`")


def upytool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "upytool", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def uf2(tmp_path: Path) -> Path:
    file = tmp_path / "firmware.uf2"
    file.write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, pico_like())]))]))
    return file


def test_text(uf2: Path) -> None:
    done = upytool("firmware", "inspect", uf2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "v1.27.0 of 2025-12-09, takes .mpy 6.3" in done.stdout
    assert "rp2040" in done.stdout
    assert "RPI_PICO" in done.stdout


def test_json(uf2: Path) -> None:
    done = upytool("firmware", "inspect", uf2, "--json")
    result = json.loads(done.stdout)["result"]
    assert (done.returncode, result["chip"], result["board"], result["valid"]) == (
        0,
        "rp2040",
        "RPI_PICO",
        True,
    )


def test_no_firmware(tmp_path: Path) -> None:
    file = tmp_path / "firmware.uf2"
    file.write_bytes(b"<!doctype html><html>")
    done = upytool("firmware", "inspect", file)
    assert done.returncode == 7
    assert done.stderr.startswith("error: firmware.uf2 is a web page, not firmware\nhint: download it again")
    assert done.stdout == ""


def test_damaged(tmp_path: Path) -> None:
    file = tmp_path / "firmware.dfu"
    data = write_dfu((DfuTarget((DfuElement(0x08000000, bytes(64)),)),))
    file.write_bytes(data[:300] + b"x" + data[301:])
    done = upytool("firmware", "inspect", file)
    assert done.returncode == 7
    assert "DOES NOT AGREE" in done.stdout
    assert "error: firmware.dfu is damaged" in done.stderr
    done = upytool("firmware", "inspect", file, "--json")
    assert done.returncode == 7
    assert json.loads(done.stdout)["result"]["valid"] is False


def spent() -> float:
    """Seconds of CPU that the programs took which have ended: what else the machine does is not in it."""
    times = os.times()
    return times.children_user + times.children_system


def test_quick(tmp_path: Path) -> None:
    """2 MB in under 0.3 s, the whole command; a busy machine gets more, the bench holds the real figure."""
    file = tmp_path / "large.uf2"
    body = (pico_like() + bytes(range(256)) * 4096)[: 1 << 20]
    file.write_bytes(write_uf2([(RP2040, Memory.of([(0x10000000, body)]))]))
    took = []
    for _ in range(3):
        started = spent()
        assert upytool("firmware", "inspect", file).returncode == 0
        took.append(spent() - started)
    assert min(took) < 2
