"""A real WebREPL server, and the command line on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.rigs.fixtures import Boards
from tests.rigs.webrepl import WebReplBoard
from upytool.cli.main import run
from upytool.device.connect import open_address
from upytool.device.device import Device

VARIABLE = "UPYTOOL_WEBREPL_PASSWORD"


@pytest.fixture
def webrepl(boards: Boards) -> WebReplBoard:
    """MicroPython's own server, on a board that was just switched on and is empty."""
    return cast("WebReplBoard", boards.fresh("unix-webrepl"))


@pytest.fixture
def device(webrepl: WebReplBoard) -> Iterator[Device]:
    """A connection to it."""
    with connect(webrepl) as device:
        yield device


def connect(board: WebReplBoard, url: str = "") -> Device:
    """A connection to a board, or to what is in front of it."""
    return Device(open_address(url or board.port, ask=lambda question: board.password))


@dataclass
class Run:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """What was printed, with the line ends of this computer."""
        return self.out.replace("\r\n", "\n")

    @property
    def result(self) -> Any:
        """What --json gave as the result."""
        return json.loads(self.out)["result"]


Air = Callable[..., Run]


@pytest.fixture
def air(
    webrepl: WebReplBoard, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Air:
    """Run a command on the board: `air("exec", "1")`, or `air("ls", url="ws://...")` by way of a relay."""
    for kind in ("config", "cache", "state", "data"):
        monkeypatch.setenv(f"UPYTOOL_{kind.upper()}_DIR", str(tmp_path / kind))
    monkeypatch.setenv(VARIABLE, str(webrepl.password))
    monkeypatch.setenv("COLUMNS", "100")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def call(*words: str, url: str = "") -> Run:
        capsys.readouterr()
        code = run(["-d", url or webrepl.port, *words])
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return call
