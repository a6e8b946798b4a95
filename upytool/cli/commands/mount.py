"""`upytool mount`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import LocalPath, RemotePath


@define(
    "mount",
    examples=[
        ("upytool mount .", "mount this directory and open the REPL"),
        ('upytool mount src exec "import app"', "import from a local directory"),
        ("upytool mount --read-only assets --at /assets run show.py", "at another place, and safe"),
        ("upytool mount --mpy . run main.py", "compile what main.py imports, for this board"),
    ],
)
@click.argument("directory", type=LocalPath(directories=True), help="Local directory.")
@click.option(
    "--at", "point", type=RemotePath(), default="/remote", help="Mount point on the board (default: /remote)."
)
@click.option("--read-only/--read-write", "-r", default=False, help="Mount read-only.")
@click.option(
    "--unsafe-links/--no-unsafe-links",
    "-l",
    default=False,
    help="Follow symbolic links that lead out of the directory.",
)
@click.option("--mpy/--no-mpy", "-m", default=False, help="Compile modules while they are imported.")
@pass_app
def command(app: App, directory: str, point: str, read_only: bool, unsafe_links: bool, mpy: bool) -> None:
    """Let the board use a local directory as if it were its own.

    Nothing is copied: the board asks for each file when it needs it, so an edited module is there at the next
    import. The directory becomes the board's working directory, it is mounted again after a soft reset, and
    goes when the command line ends. Give the command several times for several directories.
    """
    from ...api import run

    made = run.mount(
        app.device(),
        directory,
        point,
        read_only=read_only,
        unsafe_links=unsafe_links,
        mpy=mpy,
        reporter=app.reporter,
    )
    # mpremote's words at mpremote's place, stdout; who wants the program's output alone says -q.
    quiet = app.settings.verbosity < 0
    app.emit(made.data(), [] if quiet else f"Local directory {directory} is mounted at {made.point}")
