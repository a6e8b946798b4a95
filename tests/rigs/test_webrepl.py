"""The WebREPL rig: MicroPython's own server, and a board around it that behaves as a real one."""

from __future__ import annotations

import random
import socket
import struct
import time
from pathlib import Path
from typing import cast

import pytest
from websockets.frames import Opcode

from tests.rigs import debian_source
from tests.rigs.air_talk import GET, GET_VERSION, PUT, AirTalk, Closed
from tests.rigs.fixtures import Boards
from tests.rigs.talk import Talk
from tests.rigs.webrepl import WebReplBoard

pytestmark = pytest.mark.rig

DENIED = b"\r\nAccess denied\r\n"


@pytest.fixture
def board(boards: Boards) -> WebReplBoard:
    return cast("WebReplBoard", boards.fresh("unix-webrepl"))


def connect(board: WebReplBoard) -> AirTalk:
    return AirTalk(board.port, board.password)


def _denied(board: WebReplBoard, password: bytes) -> bool:
    with AirTalk(board.port) as client:
        client.until(b"Password: ")
        client.send(password + b"\r")
        return client.until_closed() == DENIED


def test_login_wants_the_password_as_it_is(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.send(b"6 * 7\r")
        client.until(b"42\r\n>>> ")
    assert _denied(board, b"")
    assert _denied(board, b"upytoo")
    assert _denied(board, b"upytool1")
    assert _denied(board, b"x" * 200)
    with connect(board):
        pass  # a wrong password leaves the server as it was


def test_password_of_the_board_file_and_its_length(board: WebReplBoard) -> None:
    (board.root / "webrepl_cfg.py").write_text("PASS = '123456789'\n")
    board.power_cycle()
    assert _denied(board, b"upytool")
    assert _denied(board, b"1234567890")  # not cut to its first nine
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


def test_raw_repl_and_raw_paste(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.raw()
        assert client.execute("print(6 * 7)") == ("42\n", "")
        assert client.execute("1 / 0")[1].endswith("ZeroDivisionError: divide by zero\n")
        program = "n = 0\n" + "n += 1  # many windows\n" * 4000 + "print(n)"
        assert client.paste(program) == ("4000\n", "")
        frames = [frame for frame in client.frames if b"\x80" in frame.data]
        assert frames, "the window of 128 bytes comes in a frame that is not UTF-8"
        assert {frame.opcode for frame in frames} == {Opcode.TEXT}


def test_output_keeps_every_byte(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.raw()
        client.send(b"import sys; sys.stdout.buffer.write(bytes(range(256)) * 4)\x04")
        client.until(b"OK")
        assert client.until_count(1024) == bytes(range(256)) * 4
        assert client.result()[1] == ""


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


def test_bytes_behind_a_control_c_wait_for_the_end_of_the_program(board: WebReplBoard) -> None:
    stubborn = "while True:\n try:\n  while True: pass\n except KeyboardInterrupt: print('stopped')\n"
    with connect(board) as client:
        client.raw()
        client.send(stubborn.encode() + b"\x04")
        client.until(b"OK")
        time.sleep(0.1)
        client.send(b"\x03\x03")
        client.until(b"stopped\r\n")
        with pytest.raises(TimeoutError):
            client.until(b"stopped\r\n", 0.5)
        client.send(b"\x03")  # a frame of its own: now both are seen
        client.until(b"stopped\r\n")


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


def test_version(board: WebReplBoard) -> None:
    version = debian_source.micropython_tree()[0]
    with connect(board) as client:
        client.request(GET_VERSION)
        assert client.answer(3) == bytes(int(part) for part in version.split("."))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65536])
def test_put_and_get(board: WebReplBoard, size: int) -> None:
    data = random.Random(size).randbytes(size)
    with connect(board) as client:
        client.put("/there.bin", data)
        assert (board.root / "there.bin").read_bytes() == data
        assert client.get("/there.bin") == data
        client.send(b"1 + 1\r")
        client.until(b"2\r\n>>> ")  # the terminal is as it was


def test_get_takes_as_many_zeros_as_there_are_chunks(board: WebReplBoard) -> None:
    """The pipelined GET: ceil(size / 256) + 1 zero bytes in one frame give all chunks and the end."""
    data = random.Random(1).randbytes(1000)
    (board.root / "x").write_bytes(data)
    with connect(board) as client:
        client.request(GET, "x")
        assert client.answer(4) == b"WB\0\0"
        client.send_binary(b"\0" * 5)
        for chunk in (data[:256], data[256:512], data[512:768], data[768:], b""):
            assert client.answer(2) == len(chunk).to_bytes(2, "little")
            assert client.answer(len(chunk)) == chunk
        assert client.answer(4) == b"WB\0\0"


def test_put_that_ends_in_the_middle_leaves_a_part(board: WebReplBoard) -> None:
    with connect(board) as client:
        client.put("main.py", b"print('old')\n")
        client.request(PUT, "main.py", 1000)
        assert client.answer(4) == b"WB\0\0"
        client.send_binary(b"x" * 300)
        client.send(b"1 + 1\r")
        client.until(b"2\r\n>>> ")
    with connect(board):
        assert len((board.root / "main.py").read_bytes()) < 1000


@pytest.mark.parametrize("operation", [GET, PUT])
def test_file_that_cannot_be_opened_ends_the_session(board: WebReplBoard, operation: int) -> None:
    with connect(board) as client:
        client.request(operation, "/no/such/file", 5)
        client.until_closed()
    with connect(board):
        pass


def test_one_client(board: WebReplBoard) -> None:
    with connect(board) as first:
        with AirTalk(board.port) as second:
            assert second.upgraded  # it comes through the handshake, but no further
            assert second.until_closed() == b""
        first.send(b"'still ' + 'here'\r")
        first.until(b"'still here'\r\n>>> ")
    with connect(board):
        pass


def test_visitor_that_is_no_websocket(board: WebReplBoard) -> None:
    address = ("127.0.0.1", int(board.port.rpartition(":")[2]))
    with socket.create_connection(address, 10) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: board\r\n\r\n")
        seen = b""
        while part := visitor.recv(4096):
            seen += part
    assert seen.startswith(b"HTTP/1.0 200 OK\r\n")
    with connect(board):
        pass


def test_ping_gets_no_answer_and_spoils_the_file_protocol(board: WebReplBoard) -> None:
    """modwebsocket.c hands the payload of a control frame, but for its last byte, to modwebrepl.c as binary data."""
    with connect(board) as client:
        client.protocol.send_ping(b"!")
        client.request(GET_VERSION)
        client.answer(3)
        client.protocol.send_ping(b"well?")
        client.request(GET_VERSION)
        with pytest.raises(Closed):  # what arrives as a request names no file
            client.answer(3)
        assert Opcode.PONG not in {frame.opcode for frame in client.frames}


@pytest.mark.parametrize("code", [None, 1000])
def test_close_is_answered_and_without_a_code_ends_the_session(board: WebReplBoard, code: int | None) -> None:
    with connect(board) as client:
        client.protocol.send_close(code)
        client._flush()
        if code is None:
            client.until_closed()
        else:
            with pytest.raises(TimeoutError):
                client.until_closed(0.5)  # for the same reason the board goes on to read: hang up
        assert client.frames[-1].opcode is Opcode.CLOSE
    with connect(board):
        pass


@pytest.mark.parametrize("end", [b"\x04", b"import machine; machine.reset()\r", b"import sys; sys.exit()\r"])
def test_reset_ends_the_session_and_takes_a_new_client(board: WebReplBoard, end: bytes) -> None:
    with connect(board) as client:
        client.send(b"x = 1\r")
        client.until(b"x = 1\r\n>>> ")
        client.send(end)
        client.until_closed()
    again = _patiently(board)
    with again:
        again.send(b"x\r")
        assert b"NameError" in again.until(b"\r\n>>> ")


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


def _patiently(board: WebReplBoard) -> AirTalk:
    """A session with a board that may still be starting."""
    end = time.monotonic() + 10
    while True:
        try:
            return connect(board)
        except (ConnectionRefusedError, Closed):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def test_frame_with_a_length_of_64_bits(board: WebReplBoard) -> None:
    """modwebsocket.c asserts that none comes, and asserts are off, as on boards: it loses its place in the stream."""
    with connect(board) as client:
        client.socket.sendall(b"\x81\xff" + struct.pack(">Q", 70000) + b"\0\0\0\0" + b"x" * 70000)
        client.until_closed()
    with connect(board):
        pass
