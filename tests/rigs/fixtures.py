"""pytest fixtures over the rigs. A conftest.py takes them in with `pytest_plugins = ["tests.rigs.fixtures"]`.

`qemu`, `qemu_lfs`, `qemu_stock`, `qemu_bare`, `qemu_uart`, `unix`, `pico` give the board, `qemu_port` and so
on its path. Boards run once per session (and per xdist worker); each test gets its board freshly switched on,
with an empty file system. A rig that does not start fails the test, with one exception: where a registry
refuses what the rig is made of, the test is skipped and the session ends with a line that says so loudly. Without
CI set, so is a rig that this machine cannot have (no root, no apt). Whatever a test or fixture does with a rig, it
lets RigUnavailable pass: the one place that makes a skip or a failure of it is here.

What a rig is made of is built by `python -m tests.rigs prepare`; where a test has to build it after all, the test's
clock (pytest-timeout) stands still meanwhile, for every step of a build has a limit of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from tests.rigs import RegistryRefused, RigUnavailable, base
from tests.rigs.boards import Board, start
from tests.rigs.usb_tools import UsbTools

UNAVAILABLE = "RIG UNAVAILABLE: "


class Boards:
    """The running boards of this session, started when first asked for."""

    def __init__(self) -> None:
        self._running: dict[str, Board] = {}
        self._refused: dict[str, RigUnavailable] = {}  # not asked for again: a refusal can take minutes

    def fresh(self, name: str) -> Board:
        """The board called `name`, just switched on, with an empty file system."""
        if name in self._refused:
            raise self._refused[name]
        board = self._running.get(name)
        if board is not None:
            board.blank()
            return board
        try:
            board = self._running[name] = start(name).__enter__()
        except RigUnavailable as refused:
            self._refused[name] = refused
            raise
        return board

    def switch_off(self, name: str) -> None:
        """Stop one board; `fresh` starts it again."""
        board = self._running.pop(name, None)
        if board is not None:
            board.close()

    def close(self) -> None:
        """Switch all boards off."""
        with contextlib.ExitStack() as stack:
            for board in self._running.values():
                stack.callback(board.close)


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
def pico(boards: Boards) -> Iterator[Board]:
    """The emulated Pico. It is off between tests: also at its prompt the emulator takes a whole core."""
    yield boards.fresh("pico")
    boards.switch_off("pico")


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
    return UsbTools()


# -- a rig that cannot be had


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None, Any, Any]:
    return (yield from _skipping())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, Any, Any]:
    return (yield from _skipping())


def _skipping() -> Generator[None, Any, Any]:
    try:
        return (yield)
    except RigUnavailable as refused:
        if base.IN_CI and not isinstance(refused, RegistryRefused):
            raise
        pytest.skip(f"{UNAVAILABLE}{refused}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly which rigs a registry refused, in the process that has the terminal (also under xdist)."""
    tests: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        text = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if UNAVAILABLE in text:
            why = text.partition(UNAVAILABLE)[2]
            tests[why] = tests.get(why, 0) + 1
    for why, count in tests.items():
        terminalreporter.write_line(f"!!! {UNAVAILABLE}{why} ({count} tests skipped)", red=True, bold=True)


# -- a test's clock


class _Clock:
    """The clock of the test that runs now, to be held while a rig is made; held twice is held once."""

    def __init__(self) -> None:
        self.item: pytest.Item | None = None
        self.settings: Any = None
        self._held = 0

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        item, settings = self.item, self.settings
        self._held += 1
        if item is not None and self._held == 1:
            item.ihook.pytest_timeout_cancel_timer(item=item)
        try:
            yield
        finally:
            self._held -= 1
            if item is not None and not self._held and item is self.item:
                item.ihook.pytest_timeout_set_timer(item=item, settings=settings)


_clock = _Clock()
base.stopped_clock = _clock.stopped


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> None:
    _clock.item, _clock.settings = item, settings


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    _clock.item = None
    try:
        return (yield)
    finally:
        _clock.item = None
