"""What the command line does with passwords that stand where they must not."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

from upytool.cli.app import App
from upytool.config.load import Settings

from .conftest import Cli


def test_a_setting_is_not_set_by_a_word(cli: Cli) -> None:
    run = cli("config", "set", "webrepl-passwords.kitchen", "hunter2")
    assert run.code == 2
    assert "hunter2" not in run.out + run.err
    assert cli("config", "get", "webrepl-passwords.kitchen").code == 2


def test_an_alias_takes_none(cli: Cli, clean_environment: Path) -> None:
    run = cli("config", "set", "devices.kitchen", "ws://:hunter2@192.168.4.1")
    assert run.code == 2
    assert "hunter2" not in run.out + run.err
    assert not (clean_environment / "config").exists()
    assert cli("config", "set", "devices.kitchen", "ws://192.168.4.1").code == 0


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


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo terminals")
def test_a_password_is_typed_without_echo() -> None:
    import pty

    program = (
        "from upytool.cli.app import App; from upytool.config.load import Settings; "
        "print('got', len(App(Settings()).ask_password('Password: ') or ''), 'letters')"
    )
    mine, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "CI"} | {"TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(theirs)
    seen, typed = b"", False
    try:
        while b"letters" not in seen and select.select([mine], [], [], 30)[0]:
            seen += os.read(mine, 1000)
            if not typed and seen.endswith(b"Password: "):
                typed = True
                os.write(mine, b"hunter2\n")
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.wait()
        os.close(mine)
    assert b"got 7 letters" in seen
    assert b"hunter2" not in seen
