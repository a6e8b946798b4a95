"""What a WebREPL server does, faults included: MicroPython's own on the rig, and the same of its model.

Only what both pass is said of the model. What is the board's own is in test_webrepl.py.
"""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import pytest
from websockets.frames import Opcode

from tests.fakes.webrepl_model import WebReplModel
from tests.rigs.air_talk import DONE, GET, GET_VERSION, PUT, AirTalk, Closed
from tests.rigs.fixtures import Boards
from tests.rigs.webrepl import WebReplBoard
from upytool.sim.wasm import WasmBoard

pytestmark = pytest.mark.rig

DENIED = b"\r\nAccess denied\r\n"


@dataclass
class Server:
    """A board to connect to; `content` reads one of its files without asking it."""

    port: str
    password: str
    content: Callable[[str], bytes]

    def connect(self) -> AirTalk:
        return AirTalk(self.port, self.password)


@pytest.fixture(params=["unix-webrepl", "model"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    if request.param == "model":
        with WasmBoard(flash_size=1 << 20) as board, WebReplModel(board) as model:
            yield Server(model.url, model.password, model.files.read)
        return
    boards: Boards = request.getfixturevalue("boards")
    real = cast("WebReplBoard", boards.fresh("unix-webrepl"))
    assert real.password is not None
    yield Server(real.port, real.password, lambda name: (real.root / name).read_bytes())


def _denied(server: Server, password: bytes) -> bool:
    with AirTalk(server.port) as client:
        client.until(b"Password: ")
        client.send(password + b"\r")
        return client.until_closed() == DENIED


def test_login_wants_the_password_as_it_is(server: Server) -> None:
    with server.connect() as client:
        client.send(b"6 * 7\r")
        client.until(b"42\r\n>>> ")
    assert _denied(server, b"")
    assert _denied(server, b"upytoo")
    assert _denied(server, b"upytool1")
    assert _denied(server, b"x" * 200)
    with server.connect():
        pass  # a wrong password leaves the server as it was


def test_raw_repl_and_raw_paste(server: Server) -> None:
    with server.connect() as client:
        client.raw()
        assert client.execute("print(6 * 7)") == ("42\n", "")
        assert client.execute("1 / 0")[1].endswith("ZeroDivisionError: divide by zero\n")
        program = "n = 0\n" + "n += 1  # many windows\n" * 4000 + "print(n)"
        assert client.paste(program) == ("4000\n", "")
        frames = [frame for frame in client.frames if b"\x80" in frame.data]
        assert frames, "the window of 128 bytes comes in a frame that is not UTF-8"
        assert {frame.opcode for frame in frames} == {Opcode.TEXT}


def test_output_keeps_every_byte(server: Server) -> None:
    with server.connect() as client:
        client.raw()
        client.send(b"import sys; sys.stdout.buffer.write(bytes(range(256)) * 4)\x04")
        client.until(b"OK")
        assert client.until_count(1024) == bytes(range(256)) * 4
        assert client.result()[1] == ""


def test_version(server: Server) -> None:
    with server.connect() as client:
        client.request(GET_VERSION)
        assert tuple(client.answer(3)) in {(1, 25, 0), (1, 26, 1)}


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 65536])
def test_put_and_get(server: Server, size: int) -> None:
    data = random.Random(size).randbytes(size)
    with server.connect() as client:
        client.put("/there.bin", data)
        assert server.content("there.bin") == data
        assert client.get("/there.bin") == data
        client.send(b"1 + 1\r")
        client.until(b"2\r\n>>> ")  # the terminal is as it was


def test_get_takes_as_many_zeros_as_there_are_chunks(server: Server) -> None:
    """The pipelined GET: ceil(size / 256) + 1 zero bytes in one frame give all chunks and the end."""
    data = random.Random(1).randbytes(1000)
    with server.connect() as client:
        client.put("x", data)
        client.request(GET, "x")
        assert client.answer(4) == DONE
        client.send_binary(b"\0" * 5)
        for chunk in (data[:256], data[256:512], data[512:768], data[768:], b""):
            assert client.answer(2) == len(chunk).to_bytes(2, "little")
            assert client.answer(len(chunk)) == chunk
        assert client.answer(4) == DONE


def test_put_that_ends_in_the_middle_leaves_a_part(server: Server) -> None:
    with server.connect() as client:
        client.put("main.py", b"print('old')\n")
        client.request(PUT, "main.py", 1000)
        assert client.answer(4) == DONE
        client.send_binary(b"x" * 300)
        client.send(b"1 + 1\r")
        client.until(b"2\r\n>>> ")
    with server.connect():
        assert len(server.content("main.py")) < 1000


@pytest.mark.parametrize("operation", [GET, PUT])
def test_file_that_cannot_be_opened_ends_the_session(server: Server, operation: int) -> None:
    with server.connect() as client:
        client.request(operation, "/no/such/file", 5)
        client.until_closed()
    with server.connect():
        pass


def test_one_client(server: Server) -> None:
    with server.connect() as first:
        with AirTalk(server.port) as second:
            assert second.upgraded  # it comes through the handshake, but no further
            assert second.until_closed() == b""
        first.send(b"'still ' + 'here'\r")
        first.until(b"'still here'\r\n>>> ")
    with server.connect():
        pass


def test_visitor_that_is_no_websocket(server: Server) -> None:
    address = ("127.0.0.1", int(server.port.rpartition(":")[2]))
    with socket.create_connection(address, 10) as visitor:
        visitor.sendall(b"GET / HTTP/1.1\r\nHost: board\r\n\r\n")
        seen = b""
        while part := visitor.recv(4096):
            seen += part
    assert seen.startswith(b"HTTP/1.0 200 OK\r\n")
    with server.connect():
        pass


def test_ping_gets_no_answer_and_spoils_the_file_protocol(server: Server) -> None:
    """modwebsocket.c hands the payload of a control frame, but for its last byte, to modwebrepl.c as binary data."""
    with server.connect() as client:
        client.protocol.send_ping(b"!")
        client.request(GET_VERSION)
        client.answer(3)
        client.protocol.send_ping(b"well?")
        client.request(GET_VERSION)
        with pytest.raises(Closed):  # what arrives as a request names no file
            client.answer(3)
        assert Opcode.PONG not in {frame.opcode for frame in client.frames}


@pytest.mark.parametrize("code", [None, 1000])
def test_close_is_answered_and_without_a_code_ends_the_session(server: Server, code: int | None) -> None:
    with server.connect() as client:
        client.protocol.send_close(code)
        client._flush()
        if code is None:
            client.until_closed()
        else:
            with pytest.raises(TimeoutError):
                client.until_closed(0.5)  # for the same reason the board goes on to read: hang up
        assert client.frames[-1].opcode is Opcode.CLOSE
    with server.connect():
        pass


def test_frame_with_a_length_of_64_bits(server: Server) -> None:
    """modwebsocket.c asserts that none comes, and asserts are off, as on boards: it loses its place in the stream."""
    with server.connect() as client:
        client.socket.sendall(b"\x81\xff" + struct.pack(">Q", 70000) + b"\0\0\0\0" + b"x" * 70000)
        client.until_closed()
    with server.connect():
        pass


def test_bytes_behind_a_control_c_wait_for_the_end_of_the_program(server: Server) -> None:
    stubborn = "while True:\n try:\n  while True: pass\n except KeyboardInterrupt: print('stopped')\n"
    with server.connect() as client:
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


@pytest.mark.parametrize("frame", [1, 513])
def test_put_loses_a_byte_that_comes_alone(server: Server, frame: int) -> None:
    """modwebrepl.c reads one byte, then up to 511 more; when none have come yet, the one is gone, and counted.

    So a PUT is not to be believed before its digest is known: a network may split the stream anywhere.
    """
    data = random.Random(frame).randbytes(2 * frame)
    with server.connect() as client:
        client.request(PUT, "x", len(data))
        assert client.answer(4) == DONE
        client.send_binary(data[:frame])
        time.sleep(0.1)
        client.send_binary(data[frame:])
        assert client.answer(4) == DONE
        content = server.content("x")
    # The last byte of the file may come alone.
    assert content == data[: frame - 1] + data[frame:]


def test_input_beyond_the_ring_is_lost(server: Server) -> None:
    with server.connect() as client:
        client.raw()
        client.send(b"x = '" + b"a" * 2000 + b"'\x04")
        with pytest.raises(TimeoutError):
            client.until(b"OK", 0.5)
        client.send(b"\x04")  # the end of the program was lost, too
        client.until(b"OK")
        assert "SyntaxError" in client.result()[1]


def test_frames_may_be_split_anywhere(server: Server) -> None:
    with server.connect() as client:
        client.raw()
        client.send(b"print('first')\x04")
        client.until(b"\x04\x04>")
        client.protocol.send_text(b"print('a' 'b',", fin=False)
        client.protocol.send_continuation(b"'" + b"c" * 130 + b"')\x04", fin=True)
        for data in client.protocol.data_to_send():
            for at in range(len(data)):
                client.socket.sendall(data[at : at + 1])
        assert client.until(b"\x04\x04>") == b"OKab " + b"c" * 130 + b"\r\n\x04\x04>"


@pytest.mark.parametrize("end", [b"\x04", b"import machine; machine.reset()\r", b"import sys; sys.exit()\r"])
def test_reset_ends_the_session_and_takes_a_new_client(server: Server, end: bytes) -> None:
    with server.connect() as client:
        client.send(b"x = 1\r")
        client.until(b"x = 1\r\n>>> ")
        client.send(end)
        client.until_closed()
    again = _patiently(server)
    with again:
        again.send(b"x\r")
        assert b"NameError" in again.until(b"\r\n>>> ")


def _patiently(server: Server) -> AirTalk:
    """A session with a board that may still be starting."""
    end = time.monotonic() + 10
    while True:
        try:
            return server.connect()
        except (ConnectionRefusedError, Closed):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
