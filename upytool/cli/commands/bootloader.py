"""`upytool bootloader`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define("bootloader", examples=[("upytool bootloader", "ready for new firmware")])
@pass_app
def command(app: App) -> None:
    """Put the board into its boot loader, where it takes new firmware. Its port goes away."""
    app.device().bootloader()
    app.let_go()
    app.note("The board is on its way into the boot loader")
