"""`upytool mount`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..app import App, pass_app
from ..group import define
from ..params import LocalPath, RemotePath

if TYPE_CHECKING:
    from ...device.folder import Compile


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
    from ...device.mount import mounts_of

    device = app.device()
    compile = _compiler(app) if mpy else None
    mount = device.drive(
        mounts_of(device).add(directory, point, read_only=read_only, unsafe_links=unsafe_links, compile=compile)
    )
    data = {"directory": mount.folder.root, "point": mount.point, "read_only": read_only}
    # mpremote's words at mpremote's place, stdout; who wants the program's output alone says -q.
    quiet = app.settings.verbosity < 0
    app.emit(data, [] if quiet else f"Local directory {directory} is mounted at {mount.point}")


def _compiler(app: App) -> Compile:
    """What makes .mpy files for this board; what does not compile is served as source, with a warning."""
    from ...errors import PackageError, UsageError
    from ...mpy.abi import Abi
    from ...packages.compile import Compiler

    abi = Abi.of(app.device().info.mpy)
    if abi is None:
        raise UsageError("this board loads no .mpy files", hint="mount without --mpy")
    compiler = Compiler(abi)
    if compiler.unusable:
        raise UsageError(f"nothing can be compiled: {compiler.unusable}", hint="mount without --mpy")

    def compile(source: bytes, name: str) -> bytes | None:
        try:
            made = compiler.compile(source, name)
        except PackageError as error:
            app.warn(str(error))
            return None
        if made.data is None:
            app.detail(f"{name} is served as source: {made.reason}")
        return made.data

    return compile
