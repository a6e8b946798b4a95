"""`upytool stop`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define("stop", examples=[("upytool stop", "interrupt the running program; memory and files stay as they are")])
@pass_app
def command(app: App) -> None:
    """Interrupt the program that runs on the board and leave it at its prompt."""
    app.device().interrupt()
    app.emit({"stopped": True}, "")
    app.note("Stopped; the board waits at its prompt")
