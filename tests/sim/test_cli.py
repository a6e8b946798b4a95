"""`upytool sim` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


def upytool(*words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "upytool", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
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


def test_the_first_start_says_that_it_takes_a_moment(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPYTOOL_CACHE_DIR", str(tmp_path / "cache"))
    first = upytool("sim", "start")
    upytool("sim", "stop")
    second = upytool("sim", "start")
    said = set(first.stderr.splitlines()) - set(second.stderr.splitlines())
    assert len(said) == 1
    assert "MicroPython" in said.pop()
    assert first.stdout == second.stdout
