"""Four different messages for the four reasons why a port does not open."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from ..errors import PortBusyError, PortMissingError, PortPermissionError, PortUnusableError, TransportError


def explain_open_error(port: str, error: BaseException) -> TransportError:
    """The error to raise for `error` (OSError, SerialException, ValueError) at opening `port`.

    PortMissingError, PortPermissionError, PortBusyError (naming the holder where /proc tells), else
    PortUnusableError with the driver's own words.
    """
    number = getattr(error, "errno", None)
    text = str(error)
    if "://" in port:
        return _url_error(port, error)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO) or "FileNotFoundError" in text:
        return PortMissingError(
            f"there is no port {port}", hint="see what is plugged in: `upytool devices`"
        )
    if number in (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK) or "exclusively lock" in text:
        return _busy(port)
    if number in (errno.EACCES, errno.EPERM) or "PermissionError" in text:
        if os.name == "nt":
            return _busy(port)  # Windows says "access denied" for a port that another program holds
        return PortPermissionError(f"you may not open {port}", hint=_permission_hint(port))
    if isinstance(error, ValueError):
        return PortMissingError(
            f"{port!r} is no port name", hint="see what is plugged in: `upytool devices`"
        )
    reason = os.strerror(number) if isinstance(number, int) else text
    return PortUnusableError(
        f"the driver refuses to open {port}: {reason}",
        hint="unplug the board and plug it in again; `upytool doctor` looks for known causes",
    )


def _busy(port: str) -> PortBusyError:
    holder = holder_of(port)
    return PortBusyError(
        f"{port} is in use by {holder}" if holder else f"{port} is in use by another program",
        hint="close it there (a REPL, an IDE, a serial monitor), then try again",
    )


def _permission_hint(port: str) -> str:
    try:
        import grp

        group = grp.getgrgid(os.stat(port).st_gid).gr_name
    except (ImportError, OSError, KeyError):
        return "ask the administrator for access to serial ports"
    return f"join the group that owns it, then log in again: sudo usermod -aG {group} $USER"


def _url_error(port: str, error: BaseException) -> TransportError:
    text = str(error).lower()
    if isinstance(error, ValueError) or "invalid url" in text or "protocol" in text and "not known" in text:
        return PortMissingError(
            f"{port!r} is no address that upytool knows", hint="see `upytool help selectors`"
        )
    if "refused" in text:
        return PortMissingError(
            f"nothing listens at {port}", hint="is the server running, and is the port number right?"
        )
    return PortUnusableError(f"{port} cannot be opened: {error}", hint="check host, port and network")


def holder_of(port: str) -> str:
    """`name (pid N)` of the process that has `port` open, as far as /proc tells this user; else ''."""
    try:
        target = os.stat(port).st_rdev
        real = os.path.realpath(port)
    except OSError:
        return ""
    for entry in _processes():
        try:
            for link in (entry / "fd").iterdir():
                if os.readlink(link) == real and os.stat(link).st_rdev == target:
                    name = (entry / "comm").read_text().strip()
                    return f"{name} (pid {entry.name})"
        except OSError:
            continue  # another user's process, or it ended meanwhile
    return ""


def _processes() -> list[Path]:
    own = str(os.getpid())
    try:
        return [entry for entry in Path("/proc").iterdir() if entry.name.isdigit() and entry.name != own]
    except OSError:
        return []
