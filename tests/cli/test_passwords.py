"""What the command line does with passwords that stand where they must not."""

from __future__ import annotations

import json
from pathlib import Path

from upytool.cli.app import App
from upytool.config.load import Settings

from .conftest import Cli


def test_a_setting_is_not_set_by_a_word(cli: Cli) -> None:
    run = cli("config", "set", "webrepl-passwords.kitchen", "hunter2")
    assert run.code == 2
    assert "hunter2" not in run.out + run.err
    assert cli("config", "get", "webrepl-passwords.kitchen").code == 2


def test_lists_show_none(cli: Cli, clean_environment: Path) -> None:
    file = clean_environment / "config" / "config.toml"
    file.parent.mkdir()
    file.write_text(
        '[devices]\nkitchen = "ws://:hunter2@192.168.4.1"\n[webrepl-passwords]\nkitchen = "hunter2"\n', encoding="utf-8"
    )
    for words in (["list", "--origin"], ["list", "--json"], ["get", "devices.kitchen"]):
        run = cli("config", *words)
        assert run.code == 0
        assert "hunter2" not in run.out + run.err
        assert "192.168.4.1" in run.out
    assert json.loads(cli("config", "list", "--json").out)["result"]["devices.kitchen"]["value"] == "ws://192.168.4.1"


def test_nobody_is_there_to_be_asked() -> None:
    assert App(Settings()).ask_password("Password: ") is None
