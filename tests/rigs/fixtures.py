"""pytest fixtures over the rigs. A conftest.py takes them in with `pytest_plugins = ["tests.rigs.fixtures"]`.

`qemu`, `qemu_lfs`, `qemu_stock`, `qemu_bare`, `qemu_uart`, `unix`, `pico` give the board, `qemu_port` and so
on its path. Boards run once per session (and per xdist worker); each test gets its board freshly switched on,
with an empty file system. A rig that does not start fails the test, with one exception: where a registry
refuses what the rig is made of, the test is skipped and the session ends with a line that says so loudly.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.rigs import RigUnavailable
from tests.rigs.boards import Board, start
from tests.rigs.usb_tools import UsbTools

_refusals: dict[str, str] = {}


class Boards:
    """The running boards of this session, started when first asked for."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._running: dict[str, Board] = {}

    def fresh(self, name: str) -> Board:
        """The board called `name`, just switched on, with an empty file system."""
        if name in _refusals:
            pytest.skip(f"rig {name} is unavailable: {_refusals[name]}")
        board = self._running.get(name)
        if board is not None:
            board.blank()
            return board
        try:
            board = self._running[name] = self._stack.enter_context(start(name))
        except RigUnavailable as refused:
            _refusals[name] = str(refused)
            pytest.skip(f"rig {name} is unavailable: {refused}")
        return board

    def close(self) -> None:
        """Switch all boards off."""
        self._stack.close()


@pytest.fixture(scope="session")
def boards() -> Iterator[Boards]:
    """All rigs by name: `boards.fresh("qemu")`."""
    running = Boards()
    yield running
    running.close()


@pytest.fixture
def qemu(boards: Boards) -> Board:
    """The Cortex-M3 board with FAT."""
    return boards.fresh("qemu")


@pytest.fixture
def qemu_lfs(boards: Boards) -> Board:
    """The Cortex-M3 board with LittleFS."""
    return boards.fresh("qemu-lfs")


@pytest.fixture
def qemu_stock(boards: Boards) -> Board:
    """The Cortex-M3 board without sys.stdin.buffer, select and time."""
    return boards.fresh("qemu-stock")


@pytest.fixture
def qemu_bare(boards: Boards) -> Board:
    """The Cortex-M3 board that also lacks deflate, hashlib, binascii and json."""
    return boards.fresh("qemu-bare")


@pytest.fixture
def qemu_uart(boards: Boards) -> Board:
    """The Cortex-M3 board whose receive ring overflows like an ESP32's UART."""
    return boards.fresh("qemu-uart")


@pytest.fixture
def unix(boards: Boards) -> Board:
    """The unix port in its chroot."""
    return boards.fresh("unix")


@pytest.fixture
def pico(boards: Boards) -> Board:
    """The emulated Pico."""
    return boards.fresh("pico")


@pytest.fixture
def qemu_port(qemu: Board) -> str:
    """Path of the Cortex-M3 board's port."""
    return qemu.port


@pytest.fixture
def unix_port(unix: Board) -> str:
    """Path of the unix board's port."""
    return unix.port


@pytest.fixture
def pico_port(pico: Board) -> str:
    """Path of the emulated Pico's port."""
    return pico.port


@pytest.fixture(scope="session")
def usb_tools() -> UsbTools:
    """Debian's own picotool, dfu-util and dfu-suffix, to be run on files."""
    try:
        return UsbTools()
    except RigUnavailable as refused:
        _refusals["usb-tools"] = str(refused)
        pytest.skip(f"rig usb-tools is unavailable: {refused}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which rigs a registry refused, in the process that has the terminal (also under xdist)."""
    refusals = dict(_refusals)
    for report in terminalreporter.stats.get("skipped", []):
        text = str(getattr(report, "longrepr", ""))
        if "rig " in text and " is unavailable: " in text:
            name, _, why = text.rpartition("rig ")[2].partition(" is unavailable: ")
            refusals[name] = why.rstrip("')")
    for name, why in refusals.items():
        terminalreporter.write_line(f"!!! RIG UNAVAILABLE: {name}: {why}", red=True, bold=True)
