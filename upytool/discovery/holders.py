"""Who has a serial port open, and which programs run that take fresh ones for themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence

from ..transport.open_errors import holder_of

Run = Callable[[Sequence[str]], bytes]
COMMAND_LIMIT = 5.0


def run_command(arguments: Sequence[str], seconds: float = COMMAND_LIMIT) -> bytes:
    """What a command prints, b"" where it is not there or takes longer; its exit code does not count."""
    try:
        return subprocess.run(
            list(arguments), capture_output=True, timeout=seconds, check=False, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return b""


def port_holder(port: str, platform: str = sys.platform, run: Run = run_command) -> str:
    """`name (pid N)` of the process that has the port open, as far as this system tells; else ''.

    Linux tells it of this user's processes in /proc, macOS by lsof. Nothing is opened.
    """
    if platform.startswith("linux"):
        return holder_of(port)
    if platform != "darwin":
        return ""
    for path in dict.fromkeys((port, port.replace("/dev/cu.", "/dev/tty."))):
        pid = name = ""
        for line in run(["lsof", "-n", "-w", "-F", "pc", path]).decode("utf-8", "replace").splitlines():
            if line[:1] == "p" and not pid:
                pid = line[1:]
            elif line[:1] == "c" and not name:
                name = line[1:]
        if pid:
            return f"{name} (pid {pid})"
    return ""


def running(names: Sequence[str], root: str = "/") -> dict[str, int]:
    """Name -> pid of those of `names` that run, by /proc/PID/comm (Linux; its names have 15 letters at most)."""
    wanted = {name[:15].lower(): name for name in names}
    found: dict[str, int] = {}
    try:
        entries = [entry for entry in os.listdir(os.path.join(root, "proc")) if entry.isdecimal()]
    except OSError:
        return {}
    for entry in sorted(entries, key=int):
        try:
            with open(os.path.join(root, "proc", entry, "comm"), encoding="utf-8", errors="replace") as file:
                name = wanted.get(file.read().strip().lower())
        except OSError:
            continue  # it ended meanwhile
        if name is not None:
            found.setdefault(name, int(entry))
    return found
