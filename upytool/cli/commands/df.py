"""`upytool df`."""

from __future__ import annotations

from ...errors import RemoteOSError
from ..app import App, pass_app
from ..group import define
from ..ui.text import rows, size

EOPNOTSUPP = 95  # MicroPython's number (py/mperrno.h), whatever this computer's is


@define("df", examples=[("upytool df", "space on every file system of the board"), ("upytool df --json", "in bytes")])
@pass_app
def command(app: App) -> None:
    """Show the space on the board's file systems, in kB and MB of 1000; --json gives bytes."""
    mounts = app.device().fs.df()
    if not mounts:
        raise RemoteOSError(EOPNOTSUPP, hint="this firmware has no os.statvfs, which tells the space")
    data = [
        {"path": mount.path, "total": mount.total, "used": mount.used, "free": mount.free, "kind": mount.kind}
        for mount in mounts
    ]
    body = [
        (m.path, size(m.total), size(m.used), size(m.free), f"{m.used / m.total:.0%}" if m.total else "-")
        for m in mounts
    ]
    app.emit(data, lambda style: rows(style, ["mounted on", "size", "used", "free", "use"], body, align="lrrrr"))
