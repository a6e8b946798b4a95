"""What the shells are offered; test_shells.py has the shells themselves."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from upytool.cli import listings
from upytool.cli.completion import complete, selectors
from upytool.cli.listings import remember_board, remember_change, remember_listing, remote_paths


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


@pytest.fixture
def boards() -> None:
    """Two boards were used: `auto` meant one, `id:2` the other."""
    remember_board(["auto"], "one")
    remember_board(["id:2", "/dev/ttyACM2"], "two")
    remember_listing("one", "/", [("main.py", False), ("lib", True)])
    remember_listing("one", "/lib", [("a.py", False)])
    remember_listing("two", "/", [("other.py", False)])


@pytest.mark.usefixtures("boards")
def test_remote_paths_come_from_earlier_listings() -> None:
    assert remote_paths(["auto"], "") == ["lib/", "main.py"]
    assert remote_paths(["auto"], "/ma") == ["/main.py"]
    assert remote_paths(["auto"], "lib/") == ["lib/a.py"]
    assert remote_paths(["auto"], "nowhere/") == []
    assert remote_paths(["id:2"], "") == ["other.py"]
    assert remote_paths(["unknown"], "") == []


@pytest.mark.usefixtures("boards")
def test_every_name_of_a_board_shares_its_listings(clean_environment: Path) -> None:
    folder = clean_environment / "config"
    folder.mkdir()
    (folder / "config.toml").write_text("[devices]\nk = 'kitchen'\nkitchen = 'id:2'\n", encoding="utf-8")
    for selector in ("id:2", "k", "kitchen", "/dev/ttyACM2", "port:/dev/ttyACM2", "a2"):
        assert offered(f"-d {selector} cat :") == [":other.py"], selector
    assert offered("a2 cat :") == [":other.py"]


def test_what_was_copied_and_removed_is_known() -> None:
    remember_board(["auto"], "one")
    remember_change("one", ["/lib/new/x.py", "main.py"], [])
    assert remote_paths(["auto"], "") == ["lib/", "main.py"]
    assert remote_paths(["auto"], "lib/new/") == ["lib/new/x.py"]
    remember_change("one", ["main.py"], ["/lib/new/x.py"])
    assert remote_paths(["auto"], "") == ["lib/", "main.py"]
    assert remote_paths(["auto"], "lib/new/") == []


def test_bare_names_that_are_no_paths_get_their_colon() -> None:
    remember_board(["auto"], "one")
    remember_listing("one", "/", [("-rf", False), ("+", False), (":x", False), ("a", False)])
    assert sorted(offered("cat ")) == [":+", ":-rf", "::x", "a"]
    assert sorted(offered("cat :")) == [":+", ":-rf", "::x", ":a"]


@pytest.mark.usefixtures("boards")
def test_remote_paths_in_a_line() -> None:
    assert offered("cp :m") == [":main.py"]
    assert offered("cat m") == ["main.py"]
    assert offered("cat :l") == [":lib/"]
    assert offered("cp x -d id:2 :") == [":other.py"]
    assert offered("connect id:2 cat ") == ["other.py"]


def test_listings_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listings, "MAX_DIRECTORIES", 3)
    monkeypatch.setattr(listings, "MAX_SELECTORS", 3)
    for number in range(6):
        remember_board([f"s{number}"], "one")
        remember_listing("one", f"/d{number}", [("x", False)])
    assert remote_paths(["s5"], "/d2/") == []
    assert remote_paths(["s5"], "/d5/") == ["/d5/x"]
    assert remote_paths(["s2"], "/d5/") == []


@pytest.mark.parametrize("text", ["", "not json", "[1]", '{"/": 5}', '{"one": [1]}', "[" * 5000, '{"auto": [1]}'])
def test_a_damaged_cache_offers_nothing(text: str) -> None:
    remember_board(["auto"], "one")
    remember_listing("one", "/", [("x", False)])
    for file in (Path(os.environ["UPYTOOL_CACHE_DIR"]) / "completion").iterdir():
        file.write_text(text, encoding="utf-8")
    assert remote_paths(["auto"], "") == []
    selectors()
    remember_board(["auto"], "one")
    remember_listing("one", "/", [("y", False)])
    assert remote_paths(["auto"], "") == ["y"]


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
