"""`upytool sim` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def upytool(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "upytool", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == status, done
    return done


def test_start_list_reset_stop(state: Path) -> None:
    started = upytool("sim", "start", "--flash-size", "512k")
    port = started.stdout.strip()
    assert "upytool -d sim:wasm" in started.stderr
    assert (state / "wasm" / "flash.img").stat().st_size == 512 * 1024
    assert upytool("sim", "start", "--fresh").stderr.count("kept its flash") == 1
    listed = json.loads(upytool("sim", "list", "--json").stdout)["result"]
    assert [(item["name"], item["port"]) for item in listed] == [("wasm", port)]
    assert "token" not in listed[0]
    assert upytool("-d", "sim", "exec", "print(6 * 7)").stdout.strip() == "42"
    upytool("sim", "reset")
    upytool("sim", "start", "--name", "two")
    assert "two, wasm" in upytool("sim", "stop", status=2).stderr
    upytool("sim", "stop", "sim:two")
    upytool("sim", "stop", "--all")
    assert upytool("sim", "list", "--json").stdout.count("port") == 0


def test_mistakes_have_advice(state: Path) -> None:
    assert "upytool sim start" in upytool("sim", "stop", status=3).stderr
    assert "--image" in upytool("sim", "start", "wasm", "--image", __file__, status=2).stderr
    assert "BOOTSEL" in upytool("sim", "start", "wasm", "--bootsel", status=2).stderr
    upytool("sim", "start", "--flash-size", "many", status=2)
    upytool("sim", "start", "esp32", status=2)


def test_the_first_start_says_that_it_prepares(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It compiles for seconds: 6 on an idle machine."""
    monkeypatch.setenv("UPYTOOL_CACHE_DIR", str(tmp_path / "cache"))
    word = "Preparing MicroPython"
    assert upytool("sim", "start").stderr.splitlines()[0].startswith(word)
    upytool("sim", "stop")
    assert word not in upytool("sim", "start").stderr
    assert word not in upytool("-q", "sim", "start", "--name", "two").stderr
    upytool("sim", "stop", "--all")
