"""`upytool exec`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define


@define(
    "exec",
    examples=[
        ('upytool exec "import os; print(os.listdir())"', "run a line on the only board there is"),
        ('upytool resume exec "print(x)"', "use what an earlier run left in memory"),
        ('upytool exec "import sys; sys.exit(3)"', "the exit status of the board's program is upytool's"),
    ],
)
@click.argument("code")
@click.option("--follow/--no-follow", "-f", default=True, help="Wait for the program and show its output (default).")
@pass_app
def command(app: App, code: str, follow: bool) -> None:
    """Run a line of code (or several) on the board.

    Its output goes to stdout as the board sends it, a traceback to stderr. Ctrl-C stops the program on the
    board; --timeout SECONDS stops it as well, with exit code 124.

    The first program of a command line starts in a fresh interpreter (a soft reset: boot.py runs, main.py does
    not); later ones find what it left. `resume` in front leaves the reset out.
    """
    app.device().run(code, on_output=app.out, timeout=app.settings.timeout, follow=follow)
