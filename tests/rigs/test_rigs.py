"""The rigs themselves: boards answer, survive resets and power cuts as boards do, and the prison holds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import cast

import pytest

from tests.rigs import mpremote_suite
from tests.rigs.fixtures import Boards
from tests.rigs.qemu import Qemu
from tests.rigs.talk import Talk
from tests.rigs.unix import NOBODY, Unix

pytestmark = pytest.mark.rig

REAL = ["qemu", "qemu-lfs", "qemu-stock", "qemu-bare", "qemu-uart", "unix"]


@pytest.mark.parametrize("name", REAL)
def test_board_answers_raw_repl_and_raw_paste(boards: Boards, name: str) -> None:
    with Talk(boards.fresh(name).port) as board:
        board.raw()
        assert board.execute("print(6 * 7)") == ("42\n", "")
        text = "n = 0\n" + "n += 1  # many windows\n" * 200 + "print(n)"
        assert board.paste(text) == ("200\n", "")
        output, trace = board.execute("1 / 0")
        assert output == ""
        assert trace.endswith("ZeroDivisionError: divide by zero\n")


@pytest.mark.parametrize("name", REAL)
def test_control_c_stops_a_program(boards: Boards, name: str) -> None:
    with Talk(boards.fresh(name).port) as board:
        board.raw()
        board.send(b"while True: pass\n\x04")
        board.until(b"OK")
        time.sleep(0.2)
        board.send(b"\x03")
        assert "KeyboardInterrupt" in board.result()[1]


@pytest.mark.parametrize("name", REAL)
def test_file_boot_and_main_survive_soft_reset_and_power_cut(boards: Boards, name: str) -> None:
    rig = boards.fresh(name)
    with Talk(rig.port) as board:
        board.raw()
        code = "for n in ('boot', 'main'):\n f = open(n + '.py', 'w')\n f.write('print(\"ran %s\")' % n)\n f.close()"
        assert board.execute(code) == ("", "")
        board.send(b"\x04")  # soft reset in raw mode: boot.py alone, and raw mode stays
        seen = board.until(b"raw REPL; CTRL-B to exit\r\n>")
        assert b"soft reboot" in seen
        assert b"ran boot" in seen
        assert b"ran main" not in seen
        board.send(b"\x02")
        board.until(b">>> ")
        board.send(b"\x04")  # in friendly mode: both
        seen = board.until(b">>> ")
        assert seen.index(b"ran boot") < seen.index(b"ran main")
        rig.power_cycle()
        board.raw()
        assert board.execute("import os; print(sorted(os.listdir('/')))") == ("['boot.py', 'main.py']\n", "")
    with Talk(boards.fresh(name).port) as board:
        board.raw()
        assert board.execute("import os; print(os.listdir('/'))") == ("[]\n", "")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("qemu", "111111"), ("qemu-stock", "011100"), ("qemu-bare", "000000"), ("unix", "111111")],
)
def test_variants_lack_what_they_say(boards: Boards, name: str, expected: str) -> None:
    code = (
        "import sys\n"
        "print(int(hasattr(sys.stdin, 'buffer')), end='')\n"
        "for n in ('deflate', 'hashlib', 'binascii', 'select', 'time'):\n"
        " try:\n  __import__(n)\n  print(1, end='')\n"
        " except ImportError:\n  print(0, end='')\n"
    )
    with Talk(boards.fresh(name).port) as board:
        board.raw()
        assert board.execute(code) == (expected, "")


def test_machine_reset_is_a_power_on(boards: Boards) -> None:
    rig = cast("Qemu", boards.fresh("qemu"))
    boots = rig.boots
    with Talk(rig.port) as board:
        board.raw()
        board.send(b"import machine; machine.reset()\x04")
        board.until(b">>> ")
        assert rig.boots == boots + 1


def test_fat_and_littlefs_are_what_they_say(boards: Boards) -> None:
    for name, word in (("qemu", "VfsFat"), ("qemu-lfs", "VfsLfs2")):
        with Talk(boards.fresh(name).port) as board:
            board.raw()
            assert word in board.execute("import vfs; print(vfs.mount())")[0]


def test_binary_bytes_pass_both_ways(boards: Boards) -> None:
    code = (
        "import sys, micropython\n"
        "micropython.kbd_intr(-1)\n"
        "d = sys.stdin.buffer.read(256)\n"
        "micropython.kbd_intr(3)\n"
        "sys.stdout.buffer.write(d)\n"
    )
    for name in ("qemu", "unix"):
        with Talk(boards.fresh(name).port) as board:
            board.raw()
            board.send(code.encode() + b"\x04")
            board.until(b"OK")
            time.sleep(0.3)  # kbd_intr must have run before a 03 is sent
            board.send(bytes(range(256)))
            assert board.until_count(256) == bytes(range(256))
            assert board.result() == ("", "")


def test_uart_overflow_drops_and_cdc_holds(boards: Boards) -> None:
    """4000 bytes for a sleeping board: held back by one, cut to its ring (259 of 260) by the other."""
    code = (
        "import sys, time, select\n"
        "print('go')\n"
        "time.sleep(1.5)\n"
        "p = select.poll()\n"
        "p.register(sys.stdin, select.POLLIN)\n"
        "n = 0\n"
        "while p.poll(300):\n n += len(sys.stdin.buffer.read(1))\n"
        "print(n)\n"
    )
    got = {}
    for name in ("qemu", "qemu-uart"):
        with Talk(boards.fresh(name).port) as board:
            board.raw()
            board.send(code.encode() + b"\x04")
            board.until(b"go\r\n")
            board.send(b"x" * 4000)
            got[name] = int(board.result()[0])
    assert got == {"qemu": 4000, "qemu-uart": 259}


def test_unix_board_cannot_see_the_host(boards: Boards, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.write_text("the host's")
    rig = cast("Unix", boards.fresh("unix"))
    with Talk(rig.port) as board:
        board.raw()
        assert "ENOENT" in board.execute(f"open({str(marker)!r})")[1]
        assert board.execute("import os; print(os.listdir('/'))") == ("[]\n", "")
        assert board.execute("os.chdir('..'); os.chdir('../..'); print(os.listdir(), os.getcwd())") == (
            "[] /\n",
            "",
        )
        board.execute("open('/kept', 'w').close(); os.mkdir('/d')")
        remove = (
            "for e in os.ilistdir('/'):\n (os.rmdir if e[1] & 0x4000 else os.remove)('/' + e[0])\nprint('all gone')"
        )
        assert board.execute(remove) == ("all gone\n", "")
    assert marker.read_text() == "the host's"
    assert list(rig.root.iterdir()) == []
    if os.geteuid() == 0:
        assert rig.root.stat().st_uid == NOBODY


def test_emulated_pico_answers(pico_port: str) -> None:
    with Talk(pico_port) as board:
        board.raw()
        assert board.execute("import sys; print(sys.platform)", 30) == ("rp2\n", "")
        assert board.paste("import os\nprint(os.statvfs('/')[0])", 30) == ("4096\n", "")


def test_suite_tells_pass_from_difference_and_crash(tmp_path: Path) -> None:
    """A stand-in script of our own, so that the comparison itself is known to fail when it should."""
    script = tmp_path / "test_x.sh"
    script.write_text('set -e\n$MPREMOTE "$TMP"\n$MPREMOTE two\n')
    Path(f"{script}.exp").write_text("${TMP}\ntwo\n")
    assert mpremote_suite.run_script(script, ["echo"], "/dev/null").passed
    assert mpremote_suite.run_script(script, ["echo", "more"], "/dev/null").result == "fail"
    assert mpremote_suite.run_script(script, ["false"], "/dev/null").result == "crash"
    script.write_text("sleep 5\n")
    assert mpremote_suite.run_script(script, ["echo"], "/dev/null", timeout=0.2).result == "timeout"
