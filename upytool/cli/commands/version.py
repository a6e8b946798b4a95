"""`upytool version`."""

from __future__ import annotations

from ... import __version__
from ..app import App, pass_app
from ..group import define


@define("version", examples=[("upytool version", "the same as `upytool --version`")])
@pass_app
def command(app: App) -> None:
    """Print the version."""
    app.emit({"version": __version__}, f"upytool {__version__}")
