"""Layers, their origins, and what is said about mistakes in the files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from upytool.config.load import Settings, load
from upytool.config.options import BY_KEY, OPTIONS
from upytool.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in list(os.environ):
        if name.startswith("UPYTOOL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("UPYTOOL_CONFIG_DIR", str(tmp_path))
    (tmp_path / "project" / "deep").mkdir(parents=True)
    return tmp_path


def user(home: Path, text: str) -> None:
    (home / "config.toml").write_text(text, encoding="utf-8")


def project(home: Path, text: str, name: str = "upytool.toml") -> None:
    (home / "project" / name).write_text(text, encoding="utf-8")


def settings(home: Path, env: dict[str, str] | None = None, **flags: object) -> Settings:
    return load(flags, environ=env or {}, cwd=str(home / "project" / "deep"))


def test_the_table_and_the_typed_names_agree() -> None:
    names = set(Settings.__annotations__)
    assert names == {option.name for option in OPTIONS}


def test_defaults(home: Path) -> None:
    found = settings(home)
    for option, value, layer, detail in found.items():
        assert value == option.default
        assert (layer, detail) == ("default", "")


def test_layers_win_in_order(home: Path) -> None:
    assert settings(home).baud == 115200
    user(home, "baud = 1")
    assert settings(home).baud == 1
    assert settings(home).origins["baud"] == ("user", str(home / "config.toml"))
    project(home, "baud = 2")
    assert settings(home).baud == 2
    assert settings(home).origins["baud"] == ("project", str(home / "project" / "upytool.toml"))
    env = {"UPYTOOL_BAUD": "3"}
    assert settings(home, env).baud == 3
    assert settings(home, env).origins["baud"] == ("env", "UPYTOOL_BAUD")
    assert settings(home, env, baud=4).baud == 4
    assert settings(home, env, baud=4).origins["baud"] == ("flag", "--baud")


def test_pyproject(home: Path) -> None:
    project(home, "[tool.other]\nx = 1\n[tool.upytool]\nwait = 2\n", "pyproject.toml")
    assert settings(home).wait == 2.0
    project(home, "wait = 3\n")
    assert settings(home).wait == 3.0


def test_a_pyproject_without_our_table_does_not_stop_the_search(home: Path) -> None:
    (home / "upytool.toml").write_text("wait = 5\n", encoding="utf-8")
    project(home, "[tool.other]\nx = 1\n", "pyproject.toml")
    assert settings(home).wait == 5.0


def test_tables_of_a_project_are_left_alone(home: Path) -> None:
    project(home, "baud = 9\n[sync]\nignore = ['x']\n[[packages]]\nname = 'a'\n")
    found = settings(home)
    assert found.baud == 9
    assert found.warnings == []


def test_aliases_and_macros_are_the_users(home: Path) -> None:
    user(home, "[devices]\nkitchen = 'id:1'\n[macros]\nb = 'exec 1'\n")
    project(home, "[devices]\nkitchen = 'id:2'\n")
    found = settings(home)
    assert found.devices == {"kitchen": "id:1"}
    assert found.macros == {"b": "exec 1"}


def test_unknown_key_is_a_warning_with_advice(home: Path) -> None:
    user(home, "buad = 9\ndevice = 'x'\n[device-names]\na = 'b'\n")
    found = settings(home)
    assert found.device == "x"
    path = str(home / "config.toml")
    assert found.warnings[0] == f"{path}: unknown setting buad; did you mean baud?"
    assert "device-names" in found.warnings[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("baud = 'fast'", "baud must be a whole number, at least 1, not 'fast'"),
        ("baud = true", "baud must be a whole number"),
        ("baud = 0", "baud must be a whole number, at least 1, not 0"),
        ("wait = -1", "wait must be a number, at least 0"),
        ("wait = nan", "not finite"),
        ("device = 3", "device must be a string, not 3"),
        ("json = 1", "json must be true or false, not 1"),
        ("color = 'red'", "color must be one of auto, always, never, not 'red'"),
        ("verbosity = 3", "verbosity must be a whole number from -2 to 2"),
        ("devices = 1", "devices must be a table"),
        ("[devices]\na = 1", "devices.a must be a string"),
        ("baud = ", "is not valid TOML"),
    ],
)
def test_wrong_values_name_file_and_key(home: Path, text: str, message: str) -> None:
    user(home, text)
    with pytest.raises(ConfigError) as caught:
        settings(home)
    assert str(home / "config.toml") in str(caught.value)
    assert message in str(caught.value)


def test_wrong_variable_names_it(home: Path) -> None:
    with pytest.raises(ConfigError, match="UPYTOOL_WAIT is 'soon', which is not a number, at least 0"):
        settings(home, {"UPYTOOL_WAIT": "soon"})


def test_empty_variable_is_not_set(home: Path) -> None:
    assert settings(home, {"UPYTOOL_BAUD": ""}).baud == 115200


@pytest.mark.parametrize(("text", "value"), [("1", True), ("no", False), ("TRUE", True), ("off", False)])
def test_yes_and_no(home: Path, text: str, value: bool) -> None:
    assert settings(home, {"UPYTOOL_JSON": text, "UPYTOOL_DTR": text}).json is value


@pytest.mark.parametrize("device", ["exec:rm -rf /", "execpty:sh", " exec:sh", "port:exec:sh", "EXEC://sh"])
def test_a_project_may_not_start_programs(home: Path, device: str) -> None:
    project(home, f"device = '{device}'")
    with pytest.raises(ConfigError, match="may not name a device that starts a program"):
        settings(home)
    (home / "project" / "upytool.toml").unlink()
    user(home, f"device = '{device}'")
    assert settings(home).device == device


def test_keys_are_spelled_with_hyphens() -> None:
    assert "json-events" in BY_KEY
    assert "yes" not in BY_KEY
    assert not any("_" in key for key in BY_KEY)


def test_config_file_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = home / "other.toml"
    other.write_text("baud = 7", encoding="utf-8")
    monkeypatch.setenv("UPYTOOL_CONFIG_FILE", str(other))
    assert settings(home).baud == 7


@pytest.mark.parametrize("device", ["spy:///dev/ttyUSB0?file=.bashrc", " port:SPY://x?file=y"])
def test_a_project_may_not_write_files(home: Path, device: str) -> None:
    project(home, f"device = '{device}'")
    with pytest.raises(ConfigError, match="may not name a device that writes a file"):
        settings(home)
