"""The life of the board along a line. The board is a model of Device that records what is asked of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from upytool.cli.app import App
from upytool.config.load import Settings
from upytool.errors import AmbiguousDeviceError, NoDeviceError

from .conftest import Cli


class ModelDevice:
    def __init__(self, log: list[str], selector: str | None, fresh: bool) -> None:
        self.log, self.closed = log, False
        self.name = selector or "auto"
        self.session = SimpleNamespace(reset_pending=fresh)
        log.append(f"open {self.name}{' fresh' if fresh else ''}")

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            self.log.append(f"close {self.name}")


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def connect(selector: str | None = None, *, fresh: bool = False, **_: Any) -> ModelDevice:
        if selector == "missing":
            raise NoDeviceError("no such board")
        return ModelDevice(found, selector, fresh)

    monkeypatch.setattr("upytool.device.connect.connect", connect)
    return found


@pytest.fixture
def app() -> App:
    return App(Settings())


def test_opened_once_and_closed_at_the_end(app: App, log: list[str]) -> None:
    assert not app.connected
    assert app.device() is app.device()
    app.close()
    app.close()
    assert log == ["open auto fresh", "close auto"]


def test_a_board_that_closed_itself_is_opened_again_without_a_reset(app: App, log: list[str]) -> None:
    app.device().close()
    app.device()
    assert log == ["open auto fresh", "close auto", "open auto"]


def test_connect_lets_go_of_the_one_before(app: App, log: list[str]) -> None:
    chosen = []
    for selector in ("a", "b", "auto"):
        app.connect(selector)
        chosen.append(app.selector)
    assert chosen == ["a", "b", None]
    assert log == ["open a fresh", "close a", "open b fresh", "close b", "open auto fresh"]


def test_disconnect_arms_the_reset_again(app: App, log: list[str]) -> None:
    app.resume()
    app.device()
    app.disconnect()
    app.device()
    assert log == ["open auto", "close auto", "open auto fresh"]


def test_resume_before_and_after_connect(app: App, log: list[str]) -> None:
    def pending(device: Any) -> bool:
        return bool(device.session.reset_pending)

    app.resume()
    app.disconnect()
    assert not pending(app.connect("a"))
    app.disconnect()
    device = app.connect("a")
    assert pending(device)
    app.resume()
    assert not pending(device)


def test_no_reset_is_for_every_board(log: list[str]) -> None:
    settings = Settings()
    settings.reset = False
    app = App(settings)
    app.device()
    app.disconnect()
    app.connect("b")
    assert log == ["open auto", "close auto", "open b"]


def test_flag_names_the_board(log: list[str]) -> None:
    settings = Settings()
    settings.device = "kitchen"
    app = App(settings)
    app.device()
    app.connect("b")
    app.disconnect()
    app.device()
    assert [line for line in log if "open" in line] == [
        "open kitchen fresh",
        "open b fresh",
        "open kitchen fresh",
    ]


def test_settings_reach_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def connect(selector: str | None, **options: Any) -> ModelDevice:
        seen.update(options, selector=selector)
        return ModelDevice([], selector, False)

    monkeypatch.setattr("upytool.device.connect.connect", connect)
    settings = Settings()
    settings.override({"device": "a0", "baud": 9600, "wait": 3.0, "dtr": False})
    settings.devices = {"x": "id:1"}
    app = App(settings)
    app.device()
    assert (seen["selector"], seen["baud"], seen["wait"]) == ("a0", 9600, 3.0)
    assert (seen["lines"].dtr, seen["lines"].rts) == (False, None)
    assert seen["aliases"] == {"x": "id:1"}
    assert seen["reporter"] is app.reporter


def test_a_person_picks_between_boards(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str | None] = []

    def connect(selector: str | None, **_: Any) -> ModelDevice:
        asked.append(selector)
        if selector is None:
            error = AmbiguousDeviceError("there are two boards")
            error.choices = ("id:1", "id:2")  # type: ignore[attr-defined,unused-ignore]
            raise error
        return ModelDevice([], selector, False)

    monkeypatch.setattr("upytool.device.connect.connect", connect)
    monkeypatch.setattr("upytool.cli.ui.prompt.choose", lambda *_, **__: 1)
    assert App(Settings()).device().name == "id:2"
    assert asked == [None, "id:2"]
    settings = Settings()
    settings.json = True
    with pytest.raises(AmbiguousDeviceError):
        App(settings).device()


# -- whole lines, through the commands ------------------------------------------------------------


def test_several_boards_in_one_line(cli: Cli, log: list[str]) -> None:
    done = cli("connect", "x", "disconnect", "connect", "y", "resume", "version")
    assert done.code == 0
    assert log == ["open x fresh", "close x", "open y fresh", "close y"]


def test_a_line_that_only_prepares_ends_in_the_repl(cli: Cli, log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    import click

    from upytool.cli import group
    from upytool.cli.app import pass_app

    @group.define("repl")
    @pass_app
    def repl(app: App) -> None:
        ran.append(app.device().name)

    load = group.load
    monkeypatch.setattr(group, "load", lambda name: repl if name == "repl" else load(name))
    assert isinstance(repl, click.Command)
    assert cli("connect", "x", "resume").code == 0
    assert ran == ["x"]
    assert cli("a7").code == 0
    assert ran == ["x", "/dev/ttyACM7"]
    cli("connect", "x", "version")
    assert len(ran) == 2
    cli("repl")
    assert len(ran) == 3


def test_the_board_is_let_go_after_an_error(cli: Cli, log: list[str]) -> None:
    assert cli("connect", "x", "connect", "missing").code == 3
    assert log == ["open x fresh", "close x"]
