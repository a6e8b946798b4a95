"""`upytool soft-reset`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define(
    "soft-reset",
    examples=[('upytool soft-reset exec "import app"', "start from a fresh interpreter")],
)
@pass_app
def command(app: App) -> None:
    """Restart MicroPython without restarting the chip: memory is cleared, boot.py runs, main.py does not."""
    app.device().soft_reset()
    app.emit({"reset": "soft"}, "")
