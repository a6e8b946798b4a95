"""Every object with the buffer protocol, in every file method, gives what the board's own file system gives."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest

from upytool.device.device import Device

TYPES = "bBhHiIlLqQfd"
DO = """
import io, os
from array import array
def make(code):
    return array(code, (i % 100 for i in range(n)))
def both(work):
    out = []
    for name in (own, 'f'):
        try:
            with open(name, 'w+b') as f:
                r = work(f)
        except Exception as e:
            r = type(e)
        with open(name, 'rb') as f:
            d = f.read()
        out.append((r, d))
    return out[0] == out[1] or (out[0][0], out[1][0], len(out[0][1]), len(out[1][1]))
def seed(f):
    f.write(bytes(i & 255 for i in range(n)))
    f.seek(0)
"""
WRITES = (
    "f.write(a)",
    "f.write(memoryview(a))",
    "f.write(memoryview(a)[3:n//2])",
    "f.write(memoryview(a)[5:5])",
    "f.write(bytes(a))",
    "f.write(bytearray(a))",
    "f.write(a, 7)",
    "f.write(a, 3, 7)",
    "f.write(a, 1, 1 << 20)",
    "f.write(a, 0)",
    "f.write('é' * n)",
    "f.write('')",
    "f.write(array(t, []))",
    "f.write(5)",
    "f.write(None)",
    "f.write([1, 2])",
)
READS = (
    "f.readinto(a)",
    "f.readinto(memoryview(a))",
    "f.readinto(memoryview(a)[3:9])",
    "f.readinto(a, 10)",
    "f.readinto(a, 1)",
    "f.readinto(a, 0)",
    "f.readinto(a, 1 << 20)",
    "f.readinto(array(t, []))",
    "f.readinto(b'abc')",
    "f.readinto('abc')",
    "f.readinto(7)",
    "(f.seek(n - 3), f.readinto(a))",
    "(f.seek(n + 3), f.readinto(a))",
    "(f.readinto(memoryview(a)[:3]), f.readinto(memoryview(a)[3:7]), f.read(2))",
)


@pytest.fixture
def board(device: Device) -> Device:
    device.exec("own = '/own'; n = 1500\n" + DO)
    return device


@pytest.mark.parametrize("code", TYPES)
def test_every_item_size_is_whole_both_ways(board: Device, root: Path, code: str) -> None:
    # A board's long has 4 bytes or 8; all others are as here.
    wanted = array(code, (number % 100 for number in range(1500))).tobytes() if code not in "lL" else None
    board.exec(f"a = make({code!r}); b = array({code!r}, (0 for _ in range(n)))")
    written = board.eval("(open('a', 'wb').write(a), len(bytes(a)))")
    assert written == ((root / "a").stat().st_size,) * 2
    assert wanted is None or (root / "a").read_bytes() == wanted
    assert board.eval("(open('a', 'rb').readinto(b), bytes(a) == bytes(b))") == (written[0], True)


@pytest.mark.parametrize("code", ["B", "h", "i", "q", "d"])
def test_as_in_the_boards_own_file_system(board: Device, code: str) -> None:
    board.exec(f"t = {code!r}; a = make(t)")
    different = {write: board.eval(f"both(lambda f: {write})") for write in WRITES}
    for read in READS:
        board.exec(f"def work(f):\n a = make(t); seed(f)\n return {read}, bytes(a)")
        different[read] = board.eval("both(work)")
    assert {call: answer for call, answer in different.items() if answer is not True} == {}
