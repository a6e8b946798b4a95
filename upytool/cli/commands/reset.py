"""`upytool reset`."""

from __future__ import annotations

from ...errors import DeviceSelectionError, PortMissingError, ProtocolError, UpytoolError
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
    """Restart the board as its reset button does. It runs boot.py, then main.py.

    A board that waits in its bootloader starts its firmware.
    """
    try:
        if not app.connected and _simulated(app) and _out_of_boot_loader(app, None):
            return _left(app)
        app.device().reset()
    except (DeviceSelectionError, PortMissingError, ProtocolError) as error:
        if not _out_of_boot_loader(app, error):
            raise
        return _left(app)
    app.let_go()
    app.emit({"reset": "hard"}, "")
    app.note("The board restarts")


def _left(app: App) -> None:
    app.emit({"reset": "bootloader"}, "")
    app.note("The board left its bootloader and starts its firmware")


def _simulated(app: App) -> bool:
    """Whether -d names a simulated board, whose REPL has an address also while nobody answers there."""
    name = app.selector or ""
    return app.settings.devices.get(name, name).partition(":")[0] == "sim"


def _out_of_boot_loader(app: App, error: UpytoolError | None) -> bool:
    """Restart a board that has no REPL because it waits in its bootloader; False where it is not there."""
    from ...api import bootloader
    from .. import flashing

    try:
        ways = flashing.doors(app)
    except UpytoolError:  # a simulated board without USB
        return False
    # Only a look, no question to a board: a running one that does not answer stays the error that it was.
    if not bootloader.any_waits(ways, error):
        return False
    return bootloader.start(flashing.choose(app, ways), reporter=app.reporter)
