"""`upytool disconnect`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define(
    "disconnect",
    examples=[("upytool connect a0 exec 1 disconnect connect a1 exec 1", "two boards in one line")],
)
@pass_app
def command(app: App) -> None:
    """Let go of the board. A board that is connected afterwards gets its own soft reset again."""
    app.disconnect()
