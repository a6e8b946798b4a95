"""Four different messages for the four reasons why a port does not open: it is not there, it is taken, it is
forbidden, or its driver refuses."""

from __future__ import annotations

import errno
import os
import stat

from ..errors import PortBusyError, PortMissingError, PortPermissionError, PortUnusableError, TransportError
from ..words import Said

_MISSING = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
_BUSY = (errno.EBUSY, errno.EAGAIN, errno.EWOULDBLOCK)
_FORBIDDEN = (errno.EACCES, errno.EPERM)


def explain_open_error(port: str, error: BaseException, *, windows: bool = os.name == "nt") -> TransportError:
    """The error to raise for `error` (OSError, SerialException, ValueError) at opening `port`.

    PortMissingError, PortPermissionError, PortBusyError (naming the holder where /proc tells), else
    PortUnusableError with the driver's own words.
    """
    if "://" in port:
        return _url_error(port, error)
    number = getattr(error, "errno", None)
    # For Windows pyserial puts the system's error into its text: "...: PermissionError(13, 'Access is ...')".
    text = str(error)
    if number in _MISSING or "FileNotFoundError" in text:
        return PortMissingError("transport.missing.port", port=port)
    if number in _BUSY or "exclusively lock" in text:
        return _busy(port)
    if number in _FORBIDDEN or "PermissionError" in text:
        # Windows says "access denied" for a port that another program holds.
        return (
            _busy(port)
            if windows
            else PortPermissionError("transport.permission.port", port=port, hint=permission_hint(port))
        )
    if isinstance(error, ValueError):
        return PortMissingError("transport.missing.port-name", port=port)
    if not windows and not _is_terminal(port):
        return PortUnusableError("transport.unusable.not-serial", port=port)
    reason = os.strerror(number) if isinstance(number, int) else text
    return PortUnusableError("transport.unusable.driver", port=port, reason=reason)


def _busy(port: str) -> PortBusyError:
    if holder := holder_of(port):
        return PortBusyError("transport.busy.held", port=port, holder=holder)
    return PortBusyError("transport.busy.port", port=port)


def permission_hint(port: str) -> Said:
    """What gives this user the right to open `port`."""
    try:
        import grp

        status = os.stat(port)
        group = grp.getgrgid(status.st_gid)
    except (ImportError, OSError, KeyError):
        return Said("transport.ask-administrator")
    if status.st_gid == 0 or status.st_mode & 0o060 != 0o060:
        # Being in the group would not help, and nobody should join root's.
        return Said("transport.owner-only", owner=_owner(status.st_uid))
    if _user() in group.gr_mem and status.st_gid not in os.getgroups():
        return Said("transport.log-in-again", group=group.gr_name)
    return Said("transport.join-group", group=group.gr_name)


def _owner(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""


def _is_terminal(port: str) -> bool:
    """False only where the path is known to be something that cannot be a port (a file, a directory)."""
    try:
        return stat.S_ISCHR(os.stat(port).st_mode) and os.path.realpath(port) != os.devnull
    except OSError:
        return True


def _url_error(port: str, error: BaseException) -> TransportError:
    text = str(error).lower()
    if isinstance(error, ValueError) or "invalid url" in text or ("protocol" in text and "not known" in text):
        return PortMissingError("transport.missing.unknown-address", url=port)
    if "refused" in text:
        return PortMissingError("transport.missing.nothing-listens", url=port)
    return PortUnusableError("transport.unusable.open", url=port, cause=error)


def holder_of(port: str) -> str:
    """`name (pid N)` of the process that has `port` open, as far as /proc tells this user; else ''.

    The process behind a pseudo terminal (a simulated board, for instance) may have it open too: it is named only
    where there is no other.
    """
    try:
        target = os.stat(port).st_rdev
        real = os.path.realpath(port)
    except OSError:
        return ""
    behind = ""
    for entry in _processes():
        try:
            links = [f"/proc/{entry}/fd/{number}" for number in os.listdir(f"/proc/{entry}/fd")]
            names = [os.readlink(link) for link in links]
            if not any(n == real and os.stat(link).st_rdev == target for n, link in zip(names, links, strict=True)):
                continue
            with open(f"/proc/{entry}/comm", encoding="utf-8", errors="replace") as file:
                found = f"{file.read().strip()} (pid {entry})"
        except OSError:
            continue  # another user's process, or it ended meanwhile
        if not any(name in ("/dev/ptmx", "/dev/pts/ptmx") for name in names):
            return found
        behind = behind or found
    return behind


def _processes() -> list[str]:
    """The process numbers in /proc, this one last."""
    own = str(os.getpid())
    try:
        entries = [entry for entry in os.listdir("/proc") if entry.isdecimal()]
    except OSError:
        return []
    return sorted(entries, key=lambda entry: entry == own)
