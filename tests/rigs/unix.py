"""The unix rig: MicroPython's unix port, imprisoned, behind a serial-like port.

The unix port sees the files of the machine it runs on: `rm -r :/` on it deletes that machine. So it is built
static and started only inside a chroot of an empty directory (as another user; without root, in a user
namespace), never otherwise. Its version in Debian has no raw REPL; firmware/unix adds MicroPython's own
pyexec, which has.

A bridge process (`python -m tests.rigs.unix`) joins the pty that clients open to the pty that is the board's
controlling terminal: it sends Ctrl-C as SIGINT while a program runs, and starts the process again after a
soft reset, in the mode it ended in. Unlike a bare-metal port, this one does not turn `\\n` into `\\r\\n` on
its output, has no `machine.reset`, and its files are real files below `Unix.root`.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import fcntl
import inspect
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import tty
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.rigs.base import (
    FIRMWARE,
    HERE,
    RigBroken,
    apt_install,
    build_environment,
    cached_build,
    jobs,
    recipe_key,
    run_step,
)
from tests.rigs.debian_source import micropython_tree

PACKAGES = ("make", "python3", "gcc", "libc6-dev")
NOBODY = 65534
EXIT_RAW = 11  # rig_repl.c: the board was in raw mode at its soft reset
EXIT_RESET = 12  # rig_machine.c of the WebREPL rig: machine.reset()
UNREAD = 0.5  # seconds after which a board with `lossy` gives up on a client that reads nothing, as USB CDC does
PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000


def build() -> Path:
    """The static micropython executable, from the cache or built now (about 30 s on two cores)."""
    apt_install(*PACKAGES)
    version, source = micropython_tree()
    module = FIRMWARE / "unix" / "rig"

    def make(directory: Path) -> None:
        without = [f"MICROPY_PY_{name}=0" for name in ("FFI", "BTREE", "SSL")]
        run_step(
            [
                *("make", jobs(), "-C", str(source / "ports" / "unix"), f"BUILD={directory / 'build'}"),
                *("FROZEN_MANIFEST=", f"USER_C_MODULES={module.parent}", "LDFLAGS_EXTRA=-static", *without),
            ],
            env=build_environment(),
        )
        (directory / "build" / "micropython").rename(directory / "micropython")
        shutil.rmtree(directory / "build")

    key = recipe_key(version, inspect.getsource(build), files=module.iterdir())
    return cached_build("unix", key, make) / "micropython"


class Unix:
    """A running board. Attributes: port (path), root (Path, the board's `/` as the host sees it).

    A rig on top of this one (webrepl.py) gives its own `binary`, `settings` for the board's environment, and `lossy`:
    output that nobody reads at the port is lost, where this board waits.
    """

    def __init__(
        self, binary: Path | None = None, *, settings: Mapping[str, str] | None = None, lossy: bool = False
    ) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="upytool-unix-"))
        self._home.chmod(0o755)
        self.root = self._home / "root"
        self.root.mkdir()
        if not os.geteuid():
            os.chown(self.root, NOBODY, NOBODY)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.rigs.unix", "--binary", str(binary or build())),
                *("--root", str(self.root), *(["--lossy"] if lossy else [])),
                *(f"--setting={name}={value}" for name, value in (settings or {}).items()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HERE.parents[1],
        )
        try:
            self.port = self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def power_cycle(self) -> None:
        """Kill the board at once and wait until it is at its prompt again."""
        self._ask("power")

    def blank(self) -> None:
        """Power cycle with every file removed."""
        self._ask("blank")

    def close(self) -> None:
        """Switch the board off and remove its files."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _ask(self, command: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], 15)
        line = self._process.stdout.readline().strip() if ready else ""
        if not line:
            raise RigBroken("the unix board did not start")
        return line


class _Bridge:
    """Outer pty (the client's port) to inner pty (the board's terminal), with the board's process."""

    def __init__(self, binary: Path, root: Path, settings: Mapping[str, str], lossy: bool) -> None:
        self.binary = os.open(binary, os.O_RDONLY)
        self.root = root
        self.environment = {"MICROPYPATH": ":.frozen:/lib", **settings}
        self.lossy = lossy
        self.unread_since: float | None = None
        self.outer, self.held = pty.openpty()
        tty.setraw(self.held)
        os.set_blocking(self.outer, False)
        self._new_terminal()
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.pid = self.pidfd = -1
        self.to_board = self.to_client = b""
        self.forward_from = 0.0

    def _new_terminal(self) -> None:
        self.inner, self.inner_slave = pty.openpty()
        tty.setraw(self.inner_slave)  # also switches OPOST off: the board's banners bring their own \r\n
        os.set_blocking(self.inner, False)

    def start(self, raw: bool) -> None:
        wait, go = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become_board(raw, wait, go)
            finally:
                os._exit(127)
        if os.geteuid():
            self._map_user()
        os.close(wait)
        os.close(go)  # the child waits for this
        self.pidfd = os.pidfd_open(self.pid)
        self.forward_from = time.monotonic() + 0.1  # the board empties its input while it starts

    def _map_user(self) -> None:
        # The child has (or soon will have) a user namespace of its own; in it this user is root, which chroot
        # needs.
        end = time.monotonic() + 2
        mine = os.readlink("/proc/self/ns/user")
        while os.readlink(f"/proc/{self.pid}/ns/user") == mine and time.monotonic() < end:
            time.sleep(0.001)
        Path(f"/proc/{self.pid}/setgroups").write_text("deny")
        Path(f"/proc/{self.pid}/uid_map").write_text(f"0 {os.getuid()} 1")
        Path(f"/proc/{self.pid}/gid_map").write_text(f"0 {os.getgid()} 1")

    def _become_board(self, raw: bool, wait: int, go: int) -> None:
        root = os.geteuid() == 0
        self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if not root and self.libc.unshare(CLONE_NEWUSER):
            return
        os.setsid()
        fcntl.ioctl(self.inner_slave, termios.TIOCSCTTY, 0)
        for descriptor in (0, 1, 2):
            os.dup2(self.inner_slave, descriptor)
        if not root:
            os.close(go)
            os.read(wait, 1)  # ends when the parent has mapped the user
        os.chroot(self.root)
        os.chdir("/")
        if root:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            self.libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it
        code = f"import rig; rig.repl({raw})"
        os.execve(self.binary, ["micropython", "-X", "heapsize=2M", "-c", code], self.environment)

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.pidfd)

    def catches_interrupt(self) -> bool:
        """Whether the board handles SIGINT now, that is: runs a program that Ctrl-C may stop."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        return False

    def run(self) -> None:
        self.start(False)
        self._await_prompt()
        print(os.ttyname(self.held), flush=True)
        while True:
            readers: list[int] = [0, self.pidfd]
            wait = None
            if not self.to_board:
                readers.append(self.outer)
            else:
                wait = max(0.0, self.forward_from - time.monotonic())
            if len(self.to_client) < 4096:
                readers.append(self.inner)
            elif self.lossy:
                wait = UNREAD if wait is None else min(wait, UNREAD)
            writers = [self.outer] if self.to_client else []
            if self.to_board and not wait:
                writers.append(self.inner)
            readable, _, _ = select.select(readers, writers, [], wait or None)
            if self.inner in readable:
                self.to_client += _read(self.inner)
            if self.outer in readable:
                self._from_client(_read(self.outer))
            if self.to_board and time.monotonic() >= self.forward_from:
                self.to_board = self.to_board[_write(self.inner, self.to_board) :]
            if self.to_client:
                self._give_client()
            if 0 in readable and not self._command():
                return
            if self.pidfd in readable:
                self._restart()

    def _give_client(self) -> None:
        now = time.monotonic()
        if written := _write(self.outer, self.to_client):
            self.to_client = self.to_client[written:]
            self.unread_since = None
        elif self.unread_since is None:
            self.unread_since = now
        elif self.lossy and now - self.unread_since > UNREAD:
            self.to_client = b""  # and what follows is lost at once, until something can be written again

    def _from_client(self, data: bytes) -> None:
        before, interrupt, after = data.partition(b"\x03")
        self.to_board += before
        while interrupt:
            if self.catches_interrupt():
                self.to_board = self.to_board[_write(self.inner, self.to_board) :]
                os.kill(self.pid, signal.SIGINT)
                time.sleep(0.0002)  # let the handler run before the next Ctrl-C asks
            else:
                self.to_board += interrupt
            before, interrupt, after = after.partition(b"\x03")
            self.to_board += before

    def _restart(self) -> None:
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.pidfd)
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.inner, 4096):
                self.to_client += data
        code = os.waitstatus_to_exitcode(status)
        if code != EXIT_RESET:
            self.to_client += b"MPY: soft reboot\r\n"
        self.start(code == EXIT_RAW)

    def _command(self) -> bool:
        command = os.read(0, 64).decode().strip()
        if not command:
            return False
        self.stop()
        self.to_board = self.to_client = b""
        if command == "blank":
            for entry in self.root.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        termios.tcflush(self.held, termios.TCIOFLUSH)
        # The kernel hands on what was written to a terminal when it finds time, also behind a flush: in the old one the
        # last board's prompt may still come, and would be taken for the next one's.
        os.close(self.inner)
        os.close(self.inner_slave)
        self._new_terminal()
        self.start(False)
        self._await_prompt()
        print("ok", flush=True)
        return True

    def _await_prompt(self) -> None:
        seen = b""
        end = time.monotonic() + 10
        while not seen.endswith(b">>> "):
            ready = select.select([self.inner, self.pidfd], [], [], 0.1)[0]
            if self.inner in ready:
                seen += _read(self.inner)
            elif self.pidfd in ready or time.monotonic() > end:
                raise RigBroken(f"the unix board shows no prompt: {seen!r}")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _write(descriptor: int, data: bytes) -> int:
    try:
        return os.write(descriptor, data)
    except BlockingIOError:
        return 0


def main() -> None:
    """Run the bridge: prints the port's path, obeys "power" and "blank" on stdin, ends with stdin."""
    parser = argparse.ArgumentParser(prog="python -m tests.rigs.unix")
    parser.add_argument("--binary", type=Path, required=True)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--setting", action="append", default=[], help="NAME=VALUE for the board's environment")
    parser.add_argument("--lossy", action="store_true", help="lose output that nobody reads")
    given = parser.parse_args()
    settings = dict(each.split("=", 1) for each in given.setting)
    bridge = _Bridge(given.binary, given.root, settings, given.lossy)
    try:
        bridge.run()
    except KeyboardInterrupt:
        pass
    finally:
        with contextlib.suppress(OSError):
            bridge.stop()


if __name__ == "__main__":
    main()
