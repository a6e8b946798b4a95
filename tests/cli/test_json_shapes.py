"""What --json prints has the shape that docs/reference/json.md gives; the fixtures look at every document.

Here are the commands that no other test of this directory runs with --json.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from tests.cli import shapes
from tests.cli.conftest import BoardCli, Cli
from tests.cli.test_image import firmware  # noqa: F401
from tests.fixtures.make_index import build, serve
from upytool.cli import table
from upytool.cli.group import load

# What talks to a person, needs a radio, or answers with what the board's program printed alone.
WITHOUT = {
    *("repl", "monitor", "umount", "disconnect", "resume", "sleep", "edit", "config edit", "ble scan"),
    *("webrepl password", "sim start", "sim stop", "sim reset"),
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve(build(tmp_path_factory.mktemp("index"))) as address:
        yield address


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """The names of a command's own commands, or its own."""
    if isinstance(command, click.Group):
        for sub in command.commands.values():
            yield from leaves(sub, f"{name} {sub.name}")
    else:
        yield name


def test_every_command_has_a_shape() -> None:
    known = {name for entry in table.COMMANDS if entry.name != "fs" for name in leaves(load(entry.name), entry.name)}
    assert known - shapes.shapes().keys() == WITHOUT


def good(run: Any) -> None:
    assert run.code == 0, run.out + run.err


def test_settings(cli: Cli) -> None:
    for argv in (
        ("config", "set", "baud", "9600"), ("config", "get", "baud"), ("config", "unset", "baud"), ("config", "path"),
        ("dirs",), ("sim", "list"), ("completions", "bash"), ("boards", "list"), ("boards", "search", "esp32"),
        ("firmware", "search", "pico"),
    ):  # fmt: skip
        good(cli(*argv, "--json"))


def test_packages(board: BoardCli, index: str) -> None:
    Path("upytool.toml").write_text('[packages]\nringlog = "*"\n')
    for argv in (
        ("mip", "install", "ringlog", "--index", index), ("mip", "list"), ("mip", "tree"), ("mip", "check"),
        ("mip", "outdated", "--index", index), ("mip", "upgrade", "--index", index), ("mip", "uninstall", "ringlog"),
        ("mip", "lock", "--index", index),
    ):  # fmt: skip
        good(board(*argv, "--json"))


def test_packages_without_a_board(cli: Cli, index: str) -> None:
    for argv in (("mip", "search", "ring"), ("mip", "show", "ringlog")):
        good(cli(*argv, "--index", index, "--json"))


def test_images(cli: Cli, firmware: str) -> None:  # noqa: F811
    Path("it.py").write_text("print(1)")
    Path("manifest.py").write_text('module("it.py")\n')
    for argv in (
        ("firmware", "inspect", firmware),
        ("image", "add", firmware, "app/", "-o", "mine.uf2", "--volume", "MicroPython"),
        ("image", "cat", "mine.uf2", "main.py"), ("image", "extract", "mine.uf2", "-o", "out"),
        ("image", "diff", "mine.uf2", "mine.uf2"), ("image", "rm", "mine.uf2", "main.py"),
        ("romfs", "build", "app", "-o", "app.romfs"), ("romfs", "extract", "app.romfs", "-o", "romout"),
        ("manifest", "lint", "manifest.py"),
    ):  # fmt: skip
        good(cli(*argv, "--json"))


def test_restart(board: BoardCli) -> None:
    good(board("reset", "--json"))
