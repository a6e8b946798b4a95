"""`upytool resume`."""

from __future__ import annotations

from ..app import App, pass_app
from ..group import define


@define("resume", examples=[('upytool resume exec "print(x)"', "no soft reset: x is what an earlier run made it")])
@pass_app
def command(app: App) -> None:
    """Use the board as it is: without the soft reset that comes before the first program of a line."""
    app.resume()
