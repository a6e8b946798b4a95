"""What a user sees of an error: `error:` and `hint:` lines, and the board's traceback where there is one."""

from __future__ import annotations

from ...errors import OperationInterrupted, RemoteException, RemoteExit, UpytoolError
from .style import Style


def lines(error: UpytoolError, style: Style, verbosity: int = 0) -> list[str]:
    """The error as lines for stderr; none where there is nothing to say (the program's own exit status)."""
    if isinstance(error, RemoteExit):
        return []
    if isinstance(error, RemoteException):
        found = error.traceback.replace("\r\n", "\n").rstrip("\n").split("\n")
        return found + _hint(error, style)
    found = []
    if isinstance(error, OperationInterrupted) and error.traceback:
        found += error.traceback.replace("\r\n", "\n").rstrip("\n").split("\n")
    head = error.message if verbosity < 1 else f"{error.message} [{error.code}]"
    found.append(style.error("error:") + " " + head)
    cause = error.__cause__
    while cause is not None and verbosity > 0:
        found.append(f"  caused by {type(cause).__name__}: {cause}")
        cause = cause.__cause__
    return found + _hint(error, style)


def _hint(error: UpytoolError, style: Style) -> list[str]:
    first, *rest = error.hint.splitlines() or [""]
    return [style.hint("hint:") + " " + first, *("      " + line for line in rest)] if first else []
