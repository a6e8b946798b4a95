"""One suite over every real MicroPython there is: each test runs once per board."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from tests.rigs import boards as rigs
from upytool.device.connect import open_address
from upytool.device.device import Device
from upytool.transport.base import Transport


@dataclass(frozen=True)
class Bench:
    """A running board and what it cannot do."""

    name: str
    port: str

    def open(self) -> Transport:
        """A connection to it."""
        return open_address(self.port, ask=lambda question: "upytool")

    @property
    def interrupts(self) -> bool:
        """Ctrl-C reaches a running program (qemu's UART is only polled while code reads it)."""
        return not self.name.startswith("qemu")

    @property
    def slow(self) -> bool:
        return self.name == "pico"


# An emulated Pico takes seconds for what the others do in a blink; these tests say the most about it.
ON_PICO = {
    "test_output_comes_back",
    "test_a_program_may_soft_reset_the_board",
    "test_an_exception_names_the_line",
    "test_every_byte_of_output_is_kept",
    "test_ctrl_c_stops_a_loop_and_shows_where",
    "test_a_user_interrupt_brings_the_boards_traceback",
    "test_the_probe_answers_everywhere",
    "test_a_connection_dropped_in_the_middle_is_recovered_from",
    "test_a_file_goes_and_comes_back",
    "test_a_file_is_replaced_as_a_whole",
    "test_folders_and_names",
    "test_a_tree_goes_there_and_back",
}

# Over BLE the way to the board is another one, and the terminal is Python. What only the interpreter or this computer
# decides is said by unix-webrepl, whose interpreter it is.
ONLY_THE_INTERPRETER = ("test_names", "test_spelling", "test_backup")
BUT_ON_BLE = {"test_builtins_that_the_program_replaced_change_nothing", "test_there_and_back"}

BOARDS = ["wasm", "unix", "qemu", "qemu-lfs", "qemu-stock", "qemu-bare", "qemu-uart", "unix-webrepl", "ble", "pico"]


def _has(board: str, test: pytest.Metafunc) -> bool:
    """Whether the test is one of this board's."""
    name = test.function.__name__
    if board == "pico":
        return name in ON_PICO
    return board != "ble" or name in BUT_ON_BLE or not test.module.__name__.endswith(ONLY_THE_INTERPRETER)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bench" in metafunc.fixturenames:
        names = [name for name in BOARDS if _has(name, metafunc)]
        # The Pico's instructions are emulated one by one, some thirty times slower than the chip's.
        slow = {"pico": [pytest.mark.timeout(600)]}
        marks = [pytest.param(name, marks=[pytest.mark.rig, *slow.get(name, [])]) for name in names]
        metafunc.parametrize("bench", marks, indirect=True, scope="session")


@pytest.fixture(scope="session")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    name: str = request.param
    with ExitStack() as stack:
        if name == "wasm":
            from upytool import sim

            info = sim.start("wasm", name="conformance", fresh=True)
            stack.callback(sim.stop, "conformance")
            port = str(info.port)
        elif name == "pico":
            from tests.rigs.pico import pico_image
            from upytool import sim

            info = sim.start("pico", name="conformance-pico", image=pico_image(), fresh=True)
            stack.callback(sim.stop, "conformance-pico")
            port = str(info.port)
        elif name == "ble":
            from tests.air.ble_world import World
            from tests.rigs.ble import UNLOCKED, BleReplBoard

            air = stack.enter_context(BleReplBoard())
            air.install(boot=UNLOCKED)
            World(air).bleak_uses(stack.enter_context(pytest.MonkeyPatch.context()))
            port = f"ble://{air.address}"
        else:
            port = stack.enter_context(rigs.start(name)).port
        yield Bench(name, port)


@pytest.fixture
def device(bench: Bench) -> Iterator[Device]:
    with Device(bench.open()) as board:
        yield board


@pytest.fixture
def home(device: Device) -> Iterator[str]:
    """A folder of the board's own for one test."""
    fs = device.fs
    top = fs.getcwd().rstrip("/") + "/upy_t"
    if fs.exists(top):
        fs.rmtree(top)
    fs.mkdir(top)
    yield top
    fs.rmtree(top)
