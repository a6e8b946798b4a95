"""A MODEL of a board's WebREPL server, in front of the simulated board: its terminal, and the files on its flash.

    with WasmBoard() as board, WebReplModel(board) as model:
        connect(model.url, model.password)

Modelled is what lies between TCP and the board: webrepl.py (micropython-lib), modwebsocket.c, modwebrepl.c,
os_dupterm.c with the ring of 260 bytes that drops what does not fit. What it does was seen on the real ones
(tests/rigs/test_webrepl.py), its faults included: no pong, a byte of a PUT lost when it comes alone, control frames
that spill into the file protocol. Real are TCP, with its delayed ACK, and the MicroPython that runs the programs.

It is for tests that need thousands of sessions, or a server that breaks on demand (tests.rigs.air); the truth is the
rig `unix-webrepl`. Unlike there, a file that a lost session was writing is closed at once, a board notices Ctrl-C
everywhere, and a Ctrl-C throws away what waits in the ring, as on the simulated board's own line. A PUT into a file
system of a program's own arrives there when the next program begins, and never fails.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import select
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.fakes.flash_files import FlashFiles
from tests.fakes.webrepl_frames import BINARY, TEXT, FrameReader, LostPlace
from upytool.sim.wasm import WasmBoard

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
REQUEST = struct.Struct("<2sBBQLH64s")  # struct webrepl_file
PUT, GET, GET_VERSION = 1, 2, 3
DONE = b"WB\0\0"
CTRL_C = 3
# Below it a program of the board's has a file system of its own (upytool/ondevice/channel_take.py). No other hand can
# call one, so what is written there waits on the flash, and the board's side writes it when its next program begins.
OWN, WAITING = "/*/", "/.model"
DELIVER = f"""def _deliver():
    import os
    try:
        with open("{WAITING}", "rb") as f:
            data = f.read()
        os.remove("{WAITING}")
        open("{OWN}p", "wb").write(data)
    except OSError:
        pass


def _run("""
PATIENCE = 10.0  # seconds for a client to send its handshake, or to read: a real board waits for ever


class SessionEnded(Exception):
    """The terminal goes away: its end of file, or an exception in it."""


class Session:
    """One client that came through the handshake: the password, then the terminal and the file protocol."""

    def __init__(self, model: WebReplModel, client: socket.socket) -> None:
        self.model, self.socket = model, client
        self.frames = FrameReader(lambda: client.sendall(b"\x88\0"))
        self.logged_in = False
        self._typed = b""
        self._request = b""
        self._operation = 0
        self._left = 0  # bytes that the file operation still wants
        self._file: Any = None
        self._to_own = False
        self.send(TEXT, b"Password: ")

    def send(self, opcode: int, payload: bytes) -> None:
        """One frame: its header and its payload are sent apart, so Nagle's algorithm holds the second back."""
        size = len(payload)
        header = bytes([0x80 | opcode, size]) if size < 126 else struct.pack(">BBH", 0x80 | opcode, 126, size)
        self.socket.sendall(header)
        self.socket.sendall(payload)

    def gather(self) -> None:
        """Take in what has come, to its end: a board looks at the end of a session before it looks for a new client."""
        while len(self.frames.inbox) < 1 << 18 and select.select([self.socket], [], [], 0)[0]:
            try:
                data = self.socket.recv(65536)
            except ConnectionError:
                data = b""
            self.frames.inbox += data
            if not data:
                self.frames.ended = True
                return

    def read(self) -> int | None:
        """One byte for the terminal; None when there is none now. What else comes is worked off.

        Raises: SessionEnded; OSError for the connection.
        """
        while True:
            got = self.frames.read(1)
            if got is None:
                return None
            if not got:
                raise SessionEnded
            if not self.logged_in:
                self._login(got)
            elif self.frames.opcode == TEXT:
                return got[0]
            elif len(self._request) < REQUEST.size:
                self._request += got
                self._request += self.frames.read(REQUEST.size - len(self._request)) or b""
                if len(self._request) == REQUEST.size:
                    self._begin()
            elif self._left:
                self._transfer(got)

    def close(self) -> None:
        """Hang up; a file that was being written stays as it is."""
        self._close_file(quiet=True)
        self.socket.close()

    def _login(self, got: bytes) -> None:
        if got not in b"\r\n":
            self._typed += got if len(self._typed) < 10 else b""
            return
        if self._typed != self.model.password.encode():
            self.send(TEXT, b"\r\nAccess denied\r\n")
            raise SessionEnded
        self.logged_in = True
        self.send(TEXT, b"\r\nWebREPL connected\r\n>>> ")

    def _begin(self) -> None:
        _, self._operation, _, _, size, _, name = REQUEST.unpack(self._request)
        if self._operation == GET_VERSION:
            self._request = b""
            self.send(BINARY, bytes(self.model.version))
            return
        if b"\0" not in name:
            raise SessionEnded  # the board reads on behind the name
        try:
            mode = "wb" if self._operation == PUT else "rb"
            path = name[: name.index(0)].decode()
            self._to_own = path.startswith(OWN)
            self._file = self.model.files.open(WAITING + ".part" if self._to_own else path, mode)
        except (OSError, ValueError) as error:
            raise SessionEnded from error
        self.send(BINARY, DONE)
        if self._operation == PUT:
            self._left = size
            self._check_finished()
        elif self._operation == GET:
            self._left = 1

    def _transfer(self, got: bytes) -> None:
        self._left -= 1
        if self._left:
            more = self.frames.read(min(511, self._left))
            if more is None:
                return  # and `got` is lost
            got += more
            self._left -= len(more)
        if self._operation == PUT:
            with contextlib.suppress(OSError):  # a full disk is not noticed
                self._file.write(got)
        elif chunk := self._file.read(256):
            self._left = 1
            self.send(BINARY, len(chunk).to_bytes(2, "little") + chunk)
        else:
            self.send(BINARY, b"\0\0")
        self._check_finished()

    def _check_finished(self) -> None:
        if not self._left:
            self._close_file(quiet=False)
            self._request = b""
            self.send(BINARY, DONE)

    def _close_file(self, *, quiet: bool) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
                if self._to_own and not quiet:
                    self.model.files.rename(WAITING + ".part", WAITING)
            except OSError as error:
                if not quiet:
                    raise SessionEnded from error


class WebReplModel:
    """A board on the air. Attributes: url, password, sessions (how many clients were let in).

    Args:
        board: the simulated board; its console belongs to the model from now on, and it is reset.
        password: up to 9 characters.
        ring: size of the terminal's input ring; it holds one byte less. The board's window of raw paste, 2,048 bytes
            otherwise, becomes half of it.
        version: what GET_VER says.
    """

    def __init__(
        self,
        board: WasmBoard,
        password: str = "upytool",
        *,
        ring: int = 260,
        version: tuple[int, int, int] = (1, 26, 1),
    ) -> None:
        self.board, self.password, self.ring, self.version = board, password, ring, version
        self.files = FlashFiles(board)
        self.sessions = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"ws://127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake_read, self._wake_write = socket.socketpair()
        self._wake_write.setblocking(False)
        self._session: Session | None = None
        self._reset = self._stopping = False
        self._starting = False
        self._thread = threading.Thread(target=self._main, name="WebREPL model", daemon=True)

    def __enter__(self) -> WebReplModel:
        self._reset_with_small_window()
        console = self.board.console
        self._restart = console.restart
        console.restart = self._restarted  # type: ignore[method-assign]
        console.on_output = self._wake
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._wake()
        self._thread.join(PATIENCE + 5)
        self.board.console.on_output = None
        self.board.console.restart = self._restart  # type: ignore[method-assign]
        for end in (self._listener, self._wake_read, self._wake_write):
            end.close()
        shutil.rmtree(self._firmware)

    def _reset_with_small_window(self) -> None:
        self._firmware = Path(tempfile.mkdtemp(prefix="upytool-model-"))
        shutil.copytree(self.board._firmware, self._firmware, dirs_exist_ok=True)
        repl = self._firmware / "repl.py"
        text, found = re.subn(r"(?m)^WINDOW = \d+", f"WINDOW = {(self.ring - 4) // 2}", repl.read_text())
        text, places = re.subn(r"(?m)^def _run\(", DELIVER, text)
        text, starts = re.subn(
            r'(?m)^        try:\n            host\.call\("run", ""\)$', r"        _deliver()\n\g<0>", text
        )
        assert found == places == starts == 1, "the simulated board keeps its window, or runs programs, elsewhere"
        repl.write_text(text)
        self.board._firmware = self._firmware
        self.board.read()
        self.board.reset()
        said = b""
        while not said.endswith(b">>> "):
            part = self.board.read(timeout=PATIENCE)
            assert part, f"no prompt of the simulated board: {said!r}"
            said += part

    # called by the board's thread

    def _restarted(self, *, drop_input: bool) -> None:
        self._restart(drop_input=drop_input)
        self._reset = True
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_write.send(b"\0")

    # the model's thread

    def _main(self) -> None:
        try:
            while not self._stopping:
                self._turn()
        finally:
            self._hang_up()

    def _turn(self) -> None:
        session = self._session
        waiting = [self._wake_read] if self._starting else [self._listener, self._wake_read]
        wait = 0.02 if self._starting else None
        if session is not None:
            waiting.append(session.socket)
            wait = 0.01 if session.frames.inbox else None  # bytes behind a Ctrl-C
        ready, _, _ = select.select(waiting, [], [], wait)
        if self._wake_read in ready:
            self._wake_read.recv(4096)
        if self._reset:
            self._reset = False
            self._hang_up()  # a soft reset ends the session
            self._starting = True  # and boot.py, or what comes instead of it, starts the server anew
        output = self.board.console.take_output(4096)
        if output.endswith((b">>> ", b"\r\n>")) or self.board.console.interrupt_char == CTRL_C:
            self._starting = False
        if self._session is not None and self._session is session:
            with self._ending(session):
                if output and session.logged_in:
                    session.send(TEXT, output)
                if session.socket in ready:
                    session.gather()
                self._feed(session, arrived=session.socket in ready)
        if self._listener in ready:
            self._accept()
        if len(output) == 4096:
            self._wake()

    def _feed(self, session: Session, *, arrived: bool) -> None:
        """What os.dupterm_notify does: empty the connection into the ring, up to a Ctrl-C that means something."""
        console = self.board.console
        if console.interrupt_char == CTRL_C and not arrived:
            return  # the event that brought these bytes is over, and the program does not wait for input
        room = self.ring - 1 - console.pending()
        fitting = bytearray()
        try:
            while (byte := session.read()) is not None:
                if byte == CTRL_C == console.interrupt_char:
                    fitting = bytearray([CTRL_C])
                    break
                if len(fitting) < room:
                    fitting.append(byte)
        finally:
            if fitting:
                console.feed(bytes(fitting))

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(PATIENCE)
        try:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                part = client.recv(1)
                if not part:
                    raise ConnectionResetError
                head += part
            key = re.search(rb"\r\nSec-WebSocket-Key:(.*)\r\n", head)
            upgrade = re.search(rb"\r\nConnection:.*Upgrade.*\r\n", head)
            if not (key and upgrade and re.search(rb"\r\nUpgrade: *websocket *\r\n", head)):
                client.sendall(b"HTTP/1.0 200 OK\r\n\r\n<p>a model of WebREPL</p>\r\n")
                client.close()
                return
            accepted = base64.b64encode(hashlib.sha1(key[1].strip() + GUID).digest())
            client.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accepted + b"\r\n\r\n"
            )
            if self._session is not None:
                client.close()  # one client
                return
            self._session = Session(self, client)
            self.sessions += 1
        except OSError:
            client.close()

    @contextlib.contextmanager
    def _ending(self, session: Session) -> Iterator[None]:
        try:
            yield
        except LostPlace:
            with contextlib.suppress(OSError):
                session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._hang_up()
        except (SessionEnded, OSError):
            self._hang_up()

    def _hang_up(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()
