"""The board's prompt in a terminal: keys go to the board, its output comes back, mounts keep working.

Law 1: the console works over any Transport; it never looks behind it for a descriptor of its own.
Law 2: the terminal (cli/ui/terminal.py) is only read and written here; who opened it restores it.
Law 3: while the board is in the middle of a request of a mounted folder, keys wait.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, cast

from ..errors import ConnectionLostError, LocalFileError, RemoteException, UpytoolError
from ..protocol.friendly import Pacer, PromptWatcher, escape_non_printable, keys_for
from ..protocol.ops import Op, Recv, Request
from ..protocol.raw_repl import ReplState
from ..transport.base import Reconnecting, Transport
from ..transport.drive import perform
from ..transport.ready import readable
from .device import Device
from .mount import mounts_of

T = TypeVar("T")

CTRL_J, CTRL_K = 0x0A, 0x0B
_TURN = 0.02  # seconds to wait for the board, then for keys, where they cannot be waited for together
_QUIET = 0.3  # seconds without output after which half a request is not a request
_PROMPT_QUIET = 0.15
_SCRIPT_AHEAD = 65536
_FIRST_PATIENCE, _PATIENCE, _QUESTION = 2.0, 10.0, 0.7


class Terminal(Protocol):
    """Where keys come from and output goes.

    Attributes:
        interactive: False for a pipe or a file, whose lines are typed one by one.
    """

    interactive: bool

    def fileno(self) -> int | None:
        """A descriptor of the keys that `select` takes, or None."""
        ...

    def read(self, timeout: float) -> bytes | None:
        """Keys, b"" when none come in `timeout` seconds; None at the end of the input."""
        ...

    def write(self, data: bytes) -> None:
        """Show what the board printed."""
        ...

    def say(self, text: str) -> None:
        """A line for the user, on stderr."""
        ...


@dataclass(frozen=True, slots=True)
class ConsoleOptions:
    """How a console behaves.

    Args:
        exit_keys: each of these bytes leaves it.
        exit_name: what the user presses, for messages.
        inject_code: what Ctrl-J types, None leaves Ctrl-J alone.
        inject_file: the program that Ctrl-K runs, None leaves Ctrl-K alone.
        escape: show bytes that are not printable as [xx].
        capture: receives all output as it is shown.
        reopen: called again and again after the connection was lost; returns the new transport, or None while
            the board is not back. None: a lost connection ends the console.
    """

    exit_keys: bytes = b"\x1d\x18"
    exit_name: str = "Ctrl-] or Ctrl-X"
    inject_code: bytes | None = None
    inject_file: Path | None = None
    escape: bool = False
    capture: BinaryIO | None = None
    reopen: Callable[[], Transport | None] | None = None


class _Leave(Exception):
    """The exit key."""


class Console:
    """Args: a device, a terminal that is ready (raw, where it is one), and options."""

    def __init__(self, device: Device, terminal: Terminal, options: ConsoleOptions | None = None) -> None:
        self.device, self.terminal = device, terminal
        self.options = options or ConsoleOptions()
        self.watcher = PromptWatcher()
        self.pacer = Pacer()
        self._mounts = mounts_of(device)
        self._keys = bytearray()
        self._script = bytearray()
        self._ended = False
        self._said = False
        self._restarts = 0
        self._heard = time.monotonic()
        self._session = device.session

    # -- the loop -----------------------------------------------------------------------------------

    def run(self) -> None:
        """Until the exit key, or, where the input is not a terminal, until it ended and the board is idle.

        Errors: ConnectionLostError where nothing can be reopened.
        """
        session = self._session
        session.reset_pending = False
        self._begin()
        try:
            while not self._finished():
                try:
                    self._turn()
                except ConnectionLostError:
                    self._reconnect()
        except _Leave:
            return
        except KeyboardInterrupt:
            # Only where the input is not a terminal in raw mode: the program on the board is meant.
            self.device.transport.write(b"\x03")
            raise
        finally:
            if session.repl.interceptor is not None:
                self._show(session.repl.interceptor.feed(b"")[0])
            # At its prompt the board may be told more later; in a program it is left alone.
            at_prompt = self.watcher.prompt == b">>> " and not self._keys
            session.repl.state = ReplState.FRIENDLY if at_prompt else ReplState.UNKNOWN

    def _begin(self) -> None:
        session = self._session
        if session.repl.state in (ReplState.RAW, ReplState.BROKEN):
            session.repl.state = ReplState.RAW
            self._leave_raw()
        elif not self.terminal.interactive:
            self.device.transport.write(b"\r")
        session.repl.state = ReplState.FRIENDLY

    def _leave_raw(self) -> None:
        """To the friendly prompt; its banner says nothing about a restart."""
        session = self._session
        self._drive(session.leave())
        self._restarts = self.watcher.restarts + 1
        rest = session.repl.inbox.take(len(session.repl.inbox.data))
        if rest:
            self._from_board(rest)

    def _turn(self) -> None:
        self._type()
        data, keys = self._wait(self._patience())
        if data:
            self._from_board(data)
        if keys:
            self._from_user(keys)
        self._chores()

    def _patience(self) -> float:
        """How long the next wait may be, so that nothing that is due comes late."""
        now = time.monotonic()
        wait = 0.5
        if self._keys:
            wait = self.pacer.wait(now) if self.pacer.allowance(now) <= 0 else 0.0
        if self._busy() or self._restarts < self.watcher.restarts or self._script or self._ended:
            wait = min(wait, 0.05)
        return wait

    def _wait(self, timeout: float) -> tuple[bytes, bytes]:
        """(from the board, from the user); both empty when nothing came in time."""
        transport, terminal = self.device.transport, self.terminal
        ours, theirs = terminal.fileno(), transport.fileno()
        if self._ended or len(self._script) > _SCRIPT_AHEAD:
            return transport.read(timeout), b""
        if os.name == "posix" and ours is not None and theirs is not None:
            ready = readable((ours, theirs), timeout)
            data = transport.read(0) if theirs in ready else b""
            return data, self._read_keys(0) if ours in ready else b""
        deadline = time.monotonic() + timeout
        while True:
            keys = self._read_keys(0)
            data = transport.read(0 if keys else max(0.0, min(_TURN, deadline - time.monotonic())))
            if data or keys or self._ended or time.monotonic() >= deadline:
                return data, keys

    def _read_keys(self, timeout: float) -> bytes:
        keys = self.terminal.read(timeout)
        if keys is None:
            self._ended = True
            return b""
        return keys

    # -- from the board -------------------------------------------------------------------------------

    def _busy(self) -> bool:
        return bool(getattr(self._session.repl.interceptor, "busy", False))

    def _from_board(self, data: bytes) -> None:
        interceptor = self._session.repl.interceptor
        if interceptor is not None:
            data, reply = interceptor.feed(data)
            if reply:
                self.device.transport.write(reply)
        self._heard = time.monotonic()
        if data:
            self._said = True
            self.pacer.heard(len(data), self._heard)
            self.watcher.feed(data)
            self._show(data)

    def _show(self, data: bytes) -> None:
        if not data:
            return
        if self.options.escape:
            data = escape_non_printable(data)
        self.terminal.write(data)
        if self.options.capture is not None:
            try:
                self.options.capture.write(data)
                self.options.capture.flush()
            except OSError as error:
                raise LocalFileError("local-file.capture", reason=error.strerror or error) from error

    def _chores(self) -> None:
        quiet = time.monotonic() - self._heard
        interceptor = self._session.repl.interceptor
        if interceptor is not None and self._busy() and quiet >= _QUIET:
            output, _ = interceptor.feed(b"")
            self.watcher.feed(output)
            self._show(output)
        watcher = self.watcher
        if self._restarts < watcher.restarts and watcher.prompt == b">>> " and quiet >= _PROMPT_QUIET:
            self._restarts = self.watcher.restarts
            if self._mounts.all:
                self._mount_again()
        if self._script or self._ended:
            self._type_line(quiet)

    def _mount_again(self) -> None:
        """The board restarted and is at its prompt: put the mounts back behind its back."""
        session = self._session
        try:
            self._drive(self._mounts.again())
            done = "Mounted again: " + ", ".join(mount.point for mount in self._mounts.all)
        except ConnectionLostError:
            raise
        except UpytoolError as error:
            done = f"What was mounted could not be mounted again: {error}"
        finally:
            self._drive(session.leave())
            session.repl.state = ReplState.FRIENDLY
        # The mode change printed a banner and a prompt; the user has one on the screen already.
        deadline, unseen = time.monotonic() + 1.0, PromptWatcher()
        unseen.feed(session.repl.inbox.take(len(session.repl.inbox.data)))
        while unseen.prompt != b">>> " and time.monotonic() < deadline:
            unseen.feed(self.device.transport.read(0.1))
        self.terminal.say("\n" + done)
        self._show(b">>> ")
        self._heard = time.monotonic()

    # -- from the user --------------------------------------------------------------------------------

    def _from_user(self, keys: bytes) -> None:
        if not self.terminal.interactive:
            at = next((i for i, key in enumerate(keys) if key in self.options.exit_keys), None)
            if at is not None:
                keys, self._ended = keys[:at], True
            self._script += keys
            return
        options = self.options
        for key in keys:
            if key in options.exit_keys:
                raise _Leave
            if key == CTRL_J and options.inject_code is not None:
                self._keys += options.inject_code
            elif key == CTRL_K and options.inject_file is not None:
                self._type()
                self._inject(options.inject_file)
            else:
                self._keys.append(key)

    def _type(self) -> None:
        """Send keys that wait, as many as the board can take."""
        now = time.monotonic()
        count = self.pacer.allowance(now)
        if self._keys and count > 0 and not self._busy():
            part = bytes(self._keys[:count])
            del self._keys[:count]
            self.pacer.sent(len(part), now)
            self.watcher.typed()
            self.device.transport.write(part)

    def _type_line(self, quiet: float) -> None:
        """The next line of a script, when the board waits for one."""
        if self._keys or not self._script or not self._idle(quiet):
            return
        line, end, rest = bytes(self._script).partition(b"\n")
        if not end and not self._ended:
            return
        self._script[:] = rest
        self._keys += keys_for(line.removesuffix(b"\r"), self.watcher)
        self._heard = time.monotonic()

    def _idle(self, quiet: float) -> bool:
        """Whether the board waits: it shows a prompt, asks a question, or has been silent for long."""
        if self.watcher.prompt:
            return quiet >= 0.03
        if not self._said:
            return quiet >= _FIRST_PATIENCE
        return quiet >= (_QUESTION if self.watcher.line else _PATIENCE)

    def _finished(self) -> bool:
        if not self._ended or self._keys or self._script or self._restarts < self.watcher.restarts:
            return False
        return self._idle(time.monotonic() - self._heard - _PROMPT_QUIET)

    def _inject(self, place: Path) -> None:
        """Run a local program now, keys going to it meanwhile; then the friendly prompt again."""
        self._show(f"Injecting {place}\r\n".encode())
        session = self._session
        try:
            source = place.read_bytes()
            self._drive(session.run(source, filename=str(place), on_output=self._seen), live=True)
        except OSError as error:
            self.terminal.say(f"{place} cannot be read: {error.strerror or error}")
        except RemoteException as error:
            self._show(error.traceback.replace("\n", "\r\n").encode())
        except ConnectionLostError:
            raise
        except UpytoolError as error:
            self.terminal.say(str(error))
        finally:
            if session.repl.state is ReplState.RAW:
                self._leave_raw()
            session.repl.state = ReplState.FRIENDLY

    def _seen(self, data: bytes) -> None:
        self.watcher.feed(data)
        self._show(data)

    # -- operations in the middle of it ----------------------------------------------------------------

    def _drive(self, op: Op[T], *, live: bool = False) -> T:
        """Run an operation; with `live` keys go to the board while it waits, else they are kept for later."""
        step: Callable[[Any], Request] = op.send
        answer: Any = None
        try:
            while True:
                request = step(answer)
                try:
                    answer, step = self._perform(request, live), op.send
                except ConnectionLostError as error:
                    step, answer = op.throw, error
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            op.close()

    def _perform(self, request: Request, live: bool) -> Any:
        if isinstance(request, Recv) and not request.files:
            return self._receive(request.timeout, live), time.monotonic()
        return perform(request, self.device.transport)

    def _receive(self, timeout: float | None, live: bool) -> bytes:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = 0.5 if deadline is None else max(0.0, min(0.5, deadline - time.monotonic()))
            data, keys = self._wait(left)
            if keys:
                self._from_user(keys)
            if live and self._keys and not self._busy():
                self.device.transport.write(bytes(self._keys))
                self._keys.clear()
            if data or (deadline is not None and time.monotonic() >= deadline):
                return data

    # -- a board that goes away ------------------------------------------------------------------------

    def _reconnect(self) -> None:
        """Wait for the board to come back.

        Errors: the ConnectionLostError that is being handled, where the user does not wait for it either.
        """
        reopen = self.options.reopen
        if reopen is None or not self.terminal.interactive:
            raise
        lost = self.device.transport
        lost.close()
        self.terminal.say(f"\nThe board is gone; waiting for it ({self.options.exit_name} leaves)")
        self._keys.clear()
        while True:
            keys = self._read_keys(0.25)
            if self._ended or any(key in self.options.exit_keys for key in keys):
                raise
            if self.terminal.fileno() is None and not keys:
                time.sleep(0.1)
            # One that can make its connection again knows the password; any other port may have another name now.
            fresh = _again(lost) if isinstance(lost, Reconnecting) else reopen()
            if fresh is not None:
                break
        self.device.transport = fresh
        session = self._session
        session.repl.inbox.clear()
        session.repl.state = ReplState.FRIENDLY
        self.watcher, self._restarts = PromptWatcher(), 0
        self.terminal.say(f"Connected to {fresh.name} again")
        self._heard = time.monotonic()
        if self._mounts.all:
            # The mounts are gone with the board's memory; a prompt is needed to put them back.
            self.watcher.restarts += 1
            fresh.write(b"\r")


def _again(lost: Transport) -> Transport | None:
    """A connection that was lost, made again; None while that is not possible."""
    try:
        cast(Reconnecting, lost).reconnect(0.0)
    except ConnectionLostError:
        return None
    return lost
