"""Macros: the three sources and their arguments (tests/cli/test_chain.py compares these with mpremote)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upytool.config.macros import Macros, load_macros, shortcut
from upytool.errors import ConfigError, UsageError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("UPYTOOL_CONFIG_DIR", str(tmp_path / "upytool"))
    monkeypatch.setattr("upytool.config.macros.mpremote_config_dir", lambda: str(tmp_path / "mpremote"))
    for name in ("upytool", "mpremote"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_sources_in_order(home: Path) -> None:
    (home / "mpremote" / "config.py").write_text(
        "commands = {'a': 'exec mpremote', 'b': 'exec mpremote', 'c': 'exec mpremote'}\n", encoding="utf-8"
    )
    (home / "upytool" / "config.py").write_text("commands['b'] = commands['c'] = 'exec own'\n", encoding="utf-8")
    macros = load_macros({"c": "exec table"}, "config.toml")
    assert [macros.expand([name])[1] for name in "abc"] == ["mpremote", "own", "table"]


def test_config_py_runs_as_mpremote_runs_it(home: Path) -> None:
    folder = home / "mpremote"
    (folder / "part.txt").write_text("exec 1", encoding="utf-8")
    (folder / "config.py").write_text(
        "import os\n"
        "assert os.path.samefile(os.getcwd(), config_path)\n"
        "assert __file__ == os.path.join(config_path, 'config.py')\n"
        "commands = {'x': open('part.txt').read()}\n".replace("open('part.txt').read()", "'exec 1'"),
        encoding="utf-8",
    )
    before = os.getcwd()
    macros = load_macros({}, "")
    assert macros.warnings == []
    assert macros.expand(["x"]) == ["exec", "1"]
    assert os.getcwd() == before


@pytest.mark.parametrize("text", ["1/0", "syntax error", "commands = {'x': 3}", "commands = 5", "raise SystemExit(3)"])
def test_a_broken_config_py_is_one_warning(home: Path, text: str) -> None:
    path = home / "mpremote" / "config.py"
    path.write_text(text, encoding="utf-8")
    before = os.getcwd()
    macros = load_macros({"y": "exec 1"}, "config.toml")
    assert len(macros.warnings) == 1
    assert str(path) in macros.warnings[0]
    assert macros.expand(["y"]) == ["exec", "1"]
    assert os.getcwd() == before


def test_completion_does_not_run_files(home: Path) -> None:
    (home / "mpremote" / "config.py").write_text("raise SystemExit(3)", encoding="utf-8")
    assert load_macros({}, "", run_files=False).warnings == []


@pytest.mark.parametrize("value", ["", [], 3, {"help": "x"}, ["exec", 1]])
def test_macros_that_are_none(value: object) -> None:
    with pytest.raises(ConfigError, match=r"config\.toml: the macro 'x y' "):
        Macros().add({"x y": value}, "config.toml")


def test_arguments() -> None:
    macros = Macros()
    macros.add({"led pin on=1": {"command": ["exec", "pin(on)"], "help": "an LED"}}, "test")
    assert macros.expand(["led", "5"]) == ["exec", "pin=5;on=1", "exec", "pin(on)"]
    assert macros.expand(["led", "pin=5", "on=0", "ls"]) == ["exec", "pin=5;on=0", "exec", "pin(on)", "ls"]
    assert macros.by_name["led"].signature == "led pin on=1"
    with pytest.raises(UsageError, match="needs the argument pin") as caught:
        macros.expand(["led"])
    assert caught.value.hint == "it is: led pin on=1"
    with pytest.raises(UsageError, match="has no argument off"):
        macros.expand(["led", "5", "off=3"])


@pytest.mark.parametrize(
    ("word", "port"),
    [("a0", "/dev/ttyACM0"), ("u13", "/dev/ttyUSB13"), ("c4", "COM4"), ("a", ""), ("b0", ""), ("a0x", "")],
)
def test_shortcuts(word: str, port: str) -> None:
    assert shortcut(word) == port
    assert Macros().expand([word, "ls"]) == (["connect", port, "ls"] if port else [word, "ls"])


def test_a_macro_may_replace_a_shortcut() -> None:
    macros = Macros()
    macros.add({"a0": "connect id:1"}, "test")
    assert macros.expand(["a0"]) == ["connect", "id:1"]
