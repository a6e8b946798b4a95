"""The WebREPL rig: a board around MicroPython's own server that behaves as a real one (see test_webrepl_server.py)."""

from __future__ import annotations

import time
from pathlib import Path
from typing import cast

import pytest

from tests.rigs.air_talk import AirTalk, Closed
from tests.rigs.fixtures import Boards
from tests.rigs.talk import Talk
from tests.rigs.webrepl import WebReplBoard

pytestmark = pytest.mark.rig


@pytest.fixture
def board(boards: Boards) -> WebReplBoard:
    return cast("WebReplBoard", boards.fresh("unix-webrepl"))


def connect(board: WebReplBoard) -> AirTalk:
    return AirTalk(board.port, board.password)


def test_password_of_the_board_file_and_its_length(board: WebReplBoard) -> None:
    (board.root / "webrepl_cfg.py").write_text("PASS = '123456789'\n")
    board.power_cycle()
    for wrong in (b"upytool", b"1234567890"):  # ten are not cut to the first nine
        with AirTalk(board.port) as client:
            client.until(b"Password: ")
            client.send(wrong + b"\r")
            assert client.until_closed() == b"\r\nAccess denied\r\n"
    with AirTalk(board.port, "123456789"):
        pass
    (board.root / "webrepl_cfg.py").write_text("PASS = '1234567890'\n")
    board.power_cycle()
    with pytest.raises(ConnectionRefusedError):
        AirTalk(board.port)  # _webrepl.password() refuses ten, so webrepl.start() ended before it listened
    board.blank()
    with connect(board):
        pass


def test_board_without_a_password_listens_when_boot_py_says_so() -> None:
    with WebReplBoard(password=None) as board:
        with pytest.raises(ConnectionRefusedError):
            AirTalk(board.port)
        (board.root / "webrepl_cfg.py").write_text("PASS = 'mine'\n")
        (board.root / "boot.py").write_text("import webrepl\nwebrepl.start()\n")
        board.power_cycle()
        with AirTalk(board.port, "mine") as client:
            client.raw()
            assert client.execute("import os; print(sorted(os.listdir()))") == ("['boot.py', 'webrepl_cfg.py']\n", "")


def test_input_that_does_not_fit_the_ring_is_lost(board: WebReplBoard) -> None:
    """2,000 bytes at once leave 259 of a ring of 260; a larger ring keeps them all."""
    count = (
        "import sys, time, select\n"
        "print('go')\n"
        "time.sleep(0.5)\n"
        "p = select.poll()\np.register(sys.stdin, 1)\n"
        "n = 0\n"
        "while p.poll(300):\n n += len(sys.stdin.buffer.read(1))\n"
        "print(n)\n"
    )
    with WebReplBoard(ring=65535) as large:
        for each, kept in ((board, "259\n"), (large, "2000\n")):
            with connect(each) as client:
                client.raw()
                client.send(b"\x05A\x01")
                client.until(b"R\x01")
                client.send(count.encode() + b"\x04")
                client.until(b"go\r\n")
                client.send(b"x" * 2000)
                assert client.result(15)[0] == kept


def test_control_c_stops_loops_and_waits(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.raw()
        for program in ("while True: pass", "import time; time.sleep(100)", "import sys; sys.stdin.read(1)"):
            client.send(f"print('go'); {program}".encode() if ":" not in program else program.encode())
            client.send(b"\x04")
            client.until(b"OK")
            time.sleep(0.1)
            client.send(b"\x03")
            assert "KeyboardInterrupt" in client.result()[1]
        assert client.execute("print('well')") == ("well\n", "")


def test_esp32_hears_control_c_only_when_it_sleeps() -> None:
    with WebReplBoard(loops_see_input=False) as board, connect(board) as client:
        client.raw()
        client.send(b"import time\nwhile True: time.sleep(0.01)\x04")
        client.until(b"OK")
        time.sleep(0.1)
        client.send(b"\x03")
        assert "KeyboardInterrupt" in client.result()[1]
        client.send(b"while True: pass\x04")
        client.until(b"OK")
        time.sleep(0.1)
        client.send(b"\x03")
        with pytest.raises(TimeoutError):
            client.result(1)
        with Talk(board.serial) as wire:  # over the cable it works
            wire.send(b"\x03")
        assert "KeyboardInterrupt" in client.result()[1]


def test_power_cycle_ends_the_session(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.send(b"open('kept', 'w').close()\r")
        client.until(b"\r\n>>> ")
        board.power_cycle()
        client.until_closed()
    assert (board.root / "kept").exists()
    with connect(board) as client:
        client.raw()
        assert client.execute("import os; print(os.listdir('/'))") == ("['kept']\n", "")
    board.blank()
    assert list(board.root.iterdir()) == []


def test_serial_line_is_the_same_terminal_and_may_go_unread(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.raw()
        assert client.paste("for n in range(20000): print(n)", 30)[0].endswith("19999\n")
        with Talk(board.serial) as wire:
            wire.send(b"print('by ' + 'cable')\x04")
            client.until(b"by cable")


def test_board_cannot_see_the_host(board: WebReplBoard, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    marker.write_text("the host's")
    with connect(board) as client:
        client.raw()
        assert "ENOENT" in client.execute(f"open({str(marker)!r})")[1]
        with pytest.raises(Closed):
            client.get(str(marker))


def test_full_disk_is_not_noticed_by_put() -> None:
    """A program gets ENOSPC; modwebrepl.c, with asserts off, says that all is well, and the file is short."""
    with WebReplBoard(disk=64 * 1024) as board, connect(board) as client:
        client.raw()
        space = "import os; s = os.statvfs('/'); print(s[0] * s[2], s[0] * s[3])"
        assert client.execute(space) == ("65536 65536\n", "")
        client.put("/a", bytes(range(256)) * 200)
        assert client.execute(space) == ("65536 12288\n", "")
        client.put("/b", b"b" * 20000)
        assert (board.root / "b").stat().st_size <= 12288
        assert client.execute("open('/c', 'w').write('c' * 5000)")[1].rstrip().endswith("OSError: 28")
        client.execute("os.remove('/a')")
        client.put("/c", b"c" * 40000)
        assert (board.root / "c").read_bytes() == b"c" * 40000


def test_name_of_63_bytes(board: WebReplBoard) -> None:
    """The longest that ends with a zero; of one more byte the C code reads on into what lies behind it."""
    with connect(board) as client:
        client.put("n" * 63, b"fits")
        assert (board.root / ("n" * 63)).read_bytes() == b"fits"
