"""`upytool reset`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define(
    "reset",
    examples=[
        ("upytool reset", "restart the board; it runs boot.py and main.py"),
        ("upytool cp main.py : + reset", "copy, then start it for real"),
    ],
)
@pass_app
def command(app: App) -> None:
    """Restart the board as its reset button does. It runs boot.py, then main.py."""
    app.device().reset()
    app.let_go()
    app.note("The board restarts")
