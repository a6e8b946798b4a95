"""What the shells are offered, and one of them for real."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from upytool.cli import completion
from upytool.cli.completion import complete, remember_listing, remote_paths, selectors

from .conftest import Cli


@pytest.fixture(autouse=True)
def no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [])


def offered(line: str) -> list[str]:
    *words, incomplete = line.split(" ")
    return [item.value for item in complete([word for word in words if word], incomplete)]


def test_commands() -> None:
    assert "config" in offered("")
    assert offered("conf") == ["config"]
    assert "fs" not in offered("f")
    assert offered("version + conf") == ["config"]
    assert offered("version conf") == ["config"]


def test_macros_of_the_table(clean_environment: Path) -> None:
    folder = clean_environment / "config"
    folder.mkdir()
    (folder / "config.toml").write_text("[macros]\nblink = 'exec 1'\n", encoding="utf-8")
    (folder / "config.py").write_text("open('ran', 'w')", encoding="utf-8")
    assert offered("bli") == ["blink"]
    assert not (folder / "ran").exists()


def test_subcommands_and_options() -> None:
    assert offered("config ") == ["list", "get", "set", "unset", "path", "edit"]
    assert offered("config li") == ["list"]
    assert offered("config list --or") == ["--origin"]
    assert offered("config list --ver") == ["--verbose"]
    assert offered("--col") == ["--color"]
    assert offered("config get bau") == ["baud"]
    assert offered("dirs st") == ["state"]
    assert offered("help exit") == ["exit-codes"]


def test_values_of_global_options(clean_environment: Path) -> None:
    folder = clean_environment / "config"
    folder.mkdir()
    (folder / "config.toml").write_text("[devices]\nkitchen = 'id:1'\n", encoding="utf-8")
    assert offered("--color al") == ["always"]
    assert offered("version -d ki") == ["kitchen"]
    assert offered("-d si") == ["sim"]


@pytest.mark.parametrize("line", ["nonsense ", "version --nonsense ", "--baud x "])
def test_a_wrong_line_offers_nothing(line: str) -> None:
    assert offered(line) == []


def test_remote_paths_come_from_earlier_listings() -> None:
    remember_listing(None, "/", [("main.py", False), ("lib", True)])
    remember_listing(None, "/lib", [("a.py", False)])
    remember_listing("id:2", "/", [("other.py", False)])
    assert remote_paths(None, "") == ["lib/", "main.py"]
    assert remote_paths(None, "/ma") == ["/main.py"]
    assert remote_paths(None, "lib/") == ["lib/a.py"]
    assert remote_paths(None, "nowhere/") == []
    assert remote_paths("id:2", "") == ["other.py"]
    assert remote_paths("unknown", "") == []


def test_remote_paths_in_a_line() -> None:
    remember_listing(None, "/", [("main.py", False), ("lib", True)])
    remember_listing("id:2", "/", [("other.py", False)])
    assert offered("cp :m") == [":main.py"]
    assert offered("cat m") == ["main.py"]
    assert offered("cat :l") == [":lib/"]
    assert offered("cp x -d id:2 :") == [":other.py"]
    assert offered("connect id:2 cat ") == ["other.py"]


def test_listings_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "MAX_DIRECTORIES", 3)
    for number in range(6):
        remember_listing(None, f"/d{number}", [("x", False)])
    assert remote_paths(None, "/d2/") == []
    assert remote_paths(None, "/d5/") == ["/d5/x"]


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"/": 5}'])
def test_a_damaged_cache_offers_nothing(text: str) -> None:
    remember_listing(None, "/", [("x", False)])
    (file,) = (Path(os.environ["UPYTOOL_CACHE_DIR"]) / "completion").iterdir()
    file.write_text(text, encoding="utf-8")
    assert remote_paths(None, "") == []
    remember_listing(None, "/", [("y", False)])
    assert remote_paths(None, "") == ["y"]


class Port:
    def __init__(self, device: str, serial_number: str | None, vid: int | None = 1) -> None:
        self.device, self.serial_number, self.vid = device, serial_number, vid
        self.manufacturer, self.product = "Maker", "Board"


def test_ports_and_serial_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    ports = [Port("/dev/ttyACM0", "E66"), Port("/dev/ttyS0", None, None)]
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: ports)
    assert selectors() == [
        ("/dev/ttyACM0", "Maker Board"),
        ("id:E66", "Maker Board"),
        ("sim", "a simulated board"),
    ]


def test_a_slow_system_gets_the_last_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serial.tools.list_ports.comports", lambda: [Port("/dev/ttyACM0", None)])
    selectors()

    over = threading.Event()

    def slow() -> list[Port]:
        over.wait(100)
        return []

    monkeypatch.setattr("serial.tools.list_ports.comports", slow)
    try:
        assert selectors()[0][0] == "/dev/ttyACM0"
        assert not over.is_set()
    finally:
        over.set()


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_scripts(cli: Cli, shell: str) -> None:
    done = cli("completions", shell)
    assert done.code == 0
    assert "_UPYTOOL_COMPLETE" in done.out
    assert f"{shell}_complete" in done.out


@pytest.mark.parametrize(
    ("shell", "env", "expected"),
    [
        (
            "zsh",
            {"COMP_WORDS": "upytool conf", "COMP_CWORD": "1"},
            "plain\nconfig\nshow and change settings\n",
        ),
        ("fish", {"COMP_WORDS": "upytool conf", "COMP_CWORD": "conf"}, "config"),
        ("powershell", {"COMP_WORDS": "upytool conf", "COMP_CWORD": "1"}, "plain\nconfig\n"),
    ],
)
def test_answers(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, shell: str, env: dict[str, str], expected: str
) -> None:
    monkeypatch.setenv("_UPYTOOL_COMPLETE", f"{shell}_complete")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    done = cli("conf")
    assert done.code == 0
    assert expected in done.out
    monkeypatch.setenv("_UPYTOOL_COMPLETE", "tcsh_complete")
    assert cli("conf").code == 1


@pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="no bash")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("upytool conf", ["config"]),
        ("upytool config li", ["list"]),
        # bash breaks words at the colon and wants only what follows it.
        ("upytool cat :ma", ["main.py"]),
        ("upytool cat :lib/", ["lib/a.py"]),
        ("upytool cat main.py bo", ["boot.py"]),
        ("upytool -d id:2 cat o", ["other.py"]),
    ],
)
def test_in_a_real_bash(cli: Cli, tmp_path: Path, line: str, expected: list[str]) -> None:
    remember_listing(None, "/", [("main.py", False), ("boot.py", False), ("lib", True)])
    remember_listing(None, "/lib", [("a.py", False)])
    remember_listing("id:2", "/", [("other.py", False)])
    (tmp_path / "script").write_text(cli("completions", "bash").out, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "upytool"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m upytool "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    drive = (
        f"source {tmp_path}/script\n"
        f"COMP_LINE='{line}' COMP_POINT={len(line)} COMP_WORDBREAKS=$' \\t\\n\"\\'><=;|&(:'\n"
        '_upytool_completion upytool\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", drive],
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == expected, done.stderr
