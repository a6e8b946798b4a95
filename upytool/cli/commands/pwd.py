"""`upytool pwd`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define("pwd", examples=[("upytool pwd", "where relative paths begin")])
@pass_app
def command(app: App) -> None:
    """Print the board's working directory."""
    path = app.device().fs.getcwd()
    app.emit({"path": path}, path)
