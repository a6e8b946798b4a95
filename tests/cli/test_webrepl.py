"""`upytool webrepl` on a simulated board whose network is a model: files in its /lib that behave as the modules do.

What the commands send goes to a real MicroPython, and its boot.py is run by it; that nothing is reached over the air
is the model's part, and `prove` is replaced where a test is not about it.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.network_model import MODULE, NETWORK, SERVER
from upytool.config.load import Settings
from upytool.device import webrepl_setup
from upytool.device.info import BoardInfo
from upytool.errors import PortMissingError
from upytool.secret import Secret

from .conftest import BoardCli, Cli, Run

PASSWORD, KEY = "hunter2", "rightkey"


class Air:
    """A simulated board with the model of a network, and its command line."""

    def __init__(self, board: BoardCli) -> None:
        self.board = board
        board.ok("mkdir", ":/lib")
        for name, text in (("network", NETWORK), ("_webrepl", SERVER), ("webrepl", MODULE)):
            board.put(f"/lib/{name}.py", text)

    def __call__(self, *argv: str) -> Run:
        run = self.board("webrepl", *argv, "-vv")
        assert PASSWORD not in run.out + run.err
        assert KEY not in run.out + run.err
        return run

    def ok(self, *argv: str) -> str:
        run = self(*argv)
        assert run.code == 0, run.err
        return run.text

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ok("status", "--json"))["result"]
        return found

    def running_password(self) -> str:
        return self.board.ok("resume", "exec", "import _webrepl\nprint(_webrepl.word)").strip()


@pytest.fixture
def air(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> Iterator[Air]:
    monkeypatch.setattr(webrepl_setup, "JOIN_SECONDS", 0.5)
    monkeypatch.setattr(
        webrepl_setup, "prove", lambda device, selectors, *_, **__: (selectors[0], BoardInfo(machine="M"))
    )
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", PASSWORD)
    yield Air(board)
    board.ok("rm", "-rf", ":/", "--yes", "+", "soft-reset")


# -- setup -----------------------------------------------------------------------------------------


def test_a_board_in_no_network(air: Air) -> None:
    run = air("setup")
    assert run.code == 0, run.err
    assert "--wifi" in run.err
    assert air.board.get("/webrepl_cfg.py") == f"PASS = '{PASSWORD}'\n".encode()
    assert air.running_password() == PASSWORD
    found = air.status()
    assert (found["installed"], found["password_set"], found["at_boot"], found["running"]) == (True,) * 4
    assert (found["addresses"], found["wifi"], found["hostname"]) == ([], None, "mpy-model")


def test_with_a_wifi(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_WIFI_PASSWORD", KEY)
    before = b"# mine\r\nprint('hello')"
    air.board.put("/boot.py", before)
    result = json.loads(air.ok("setup", "--wifi", "HOME", "--json"))["result"]
    assert [(each["path"], each["action"]) for each in result["changes"]] == [
        ("/webrepl_cfg.py", "write"),
        ("/boot.py", "write"),
    ]
    assert (result["addresses"], result["checked"], result["board"]) == (["ws://10.0.0.7"], "ws://10.0.0.7", "M")
    assert KEY.encode() not in air.board.get("/boot.py")
    assert air.board.get("/boot.py").startswith(before)
    found = air.status()
    assert (found["wifi"], found["joined"], found["addresses"]) == ("HOME", True, ["ws://10.0.0.7"])
    # The same again changes nothing.
    assert json.loads(air.ok("setup", "--wifi", "HOME", "--json"))["result"]["changes"] == []
    # And out again gives back what was.
    air.ok("disable")
    assert air.board.get("/boot.py") == before
    found = air.status()
    assert (found["at_boot"], found["running"], found["password_set"]) == (False, False, True)


def test_a_wrong_wifi_password(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_WIFI_PASSWORD", "wrongwrong")
    run = air("setup", "--wifi", "HOME")
    assert run.code == 1
    assert "password is wrong" in run.err
    assert "wrongwrong" not in run.err
    assert air.board.names("/") == ["boot.py", "lib", "webrepl_cfg.py"]


def test_a_dry_run_says_what_the_run_does(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPYTOOL_WIFI_PASSWORD", KEY)
    said = json.loads(air.ok("setup", "--wifi", "HOME", "--dry-run", "--json"))["result"]
    assert air.board.names("/") == ["lib"]
    assert json.loads(air.ok("setup", "--wifi", "HOME", "--json"))["result"]["changes"] == said["changes"]
    said = json.loads(air.ok("disable", "--all", "--dry-run", "--json"))["result"]
    assert "boot.py" in air.board.names("/")
    assert json.loads(air.ok("disable", "--all", "--yes", "--json"))["result"]["changes"] == said["changes"]
    assert air.board.names("/") == ["lib"]


def test_the_boards_password_is_kept(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    air.board.put("/webrepl_cfg.py", b"# mine\nBASE = 'http://h/'\nPASS = 'theirs'\n")
    monkeypatch.delenv("UPYTOOL_WEBREPL_PASSWORD")
    air.ok("setup")
    assert air.running_password() == "theirs"
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", PASSWORD)
    air.ok("setup")
    assert air.running_password() == PASSWORD
    assert air.board.get("/webrepl_cfg.py") == f"# mine\nBASE = 'http://h/'\nPASS = '{PASSWORD}'\n".encode()


def test_an_access_point(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    air.board.put("/boot.py", b"import network\nnetwork.WLAN(1).active(True)\n")
    assert json.loads(air.ok("setup", "--json"))["result"]["addresses"] == ["ws://192.168.4.1"]


@pytest.mark.parametrize(
    ("missing", "hint"), [("network", "flash"), ("_webrepl", "flash"), ("webrepl", "mip install webrepl")]
)
def test_what_the_firmware_lacks(air: Air, missing: str, hint: str) -> None:
    air.board.ok("rm", f":/lib/{missing}.py")
    run = air("setup")
    assert run.code == 1
    assert hint in run.err
    assert air.status()["installed"] is False
    assert "boot.py" not in air.board.names("/")


def test_a_boot_file_that_is_no_python(air: Air) -> None:
    air.board.put("/boot.py", b"def broken(\n")
    run = air("setup")
    assert "not valid Python" in run.err
    assert air.board.get("/boot.py").startswith(b"def broken(\n")
    air.ok("disable")
    assert air.board.get("/boot.py") == b"def broken(\n"


def test_a_boot_file_that_ends_before_its_end(air: Air) -> None:
    air.board.put("/boot.py", b"print('hi')\n1 / 0\n")
    run = air("setup")
    assert "ZeroDivisionError" in run.err
    assert air.status()["running"] is False
    assert air.status()["at_boot"] is True


def test_the_users_names_do_no_harm(air: Air) -> None:
    air.board.ok("exec", "import sys\nsys.modules['os'] = 3\nprint = len = 7\n")
    assert air.status()["installed"] is True


def test_nothing_stays_imported(air: Air) -> None:
    air.board.ok("soft-reset")
    air.status()
    assert "webrepl" not in air.board.ok("resume", "exec", "import sys\nprint(sorted(sys.modules))")


# -- where passwords come from ---------------------------------------------------------------------


def test_nobody_can_be_asked(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPYTOOL_WEBREPL_PASSWORD")
    run = air("setup")
    assert run.code == 2
    assert "--password-stdin" in run.err
    assert air.board.names("/") == ["lib"]


@pytest.mark.parametrize("bad", ["0123456789", "a\tb"])
def test_a_password_that_webrepl_cannot_take(air: Air, monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("UPYTOOL_WEBREPL_PASSWORD", bad)
    run = air("setup")
    assert run.code == 2
    assert bad not in run.err
    assert air.board.names("/") == ["lib"]


def test_from_stdin(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(f"{PASSWORD}\r\n{KEY}\n".encode())))
    monkeypatch.delenv("UPYTOOL_WEBREPL_PASSWORD")
    air.ok("setup", "--wifi", "HOME", "--password-stdin")
    assert air.running_password() == PASSWORD
    assert air.status()["joined"] is True


def test_typed_twice(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPYTOOL_WEBREPL_PASSWORD")
    answers = [PASSWORD, "another", PASSWORD, PASSWORD]
    monkeypatch.setattr("upytool.cli.ui.prompt.password", lambda *_, **__: answers.pop(0))
    assert air("setup").code == 2
    assert air.board.names("/") == ["lib"]
    air.ok("setup")
    assert air.running_password() == PASSWORD


# -- password --------------------------------------------------------------------------------------


def test_a_new_password(air: Air, monkeypatch: pytest.MonkeyPatch, clean_environment: Path) -> None:
    monkeypatch.setenv("UPYTOOL_WIFI_PASSWORD", KEY)
    air.ok("setup", "--wifi", "HOME", "--save")
    file = clean_environment / "config" / "config.toml"
    assert f'"10.0.0.7:8266" = "{PASSWORD}"' in file.read_text()
    if os.name == "posix":
        assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"fresh")))
    run = air("password", "--password-stdin")
    assert run.code == 0, run.err
    assert air.running_password() == "fresh"
    assert air.board.get("/webrepl_cfg.py").startswith(b"PASS = 'fresh'\n")
    assert '"10.0.0.7:8266" = "fresh"' in file.read_text()
    assert "UPYTOOL_WEBREPL_PASSWORD" in run.err
    air.ok("disable", "--all", "--yes")
    assert "fresh" not in file.read_text()
    assert air.board.names("/") == ["lib"]


def test_disable_all_asks(air: Air) -> None:
    air.ok("setup")
    assert air("disable", "--all").code == 2
    assert air.board.names("/") == ["boot.py", "lib", "webrepl_cfg.py"]


def test_a_start_that_cannot_be_taken_out(air: Air) -> None:
    air.board.put("/boot.py", b"import webrepl\nif True:\n    webrepl.start()\n")
    assert air("disable").code == 1
    assert air.board.get("/boot.py") == b"import webrepl\nif True:\n    webrepl.start()\n"


def test_disable_where_there_is_nothing(air: Air) -> None:
    assert json.loads(air.ok("disable", "--json"))["result"]["changes"] == []


# -- over the air ----------------------------------------------------------------------------------


def test_setup_needs_a_cable(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    from upytool.transport.serial import SerialTransport

    monkeypatch.setattr(SerialTransport, "survives_reset", False)
    assert air("setup").code == 2
    assert air.board.names("/") == ["lib"]


def test_disable_does_not_cut_the_branch_that_it_sits_on(air: Air, monkeypatch: pytest.MonkeyPatch) -> None:
    from upytool.transport.serial import SerialTransport

    air.ok("setup")
    monkeypatch.setattr(SerialTransport, "survives_reset", False)
    air.ok("disable")
    found = air.status()
    assert (found["at_boot"], found["running"]) == (False, True)


def test_proof_tries_each_address(board: BoardCli, monkeypatch: pytest.MonkeyPatch) -> None:
    import upytool

    tried: list[str] = []

    def refuse(address: str, **_: object) -> None:
        tried.append(address)
        raise PortMissingError(f"no {address}", hint="first")

    monkeypatch.setattr(webrepl_setup, "open_transport", refuse)
    with upytool.connect(board.port) as device:
        with pytest.raises(PortMissingError) as caught:
            webrepl_setup.prove(device, ["ws://10.0.0.7", "ws://192.168.4.1"], lambda where: Secret("x"))
        assert device.call("webrepl_state")["home"] == ""
    assert tried == ["ws://10.0.0.7", "ws://192.168.4.1"]
    assert "10.0.0.7" in caught.value.message
    assert "--no-check" in caught.value.hint


def test_settings_take_no_password(cli: Cli) -> None:
    assert not any("password" in name for name in vars(Settings()))
