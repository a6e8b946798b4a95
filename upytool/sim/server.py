"""The background process that holds one simulated board: `python -m upytool.sim.server` (see registry.start).

It bridges the board's console to a pty (a TCP port on Windows), answers the control channel, and holds a lock
file as long as it lives.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import selectors
import signal
import socket
import sys
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..errors import SimulatorError, UpytoolError
from .console import Console
from .control import Caller, ControlPort
from .line import Line, open_line
from .registry import BOOT_PATIENCE, KINDS, SimInfo, clean
from .usb_link import UsbGuest
from .usb_port import UsbPort


class Board(Protocol):
    """What the server needs of a board."""

    console: Console

    @property
    def alive(self) -> bool: ...

    @property
    def failure(self) -> Exception | None: ...

    def reset(self) -> None: ...

    def close(self) -> None: ...


@runtime_checkable
class UsbBoard(Protocol):
    """A board that is a USB device, with a bootloader and a button for it."""

    usb: UsbPort

    @property
    def state(self) -> str: ...

    def reset(self, *, bootsel: bool = False) -> None: ...


class Server:
    """One board, one line, one control channel, one thread (the board has its own)."""

    def __init__(self, board: Board, line: Line, token: str) -> None:
        self._board, self._line = board, line
        self._selector = selectors.DefaultSelector()
        self._control = ControlPort(token, self._selector, self._do)
        self._wake_read, self._wake_write = socket.socketpair()
        for each in (self._wake_read, self._wake_write):
            each.setblocking(False)
        self._stopping = False
        self._guests: list[UsbGuest] = []
        board.console.on_output = self._wake

    @property
    def control_port(self) -> int:
        return self._control.number

    def stop(self) -> None:
        """End `run` soon; may be called from a signal handler."""
        self._stopping = True
        self._wake()

    def run(self) -> None:
        """Serve until stopped or until the board breaks."""
        console, line, select = self._board.console, self._line, self._selector
        select.register(self._wake_read, selectors.EVENT_READ, "wake")
        line.attach(select)
        while not self._stopping and self._board.alive:
            for key, mask in select.select(timeout=1.0):
                if key.data == "wake":
                    self._drain_wake()
                    for guest in self._guests:
                        guest.flush()
                elif isinstance(key.data, ControlPort):
                    key.data.accept()
                elif isinstance(key.data, Caller):
                    self._control.hear(key.data)
                elif key.data == "listen":
                    line.accept()
                elif isinstance(key.data, UsbGuest):
                    key.data.serve(mask)
                elif mask & selectors.EVENT_READ:
                    console.feed(line.read())
            self._control.drop_late()
            if not line.connected:
                console.drop_output(1 << 30)
            while line.connected:
                data = console.peek_output(16384)
                sent = line.write(data) if data else 0
                console.drop_output(sent)
                if sent < len(data) or not data:
                    break
            line.interest(read=not console.congested, write=bool(console.peek_output(1)))

    def close(self) -> None:
        self._board.console.on_output = None
        for guest in self._guests:
            guest.close()
        self._board.close()
        self._line.close()
        for each in (self._control, self._wake_read, self._wake_write):
            each.close()
        self._selector.close()

    def _wake(self) -> None:
        try:
            self._wake_write.send(b"\0")
        except OSError:
            return  # full: awake already; closed: no matter

    def _drain_wake(self) -> None:
        try:
            self._wake_read.recv(4096)
        except BlockingIOError:
            return

    def _do(self, command: str, channel: socket.socket) -> bool:
        """Do it and answer; True when the channel stays open."""
        board, answer = self._board, b"ok\n"
        if command == "reset":
            board.reset()
        elif command == "stop":
            self._stopping = True
        elif command == "state":
            answer = (board.state if isinstance(board, UsbBoard) else "repl").encode() + b"\n"
        elif command == "reset-bootsel" and isinstance(board, UsbBoard):
            board.reset(bootsel=True)
        elif command == "usb" and isinstance(board, UsbBoard):
            channel.sendall(answer)
            self._guests = [guest for guest in self._guests if guest.open]
            self._guests.append(UsbGuest(channel, board.usb, self._selector, self._wake))
            return True
        else:
            answer = b"no\n"
        channel.sendall(answer)
        return False


def make_board(options: argparse.Namespace, home: Path) -> Board:
    home.mkdir(parents=True, exist_ok=True)
    unique_id = options.name.encode()[:8].ljust(8, b"\0")
    if options.kind == "wasm":
        from .flash import DEFAULT_SIZE
        from .wasm import WasmBoard

        return WasmBoard(
            home / "flash.img",
            flash_size=options.flash_size or DEFAULT_SIZE,
            fresh=options.fresh,
            unique_id=unique_id,
        )
    from .pico import PicoBoard

    image = Path(options.image) if options.image else None
    return PicoBoard(
        image,
        home / "flash.bin",
        fresh=options.fresh,
        bootsel=options.bootsel,
        unique_id=unique_id,
        patience=BOOT_PATIENCE,
    )


def serve(options: argparse.Namespace) -> None:
    from filelock import FileLock, Timeout

    folder = Path(options.state_dir)
    name = options.name
    lock = FileLock(folder / f"{name}.lock")
    try:
        lock.acquire(timeout=3.0)
    except Timeout:
        raise SimulatorError("sim.name-taken", name=name) from None
    try:
        clean(folder, name)
        home = folder / name
        board = make_board(options, home)
        line = open_line(folder / f"{name}.tty", tcp=options.tcp)
        token = secrets.token_hex(16)
        server = Server(board, line, token)
        info = SimInfo(name, options.kind, line.name, os.getpid(), str(home), server.control_port, token)
        try:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop())
            publish(folder / f"{name}.json", info)
            if options.ready is not None:
                os.write(options.ready, b"1")
                os.close(options.ready)
            server.run()
            if board.failure is not None:
                raise board.failure
        finally:
            server.close()
    finally:
        clean(folder, name)
        lock.release()


def daemonize() -> int:
    """Go on in a child that nobody has to reap; the process that was started ends with success once the child has
    written to the returned file descriptor, with failure when the child ends without (POSIX only)."""
    read, write = os.pipe()
    if not os.fork():
        os.close(read)
        return write
    os.close(write)
    os._exit(0 if os.read(read, 1) else 1)


def publish(path: Path, info: SimInfo) -> None:
    """Write the state file in one step, readable by its owner alone (it holds the token)."""
    from dataclasses import asdict

    from ..whole_file import write_whole

    write_whole(path, json.dumps(asdict(info)).encode(), private=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m upytool.sim.server")
    parser.add_argument("--name", required=True)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--state-dir", required=True)
    parser.add_argument("--image")
    parser.add_argument("--flash-size", type=int)
    parser.add_argument("--fresh", action="store_true")
    parser.add_argument("--bootsel", action="store_true")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--foreground", action="store_true")
    options = parser.parse_args(arguments)
    options.ready = None
    if sys.platform != "win32" and not options.foreground:
        options.ready = daemonize()
    try:
        serve(options)
    except UpytoolError as err:
        sys.stderr.write(f"{err.message}\n")
        sys.stderr.flush()
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
