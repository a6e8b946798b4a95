"""What a board survives, the simulated one survives: a program that fills its memory, noise, Ctrl-C at any moment."""

from __future__ import annotations

import random
import time

import pytest

from tests.sim.conftest import Wire
from upytool.sim.wasm import WasmBoard

# One word on the stack that looks like its last link keeps a chain alive (the collector is a conservative one) until
# there is a soft reset.
CHAIN = "while 1: x = [x]"
FILLS = [
    "while 1: x.append(bytearray(1000))",
    "while 1: x.append(object())",
    "while 1: x.append(bytearray(16))",
    "while 1: x.append([1] * 40)",
    "while 1: x.append('%d' % len(x))",
    "def f():\n while 1: x.append(bytearray(100))\nf()",
    CHAIN,
    "y = {}\nwhile 1: y[len(y)] = bytearray(30)",
]


@pytest.mark.parametrize("fill", FILLS)
def test_a_full_memory_leaves_the_prompt(fill: str) -> None:
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        wire.enter_raw()
        output, error = wire.run("x = []\n" + fill, seconds=60)
        assert (output, error.rstrip().rpartition("\n")[2].partition(":")[0]) == ("", "MemoryError")
        assert "/.firmware/" not in error
        assert wire.run("print(1)") == ("1\r\n", "")
        assert wire.value("'x' in globals()") == "True"  # the program's names stay, as on a board
        if fill != CHAIN:
            free = "x = y = None\nimport gc\ngc.collect()\nprint(len(bytearray(500000)))"
            assert wire.run(free) == ("500000\r\n", "")
        assert board.failure is None


def test_a_full_memory_at_the_friendly_prompt() -> None:
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        wire.ask(b"x = []\r", b">>> ")
        wire.ask(b"while 1: x.append(bytearray(1000))\r", b"... ")
        assert b"MemoryError" in wire.ask(b"\r", b">>> ", 60)
        assert b"\r\n5\r\n" in wire.ask(b"print(5)\r", b">>> ")
        assert board.failure is None


def test_ctrl_c_ends_a_program_that_refuses_to_run_out_of_memory() -> None:
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        wire.enter_raw()
        wire.begin("x = []\nwhile 1:\n try: x.append(bytearray(500))\n except MemoryError: pass")
        time.sleep(0.5)
        assert b"KeyboardInterrupt" in wire.ask(b"\x03", b"\x04>", 30)
        assert wire.run("print(1)") == ("1\r\n", "")
        assert board.failure is None


@pytest.mark.parametrize("seed", range(6))
def test_noise_and_ctrl_c(seed: int) -> None:
    pick = random.Random(seed)
    words = [
        b"\x03",
        b"\x03",
        b"\x01",
        b"\x02",
        b"\x05",
        b"\x05A\x01",
        b"\r",
        b"x = 1\r",
        b"for i in range(9999): i\r\r",
    ]
    words += [b"while 1: pass\r\r", b"raise SystemExit\r", b"\xff\xfe", b"(" * 50 + b"\r", b"\t", b"\x1b[A", b"\x04"]
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        said = b""
        for _ in range(150):
            word = pick.choice(words) if pick.random() < 0.8 else pick.randbytes(pick.randrange(1, 40))
            board.write(word)
            if pick.random() < 0.3:
                time.sleep(pick.random() * 0.01)
                board.write(b"\x03" * pick.randrange(1, 4))
            said += board.read()
        deadline = time.monotonic() + 30
        while not said.endswith(b"raw REPL; CTRL-B to exit\r\n>") and time.monotonic() < deadline:
            board.write(b"\r\x03\x03\x02\r\x01")
            time.sleep(0.2)
            said += board.read()
        assert b"simulated board:" not in said
        assert board.alive
        assert board.failure is None


def test_a_vm_that_dies_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with WasmBoard() as board:
        wire = Wire(board)
        wire.until(b">>> ")
        wire.enter_raw()
        # A trap of the VM: a store to an address outside of its memory.
        board.write(b"import machine\nmachine.mem32[0xFFFFFFF0] = 1\x04")
        assert b"soft reboot" in wire.until(b"raw REPL; CTRL-B to exit\r\n>", 30)
        assert wire.run("print(1)") == ("1\r\n", "")
        assert board.failure is None
