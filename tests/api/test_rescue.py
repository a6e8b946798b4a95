"""Getting a board back, and setting up its WebREPL, without the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

import upytool
from tests.fakes.network_model import MODULE, NETWORK, SERVER
from upytool.api import rescue, webrepl
from upytool.device import webrepl_setup
from upytool.errors import NoDeviceError, PortMissingError, RemoteError, UsageError
from upytool.secret import Secret


def test_main_py_is_put_away_and_brought_back(port: str, board: upytool.Device) -> None:
    board.fs.write_bytes("/main.py", b"while True:\n try:\n  while True: pass\n except KeyboardInterrupt: pass\n")
    board.close()
    stopped = rescue.rescue(port, stop_only=True)
    assert (stopped.port, stopped.renamed, stopped.reset_by_lines) == (port, (), False)
    assert rescue.rescue(port).renamed == (("/main.py", "/main.py.off-1"),)
    assert rescue.rescue(port).renamed == ()
    back = rescue.rescue(port, restore=True)
    assert back.data()["renamed"] == [["/main.py.off-1", "/main.py"]]


def test_a_board_that_never_comes(tmp_path: Path) -> None:
    with pytest.raises((NoDeviceError, PortMissingError)):
        rescue.rescue(str(tmp_path / "none"), seconds=0.2)


@pytest.fixture
def air(board: upytool.Device, monkeypatch: pytest.MonkeyPatch) -> upytool.Device:
    """The board with a model of a network."""
    monkeypatch.setattr(webrepl_setup, "JOIN_SECONDS", 0.5)
    monkeypatch.setenv("UPYTOOL_CONFIG_DIR", "/nowhere")
    board.fs.mkdir("/lib")
    board.fs.put_many([("/lib/network.py", NETWORK), ("/lib/_webrepl.py", SERVER), ("/lib/webrepl.py", MODULE)])
    return board


def test_webrepl_from_setup_to_its_end(air: upytool.Device) -> None:
    state = webrepl.check_setup(air, wifi=True)
    assert (state.running, state.password) == (False, None)
    shown = webrepl.plan_preview(state, "HOME")
    wifi = webrepl.check_wifi("HOME", "rightkey")
    changes = webrepl.plan_setup(state, Secret("hunter2"), wifi)
    assert [each.data() for each in changes] == [each.data() for each in shown]
    webrepl.apply(air, changes)
    state = webrepl.start(air)
    assert (state.running, state.selectors()) == (True, ["ws://10.0.0.7"])
    assert state.password is not None
    assert state.password.reveal() == "hunter2"
    assert "hunter2" not in repr(changes)

    assert [each.path for each in webrepl.plan_password(state)] == ["/webrepl_cfg.py"]
    webrepl.change_password(air, state, Secret("other"))
    state = webrepl.look(air)
    assert state.password is not None
    assert state.password.reveal() == "other"

    changes = webrepl.plan_disable(state, passwords=True)
    assert not webrepl.disable(air, state, changes)
    assert webrepl.look(air).data() == {**webrepl.look(air).data(), "running": False, "password_set": False}


def test_a_wrong_wifi_password(air: upytool.Device) -> None:
    state = webrepl.check_setup(air)
    webrepl.apply(air, webrepl.plan_setup(state, Secret("x"), webrepl.check_wifi("HOME", "wrongkey")))
    with pytest.raises(RemoteError):
        webrepl.start(air)


def test_what_must_not_be(board: upytool.Device) -> None:
    with pytest.raises(UsageError):
        webrepl.check_wifi("HOME", "short")
    with pytest.raises(UsageError):
        webrepl.check_address("ws://:word@10.0.0.7")
    webrepl.check_address("ws://10.0.0.7")
    webrepl.check_address("id:E660")
