"""The command line in this process, with its files in a temporary directory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from upytool.cli import group
from upytool.cli.main import run


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No setting of the machine reaches a test; returns the home of the test's own files."""
    for name in list(os.environ):
        if name.startswith(("UPYTOOL_", "XDG_")) or name in (
            "NO_COLOR",
            "FORCE_COLOR",
            "CI",
            "TERM",
            "VISUAL",
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    for kind in ("config", "cache", "state", "data"):
        monkeypatch.setenv(f"UPYTOOL_{kind.upper()}_DIR", str(tmp_path / kind))
    # mpremote's own configuration directory.
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


@dataclass
class Run:
    code: int
    out: str
    err: str


Cli = Callable[..., Run]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line: `cli("exec", "1")` -> Run(code, out, err)."""

    def call(*argv: str) -> Run:
        capsys.readouterr()
        code = run(list(argv))
        said = capsys.readouterr()
        return Run(code, said.out, said.err)

    return call


@pytest.fixture
def add_command(monkeypatch: pytest.MonkeyPatch) -> Callable[[group.Command], None]:
    """Make a command reachable by its name for one test."""
    extra: dict[str, group.Command] = {}
    load = group.load
    monkeypatch.setattr(group, "load", lambda name: extra.get(name) or load(name))

    def add(command: group.Command) -> None:
        assert command.name
        extra[command.name] = command

    return add
