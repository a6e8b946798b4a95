"""`upytool connect`."""

from __future__ import annotations

import click

from ..app import App, pass_app
from ..group import define
from ..params import Selector


@define(
    "connect",
    examples=[
        ("upytool connect a1 ls", "the board on /dev/ttyACM1"),
        ("upytool connect id:e6605838834f2a30 run test.py", "the board with this serial number"),
        ("upytool connect a0 exec 1 connect a1 exec 1", "two boards in one line"),
        ("upytool connect list", "what is plugged in, as mpremote prints it"),
    ],
)
@click.argument("device", type=Selector(), help="Board to connect to, or `list`.")
@pass_app
def command(app: App, device: str) -> None:
    """Choose the board for the commands that follow, and open it.

    `upytool help selectors` tells how to name a board. `auto` is the only board there is.
    """
    if device == "list":
        from ...api.boards import port_data, serial_ports
        from .devs import mpremote_lines

        ports = serial_ports()
        app.emit([port_data(port) for port in ports], mpremote_lines(ports))
        app.acted = True
        return
    app.connect(device)
